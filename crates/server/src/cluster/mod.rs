//! The cluster: which nodes there are and which slots each serves, as this node sees it.
//!
//! Commands read a [`Topology`] and know nothing of where it comes from. Today it is this node alone, which serves
//! every slot; what it is across restarts (its ids and epochs) is [`Cluster`], kept in `cluster-config-file`.

mod config_file;
mod node_id;
mod topology;

pub use config_file::OpenError;
pub use node_id::NodeId;
pub use topology::{Address, Node, Role, SlotRange, Topology};

use crate::config::Settings;
use config_file::ConfigFile;
use moonshard_engine::slot::SLOTS;
use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;

/// The bus port of a node whose configuration names none is its port and this.
const BUS_PORT_OFFSET: u16 = 10_000;

/// Versions of the configuration of slots, by which nodes agree on the latest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    /// The greatest known in the cluster.
    pub current: u64,
    /// This node's.
    pub config: u64,
    /// The last in which this node voted.
    pub last_vote: u64,
}

/// This node as a member of a cluster.
pub struct Cluster {
    id: NodeId,
    shard_id: NodeId,
    epochs: Mutex<Epochs>,
    file: Mutex<ConfigFile>,
}

/// Why an epoch cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochIsSet;

impl Cluster {
    /// This node as `cluster-config-file` describes it, or a new one with these ids, which is then written there.
    /// A file that cannot be written is warned about: the node has another id after a restart.
    ///
    /// # Errors
    /// When another server uses the file, or it says what this server cannot be.
    pub fn open(settings: &Settings, id: NodeId, shard_id: NodeId) -> Result<Self, OpenError> {
        let (file, kept) = ConfigFile::open(&settings.cluster_config_file)?;
        let (id, shard_id, epochs) = match kept {
            Some(kept) => (kept.id, kept.shard_id.unwrap_or(shard_id), kept.epochs),
            None => (id, shard_id, Epochs::default()),
        };
        let cluster = Self { id, shard_id, epochs: Mutex::new(epochs), file: Mutex::new(file) };
        match cluster.save(settings) {
            Ok(()) => tracing::info!(%id, "cluster node"),
            Err(error) => {
                tracing::warn!(%error, %id, "cluster-config-file cannot be written: the id will not last")
            }
        }
        Ok(cluster)
    }

    /// The cluster at this moment. `asked_at` is the address by which the one who asks reached this node: where no
    /// address is announced, it is the one that works for him.
    pub fn topology(&self, settings: &Settings, asked_at: Option<SocketAddr>) -> Topology {
        let epochs = *self.epochs.lock();
        let me = Node {
            id: self.id,
            shard_id: self.shard_id,
            role: Role::Primary,
            address: announced(settings, asked_at),
            slots: vec![SlotRange { first: 0, last: SLOTS - 1 }],
            config_epoch: epochs.config,
            replication_offset: 0,
            failed: false,
            no_failover: settings.cluster_replica_no_failover,
        };
        Topology { nodes: vec![me], me: 0, current_epoch: epochs.current }
    }

    /// Writes `cluster-config-file`, atomically.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, settings: &Settings) -> io::Result<()> {
        let topology = self.topology(settings, None);
        let epochs = *self.epochs.lock();
        self.file.lock().write(&topology, epochs)
    }

    /// Makes this node's configuration the latest. Returns its epoch, and whether it was not the latest before.
    pub fn bump_epoch(&self) -> (u64, bool) {
        let mut epochs = self.epochs.lock();
        let latest = epochs.current.max(epochs.config);
        let bumped = epochs.config == 0 || epochs.config != latest;
        if bumped {
            epochs.current = latest + 1;
            epochs.config = epochs.current;
        }
        (epochs.config, bumped)
    }

    /// Gives a new node its first epoch.
    ///
    /// # Errors
    /// When it has one.
    pub fn set_config_epoch(&self, epoch: u64) -> Result<(), EpochIsSet> {
        let mut epochs = self.epochs.lock();
        if epochs.config != 0 {
            return Err(EpochIsSet);
        }
        epochs.config = epoch;
        epochs.current = epochs.current.max(epoch);
        Ok(())
    }
}

/// How others reach this node.
fn announced(settings: &Settings, asked_at: Option<SocketAddr>) -> Address {
    let text =
        |value: &Option<Box<[u8]>>| value.as_deref().map(|text| String::from_utf8_lossy(text).into_owned());
    let seen = asked_at.map(|at| at.ip().to_canonical().to_string());
    let listened = asked_at.map_or(settings.port, |at| at.port());
    let or = |port: u16, other: u16| if port == 0 { other } else { port };
    Address {
        ip: text(&settings.cluster_announce_ip).or(seen).unwrap_or_default(),
        port: or(settings.cluster_announce_port, listened),
        bus_port: or(
            settings.cluster_announce_bus_port,
            or(settings.cluster_port, settings.port.saturating_add(BUS_PORT_OFFSET)),
        ),
        hostname: text(&settings.cluster_announce_hostname).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
