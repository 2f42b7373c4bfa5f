//! What the comparison with Redis cannot show: events, what is replayed, keys that go, lists of several shards.

use crate::testing::Engine;

#[test]
fn every_change_is_told_once_and_nothing_else_is() {
    let mut engine = Engine::listening(1);
    for (command, told) in [
        ("LPUSHX l a", ""),
        ("RPUSH l a b c d e f g", "rpush l"),
        ("LPUSH l z", "lpush l"),
        ("RPUSHX l h", "rpush l"),
        ("LSET l 0 y", "lset l"),
        ("LSET l 99 y", ""),
        ("LINSERT l BEFORE a x", "linsert l"),
        ("LINSERT l AFTER none x", ""),
        ("LREM l 0 none", ""),
        ("LREM l 0 x", "lrem l"),
        ("LRANGE l 0 -1", ""),
        ("LPOS l a", ""),
        ("LPOP l", "lpop l"),
        ("RPOP l 2", "rpop l"),
        ("LPOP l 0", ""),
        ("LMPOP 2 none l LEFT", "lpop l"),
        ("LMOVE l l LEFT RIGHT", "rpush l, lpop l"),
        ("LTRIM l 0 2", "ltrim l"),
        ("LTRIM l 0 2", "ltrim l"),
        ("RPOPLPUSH l other", "lpush other, rpop l"),
        ("RPOP l 9", "rpop l, del l"),
        ("LMOVE other l RIGHT LEFT", "lpush l, rpop other, del other"),
        ("LREM l 1 e", "lrem l, del l"),
        ("RPUSH l a", "rpush l"),
        ("LTRIM l 5 9", "ltrim l, del l"),
        ("RPOPLPUSH none l", ""),
    ] {
        engine.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(engine.told(), told, "{command}");
    }
    assert_eq!(engine.shards[0].databases[0].table.len(), 0);
}

#[test]
fn a_pop_from_one_of_several_keys_is_replayed_as_a_pop_from_that_key() {
    let mut engine = Engine::listening(4);
    engine.run(&["RPUSH", "l", "a", "b", "c"]);
    assert_eq!(
        engine.run(&["LMPOP", "2", "none", "l", "RIGHT", "COUNT", "9"]),
        "*2\r\n$1\r\nl\r\n*3\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n"
    );
    assert_eq!(engine.replayed(), "RPUSH l a b c, RPOP l 3");
}

#[test]
fn elements_move_between_shards_as_they_are() {
    let mut engine = Engine::new(16);
    let long = "x".repeat(20_000);
    let elements = ["12", "", "-7", "text", "007", &long];
    for element in elements {
        engine.run(&["RPUSH", "from", element]);
    }
    for element in elements {
        let expected = format!("${}\r\n{element}\r\n", element.len());
        assert_eq!(engine.run(&["LMOVE", "from", "to", "LEFT", "RIGHT"]), expected);
        assert_eq!(engine.run(&["LINDEX", "to", "-1"]), expected);
    }
    assert_eq!(engine.run(&["LLEN", "from"]), ":0\r\n");
}

#[test]
fn nothing_is_taken_when_the_destination_is_no_list() {
    let mut engine = Engine::listening(16);
    engine.run(&["RPUSH", "from", "a"]);
    engine.run(&["SET", "to", "v"]);
    engine.told();
    assert!(engine.run(&["LMOVE", "from", "to", "LEFT", "RIGHT"]).starts_with("-WRONGTYPE"));
    assert_eq!((engine.run(&["LLEN", "from"]).as_str(), engine.told().as_str()), (":1\r\n", ""));
}
