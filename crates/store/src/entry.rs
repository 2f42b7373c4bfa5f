//! What the keyspace holds for a key: one allocation with the header, the expiry if any, the key and the value.
//!
//! ```text
//! byte 0       key length (7 bits; 127: it follows in 8 bytes), top bit: has an expiry
//! byte 1       value: length of the string that lies here (0 to 252), or one of the three codes below
//! bytes 2-4    access clock, 24 bits
//! [8 bytes]    expiry, milliseconds since the epoch
//! [8 bytes]    length of a long key
//! key
//! value        the string's bytes; or, aligned to 8, a `Vec<u8>` or a collection
//! ```

use crate::table::Item;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

const HEADER: usize = 5;
const EXPIRES: u8 = 0x80;
const KEY_LONG: u8 = 0x7f;
/// The longest string that lies in the entry itself.
const INLINE_MAX: usize = 252;
/// Codes in place of an inline length: a string in a `Vec`, the same after an edit in place, a collection.
const OUTLINE: u8 = 253;
const RAW: u8 = 254;
const COLLECTION: u8 = 255;

/// A key with its value, its expiry and its access clock; the value is a string or a collection `C`.
///
/// An entry is a pointer in size. What changes an entry may move its allocation, so it takes the handle.
pub struct Entry<C> {
    block: NonNull<u8>,
    owns: PhantomData<C>,
}

// SAFETY: an entry owns its allocation and the value in it, and shares nothing.
unsafe impl<C: Send> Send for Entry<C> {}
// SAFETY: through a shared reference an entry is only read.
unsafe impl<C: Sync> Sync for Entry<C> {}

/// A value on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<C> {
    /// A string's bytes.
    String(Vec<u8>),
    /// A list, set, hash or the like.
    Collection(C),
}

/// A value in an entry.
#[derive(Debug, PartialEq, Eq)]
pub enum ValueRef<'a, C> {
    /// A string's bytes.
    String(&'a [u8]),
    /// A list, set, hash or the like.
    Collection(&'a C),
}

// Not derived: that would ask it of the collection.
impl<C> Clone for ValueRef<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for ValueRef<'_, C> {}

/// What decides where things lie in an entry's block, and how large it is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    key_len: usize,
    expires: bool,
    code: u8,
}

impl Shape {
    #[inline]
    fn key_at(self) -> usize {
        HEADER + if self.expires { 8 } else { 0 } + if self.key_len >= usize::from(KEY_LONG) { 8 } else { 0 }
    }

    #[inline]
    fn value_at(self) -> usize {
        let end = self.key_at() + self.key_len;
        if self.code < OUTLINE { end } else { end.next_multiple_of(8) }
    }

    #[inline]
    fn value_len<C>(self) -> usize {
        match self.code {
            COLLECTION => size_of::<C>(),
            OUTLINE | RAW => size_of::<Vec<u8>>(),
            inline => usize::from(inline),
        }
    }

    #[inline]
    fn layout<C>(self) -> Layout {
        let size = size_class(self.value_at() + self.value_len::<C>());
        // SAFETY: the key is a slice somewhere in memory and the rest below a kilobyte, so the sum is far below
        // `isize::MAX`; 8 is a power of two.
        unsafe { Layout::from_size_align_unchecked(size, 8) }
    }
}

/// The size that general allocators give for a size, so that a value of nearly the same length fits its place.
#[inline]
fn size_class(size: usize) -> usize {
    match size {
        0..=128 => size.next_multiple_of(16),
        129..=1024 => size.next_multiple_of(size.next_power_of_two() / 8),
        _ => size.next_multiple_of(16),
    }
}

impl<C> Entry<C> {
    const VALUE_FITS: () = assert!(size_of::<C>() <= 64 && align_of::<C>() <= 8);

    /// An entry with a string. The expiry is in milliseconds since the epoch.
    pub fn new_string(key: &[u8], value: &[u8], expiry_ms: Option<u64>) -> Self {
        if value.len() > INLINE_MAX {
            return Self::new(key, Value::String(value.to_vec()), expiry_ms);
        }
        let shape = Shape { key_len: key.len(), expires: expiry_ms.is_some(), code: value.len() as u8 };
        let mut entry = Self::with_key(key, shape, expiry_ms);
        entry.write_inline(shape, value);
        entry
    }

    /// An entry with a collection.
    pub fn new_collection(key: &[u8], value: C, expiry_ms: Option<u64>) -> Self {
        Self::new(key, Value::Collection(value), expiry_ms)
    }

    /// An entry with any value.
    pub fn new(key: &[u8], value: Value<C>, expiry_ms: Option<u64>) -> Self {
        let code = match &value {
            Value::String(bytes) if bytes.len() <= INLINE_MAX => {
                return Self::new_string(key, bytes, expiry_ms);
            }
            Value::String(_) => OUTLINE,
            Value::Collection(_) => COLLECTION,
        };
        let shape = Shape { key_len: key.len(), expires: expiry_ms.is_some(), code };
        let mut entry = Self::with_key(key, shape, expiry_ms);
        entry.write_outline(shape, value);
        entry
    }

    /// The same value, expiry and access clock under another key.
    pub fn renamed(self, key: &[u8]) -> Self {
        let old = self.shape();
        let new = Shape { key_len: key.len(), ..old };
        let mut entry = Self::with_key(key, new, self.expiry_ms());
        entry.set_access(self.access());
        // SAFETY: both blocks have a value of this length at these places; the old one's is not used again.
        unsafe {
            ptr::copy_nonoverlapping(self.at(old.value_at()), entry.at(new.value_at()), new.value_len::<C>());
            dealloc(ManuallyDrop::new(self).at(0), old.layout::<C>());
        }
        entry
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: the block holds the key at this place, for as long as `self` is not changed.
        unsafe { std::slice::from_raw_parts(self.at(shape.key_at()), shape.key_len) }
    }

    /// When the key expires, in milliseconds since the epoch.
    #[inline]
    pub fn expiry_ms(&self) -> Option<u64> {
        // SAFETY: the block begins with the header; with this bit the expiry follows it.
        unsafe { (*self.at(0) & EXPIRES != 0).then(|| self.at(HEADER).cast::<u64>().read_unaligned()) }
    }

    /// The access clock: 24 bits that only the caller understands.
    #[inline]
    pub fn access(&self) -> u32 {
        // SAFETY: the header holds three bytes of it.
        let [a, b, c] = unsafe { self.at(2).cast::<[u8; 3]>().read() };
        u32::from_le_bytes([a, b, c, 0])
    }

    /// Sets the access clock to the lower 24 bits.
    #[inline]
    pub fn set_access(&mut self, access: u32) {
        debug_assert!(access < 1 << 24);
        let [a, b, c, _] = access.to_le_bytes();
        // SAFETY: the header holds three bytes of it.
        unsafe { self.at(2).cast::<[u8; 3]>().write([a, b, c]) }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_, C> {
        let shape = self.shape();
        let place = self.at(shape.value_at());
        // SAFETY: the block holds at this place what the code says, aligned where it is not bytes.
        unsafe {
            match shape.code {
                COLLECTION => ValueRef::Collection(&*place.cast::<C>()),
                OUTLINE | RAW => ValueRef::String(&*place.cast::<Vec<u8>>()),
                inline => ValueRef::String(std::slice::from_raw_parts(place, usize::from(inline))),
            }
        }
    }

    /// The bytes, if the value is a string.
    #[inline]
    pub fn string(&self) -> Option<&[u8]> {
        match self.value() {
            ValueRef::String(bytes) => Some(bytes),
            ValueRef::Collection(_) => None,
        }
    }

    /// The collection, if the value is one.
    #[inline]
    pub fn collection(&self) -> Option<&C> {
        match self.value() {
            ValueRef::String(_) => None,
            ValueRef::Collection(collection) => Some(collection),
        }
    }

    /// The collection to change, if the value is one.
    #[inline]
    pub fn collection_mut(&mut self) -> Option<&mut C> {
        let shape = self.shape();
        // SAFETY: with this code the block holds a collection at this place, aligned; `self` is exclusive.
        (shape.code == COLLECTION).then(|| unsafe { &mut *self.at(shape.value_at()).cast() })
    }

    /// The string's bytes, to change without changing their number.
    #[inline]
    pub fn string_mut(&mut self) -> Option<&mut [u8]> {
        let shape = self.shape();
        if shape.code < OUTLINE {
            // SAFETY: with such a code the block holds that many bytes at this place; `self` is exclusive.
            return Some(unsafe {
                std::slice::from_raw_parts_mut(self.at(shape.value_at()), usize::from(shape.code))
            });
        }
        self.outline_mut().map(Vec::as_mut_slice)
    }

    /// Whether the string was last edited in place (appended to and the like), which `OBJECT ENCODING` shows.
    #[inline]
    pub fn is_raw(&self) -> bool {
        self.shape().code == RAW
    }

    /// Makes the value a string and leaves the expiry. Allocates only if the old value's place does not fit.
    #[inline]
    pub fn set_string(&mut self, value: &[u8]) {
        let shape = self.shape();
        if shape.code < OUTLINE && usize::from(shape.code) == value.len() {
            self.write_inline(shape, value);
        } else {
            self.set_other_string(value);
        }
    }

    #[inline(never)]
    fn set_other_string(&mut self, value: &[u8]) {
        self.set_string_expiring(value, self.expiry_ms());
    }

    /// Makes the value of a string other text that [`Entry::is_apart`] remembers; false if it is a collection.
    pub fn set_apart(&mut self, value: &[u8]) -> bool {
        let Some(buffer) = self.raw_with_room(0) else { return false };
        buffer.clear();
        buffer.extend_from_slice(value);
        let old = self.shape();
        self.restructure(old, Shape { code: OUTLINE, ..old }, self.expiry_ms());
        true
    }

    /// Whether the string lies outside of the entry without having been edited in place: it is long, or was set by
    /// [`Entry::set_apart`].
    #[inline]
    pub fn is_apart(&self) -> bool {
        self.shape().code == OUTLINE
    }

    /// Makes the value a string and sets or removes the expiry, with at most one move of the entry.
    #[inline]
    pub fn set_string_expiring(&mut self, value: &[u8], expiry_ms: Option<u64>) {
        if value.len() <= INLINE_MAX {
            drop(self.replace_inline(value, expiry_ms));
        } else {
            self.set_outline(value, expiry_ms);
        }
    }

    /// Puts a new value in the place of the old one, which it returns.
    pub fn replace_value(&mut self, value: Value<C>) -> Value<C> {
        let old = self.shape();
        let expiry_ms = self.expiry_ms();
        let code = match &value {
            Value::String(bytes) if bytes.len() <= INLINE_MAX => {
                let inline = if old.code < OUTLINE { self.string().map(<[u8]>::to_vec) } else { None };
                let outline = self.replace_inline(bytes, expiry_ms);
                return outline.unwrap_or_else(|| Value::String(inline.unwrap_or_default()));
            }
            Value::String(_) => OUTLINE,
            Value::Collection(_) => COLLECTION,
        };
        let replaced = self.read_value(old);
        let new = Shape { code, ..old };
        self.restructure(old, new, expiry_ms);
        self.write_outline(new, value);
        replaced
    }

    /// Takes the value out and leaves an empty string.
    pub fn take_value(&mut self) -> Value<C> {
        self.replace_value(Value::String(Vec::new()))
    }

    /// The value alone.
    pub fn into_value(self) -> Value<C> {
        let shape = self.shape();
        let entry = ManuallyDrop::new(self);
        let value = entry.read_value(shape);
        // SAFETY: the block was allocated with its shape's layout; the value is out of it, the handle forgotten.
        unsafe { dealloc(entry.at(0), shape.layout::<C>()) };
        value
    }

    /// The string as a growable buffer, marked as edited in place; `None` if the value is a collection.
    pub fn raw_mut(&mut self) -> Option<&mut Vec<u8>> {
        self.raw_with_room(0)
    }

    /// Appends to the string, in amortised O(n); the new length, or `None` if the value is a collection.
    pub fn append(&mut self, bytes: &[u8]) -> Option<usize> {
        let buffer = self.raw_with_room(bytes.len())?;
        buffer.extend_from_slice(bytes);
        Some(buffer.len())
    }

    /// Writes over the string from `offset` on, with zeros where it was shorter, unless there is nothing to write;
    /// the new length, or `None` if the value is a collection. The caller has limited the offset.
    pub fn set_range(&mut self, offset: usize, bytes: &[u8]) -> Option<usize> {
        let len = self.string()?.len();
        if bytes.is_empty() {
            return Some(len);
        }
        let end = offset.saturating_add(bytes.len());
        let buffer = self.raw_with_room(end.saturating_sub(len))?;
        if buffer.len() < end {
            buffer.resize(end, 0);
        }
        buffer[offset..end].copy_from_slice(bytes);
        Some(buffer.len())
    }

    /// The string's bytes to change in place, at least so many: zeros follow a shorter string. It is marked as edited.
    /// `None` if the value is a collection. The caller has limited the length.
    pub fn grown_mut(&mut self, len_min: usize) -> Option<&mut [u8]> {
        let len = self.string()?.len();
        let more = if len == 0 { 0 } else { len_min.saturating_sub(len) };
        let buffer = self.raw_with_room(more)?;
        if buffer.is_empty() {
            // The system has zeroed pages, which a large bitmap takes up only where it is written.
            *buffer = vec![0; len_min];
        } else if buffer.len() < len_min {
            buffer.resize(len_min, 0);
        }
        Some(buffer)
    }

    /// Sets or removes the expiry, in milliseconds since the epoch.
    pub fn set_expiry(&mut self, expiry_ms: Option<u64>) {
        let old = self.shape();
        self.restructure(old, Shape { expires: expiry_ms.is_some(), ..old }, expiry_ms);
    }

    /// The memory of the entry and of a string outside of it, in bytes; a collection's own comes on top.
    pub fn own_bytes(&self) -> usize {
        let shape = self.shape();
        let outside = match self.value() {
            ValueRef::String(_) if shape.code >= OUTLINE => {
                // SAFETY: with these codes the block holds a `Vec` at this place, aligned.
                unsafe { &*self.at(shape.value_at()).cast::<Vec<u8>>() }.capacity()
            }
            _ => 0,
        };
        shape.layout::<C>().size() + outside
    }

    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        self.block.as_ptr().wrapping_add(offset)
    }

    #[inline]
    fn shape(&self) -> Shape {
        // SAFETY: the block begins with the header.
        let [first, code] = unsafe { self.at(0).cast::<[u8; 2]>().read() };
        let expires = first & EXPIRES != 0;
        let key_len = match first & !EXPIRES {
            KEY_LONG => {
                let at = HEADER + if expires { 8 } else { 0 };
                // SAFETY: with this escape the length follows the header and the expiry.
                unsafe { self.at(at).cast::<usize>().read_unaligned() }
            }
            short => usize::from(short),
        };
        Shape { key_len, expires, code }
    }

    /// A block of a shape with everything but the value.
    fn with_key(key: &[u8], shape: Shape, expiry_ms: Option<u64>) -> Self {
        debug_assert_eq!(key.len(), shape.key_len);
        let mut entry = Self::allocate(shape);
        entry.write_header(shape, expiry_ms);
        entry.set_access(0);
        // SAFETY: the block has room for the key at this place.
        unsafe { ptr::copy_nonoverlapping(key.as_ptr(), entry.at(shape.key_at()), key.len()) };
        entry
    }

    /// A block of a shape, with nothing in it. It must get a header and a value before it is dropped.
    fn allocate(shape: Shape) -> Self {
        let () = Self::VALUE_FITS;
        let layout = shape.layout::<C>();
        // SAFETY: the layout's size is at least the header's.
        match NonNull::new(unsafe { alloc(layout) }) {
            Some(block) => Entry { block, owns: PhantomData },
            None => handle_alloc_error(layout),
        }
    }

    /// Writes the shape and the expiry, whose presence the shape tells.
    #[inline]
    fn write_header(&mut self, shape: Shape, expiry_ms: Option<u64>) {
        debug_assert_eq!(shape.expires, expiry_ms.is_some());
        let first = shape.key_len.min(usize::from(KEY_LONG)) as u8;
        let mut at = HEADER;
        // SAFETY: the block is of this shape, so it has room for the header, and for what is written after it.
        unsafe {
            self.at(0).cast::<[u8; 2]>().write([first | if shape.expires { EXPIRES } else { 0 }, shape.code]);
            if let Some(expiry_ms) = expiry_ms {
                self.at(at).cast::<u64>().write_unaligned(expiry_ms);
                at += 8;
            }
            if first == KEY_LONG {
                self.at(at).cast::<usize>().write_unaligned(shape.key_len);
            }
        }
    }

    /// Writes a short string into a block of its shape, over whatever was there.
    #[inline]
    fn write_inline(&mut self, shape: Shape, value: &[u8]) {
        debug_assert_eq!(usize::from(shape.code), value.len());
        // SAFETY: the block is of this shape, so it has room for the value at this place.
        unsafe { ptr::copy_nonoverlapping(value.as_ptr(), self.at(shape.value_at()), value.len()) };
    }

    /// Writes another value into a block of its shape, over whatever was there.
    fn write_outline(&mut self, shape: Shape, value: Value<C>) {
        let place = self.at(shape.value_at());
        debug_assert_eq!(shape.code == COLLECTION, matches!(value, Value::Collection(_)));
        // SAFETY: the block is of this shape, so it has room for the value at this place, aligned.
        unsafe {
            match value {
                Value::String(bytes) => place.cast::<Vec<u8>>().write(bytes),
                Value::Collection(collection) => place.cast::<C>().write(collection),
            }
        }
    }

    /// Reads the value out of a block of this shape, whose place must then not be read again.
    fn read_value(&self, shape: Shape) -> Value<C> {
        let place = self.at(shape.value_at());
        // SAFETY: the block holds at this place what the code says; by the contract above it is read out once.
        unsafe {
            match shape.code {
                COLLECTION => Value::Collection(place.cast::<C>().read()),
                OUTLINE | RAW => Value::String(place.cast::<Vec<u8>>().read()),
                inline => Value::String(std::slice::from_raw_parts(place, usize::from(inline)).to_vec()),
            }
        }
    }

    /// Makes a short string the value; returns the old value if that was not one.
    #[inline]
    fn replace_inline(&mut self, value: &[u8], expiry_ms: Option<u64>) -> Option<Value<C>> {
        let old = self.shape();
        let new = Shape { code: value.len() as u8, expires: expiry_ms.is_some(), ..old };
        let outline = (old.code >= OUTLINE).then(|| self.read_value(old));
        self.restructure(old, new, expiry_ms);
        self.write_inline(new, value);
        outline
    }

    /// Makes a long string the value, in the old one's buffer if that is neither too small nor far too large.
    fn set_outline(&mut self, value: &[u8], expiry_ms: Option<u64>) {
        match self.outline_mut() {
            Some(buffer) if (value.len()..=value.len() * 2).contains(&buffer.capacity()) => {
                buffer.clear();
                buffer.extend_from_slice(value);
            }
            _ => drop(self.replace_value(Value::String(value.to_vec()))),
        }
        let old = self.shape();
        self.restructure(old, Shape { code: OUTLINE, expires: expiry_ms.is_some(), ..old }, expiry_ms);
    }

    /// The buffer of a string that lies outside.
    fn outline_mut(&mut self) -> Option<&mut Vec<u8>> {
        let shape = self.shape();
        // SAFETY: with these codes the block holds a `Vec` at this place, aligned; `self` is exclusive.
        matches!(shape.code, OUTLINE | RAW).then(|| unsafe { &mut *self.at(shape.value_at()).cast() })
    }

    fn raw_with_room(&mut self, more: usize) -> Option<&mut Vec<u8>> {
        let old = self.shape();
        let new = Shape { code: RAW, ..old };
        if old.code < OUTLINE {
            let bytes = self.string()?;
            let mut buffer = Vec::with_capacity(bytes.len() + more);
            buffer.extend_from_slice(bytes);
            self.restructure(old, new, self.expiry_ms());
            self.write_outline(new, Value::String(buffer));
        } else if old.code == OUTLINE {
            self.restructure(old, new, self.expiry_ms());
        }
        self.outline_mut()
    }

    /// Gives the block another shape of the same key: in place if its size allows. The value goes along bit by bit
    /// if both shapes have one of the same kind; else the caller has read the old one, and must write the new one.
    #[inline]
    fn restructure(&mut self, old: Shape, new: Shape, expiry_ms: Option<u64>) {
        if old.layout::<C>() == new.layout::<C>() {
            if old.expires != new.expires {
                self.shift(old, new);
            }
            self.write_header(new, expiry_ms);
        } else {
            self.reallocate(old, new, expiry_ms);
        }
    }

    /// The bytes of value that two shapes have in common.
    fn common_len(old: Shape, new: Shape) -> usize {
        let same = old.code == new.code || matches!((old.code, new.code), (OUTLINE | RAW, OUTLINE | RAW));
        if same { old.value_len::<C>() } else { 0 }
    }

    fn shift(&mut self, old: Shape, new: Shape) {
        let value = (old.value_at(), new.value_at(), Self::common_len(old, new));
        let key = (old.key_at(), new.key_at(), old.key_len);
        // What lies in front of the other in the direction of the move goes first.
        for (from, to, len) in if new.expires { [value, key] } else { [key, value] } {
            // SAFETY: the block has the same size in both shapes, and each says that these bytes are in it.
            unsafe { ptr::copy(self.at(from), self.at(to), len) };
        }
    }

    fn reallocate(&mut self, old: Shape, new: Shape, expiry_ms: Option<u64>) {
        let mut moved = Self::allocate(new);
        moved.write_header(new, expiry_ms);
        moved.set_access(self.access());
        // SAFETY: each block has the key, and the common bytes of the value, at its shape's place; the old block,
        // of which nothing is used again, was allocated with its shape's layout.
        unsafe {
            ptr::copy_nonoverlapping(self.at(old.key_at()), moved.at(new.key_at()), new.key_len);
            let common = Self::common_len(old, new);
            ptr::copy_nonoverlapping(self.at(old.value_at()), moved.at(new.value_at()), common);
            dealloc(self.at(0), old.layout::<C>());
        }
        self.block = ManuallyDrop::new(moved).block;
    }
}

impl<C> Item for Entry<C> {
    #[inline]
    fn key(&self) -> &[u8] {
        Entry::key(self)
    }

    #[inline]
    fn address(&self) -> *const u8 {
        self.block.as_ptr()
    }
}

impl<C: Clone> Clone for Entry<C> {
    /// A copy of its own, with the expiry, the access clock and the mark of an edited string.
    fn clone(&self) -> Self {
        let shape = self.shape();
        let mut copy = match self.value() {
            // By its code, not by its length: a short string may lie outside, after edits.
            ValueRef::String(bytes) if shape.code < OUTLINE => {
                Self::new_string(self.key(), bytes, self.expiry_ms())
            }
            ValueRef::String(bytes) => {
                let mut copy = Self::with_key(self.key(), shape, self.expiry_ms());
                copy.write_outline(shape, Value::String(bytes.to_vec()));
                copy
            }
            ValueRef::Collection(collection) => {
                Self::new_collection(self.key(), collection.clone(), self.expiry_ms())
            }
        };
        copy.set_access(self.access());
        copy
    }
}

impl<C> Drop for Entry<C> {
    fn drop(&mut self) {
        let shape = self.shape();
        let outline = (shape.code >= OUTLINE).then(|| self.read_value(shape));
        // SAFETY: the block was allocated with its shape's layout, and is not used again.
        unsafe { dealloc(self.at(0), shape.layout::<C>()) };
        drop(outline);
    }
}

impl<C: std::fmt::Debug> std::fmt::Debug for Entry<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut entry = f.debug_struct("Entry");
        entry.field("key", &self.key()).field("value", &self.value());
        entry.field("expiry_ms", &self.expiry_ms()).field("access", &self.access()).finish()
    }
}

#[cfg(test)]
mod tests;
