//! The sets of flags that declarations are made of.

use bitflags::bitflags;

bitflags! {
    /// Rules that a command obeys, as COMMAND INFO names them.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// May change the keyspace.
        const WRITE = 1 << 0;
        /// Only reads it.
        const READONLY = 1 << 1;
        /// Refused while memory is over its limit.
        const DENYOOM = 1 << 2;
        /// For administrators.
        const ADMIN = 1 << 3;
        /// About publishing and subscribing.
        const PUBSUB = 1 << 4;
        /// Not from scripts.
        const NOSCRIPT = 1 << 5;
        /// May wait for a key.
        const BLOCKING = 1 << 6;
        /// Allowed while loading.
        const LOADING = 1 << 7;
        /// Allowed with stale data.
        const STALE = 1 << 8;
        /// Not shown to MONITOR.
        const SKIP_MONITOR = 1 << 9;
        /// Not in the slow log.
        const SKIP_SLOWLOG = 1 << 10;
        /// Counts as ASKING of its own.
        const ASKING = 1 << 11;
        /// Constant or logarithmic cost.
        const FAST = 1 << 12;
        /// Allowed before authentication.
        const NO_AUTH = 1 << 13;
        /// May be propagated without being a write.
        const MAY_REPLICATE = 1 << 14;
        /// Not inside MULTI.
        const NO_MULTI = 1 << 15;
        /// Key specs match no keys sometimes.
        const NO_MANDATORY_KEYS = 1 << 16;
        /// Only with `enable-debug-command` and the like.
        const PROTECTED = 1 << 17;
        /// Not while loading asynchronously.
        const NO_ASYNC_LOADING = 1 << 18;
        /// Allowed while a script is busy.
        const ALLOW_BUSY = 1 << 19;
        /// Key positions are not all told by key specs.
        const MOVABLE_KEYS = 1 << 20;
    }

    /// ACL categories.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Acl: u32 {
        #[allow(missing_docs)] const KEYSPACE = 1 << 0;
        #[allow(missing_docs)] const READ = 1 << 1;
        #[allow(missing_docs)] const WRITE = 1 << 2;
        #[allow(missing_docs)] const SET = 1 << 3;
        #[allow(missing_docs)] const SORTEDSET = 1 << 4;
        #[allow(missing_docs)] const LIST = 1 << 5;
        #[allow(missing_docs)] const HASH = 1 << 6;
        #[allow(missing_docs)] const STRING = 1 << 7;
        #[allow(missing_docs)] const BITMAP = 1 << 8;
        #[allow(missing_docs)] const HYPERLOGLOG = 1 << 9;
        #[allow(missing_docs)] const GEO = 1 << 10;
        #[allow(missing_docs)] const STREAM = 1 << 11;
        #[allow(missing_docs)] const PUBSUB = 1 << 12;
        #[allow(missing_docs)] const ADMIN = 1 << 13;
        #[allow(missing_docs)] const FAST = 1 << 14;
        #[allow(missing_docs)] const SLOW = 1 << 15;
        #[allow(missing_docs)] const BLOCKING = 1 << 16;
        #[allow(missing_docs)] const DANGEROUS = 1 << 17;
        #[allow(missing_docs)] const CONNECTION = 1 << 18;
        #[allow(missing_docs)] const TRANSACTION = 1 << 19;
        #[allow(missing_docs)] const SCRIPTING = 1 << 20;
    }

    /// What a command does with a key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct KeyFlags: u16 {
        /// Reads the value.
        const RO = 1 << 0;
        /// Reads and writes it.
        const RW = 1 << 1;
        /// Overwrites it.
        const OW = 1 << 2;
        /// Removes the key.
        const RM = 1 << 3;
        /// Returns or uses user data.
        const ACCESS = 1 << 4;
        /// Changes data, depending on it or not.
        const UPDATE = 1 << 5;
        /// Adds data.
        const INSERT = 1 << 6;
        /// Removes data.
        const DELETE = 1 << 7;
        /// No key, though routed as one.
        const NOT_KEY = 1 << 8;
        /// The specs may not tell all keys.
        const INCOMPLETE = 1 << 9;
        /// The arguments decide about the other flags.
        const VARIABLE_FLAGS = 1 << 10;
    }

    /// Flags of an argument in the documentation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ArgFlags: u8 {
        /// May be left out.
        const OPTIONAL = 1 << 0;
        /// May be repeated.
        const MULTIPLE = 1 << 1;
        /// Repeats with its token.
        const MULTIPLE_TOKEN = 1 << 2;
    }

    /// Flags of a command in the documentation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct DocFlags: u8 {
        /// Not to be used any more.
        const DEPRECATED = 1 << 0;
        /// For the system's own use.
        const SYSCMD = 1 << 1;
    }
}

impl Flags {
    /// The names that COMMAND INFO gives, in its order. It says nothing of `MAY_REPLICATE` and `PROTECTED`.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::WRITE, "write"),
        (Self::READONLY, "readonly"),
        (Self::DENYOOM, "denyoom"),
        (Self::ADMIN, "admin"),
        (Self::PUBSUB, "pubsub"),
        (Self::NOSCRIPT, "noscript"),
        (Self::BLOCKING, "blocking"),
        (Self::LOADING, "loading"),
        (Self::STALE, "stale"),
        (Self::SKIP_MONITOR, "skip_monitor"),
        (Self::SKIP_SLOWLOG, "skip_slowlog"),
        (Self::ASKING, "asking"),
        (Self::FAST, "fast"),
        (Self::NO_AUTH, "no_auth"),
        (Self::NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (Self::NO_ASYNC_LOADING, "no_async_loading"),
        (Self::NO_MULTI, "no_multi"),
        (Self::MOVABLE_KEYS, "movablekeys"),
        (Self::ALLOW_BUSY, "allow_busy"),
    ];
}

impl Acl {
    /// The categories' names, in ACL CAT's order.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::KEYSPACE, "keyspace"),
        (Self::READ, "read"),
        (Self::WRITE, "write"),
        (Self::SET, "set"),
        (Self::SORTEDSET, "sortedset"),
        (Self::LIST, "list"),
        (Self::HASH, "hash"),
        (Self::STRING, "string"),
        (Self::BITMAP, "bitmap"),
        (Self::HYPERLOGLOG, "hyperloglog"),
        (Self::GEO, "geo"),
        (Self::STREAM, "stream"),
        (Self::PUBSUB, "pubsub"),
        (Self::ADMIN, "admin"),
        (Self::FAST, "fast"),
        (Self::SLOW, "slow"),
        (Self::BLOCKING, "blocking"),
        (Self::DANGEROUS, "dangerous"),
        (Self::CONNECTION, "connection"),
        (Self::TRANSACTION, "transaction"),
        (Self::SCRIPTING, "scripting"),
    ];

    /// The category of this name, in any case.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(_, of)| of.as_bytes().eq_ignore_ascii_case(name));
        found.map(|(category, _)| *category)
    }

    /// The categories of a command: those declared and those that its flags imply.
    pub const fn with_implied(self, flags: Flags) -> Self {
        let mut all = self;
        if flags.contains(Flags::WRITE) {
            all = all.union(Self::WRITE);
        }
        if flags.contains(Flags::READONLY) && !self.contains(Self::SCRIPTING) {
            all = all.union(Self::READ);
        }
        if flags.contains(Flags::ADMIN) {
            all = all.union(Self::ADMIN).union(Self::DANGEROUS);
        }
        if flags.contains(Flags::PUBSUB) {
            all = all.union(Self::PUBSUB);
        }
        if flags.contains(Flags::BLOCKING) {
            all = all.union(Self::BLOCKING);
        }
        all.union(if flags.contains(Flags::FAST) { Self::FAST } else { Self::SLOW })
    }
}

impl KeyFlags {
    /// The names that COMMAND INFO and COMMAND GETKEYSANDFLAGS give, in their order.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::RO, "RO"),
        (Self::RW, "RW"),
        (Self::OW, "OW"),
        (Self::RM, "RM"),
        (Self::ACCESS, "access"),
        (Self::UPDATE, "update"),
        (Self::INSERT, "insert"),
        (Self::DELETE, "delete"),
        (Self::NOT_KEY, "not_key"),
        (Self::INCOMPLETE, "incomplete"),
        (Self::VARIABLE_FLAGS, "variable_flags"),
    ];
}

impl ArgFlags {
    /// The names that COMMAND DOCS gives, in its order.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::OPTIONAL, "optional"),
        (Self::MULTIPLE, "multiple"),
        (Self::MULTIPLE_TOKEN, "multiple_token"),
    ];
}

impl DocFlags {
    /// The names that COMMAND DOCS gives, in its order.
    pub const NAMES: &'static [(Self, &'static str)] =
        &[(Self::DEPRECATED, "deprecated"), (Self::SYSCMD, "syscmd")];
}
