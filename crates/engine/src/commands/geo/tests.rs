//! What clients do not see.

use crate::testing::Engine;

fn sicily(shards: usize) -> Engine {
    let mut engine = Engine::listening(shards);
    let added = engine.run(&[
        "GEOADD",
        "s",
        "13.361389",
        "38.115556",
        "Palermo",
        "15.087269",
        "37.502669",
        "Catania",
    ]);
    assert_eq!((added.as_str(), engine.told().as_str()), (":2\r\n", "zadd s"));
    engine
}

#[test]
fn only_changes_are_told() {
    let mut engine = sicily(4);
    engine.run(&["GEOADD", "s", "13.361389", "38.115556", "Palermo"]);
    engine.run(&["GEOADD", "s", "NX", "1", "1", "Palermo"]);
    engine.run(&["GEOADD", "missing", "XX", "1", "1", "Palermo"]);
    engine.run(&["GEOPOS", "missing", "a"]);
    engine.run(&["GEORADIUS", "missing", "1", "1", "1", "km"]);
    assert_eq!(engine.run(&["EXISTS", "missing"]), ":0\r\n");
    assert_eq!(engine.told(), "");
}

#[test]
fn results_are_stored_on_other_shards() {
    let mut engine = sicily(16);
    for target in ["a", "b", "c", "d", "e"] {
        let stored = engine.run(&["GEORADIUS", "s", "15", "37", "100", "km", "STORE", target]);
        assert_eq!((stored.as_str(), engine.told()), (":1\r\n", format!("georadiusstore {target}")));
        let stored =
            engine.run(&["GEOSEARCHSTORE", target, "s", "FROMLONLAT", "15", "37", "BYRADIUS", "1", "km"]);
        assert_eq!((stored.as_str(), engine.told()), (":0\r\n", format!("del {target}")));
    }
}

#[test]
fn the_last_target_of_several_is_locked_and_written() {
    let mut engine = sicily(16);
    let call = [
        "GEORADIUSBYMEMBER",
        "s",
        "Palermo",
        "1",
        "km",
        "STORE",
        "a",
        "STOREDIST",
        "b",
        "COUNT",
        "1",
        "store",
        "c",
    ];
    assert_eq!(engine.run(&call), ":1\r\n");
    assert_eq!(engine.told(), "georadiusstore c");
    let keys = engine.run(&[&["COMMAND", "GETKEYS"], &call[..]].concat());
    assert_eq!(keys, "*4\r\n$1\r\ns\r\n$1\r\na\r\n$1\r\nc\r\n$1\r\nb\r\n");
}
