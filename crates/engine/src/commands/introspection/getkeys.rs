//! COMMAND GETKEYS and GETKEYSANDFLAGS: the keys among a call's arguments.

use super::info::write_flags;
use crate::command::{CommandTable, KeySpan};
use crate::commands::prelude::*;

pub(super) fn command_getkeys(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Some(spans) = spans_of(args)? else {
        cx.reply.array(0);
        return DONE;
    };
    cx.reply.array(spans.len());
    spans.iter().for_each(|span| cx.reply.bulk(args.raw(2 + span.index)));
    DONE
}

pub(super) fn command_getkeysandflags(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Some(spans) = spans_of(args)? else {
        cx.reply.array(0);
        return DONE;
    };
    cx.reply.array(spans.len());
    for span in spans {
        cx.reply.array(2);
        cx.reply.bulk(args.raw(2 + span.index));
        write_flags(cx.reply, span.flags, KeyFlags::NAMES);
    }
    DONE
}

/// The keys of the call from the third argument on; `None` for a call of a command that may have none and has none.
fn spans_of(args: Args<'_>) -> Result<Option<Vec<KeySpan>>, Error> {
    let call = Args::new(args.from(2));
    let entry =
        CommandTable::get().find(call).ok_or(const { Error::fixed("ERR Invalid command specified") })?;
    let meta = &entry.command.meta;
    if !entry.command.has_keys() {
        return Err(Error::fixed("ERR The command has no key arguments"));
    }
    if !meta.arity.accepts(call.len()) {
        return Err(Error::fixed("ERR Invalid number of arguments specified for command"));
    }
    let mut spans = Vec::new();
    let found = meta.each_key(call, &mut |span| spans.push(span));
    if found.is_ok() && !spans.is_empty() && !meta.counts_no_keys(call) {
        return Ok(Some(spans));
    }
    if meta.flags.contains(Flags::NO_MANDATORY_KEYS) {
        return Ok(None);
    }
    Err(Error::fixed("ERR Invalid arguments specified for command"))
}
