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
    assert_eq!((engine.replayed(), engine.told()), (String::new(), "xadd s, xadd s, xadd s".to_owned()));
    engine.run(&["XADD", "s", "MAXLEN", "~", "1", "LIMIT", "2", "1700000000001-0", "f", "v"]);
    assert_eq!(engine.replayed(), "XADD s MAXLEN = 2 1700000000001-0 f v");
    engine.run(&["XADD", "s", "MAXLEN", "=", "1", "*", "f", "v"]);
    assert_eq!(engine.replayed(), "XADD s MAXLEN = 1 1700000000001-1 f v");
    assert_eq!(engine.told(), "xadd s, xtrim s, xadd s, xtrim s");
    for _ in 0..6 {
        engine.run(&["XADD", "s", "*", "f", "v"]);
    }
    engine.replayed();
    engine.run(&["XTRIM", "s", "MINID", "~", "1700000000001-6"]);
    assert_eq!(engine.replayed(), "XTRIM s MINID = 1700000000001-5");
    engine.run(&["XTRIM", "s", "MINID", "~", "1700000000001-6"]);
    engine.run(&["XTRIM", "s", "MAXLEN", "1"]);
    assert_eq!(engine.replayed(), "");
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
