//! LPUSH, RPUSH, LPUSHX and RPUSHX.

use crate::commands::prelude::*;
use crate::settings::Settings;
use moonshard_store::{End, List};

pub(super) const LPUSH: Command = Command {
    handler: Handler::Shard(lpush),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("element", ArgKind::String).multiple()],
        group: "list", since: "1.0.0",
        summary: "Prepend one or multiple elements to a list",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        ..Meta::new("lpush", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST), Acl::LIST)
    },
}
.checked();

pub(super) const RPUSH: Command = Command {
    handler: Handler::Shard(rpush),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("element", ArgKind::String).multiple()],
        group: "list", since: "1.0.0",
        summary: "Append one or multiple elements to a list",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        ..Meta::new("rpush", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST), Acl::LIST)
    },
}
.checked();

pub(super) const LPUSHX: Command = Command {
    handler: Handler::Shard(lpushx),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("element", ArgKind::String).multiple()],
        group: "list", since: "2.2.0",
        summary: "Prepend an element to a list, only if the list exists",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        history: &[("4.0.0", "Accepts multiple `element` arguments.")],
        ..Meta::new("lpushx", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST), Acl::LIST)
    },
}
.checked();

pub(super) const RPUSHX: Command = Command {
    handler: Handler::Shard(rpushx),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("element", ArgKind::String).multiple()],
        group: "list", since: "2.2.0",
        summary: "Append an element to a list, only if the list exists",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        history: &[("4.0.0", "Accepts multiple `element` arguments.")],
        ..Meta::new("rpushx", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST), Acl::LIST)
    },
}
.checked();

fn lpush(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let list = cx.keys.create_as::<List>(args.raw(1))?;
    let len = push_all(list, args, End::Front, cx.settings);
    pushed(cx, args, len, "lpush")
}

fn rpush(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let list = cx.keys.create_as::<List>(args.raw(1))?;
    let len = push_all(list, args, End::Back, cx.settings);
    pushed(cx, args, len, "rpush")
}

fn lpushx(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Some(list) = cx.keys.write_as::<List>(args.raw(1))? else {
        cx.reply.int(0);
        return DONE;
    };
    let len = push_all(list, args, End::Front, cx.settings);
    pushed(cx, args, len, "lpush")
}

fn rpushx(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Some(list) = cx.keys.write_as::<List>(args.raw(1))? else {
        cx.reply.int(0);
        return DONE;
    };
    let len = push_all(list, args, End::Back, cx.settings);
    pushed(cx, args, len, "rpush")
}

#[inline]
fn push_all(list: &mut List, args: Args<'_>, end: End, settings: &Settings) -> usize {
    for element in args.from(2) {
        list.push(end, element, settings.list);
    }
    list.len()
}

#[inline]
fn pushed(cx: &mut Ctx<'_>, args: Args<'_>, len: usize, event: &'static str) -> CmdResult {
    cx.keys.changed(EventClass::LIST, event, args.raw(1));
    cx.reply.count(len);
    DONE
}
