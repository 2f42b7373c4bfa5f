//! Commands and options that are newer than the Redis that the corpus compares with: the replies are those of their
//! documentation.

use crate::testing::Engine;

/// Runs commands of words that a space parts, and compares their replies without line ends.
fn check(engine: &mut Engine, steps: &[(&str, &str)]) {
    for (line, expected) in steps {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(engine.run(&words).replace("\r\n", " ").trim_end(), *expected, "{line}");
    }
}

#[test]
fn set_compares_the_present_value() {
    let mut engine = Engine::new(4);
    check(
        &mut engine,
        &[
            ("SET k new IFEQ old", "$-1"),
            ("SET k new IFDEQ b6acb9d84a38ff74", "$-1"),
            ("EXISTS k", ":0"),
            ("SET k one IFNE old", "+OK"),
            ("SET k two IFEQ other", "$-1"),
            ("SET k two ifeq one EX 100", "+OK"),
            ("TTL k", ":100"),
            ("SET k three IFEQ two KEEPTTL GET", "$3 two"),
            ("TTL k", ":100"),
            ("SET k four GET IFEQ two", "$5 three"),
            ("GET k", "$5 three"),
            ("SET k four IFNE three", "$-1"),
            ("SET absent x IFNE y GET", "$-1"),
            ("GET absent", "$1 x"),
            ("LPUSH list a", ":1"),
            ("SET list x IFEQ a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("SET k x IFEQ", "-ERR syntax error"),
            ("SET k x NX IFEQ a", "-ERR syntax error"),
            ("SET k x IFEQ a XX", "-ERR syntax error"),
            ("SET k x IFEQ a IFNE b", "-ERR syntax error"),
        ],
    );
    engine.run(&["SET", "k", "Hello world"]);
    check(
        &mut engine,
        &[
            ("SET k v IFDNE b6acb9d84a38ff74", "$-1"),
            ("SET k v IFDEQ 0000000000000000", "$-1"),
            ("SET k v IFDEQ 123", "-ERR must be exactly 16 hexadecimal characters"),
            ("SET k v IFDEQ B6ACB9D84A38FF74", "+OK"),
            ("GET k", "$1 v"),
        ],
    );
}

#[test]
fn digests_of_strings_only() {
    let mut engine = Engine::new(1);
    engine.run(&["SET", "k", "Hello world"]);
    check(
        &mut engine,
        &[
            ("DIGEST k", "$16 b6acb9d84a38ff74"),
            ("DIGEST absent", "$-1"),
            ("LPUSH list a", ":1"),
            ("DIGEST list", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ],
    );
}

#[test]
fn deletion_under_a_condition() {
    let mut engine = Engine::listening(1);
    check(
        &mut engine,
        &[
            ("DELEX absent", ":0"),
            ("DELEX absent IFNE x", ":0"),
            ("SET k v", "+OK"),
            ("DELEX k IFEQ w", ":0"),
            ("DELEX k IFNE v", ":0"),
            ("DELEX k IFDEQ 0000000000000000", ":0"),
            ("DELEX k IFDEQ 1", "-ERR must be exactly 16 hexadecimal characters"),
            ("DELEX k IFXX v", "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"),
            ("DELEX k IFEQ", "-ERR wrong number of arguments for 'delex' command"),
            ("DELEX k IFEQ v w", "-ERR wrong number of arguments for 'delex' command"),
            ("LPUSH list a", ":1"),
            ("DELEX list IFEQ a", "-ERR Key should be of string type if conditions are specified"),
            ("DELIFEQ list a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("DELIFEQ k w", ":0"),
            ("DELIFEQ absent w", ":0"),
        ],
    );
    engine.told();
    check(
        &mut engine,
        &[("DELEX k IFEQ v", ":1"), ("DELEX list", ":1"), ("SET k w", "+OK"), ("DELIFEQ k w", ":1")],
    );
    assert_eq!(engine.told(), "del k, del list, set k, del k");
    assert_eq!(engine.replayed(), "DEL k, DEL list, DEL k");
}

#[test]
fn several_keys_are_set_with_one_expiry() {
    let mut engine = Engine::new(4);
    check(
        &mut engine,
        &[
            ("MSETEX 2 a 1 b 2 EX 100", ":1"),
            ("TTL a", ":100"),
            ("MSETEX 2 a 3 c 4 NX", ":0"),
            ("MSETEX 2 a 3 c 4 XX", ":0"),
            ("MGET a b c", "*3 $1 1 $1 2 $-1"),
            ("MSETEX 2 a 3 b 4 KEEPTTL XX", ":1"),
            ("PTTL b", ":100000"),
            ("MSETEX 1 a 5", ":1"),
            ("TTL a", ":-1"),
            ("MSETEX 2 d 1 e 2 nx px 500", ":1"),
            ("PTTL e", ":500"),
            ("MSETEX 1 a 5 PXAT 1700000000100", ":1"),
            ("PTTL a", ":100"),
            ("MSETEX 0 a 5", "-ERR invalid numkeys value"),
            ("MSETEX x a 5", "-ERR invalid numkeys value"),
            ("MSETEX 9223372036854775807 a 5", "-ERR wrong number of key-value pairs"),
            ("MSETEX 2 a 5 b", "-ERR wrong number of key-value pairs"),
            ("MSETEX 1 a 5 NX XX", "-ERR syntax error"),
            ("MSETEX 1 a 5 EX 1 PX 2", "-ERR syntax error"),
            ("MSETEX 1 a 5 KEEPTTL EX 2", "-ERR syntax error"),
            ("MSETEX 1 a 5 EX", "-ERR syntax error"),
            ("MSETEX 1 a 5 EX 0", "-ERR invalid expire time in 'msetex' command"),
        ],
    );
}
