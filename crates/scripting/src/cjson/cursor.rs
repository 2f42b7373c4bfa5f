//! A place in the text of a string of Lua's.

use super::scan;
use std::marker::PhantomData;

/// The place of a byte, or of the NUL that follows the text: nothing is looked at behind that, so nothing need be
/// compared with the end on the way.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    at: *const u8,
    end: *const u8,
    text: PhantomData<&'t [u8]>,
}

impl<'t> Cursor<'t> {
    /// The beginning of a text.
    ///
    /// # Safety
    /// A NUL follows the text.
    pub(super) unsafe fn new(text: &'t [u8]) -> Self {
        let range = text.as_ptr_range();
        Self { at: range.start, end: range.end, text: PhantomData }
    }

    /// The byte, NUL at the end. There may be others in the text.
    #[inline(always)]
    pub(super) fn byte(self) -> u8 {
        // SAFETY: the place is in the text, or at the NUL behind it.
        unsafe { *self.at }
    }

    /// Goes behind a byte that is no NUL.
    #[inline(always)]
    pub(super) fn step(&mut self) {
        debug_assert!(self.at < self.end);
        // SAFETY: not at the end, where a NUL is.
        self.at = unsafe { self.at.add(1) };
    }

    /// Goes to the next byte that is no space, and looks at it.
    #[inline(always)]
    pub(super) fn skip_space(&mut self) -> u8 {
        loop {
            let byte = self.byte();
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return byte;
            }
            self.step();
        }
    }

    /// What comes from here on.
    #[inline(always)]
    pub(super) fn rest(self) -> &'t [u8] {
        // SAFETY: the place is in the text, or at its end.
        unsafe { std::slice::from_raw_parts(self.at, self.end.offset_from_unsigned(self.at)) }
    }

    /// Goes on by so many bytes of the rest, or to the end.
    #[inline(always)]
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at = self.rest()[bytes.min(self.rest().len())..].as_ptr();
    }

    /// Goes on to the end of a string, an escape or a NUL. Returns what was passed.
    #[inline(always)]
    pub(super) fn skip_plain(&mut self) -> &'t [u8] {
        let rest = self.rest();
        let (mut at, mut left) = (self.at, rest.len());
        // SAFETY: at least as many bytes are left as are looked at. The last ones are looked at one by one, up to the
        // NUL.
        unsafe {
            loop {
                if left < 16 {
                    while !matches!(*at, b'"' | b'\\' | 0) {
                        at = at.add(1);
                    }
                    break;
                }
                let found = scan::not_plain(&*at.cast());
                if found != 0 {
                    at = at.add(found.trailing_zeros() as usize);
                    break;
                }
                at = at.add(16);
                left -= 16;
            }
            let passed = std::slice::from_raw_parts(self.at, at.offset_from_unsigned(self.at));
            self.at = at;
            passed
        }
    }

    /// Goes behind decimal digits, and adds them to those of `number`, which wraps. Returns how many there were.
    #[inline(always)]
    pub(super) fn skip_digits(&mut self, number: &mut u64) -> usize {
        let start = self.at;
        loop {
            let digit = self.byte().wrapping_sub(b'0');
            if digit > 9 {
                // SAFETY: it started there.
                return unsafe { self.at.offset_from_unsigned(start) };
            }
            *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.step();
        }
    }
}
