//! RESTORE, and RESTORE-ASKING, by which nodes of a cluster send each other keys.

use crate::commands::prelude::*;
use crate::keyspace::AccessClock;
use moonshard_store::Entry;

pub(super) const RESTORE: Command = Command {
    handler: Handler::Shard(restore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("ttl", ArgKind::Int), Arg::new("serialized-value", ArgKind::String), Arg::word("replace", "REPLACE").optional().since("3.0.0"), Arg::word("absttl", "ABSTTL").optional().since("5.0.0"), Arg::new("seconds", ArgKind::Int).token("IDLETIME").optional().since("5.0.0"), Arg::new("frequency", ArgKind::Int).token("FREQ").optional().since("5.0.0")],
        group: "generic", since: "2.6.0",
        summary: "Create a key using the provided serialized value, previously obtained using DUMP.",
        complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
        history: &[("3.0.0", "Added the `REPLACE` modifier."), ("5.0.0", "Added the `ABSTTL` modifier."), ("5.0.0", "Added the `IDLETIME` and `FREQ` options.")],
        ..Meta::new("restore", Arity::AtLeast(4), Flags::WRITE.union(Flags::DENYOOM), Acl::KEYSPACE.union(Acl::DANGEROUS))
    },
}
.checked();

pub(super) const RESTORE_ASKING: Command = Command {
    handler: Handler::Shard(restore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("ttl", ArgKind::Int), Arg::new("serialized-value", ArgKind::String), Arg::word("replace", "REPLACE").optional().since("3.0.0"), Arg::word("absttl", "ABSTTL").optional().since("5.0.0"), Arg::new("seconds", ArgKind::Int).token("IDLETIME").optional().since("5.0.0"), Arg::new("frequency", ArgKind::Int).token("FREQ").optional().since("5.0.0")],
        group: "server", since: "3.0.0",
        summary: "An internal command for migrating keys in a cluster",
        complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
        history: &[("3.0.0", "Added the `REPLACE` modifier."), ("5.0.0", "Added the `ABSTTL` modifier."), ("5.0.0", "Added the `IDLETIME` and `FREQ` options.")],
        doc_flags: DocFlags::SYSCMD,
        ..Meta::new("restore-asking", Arity::AtLeast(4), Flags::WRITE.union(Flags::DENYOOM).union(Flags::ASKING), Acl::KEYSPACE.union(Acl::DANGEROUS))
    },
}
.checked();

const BUSY_KEY: Error = Error::fixed("BUSYKEY Target key name already exists.");
const WRONG_PAYLOAD: Error = Error::fixed("ERR DUMP payload version or checksum are wrong");
const BAD_DATA: Error = Error::fixed("ERR Bad data format");

#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u32>,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut at = 4;
        while at < args.len() {
            let more = at + 1 < args.len();
            if args.is(at, "REPLACE") {
                options.replace = true;
            } else if args.is(at, "ABSTTL") {
                options.absolute = true;
            } else if args.is(at, "IDLETIME") && more && options.frequency.is_none() {
                at += 1;
                let negative = || Error::fixed("ERR Invalid IDLETIME value, must be >= 0");
                options.idle_seconds = Some(u64::try_from(args.int(at)?).map_err(|_| negative())?);
            } else if args.is(at, "FREQ") && more && options.idle_seconds.is_none() {
                at += 1;
                let wrong = || Error::fixed("ERR Invalid FREQ value, must be >= 0 and <= 255");
                options.frequency = Some(u8::try_from(args.int(at)?).map_err(|_| wrong())?.into());
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }

    /// The access clock of a key that was used so long ago, or so often, if the eviction policy asks for it.
    fn access(&self, clock: AccessClock) -> u32 {
        match (self.idle_seconds, self.frequency) {
            (Some(seconds), _) if !clock.is_lfu() => clock.idle_since(seconds),
            (_, Some(frequency)) if clock.is_lfu() => clock.used_often(frequency),
            _ => clock.fresh(),
        }
    }
}

fn restore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let options = Options::parse(args)?;
    if !options.replace && cx.keys.peek(key).is_some() {
        return Err(BUSY_KEY);
    }
    let ttl = args.int(2)?;
    if ttl < 0 {
        return Err(Error::fixed("ERR Invalid TTL value, must be >= 0"));
    }
    let limits = cx.settings.restore_limits();
    let value = moonshard_rdb::restore(args.raw(3), &limits).map_err(|error| match error {
        moonshard_rdb::Error::VersionOrChecksum => WRONG_PAYLOAD,
        _ => BAD_DATA,
    })?;
    let now_ms = cx.keys.now_ms();
    let at = match ttl {
        0 => None,
        // A time to live beyond the range of times is one that has passed.
        _ if !options.absolute => Some(u64::try_from(ttl.wrapping_add_unsigned(now_ms)).unwrap_or(0)),
        _ => Some(ttl.unsigned_abs()),
    };
    if at.is_some_and(|at| at <= now_ms) && cx.keys.deletes_due() {
        if cx.keys.remove(key) {
            cx.keys.changed(EventClass::GENERIC, "del", key);
            cx.keys.replay_as(&[b"DEL", key]);
        }
        cx.reply.ok();
        return DONE;
    }
    let mut entry = Entry::new(key, value, at);
    entry.set_access(options.access(*cx.keys.clock()));
    cx.keys.insert(entry);
    cx.keys.changed(EventClass::GENERIC, "restore", key);
    if let Some(at) = at
        && !options.absolute
        && cx.keys.replays()
    {
        let mut digits = itoa::Buffer::new();
        let mut again = vec![args.raw(0), key, digits.format(at).as_bytes()];
        again.extend_from_slice(args.from(3));
        again.push(b"ABSTTL");
        cx.keys.replay_as(&again);
    }
    cx.reply.ok();
    DONE
}
