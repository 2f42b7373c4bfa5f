//! What the comparison with Redis cannot show: events, what is replayed, keys that go, sets of several shards.

use crate::testing::Engine;
use moonshard_protocol::Encoding;

fn run(engine: &mut Engine, command: &str) -> String {
    engine.run(&command.split(' ').collect::<Vec<_>>())
}

#[test]
fn every_change_is_told_once_and_nothing_else_is() {
    let mut engine = Engine::listening(1);
    for (command, told) in [
        ("ZADD z 1 a 2 b 3 c 4 d", "zadd z"),
        ("ZADD z 1 a", ""),
        ("ZADD z 1 a 2 b", ""),
        ("ZADD z XX CH 5 a", "zadd z"),
        ("ZADD z NX 9 a", ""),
        ("ZADD z GT INCR 1 a", "zincr z"),
        ("ZADD z LT INCR 1 a", ""),
        ("ZINCRBY z 0 a", ""),
        ("ZINCRBY z 1 a", "zincr z"),
        ("ZADD none XX 1 a", ""),
        ("ZADD z 1 e x f", ""),
        ("ZRANGE z 0 -1", ""),
        ("ZRANDMEMBER z 2", ""),
        ("ZREM z none", ""),
        ("ZREM z a", "zrem z"),
        ("ZPOPMIN z", "zpopmin z"),
        ("ZPOPMAX z 0", ""),
        ("ZPOPMAX z 1", "zpopmax z"),
        ("ZRANGESTORE d z 0 -1", "zrangestore d"),
        ("ZUNIONSTORE d 1 z", "zunionstore d"),
        ("ZINTERSTORE d 1 z", "zinterstore d"),
        ("ZDIFFSTORE d 1 z", "zdiffstore d"),
        ("ZRANGESTORE d z 5 9", "del d"),
        ("ZRANGESTORE d z 5 9", ""),
        ("ZREMRANGEBYRANK z 5 9", ""),
        ("ZREMRANGEBYRANK z 0 0", "zremrangebyrank z, del z"),
        ("ZADD z 1 a 2 b", "zadd z"),
        ("ZREMRANGEBYSCORE z 1 1", "zremrangebyscore z"),
        ("ZREMRANGEBYLEX z - +", "zremrangebylex z, del z"),
        ("ZADD z 1 a", "zadd z"),
        ("ZMPOP 1 z MAX", "zpopmax z, del z"),
        ("ZADD z 1 a", "zadd z"),
        ("ZREM z a b", "zrem z, del z"),
    ] {
        run(&mut engine, command);
        assert_eq!(engine.told(), told, "{command}");
    }
    assert_eq!(engine.shards[0].databases[0].table.len(), 0);
}

#[test]
fn a_pop_from_one_of_several_keys_is_replayed_as_a_pop_from_that_key() {
    let mut engine = Engine::listening(4);
    run(&mut engine, "ZADD z 1 a 2 b 3 c");
    run(&mut engine, "ZMPOP 2 none z MAX COUNT 2");
    run(&mut engine, "ZMPOP 2 none z MIN COUNT 9");
    assert_eq!(engine.replayed(), "ZADD z 1 a 2 b 3 c, ZPOPMAX z 2, ZPOPMIN z 1");
}

#[test]
fn pairs_are_nested_in_resp3_only_where_redis_nests_them() {
    for (command, resp2, resp3) in [
        ("ZRANGE z 0 0 WITHSCORES", "*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n"),
        ("ZUNION 1 z WITHSCORES", "*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n"),
        ("ZRANDMEMBER z 1 WITHSCORES", "*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n"),
        ("ZPOPMIN z", "*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", "*2\r\n$1\r\na\r\n,1.5\r\n"),
        ("ZPOPMAX z 3", "*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n"),
        (
            "ZMPOP 1 z MIN",
            "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n$3\r\n1.5\r\n",
            "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n",
        ),
        ("ZPOPMIN none", "*0\r\n", "*0\r\n"),
        (
            "ZSCAN z 0",
            "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$3\r\n1.5\r\n",
            "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$3\r\n1.5\r\n",
        ),
    ] {
        for (encoding, expected) in [(Encoding::Resp2, resp2), (Encoding::Resp3, resp3)] {
            let mut engine = Engine::new(1);
            engine.encoding = encoding;
            run(&mut engine, "ZADD z 1.5 a");
            assert_eq!(run(&mut engine, command), expected, "{command} in {encoding:?}");
        }
    }
}

#[test]
fn operations_over_several_shards_take_plain_sets_too() {
    let mut engine = Engine::new(16);
    run(&mut engine, "ZADD z 2 a 3 b 4 7");
    run(&mut engine, "SADD s a c 7");
    run(&mut engine, "ZADD w 10 a 20 d inf 7");
    let scores = |engine: &mut Engine, key: &str| {
        let reply = engine.run(&["ZRANGE", key, "0", "-1", "WITHSCORES"]);
        reply.split("\r\n").skip(2).step_by(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(run(&mut engine, "ZUNIONSTORE to 4 z s w none WEIGHTS 1 2 3 4"), ":5\r\n");
    assert_eq!(scores(&mut engine, "to"), "c 2 b 3 a 34 d 60 7 inf");
    assert_eq!(run(&mut engine, "ZINTERSTORE to 3 z s w AGGREGATE MAX"), ":2\r\n");
    assert_eq!(scores(&mut engine, "to"), "a 10 7 inf");
    assert_eq!(run(&mut engine, "ZDIFFSTORE z 2 z w"), ":1\r\n");
    assert_eq!(scores(&mut engine, "z"), "b 3");
    assert_eq!(run(&mut engine, "ZINTERCARD 2 s w LIMIT 1"), ":1\r\n");
    assert_eq!(run(&mut engine, "ZRANGESTORE w w 0 1 REV"), ":2\r\n");
    assert_eq!(scores(&mut engine, "w"), "d 20 7 inf");
    assert_eq!(run(&mut engine, "ZUNIONSTORE to 2 w w WEIGHTS 1 -1"), ":2\r\n");
    assert_eq!(scores(&mut engine, "to"), "7 0 d 0");
}

#[test]
fn a_difference_is_the_same_by_either_way() {
    let mut engine = Engine::new(1);
    let mut add = "ZADD first".to_owned();
    (0..300).for_each(|i| add += &format!(" {i} m{i}"));
    run(&mut engine, &add);
    let mut command = "ZDIFFSTORE d 11 first".to_owned();
    for i in 0..10 {
        run(&mut engine, &format!("ZADD small{i} 1 m{} 2 other", i * 7));
        command += &format!(" small{i}");
    }
    assert_eq!(run(&mut engine, &command), ":290\r\n");
    assert_eq!(run(&mut engine, "ZDIFFSTORE e 3 first small0 small1"), ":298\r\n");
    assert_eq!(run(&mut engine, "ZCOUNT d 0 63"), ":54\r\n");
    assert_eq!(run(&mut engine, "ZSCORE d m64"), "$2\r\n64\r\n");
}

#[test]
fn a_stored_result_is_small_when_it_fits() {
    let mut engine = Engine::new(1);
    run(&mut engine, "ZADD z 1 a");
    run(&mut engine, "ZUNIONSTORE d 1 z");
    let entry = engine.shards[0].databases[0].table.iter().find(|entry| entry.key() == b"d");
    assert_eq!(entry.and_then(|entry| entry.collection()).map(|c| c.encoding_name()), Some("listpack"));
}

#[test]
fn a_rank_comes_with_its_score_when_asked_for() {
    let mut engine = Engine::new(1);
    run(&mut engine, "ZADD z 1.5 a 2 b");
    assert_eq!(run(&mut engine, "ZRANK z a withscore"), "*2\r\n:0\r\n$3\r\n1.5\r\n");
    assert_eq!(run(&mut engine, "ZREVRANK z a WITHSCORE"), "*2\r\n:1\r\n$3\r\n1.5\r\n");
    assert_eq!(run(&mut engine, "ZRANK z c WITHSCORE"), "*-1\r\n");
    assert_eq!(run(&mut engine, "ZRANK absent c WITHSCORE"), "*-1\r\n");
    engine.encoding = moonshard_protocol::Encoding::Resp3;
    assert_eq!(run(&mut engine, "ZRANK z a WITHSCORE"), "*2\r\n:0\r\n,1.5\r\n");
    assert_eq!(run(&mut engine, "ZRANK z c WITHSCORE"), "_\r\n");
}
