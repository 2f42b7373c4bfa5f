#![allow(clippy::unwrap_used)]

use super::*;
use moonshard_engine::Rng;
use std::path::PathBuf;

/// A directory of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("moonshard-cluster-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn settings(&self) -> Settings {
        let file = self.0.join("nodes.conf").to_string_lossy().into_owned();
        Settings { cluster_config_file: file.into_bytes().into(), ..Settings::default() }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ids(seed: u64) -> (NodeId, NodeId) {
    let mut random = Rng::new(seed);
    (NodeId::random(&mut random), NodeId::random(&mut random))
}

fn open(settings: &Settings, seed: u64) -> Result<Cluster, OpenError> {
    let (id, shard_id) = ids(seed);
    Cluster::open(settings, id, shard_id)
}

#[test]
fn a_node_is_the_same_after_a_restart() {
    let folder = Folder::new("restart");
    let settings = folder.settings();
    let first = open(&settings, 1).unwrap();
    assert_eq!(first.bump_epoch(), (1, true));
    assert_eq!(first.bump_epoch(), (1, false));
    first.save(&settings).unwrap();
    let before = first.topology(&settings, None);
    drop(first);
    let second = open(&settings, 2).unwrap();
    assert_eq!(second.topology(&settings, None), before);
    assert_eq!(second.id, ids(1).0);
    assert_eq!(second.set_config_epoch(7), Err(EpochIsSet));
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn two_servers_cannot_be_the_same_node() {
    let folder = Folder::new("twice");
    let settings = folder.settings();
    let first = open(&settings, 1).unwrap();
    assert!(matches!(open(&settings, 2), Err(OpenError::InUse(_))));
    first.save(&settings).unwrap();
    assert!(matches!(open(&settings, 2), Err(OpenError::InUse(_))));
    drop(first);
    assert!(open(&settings, 2).is_ok());
}

#[test]
fn a_file_of_redis_is_taken_over_and_others_are_refused() {
    let folder = Folder::new("foreign");
    let settings = folder.settings();
    let write = |text: String| std::fs::write(folder.0.join("nodes.conf"), text).unwrap();
    let id = ids(5).0;
    write(format!(
        "{id} :0@0 myself,master - 0 0 3 connected 0-16383\nvars currentEpoch 4 lastVoteEpoch 2\n\n\n"
    ));
    let cluster = open(&settings, 1).unwrap();
    assert_eq!((cluster.id, cluster.topology(&settings, None).current_epoch), (id, 4));
    assert_eq!(cluster.topology(&settings, None).me().config_epoch, 3);
    drop(cluster);
    write(format!("{id} 10.0.0.1:1@2 master - 0 0 3 connected 0-16383\n"));
    assert!(matches!(open(&settings, 1), Err(OpenError::OtherNodes(_))));
    for text in ["nonsense\n".to_owned(), format!("{id} :0@0 myself\n"), "vars currentEpoch x\n".to_owned()] {
        write(text.clone());
        assert!(matches!(open(&settings, 1), Err(OpenError::Corrupted { .. })), "{text}");
    }
    write(String::new());
    assert_eq!(open(&settings, 9).unwrap().id, ids(9).0);
}

#[test]
fn without_a_place_to_write_the_node_has_the_id_it_was_given() {
    let settings =
        Settings { cluster_config_file: b"/nonexistent/nodes.conf".as_slice().into(), ..Settings::default() };
    let cluster = open(&settings, 3).unwrap();
    assert_eq!(cluster.id, ids(3).0);
    assert!(cluster.save(&settings).is_err());
}

#[test]
fn who_asks_is_told_the_address_he_used_unless_one_is_announced() {
    let folder = Folder::new("address");
    let mut settings = folder.settings();
    let cluster = open(&settings, 1).unwrap();
    let address = |settings: &Settings, at: Option<&str>| {
        cluster.topology(settings, at.map(|at| at.parse().unwrap())).me().address.clone()
    };
    let seen = address(&settings, Some("[::ffff:192.0.2.7]:7000"));
    assert_eq!((seen.ip.as_str(), seen.port, seen.bus_port), ("192.0.2.7", 7000, 16379));
    assert_eq!(address(&settings, Some("[2001:db8::1]:7000")).ip, "2001:db8::1");
    assert_eq!((address(&settings, None).ip.as_str(), address(&settings, None).port), ("", 6379));
    settings.cluster_announce_ip = Some(b"198.51.100.1".as_slice().into());
    settings.cluster_announce_port = 7777;
    settings.cluster_announce_bus_port = 8888;
    settings.cluster_announce_hostname = Some(b"node.example".as_slice().into());
    let announced =
        Address { ip: "198.51.100.1".into(), port: 7777, bus_port: 8888, hostname: "node.example".into() };
    assert_eq!(address(&settings, Some("192.0.2.7:7000")), announced);
    let topology = cluster.topology(&settings, None);
    let line =
        format!("{} 198.51.100.1:7777@8888,node.example myself,master - 0 0 0 connected 0-16383", cluster.id);
    assert_eq!(topology.line(topology.me()), line);
}

#[test]
fn many_nodes_are_told_in_the_order_of_their_slots() {
    let node = |seed: u64, role: Role, slots: &[(u16, u16)]| Node {
        id: ids(seed).0,
        shard_id: ids(seed).1,
        role,
        address: Address::default(),
        slots: slots.iter().map(|&(first, last)| SlotRange { first, last }).collect(),
        config_epoch: seed,
        replication_offset: 0,
        failed: seed == 3,
        no_failover: false,
    };
    let nodes = vec![
        node(1, Role::Primary, &[(100, 199), (300, 300)]),
        node(2, Role::Primary, &[(0, 99)]),
        node(3, Role::Replica(ids(1).0), &[]),
    ];
    let topology = Topology { nodes, me: 1, current_epoch: 3 };
    let firsts: Vec<u16> = topology.ranges().iter().map(|(range, _)| range.first).collect();
    assert_eq!(firsts, [0, 100, 300]);
    assert_eq!(topology.replicas(ids(1).0).count(), 1);
    assert_eq!(topology.slots_where(|_| true), 201);
    let replica = format!("{} :0@0 slave,fail {} 0 0 3 disconnected", ids(3).0, ids(1).0);
    assert_eq!(topology.line(&topology.nodes[2]), replica);
    assert!(topology.line(&topology.nodes[0]).ends_with(" master - 0 0 1 connected 100-199 300"));
}
