//! XADD.

use super::id::NewId;
use super::trim_option::Options;
use crate::commands::prelude::*;
use moonshard_store::{AppendError, Stream, StreamId};

pub(super) const XADD: Command = Command {
    handler: Handler::Shard(xadd),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE)).notes("UPDATE instead of INSERT because of the optional trimming feature")],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::word("nomkstream", "NOMKSTREAM").optional().since("6.2.0"), Arg::new("trim", ArgKind::Block(&[Arg::new("strategy", ArgKind::OneOf(&[Arg::word("maxlen", "MAXLEN"), Arg::word("minid", "MINID").since("6.2.0")])), Arg::new("operator", ArgKind::OneOf(&[Arg::word("equal", "="), Arg::word("approximately", "~")])).optional(), Arg::new("threshold", ArgKind::String), Arg::new("count", ArgKind::Int).token("LIMIT").optional().since("6.2.0")])).optional(), Arg::new("id_or_auto", ArgKind::OneOf(&[Arg::word("auto_id", "*"), Arg::new("id", ArgKind::String)])), Arg::new("field_value", ArgKind::Block(&[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)])).multiple()],
        group: "stream", since: "5.0.0",
        summary: "Appends a new entry to a stream",
        complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
        history: &[("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."), ("7.0.0", "Added support for the `<ms>-*` explicit ID form.")],
        tips: &["nondeterministic_output"],
        ..Meta::new("xadd", Arity::AtLeast(5), Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST), Acl::STREAM)
    },
}
.checked();

fn xadd(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let options = Options::of_xadd(args, cx.settings, !cx.keys.deletes_due())?;
    let pairs = args.from(options.end + 1);
    if pairs.len() < 2 || !pairs.len().is_multiple_of(2) {
        return Err(Error::wrong_arity("xadd"));
    }
    if options.id == NewId::Given(StreamId::MIN) {
        return Err(Error::fixed("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let (now_ms, limits) = (cx.keys.now_ms(), cx.settings.stream);
    if options.no_create && cx.keys.write_as::<Stream>(key)?.is_none() {
        cx.reply.null();
        return DONE;
    }
    let stream = cx.keys.create_as::<Stream>(key)?;
    let id = next_id(stream.last_id(), options.id, now_ms)?;
    if let Err(error) = stream.append(id, pairs, limits) {
        return refuse(cx, key, error);
    }
    let trimmed = options.trim.map_or(0, |trim| stream.trim(&trim));
    let threshold = options.exact_threshold(stream);
    cx.reply.bulk(&id.text());
    cx.keys.changed(EventClass::STREAM, "xadd", key);
    if trimmed > 0 {
        cx.keys.changed(EventClass::STREAM, "xtrim", key);
    }
    replay(cx, args, &options, id, threshold.as_deref());
    DONE
}

/// The id of an entry that comes after `last`.
fn next_id(last: StreamId, wanted: NewId, now_ms: u64) -> Result<StreamId, Error> {
    if last == StreamId::MAX {
        return Err(Error::fixed(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    match wanted {
        NewId::Given(id) => Ok(id),
        NewId::Auto if now_ms > last.ms => Ok(StreamId::new(now_ms, 0)),
        NewId::Auto => last.successor().ok_or(ID_TOO_SMALL),
        NewId::AutoSequence(ms) if ms == last.ms => match last.seq.checked_add(1) {
            Some(seq) => Ok(StreamId::new(ms, seq)),
            // The text of Redis, though nothing is large.
            None => Err(TOO_LARGE),
        },
        NewId::AutoSequence(ms) => Ok(StreamId::new(ms, 0)),
    }
}

const ID_TOO_SMALL: Error =
    Error::fixed("ERR The ID specified in XADD is equal or smaller than the target stream top item");

const TOO_LARGE: Error = Error::fixed("ERR Elements are too large to be stored");

/// The entry was not added. A stream that was made for it goes.
#[cold]
fn refuse(cx: &mut Ctx<'_>, key: &[u8], error: AppendError) -> CmdResult {
    match error {
        AppendError::IdTooSmall => Err(ID_TOO_SMALL),
        AppendError::TooLarge => {
            let made = cx.keys.get_as::<Stream>(key)?;
            if made.is_some_and(|stream| stream.last_id() == StreamId::MIN && stream.groups_len() == 0) {
                cx.keys.remove(key);
            }
            Err(TOO_LARGE)
        }
    }
}

/// An id that was made up is said, and so is how much was trimmed where that was not.
fn replay(cx: &mut Ctx<'_>, args: Args<'_>, options: &Options, id: StreamId, threshold: Option<&[u8]>) {
    let made_up = !matches!(options.id, NewId::Given(_));
    if made_up || threshold.is_some() {
        let id = id.text();
        let words = args.iter().enumerate().map(|(at, word)| match options.exact(at, threshold) {
            Some(exact) => exact,
            None if made_up && at == options.end => &id,
            None => word,
        });
        cx.keys.replay_each(args.len(), words);
    }
}
