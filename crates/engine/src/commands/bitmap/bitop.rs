//! BITOP, with the operations of Redis 7 and those that Redis 8.2 added: DIFF, DIFF1, ANDOR and ONE.

use crate::commands::prelude::*;
use moonshard_store::bitmap::{Combination, combine};
use moonshard_store::{Entry, Value};

pub(super) const BITOP: Command = Command {
    handler: Handler::Shard(bitop),
    meta: Meta {
        keys: &[
            KeySpec::one(2, KeyFlags::OW.union(KeyFlags::UPDATE)),
            KeySpec::range(3, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
        ],
        args: &[
            Arg::new("operation", ArgKind::String),
            Arg::new("destkey", ArgKind::Key(0)),
            Arg::new("key", ArgKind::Key(1)).multiple(),
        ],
        group: "bitmap",
        since: "2.6.0",
        summary: "Perform bitwise operations between strings",
        complexity: "O(N)",
        ..Meta::new("bitop", Arity::AtLeast(4), Flags::WRITE.union(Flags::DENYOOM), Acl::BITMAP)
    },
}
.checked();

/// The operations by their names.
const OPERATIONS: &[(&str, Combination)] = &[
    ("AND", Combination::And),
    ("OR", Combination::Or),
    ("XOR", Combination::Xor),
    ("NOT", Combination::Not),
    ("DIFF", Combination::Diff),
    ("DIFF1", Combination::Diff1),
    ("ANDOR", Combination::AndOr),
    ("ONE", Combination::One),
];

fn parse(args: Args<'_>) -> Result<Combination, Error> {
    let named = OPERATIONS.iter().find(|(name, _)| args.is(1, name));
    let &(name, operation) = named.ok_or(Error::SYNTAX)?;
    let sources = args.len() - 3;
    match operation {
        Combination::Not if sources != 1 => {
            Err(Error::fixed("ERR BITOP NOT must be called with a single source key."))
        }
        Combination::Diff | Combination::Diff1 | Combination::AndOr if sources < 2 => {
            Err(Error::text(format!("ERR BITOP {name} must be called with at least two source keys.")))
        }
        operation => Ok(operation),
    }
}

fn bitop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let operation = parse(args)?;
    let (target, keys) = (args.raw(2), args.from(3));
    for key in keys {
        cx.keys.read_str(key)?;
    }
    let strings = keys.iter().map(|key| cx.keys.get(key).and_then(Entry::string).unwrap_or_default());
    let result = combine(operation, &strings.collect::<Vec<_>>());
    cx.reply.count(result.len());
    if !result.is_empty() {
        cx.keys.put(target, Value::String(result), None);
        // However short, the result is a string of bytes and never the number that it might spell.
        if let Some(entry) = cx.keys.write_str(target)? {
            entry.raw_mut();
        }
        cx.keys.changed(EventClass::STRING, "set", target);
    } else if cx.keys.remove(target) {
        cx.keys.changed(EventClass::GENERIC, "del", target);
    }
    DONE
}
