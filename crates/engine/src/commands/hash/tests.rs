//! What the comparison with Redis cannot show: events, what is replayed, keys that go.

use crate::testing::Engine;
use moonshard_protocol::Encoding;

#[test]
fn every_change_is_told_once_and_nothing_else_is() {
    let mut engine = Engine::listening(1);
    for (command, told) in [
        ("HSET h a 1 b 2", "hset h"),
        ("HSET h a 1", "hset h"),
        ("HMSET h c x", "hset h"),
        ("HSETNX h a 2", ""),
        ("HSETNX h d 4", "hset h"),
        ("HINCRBY h a 5", "hincrby h"),
        ("HINCRBY h c 5", ""),
        ("HINCRBYFLOAT h a 0.5", "hincrbyfloat h"),
        ("HGETALL h", ""),
        ("HRANDFIELD h 2", ""),
        ("HSCAN h 0", ""),
        ("HDEL h none", ""),
        ("HDEL none a", ""),
        ("HDEL h a b", "hdel h"),
        ("HDEL h c d e", "hdel h, del h"),
    ] {
        engine.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(engine.told(), told, "{command}");
    }
    assert_eq!(engine.shards[0].databases[0].table.len(), 0);
}

#[test]
fn a_refused_command_makes_no_key() {
    let mut engine = Engine::listening(1);
    for command in ["HINCRBY h f x", "HINCRBYFLOAT h f inf", "HSET h f", "HRANDFIELD h x"] {
        let reply = engine.run(&command.split(' ').collect::<Vec<_>>());
        assert!(reply.starts_with("-ERR"), "{command}: {reply}");
    }
    assert_eq!(engine.shards[0].databases[0].table.len(), 0);
    assert_eq!(engine.told(), "");
}

#[test]
fn a_sum_of_floats_is_replayed_as_its_result() {
    let mut engine = Engine::listening(1);
    engine.run(&["HINCRBYFLOAT", "h", "f", "10.5"]);
    engine.run(&["HINCRBYFLOAT", "h", "f", "0.1"]);
    assert_eq!(engine.replayed(), "HSET h f 10.5, HSET h f 10.6");
}

#[test]
fn drawn_fields_have_their_values_beside_them() {
    let mut engine = Engine::new(1);
    engine.run(&["HSET", "h", "a", "1"]);
    assert_eq!(
        engine.run(&["HRANDFIELD", "h", "-2", "WITHVALUES"]),
        "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\n1\r\n"
    );
    engine.encoding = Encoding::Resp3;
    assert_eq!(engine.run(&["HRANDFIELD", "h", "5", "WITHVALUES"]), "*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
}

#[test]
fn a_scan_of_a_table_shows_every_field() {
    let mut engine = Engine::new(1);
    for i in 0..2_000 {
        engine.run(&["HSET", "h", &format!("field:{i}"), "v"]);
    }
    let (mut cursor, mut fields, mut calls) = ("0".to_owned(), std::collections::BTreeSet::new(), 0);
    loop {
        let reply = engine.run(&["HSCAN", "h", &cursor, "MATCH", "field:*", "COUNT", "50"]);
        let lines: Vec<&str> = reply.split("\r\n").collect();
        cursor = lines[2].to_owned();
        fields.extend(lines.iter().filter(|line| line.starts_with("field:")).map(ToString::to_string));
        calls += 1;
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(fields.len(), 2_000);
    assert!((10..=40).contains(&calls), "{calls} calls of 50 fields");
}
