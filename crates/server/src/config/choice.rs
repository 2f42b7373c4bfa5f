//! Directives whose value is one of a few words.

/// Declares an enum with the word of each variant, and its synonyms if any.
macro_rules! choices {
    ($(
        $(#[$meta:meta])*
        $name:ident { $($variant:ident = $word:literal $(| $synonym:literal)*),+ $(,)? }
    )*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $(#[doc = concat!("`", $word, "`")] $variant),+ }

        impl $name {
            /// All words, in the order in which errors list them.
            pub const WORDS: &'static [&'static str] = &[$($word $(, $synonym)*),+];

            /// The word for this value.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a word, in either case.
            pub fn from_word(word: &[u8]) -> Option<Self> {
                $(if [$word $(, $synonym)*].iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())) {
                    return Some(Self::$variant);
                })+
                None
            }
        }
    )* };
}

choices! {
    /// Which keys are evicted when memory runs out.
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru", VolatileLfu = "volatile-lfu", VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl", AllkeysLru = "allkeys-lru", AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random", NoEviction = "noeviction",
    }
    /// A facility of the system log.
    SyslogFacility {
        User = "user", Local0 = "local0", Local1 = "local1", Local2 = "local2", Local3 = "local3",
        Local4 = "local4", Local5 = "local5", Local6 = "local6", Local7 = "local7",
    }
    /// A severity of log lines.
    LogLevel { Debug = "debug", Verbose = "verbose", Notice = "notice", Warning = "warning" }
    /// The supervisor that started the server.
    Supervised { Upstart = "upstart", Systemd = "systemd", Auto = "auto", No = "no" }
    /// When the append-only file is synced.
    AppendFsync { EverySec = "everysec", Always = "always", No = "no" }
    /// When a replica loads straight from the socket.
    DisklessLoad { Disabled = "disabled", OnEmptyDb = "on-empty-db", SwapDb = "swapdb" }
    /// Whether TLS clients show a certificate.
    TlsAuthClients { No = "no", Yes = "yes", Optional = "optional" }
    /// How the out-of-memory score is adjusted. Redis answers `yes` for `relative`.
    OomScoreAdj { No = "no", Relative = "yes" | "relative", Absolute = "absolute" }
    /// Channels of new users.
    PubsubDefault { AllChannels = "allchannels", ResetChannels = "resetchannels" }
    /// Whose payloads are checked in depth.
    SanitizePayload { No = "no", Yes = "yes", Clients = "clients" }
    /// Who may do something dangerous: nobody, everybody, clients of this host.
    AllowedFor { No = "no", Yes = "yes", Local = "local" }
    /// How redirections name a node.
    EndpointType { Ip = "ip", Hostname = "hostname", UnknownEndpoint = "unknown-endpoint" }
    /// What a failed replicated command leads to.
    PropagationError { Ignore = "ignore", Panic = "panic", PanicOnReplicas = "panic-on-replicas" }
    /// Form of log lines.
    LogFormat { Human = "human", Json = "json" }
}
