//! MIGRATE: the server sends the keys to another one.

use crate::command::{Begin, Find, KeyError, KeySpan, SpecSource};
use crate::commands::prelude::*;

pub(super) const MIGRATE: Command = Command {
    handler: Handler::Server(ServerCommand::Migrate),
    meta: Meta {
        keys: &[KeySpec::one(3, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)), KeySpec::new(Begin::Keyword("KEYS", -2), Find::Range { last: -1, step: 1, limit: 0 }, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE).union(KeyFlags::INCOMPLETE))],
        key_source: SpecSource::Function(keys),
        args: &[Arg::new("host", ArgKind::String), Arg::new("port", ArgKind::Int), Arg::new("key_or_empty_string", ArgKind::OneOf(&[Arg::new("key", ArgKind::Key(0)), Arg::word("empty_string", "")])), Arg::new("destination-db", ArgKind::Int), Arg::new("timeout", ArgKind::Int), Arg::word("copy", "COPY").optional().since("3.0.0"), Arg::word("replace", "REPLACE").optional().since("3.0.0"), Arg::new("authentication", ArgKind::OneOf(&[Arg::new("password", ArgKind::String).token("AUTH").optional().since("4.0.7"), Arg::new("username_password", ArgKind::Block(&[Arg::new("username", ArgKind::String), Arg::new("password", ArgKind::String)])).token("AUTH2").optional().since("6.0.0")])).optional(), Arg::new("key", ArgKind::Key(1)).token("KEYS").optional().multiple().since("3.0.6")],
        group: "generic", since: "2.6.0",
        summary: "Atomically transfer a key from a Redis instance to another one.",
        complexity: "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target instance. See the pages of these commands for time complexity. Also an O(N) data transfer between the two instances is performed.",
        history: &[("3.0.0", "Added the `COPY` and `REPLACE` options."), ("3.0.6", "Added the `KEYS` option."), ("4.0.7", "Added the `AUTH` option."), ("6.0.0", "Added the `AUTH2` option.")],
        tips: &["nondeterministic_output"],
        ..Meta::new("migrate", Arity::AtLeast(6), Flags::WRITE, Acl::KEYSPACE.union(Acl::DANGEROUS))
    },
}
.checked();

/// The one key, or those after KEYS, if there is no key in its usual place.
fn keys(args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    let flags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE);
    let mut at = 6;
    while at < args.len() {
        if args.is(at, "KEYS") {
            // With both there is an error to come, and no key.
            let from = if args.raw(3).is_empty() { at + 1 } else { args.len() };
            (from..args.len()).for_each(|index| visit(KeySpan { index, flags }));
            return Ok(());
        }
        at += match () {
            () if args.is(at, "AUTH") => 2,
            () if args.is(at, "AUTH2") => 3,
            () => 1,
        };
    }
    visit(KeySpan { index: 3, flags });
    Ok(())
}
