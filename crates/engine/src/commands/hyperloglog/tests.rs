//! What clients do not see.

use crate::testing::Engine;
use moonshard_protocol::Encoding;

#[test]
fn a_count_that_is_kept_is_told_to_all_but_subscribers() {
    let mut engine = Engine::listening(4);
    assert_eq!(engine.run(&["PFADD", "k", "a", "b"]), ":1\r\n");
    assert_eq!(engine.told(), "pfadd k");
    assert_eq!(engine.run(&["PFADD", "k", "a"]), ":0\r\n");
    assert_eq!(engine.told(), "");
    for told in ["pfcount k", ""] {
        assert_eq!(engine.run(&["PFCOUNT", "k"]), ":2\r\n");
        let events: Vec<_> = engine.shards.iter_mut().flat_map(|shard| shard.effects.take_events()).collect();
        assert!(events.iter().all(|event| event.class.is_empty()));
        assert_eq!(events.len(), usize::from(!told.is_empty()));
    }
    engine.run(&["PFCOUNT", "k", "missing"]);
    assert_eq!(engine.told(), "");
    assert_eq!(engine.run(&["EXISTS", "missing"]), ":0\r\n");
}

#[test]
fn unions_reach_over_shards() {
    let mut engine = Engine::listening(16);
    for key in 0..20 {
        let elements = (0..100).map(|n| format!("{}", key * 50 + n)).collect::<Vec<_>>();
        let mut words = vec!["PFADD".to_owned(), format!("k{key}")];
        words.extend(elements);
        engine.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let keys: Vec<String> = (0..20).map(|key| format!("k{key}")).collect();
    let call = |command: &[&'static str]| -> Vec<String> {
        command.iter().map(|&word| word.to_owned()).chain(keys.iter().cloned()).collect()
    };
    let run = |engine: &mut Engine, words: Vec<String>| {
        engine.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let counted = run(&mut engine, call(&["PFCOUNT"]));
    assert_eq!(counted, ":1053\r\n");
    engine.told();
    assert_eq!(run(&mut engine, call(&["PFMERGE", "all"])), "+OK\r\n");
    assert_eq!(engine.told(), "pfadd all");
    assert_eq!(engine.run(&["PFCOUNT", "all"]), counted);
}

#[test]
fn the_setting_decides_when_a_value_becomes_dense() {
    let mut engine = Engine::listening(1);
    engine.settings.hll_sparse_len_max = 22;
    engine.run(&["PFADD", "k", "a"]);
    assert_eq!(engine.run(&["PFDEBUG", "ENCODING", "k"]), "+sparse\r\n");
    engine.run(&["PFADD", "k", "b"]);
    assert_eq!(engine.run(&["PFDEBUG", "ENCODING", "k"]), "+dense\r\n");
    engine.told();
    assert_eq!(engine.run(&["PFDEBUG", "TODENSE", "k"]), ":0\r\n");
    assert_eq!(engine.told(), "");
}

#[test]
fn it_tests_itself() {
    let mut engine = Engine::new(1);
    engine.encoding = Encoding::Resp3;
    assert_eq!(engine.run(&["PFSELFTEST"]), "+OK\r\n");
}
