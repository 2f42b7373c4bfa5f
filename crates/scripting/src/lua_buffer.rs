//! Where a function of a library writes its result before it becomes a string of Lua's.

use crate::lua_stack::LuaStack;
use mlua::ffi;
use std::ffi::c_int;
use std::mem::MaybeUninit;

/// Why writing stopped before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// So many bytes more do not fit.
    Full(usize),
    /// There is something that needs more care.
    Unusual,
}

/// Bytes that are written one after another into memory that is there already. It has no destructor and never asks Lua
/// for anything.
pub(crate) struct Output<'m> {
    memory: &'m mut [MaybeUninit<u8>],
    len: usize,
}

impl<'m> Output<'m> {
    /// An empty one.
    #[inline]
    pub(crate) fn new(memory: &'m mut [MaybeUninit<u8>]) -> Self {
        Self { memory, len: 0 }
    }

    /// The next bytes of the memory, to be written and [counted](Self::written).
    ///
    /// # Errors
    /// When they do not fit.
    #[inline(always)]
    pub(crate) fn room(&mut self, bytes: usize) -> Result<&mut [MaybeUninit<u8>], Stop> {
        self.memory[self.len..].get_mut(..bytes).ok_or(Stop::Full(bytes))
    }

    /// As [`Self::room`], when their number is known when this is compiled.
    ///
    /// # Errors
    /// When they do not fit.
    #[inline(always)]
    pub(crate) fn chunk<const N: usize>(&mut self) -> Result<&mut [MaybeUninit<u8>; N], Stop> {
        self.memory[self.len..].first_chunk_mut().ok_or(Stop::Full(N))
    }

    /// Counts bytes.
    ///
    /// # Safety
    /// So many were written to the beginning of what [`Self::room`] gave last.
    #[inline(always)]
    pub(crate) unsafe fn written(&mut self, bytes: usize) {
        self.len += bytes;
    }

    /// Writes a byte.
    ///
    /// # Errors
    /// When it does not fit.
    #[inline(always)]
    pub(crate) fn push(&mut self, byte: u8) -> Result<(), Stop> {
        self.memory.get_mut(self.len).ok_or(Stop::Full(1))?.write(byte);
        self.len += 1;
        Ok(())
    }

    /// Writes a few bytes, whose number is known when this is compiled.
    ///
    /// # Errors
    /// When they do not fit.
    #[inline(always)]
    pub(crate) fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), Stop> {
        let room = self.room(N)?;
        // SAFETY: there is room for as many.
        unsafe { room.as_mut_ptr().cast::<[u8; N]>().write(bytes) };
        self.len += N;
        Ok(())
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// When they do not fit.
    #[inline(always)]
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let room = self.room(bytes.len())?;
        // SAFETY: there is room for as many; memory that is borrowed mutably does not overlap.
        unsafe { copy(bytes, room.as_mut_ptr().cast()) };
        self.len += bytes.len();
        Ok(())
    }

    /// Takes the last bytes back.
    #[inline(always)]
    pub(crate) fn take_back(&mut self, bytes: usize) {
        self.len = self.len.saturating_sub(bytes);
    }

    /// What was written.
    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are written.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast(), self.len) }
    }
}

/// Copies bytes. A few are copied as two halves that overlap, which is less than a call.
///
/// # Safety
/// There is room for them, elsewhere.
#[inline(always)]
unsafe fn copy(bytes: &[u8], to: *mut u8) {
    /// The first and the last `N` of `len` bytes.
    #[inline(always)]
    unsafe fn ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: `len` is at least `N`.
        unsafe {
            let (first, last) = (from.cast::<[u8; N]>().read(), from.add(len - N).cast::<[u8; N]>().read());
            to.cast::<[u8; N]>().write(first);
            to.add(len - N).cast::<[u8; N]>().write(last);
        }
    }
    let (from, len) = (bytes.as_ptr(), bytes.len());
    // SAFETY: the caller's promise, and in each case the length is enough.
    unsafe {
        match len {
            0 => {}
            1 => to.write(*from),
            2..4 => ends::<2>(from, to, len),
            4..8 => ends::<4>(from, to, len),
            8..16 => ends::<8>(from, to, len),
            16..=32 => ends::<16>(from, to, len),
            _ => std::ptr::copy_nonoverlapping(from, to, len),
        }
    }
}

/// Memory that is tried first, on the stack of the thread.
const FIRST_BYTES: usize = 8 << 10;
/// What is not enough grows by so much.
const GROWTH: usize = 4;

/// Pushes the string that `write` writes. If it does not fit, all is written again to memory that is larger; from the
/// second time on that is Lua's, so it counts towards the VM's limit. False, with nothing pushed, if `write` stops at
/// something unusual. Raises when memory runs out. Steps of the garbage collector happen between two attempts only.
#[inline]
pub(crate) fn push_written(
    stack: LuaStack,
    mut write: impl FnMut(&mut Output<'_>) -> Result<(), Stop>,
) -> bool {
    let mut memory = [const { MaybeUninit::uninit() }; FIRST_BYTES];
    let mut output = Output::new(&mut memory);
    match write(&mut output) {
        Ok(()) => {
            stack.push_bytes(output.as_slice());
            true
        }
        Err(Stop::Unusual) => false,
        Err(Stop::Full(more)) => push_long(stack, output.len + more, &mut write),
    }
}

#[cold]
#[inline(never)]
fn push_long(
    stack: LuaStack,
    mut needed: usize,
    write: &mut dyn FnMut(&mut Output<'_>) -> Result<(), Stop>,
) -> bool {
    let slot = stack.top() + 1;
    stack.push_nil();
    let mut bytes = FIRST_BYTES;
    loop {
        bytes = bytes.saturating_mul(GROWTH).max(needed.saturating_add(needed / 2));
        // SAFETY: a C function has free slots for two; the userdata is as large as is said, and stays in its slot while
        // it is written to.
        let memory = unsafe {
            let start = ffi::lua_newuserdata(stack.state(), bytes).cast::<MaybeUninit<u8>>();
            ffi::lua_replace(stack.state(), slot);
            std::slice::from_raw_parts_mut(start, bytes)
        };
        let mut output = Output::new(memory);
        match write(&mut output) {
            Ok(()) => {
                stack.push_bytes(output.as_slice());
                remove(stack, slot);
                return true;
            }
            Err(Stop::Unusual) => {
                remove(stack, slot);
                return false;
            }
            Err(Stop::Full(more)) => needed = output.len + more,
        }
    }
}

fn remove(stack: LuaStack, slot: c_int) {
    // SAFETY: the slot was pushed by the caller.
    unsafe { ffi::lua_remove(stack.state(), slot) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_written_whole() {
        let bytes: Vec<u8> = (0..=255).collect();
        for len in 0..100 {
            let mut memory = [const { MaybeUninit::uninit() }; 100];
            let mut output = Output::new(&mut memory);
            output.extend(&bytes[..len]).unwrap();
            assert_eq!(output.as_slice(), &bytes[..len]);
            assert_eq!(output.extend(&bytes[..101 - len]), Err(Stop::Full(101 - len)));
            output.extend(&bytes[len..100]).unwrap();
            assert_eq!(output.as_slice(), &bytes[..100]);
            assert_eq!(output.push(0), Err(Stop::Full(1)));
            output.take_back(60);
            assert_eq!(output.put(*b"abc"), Ok(()));
            assert_eq!(output.as_slice(), [&bytes[..40], b"abc"].concat());
        }
    }
}
