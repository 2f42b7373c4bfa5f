//! PFCOUNT.

use super::{checked, corrupted};
use crate::commands::prelude::*;
use moonshard_store::hyperloglog::{Union, cache_count, cached_count, count};

pub(super) const PFCOUNT: Command = Command {
    handler: Handler::Shard(pfcount),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RW.union(KeyFlags::ACCESS)).notes("RW because it may change the internal representation of the key, and propagate to replicas")],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple()],
        group: "hyperloglog", since: "2.8.9",
        summary: "Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).",
        complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
        ..Meta::new("pfcount", Arity::AtLeast(2), Flags::READONLY.union(Flags::MAY_REPLICATE), Acl::HYPERLOGLOG)
    },
}
.checked();

fn pfcount(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if args.len() > 2 {
        return count_union(cx, args.from(1));
    }
    let key = args.raw(1);
    let Some(value) = cx.keys.read_str(key)? else {
        cx.reply.int(0);
        return DONE;
    };
    let value = checked(value)?;
    if let Some(count) = cached_count(value) {
        cx.reply.int(count as i64);
        return DONE;
    }
    let count = count(value).map_err(corrupted)?;
    // The count is part of the string, which other commands read: watchers, logs and replicas hear of it.
    if let Some(value) = cx.keys.write_str(key)?.and_then(|entry| entry.raw_mut()) {
        cache_count(value, count);
        cx.keys.changed(EventClass::empty(), "pfcount", key);
    }
    cx.reply.int(count as i64);
    DONE
}

fn count_union(cx: &mut Ctx<'_>, keys: &[&[u8]]) -> CmdResult {
    let mut union = Union::default();
    for key in keys {
        if let Some(value) = cx.keys.read_str(key)? {
            union.merge(checked(value)?).map_err(corrupted)?;
        }
    }
    cx.reply.int(union.count() as i64);
    DONE
}
