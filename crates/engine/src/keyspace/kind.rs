//! The types a key can hold, besides strings.

use moonshard_store::{Collection, Hash, List, Set, SortedSet, Stream};

/// A collection type: how to find it in, and make it into, a key's value.
pub trait Kind: Sized {
    /// An empty one.
    fn empty() -> Collection;
    /// The value as this type.
    fn of(collection: &Collection) -> Option<&Self>;
    /// The value as this type, to change.
    fn of_mut(collection: &mut Collection) -> Option<&mut Self>;
    /// Whether nothing is left in it, so that the key goes.
    fn is_drained(&self) -> bool;
}

macro_rules! kind {
    ($type:ident, $drained:expr) => {
        impl Kind for $type {
            fn empty() -> Collection {
                Collection::$type($type::new().into())
            }
            #[inline]
            fn of(collection: &Collection) -> Option<&Self> {
                if let Collection::$type(value) = collection { Some(value) } else { None }
            }
            #[inline]
            fn of_mut(collection: &mut Collection) -> Option<&mut Self> {
                if let Collection::$type(value) = collection { Some(value) } else { None }
            }
            fn is_drained(&self) -> bool {
                $drained(self)
            }
        }
    };
}

kind!(List, List::is_empty);
kind!(Set, Set::is_empty);
kind!(Hash, Hash::is_empty);
kind!(SortedSet, SortedSet::is_empty);
// A stream outlives its entries: it knows its last id, and its groups.
kind!(Stream, |_: &Stream| false);
