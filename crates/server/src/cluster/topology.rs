//! The nodes of a cluster and their slots at one moment.

use super::NodeId;
use std::fmt::{self, Write};

/// Slots in a row, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl SlotRange {
    /// How many slots it has.
    pub const fn count(self) -> usize {
        self.last as usize - self.first as usize + 1
    }
}

impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// What a node is in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves the shard's slots.
    Primary,
    /// It follows the node of this id.
    Replica(NodeId),
}

/// How a node is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The IP address; empty when it is not known.
    pub ip: String,
    /// The port for clients.
    pub port: u16,
    /// The port for nodes.
    pub bus_port: u16,
    /// The host name; empty when none is announced.
    pub hostname: String,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// The id that it shares with the other nodes of its slots.
    pub shard_id: NodeId,
    /// What it is.
    pub role: Role,
    /// How it is reached.
    pub address: Address,
    /// The slots that it serves, ascending, ranges apart.
    pub slots: Vec<SlotRange>,
    /// The version of its slots.
    pub config_epoch: u64,
    /// How far it is in its shard's stream of changes, in bytes.
    pub replication_offset: u64,
    /// Whether the cluster agrees that it has failed.
    pub failed: bool,
    /// Whether it will not take its primary's place by itself.
    pub no_failover: bool,
}

impl Node {
    /// Whether it serves slots of its own.
    pub const fn is_primary(&self) -> bool {
        matches!(self.role, Role::Primary)
    }

    /// The number of its slots.
    pub fn slot_count(&self) -> usize {
        self.slots.iter().map(|range| range.count()).sum()
    }
}

/// The cluster at one moment, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// All known nodes.
    pub nodes: Vec<Node>,
    /// This node's place among them.
    pub me: usize,
    /// The greatest epoch known.
    pub current_epoch: u64,
}

impl Topology {
    /// This node.
    pub fn me(&self) -> &Node {
        &self.nodes[self.me]
    }

    /// The node of this id.
    pub fn node(&self, id: &[u8]) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id.as_bytes() == id)
    }

    /// The nodes that serve slots of their own.
    pub fn primaries(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_primary())
    }

    /// The nodes that follow this one.
    pub fn replicas(&self, of: NodeId) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.role == Role::Replica(of))
    }

    /// Every range of slots that is served, ascending, with its primary.
    pub fn ranges(&self) -> Vec<(SlotRange, &Node)> {
        let of = |node| move |range: &SlotRange| (*range, node);
        let mut ranges: Vec<_> = self.primaries().flat_map(|node| node.slots.iter().map(of(node))).collect();
        ranges.sort_unstable_by_key(|(range, _)| *range);
        ranges
    }

    /// The slots of nodes that `are` so.
    pub fn slots_where(&self, are: impl Fn(&Node) -> bool) -> usize {
        self.primaries().filter(|node| are(node)).map(Node::slot_count).sum()
    }

    /// A node's line in CLUSTER NODES, without a line end.
    pub fn line(&self, node: &Node) -> String {
        self.line_with(node, "")
    }

    /// A node's line with `more` at the end of its address.
    pub(super) fn line_with(&self, node: &Node, more: &str) -> String {
        let Address { ip, port, bus_port, hostname } = &node.address;
        let mut line = format!("{} {ip}:{port}@{bus_port}", node.id);
        if !hostname.is_empty() || !more.is_empty() {
            let _ = write!(line, ",{hostname}");
        }
        line.push_str(more);
        line.push(' ');
        if node.id == self.me().id {
            line.push_str("myself,");
        }
        line.push_str(if node.is_primary() { "master" } else { "slave" });
        if node.failed {
            line.push_str(",fail");
        }
        if node.no_failover {
            line.push_str(",nofailover");
        }
        let _ = match node.role {
            Role::Primary => write!(line, " -"),
            Role::Replica(of) => write!(line, " {of}"),
        };
        let link = if node.failed { "disconnected" } else { "connected" };
        let _ = write!(line, " 0 0 {} {link}", node.config_epoch);
        for range in &node.slots {
            let _ = write!(line, " {range}");
        }
        line
    }
}
