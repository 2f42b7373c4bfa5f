//! The rules that admit a command or refuse it, in the order in which Redis checks them.

use crate::acl::{Access, Occasion};
use crate::args::Args;
use crate::command::{Entry, Flags};
use crate::ctx::{Caller, Ctx, ScriptCaller, ScriptKeys};
use crate::error::Error;
use crate::slot::slot;
use bitflags::bitflags;

bitflags! {
    /// What the state of the server forbids at the moment.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Gate: u32 {
        /// Memory is over its limit and eviction could not help.
        const OUT_OF_MEMORY = 1 << 0;
        /// The last snapshot failed, and so writes are refused.
        const SNAPSHOT_FAILED = 1 << 1;
        /// The log cannot be written, and so writes are refused. The system's error number is beside it.
        const LOG_FAILED = 1 << 2;
        /// The number of the system's error.
        const ERRNO = 0xffff << Self::ERRNO_SHIFT;
    }
}

impl Gate {
    const ERRNO_SHIFT: u32 = 16;

    /// The log cannot be written because of this error of the system.
    pub const fn log_failed(errno: i32) -> Self {
        Self::LOG_FAILED.union(Self::from_bits_truncate((errno as u32) << Self::ERRNO_SHIFT))
    }

    /// The error that a command of these flags is refused with because what it writes could not be kept.
    #[inline]
    pub fn misconfiguration(self, flags: Flags) -> Option<Error> {
        if !self.intersects(Self::SNAPSHOT_FAILED.union(Self::LOG_FAILED)) || !flags.contains(Flags::WRITE) {
            return None;
        }
        Some(self.reason())
    }

    /// What is wrong with the disk; as in Redis a snapshot's failure comes first.
    #[cold]
    pub fn reason(self) -> Error {
        if self.contains(Self::SNAPSHOT_FAILED) {
            return Error::MISCONF;
        }
        let errno = (self.bits() >> Self::ERRNO_SHIFT) as i32;
        let text = std::io::Error::from_raw_os_error(errno).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        Error::text(format!("MISCONF Errors writing to the AOF file: {text}"))
    }
}

/// Whether the command may run now. Its name and the number of its arguments were checked when it was looked up.
///
/// # Errors
/// What Redis answers in its place.
#[inline(always)]
pub fn admit(cx: &mut Ctx<'_>, entry: &Entry, args: Args<'_>) -> Result<(), Error> {
    // A client's call, as a rule: it may do everything, and nothing is forbidden.
    if matches!(cx.caller, Caller::Client) && cx.access.is_none() && cx.gate.is_empty() {
        return Ok(());
    }
    admit_by_rules(cx, entry, args)
}

#[inline(never)]
fn admit_by_rules(cx: &mut Ctx<'_>, entry: &Entry, args: Args<'_>) -> Result<(), Error> {
    let flags = entry.command.meta.flags;
    if !cx.gate.is_empty()
        && !matches!(cx.caller, Caller::Replay)
        && let Some(error) = cx.gate.misconfiguration(flags)
    {
        return Err(error);
    }
    match &mut cx.caller {
        caller @ (Caller::Client | Caller::Transaction) => {
            // EXEC has asked already, of what runs elsewhere as well, and answers in other words.
            if let Some(access) = cx.access
                && matches!(caller, Caller::Client)
            {
                access.admit(entry, args, Occasion::Client)?;
            }
            if cx.gate.contains(Gate::OUT_OF_MEMORY) && flags.contains(Flags::DENYOOM) {
                return Err(Error::OUT_OF_MEMORY);
            }
            Ok(())
        }
        Caller::Script(script) => admit_script(script, cx.access, entry, args),
        Caller::Replay => Ok(()),
    }
}

fn admit_script(
    script: &mut ScriptCaller,
    access: Option<Access<'_>>,
    entry: &Entry,
    args: Args<'_>,
) -> Result<(), Error> {
    let flags = entry.command.meta.flags;
    if flags.contains(Flags::NOSCRIPT) && !script.unrestricted {
        return Err(Error::NOT_FROM_SCRIPT);
    }
    if let Some(access) = access {
        access.admit(entry, args, Occasion::Script)?;
    }
    let writes = flags.contains(Flags::WRITE);
    if script.read_only && (writes || flags.contains(Flags::MAY_REPLICATE)) {
        return Err(Error::fixed("ERR Write commands are not allowed from read-only scripts."));
    }
    if writes {
        let denied =
            flags.contains(Flags::DENYOOM) && script.out_of_memory && !script.allow_oom && !script.wrote;
        if denied {
            return Err(Error::OUT_OF_MEMORY);
        }
    }
    check_keys(&script.keys, entry, args)?;
    script.wrote |= writes;
    if writes {
        script.reads.before_writes |= script.reads.after_writes;
        script.reads.after_writes = false;
    }
    script.reads.after_writes |= flags.contains(Flags::READONLY);
    Ok(())
}

/// Whether a script may touch all keys of a call.
fn check_keys(allowed: &ScriptKeys, entry: &Entry, args: Args<'_>) -> Result<(), Error> {
    use crate::command::Route;
    if *allowed == ScriptKeys::Any {
        return Ok(());
    }
    let meta = &entry.command.meta;
    if matches!(meta.route, Route::All | Route::Cursor) || (meta.widens)(args) {
        return Err(Error::ALL_KEYS_UNDECLARED);
    }
    let mut outside = None;
    let mut check = |key: &[u8]| {
        let of_key = slot(key);
        let inside = match allowed {
            ScriptKeys::Slot(slot) => *slot == of_key,
            ScriptKeys::Slots(slots) => slots.binary_search(&of_key).is_ok(),
            ScriptKeys::Any => true,
            ScriptKeys::None => false,
        };
        if !inside {
            outside = Some(());
        }
    };
    if let Some(index) = entry.single_key {
        check(args.raw(index));
    } else if entry.command.has_keys() {
        entry
            .command
            .meta
            .each_key(args, &mut |span| check(args.raw(span.index)))
            .map_err(|_| Error::fixed("ERR Invalid number of arguments specified for command"))?;
    }
    match (outside, allowed) {
        (None, _) => Ok(()),
        (Some(()), ScriptKeys::None) => Err(Error::fixed(
            "ERR Script attempted to access a key but declared none: pass it in KEYS, or use the flag allow-undeclared-keys",
        )),
        (Some(()), _) => {
            Err(Error::fixed("ERR Script attempted to access keys that do not hash to the same slot"))
        }
    }
}
