use crate::testing::Engine;

#[test]
fn what_time_and_trimming_decided_is_said() {
    let mut engine = Engine::listening(4);
    engine.settings.stream.node_entries = 2;
    engine.run(&["XADD", "s", "*", "f", "v"]);
    assert_eq!(engine.replayed(), "XADD s 1700000000000-0 f v");
    engine.run(&["XADD", "s", "1700000000000-*", "f", "v"]);
    assert_eq!(engine.replayed(), "XADD s 1700000000000-1 f v");
    engine.run(&["XADD", "s", "1700000000000-5", "f", "v"]);
    assert_eq!(engine.replayed(), "XADD s 1700000000000-5 f v");
    assert_eq!(engine.told(), "xadd s, xadd s, xadd s");
    engine.run(&["XADD", "s", "MAXLEN", "~", "1", "LIMIT", "2", "1700000000001-0", "f", "v"]);
    let limited = "XADD s MAXLEN = 2 LIMIT 2 1700000000001-0 f v";
    assert_eq!(engine.replayed(), limited);
    // Run again from a log, the limit is none.
    engine.again(&["XADD", "again", "1-1", "f", "v"]);
    engine.again(&["XADD", "again", "MAXLEN", "=", "1", "LIMIT", "1", "1-2", "f", "v"]);
    assert_eq!((engine.run(&["XLEN", "again"]).as_str(), engine.replayed().as_str()), (":1\r\n", ""));
    engine.told();
    engine.run(&["XADD", "s", "MAXLEN", "=", "1", "*", "f", "v"]);
    assert_eq!(engine.replayed(), "XADD s MAXLEN = 1 1700000000001-1 f v");
    assert_eq!(engine.told(), "xadd s, xtrim s");
    for _ in 0..6 {
        engine.run(&["XADD", "s", "*", "f", "v"]);
    }
    engine.replayed();
    engine.run(&["XTRIM", "s", "MINID", "~", "1700000000001-6"]);
    assert_eq!(engine.replayed(), "XTRIM s MINID = 1700000000001-5");
    engine.run(&["XTRIM", "s", "MINID", "~", "1700000000001-6"]);
    assert_eq!(engine.replayed(), "");
    engine.run(&["XTRIM", "s", "MAXLEN", "1"]);
    assert_eq!(engine.replayed(), "XTRIM s MAXLEN 1");
}

#[test]
fn an_empty_stream_stays() {
    let mut engine = Engine::listening(2);
    engine.run(&["XADD", "s", "1-1", "f", "v"]);
    engine.told();
    assert_eq!(engine.run(&["XDEL", "s", "1-1", "1-1"]), ":1\r\n");
    assert_eq!((engine.told(), engine.run(&["TYPE", "s"])), ("xdel s".to_owned(), "+stream\r\n".to_owned()));
    assert_eq!(engine.run(&["XADD", "s", "1-1", "f", "v"]).split(' ').next(), Some("-ERR"));
    assert_eq!(engine.run(&["XDEL", "s", "1-1"]), ":0\r\n");
    assert_eq!(engine.run(&["XADD", "t", "NOMKSTREAM", "1-1", "f", "v"]), "$-1\r\n");
    assert_eq!((engine.told(), engine.run(&["EXISTS", "t"])), (String::new(), ":0\r\n".to_owned()));
}

/// A stream of five entries and a group that has read two of them for alice, whose effects were taken.
fn grouped() -> Engine {
    let mut engine = Engine::listening(4);
    for n in 1..=5 {
        engine.run(&["XADD", "s", &format!("{n}-0"), "f", "v"]);
    }
    engine.run(&["XGROUP", "CREATE", "s", "g", "0"]);
    engine.replayed();
    engine.run(&["XREADGROUP", "GROUP", "g", "alice", "COUNT", "2", "STREAMS", "s", ">"]);
    assert!(engine.told().ends_with("xgroup-create s, xgroup-createconsumer s, xreadgroup s"));
    let claim =
        |id| format!("XCLAIM s g alice 0 {id} TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID {id}");
    let counted = "XGROUP SETID s g 2-0 ENTRIESREAD 2".to_owned();
    assert_eq!(engine.replayed(), [claim("1-0"), claim("2-0"), counted].join(", "));
    engine
}

#[test]
fn reading_by_groups_is_said_as_claims() {
    let mut engine = grouped();
    engine.now_ms += 5;
    engine.run(&["XREADGROUP", "GROUP", "g", "alice", "STREAMS", "s", "1-0"]);
    let again = "XCLAIM s g alice 0 2-0 TIME 1700000000005 RETRYCOUNT 2 FORCE JUSTID LASTID 2-0";
    assert_eq!((engine.told(), engine.replayed()), ("xreadgroup s".to_owned(), again.to_owned()));
    engine.run(&["XREADGROUP", "GROUP", "g", "bob", "NOACK", "COUNT", "2", "STREAMS", "s", ">"]);
    assert_eq!(engine.replayed(), "XGROUP CREATECONSUMER s g bob, XGROUP SETID s g 4-0 ENTRIESREAD 4");
    engine.told();
    // Nothing new, and a consumer that is known.
    engine.run(&["XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", "0"]);
    assert_eq!((engine.told(), engine.replayed()), (String::new(), String::new()));
    engine.run(&["XREADGROUP", "GROUP", "g", "carol", "STREAMS", "s", "0"]);
    assert_eq!(engine.told(), "xgroup-createconsumer s");
    assert_eq!(engine.replayed(), "XGROUP CREATECONSUMER s g carol");
}

#[test]
fn claims_are_said_with_their_times() {
    let mut engine = grouped();
    engine.now_ms += 100;
    engine.run(&["XCLAIM", "s", "g", "bob", "50", "1-0", "9-9", "IDLE", "40"]);
    assert_eq!(engine.told(), "xgroup-createconsumer s, xclaim s");
    let claim = "XCLAIM s g bob 0 1-0 TIME 1700000000060 RETRYCOUNT 2 FORCE JUSTID LASTID 2-0";
    assert_eq!(engine.replayed(), claim);
    engine.run(&["XDEL", "s", "2-0"]);
    assert_eq!((engine.told(), engine.replayed()), ("xdel s".to_owned(), "XDEL s 2-0".to_owned()));
    engine.run(&["XCLAIM", "s", "g", "bob", "0", "2-0", "LASTID", "3-0"]);
    let dropped = "XCLAIM s g alice 0 2-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0";
    assert_eq!((engine.told(), engine.replayed()), ("xclaim s".to_owned(), dropped.to_owned()));
    engine.run(&["XCLAIM", "s", "g", "bob", "0", "9-9", "LASTID", "4-0"]);
    assert_eq!(engine.replayed(), "XGROUP SETID s g 4-0 ENTRIESREAD 2");
    engine.run(&["XCLAIM", "s", "g", "bob", "1000", "1-0", "LASTID", "1-0"]);
    assert_eq!(engine.replayed(), "");
}

#[test]
fn claiming_idle_entries_says_each() {
    let mut engine = grouped();
    engine.now_ms += 100;
    engine.run(&["XDEL", "s", "1-0"]);
    engine.told();
    engine.replayed();
    assert_eq!(engine.run(&["XAUTOCLAIM", "s", "g", "bob", "101", "2-0"]), "*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n");
    assert_eq!((engine.told(), engine.replayed()), (String::new(), String::new()));
    let reply = engine.run(&["XAUTOCLAIM", "s", "g", "bob", "100", "-", "JUSTID"]);
    assert_eq!(reply, "*3\r\n$3\r\n0-0\r\n*1\r\n$3\r\n2-0\r\n*1\r\n$3\r\n1-0\r\n");
    assert_eq!(engine.told(), "xgroup-createconsumer s, xautoclaim s");
    assert_eq!(
        engine.replayed(),
        "XCLAIM s g alice 0 1-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0, \
         XCLAIM s g bob 0 2-0 TIME 1700000000100 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0"
    );
    assert_eq!(engine.run(&["XACK", "s", "g", "1-0", "2-0"]), ":1\r\n");
    assert_eq!(engine.told(), "xack s");
}

#[test]
fn what_is_replayed_leaves_the_same_groups() {
    let mut engine = grouped();
    let mut copy = Engine::new(4);
    for n in 1..=5 {
        copy.run(&["XADD", "s", &format!("{n}-0"), "f", "v"]);
    }
    copy.run(&["XGROUP", "CREATE", "s", "g", "0"]);
    for id in ["1-0", "2-0"] {
        copy.run(&[
            "XCLAIM",
            "s",
            "g",
            "alice",
            "0",
            id,
            "TIME",
            "1700000000000",
            "RETRYCOUNT",
            "1",
            "FORCE",
            "JUSTID",
            "LASTID",
            id,
        ]);
    }
    engine.run(&["XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", ">"]);
    engine.run(&["XREADGROUP", "GROUP", "g", "alice", "STREAMS", "s", "0"]);
    engine.run(&["XCLAIM", "s", "g", "bob", "0", "1-0", "RETRYCOUNT", "9"]);
    for replay in engine.replayed().split(", ") {
        copy.run(&replay.split(' ').collect::<Vec<_>>());
    }
    let query = ["XPENDING", "s", "g", "-", "+", "10"];
    let pending = engine.run(&query);
    assert!(pending.contains(":9\r\n"));
    assert_eq!(pending, copy.run(&query));
}

#[test]
fn who_waits_is_served_by_a_call_for_one_key() {
    let mut engine = Engine::new(4);
    engine.run(&["XADD", "a", "3-4", "f", "v"]);
    engine.run(&["XGROUP", "CREATE", "a", "g", "$"]);
    let shown = |wait: &crate::wait::Wait| {
        let call = |call: &Vec<Box<[u8]>>| String::from_utf8_lossy(&call.join(&b' ')).into_owned();
        wait.keys.iter().map(|key| call(&key.call)).collect::<Vec<_>>().join(", ")
    };
    let wait = engine.wait(&["XREAD", "BLOCK", "7", "STREAMS", "a", "b", "$", "9"]);
    assert_eq!(wait.timeout_ms, Some(7));
    assert_eq!(
        shown(&wait),
        "XREAD COUNT 1000 BLOCK 0 STREAMS a 3-4, XREAD COUNT 1000 BLOCK 0 STREAMS b 9-0"
    );
    let words = ["XREADGROUP", "GROUP", "g", "c", "NOACK", "BLOCK", "0", "COUNT", "2", "STREAMS", "a", ">"];
    let wait = engine.wait(&words);
    assert_eq!(wait.timeout_ms, None);
    assert_eq!(shown(&wait), "XREADGROUP GROUP g c NOACK COUNT 2 BLOCK 0 STREAMS a >");
}
