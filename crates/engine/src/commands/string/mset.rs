//! MSET and MSETNX.

use crate::commands::prelude::*;

pub(super) const MSET: Command = Command {
    handler: Handler::Shard(mset),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.union(KeyFlags::UPDATE))],
        args: &[Arg::new(
            "key_value",
            ArgKind::Block(&[Arg::new("key", ArgKind::Key(0)), Arg::new("value", ArgKind::String)]),
        )
        .multiple()],
        group: "string",
        since: "1.0.1",
        summary: "Set multiple keys to multiple values",
        complexity: "O(N) where N is the number of keys to set.",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        ..Meta::new("mset", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM), Acl::STRING)
    },
}
.checked();

pub(super) const MSETNX: Command = Command {
    handler: Handler::Shard(msetnx),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.union(KeyFlags::INSERT))],
        args: &[Arg::new(
            "key_value",
            ArgKind::Block(&[Arg::new("key", ArgKind::Key(0)), Arg::new("value", ArgKind::String)]),
        )
        .multiple()],
        group: "string",
        since: "1.0.1",
        summary: "Set multiple keys to multiple values, only if none of the keys exist",
        complexity: "O(N) where N is the number of keys to set.",
        tips: &["request_policy:multi_shard", "response_policy:agg_min"],
        ..Meta::new("msetnx", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM), Acl::STRING)
    },
}
.checked();

fn mset(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    set_all(cx, pairs(args, "mset")?);
    cx.reply.ok();
    DONE
}

fn msetnx(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let pairs = pairs(args, "msetnx")?;
    let absent = pairs.clone().all(|(key, _)| cx.keys.peek(key).is_none());
    if absent {
        set_all(cx, pairs);
    }
    cx.reply.int(absent.into());
    DONE
}

type Pair<'a> = (&'a [u8], &'a [u8]);

fn pairs<'a>(args: Args<'a>, name: &str) -> Result<impl Iterator<Item = Pair<'a>> + Clone + use<'a>, Error> {
    let pairs = args.from(1).chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(Error::wrong_arity(name));
    }
    Ok(pairs.map(|pair| (pair[0], pair[1])))
}

fn set_all<'a>(cx: &mut Ctx<'_>, pairs: impl Iterator<Item = Pair<'a>>) {
    for (key, value) in pairs {
        cx.keys.set_str(key, value, Expiry::Clear);
        cx.keys.changed(EventClass::STRING, "set", key);
    }
}
