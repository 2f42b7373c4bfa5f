//! Errors that commands answer with.

use crate::args::Args;
use moonshard_protocol::Reply;
use std::borrow::Cow;

/// An error reply: its line without the leading minus, starting with the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Cow<'static, [u8]>);

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Error {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($text.as_bytes()));)*
        }
    };
}

texts! {
    /// The key holds another type than the command is for.
    WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
    /// An argument or a value is no 64-bit integer.
    NOT_AN_INTEGER = "ERR value is not an integer or out of range";
    /// An argument is no floating point number.
    NOT_A_FLOAT = "ERR value is not a valid float";
    /// Options that do not fit.
    SYNTAX = "ERR syntax error";
    /// The key does not exist, where that is an error.
    NO_SUCH_KEY = "ERR no such key";
    /// An index out of range.
    INDEX_OUT_OF_RANGE = "ERR index out of range";
    /// An offset out of range.
    OFFSET_OUT_OF_RANGE = "ERR offset is out of range";
    /// A number that must be positive.
    OUT_OF_RANGE_POSITIVE = "ERR value is out of range, must be positive";
    /// A number out of range.
    OUT_OF_RANGE = "ERR value is out of range";
    /// A cursor that is no number.
    INVALID_CURSOR = "ERR invalid cursor";
    /// A database number that is none.
    INVALID_DB_INDEX = "ERR invalid DB index";
    /// A database number above the number of databases.
    DB_INDEX_OUT_OF_RANGE = "ERR DB index is out of range";
    /// A timeout that is no number.
    TIMEOUT_NOT_FLOAT = "ERR timeout is not a float or out of range";
    /// A timeout that is no integer.
    TIMEOUT_NOT_INTEGER = "ERR timeout is not an integer or out of range";
    /// A timeout below zero.
    TIMEOUT_NEGATIVE = "ERR timeout is negative";
    /// A string that would grow over `proto-max-bulk-len`.
    STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    /// An increment over the range of 64 bits.
    INCREMENT_OVERFLOW = "ERR increment or decrement would overflow";
    /// Keys of different slots where one slot is needed.
    CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";
    /// The shard runs a long script.
    BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    /// The shard runs a long function.
    BUSY_FUNCTION = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
    /// A function that is not known.
    NO_FUNCTION = "ERR Function not found";
    /// A script that is not known.
    NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL.";
    /// The command needs memory that there is not.
    OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
    /// The last snapshot failed, and the settings say that writes are refused then.
    MISCONF = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";
    /// The command is not for a server that is loading its data.
    LOADING = "LOADING Redis is loading the dataset in memory";
    /// The client has to authenticate first.
    NO_AUTH = "NOAUTH Authentication required.";
    /// Two options that exclude each other, of the EXPIRE family.
    EXPIRE_NX_AND_OTHERS = "ERR NX and XX, GT or LT options at the same time are not compatible";
    /// Two options that exclude each other, of the EXPIRE family.
    EXPIRE_GT_AND_LT = "ERR GT and LT options at the same time are not compatible";
    /// A command that scripts may not call.
    NOT_FROM_SCRIPT = "ERR This Redis command is not allowed from script";
    /// A command that looks at all keys, of a script that has locked some.
    ALL_KEYS_UNDECLARED = "ERR Script attempted to run a command over all keys without the flag allow-undeclared-keys";
    /// A function that was replaced by one that needs more shards, after those for the old one were locked.
    FLAGS_CHANGED = "TRYAGAIN The function was replaced while it was being called";
    /// The command is only for cluster mode.
    CLUSTER_DISABLED = "ERR This instance has cluster support disabled";
}

impl Error {
    /// An error with a text made for the occasion.
    pub fn text(line: impl Into<String>) -> Self {
        Self(Cow::Owned(line.into().into_bytes()))
    }

    /// An error that quotes bytes from outside.
    pub const fn bytes(line: Vec<u8>) -> Self {
        Self(Cow::Owned(line))
    }

    /// An error with a fixed text.
    pub const fn fixed(line: &'static str) -> Self {
        Self(Cow::Borrowed(line.as_bytes()))
    }

    /// The wrong number of arguments for the command with this full name (`get`, `client|kill`).
    pub fn wrong_arity(name: &str) -> Self {
        Self::text(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// A subcommand with arguments that make no sense, of the container that is the call's first argument.
    #[cold]
    pub fn subcommand_syntax(args: Args<'_>) -> Self {
        const QUOTED_MAX: usize = 128;
        let (container, name) = (args.raw(0).to_ascii_uppercase(), args.raw(1));
        let name = &name[..name.len().min(QUOTED_MAX)];
        let parts: [&[u8]; 5] = [
            b"ERR unknown subcommand or wrong number of arguments for '",
            name,
            b"'. Try ",
            &container,
            b" HELP.",
        ];
        Self::bytes(parts.concat())
    }

    /// An expiry that is out of range, of the command with this name.
    pub fn invalid_expire(name: &str) -> Self {
        Self::text(format!("ERR invalid expire time in '{name}' command"))
    }

    /// What EXEC answers when this error is the reason why nothing ran.
    pub fn aborting_exec(&self) -> Self {
        let reason = self.0.strip_prefix(b"ERR ").unwrap_or(&self.0);
        Self::bytes([b"EXECABORT Transaction discarded because of: ", reason].concat())
    }

    /// The error line without its minus.
    pub fn line(&self) -> &[u8] {
        &self.0
    }

    /// The error's code: the first word.
    pub fn code(&self) -> &[u8] {
        self.0.split(|&b| b == b' ').next().unwrap_or_default()
    }

    /// Whether a script or function is in the way, which may end.
    pub fn is_busy(&self) -> bool {
        self.code() == Self::BUSY.code()
    }

    /// Writes the error reply.
    pub fn write(&self, reply: &mut Reply) {
        reply.error(&self.0);
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::error::Error for Error {}
