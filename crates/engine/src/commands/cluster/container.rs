//! CLUSTER. What needs to know the cluster is the server's; the slot of a key is arithmetic.

use crate::command::ClusterCommand;
use crate::commands::prelude::*;
use crate::slot::slot;

pub(super) const CLUSTER: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "A container for cluster commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            &CLUSTER_ADDSLOTS,
            &CLUSTER_ADDSLOTSRANGE,
            &CLUSTER_BUMPEPOCH,
            &CLUSTER_COUNT_FAILURE_REPORTS,
            &CLUSTER_COUNTKEYSINSLOT,
            &CLUSTER_DELSLOTS,
            &CLUSTER_DELSLOTSRANGE,
            &CLUSTER_FAILOVER,
            &CLUSTER_FLUSHSLOTS,
            &CLUSTER_FORGET,
            &CLUSTER_GETKEYSINSLOT,
            &CLUSTER_HELP,
            &CLUSTER_INFO,
            &CLUSTER_KEYSLOT,
            &CLUSTER_LINKS,
            &CLUSTER_MEET,
            &CLUSTER_MYID,
            &CLUSTER_MYSHARDID,
            &CLUSTER_NODES,
            &CLUSTER_REPLICAS,
            &CLUSTER_REPLICATE,
            &CLUSTER_RESET,
            &CLUSTER_SAVECONFIG,
            &CLUSTER_SET_CONFIG_EPOCH,
            &CLUSTER_SETSLOT,
            &CLUSTER_SHARDS,
            &CLUSTER_SLAVES,
            &CLUSTER_SLOTS,
        ],
        ..Meta::new("cluster", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

const CLUSTER_ADDSLOTS: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::AddSlots)),
    meta: Meta {
        args: &[Arg::new("slot", ArgKind::Int).multiple()],
        group: "cluster",
        since: "3.0.0",
        summary: "Assign new hash slots to receiving node",
        complexity: "O(N) where N is the total number of hash slot arguments",
        ..Meta::new(
            "addslots",
            Arity::AtLeast(3),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_ADDSLOTSRANGE: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::AddSlotsRange)),
    meta: Meta {
        args: &[Arg::new("start-slot_end-slot", ArgKind::Block(&[Arg::new("start-slot", ArgKind::Int), Arg::new("end-slot", ArgKind::Int)])).multiple()],
        group: "cluster", since: "7.0.0",
        summary: "Assign new hash slots to receiving node",
        complexity: "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
        ..Meta::new("addslotsrange", Arity::AtLeast(4), Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE), Acl::empty())
    },
}
.checked();

const CLUSTER_BUMPEPOCH: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::BumpEpoch)),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Advance the cluster config epoch",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new(
            "bumpepoch",
            Arity::Exact(2),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_COUNT_FAILURE_REPORTS: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::CountFailureReports)),
    meta: Meta {
        args: &[Arg::new("node-id", ArgKind::String)],
        group: "cluster",
        since: "3.0.0",
        summary: "Return the number of failure reports active for a given node",
        complexity: "O(N) where N is the number of failure reports",
        tips: &["nondeterministic_output"],
        ..Meta::new("count-failure-reports", Arity::Exact(3), Flags::ADMIN.union(Flags::STALE), Acl::empty())
    },
}
.checked();

const CLUSTER_COUNTKEYSINSLOT: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::CountKeysInSlot)),
    meta: Meta {
        args: &[Arg::new("slot", ArgKind::Int)],
        group: "cluster",
        since: "3.0.0",
        summary: "Return the number of local keys in the specified hash slot",
        complexity: "O(1)",
        ..Meta::new("countkeysinslot", Arity::Exact(3), Flags::STALE, Acl::empty())
    },
}
.checked();

const CLUSTER_DELSLOTS: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::DelSlots)),
    meta: Meta {
        args: &[Arg::new("slot", ArgKind::Int).multiple()],
        group: "cluster",
        since: "3.0.0",
        summary: "Set hash slots as unbound in receiving node",
        complexity: "O(N) where N is the total number of hash slot arguments",
        ..Meta::new(
            "delslots",
            Arity::AtLeast(3),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_DELSLOTSRANGE: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::DelSlotsRange)),
    meta: Meta {
        args: &[Arg::new("start-slot_end-slot", ArgKind::Block(&[Arg::new("start-slot", ArgKind::Int), Arg::new("end-slot", ArgKind::Int)])).multiple()],
        group: "cluster", since: "7.0.0",
        summary: "Set hash slots as unbound in receiving node",
        complexity: "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
        ..Meta::new("delslotsrange", Arity::AtLeast(4), Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE), Acl::empty())
    },
}
.checked();

const CLUSTER_FAILOVER: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Failover)),
    meta: Meta {
        args: &[Arg::new(
            "options",
            ArgKind::OneOf(&[Arg::word("force", "FORCE"), Arg::word("takeover", "TAKEOVER")]),
        )
        .optional()],
        group: "cluster",
        since: "3.0.0",
        summary: "Forces a replica to perform a manual failover of its master.",
        complexity: "O(1)",
        ..Meta::new(
            "failover",
            Arity::AtLeast(2),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_FLUSHSLOTS: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::FlushSlots)),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Delete a node's own slots information",
        complexity: "O(1)",
        ..Meta::new(
            "flushslots",
            Arity::Exact(2),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_FORGET: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Forget)),
    meta: Meta {
        args: &[Arg::new("node-id", ArgKind::String)],
        group: "cluster",
        since: "3.0.0",
        summary: "Remove a node from the nodes table",
        complexity: "O(1)",
        ..Meta::new(
            "forget",
            Arity::Exact(3),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_GETKEYSINSLOT: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::GetKeysInSlot)),
    meta: Meta {
        args: &[Arg::new("slot", ArgKind::Int), Arg::new("count", ArgKind::Int)],
        group: "cluster",
        since: "3.0.0",
        summary: "Return local key names in the specified hash slot",
        complexity: "O(log(N)) where N is the number of requested keys",
        tips: &["nondeterministic_output"],
        ..Meta::new("getkeysinslot", Arity::Exact(4), Flags::STALE, Acl::empty())
    },
}
.checked();

const CLUSTER_HELP: Command = Command {
    handler: Handler::Shard(cluster_help),
    meta: Meta {
        group: "cluster",
        since: "5.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::empty())
    },
}
.checked();

const CLUSTER_INFO: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Info)),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Provides info about Redis Cluster node state",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new("info", Arity::Exact(2), Flags::STALE, Acl::empty())
    },
}
.checked();

const CLUSTER_KEYSLOT: Command = Command {
    handler: Handler::Shard(cluster_keyslot),
    meta: Meta {
        args: &[Arg::new("key", ArgKind::String)],
        group: "cluster",
        since: "3.0.0",
        summary: "Returns the hash slot of the specified key",
        complexity: "O(N) where N is the number of bytes in the key",
        ..Meta::new("keyslot", Arity::Exact(3), Flags::STALE, Acl::empty())
    },
}
.checked();

const CLUSTER_LINKS: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Links)),
    meta: Meta {
        group: "cluster",
        since: "7.0.0",
        summary: "Returns a list of all TCP links to and from peer nodes in cluster",
        complexity: "O(N) where N is the total number of Cluster nodes",
        tips: &["nondeterministic_output"],
        ..Meta::new("links", Arity::Exact(2), Flags::STALE, Acl::empty())
    },
}
.checked();

const CLUSTER_MEET: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Meet)),
    meta: Meta {
        args: &[
            Arg::new("ip", ArgKind::String),
            Arg::new("port", ArgKind::Int),
            Arg::new("cluster_bus_port", ArgKind::Int).optional().since("4.0.0"),
        ],
        group: "cluster",
        since: "3.0.0",
        summary: "Force a node cluster to handshake with another node",
        complexity: "O(1)",
        history: &[("4.0.0", "Added the optional `cluster_bus_port` argument.")],
        ..Meta::new(
            "meet",
            Arity::AtLeast(4),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_MYID: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::MyId)),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Return the node id",
        complexity: "O(1)",
        ..Meta::new("myid", Arity::Exact(2), Flags::STALE, Acl::empty())
    },
}
.checked();

// Of Redis 7.2.
const CLUSTER_MYSHARDID: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::MyShardId)),
    meta: Meta {
        group: "cluster",
        since: "7.2.0",
        summary: "Returns the shard ID of a node.",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new("myshardid", Arity::Exact(2), Flags::STALE, Acl::empty())
    },
}
.checked();

const CLUSTER_NODES: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Nodes)),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Get Cluster config for the node",
        complexity: "O(N) where N is the total number of Cluster nodes",
        tips: &["nondeterministic_output"],
        ..Meta::new("nodes", Arity::Exact(2), Flags::STALE, Acl::empty())
    },
}
.checked();

const CLUSTER_REPLICAS: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Replicas)),
    meta: Meta {
        args: &[Arg::new("node-id", ArgKind::String)],
        group: "cluster",
        since: "5.0.0",
        summary: "List replica nodes of the specified master node",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new("replicas", Arity::Exact(3), Flags::ADMIN.union(Flags::STALE), Acl::empty())
    },
}
.checked();

const CLUSTER_REPLICATE: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Replicate)),
    meta: Meta {
        args: &[Arg::new("node-id", ArgKind::String)],
        group: "cluster",
        since: "3.0.0",
        summary: "Reconfigure a node as a replica of the specified master node",
        complexity: "O(1)",
        ..Meta::new(
            "replicate",
            Arity::Exact(3),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_RESET: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Reset)),
    meta: Meta {
        args: &[Arg::new("hard_soft", ArgKind::OneOf(&[Arg::word("hard", "HARD"), Arg::word("soft", "SOFT")])).optional()],
        group: "cluster", since: "3.0.0",
        summary: "Reset a Redis Cluster node",
        complexity: "O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect.",
        ..Meta::new("reset", Arity::AtLeast(2), Flags::ADMIN.union(Flags::STALE).union(Flags::NOSCRIPT), Acl::empty())
    },
}
.checked();

const CLUSTER_SAVECONFIG: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::SaveConfig)),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Forces the node to save cluster state on disk",
        complexity: "O(1)",
        ..Meta::new(
            "saveconfig",
            Arity::Exact(2),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_SET_CONFIG_EPOCH: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::SetConfigEpoch)),
    meta: Meta {
        args: &[Arg::new("config-epoch", ArgKind::Int)],
        group: "cluster",
        since: "3.0.0",
        summary: "Set the configuration epoch in a new node",
        complexity: "O(1)",
        ..Meta::new(
            "set-config-epoch",
            Arity::Exact(3),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_SETSLOT: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::SetSlot)),
    meta: Meta {
        args: &[
            Arg::new("slot", ArgKind::Int),
            Arg::new(
                "subcommand",
                ArgKind::OneOf(&[
                    Arg::new("node-id", ArgKind::String).token("IMPORTING"),
                    Arg::new("node-id", ArgKind::String).token("MIGRATING"),
                    Arg::new("node-id", ArgKind::String).token("NODE"),
                    Arg::word("stable", "STABLE"),
                ]),
            ),
        ],
        group: "cluster",
        since: "3.0.0",
        summary: "Bind a hash slot to a specific node",
        complexity: "O(1)",
        ..Meta::new(
            "setslot",
            Arity::AtLeast(4),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const CLUSTER_SHARDS: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Shards)),
    meta: Meta {
        group: "cluster",
        since: "7.0.0",
        summary: "Get array of cluster slots to node mappings",
        complexity: "O(N) where N is the total number of cluster nodes",
        tips: &["nondeterministic_output"],
        ..Meta::new("shards", Arity::Exact(2), Flags::STALE, Acl::empty())
    },
}
.checked();

const CLUSTER_SLAVES: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Replicas)),
    meta: Meta {
        args: &[Arg::new("node-id", ArgKind::String)],
        group: "cluster",
        since: "3.0.0",
        summary: "List replica nodes of the specified master node",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "5.0.0",
        replaced_by: "`CLUSTER REPLICAS`",
        ..Meta::new("slaves", Arity::Exact(3), Flags::ADMIN.union(Flags::STALE), Acl::empty())
    },
}
.checked();

const CLUSTER_SLOTS: Command = Command {
    handler: Handler::Server(ServerCommand::Cluster(ClusterCommand::Slots)),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Get array of Cluster slot to node mappings",
        complexity: "O(N) where N is the total number of Cluster nodes",
        history: &[("4.0.0", "Added node IDs."), ("7.0.0", "Added additional networking metadata field.")],
        tips: &["nondeterministic_output"],
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "7.0.0",
        replaced_by: "`CLUSTER SHARDS`",
        ..Meta::new("slots", Arity::Exact(2), Flags::STALE, Acl::empty())
    },
}
.checked();

fn check_enabled(cx: &Ctx<'_>) -> Result<(), Error> {
    if cx.settings.cluster { Ok(()) } else { Err(Error::CLUSTER_DISABLED) }
}

fn cluster_keyslot(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    check_enabled(cx)?;
    cx.reply.int(slot(args.raw(2)).into());
    DONE
}

fn cluster_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    check_enabled(cx)?;
    cx.reply.array(HELP.len());
    HELP.iter().for_each(|line| cx.reply.status(line));
    DONE
}

const HELP: &[&str] = &[
    "CLUSTER <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ADDSLOTS <slot> [<slot> ...]",
    "    Assign slots to current node.",
    "ADDSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
    "    Assign slots which are between <start-slot> and <end-slot> to current node.",
    "BUMPEPOCH",
    "    Advance the cluster config epoch.",
    "COUNT-FAILURE-REPORTS <node-id>",
    "    Return number of failure reports for <node-id>.",
    "COUNTKEYSINSLOT <slot>",
    "    Return the number of keys in <slot>.",
    "DELSLOTS <slot> [<slot> ...]",
    "    Delete slots information from current node.",
    "DELSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
    "    Delete slots information which are between <start-slot> and <end-slot> from current node.",
    "FAILOVER [FORCE|TAKEOVER]",
    "    Promote current replica node to being a master.",
    "FORGET <node-id>",
    "    Remove a node from the cluster.",
    "GETKEYSINSLOT <slot> <count>",
    "    Return key names stored by current node in a slot.",
    "FLUSHSLOTS",
    "    Delete current node own slots information.",
    "INFO",
    "    Return information about the cluster.",
    "KEYSLOT <key>",
    "    Return the hash slot for <key>.",
    "MEET <ip> <port> [<bus-port>]",
    "    Connect nodes into a working cluster.",
    "MYID",
    "    Return the node id.",
    "NODES",
    "    Return cluster configuration seen by node. Output format:",
    "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
    "REPLICATE <node-id>",
    "    Configure current node as replica to <node-id>.",
    "RESET [HARD|SOFT]",
    "    Reset current node (default: soft).",
    "SET-CONFIG-EPOCH <epoch>",
    "    Set config epoch of current node.",
    "SETSLOT <slot> (IMPORTING <node-id>|MIGRATING <node-id>|STABLE|NODE <node-id>)",
    "    Set slot state.",
    "REPLICAS <node-id>",
    "    Return <node-id> replicas.",
    "SAVECONFIG",
    "    Force saving cluster configuration on disk.",
    "SLOTS",
    "    Return information about slots range mappings. Each range is made of:",
    "    start, end, master and replicas IP addresses, ports and ids",
    "SHARDS",
    "    Return information about slot range mappings and the nodes associated with them.",
    "LINKS",
    "    Return information about all network links between this node and its peers.",
    "    Output format is an array where each array element is a map containing attributes of a link",
    "HELP",
    "    Prints this help.",
];
