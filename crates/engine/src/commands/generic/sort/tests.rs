//! What a comparison with the oracle does not show.

use crate::Args;
use crate::command::CommandTable;
use crate::testing::Engine;

#[test]
fn store_is_told_and_so_is_the_key_that_goes() {
    let mut engine = Engine::listening(4);
    engine.run(&["RPUSH", "l", "2", "1"]);
    engine.told();
    assert_eq!(engine.run(&["SORT", "l", "STORE", "d"]), ":2\r\n");
    assert_eq!(engine.told(), "sortstore d");
    assert_eq!(engine.run(&["SORT", "missing", "STORE", "d"]), ":0\r\n");
    assert_eq!(engine.told(), "del d");
    assert_eq!(engine.run(&["SORT", "missing", "STORE", "d"]), ":0\r\n");
    assert_eq!(engine.run(&["SORT", "l"]), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    assert_eq!(engine.told(), "");
}

#[test]
fn keys_of_patterns_lie_on_any_shard_and_expire_on_the_way() {
    let mut engine = Engine::new(16);
    for at in 0..50 {
        engine.run(&["RPUSH", "l", &at.to_string()]);
        engine.run(&[
            "SET",
            &format!("w_{at}"),
            &(100 - at).to_string(),
            "PX",
            if at < 25 { "10" } else { "99" },
        ]);
    }
    engine.now_ms += 50;
    let sorted = engine.run(&["SORT", "l", "BY", "w_*", "LIMIT", "24", "2", "GET", "#", "GET", "w_*"]);
    // Those that expired weigh nothing and come first, the others by falling numbers.
    assert_eq!(sorted, "*4\r\n$1\r\n9\r\n$-1\r\n$2\r\n49\r\n$2\r\n51\r\n");
}

#[test]
fn a_call_widens_only_for_patterns_of_other_slots() {
    let widens = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let args = Args::new(&words);
        (CommandTable::get().find(args).unwrap().command.meta.widens)(args)
    };
    for line in
        ["SORT l", "SORT l BY nosort GET # GET x", "SORT {t}l BY {t}w_* GET a{t}*->f", "SORT_RO l STORE w_*"]
    {
        assert!(!widens(line), "{line}");
    }
    for line in ["SORT l BY w_*", "SORT {t}l BY {t}w_* GET {u}*", "SORT_RO l LIMIT BY x GET *->f"] {
        assert!(widens(line), "{line}");
    }
}
