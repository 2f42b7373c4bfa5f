//! DELEX and DELIFEQ: deletion of a string under a condition on its value.

use super::value_condition::ValueCondition;
use crate::command::{KeyError, KeySpan, SpecSource};
use crate::commands::prelude::*;

pub(super) const DELEX: Command = Command {
    handler: Handler::Shard(delex),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE).union(KeyFlags::VARIABLE_FLAGS))],
        key_source: SpecSource::Function(keys),
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new(
                "condition",
                ArgKind::OneOf(&[
                    Arg::new("ifeq-value", ArgKind::String).token("IFEQ"),
                    Arg::new("ifne-value", ArgKind::String).token("IFNE"),
                    Arg::new("ifdeq-digest", ArgKind::String).token("IFDEQ"),
                    Arg::new("ifdne-digest", ArgKind::String).token("IFDNE"),
                ]),
            )
            .optional(),
        ],
        group: "string",
        since: "8.4.0",
        summary: "Conditionally removes the specified key based on value or hash digest comparison.",
        complexity: "O(1) for IFEQ/IFNE, O(N) for IFDEQ/IFDNE where N is the length of the string value.",
        ..Meta::new("delex", Arity::AtLeast(2), Flags::WRITE.union(Flags::FAST), Acl::STRING)
    },
}
.checked();

pub(super) const DELIFEQ: Command = Command {
    handler: Handler::Shard(delifeq),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("value", ArgKind::String)],
        group: "string",
        since: "9.0.0",
        summary: "Delete key if value matches string.",
        complexity: "O(1)",
        ..Meta::new("delifeq", Arity::Exact(3), Flags::WRITE.union(Flags::FAST), Acl::STRING)
    },
}
.checked();

/// With a condition the value is looked at; without, the key is deleted whatever it holds.
fn keys(args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    let flags = if args.len() > 2 { KeyFlags::RW.union(KeyFlags::ACCESS) } else { KeyFlags::RM };
    visit(KeySpan { index: 1, flags: flags.union(KeyFlags::DELETE) });
    Ok(())
}

fn delex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    if args.len() > 2 {
        // Redis looks for the key first: of one that is not there, nothing else is checked.
        let Some(entry) = cx.keys.peek(key) else {
            cx.reply.int(0);
            return DONE;
        };
        if args.len() != 4 {
            return Err(Error::wrong_arity("delex"));
        }
        let Some(value) = entry.string() else {
            return Err(Error::fixed("ERR Key should be of string type if conditions are specified"));
        };
        let Some(condition) = ValueCondition::of(args, 2) else {
            return Err(Error::fixed("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"));
        };
        if !condition.holds(value)? {
            cx.reply.int(0);
            return DONE;
        }
    }
    let removed = delete(cx, key);
    cx.reply.int(removed.into());
    DONE
}

fn delifeq(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, operand) = (args.raw(1), args.raw(2));
    let equal = match cx.keys.peek(key) {
        Some(entry) => entry.string().ok_or(Error::WRONG_TYPE)? == operand,
        None => false,
    };
    let removed = equal && delete(cx, key);
    cx.reply.int(removed.into());
    DONE
}

fn delete(cx: &mut Ctx<'_>, key: &[u8]) -> bool {
    let lazy = cx.settings.lazy_user_del;
    let removed = cx.keys.unlink(key, lazy);
    if removed {
        cx.keys.changed(EventClass::GENERIC, "del", key);
        cx.keys.replay_as(&[deletion(lazy), key]);
    }
    removed
}
