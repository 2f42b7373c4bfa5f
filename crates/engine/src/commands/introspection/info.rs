//! COMMAND and COMMAND INFO: the rules that commands obey, and where their keys are.

use crate::command::{Begin, CommandTable, Entry, Find};
use crate::commands::prelude::*;
use bitflags::Flags as FlagSet;
use moonshard_protocol::Reply;

pub(super) fn command(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    write_all(cx.reply);
    DONE
}

pub(super) fn command_info(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let names = args.from(2);
    if names.is_empty() {
        write_all(cx.reply);
        return DONE;
    }
    cx.reply.array(names.len());
    for name in names {
        match CommandTable::get().by_full_name(name) {
            Some(entry) => write_entry(cx.reply, entry),
            None => cx.reply.null(),
        }
    }
    DONE
}

fn write_all(reply: &mut Reply) {
    let table = CommandTable::get();
    reply.array(table.commands().count());
    table.commands().for_each(|entry| write_entry(reply, entry));
}

fn write_entry(reply: &mut Reply, entry: &Entry) {
    let meta = &entry.command.meta;
    let range = meta.legacy_range();
    reply.array(10);
    reply.bulk(entry.full_name.as_bytes());
    reply.int(meta.arity.signed());
    write_flags(reply, meta.reported_flags(), Flags::NAMES);
    reply.int(range.first);
    reply.int(range.last);
    reply.int(range.step);
    let categories = meta.acl.with_implied(meta.flags);
    reply.set(count(categories, Acl::NAMES));
    for (_, name) in Acl::NAMES.iter().filter(|(flag, _)| categories.contains(*flag)) {
        reply.status(&format!("@{name}"));
    }
    reply.set(meta.tips.len());
    meta.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(meta.keys.len());
    meta.keys.iter().for_each(|spec| write_spec(reply, spec));
    if entry.subcommands.is_empty() {
        reply.set(0);
        return;
    }
    reply.array(entry.subcommands.len());
    for &id in &entry.subcommands {
        write_entry(reply, CommandTable::get().entry(id));
    }
}

fn count<F: FlagSet + Copy>(flags: F, names: &[(F, &str)]) -> usize {
    names.iter().filter(|(flag, _)| flags.contains(*flag)).count()
}

/// The names of those of `flags` that have one.
pub(super) fn write_flags<F: FlagSet + Copy>(reply: &mut Reply, flags: F, names: &[(F, &str)]) {
    reply.set(count(flags, names));
    for (_, name) in names.iter().filter(|(flag, _)| flags.contains(*flag)) {
        reply.status(name);
    }
}

fn write_spec(reply: &mut Reply, spec: &KeySpec) {
    let notes = !spec.notes.is_empty();
    reply.map(3 + usize::from(notes));
    if notes {
        reply.bulk(b"notes");
        reply.bulk(spec.notes.as_bytes());
    }
    reply.bulk(b"flags");
    write_flags(reply, spec.flags, KeyFlags::NAMES);
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => write_rule(reply, "index", &[("index", i64::from(index))]),
        Begin::Keyword(word, from) => {
            open_rule(reply, "keyword", 2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            reply.bulk(b"startfrom");
            reply.int(i64::from(from));
        }
        Begin::Unknown => write_rule(reply, "unknown", &[]),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            let fields = [("lastkey", last.into()), ("keystep", step.into()), ("limit", limit.into())];
            write_rule(reply, "range", &fields);
        }
        Find::Keynum { count, first, step } => {
            let fields = [("keynumidx", count.into()), ("firstkey", first.into()), ("keystep", step.into())];
            write_rule(reply, "keynum", &fields);
        }
        Find::Unknown => write_rule(reply, "unknown", &[]),
    }
}

/// The begin of a rule of this type: `fields` pairs must follow.
fn open_rule(reply: &mut Reply, kind: &str, fields: usize) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields);
}

fn write_rule(reply: &mut Reply, kind: &str, fields: &[(&str, i64)]) {
    open_rule(reply, kind, fields.len());
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.int(*value);
    }
}
