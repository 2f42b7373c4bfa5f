//! redis-rs, alone and as a cluster client.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;

use moonshard_tests::corpus;
use moonshard_tests::server::{Kind, Server};
use redis::cluster::ClusterClient;
use redis::{Client, Commands, ConnectionLike, ErrorKind, RedisError, Script, ServerErrorKind};

const ADD_OR_SET: &str = r"
    local current = redis.call('GET', KEYS[1])
    if current then
      return redis.call('INCRBY', KEYS[1], ARGV[1])
    end
    redis.call('SET', KEYS[1], ARGV[1])
    return tonumber(ARGV[1])";

fn basics(con: &mut impl Commands) {
    let _: () = con.set("rs:a", 1).unwrap();
    assert_eq!(con.get::<_, i64>("rs:a").unwrap(), 1);
    assert_eq!(con.get::<_, Option<i64>>("rs:missing").unwrap(), None);
    assert_eq!(con.incr::<_, _, i64>("rs:a", 41).unwrap(), 42);
    let _: () = con.hset_multiple("rs:h", &[("f", "v"), ("g", "w")]).unwrap();
    let hash: HashMap<String, String> = con.hgetall("rs:h").unwrap();
    assert_eq!(hash.len(), 2);
    assert_eq!(hash["g"], "w");
    assert_eq!(con.rpush::<_, _, usize>("rs:l", &["a", "b"]).unwrap(), 2);
    assert_eq!(con.lrange::<_, Vec<String>>("rs:l", 0, -1).unwrap(), ["a", "b"]);
    assert_eq!(con.zadd::<_, _, _, usize>("rs:z", "m", 1.5).unwrap(), 1);
    assert_eq!(con.zrange_withscores::<_, Vec<(String, f64)>>("rs:z", 0, -1).unwrap(), [("m".into(), 1.5)]);
    let error: RedisError = con.lpush::<_, _, i64>("rs:a", "x").unwrap_err();
    assert_eq!(error.code(), Some("WRONGTYPE"));
}

fn scripts(con: &mut impl ConnectionLike) {
    let script = Script::new(ADD_OR_SET);
    assert_eq!(script.key("rs:counter").arg(5).invoke::<i64>(con).unwrap(), 5);
    assert_eq!(script.key("rs:counter").arg(5).invoke::<i64>(con).unwrap(), 10);
    // A script unknown to the server is loaded by the client when it hears of it.
    let _: () = redis::cmd("SCRIPT").arg("FLUSH").query(con).unwrap();
    assert_eq!(script.key("rs:counter").arg(5).invoke::<i64>(con).unwrap(), 15);
    let unknown = redis::cmd("EVALSHA").arg("0".repeat(40)).arg(1).arg("rs:a").query::<i64>(con).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Server(ServerErrorKind::NoScript));
}

fn alone(protocol: &str) {
    let server = Server::moonshard(16, &[]);
    let client = Client::open(format!("redis://127.0.0.1:{}/?protocol={protocol}", server.port())).unwrap();
    let mut con = client.get_connection().unwrap();
    basics(&mut con);
    scripts(&mut con);
    let mut pipe = redis::pipe();
    for i in 0..200 {
        pipe.set(format!("rs:pipe:{i}"), i).ignore().get(format!("rs:pipe:{i}"));
    }
    assert_eq!(pipe.query::<Vec<i64>>(&mut con).unwrap(), (0..200).collect::<Vec<_>>());
    if !corpus::is_not_yet("multi") {
        let (n, value): (i64, String) =
            redis::pipe().atomic().incr("rs:t", 1).get("rs:t").query(&mut con).unwrap();
        assert_eq!((n, value.as_str()), (1, "1"));
    }
    let found: Vec<String> = con.scan_match("rs:pipe:*").unwrap().map(Result::unwrap).collect();
    assert_eq!(found.len(), 200);
}

#[test]
fn alone_in_resp2() {
    alone("resp2");
}

#[test]
fn alone_in_resp3() {
    alone("resp3");
}

#[test]
fn as_a_cluster_client() {
    if corpus::is_not_yet("cluster") {
        return;
    }
    let nodes = Server::cluster(Kind::Moonshard, 1, &["--shards", "16"]);
    let client = ClusterClient::new([format!("redis://127.0.0.1:{}", nodes[0].port())]).unwrap();
    let mut con = client.get_connection().unwrap();
    basics(&mut con);
    scripts(&mut con);
    for i in 0..200 {
        let _: () = con.set(format!("rs:spread:{i}"), i).unwrap();
    }
    for i in 0..200 {
        assert_eq!(con.get::<_, i64>(format!("rs:spread:{i}")).unwrap(), i);
    }
}
