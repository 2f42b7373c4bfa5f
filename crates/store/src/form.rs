//! A value in one of two forms, in the size of a pointer: small, or large in an allocation of its own.
//!
//! The lowest bit of the pointer tells which, so a collection costs its key no more than its pointer.

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, size_of};

/// A small form that is a pointer in size, and whose lowest bit is never set.
///
/// # Safety
/// The type has the representation of a pointer whose lowest bit is 0, null or not.
pub unsafe trait Thin {}

/// One of the two forms.
pub struct Form<S: Thin, L> {
    word: *mut u8,
    owns: PhantomData<(S, Box<L>)>,
}

// SAFETY: it owns what is in it, and shares nothing.
unsafe impl<S: Thin + Send, L: Send> Send for Form<S, L> {}
// SAFETY: through a shared reference it is only read.
unsafe impl<S: Thin + Sync, L: Sync> Sync for Form<S, L> {}

/// A look at a form.
pub enum FormRef<'a, S, L> {
    Small(&'a S),
    Large(&'a L),
}

/// A form, to change.
pub enum FormMut<'a, S, L> {
    Small(&'a mut S),
    Large(&'a mut L),
}

/// The bits of a small form.
union Bits<S> {
    small: ManuallyDrop<S>,
    word: *mut u8,
}

const LARGE: usize = 1;

impl<S: Thin, L> Form<S, L> {
    const FITS: () = assert!(size_of::<S>() == size_of::<*mut u8>() && align_of::<L>() > LARGE);

    /// The small form.
    pub const fn small(small: S) -> Self {
        let () = Self::FITS;
        let bits = Bits { small: ManuallyDrop::new(small) };
        // SAFETY: a thin type has the representation of a pointer.
        Self { word: unsafe { bits.word }, owns: PhantomData }
    }

    /// The large form.
    pub fn large(large: Box<L>) -> Self {
        let () = Self::FITS;
        Self { word: Box::into_raw(large).cast::<u8>().map_addr(|at| at | LARGE), owns: PhantomData }
    }

    #[inline]
    fn is_large(&self) -> bool {
        self.word.addr() & LARGE != 0
    }

    #[inline]
    fn large_ptr(&self) -> *mut L {
        self.word.map_addr(|at| at & !LARGE).cast()
    }

    /// Which form it is.
    #[inline]
    pub fn get(&self) -> FormRef<'_, S, L> {
        if self.is_large() {
            // SAFETY: with this bit it is a box's pointer, which lives as long as this.
            FormRef::Large(unsafe { &*self.large_ptr() })
        } else {
            // SAFETY: without it the bits are those of a small form.
            FormRef::Small(unsafe { &*(&raw const self.word).cast::<S>() })
        }
    }

    /// Which form it is, to change.
    #[inline]
    pub fn get_mut(&mut self) -> FormMut<'_, S, L> {
        if self.is_large() {
            // SAFETY: with this bit it is a box's pointer, which lives as long as this; `self` is exclusive.
            FormMut::Large(unsafe { &mut *self.large_ptr() })
        } else {
            // SAFETY: without it the bits are those of a small form, and stay so, since it is thin.
            FormMut::Small(unsafe { &mut *(&raw mut self.word).cast::<S>() })
        }
    }

    /// Where its memory begins, if it has any: what is worth prefetching.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.word
    }
}

impl<S: Thin, L> Drop for Form<S, L> {
    fn drop(&mut self) {
        if self.is_large() {
            // SAFETY: with this bit it is a box's pointer, owned by this alone.
            drop(unsafe { Box::from_raw(self.large_ptr()) });
        } else {
            // SAFETY: without it the bits are those of a small form, which is not used again.
            unsafe { (&raw mut self.word).cast::<S>().drop_in_place() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counted_bytes::CountedBytes;
    use std::rc::Rc;

    #[test]
    fn either_form_is_a_pointer_in_size_and_is_dropped_once() {
        let large = Rc::new(7);
        let mut form: Form<CountedBytes, Rc<i32>> = Form::small(CountedBytes::copy_of(b"abc", 1));
        assert_eq!(size_of_val(&form), size_of::<usize>());
        assert!(matches!(form.get(), FormRef::Small(bytes) if bytes.data() == b"abc"));
        if let FormMut::Small(bytes) = form.get_mut() {
            bytes.truncate(0);
        }
        assert!(matches!(form.get(), FormRef::Small(bytes) if bytes.len() == 0));
        form = Form::large(Box::new(large.clone()));
        assert!(matches!(form.get(), FormRef::Large(seven) if **seven == 7));
        assert_eq!(Rc::strong_count(&large), 2);
        drop(form);
        assert_eq!(Rc::strong_count(&large), 1);
    }
}
