//! SPOP.

use crate::commands::prelude::*;
use moonshard_store::Set;

pub(super) const SPOP: Command = Command {
    handler: Handler::Shard(spop),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("count", ArgKind::Int).optional().since("3.2.0")],
        group: "set", since: "1.0.0",
        summary: "Remove and return one or multiple random members from a set",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        history: &[("3.2.0", "Added the `count` argument.")],
        tips: &["nondeterministic_output"],
        ..Meta::new("spop", Arity::AtLeast(2), Flags::WRITE.union(Flags::FAST), Acl::SET)
    },
}
.checked();

fn spop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if args.len() > 2 {
        return spop_count(cx, args);
    }
    let key = args.raw(1);
    let copied = cx.keys.replays();
    let Some(set) = cx.keys.write_as::<Set>(key)? else {
        cx.reply.null();
        return DONE;
    };
    let copy = set.pop_random(
        || cx.rng.next(),
        |member| {
            bulk_element(cx.reply, member);
            copied.then(|| member.to_vec())
        },
    );
    let drained = set.is_empty();
    cx.keys.shrunk(EventClass::SET, "spop", key, drained);
    if let Some(member) = copy.flatten() {
        cx.keys.replay_as(&[b"SREM", key, &member]);
    }
    DONE
}

fn spop_count(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let (key, count) = (args.raw(1), args.count(2)?);
    let copied = cx.keys.replays();
    let Some(set) = cx.keys.write_as::<Set>(key)?.filter(|_| count > 0) else {
        cx.reply.set(0);
        return DONE;
    };
    if count >= set.len() {
        cx.reply.set(set.len());
        set.iter().for_each(|member| bulk_element(cx.reply, member));
        cx.keys.shrunk(EventClass::SET, "spop", key, true);
        cx.keys.replay_as(&[b"DEL", key]);
        return DONE;
    }
    let mut copies = Vec::new();
    cx.reply.set(count);
    for _ in 0..count {
        set.pop_random(
            || cx.rng.next(),
            |member| {
                bulk_element(cx.reply, member);
                if copied {
                    copies.push(member.to_vec());
                }
            },
        );
    }
    cx.keys.changed(EventClass::SET, "spop", key);
    if copied {
        let mut replay: Vec<&[u8]> = vec![b"SREM", key];
        replay.extend(copies.iter().map(Vec::as_slice));
        cx.keys.replay_as(&replay);
    }
    DONE
}
