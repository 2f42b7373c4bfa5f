//! LMOVE and RPOPLPUSH, BLMOVE and BRPOPLPUSH.

use super::end::{event_of_pop, event_of_push, parse_end};
use crate::commands::prelude::*;
use moonshard_store::{Element, End, List};

pub(super) const LMOVE: Command = Command {
    handler: Handler::Shard(lmove),
    meta: Meta {
        keys: &[
            KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
            KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT)),
        ],
        args: &[
            Arg::new("source", ArgKind::Key(0)),
            Arg::new("destination", ArgKind::Key(1)),
            Arg::new("wherefrom", ArgKind::OneOf(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")])),
            Arg::new("whereto", ArgKind::OneOf(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")])),
        ],
        group: "list",
        since: "6.2.0",
        summary: "Pop an element from a list, push it to another list and return it",
        complexity: "O(1)",
        ..Meta::new("lmove", Arity::Exact(5), Flags::WRITE.union(Flags::DENYOOM), Acl::LIST)
    },
}
.checked();

pub(super) const RPOPLPUSH: Command = Command {
    handler: Handler::Shard(rpoplpush),
    meta: Meta {
        keys: &[
            KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
            KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT)),
        ],
        args: &[Arg::new("source", ArgKind::Key(0)), Arg::new("destination", ArgKind::Key(1))],
        group: "list",
        since: "1.2.0",
        summary: "Remove the last element in a list, prepend it to another list and return it",
        complexity: "O(1)",
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`LMOVE` with the `RIGHT` and `LEFT` arguments",
        ..Meta::new("rpoplpush", Arity::Exact(3), Flags::WRITE.union(Flags::DENYOOM), Acl::LIST)
    },
}
.checked();

pub(super) const BLMOVE: Command = Command {
    handler: Handler::Shard(blmove),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)), KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("source", ArgKind::Key(0)), Arg::new("destination", ArgKind::Key(1)), Arg::new("wherefrom", ArgKind::OneOf(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")])), Arg::new("whereto", ArgKind::OneOf(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")])), Arg::new("timeout", ArgKind::Double)],
        group: "list", since: "6.2.0",
        summary: "Pop an element from a list, push it to another list and return it; or block until one is available",
        complexity: "O(1)",
        ..Meta::new("blmove", Arity::Exact(6), Flags::WRITE.union(Flags::DENYOOM).union(Flags::NOSCRIPT).union(Flags::BLOCKING), Acl::LIST)
    },
}
.checked();

pub(super) const BRPOPLPUSH: Command = Command {
    handler: Handler::Shard(brpoplpush),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)), KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("source", ArgKind::Key(0)), Arg::new("destination", ArgKind::Key(1)), Arg::new("timeout", ArgKind::Double)],
        group: "list", since: "2.2.0",
        summary: "Pop an element from a list, push it to another list and return it; or block until one is available",
        complexity: "O(1)",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
        ..Meta::new("brpoplpush", Arity::Exact(4), Flags::WRITE.union(Flags::DENYOOM).union(Flags::NOSCRIPT).union(Flags::BLOCKING), Acl::LIST)
    },
}
.checked();

fn lmove(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (from, to) = (parse_end(args, 3)?, parse_end(args, 4)?);
    if !move_element(cx, args, from, to)? {
        cx.reply.null();
    }
    DONE
}

fn rpoplpush(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if !move_element(cx, args, End::Back, End::Front)? {
        cx.reply.null();
    }
    DONE
}

fn blmove(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (from, to) = (parse_end(args, 3)?, parse_end(args, 4)?);
    move_or_wait(cx, args, b"LMOVE", from, to)
}

fn brpoplpush(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    move_or_wait(cx, args, b"RPOPLPUSH", End::Back, End::Front)
}

/// Moves an element, or waits for one. `without_wait` is the command that moves one now, with the same arguments.
fn move_or_wait(cx: &mut Ctx<'_>, args: Args<'_>, without_wait: &[u8], from: End, to: End) -> CmdResult {
    let timeout_at = args.len() - 1;
    let timeout_ms = timeout_ms(args, timeout_at)?;
    if move_element(cx, args, from, to)? {
        let arguments = args.iter().skip(1).take(timeout_at - 1);
        cx.keys.replay_each(timeout_at, std::iter::once(without_wait).chain(arguments));
        return DONE;
    }
    let keys = vec![WaitKey::new(args.raw(1), args.all())];
    let (kind, empty) = (WaitKind::List, Empty::Null);
    Ok(Flow::Block(Box::new(Wait { timeout_ms, keys, kind, empty, gone: None, failed: None })))
}

/// Moves an element, if the source is there. Returns whether it is.
fn move_element(cx: &mut Ctx<'_>, args: Args<'_>, from: End, to: End) -> Result<bool, Error> {
    let (source, destination, limits) = (args.raw(1), args.raw(2), cx.settings.list);
    let Some(list) = cx.keys.write_as::<List>(source)? else { return Ok(false) };
    if source == destination {
        if let Some(element) = list.peek(from) {
            bulk_element(cx.reply, element);
        }
        list.rotate(from, to, limits);
        cx.keys.changed(EventClass::LIST, event_of_push(to), source);
        cx.keys.changed(EventClass::LIST, event_of_pop(from), source);
        return Ok(true);
    }
    // Refused before anything is taken.
    cx.keys.write_as::<List>(destination)?;
    let Some(list) = cx.keys.write_as::<List>(source)? else { return Err(Error::NO_SUCH_KEY) };
    let mut copy = Vec::new();
    let element = list.pop(from, limits, |element| {
        bulk_element(cx.reply, element);
        match element {
            Element::Int(value) => Some(value),
            Element::Bytes(bytes) => {
                copy.extend_from_slice(bytes);
                None
            }
        }
    });
    let drained = list.is_empty();
    let element = element.flatten().map_or(Element::Bytes(&copy), Element::Int);
    cx.keys.create_as::<List>(destination)?.push_element(to, element, limits);
    cx.keys.changed(EventClass::LIST, event_of_push(to), destination);
    cx.keys.shrunk(EventClass::LIST, event_of_pop(from), source, drained);
    Ok(true)
}
