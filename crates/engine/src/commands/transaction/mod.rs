//! Transactions. The server queues and runs them; what they consist of runs by the same door as ever.

use super::prelude::*;

pub(super) const COMMANDS: &[&Command] = &[&MULTI, &EXEC, &DISCARD, &WATCH, &UNWATCH];

const MULTI: Command = Command {
    handler: Handler::Session(SessionCommand::Multi),
    meta: Meta {
        group: "transactions",
        since: "1.2.0",
        summary: "Mark the start of a transaction block",
        complexity: "O(1)",
        ..Meta::new(
            "multi",
            Arity::Exact(1),
            Flags::NOSCRIPT
                .union(Flags::LOADING)
                .union(Flags::STALE)
                .union(Flags::FAST)
                .union(Flags::ALLOW_BUSY),
            Acl::TRANSACTION,
        )
    },
}
.checked();

const EXEC: Command = Command {
    handler: Handler::Session(SessionCommand::Exec),
    meta: Meta {
        group: "transactions",
        since: "1.2.0",
        summary: "Execute all commands issued after MULTI",
        complexity: "Depends on commands in the transaction",
        ..Meta::new(
            "exec",
            Arity::Exact(1),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::SKIP_SLOWLOG),
            Acl::TRANSACTION,
        )
    },
}
.checked();

const DISCARD: Command = Command {
    handler: Handler::Session(SessionCommand::Discard),
    meta: Meta {
        group: "transactions",
        since: "2.0.0",
        summary: "Discard all commands issued after MULTI",
        complexity: "O(N), when N is the number of queued commands",
        ..Meta::new(
            "discard",
            Arity::Exact(1),
            Flags::NOSCRIPT
                .union(Flags::LOADING)
                .union(Flags::STALE)
                .union(Flags::FAST)
                .union(Flags::ALLOW_BUSY),
            Acl::TRANSACTION,
        )
    },
}
.checked();

const WATCH: Command = Command {
    handler: Handler::Session(SessionCommand::Watch),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple()],
        group: "transactions",
        since: "2.2.0",
        summary: "Watch the given keys to determine execution of the MULTI/EXEC block",
        complexity: "O(1) for every key.",
        ..Meta::new(
            "watch",
            Arity::AtLeast(2),
            Flags::NOSCRIPT
                .union(Flags::LOADING)
                .union(Flags::STALE)
                .union(Flags::FAST)
                .union(Flags::ALLOW_BUSY),
            Acl::TRANSACTION,
        )
    },
}
.checked();

const UNWATCH: Command = Command {
    handler: Handler::Session(SessionCommand::Unwatch),
    meta: Meta {
        group: "transactions",
        since: "2.2.0",
        summary: "Forget about all watched keys",
        complexity: "O(1)",
        ..Meta::new(
            "unwatch",
            Arity::Exact(1),
            Flags::NOSCRIPT
                .union(Flags::LOADING)
                .union(Flags::STALE)
                .union(Flags::FAST)
                .union(Flags::ALLOW_BUSY),
            Acl::TRANSACTION,
        )
    },
}
.checked();
