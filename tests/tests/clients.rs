//! Clients and tools that other people wrote, against a server alone and against a cluster of one node.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use moonshard_tests::corpus;
use moonshard_tests::programs::{node, output, python, run};
use moonshard_tests::server::{Kind, Server};

fn alone() -> Server {
    Server::moonshard(16, &[])
}

/// A cluster of so many nodes; none while Moonshard has no clusters of so many.
fn cluster(nodes: usize) -> Option<Vec<Server>> {
    let missing = corpus::is_not_yet("cluster") || (nodes > 1 && !nodes_meet());
    (!missing).then(|| Server::cluster(Kind::Moonshard, nodes, &["--shards", "16"]))
}

/// Whether a cluster can have several nodes.
fn nodes_meet() -> bool {
    let node = Server::cluster(Kind::Moonshard, 1, &["--shards", "16"]).remove(0);
    let refusal = node.connect().ask("CLUSTER MEET 127.0.0.1 1").error();
    !refusal.unwrap_or_default().contains("one node so far")
}

#[test]
fn node_redis_alone() {
    node("node_redis.mjs", &alone(), &["standalone"]);
}

#[test]
fn node_redis_alone_in_resp3() {
    node("node_redis.mjs", &alone(), &["standalone", "3"]);
}

#[test]
fn node_redis_in_a_cluster() {
    let Some(nodes) = cluster(1) else { return };
    node("node_redis.mjs", &nodes[0], &["cluster"]);
}

#[test]
fn ioredis_alone() {
    node("ioredis.mjs", &alone(), &["standalone"]);
}

#[test]
fn ioredis_in_a_cluster() {
    let Some(nodes) = cluster(1) else { return };
    node("ioredis.mjs", &nodes[0], &["cluster"]);
}

#[test]
fn redis_py_alone() {
    python("redis_py.py", &alone(), &["standalone"]);
}

#[test]
fn redis_py_alone_in_resp3() {
    python("redis_py.py", &alone(), &["standalone", "3"]);
}

#[test]
fn redis_py_in_a_cluster() {
    let Some(nodes) = cluster(1) else { return };
    python("redis_py.py", &nodes[0], &["cluster"]);
}

const GET_AND_SET: &str =
    "local old = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return old";

fn redis_cli(server: &Server, args: &[&str]) -> String {
    let port = server.port().to_string();
    let mut all = vec!["-p", port.as_str()];
    all.extend_from_slice(args);
    output(Path::new("redis-cli"), &all)
}

#[test]
fn redis_cli_runs_a_script() {
    let server = alone();
    assert_eq!(redis_cli(&server, &["--no-raw", "EVAL", GET_AND_SET, "1", "k", "one"]), "(nil)\n");
    assert_eq!(redis_cli(&server, &["--no-raw", "EVAL", GET_AND_SET, "1", "k", "two"]), "\"one\"\n");
    assert_eq!(redis_cli(&server, &["-3", "--no-raw", "HSET", "h", "f", "v"]), "(integer) 1\n");
    assert_eq!(redis_cli(&server, &["-3", "--no-raw", "HGETALL", "h"]), "1# \"f\" => \"v\"\n");
    assert_eq!(redis_cli(&server, &["--no-raw", "GET", "h"]).split(' ').next(), Some("(error)"));
    assert_eq!(redis_cli(&server, &["--scan", "--pattern", "k*"]), "k\n");
}

#[test]
fn redis_cli_in_a_cluster() {
    let Some(nodes) = cluster(1) else { return };
    let server = &nodes[0];
    assert_eq!(redis_cli(server, &["-c", "--no-raw", "EVAL", GET_AND_SET, "1", "k", "one"]), "(nil)\n");
    assert_eq!(redis_cli(server, &["-c", "--no-raw", "EVAL", GET_AND_SET, "1", "k", "two"]), "\"one\"\n");
    assert_eq!(redis_cli(server, &["-c", "GET", "k"]), "two\n");
}

#[test]
fn redis_cli_over_a_unix_socket() {
    let dir = moonshard_tests::server::temp_dir();
    let socket = dir.join("socket");
    let _server = Server::moonshard(4, &["--unixsocket", socket.to_str().unwrap()]);
    assert_eq!(output(Path::new("redis-cli"), &["-s", socket.to_str().unwrap(), "PING"]), "PONG\n");
    std::fs::remove_dir_all(dir).unwrap();
}

/// Runs redis-benchmark and holds that it measured what it was asked for, without an error from the server.
fn benchmark(server: &Server, args: &[&str], reports: usize) {
    let port = server.port().to_string();
    let mut all = vec!["-p", port.as_str(), "-q"];
    all.extend_from_slice(args);
    let output = run(Path::new("redis-benchmark"), &all);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).replace('\r', "\n");
    assert!(output.status.success(), "redis-benchmark {args:?} failed:\n{text}");
    assert!(!text.to_lowercase().contains("error"), "redis-benchmark {args:?}:\n{text}");
    let found = text.lines().filter(|line| line.contains("requests per second")).count();
    assert!(found >= reports, "redis-benchmark {args:?} printed {found} reports, not {reports}:\n{text}");
}

#[test]
fn redis_benchmark_alone() {
    let server = alone();
    let tests =
        "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange,mset";
    benchmark(&server, &["-n", "2000", "-t", tests], 16);
    benchmark(&server, &["-n", "20000", "-P", "16", "-r", "1000", "-t", "set,get"], 2);
    benchmark(&server, &["-n", "20000", "-P", "16", "--threads", "2", "-t", "set,get"], 2);
    benchmark(&server, &["-n", "2000", "-c", "10", "-d", "100000", "-t", "set,get"], 2);
    benchmark(&server, &["-n", "2000", "-3", "-t", "set,get"], 2);
}

#[test]
fn redis_benchmark_in_a_cluster() {
    // Of a cluster of one node it says that it is invalid.
    let Some(nodes) = cluster(2) else { return };
    let server = &nodes[0];
    let script = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])";
    let sha = redis_cli(server, &["SCRIPT", "LOAD", script]);
    assert_eq!(redis_cli(&nodes[1], &["SCRIPT", "LOAD", script]), sha);
    benchmark(server, &["-n", "2000", "--cluster", "-t", "set,get"], 2);
    benchmark(server, &["-n", "5000", "-P", "16", "--threads", "2", "--cluster", "-t", "set,get"], 2);
    let key = "key:{tag}:__rand_int__";
    benchmark(server, &["-n", "5000", "-r", "1000", "--cluster", "EVALSHA", sha.trim(), "1", key, "x"], 1);
    for node in &nodes {
        assert_ne!(redis_cli(node, &["DBSIZE"]), "0\n");
    }
}

#[test]
fn redis_benchmark_runs_scripts() {
    let server = alone();
    let script = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])";
    let sha = redis_cli(&server, &["SCRIPT", "LOAD", script]);
    let key = "key:{tag}:__rand_int__";
    benchmark(&server, &["-n", "5000", "-P", "16", "-r", "1000", "EVALSHA", sha.trim(), "1", key, "x"], 1);
    let spread = "key:__rand_int__";
    benchmark(&server, &["-n", "5000", "-P", "16", "-r", "1000", "EVALSHA", sha.trim(), "1", spread, "x"], 1);
}
