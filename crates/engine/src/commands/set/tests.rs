//! What the comparison with Redis cannot show: events, what is replayed, keys that go, sets of several shards.

use crate::testing::Engine;
use std::collections::BTreeMap;

fn run(engine: &mut Engine, command: &str) -> String {
    engine.run(&command.split(' ').collect::<Vec<_>>())
}

#[test]
fn every_change_is_told_once_and_nothing_else_is() {
    let mut engine = Engine::listening(1);
    for (command, told) in [
        ("SADD s 1 2 3", "sadd s"),
        ("SADD s 1", ""),
        ("SREM s 9", ""),
        ("SREM s 1", "srem s"),
        ("SMOVE s t 2", "srem s, sadd t"),
        ("SMOVE s t 2", ""),
        ("SADD s 2", "sadd s"),
        ("SMOVE s t 2", "srem s"),
        ("SMOVE t t 2", ""),
        ("SMOVE s t 3", "srem s, del s, sadd t"),
        ("SUNION s t", ""),
        ("SINTERSTORE d t t", "sinterstore d"),
        ("SUNIONSTORE d s t", "sunionstore d"),
        ("SDIFFSTORE d t s", "sdiffstore d"),
        ("SDIFFSTORE d t t", "del d"),
        ("SDIFFSTORE d t t", ""),
        ("SRANDMEMBER t 5", ""),
        ("SPOP t 0", ""),
        ("SPOP t", "spop t"),
        ("SPOP t 5", "spop t, del t"),
        ("SPOP t", ""),
        ("SADD s a", "sadd s"),
        ("SREM s a b", "srem s, del s"),
    ] {
        run(&mut engine, command);
        assert_eq!(engine.told(), told, "{command}");
    }
    assert_eq!(engine.shards[0].databases[0].table.len(), 0);
}

#[test]
fn what_chance_took_is_replayed_by_name() {
    for members in ["1 2 3 4 5", "a b c d e"] {
        let mut engine = Engine::listening(1);
        let mut copy = Engine::new(1);
        run(&mut engine, &format!("SADD s {members}"));
        run(&mut copy, &format!("SADD s {members}"));
        engine.replayed();
        for command in ["SPOP s", "SPOP s 2", "SPOP s 2"] {
            run(&mut engine, command);
            let replayed = engine.replayed();
            assert!(replayed.starts_with("SREM s ") || replayed == "DEL s", "{command}: {replayed}");
            match replayed.strip_prefix("SREM s ") {
                Some(_) => run(&mut copy, &replayed),
                None => run(&mut copy, "SPOP s 9"),
            };
            for member in members.split(' ') {
                let question = format!("SISMEMBER s {member}");
                assert_eq!(run(&mut engine, &question), run(&mut copy, &question), "{command} {member}");
            }
        }
    }
}

#[test]
fn draws_are_even() {
    let mut engine = Engine::new(1);
    run(&mut engine, "SADD s 0 1 2 3 4 5 6 7 8 9");
    let mut drawn = BTreeMap::new();
    let reply = run(&mut engine, "SRANDMEMBER s -10000");
    for member in reply.split("\r\n").skip(2).step_by(2).filter(|member| !member.is_empty()) {
        *drawn.entry(member.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(drawn.len(), 10);
    assert!(drawn.values().all(|&times| (800..1_200).contains(&times)), "{drawn:?}");
}

#[test]
fn operations_over_several_shards_store_their_result() {
    let mut engine = Engine::new(16);
    for i in 0..8 {
        // Each has all members but one; so many that neither side of the choice in a difference goes unused.
        let members: Vec<String> = (0..40).filter(|member| member % 8 != i).map(|m| m.to_string()).collect();
        run(&mut engine, &format!("SADD s{i} x{i} {}", members.join(" ")));
    }
    let keys = "s0 s1 s2 s3 s4 s5 s6 s7";
    assert_eq!(run(&mut engine, &format!("SUNIONSTORE u {keys}")), ":48\r\n");
    assert_eq!(run(&mut engine, &format!("SINTERSTORE i {keys}")), ":0\r\n");
    assert_eq!(run(&mut engine, "SINTERSTORE i s0 s1 s2 s3 s4 s5 s6"), ":5\r\n");
    assert_eq!(run(&mut engine, "SINTERCARD 7 s0 s1 s2 s3 s4 s5 s6 LIMIT 3"), ":3\r\n");
    assert_eq!(run(&mut engine, &format!("SDIFFSTORE d {keys}")), ":1\r\n");
    assert_eq!(run(&mut engine, "SMEMBERS d"), "*1\r\n$2\r\nx0\r\n");
    assert_eq!(run(&mut engine, "SDIFFSTORE d s0 i none"), ":31\r\n");
    assert_eq!(run(&mut engine, "SUNIONSTORE s0 s0 s1"), ":42\r\n");
}

#[test]
fn a_difference_is_the_same_by_either_way() {
    let mut engine = Engine::new(1);
    let many: Vec<String> = (0..300).map(|member| format!("m{member}")).collect();
    run(&mut engine, &format!("SADD first {}", many.join(" ")));
    let mut command = "SDIFFSTORE d first".to_owned();
    for i in 0..10 {
        run(&mut engine, &format!("SADD small{i} m{} other", i * 7));
        command += &format!(" small{i}");
    }
    assert_eq!(run(&mut engine, &command), ":290\r\n");
    assert_eq!(run(&mut engine, "SDIFFSTORE e first small0 small1"), ":298\r\n");
    for i in 0..10 {
        assert_eq!(run(&mut engine, &format!("SISMEMBER d m{}", i * 7)), ":0\r\n");
    }
    assert_eq!(run(&mut engine, "SISMEMBER d m1"), ":1\r\n");
}
