//! What a key of the keyspace can hold.

use crate::entry;
use crate::prefetch::prefetch_two;
use crate::{Hash, List, Set, SortedSet, Stream};
use std::ptr;

/// A value that has parts of its own. Strings are held by the entry itself.
#[derive(Clone, Debug)]
pub enum Collection {
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A sorted set.
    SortedSet(SortedSet),
    /// A stream.
    Stream(Box<Stream>),
}

/// An entry of the keyspace.
pub type Entry = entry::Entry<Collection>;
/// A value apart from its key.
pub type Value = entry::Value<Collection>;
/// A look at a value.
pub type ValueRef<'a> = entry::ValueRef<'a, Collection>;

impl Collection {
    /// The number of its elements. O(1).
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::Hash(hash) => hash.len(),
            Self::SortedSet(sorted_set) => sorted_set.len(),
            Self::Stream(stream) => stream.len(),
        }
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its encoding, as OBJECT ENCODING names it.
    pub fn encoding_name(&self) -> &'static str {
        match self {
            Self::List(list) => list.encoding_name(),
            Self::Set(set) => set.encoding_name(),
            Self::Hash(hash) => hash.encoding_name(),
            Self::SortedSet(sorted_set) => sorted_set.encoding_name(),
            Self::Stream(stream) => stream.encoding_name(),
        }
    }

    /// Brings the first of its memory into the cache. A hint.
    #[inline]
    pub fn prefetch(&self) {
        let address: *const u8 = match self {
            Self::List(list) => list.address(),
            Self::Set(set) => set.address(),
            Self::Hash(hash) => hash.address(),
            Self::SortedSet(sorted_set) => sorted_set.address(),
            Self::Stream(stream) => ptr::from_ref(&**stream).cast(),
        };
        prefetch_two(address);
    }

    /// Its memory on the heap, in bytes. O(1), but for lists of many nodes.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::List(list) => list.memory_bytes(),
            Self::Set(set) => set.memory_bytes(),
            Self::Hash(hash) => hash.memory_bytes(),
            Self::SortedSet(sorted_set) => sorted_set.memory_bytes(),
            Self::Stream(stream) => size_of::<Stream>() + stream.memory_bytes(),
        }
    }
}

impl Entry {
    /// The memory of the entry with its key and value on the heap, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.own_bytes() + self.collection().map_or(0, Collection::memory_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ListLimits;

    #[test]
    fn a_collection_fits_beside_its_key() {
        assert_eq!(size_of::<Collection>(), 16);
        assert_eq!(size_of::<Entry>(), 8);
    }

    #[test]
    fn memory_counts_what_lies_outside_and_copies_are_apart() {
        let mut entry = Entry::new_collection(b"queue", Collection::List(List::default()), Some(7));
        let empty = entry.memory_bytes();
        let Some(Collection::List(list)) = entry.collection_mut() else { panic!("not a list") };
        for _ in 0..100 {
            list.push_back(&[b'x'; 50], ListLimits::default());
        }
        assert!(entry.memory_bytes() >= empty + 5_000);
        assert_eq!(entry.collection().map(|list| (list.len(), list.is_empty())), Some((100, false)));
        let copy = entry.clone();
        let Some(Collection::List(list)) = entry.collection_mut() else { panic!("not a list") };
        assert!(list.pop_front(ListLimits::default()).is_some());
        let lens = [&entry, &copy].map(|entry| entry.collection().map(Collection::len));
        assert_eq!((lens, copy.expiry_ms()), ([Some(99), Some(100)], Some(7)));
        entry.set_string(&[b's'; 10_000]);
        assert!((10_000..12_000).contains(&entry.memory_bytes()));
    }
}
