//! The types a key can hold, besides strings.

use moonshard_store::{Collection, Hash, List, Set, SortedSet};

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
    ($type:ident) => {
        impl Kind for $type {
            fn empty() -> Collection {
                Collection::$type(Box::new($type::new()))
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
                self.is_empty()
            }
        }
    };
}

kind!(List);
kind!(Set);
kind!(Hash);
kind!(SortedSet);
