//! What clients do not see.

use crate::testing::Engine;

#[test]
fn only_changes_are_told() {
    let mut engine = Engine::listening(4);
    assert_eq!(engine.run(&["SETBIT", "k", "9", "0"]), ":0\r\n");
    assert_eq!(engine.told(), "setbit k");
    engine.run(&["SETBIT", "k", "9", "0"]);
    engine.run(&["GETBIT", "k", "100"]);
    engine.run(&["BITCOUNT", "missing"]);
    engine.run(&["BITFIELD", "missing", "GET", "u8", "0"]);
    assert_eq!(engine.told(), "");
    assert_eq!(engine.run(&["EXISTS", "missing"]), ":0\r\n");
    engine.run(&["BITFIELD", "k", "SET", "u8", "0", "1", "INCRBY", "u8", "0", "1"]);
    assert_eq!(engine.told(), "setbit k");
    // Nothing is written, but the string has grown: who repeats changes has to know.
    assert_eq!(engine.run(&["BITFIELD", "f", "OVERFLOW", "FAIL", "SET", "u4", "#1", "99"]), "*1\r\n$-1\r\n");
    assert_eq!(engine.told(), "setbit f");
}

#[test]
fn bitop_reaches_over_shards() {
    let mut engine = Engine::listening(16);
    for (key, value) in [("a", "\x0f"), ("b", "33"), ("c", "UUU")] {
        engine.run(&["SET", key, value]);
    }
    engine.told();
    assert_eq!(engine.run(&["BITOP", "OR", "d", "a", "b", "c", "missing"]), ":3\r\n");
    assert_eq!(engine.run(&["GET", "d"]), "$3\r\n\x7fwU\r\n");
    assert_eq!(engine.told(), "set d");
    assert_eq!(engine.run(&["BITOP", "AND", "d", "missing"]), ":0\r\n");
    assert_eq!(engine.told(), "del d");
}

#[test]
fn the_operations_since_redis_8() {
    let mut engine = Engine::new(4);
    for (key, value) in [("x", "\x0f~"), ("y", "3"), ("z", "UU")] {
        engine.run(&["SET", key, value]);
    }
    for (operation, expected) in [("DIFF", "\x08*"), ("diff1", "p\x01"), ("ANDOR", "\x07T"), ("One", "h+")] {
        assert_eq!(engine.run(&["BITOP", operation, "d", "x", "y", "z"]), ":2\r\n");
        assert_eq!(engine.run(&["GET", "d"]), format!("$2\r\n{expected}\r\n"), "{operation}");
    }
    for operation in ["diff", "DIFF1", "AndOr"] {
        assert_eq!(
            engine.run(&["BITOP", operation, "d", "x"]),
            format!(
                "-ERR BITOP {} must be called with at least two source keys.\r\n",
                operation.to_ascii_uppercase()
            )
        );
    }
    assert_eq!(engine.run(&["BITOP", "ONE", "d", "x"]), ":2\r\n");
}

#[test]
fn the_last_bit_of_the_longest_string_takes_no_memory_before_it() {
    let mut engine = Engine::new(1);
    assert_eq!(engine.run(&["SETBIT", "k", "4294967295", "1"]), ":0\r\n");
    assert_eq!(engine.run(&["STRLEN", "k"]), ":536870912\r\n");
}
