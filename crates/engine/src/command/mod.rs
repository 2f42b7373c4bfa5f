//! What a command is: one declaration, from which everything else derives.
//!
//! A [`Command`] is a `const` beside its handler. COMMAND and COMMAND DOCS, routing, permissions, cluster checks,
//! the rules for scripts and transactions and the statistics by id all read it; nothing else knows commands by
//! name.

mod channels;
mod docs;
mod flags;
mod keys;
mod table;

pub use channels::Channels;
pub use docs::{Arg, ArgKind, Change};
pub use flags::{Acl, ArgFlags, DocFlags, Flags, KeyFlags};
pub use keys::{Begin, Find, KeyError, KeySpan, KeySpec, LegacyRange, SpecSource};
pub use table::{CommandId, CommandTable, Entry};

use crate::args::Args;
use crate::ctx::{CmdResult, Ctx};

/// How many arguments a command takes, its name (and its subcommand's) included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// This many.
    Exact(u16),
    /// This many or more.
    AtLeast(u16),
}

impl Arity {
    /// Whether `n` arguments are right.
    #[inline]
    pub const fn accepts(self, n: usize) -> bool {
        match self {
            Self::Exact(exact) => n == exact as usize,
            Self::AtLeast(least) => n >= least as usize,
        }
    }

    /// COMMAND's way to say it: negative for "at least".
    pub const fn signed(self) -> i64 {
        match self {
            Self::Exact(n) => n as i64,
            Self::AtLeast(n) => -(n as i64),
        }
    }
}

/// A handler that runs where the keys are.
pub type Run = fn(&mut Ctx<'_>, Args<'_>) -> CmdResult;

/// Who runs a command.
#[derive(Clone, Copy, Debug)]
pub enum Handler {
    /// The engine, under the locks of the shards that [`Meta::route`] tells.
    Shard(Run),
    /// The server: about this connection.
    Session(SessionCommand),
    /// The server: about the whole of it.
    Server(ServerCommand),
    /// Nobody: the first argument must name one of [`Meta::subcommands`]. A command with another handler may have
    /// subcommands too: it runs where no argument follows its name.
    Container,
}

/// Commands about the connection that sends them, each handled by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its command")]
pub enum SessionCommand {
    Asking,
    Auth,
    ClientCaching,
    ClientGetName,
    ClientGetRedir,
    ClientId,
    ClientInfo,
    ClientKill,
    ClientList,
    ClientNoEvict,
    ClientNoTouch,
    ClientPause,
    ClientReply,
    ClientSetInfo,
    ClientSetName,
    ClientTracking,
    ClientTrackingInfo,
    ClientUnblock,
    ClientUnpause,
    Discard,
    Exec,
    Hello,
    Monitor,
    Multi,
    Quit,
    Readonly,
    Readwrite,
    Reset,
    Select,
    Subscribe(Subscription),
    Unsubscribe(Subscription),
    Unwatch,
    Watch,
}

impl SessionCommand {
    /// Whether it runs at once between MULTI and EXEC, where other commands are queued.
    pub const fn runs_in_multi(self) -> bool {
        matches!(self, Self::Discard | Self::Exec | Self::Multi | Self::Quit | Self::Reset | Self::Watch)
    }
}

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// A channel of the whole server.
    Channel,
    /// All of those whose names match.
    Pattern,
    /// A channel that belongs to a slot.
    ShardChannel,
}

/// Commands about the server as a whole, each handled by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its command")]
pub enum ServerCommand {
    Acl(AclCommand),
    BgRewriteAof,
    BgSave,
    Cluster(ClusterCommand),
    ConfigGet,
    ConfigResetStat,
    ConfigRewrite,
    ConfigSet,
    Debug,
    FunctionDelete,
    FunctionDump,
    FunctionFlush,
    FunctionHelp,
    FunctionKill,
    FunctionList,
    FunctionLoad,
    FunctionRestore,
    FunctionStats,
    Info,
    LastSave,
    LatencyDoctor,
    LatencyGraph,
    LatencyHistogram,
    LatencyHistory,
    LatencyLatest,
    LatencyReset,
    Lolwut,
    MemoryDoctor,
    MemoryMallocStats,
    MemoryPurge,
    MemoryStats,
    ModuleLoad,
    ModuleUnload,
    Migrate,
    Role,
    Save,
    ScriptDebug,
    ScriptExists,
    ScriptExplain,
    ScriptFlush,
    ScriptHelp,
    ScriptKill,
    ScriptList,
    ScriptLoad,
    ScriptProfile,
    ScriptShow,
    ScriptStats,
    Shutdown,
    SlowlogGet,
    SlowlogLen,
    SlowlogReset,
    Wait,
    WaitAof,
}

/// ACL's subcommands that ask the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its command")]
pub enum AclCommand {
    DelUser,
    DryRun,
    GenPass,
    GetUser,
    List,
    Load,
    Log,
    Save,
    SetUser,
    Users,
    WhoAmI,
}

/// CLUSTER's subcommands that ask the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its command")]
pub enum ClusterCommand {
    AddSlots,
    AddSlotsRange,
    BumpEpoch,
    CountFailureReports,
    CountKeysInSlot,
    DelSlots,
    DelSlotsRange,
    Failover,
    FlushSlots,
    Forget,
    GetKeysInSlot,
    Info,
    Links,
    Meet,
    MyId,
    MyShardId,
    Nodes,
    Replicas,
    Replicate,
    Reset,
    SaveConfig,
    SetConfigEpoch,
    SetSlot,
    Shards,
    Slots,
}

/// Which shards a command runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Those of its keys; without keys, none.
    Keys,
    /// None, but one must be there for others: when scripts hold every shard, it is refused as what needs one.
    Any,
    /// Every shard, all locked together.
    All,
    /// The shard that the cursor in the second argument points into.
    Cursor,
    /// The keys of a script: `numkeys` of them, with the script's flags deciding what else is locked.
    Script,
}

/// What is known of a command besides its handler.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// Lowercase name; a subcommand's without its container's.
    pub name: &'static str,
    /// Arguments it takes.
    pub arity: Arity,
    /// Rules it obeys.
    pub flags: Flags,
    /// Categories that its flags do not imply.
    pub acl: Acl,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Names the keys where specs cannot, or tells a spec's flags by the arguments.
    pub key_source: SpecSource,
    /// Which of its arguments are channels.
    pub channels: Channels,
    /// Which shards it runs on.
    pub route: Route,
    /// Whether a call may touch keys that are not among its arguments, of any shard, so that it runs on all of them.
    pub widens: fn(Args<'_>) -> bool,
    /// Its arguments, for COMMAND DOCS.
    pub args: &'static [Arg],
    /// Its group in the documentation.
    pub group: &'static str,
    /// The version of Redis it came with.
    pub since: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Its cost.
    pub complexity: &'static str,
    /// What changed since.
    pub history: &'static [Change],
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// Flags of the documentation.
    pub doc_flags: DocFlags,
    /// The version it is deprecated since; empty when it is not.
    pub deprecated_since: &'static str,
    /// What to use instead; empty when it is not deprecated.
    pub replaced_by: &'static str,
    /// A container's commands.
    pub subcommands: &'static [&'static Command],
}

impl Meta {
    /// A declaration with everything else empty, to be completed with `..Meta::new(...)`.
    pub const fn new(name: &'static str, arity: Arity, flags: Flags, acl: Acl) -> Self {
        Self {
            name,
            arity,
            flags,
            acl,
            keys: &[],
            key_source: SpecSource::Specs,
            channels: Channels::None,
            route: Route::Keys,
            widens: |_| false,
            args: &[],
            group: "",
            since: "",
            summary: "",
            complexity: "",
            history: &[],
            tips: &[],
            doc_flags: DocFlags::empty(),
            deprecated_since: "",
            replaced_by: "",
            subcommands: &[],
        }
    }
}

/// A command's declaration.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Who runs it.
    pub handler: Handler,
    /// Everything else.
    pub meta: Meta,
}

impl Command {
    /// Whether it is of one of these categories.
    pub fn is_in(&self, categories: Acl) -> bool {
        self.meta.acl.with_implied(self.meta.flags).intersects(categories)
    }

    /// Fails to compile, as a const, when a declaration contradicts itself.
    pub const fn checked(self) -> Self {
        let meta = &self.meta;
        assert!(!meta.name.is_empty() && !meta.summary.is_empty() && !meta.since.is_empty());
        assert!(!(meta.flags.contains(Flags::WRITE) && meta.flags.contains(Flags::READONLY)));
        assert!(!matches!(self.handler, Handler::Container) || !meta.subcommands.is_empty());
        let names = meta.name.as_bytes();
        let mut at = 0;
        while at < names.len() {
            assert!(!names[at].is_ascii_uppercase());
            at += 1;
        }
        self
    }
}
