//! FLUSHDB and FLUSHALL.

use crate::commands::prelude::*;

pub(super) const FLUSHDB: Command = Command {
    handler: Handler::Shard(flushdb),
    meta: Meta {
        route: Route::All,
        args: &[Arg::new(
            "async",
            ArgKind::OneOf(&[
                Arg::word("async", "ASYNC").since("4.0.0"),
                Arg::word("sync", "SYNC").since("6.2.0"),
            ]),
        )
        .optional()],
        group: "server",
        since: "1.0.0",
        summary: "Remove all keys from the current database",
        complexity: "O(N) where N is the number of keys in the selected database",
        history: &[
            ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
            ("6.2.0", "Added the `SYNC` flushing mode modifier."),
        ],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Meta::new("flushdb", Arity::AtLeast(1), Flags::WRITE, Acl::KEYSPACE.union(Acl::DANGEROUS))
    },
}
.checked();

pub(super) const FLUSHALL: Command = Command {
    handler: Handler::Shard(flushall),
    meta: Meta {
        route: Route::All,
        args: &[Arg::new(
            "async",
            ArgKind::OneOf(&[
                Arg::word("async", "ASYNC").since("4.0.0"),
                Arg::word("sync", "SYNC").since("6.2.0"),
            ]),
        )
        .optional()],
        group: "server",
        since: "1.0.0",
        summary: "Remove all keys from all databases",
        complexity: "O(N) where N is the total number of keys in all databases",
        history: &[
            ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
            ("6.2.0", "Added the `SYNC` flushing mode modifier."),
        ],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Meta::new("flushall", Arity::AtLeast(1), Flags::WRITE, Acl::KEYSPACE.union(Acl::DANGEROUS))
    },
}
.checked();

fn flushdb(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let lazy = is_lazy(cx, args)?;
    cx.keys.flush(cx.keys.db(), lazy);
    // As Redis does: an empty database may have keys elsewhere that have not expired there yet.
    cx.keys.replay_as(args.all());
    cx.reply.ok();
    DONE
}

fn flushall(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let lazy = is_lazy(cx, args)?;
    for db in 0..cx.settings.databases {
        cx.keys.flush(db, lazy);
    }
    cx.keys.replay_as(args.all());
    cx.reply.ok();
    DONE
}

/// Whether the old keys are dropped off the request path.
fn is_lazy(cx: &Ctx<'_>, args: Args<'_>) -> Result<bool, Error> {
    match args.len() {
        1 => Ok(cx.settings.lazy_user_flush),
        2 if args.is(1, "ASYNC") => Ok(true),
        2 if args.is(1, "SYNC") => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}
