//! XSETID.

use super::id;
use crate::commands::prelude::*;
use moonshard_store::{Stream, StreamId, StreamMeta};

pub(super) const XSETID: Command = Command {
    handler: Handler::Shard(xsetid),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("last-id", ArgKind::String),
            Arg::new("entries_added", ArgKind::Int).token("ENTRIESADDED").optional().since("7.0.0"),
            Arg::new("max_deleted_entry_id", ArgKind::String).token("MAXDELETEDID").optional().since("7.0.0"),
        ],
        group: "stream",
        since: "5.0.0",
        summary: "An internal command for replicating stream values",
        complexity: "O(1)",
        history: &[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")],
        ..Meta::new(
            "xsetid",
            Arity::AtLeast(3),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::STREAM,
        )
    },
}
.checked();

/// What the stream is to know of itself.
struct Options {
    last_id: StreamId,
    entries_added: Option<u64>,
    max_deleted_id: StreamId,
}

fn parse(args: Args<'_>) -> Result<Options, Error> {
    let last_id = id::strict(args.raw(2), 0)?;
    let mut options = Options { last_id, entries_added: None, max_deleted_id: StreamId::MIN };
    let mut at = 3;
    while at < args.len() {
        let more = at + 1 < args.len();
        if more && args.is(at, "ENTRIESADDED") {
            let added = args.int(at + 1)?;
            let added =
                u64::try_from(added).map_err(|_| Error::fixed("ERR entries_added must be positive"))?;
            options.entries_added = Some(added);
        } else if more && args.is(at, "MAXDELETEDID") {
            options.max_deleted_id = id::strict(args.raw(at + 1), 0)?;
            if last_id < options.max_deleted_id {
                return Err(Error::fixed(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
        } else {
            return Err(Error::SYNTAX);
        }
        at += 2;
    }
    Ok(options)
}

fn xsetid(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let Options { last_id, entries_added, max_deleted_id } = parse(args)?;
    let stream = cx.keys.write_as::<Stream>(key)?.ok_or(Error::NO_SUCH_KEY)?;
    if stream.last_entry_id().is_some_and(|id| last_id < id) {
        return Err(Error::fixed(
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        ));
    }
    if entries_added.is_some_and(|added| (stream.len() as u64) > added) {
        return Err(Error::fixed(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    let before = *stream.meta();
    let unset = max_deleted_id == StreamId::MIN;
    stream.set_meta(StreamMeta {
        last_id,
        entries_added: entries_added.unwrap_or(before.entries_added),
        max_deleted_id: if unset { before.max_deleted_id } else { max_deleted_id },
        ..before
    });
    cx.keys.changed(EventClass::STREAM, "xsetid", key);
    cx.reply.ok();
    DONE
}
