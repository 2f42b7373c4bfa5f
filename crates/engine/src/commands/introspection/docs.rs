//! COMMAND DOCS: the documentation of commands.

use super::info::write_flags;
use crate::command::{ArgFlags, CommandTable, Entry};
use crate::commands::prelude::*;
use moonshard_protocol::Reply;

pub(super) fn command_docs(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let table = CommandTable::get();
    let names = args.from(2);
    if names.is_empty() {
        cx.reply.map(table.commands().count());
        table.commands().for_each(|entry| write_named(cx.reply, entry));
        return DONE;
    }
    let open = cx.reply.open_map();
    let mut found = 0;
    for entry in names.iter().filter_map(|name| table.by_full_name(name)) {
        write_named(cx.reply, entry);
        found += 1;
    }
    cx.reply.close(open, found);
    DONE
}

fn write_named(reply: &mut Reply, entry: &Entry) {
    reply.bulk(entry.full_name.as_bytes());
    write_docs(reply, entry);
}

/// A field with a text, unless there is none; returns how many fields that makes.
fn text(reply: &mut Reply, name: &str, value: &str) -> usize {
    if value.is_empty() {
        return 0;
    }
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
    1
}

fn write_docs(reply: &mut Reply, entry: &Entry) {
    let meta = &entry.command.meta;
    let open = reply.open_map();
    let mut fields = text(reply, "summary", meta.summary);
    fields += text(reply, "since", meta.since);
    fields += text(reply, "group", meta.group);
    fields += text(reply, "complexity", meta.complexity);
    if !meta.doc_flags.is_empty() {
        reply.bulk(b"doc_flags");
        write_flags(reply, meta.doc_flags, DocFlags::NAMES);
        fields += 1;
    }
    fields += text(reply, "deprecated_since", meta.deprecated_since);
    fields += text(reply, "replaced_by", meta.replaced_by);
    if !meta.history.is_empty() {
        reply.bulk(b"history");
        reply.set(meta.history.len());
        for (version, change) in meta.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
        fields += 1;
    }
    if !meta.args.is_empty() {
        reply.bulk(b"arguments");
        write_args(reply, meta.args);
        fields += 1;
    }
    if !entry.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(entry.subcommands.len());
        for &id in &entry.subcommands {
            write_named(reply, CommandTable::get().entry(id));
        }
        fields += 1;
    }
    reply.close(open, fields);
}

fn write_args(reply: &mut Reply, args: &[Arg]) {
    reply.array(args.len());
    args.iter().for_each(|arg| write_arg(reply, arg));
}

fn write_arg(reply: &mut Reply, arg: &Arg) {
    let open = reply.open_map();
    let mut fields = text(reply, "name", arg.name);
    fields += text(reply, "type", arg.kind.name());
    if let ArgKind::Key(spec) | ArgKind::KeyPattern(spec) = arg.kind {
        reply.bulk(b"key_spec_index");
        reply.int(spec.into());
        fields += 1;
    }
    if matches!(arg.kind, ArgKind::Token) {
        // That of an argument that must be empty is empty.
        reply.bulk(b"token");
        reply.bulk(arg.token.as_bytes());
        fields += 1;
    } else {
        fields += text(reply, "token", arg.token);
    }
    fields += text(reply, "since", arg.since);
    fields += text(reply, "deprecated_since", arg.deprecated_since);
    if !arg.flags.is_empty() {
        reply.bulk(b"flags");
        write_flags(reply, arg.flags, ArgFlags::NAMES);
        fields += 1;
    }
    if let ArgKind::OneOf(parts) | ArgKind::Block(parts) = arg.kind {
        reply.bulk(b"arguments");
        write_args(reply, parts);
        fields += 1;
    }
    reply.close(open, fields);
}
