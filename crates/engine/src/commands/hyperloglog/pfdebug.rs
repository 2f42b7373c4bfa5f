//! PFDEBUG.

use super::{checked, corrupted};
use crate::commands::prelude::*;
use moonshard_store::hyperloglog::{Opcode, is_dense, make_dense, opcodes, registers};
use std::fmt::Write as _;

pub(super) const PFDEBUG: Command = Command {
    handler: Handler::Shard(pfdebug),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::ACCESS))],
        args: &[Arg::new("subcommand", ArgKind::String), Arg::new("key", ArgKind::Key(0))],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Internal commands for debugging HyperLogLog values",
        complexity: "N/A",
        doc_flags: DocFlags::SYSCMD,
        ..Meta::new(
            "pfdebug",
            Arity::Exact(3),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::ADMIN),
            Acl::HYPERLOGLOG,
        )
    },
}
.checked();

fn pfdebug(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(2);
    let Some(entry) = cx.keys.write_str(key)? else {
        return Err(Error::fixed("ERR The specified key does not exist"));
    };
    checked(entry.string().unwrap_or_default())?;
    let Some(value) = entry.raw_mut() else { return Err(Error::WRONG_TYPE) };
    let sparse = !is_dense(value);
    let mut converted = false;
    if args.is(1, "GETREG") {
        make_dense(value).map_err(corrupted)?;
        converted = sparse;
        let registers = registers(value);
        cx.reply.array(registers.len());
        registers.for_each(|rank| cx.reply.int(rank.into()));
    } else if args.is(1, "DECODE") {
        if !sparse {
            return Err(Error::fixed("ERR HLL encoding is not sparse"));
        }
        cx.reply.bulk(decoded(value).as_bytes());
    } else if args.is(1, "ENCODING") {
        cx.reply.status(if sparse { "sparse" } else { "dense" });
    } else if args.is(1, "TODENSE") {
        make_dense(value).map_err(corrupted)?;
        converted = sparse;
        cx.reply.int(sparse.into());
    } else {
        return Err(Error::bytes([b"ERR Unknown PFDEBUG subcommand '", args.raw(1), b"'"].concat()));
    }
    if converted {
        cx.keys.changed(EventClass::empty(), "pfdebug", key);
    }
    DONE
}

/// The runs of a sparse value as text.
fn decoded(value: &[u8]) -> String {
    let mut text = String::new();
    for opcode in opcodes(value) {
        let separator = if text.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = match opcode {
            Opcode::Zero(len) => write!(text, "{separator}z:{len}"),
            Opcode::XZero(len) => write!(text, "{separator}Z:{len}"),
            Opcode::Val { rank, len } => write!(text, "{separator}v:{rank},{len}"),
        };
    }
    text
}
