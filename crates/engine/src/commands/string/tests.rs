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
    engine.replayed();
    check(
        &mut engine,
        &[("DELEX k IFEQ v", ":1"), ("DELEX list", ":1"), ("SET k w", "+OK"), ("DELIFEQ k w", ":1")],
    );
    assert_eq!(engine.told(), "del k, del list, set k, del k");
    assert_eq!(engine.replayed(), "DEL k, DEL list, SET k w, DEL k");
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

#[test]
fn increments_within_bounds() {
    let mut engine = Engine::new(1);
    check(
        &mut engine,
        &[
            ("INCREX k", "*2 :1 :1"),
            ("INCREX k BYINT -11", "*2 :-10 :-11"),
            ("INCREX k BYINT 5 UBOUND -7", "*2 :-10 :0"),
            ("INCREX k BYINT 5 UBOUND -7 SATURATE", "*2 :-7 :3"),
            ("INCREX k LBOUND 0 BYINT -5 SATURATE", "*2 :0 :7"),
            ("INCREX absent BYINT 5 LBOUND 10", "*2 :0 :0"),
            ("EXISTS absent", ":0"),
            ("SET k 9223372036854775800", "+OK"),
            ("INCREX k BYINT 9223372036854775800", "*2 :9223372036854775800 :0"),
            (
                "INCREX k BYINT 1 SATURATE UBOUND -9223372036854775808",
                "-ERR applied increment would overflow",
            ),
            ("INCREX k BYINT 9223372036854775800 SATURATE", "*2 :9223372036854775807 :7"),
            ("SET k 1.5", "+OK"),
            ("INCREX k", "-ERR value is not an integer or out of range"),
            ("INCREX k BYFLOAT 0.25", "*2 $4 1.75 $4 0.25"),
            ("INCREX k BYFLOAT 100 UBOUND 42.5", "*2 $4 1.75 $1 0"),
            ("INCREX k BYFLOAT 100 UBOUND 42.5 SATURATE", "*2 $4 42.5 $5 40.75"),
            ("INCREX k BYFLOAT -100 LBOUND -5.5 SATURATE", "*2 $4 -5.5 $3 -48"),
            ("INCREX k BYFLOAT -inf", "-ERR BYFLOAT increment cannot be Infinity"),
            ("SET k inf", "+OK"),
            ("INCREX k BYFLOAT 1", "-ERR value cannot be Infinity"),
            ("INCREX k BYINT abc", "-ERR Increment is not an integer or out of range"),
            ("INCREX k BYFLOAT abc", "-ERR Increment is not a valid float"),
            ("INCREX k LBOUND 1.5", "-ERR LBOUND is not an integer or out of range"),
            ("INCREX k BYFLOAT 1 UBOUND x", "-ERR UBOUND is not a valid float"),
            ("INCREX k LBOUND 10 UBOUND 5", "-ERR LBOUND can't be greater than UBOUND"),
            ("INCREX k BYFLOAT 1 LBOUND 1.5 UBOUND 1.25", "-ERR LBOUND can't be greater than UBOUND"),
            ("INCREX k EX 0", "-ERR invalid expire time in 'increx' command"),
            ("INCREX k ENX", "-ERR ENX flag requires an expiration"),
            ("LPUSH list a", ":1"),
            ("INCREX list", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ],
    );
    for words in [
        "FOO",
        "BYINT",
        "BYINT 1 BYFLOAT 1.5",
        "BYINT 1 BYINT 1",
        "LBOUND 0 LBOUND 1",
        "SATURATE SATURATE",
        "PERSIST PERSIST",
        "EX 1 PX 1",
        "EX 1 EX 1",
        "EX 1 PERSIST",
        "PERSIST EX 1",
        "PERSIST ENX",
        "ENX PERSIST",
        "ENX ENX EX 1",
    ] {
        check(&mut engine, &[(&format!("INCREX k {words}"), "-ERR syntax error")]);
    }
    engine.encoding = moonshard_protocol::Encoding::Resp3;
    check(&mut engine, &[("INCREX f BYFLOAT 0.1", "*2 ,0.1 ,0.1")]);
}

#[test]
fn increments_move_the_expiry_as_they_are_told() {
    let mut engine = Engine::listening(1);
    for (line, told, replayed) in [
        ("INCREX k BYINT 7", "incrby k", "SET k 7 KEEPTTL"),
        ("INCREX k EX 100 ENX", "incrby k, expire k", "SET k 8 PXAT 1700000100000"),
        ("INCREX k EX 10 ENX", "incrby k", "SET k 9 KEEPTTL"),
        ("INCREX k BYINT 10 UBOUND 9 EX 10", "", ""),
        ("INCREX k BYFLOAT 0.5", "incrbyfloat k", "SET k 9.5 KEEPTTL"),
        ("INCREX k BYFLOAT 0.5 PERSIST", "incrbyfloat k, persist k", "SET k 10"),
        ("INCREX k PERSIST", "incrby k", "SET k 11 KEEPTTL"),
        ("INCREX k EXAT 1", "del k", "DEL k"),
        ("INCREX absent EXAT 1", "", ""),
    ] {
        engine.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((engine.told().as_str(), engine.replayed().as_str()), (told, replayed), "{line}");
    }
    assert!(engine.shards[0].is_empty());
}
