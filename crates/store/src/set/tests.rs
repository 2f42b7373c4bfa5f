use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::sample::tests::random;

const SEED: Seed = Seed::new(3, 4);
const LIMITS: SetLimits = SetLimits::DEFAULT;
const TINY: SetLimits = SetLimits { intset_entries: 3, packed_entries: 5, packed_len: 6 };

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-4i64..8).prop_map(|value| value.to_string().into_bytes()),
        4 => prop::sample::select(vec![&b""[..], b"a", b"b", b"-0", b"01", b"123456", b"1234567", b"abcdefg"])
            .prop_map(<[u8]>::to_vec),
        1 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

fn members(set: &Set) -> BTreeSet<Vec<u8>> {
    set.iter().map(|element| element.to_vec()).collect()
}

fn set_of(texts: impl IntoIterator<Item = String>, limits: SetLimits) -> Set {
    let mut set = Set::new();
    texts.into_iter().for_each(|text| assert!(set.add(text.as_bytes(), limits, SEED)));
    set
}

/// A set in each form, with the same number of members.
fn each_form(len: usize) -> [Set; 3] {
    let packed_off = SetLimits { packed_entries: 0, ..LIMITS };
    let sets = [
        set_of((0..len).map(|at| at.to_string()), LIMITS),
        set_of((0..len).map(|at| format!("m{at}")), LIMITS),
        set_of((0..len).map(|at| format!("m{at}")), packed_off),
    ];
    assert!(matches!(sets.each_ref().map(Set::view), [View::Ints(_), View::Packed(_), View::Table(_)]));
    sets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

    #[test]
    fn behaves_as_a_set(steps in prop::collection::vec((0..4, member()), 0..100), tiny: bool) {
        let limits = if tiny { TINY } else { LIMITS };
        let (mut set, mut model) = (Set::new(), BTreeSet::new());
        for (step, member) in steps {
            match step {
                0 | 1 => prop_assert_eq!(set.add(&member, limits, SEED), model.insert(member.clone())),
                2 => prop_assert_eq!(set.remove(&member), model.remove(&member)),
                _ => set = set.clone(),
            }
            prop_assert_eq!(set.contains(&member), model.contains(&member));
            prop_assert_eq!(set.contains_element(Element::Bytes(&member)), model.contains(&member));
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.iter().count(), model.len());
        }
        prop_assert_eq!(members(&set), model.clone());
        for element in set.iter() {
            prop_assert!(set.contains_element(element));
        }
        let (mut scanned, mut cursor) = (BTreeSet::new(), 0);
        loop {
            cursor = set.scan(cursor, |element| { scanned.insert(element.to_vec()); });
            if cursor == 0 {
                break;
            }
        }
        prop_assert_eq!(&scanned, &model);
        let mut random = random(1);
        while let Some(member) = set.pop_random(&mut random, |element| element.to_vec()) {
            prop_assert!(model.remove(&member));
        }
        prop_assert!(model.is_empty() && set.is_empty());
    }
}

#[test]
#[cfg_attr(miri, ignore = "walks long sequences")]
fn forms_change_exactly_at_the_limits() {
    let ints = |range: std::ops::Range<i32>| range.map(|at| at.to_string());
    let mut set = set_of(ints(0..512), LIMITS);
    assert!(set.ints().is_some_and(|ints| ints.len() == 512));
    assert!(!set.add(b"5", LIMITS, SEED) && set.encoding_name() == "intset");
    assert!(set.add(b"512", LIMITS, SEED) && set.encoding_name() == "hashtable");
    assert!(matches!(set.view(), View::Table(_)));

    let mut set = set_of(ints(0..127), LIMITS);
    assert!(set.add(&[b'x'; 64], LIMITS, SEED));
    assert!(matches!(set.view(), View::Packed(_)) && set.encoding_name() == "hashtable");
    assert!(!set.add(&[b'x'; 64], LIMITS, SEED) && !set.add(b"0", LIMITS, SEED));
    assert!(matches!(set.view(), View::Packed(_)));
    assert!(set.add(b"y", LIMITS, SEED));
    assert!(matches!(set.view(), View::Table(_)) && set.len() == 129);
    (0..127).for_each(|at| assert!(set.remove(at.to_string().as_bytes())));
    assert!(matches!(set.view(), View::Table(_)) && set.len() == 2);

    for (first, form_is_packed) in [(64, true), (65, false)] {
        let mut set = Set::new();
        assert!(set.add(&vec![b'x'; first], LIMITS, SEED));
        assert_eq!(matches!(set.view(), View::Packed(_)), form_is_packed);
    }
    let mut set = set_of(ints(0..128), LIMITS);
    assert!(set.add(b"x", LIMITS, SEED) && matches!(set.view(), View::Table(_)));
    // What is already there counts as well: the text of -1000000 is too long for the packed form.
    let mut set = set_of(["-1000000".to_owned()], TINY);
    assert!(set.add(b"x", TINY, SEED) && matches!(set.view(), View::Table(_)));
    let mut set = set_of(ints(0..3), TINY);
    assert!(set.add(b"3", TINY, SEED) && matches!(set.view(), View::Packed(_)));
    set.remove(b"3");
    assert_eq!(set.encoding_name(), "hashtable");
}

#[test]
#[cfg_attr(miri, ignore = "needs many rounds")]
fn every_member_is_drawn_equally_often() {
    let mut random = random(7);
    let rounds = 20_000;
    for set in each_form(20) {
        let mut single = BTreeMap::<Vec<u8>, usize>::new();
        let mut distinct = single.clone();
        let mut repeated = single.clone();
        for _ in 0..rounds {
            *single.entry(set.random(&mut random).expect("a member").to_vec()).or_default() += 1;
            set.random_distinct(2, &mut random, |member| *distinct.entry(member.to_vec()).or_default() += 1);
        }
        set.random_repeating(rounds, &mut random, |member| {
            *repeated.entry(member.to_vec()).or_default() += 1
        });
        for (counts, expected) in [(single, rounds / 20), (distinct, rounds / 10), (repeated, rounds / 20)] {
            assert_eq!(counts.len(), 20);
            assert!(counts.values().all(|&n| n > expected / 2 && n < expected * 3 / 2), "{counts:?}");
        }
    }
}

#[test]
fn distinct_draws_are_distinct_and_as_many_as_asked() {
    let mut random = random(9);
    for len in [0, 1, 7, 100] {
        for set in each_form(len.max(1)) {
            for count in [0, 1, 2, len / 5, len, usize::MAX] {
                let mut drawn = Vec::new();
                set.random_distinct(count, &mut random, |member| drawn.push(member.to_vec()));
                assert_eq!(drawn.len(), count.min(set.len()));
                drawn.sort();
                drawn.dedup();
                assert_eq!(drawn.len(), count.min(set.len()));
            }
        }
    }
    for mut set in each_form(1) {
        assert!(set.pop_random(&mut random, |_| ()).is_some());
        assert!(set.pop_random(&mut random, |_| ()).is_none());
        assert!(set.random(&mut random).is_none());
        set.random_repeating(usize::MAX, &mut random, |_| panic!("the set is empty"));
        set.random_distinct(3, &mut random, |_| panic!("the set is empty"));
    }
}

#[test]
#[cfg_attr(miri, ignore = "needs many members")]
fn memory_is_counted_through_every_change() {
    let count = 5_000;
    let mut set = set_of((0..count).map(|at| format!("member:{at}")), LIMITS);
    let full = set.memory_bytes();
    assert!((count * 20..count * 40).contains(&full), "{full}");
    let mut random = random(3);
    for at in 0..count - 1 {
        if at % 2 == 0 {
            set.pop_random(&mut random, |_| ());
        } else {
            let member = set.random(&mut random).expect("a member").to_vec();
            set.remove(&member);
        }
    }
    let View::Table(members) = set.view() else { panic!("a table") };
    assert_eq!(members.bytes, members.table.iter().map(Member::memory_bytes).sum::<usize>());
    assert!(set.memory_bytes() < full / 4);
}

#[test]
fn sets_are_small_and_can_be_sent() {
    fn sendable<T: Send + Sync>() {}
    sendable::<Set>();
    assert_eq!(size_of::<Set>(), 8);
}
