//! The numbers of the format.

macro_rules! bytes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $value,)*
        }

        impl $name {
            /// What this byte stands for.
            pub const fn of(byte: u8) -> Option<Self> {
                match byte {
                    $($value => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

bytes! {
    /// How a value is encoded: the byte before it.
    ValueType {
        /// A string.
        String = 0,
        /// A list, element by element.
        List = 1,
        /// A set, member by member.
        Set = 2,
        /// A sorted set with scores as text.
        SortedSetText = 3,
        /// A hash, field by field.
        Hash = 4,
        /// A sorted set with binary scores.
        SortedSet = 5,
        /// A hash as a zipmap, of Redis before 2.6.
        HashZipmap = 9,
        /// A list as a ziplist.
        ListZiplist = 10,
        /// A set of integers as an array.
        SetIntset = 11,
        /// A sorted set as a ziplist.
        SortedSetZiplist = 12,
        /// A hash as a ziplist.
        HashZiplist = 13,
        /// A list of ziplists.
        ListQuicklist = 14,
        /// A stream.
        Stream1 = 15,
        /// A hash as a listpack.
        HashListpack = 16,
        /// A sorted set as a listpack.
        SortedSetListpack = 17,
        /// A list of listpacks and of single long elements.
        ListQuicklist2 = 18,
        /// A stream that remembers its first entry, its tombstones and what was ever added.
        Stream2 = 19,
        /// A set as a listpack.
        SetListpack = 20,
        /// A stream whose consumers remember when they were active.
        Stream3 = 21,
        /// A hash whose fields may expire, as Redis 7.4 wrote it before its release.
        HashExpiringEarly = 22,
        /// The same as a listpack.
        HashListpackExpiringEarly = 23,
        /// A hash whose fields may expire.
        HashExpiring = 24,
        /// The same as a listpack.
        HashListpackExpiring = 25,
    }
}

bytes! {
    /// What stands in a file in the place of a value's type.
    Opcode {
        /// What a node of a cluster says of the slot whose keys follow: its number, its keys, and those that expire.
        SlotInfo = 244,
        /// The code of a library of functions.
        Function2 = 245,
        /// The same, before the release of Redis 7.
        Function = 246,
        /// Data of a module.
        ModuleAux = 247,
        /// The idle time of the key that follows.
        Idle = 248,
        /// The use frequency of the key that follows.
        Freq = 249,
        /// A name and a value about the file.
        Aux = 250,
        /// The numbers of keys and of keys that expire in the database.
        ResizeDb = 251,
        /// The expiry of the key that follows, in milliseconds.
        ExpiryMs = 252,
        /// The expiry of the key that follows, in seconds.
        ExpirySeconds = 253,
        /// The database of what follows.
        SelectDb = 254,
        /// The end.
        End = 255,
    }
}

/// The two upper bits of a length's first byte that say: a special encoding of a string follows.
pub(crate) const ENCODED: u8 = 0xc0;
/// Special encodings of strings.
pub(crate) const ENCODED_I8: u8 = 0;
pub(crate) const ENCODED_I16: u8 = 1;
pub(crate) const ENCODED_I32: u8 = 2;
pub(crate) const ENCODED_LZF: u8 = 3;
/// The first byte of a length in four bytes, and in eight.
pub(crate) const LENGTH_32: u8 = 0x80;
pub(crate) const LENGTH_64: u8 = 0x81;

/// Kinds of a list's nodes.
pub(crate) const NODE_PLAIN: u64 = 1;
pub(crate) const NODE_PACKED: u64 = 2;

/// Bytes of a listpack before its elements: its size and their number.
pub(crate) const LISTPACK_HEADER: usize = 6;
/// The number of a listpack's or ziplist's elements that says: count them.
pub(crate) const COUNT_UNKNOWN: u16 = u16::MAX;
/// The byte that ends a listpack, a ziplist or a zipmap.
pub(crate) const PACKED_END: u8 = 0xff;
