//! CLUSTER, and what a client says about redirections: READONLY, READWRITE, ASKING.

use super::Call;
use crate::clients::flag;
use crate::cluster::{Cluster, EpochIsSet, Node, NodeId, Topology};
use crate::config::EndpointType;
use moonshard_engine::Error;
use moonshard_engine::command::ClusterCommand;
use moonshard_engine::slot::{SLOTS, shard_of_slot, slot};
use moonshard_protocol::Reply;
use moonshard_store::number::parse_i64;

/// What would change which node serves what.
const FIXED_SLOTS: Error =
    Error::fixed("ERR This node serves all slots by itself: its slots cannot be changed or moved");
const ONE_NODE: Error = Error::fixed("ERR A cluster has one node so far: others cannot be met or followed");

impl Call<'_, '_> {
    /// Runs a subcommand of CLUSTER.
    ///
    /// # Errors
    /// What the client is answered.
    pub(super) async fn run_cluster(&mut self, command: ClusterCommand) -> Result<(), Error> {
        use ClusterCommand as Sub;
        let server = self.server.clone();
        let cluster = server.cluster.as_ref().ok_or(Error::CLUSTER_DISABLED)?;
        let topology = cluster.topology(self.settings, self.session.client.local_ip);
        match command {
            Sub::AddSlots => self.add_slots(&topology),
            Sub::AddSlotsRange => self.add_slots_range(&topology),
            Sub::BumpEpoch => self.bump_epoch(cluster),
            Sub::CountFailureReports => self.count_failure_reports(&topology),
            Sub::CountKeysInSlot => self.count_keys_in_slot().await,
            Sub::DelSlots => self.del_slots(),
            Sub::DelSlotsRange => self.del_slots_range(),
            Sub::Failover => self.failover(),
            Sub::FlushSlots => self.flush_slots().await,
            Sub::Forget => self.forget(&topology),
            Sub::GetKeysInSlot => self.get_keys_in_slot().await,
            Sub::Info => self.cluster_info(&topology),
            // It is linked with no other.
            Sub::Links => {
                self.reply.array(0);
                Ok(())
            }
            Sub::Meet => self.meet(),
            Sub::MyId => self.tell(topology.me().id),
            Sub::MyShardId => self.tell(topology.me().shard_id),
            Sub::Nodes => self.cluster_nodes(&topology),
            Sub::Replicas => self.replicas(&topology),
            Sub::Replicate => self.replicate(&topology),
            Sub::Reset => self.cluster_reset().await,
            Sub::SaveConfig => self.save_config(cluster),
            Sub::SetConfigEpoch => self.set_config_epoch(cluster),
            Sub::SetSlot => self.set_slot(&topology),
            Sub::Shards => self.cluster_shards(&topology),
            Sub::Slots => self.cluster_slots(&topology),
        }
    }

    fn tell(&mut self, id: NodeId) -> Result<(), Error> {
        self.reply.bulk(id.as_bytes());
        Ok(())
    }

    fn cluster_slots(&mut self, topology: &Topology) -> Result<(), Error> {
        let ranges = topology.ranges();
        self.reply.array(ranges.len());
        for (range, primary) in ranges {
            // Replicas that have not got their data yet cannot answer.
            let replicas =
                topology.replicas(primary.id).filter(|node| !node.failed && node.replication_offset > 0);
            let replicas: Vec<&Node> = replicas.collect();
            self.reply.array(3 + replicas.len());
            self.reply.int(range.first.into());
            self.reply.int(range.last.into());
            for node in std::iter::once(primary).chain(replicas) {
                write_slot_node(self.reply, node, self.settings.cluster_preferred_endpoint_type);
            }
        }
        Ok(())
    }

    fn cluster_shards(&mut self, topology: &Topology) -> Result<(), Error> {
        self.reply.array(topology.primaries().count());
        for primary in topology.primaries() {
            self.reply.map(2);
            self.reply.bulk(b"slots");
            self.reply.array(primary.slots.len() * 2);
            for range in &primary.slots {
                self.reply.int(range.first.into());
                self.reply.int(range.last.into());
            }
            self.reply.bulk(b"nodes");
            self.reply.array(1 + topology.replicas(primary.id).count());
            for node in std::iter::once(primary).chain(topology.replicas(primary.id)) {
                write_shard_node(self.reply, node, self.settings.cluster_preferred_endpoint_type);
            }
        }
        Ok(())
    }

    fn cluster_nodes(&mut self, topology: &Topology) -> Result<(), Error> {
        let lines: String = topology.nodes.iter().map(|node| topology.line(node) + "\n").collect();
        self.reply.verbatim(b"txt", lines.as_bytes());
        Ok(())
    }

    fn cluster_info(&mut self, topology: &Topology) -> Result<(), Error> {
        let assigned = topology.slots_where(|_| true);
        let failed = topology.slots_where(|node| node.failed);
        let ok = assigned == usize::from(SLOTS) && failed == 0;
        let size = topology.primaries().filter(|node| !node.slots.is_empty()).count();
        let text = format!(
            "cluster_state:{}\r\ncluster_slots_assigned:{assigned}\r\ncluster_slots_ok:{}\r\n\
             cluster_slots_pfail:0\r\ncluster_slots_fail:{failed}\r\ncluster_known_nodes:{}\r\n\
             cluster_size:{size}\r\ncluster_current_epoch:{}\r\ncluster_my_epoch:{}\r\n\
             cluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n\
             total_cluster_links_buffer_limit_exceeded:0\r\n",
            if ok { "ok" } else { "fail" },
            assigned - failed,
            topology.nodes.len(),
            topology.current_epoch,
            topology.me().config_epoch,
        );
        self.reply.verbatim(b"txt", text.as_bytes());
        Ok(())
    }

    fn replicas(&mut self, topology: &Topology) -> Result<(), Error> {
        let node = self.known_node(topology, 2)?;
        if !node.is_primary() {
            return Err(Error::fixed("ERR The specified node is not a master"));
        }
        self.reply.array(topology.replicas(node.id).count());
        for replica in topology.replicas(node.id) {
            self.reply.bulk(topology.line(replica).as_bytes());
        }
        Ok(())
    }

    fn count_failure_reports(&mut self, topology: &Topology) -> Result<(), Error> {
        self.known_node(topology, 2)?;
        self.reply.int(0);
        Ok(())
    }

    /// The node whose id is the argument at `index`.
    fn known_node<'t>(&self, topology: &'t Topology, index: usize) -> Result<&'t Node, Error> {
        let id = self.args.raw(index);
        topology.node(id).ok_or_else(|| quoting("ERR Unknown node ", id))
    }

    async fn count_keys_in_slot(&mut self) -> Result<(), Error> {
        let slot = self.args.int(2)?;
        let slot = as_slot(slot).ok_or(Error::fixed("ERR Invalid slot"))?;
        let index = shard_of_slot(slot, self.server.shards.len());
        let keys = self.lock(&[index]).await?.shard(index).map_or(0, |shard| shard.keys_in_slot(slot));
        self.reply.count(keys);
        Ok(())
    }

    /// Costs a walk over the slot's shard, up to the last key that is found: the slot's keys are nowhere together.
    async fn get_keys_in_slot(&mut self) -> Result<(), Error> {
        let (wanted, count) = (self.args.int(2)?, self.args.int(3)?);
        let invalid = Error::fixed("ERR Invalid slot or number of keys");
        let (Some(wanted), Ok(count)) = (as_slot(wanted), usize::try_from(count)) else {
            return Err(invalid);
        };
        let index = shard_of_slot(wanted, self.server.shards.len());
        let mut found = Vec::new();
        if let Some(shard) = self.lock(&[index]).await?.shard(index) {
            let count = count.min(shard.keys_in_slot(wanted));
            if count > 0 {
                let keys = shard.databases[0].table().iter().map(|entry| entry.key());
                found.extend(keys.filter(|key| slot(key) == wanted).take(count).map(<[u8]>::to_vec));
            }
        }
        self.reply.array(found.len());
        found.iter().for_each(|key| self.reply.bulk(key));
        Ok(())
    }

    /// The slot that the argument at `index` names.
    fn slot_at(&self, index: usize) -> Result<u16, Error> {
        parse_i64(self.args.raw(index))
            .and_then(as_slot)
            .ok_or(Error::fixed("ERR Invalid or out of range slot"))
    }

    /// The ranges that the arguments name in pairs; each is checked by `check` as soon as it is read.
    fn each_range(&self, check: impl Fn(u16, u16) -> Result<(), Error>) -> Result<(), Error> {
        if self.args.len() % 2 == 1 {
            return Err(Error::wrong_arity(&self.entry.full_name));
        }
        for at in (2..self.args.len()).step_by(2) {
            let (first, last) = (self.slot_at(at)?, self.slot_at(at + 1)?);
            if first > last {
                return Err(Error::text(format!(
                    "ERR start slot number {first} is greater than end slot number {last}"
                )));
            }
            check(first, last)?;
        }
        Ok(())
    }

    fn add_slots(&mut self, topology: &Topology) -> Result<(), Error> {
        for at in 2..self.args.len() {
            self.slot_at(at)?;
        }
        for at in 2..self.args.len() {
            let slot = self.slot_at(at)?;
            check_free(topology, slot, slot)?;
        }
        Err(FIXED_SLOTS)
    }

    fn add_slots_range(&mut self, topology: &Topology) -> Result<(), Error> {
        self.each_range(|first, last| check_free(topology, first, last))?;
        Err(FIXED_SLOTS)
    }

    fn del_slots(&mut self) -> Result<(), Error> {
        for at in 2..self.args.len() {
            self.slot_at(at)?;
        }
        Err(FIXED_SLOTS)
    }

    fn del_slots_range(&mut self) -> Result<(), Error> {
        self.each_range(|_, _| Ok(()))?;
        Err(FIXED_SLOTS)
    }

    async fn flush_slots(&mut self) -> Result<(), Error> {
        if self.has_keys().await? {
            return Err(Error::fixed("ERR DB must be empty to perform CLUSTER FLUSHSLOTS."));
        }
        Err(FIXED_SLOTS)
    }

    async fn cluster_reset(&mut self) -> Result<(), Error> {
        match self.args.len() {
            2 => {}
            3 if self.args.is(2, "HARD") || self.args.is(2, "SOFT") => {}
            3 => return Err(Error::SYNTAX),
            _ => return Err(self.wrong_subcommand()),
        }
        if self.has_keys().await? {
            return Err(Error::fixed("ERR CLUSTER RESET can't be called with master nodes containing keys"));
        }
        Err(FIXED_SLOTS)
    }

    /// Whether there is any key.
    async fn has_keys(&mut self) -> Result<bool, Error> {
        Ok(self.lock_every().await?.shards().iter().any(|shard| !shard.is_empty()))
    }

    fn set_slot(&mut self, topology: &Topology) -> Result<(), Error> {
        let slot = self.slot_at(2)?;
        let mine = topology.me().slots.iter().any(|range| (range.first..=range.last).contains(&slot));
        let to_node = self.args.len() == 5;
        let node = || {
            let id = self.args.raw(4);
            topology.node(id).ok_or_else(|| quoting("ERR I don't know about node ", id))
        };
        if self.args.is(3, "MIGRATING") && to_node {
            if !mine {
                return Err(Error::text(format!("ERR I'm not the owner of hash slot {slot}")));
            }
            node()?;
            return Err(FIXED_SLOTS);
        }
        if self.args.is(3, "IMPORTING") && to_node {
            if mine {
                return Err(Error::text(format!("ERR I'm already the owner of hash slot {slot}")));
            }
            node()?;
            return Err(FIXED_SLOTS);
        }
        // What is so already.
        if self.args.is(3, "STABLE") && self.args.len() == 4 {
            self.reply.ok();
            return Ok(());
        }
        if self.args.is(3, "NODE") && to_node {
            if mine && self.known_node(topology, 4)?.id == topology.me().id {
                self.reply.ok();
                return Ok(());
            }
            return Err(FIXED_SLOTS);
        }
        Err(Error::fixed("ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP"))
    }

    fn meet(&mut self) -> Result<(), Error> {
        if self.args.len() > 5 {
            return Err(self.wrong_subcommand());
        }
        let port = |index, text| match self.args.get(index) {
            Some(port) if parse_i64(port).is_none() => Err(quoting(text, port)),
            _ => Ok(()),
        };
        port(3, "ERR Invalid TCP base port specified: ")?;
        port(4, "ERR Invalid TCP bus port specified: ")?;
        Err(ONE_NODE)
    }

    fn forget(&mut self, topology: &Topology) -> Result<(), Error> {
        if self.known_node(topology, 2)?.id == topology.me().id {
            return Err(Error::fixed("ERR I tried hard but I can't forget myself..."));
        }
        Err(ONE_NODE)
    }

    fn replicate(&mut self, topology: &Topology) -> Result<(), Error> {
        if self.known_node(topology, 2)?.id == topology.me().id {
            return Err(Error::fixed("ERR Can't replicate myself"));
        }
        Err(ONE_NODE)
    }

    fn failover(&mut self) -> Result<(), Error> {
        match self.args.len() {
            2 => {}
            3 if self.args.is(2, "FORCE") || self.args.is(2, "TAKEOVER") => {}
            3 => return Err(Error::SYNTAX),
            _ => return Err(self.wrong_subcommand()),
        }
        Err(Error::fixed("ERR You should send CLUSTER FAILOVER to a replica"))
    }

    fn bump_epoch(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let (epoch, bumped) = cluster.bump_epoch();
        self.keep(cluster)?;
        self.reply.status(&format!("{} {epoch}", if bumped { "BUMPED" } else { "STILL" }));
        Ok(())
    }

    fn set_config_epoch(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let epoch = self.args.int(2)?;
        let Ok(new) = u64::try_from(epoch) else {
            return Err(Error::text(format!("ERR Invalid config epoch specified: {epoch}")));
        };
        let is_set = |EpochIsSet| Error::fixed("ERR Node config epoch is already non-zero");
        cluster.set_config_epoch(new).map_err(is_set)?;
        self.keep(cluster)?;
        self.reply.ok();
        Ok(())
    }

    fn save_config(&mut self, cluster: &Cluster) -> Result<(), Error> {
        self.keep(cluster)?;
        self.reply.ok();
        Ok(())
    }

    fn keep(&self, cluster: &Cluster) -> Result<(), Error> {
        let failed = |error| Error::text(format!("ERR error saving the cluster node config: {error}"));
        cluster.save(self.settings).map_err(failed)
    }

    pub(super) fn readonly(&mut self, on: bool) -> Result<(), Error> {
        if self.server.cluster.is_none() {
            return Err(Error::CLUSTER_DISABLED);
        }
        self.session.client.set_flag(flag::READONLY, on);
        self.reply.ok();
        Ok(())
    }

    /// No slot is ever on its way here, so there is nothing that the next command could be let through to.
    pub(super) fn asking(&mut self) -> Result<(), Error> {
        if self.server.cluster.is_none() {
            return Err(Error::CLUSTER_DISABLED);
        }
        self.reply.ok();
        Ok(())
    }
}

fn as_slot(number: i64) -> Option<u16> {
    u16::try_from(number).ok().filter(|&slot| slot < SLOTS)
}

fn quoting(text: &str, bytes: &[u8]) -> Error {
    let mut line = text.as_bytes().to_vec();
    line.extend_from_slice(bytes);
    Error::bytes(line)
}

/// Whether nobody serves any of these slots.
fn check_free(topology: &Topology, first: u16, last: u16) -> Result<(), Error> {
    let served = topology.ranges().into_iter().find(|(range, _)| range.first <= last && first <= range.last);
    match served {
        Some((range, _)) => Err(Error::text(format!("ERR Slot {} is already busy", first.max(range.first)))),
        None => Ok(()),
    }
}

/// A node in CLUSTER SLOTS: the endpoint that clients are to use, and what else is known of it.
fn write_slot_node(reply: &mut Reply, node: &Node, preferred: EndpointType) {
    let address = &node.address;
    let (by_ip, by_hostname) = (preferred == EndpointType::Ip, preferred == EndpointType::Hostname);
    reply.array(4);
    match preferred {
        EndpointType::Ip => reply.bulk(address.ip.as_bytes()),
        EndpointType::Hostname => reply.bulk(hostname_or_unknown(&address.hostname)),
        EndpointType::UnknownEndpoint => reply.null(),
    }
    reply.int(address.port.into());
    reply.bulk(node.id.as_bytes());
    let tell_hostname = !by_hostname && !address.hostname.is_empty();
    reply.map(usize::from(!by_ip) + usize::from(tell_hostname));
    if !by_ip {
        reply.bulk(b"ip");
        reply.bulk(address.ip.as_bytes());
    }
    if tell_hostname {
        reply.bulk(b"hostname");
        reply.bulk(address.hostname.as_bytes());
    }
}

/// A node in CLUSTER SHARDS.
fn write_shard_node(reply: &mut Reply, node: &Node, preferred: EndpointType) {
    let address = &node.address;
    let endpoint = match preferred {
        EndpointType::Ip => address.ip.as_bytes(),
        EndpointType::Hostname => hostname_or_unknown(&address.hostname),
        EndpointType::UnknownEndpoint => b"",
    };
    let loading = !node.is_primary() && node.replication_offset == 0;
    let (has_port, has_hostname) = (address.port != 0, !address.hostname.is_empty());
    reply.map(6 + usize::from(has_port) + usize::from(has_hostname));
    let text = |reply: &mut Reply, name: &str, value: &[u8]| {
        reply.bulk(name.as_bytes());
        reply.bulk(value);
    };
    text(reply, "id", node.id.as_bytes());
    if has_port {
        reply.bulk(b"port");
        reply.int(address.port.into());
    }
    text(reply, "ip", address.ip.as_bytes());
    text(reply, "endpoint", endpoint);
    if has_hostname {
        text(reply, "hostname", address.hostname.as_bytes());
    }
    text(reply, "role", if node.is_primary() { b"master" } else { b"replica" });
    reply.bulk(b"replication-offset");
    reply.int(node.replication_offset as i64);
    let health: &[u8] = match (node.failed, loading) {
        (true, _) => b"fail",
        (false, true) => b"loading",
        (false, false) => b"online",
    };
    text(reply, "health", health);
}

fn hostname_or_unknown(hostname: &str) -> &[u8] {
    if hostname.is_empty() { b"?" } else { hostname.as_bytes() }
}
