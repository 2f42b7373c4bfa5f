//! A cluster of one node against the same cluster of Redis, and what only Moonshard promises.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

use moonshard_tests::resp::{Client, Value};
use moonshard_tests::server::{Kind, Server, temp_dir, under_test_is_redis};

/// A server of a cluster, and what differs between one and the other: its id and its port.
struct Node {
    server: Server,
    client: Client,
    id: String,
}

impl Node {
    fn start(kind: Kind, args: &[&str]) -> Node {
        let server = Server::cluster(kind, 1, args).remove(0);
        let mut client = server.connect();
        let reply = client.ask("CLUSTER MYID");
        let id = String::from_utf8_lossy(reply.value.bytes().unwrap()).into_owned();
        assert!(id.len() == 40 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
        Node { server, client, id }
    }

    /// The reply to a command whose `ME` is the node's id, with the id and the ports taken out.
    fn ask(&mut self, command: &str) -> String {
        let words: Vec<String> = command
            .split(' ')
            .map(|word| if word == "ME" { self.id.clone() } else { word.to_owned() })
            .collect();
        let text = self.client.command(&words).unwrap().text();
        let port = self.server.port();
        text.replace(&self.id, "ME")
            .replace(&port.to_string(), "PORT")
            .replace(&(port + 10_000).to_string(), "BUS")
    }
}

/// Commands with the same reply on both sides.
const SAME: &[&str] = &[
    "CLUSTER",
    "CLUSTER BOGUS",
    "CLUSTER HELP",
    "CLUSTER HELP x",
    "CLUSTER INFO",
    "CLUSTER MYID",
    "CLUSTER NODES",
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CLUSTER LINKS",
    "CLUSTER SLOTS x",
    "CLUSTER KEYSLOT foo",
    "CLUSTER KEYSLOT {foo}bar",
    "CLUSTER KEYSLOT",
    "CLUSTER REPLICAS ME",
    "CLUSTER SLAVES ME",
    "CLUSTER REPLICAS 0123",
    "CLUSTER SLAVES 0123",
    "CLUSTER COUNT-FAILURE-REPORTS ME",
    "CLUSTER COUNT-FAILURE-REPORTS x",
    "CLUSTER ADDSLOTS 1",
    "CLUSTER ADDSLOTS 1 x",
    "CLUSTER ADDSLOTS 16384",
    "CLUSTER ADDSLOTS -1",
    "CLUSTER ADDSLOTSRANGE 1",
    "CLUSTER ADDSLOTSRANGE 1 2 3",
    "CLUSTER ADDSLOTSRANGE 7 9",
    "CLUSTER ADDSLOTSRANGE 9 7",
    "CLUSTER ADDSLOTSRANGE 7 x",
    "CLUSTER DELSLOTS x",
    "CLUSTER DELSLOTSRANGE 1 2 3",
    "CLUSTER DELSLOTSRANGE 3 2",
    "CLUSTER SETSLOT 1 STABLE",
    "CLUSTER SETSLOT 1 NODE ME",
    "CLUSTER SETSLOT 1 NODE x",
    "CLUSTER SETSLOT 1 MIGRATING x",
    "CLUSTER SETSLOT 1 IMPORTING ME",
    "CLUSTER SETSLOT x STABLE",
    "CLUSTER SETSLOT 1 BOGUS",
    "CLUSTER SETSLOT 1 STABLE x",
    "CLUSTER MEET 127.0.0.1 x",
    "CLUSTER MEET 127.0.0.1 1 x",
    "CLUSTER MEET 127.0.0.1 1 2 3",
    "CLUSTER FORGET ME",
    "CLUSTER FORGET x",
    "CLUSTER REPLICATE ME",
    "CLUSTER REPLICATE x",
    "CLUSTER FAILOVER",
    "CLUSTER FAILOVER FORCE",
    "CLUSTER FAILOVER x",
    "CLUSTER FAILOVER FORCE x",
    "CLUSTER RESET x",
    "CLUSTER RESET HARD x",
    "CLUSTER SAVECONFIG",
    "CLUSTER COUNTKEYSINSLOT 0",
    "CLUSTER COUNTKEYSINSLOT 16384",
    "CLUSTER COUNTKEYSINSLOT -1",
    "CLUSTER COUNTKEYSINSLOT x",
    "CLUSTER GETKEYSINSLOT 0 10",
    "CLUSTER GETKEYSINSLOT 0 -1",
    "CLUSTER GETKEYSINSLOT 16384 1",
    "CLUSTER GETKEYSINSLOT x 1",
    "CLUSTER GETKEYSINSLOT 1 x",
    "SET {a}1 x",
    "SET {a}2 x",
    "SET {a}3 x EX 1000",
    "HSET {b}1 f v",
    "CLUSTER COUNTKEYSINSLOT 15495",
    "CLUSTER GETKEYSINSLOT 15495 0",
    "CLUSTER COUNTKEYSINSLOT 3300",
    "CLUSTER GETKEYSINSLOT 3300 100",
    "CLUSTER FLUSHSLOTS",
    "CLUSTER RESET",
    "CLUSTER RESET HARD",
    "DEL {a}1",
    "CLUSTER COUNTKEYSINSLOT 15495",
    "RENAME {a}2 {a}4",
    "GETDEL {a}4",
    "PEXPIRE {a}3 -1",
    "CLUSTER COUNTKEYSINSLOT 15495",
    "CLUSTER GETKEYSINSLOT 15495 100",
    "FLUSHALL",
    "CLUSTER COUNTKEYSINSLOT 3300",
    "MSET a 1 b 2",
    "MGET a b",
    "MSET {a}1 1 {a}2 2",
    "MGET {a}1 {a}2",
    "DEL a b",
    "RENAME a b",
    "SUNIONSTORE a b c",
    "EVAL return(1) 2 a b",
    "EVAL return(KEYS[1]) 1 a",
    "SELECT 0",
    "SELECT 1",
    "SELECT x",
    "SELECT 99999999999",
    "MOVE a 1",
    "COPY {a}1 {a}9 DB 1",
    "COPY {a}1 {a}9 DB 0",
    "SWAPDB 0 1",
    "READONLY",
    "READWRITE",
    "ASKING",
    "READONLY x",
    "CONFIG GET cluster-enabled",
    "CLUSTER BUMPEPOCH",
    "CLUSTER BUMPEPOCH",
    "CLUSTER SET-CONFIG-EPOCH -1",
    "CLUSTER SET-CONFIG-EPOCH x",
    "CLUSTER SET-CONFIG-EPOCH 9",
    "CLUSTER INFO",
    "CLUSTER NODES",
    "CONFIG SET cluster-announce-hostname node.example",
    "CLUSTER NODES",
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CONFIG SET cluster-preferred-endpoint-type hostname",
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CONFIG SET cluster-preferred-endpoint-type unknown-endpoint",
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CONFIG SET cluster-preferred-endpoint-type ip cluster-announce-hostname node2.example",
    "CLUSTER SHARDS",
    "CONFIG SET cluster-announce-ip 198.51.100.3 cluster-announce-port 7001 cluster-announce-bus-port 7002",
    "CLUSTER NODES",
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CONFIG SET cluster-replica-no-failover yes",
    "CLUSTER NODES",
    "RPUSH {t}l 2 1",
    "SORT {t}l",
    "SORT {t}l BY nosort",
    "SORT {t}l BY {t}w_*",
    "SORT {t}l GET #",
    "SORT_RO {t}l GET {t}w_*",
    "SORT {t}l STORE {t}d",
    "SORT {t}l STORE other",
    "SORT {t}l BY w_* STORE other",
    "MIGRATE 127.0.0.1 1 {t}missing 0 100",
    "DEL {t}l {t}d",
];

#[test]
fn one_node_answers_as_redis_does() {
    for protocol in ["HELLO 2", "HELLO 3"] {
        let mut ours = Node::start(Kind::Moonshard, &["--shards", "4"]);
        let mut theirs = Node::start(Kind::Redis, &[]);
        ours.client.ask(protocol);
        theirs.client.ask(protocol);
        let differ: Vec<String> = SAME
            .iter()
            .filter_map(|command| {
                let (a, b) = (ours.ask(command), theirs.ask(command));
                (a != b).then(|| format!("{command}\n  Moonshard: {a:?}\n  Redis:     {b:?}"))
            })
            .collect();
        assert!(differ.is_empty(), "{protocol}: {} differences\n{}", differ.len(), differ.join("\n"));
    }
}

#[test]
fn without_a_cluster_its_commands_say_so() {
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    for command in ["ASKING", "READONLY", "READWRITE", "CLUSTER", "CLUSTER BOGUS", "CLUSTER SLOTS x"] {
        assert_eq!(ours.ask(command).text(), theirs.ask(command).text(), "{command}");
    }
    for command in SAME.iter().filter(|command| command.starts_with("CLUSTER ")) {
        assert_eq!(ours.ask(command).text(), theirs.ask(command).text(), "{command}");
    }
}

#[test]
fn a_clients_own_way_to_the_node_is_the_address_it_is_told() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::start(Kind::Moonshard, &["--shards", "4", "--cluster-enabled", "yes"]);
    let mut client = server.connect();
    let slots = client.ask("CLUSTER SLOTS").text();
    let expected = format!("*4\r\n$9\r\n127.0.0.1\r\n:{}\r\n$40\r\n", server.port());
    assert!(slots.starts_with(&format!("*1\r\n*3\r\n:0\r\n:16383\r\n{expected}")), "{slots}");
    let nodes = client.ask("CLUSTER NODES").text();
    assert!(nodes.contains(&format!(" 127.0.0.1:{}@", server.port())), "{nodes}");
}

#[test]
fn the_node_keeps_its_ids_over_a_restart() {
    if under_test_is_redis() {
        return;
    }
    let dir = temp_dir();
    let file = dir.join("nodes.conf");
    let args = ["--shards", "4", "--cluster-enabled", "yes", "--cluster-config-file", file.to_str().unwrap()];
    let ids = |server: &Server| {
        let mut client = server.connect();
        (client.ask("CLUSTER MYID").text(), client.ask("CLUSTER MYSHARDID").text())
    };
    let server = Server::start(Kind::Moonshard, &args);
    let before = ids(&server);
    assert_ne!(before.0, before.1);
    drop(server);
    assert_eq!(ids(&Server::start(Kind::Moonshard, &args)), before);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_would_change_the_slots_is_refused_and_changes_nothing() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::cluster(Kind::Moonshard, 1, &["--shards", "4"]).remove(0);
    let mut client = server.connect();
    let before = client.ask("CLUSTER NODES").text();
    let refused = [
        "CLUSTER DELSLOTS 1",
        "CLUSTER DELSLOTSRANGE 1 2",
        "CLUSTER FLUSHSLOTS",
        "CLUSTER RESET",
        "CLUSTER RESET HARD",
        "CLUSTER MEET 127.0.0.1 7000",
    ];
    for command in refused {
        assert!(client.ask(command).text().starts_with("-ERR "), "{command}");
    }
    assert_eq!(client.ask("CLUSTER NODES").text(), before);
}

#[test]
fn keys_of_a_slot_are_all_found() {
    let server = Server::cluster(Kind::Moonshard, 1, &["--shards", "4"]).remove(0);
    let mut client = server.connect();
    for n in 0..500 {
        client.ask(&format!("SET {{a}}{n} x"));
        client.ask(&format!("SET other{n} x"));
    }
    assert_eq!(client.ask("CLUSTER COUNTKEYSINSLOT 15495").value, Value::Int(500));
    let keys = |client: &mut Client, count: usize| {
        let reply = client.ask(&format!("CLUSTER GETKEYSINSLOT 15495 {count}")).value;
        let mut keys: Vec<Vec<u8>> =
            reply.items().unwrap().iter().map(|key| key.bytes().unwrap().to_vec()).collect();
        keys.sort();
        keys.dedup();
        keys
    };
    assert_eq!(keys(&mut client, 7).len(), 7);
    let all = keys(&mut client, 1000);
    assert_eq!(all.len(), 500);
    assert!(all.iter().all(|key| key.starts_with(b"{a}")));
}

#[test]
fn redis_cli_finds_the_cluster_complete() {
    let server = Server::cluster(Kind::Moonshard, 1, &["--shards", "4"]).remove(0);
    let address = format!("127.0.0.1:{}", server.port());
    let output = Command::new("redis-cli").args(["--cluster", "check", &address]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("[OK] All nodes agree about slots configuration."), "{text}");
    assert!(text.contains("[OK] All 16384 slots covered."), "{text}");
}
