use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::sample::tests::random;

const SEED: Seed = Seed::new(5, 6);
const LIMITS: HashLimits = HashLimits::DEFAULT;
const TINY: HashLimits = HashLimits { entries: 4, value_len: 8 };

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::sample::select(vec![&b""[..], b"a", b"b", b"c", b"1", b"-7", b"01", b"12345678", b"abcdefgh"])
            .prop_map(<[u8]>::to_vec),
        1 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

fn pairs(hash: &Hash) -> Pairs {
    hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect()
}

fn sorted(mut pairs: Pairs) -> Pairs {
    pairs.sort();
    pairs
}

fn each_form(len: usize) -> [Hash; 2] {
    [LIMITS, HashLimits { entries: 0, ..LIMITS }].map(|limits| {
        let mut hash = Hash::new();
        (0..len).for_each(|at| {
            assert!(hash.set(format!("f{at}").as_bytes(), at.to_string().as_bytes(), limits, SEED))
        });
        assert_eq!(hash.packed().is_some(), limits.entries > 0);
        hash
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

    #[test]
    fn behaves_as_a_map_in_insertion_order(
        steps in prop::collection::vec((0..5, text(), text()), 0..100), tiny: bool,
    ) {
        let limits = if tiny { TINY } else { LIMITS };
        let (mut hash, mut model) = (Hash::new(), Pairs::new());
        for (step, field, value) in steps {
            let known = model.iter().position(|(other, _)| *other == field);
            match step {
                0..=2 => {
                    prop_assert_eq!(hash.set(&field, &value, limits, SEED), known.is_none());
                    match known {
                        Some(at) => model[at].1 = value,
                        None => model.push((field.clone(), value)),
                    }
                }
                3 => {
                    prop_assert_eq!(hash.remove(&field), known.is_some());
                    known.map(|at| model.remove(at));
                }
                _ => hash = hash.clone(),
            }
            let value = model.iter().find(|(other, _)| *other == field).map(|(_, value)| value.clone());
            prop_assert_eq!(hash.contains(&field), value.is_some());
            prop_assert_eq!(hash.value_len(&field), value.as_ref().map(Vec::len));
            prop_assert_eq!(hash.get(&field).map(|element| element.to_vec()), value);
            prop_assert_eq!(hash.len(), model.len());
            match hash.packed() {
                Some(_) => prop_assert_eq!(pairs(&hash), model.clone()),
                None => prop_assert_eq!(sorted(pairs(&hash)), sorted(model.clone())),
            }
        }
        let (mut scanned, mut cursor) = (Pairs::new(), 0);
        loop {
            cursor = hash.scan(cursor, |field, value| scanned.push((field.to_vec(), value.to_vec())));
            if cursor == 0 {
                break;
            }
        }
        prop_assert_eq!(sorted(scanned), sorted(model));
    }
}

#[test]
#[cfg_attr(miri, ignore = "walks long sequences")]
fn the_form_changes_exactly_at_the_limits() {
    let mut hash = each_form(512)[0].clone();
    assert!(!hash.set(b"f511", b"x", LIMITS, SEED) && hash.encoding_name() == "listpack");
    assert!(hash.set(b"f512", b"x", LIMITS, SEED) && hash.encoding_name() == "hashtable");
    assert!(hash.get(b"f511").is_some_and(|value| value.is(b"x")));
    for (field, value, name) in [(64, 64, "listpack"), (65, 1, "hashtable"), (1, 65, "hashtable")] {
        let mut hash = Hash::new();
        assert!(hash.set(&vec![b'1'; field], &vec![b'2'; value], LIMITS, SEED));
        assert_eq!(hash.encoding_name(), name, "{field} {value}");
    }
    // A value that is replaced counts as well, and so does a limit that was lowered since.
    let mut hash = each_form(3)[0].clone();
    hash.set(b"f1", &[b'x'; 65], LIMITS, SEED);
    assert_eq!(hash.encoding_name(), "hashtable");
    let mut hash = each_form(3)[0].clone();
    assert!(!hash.set(b"f1", b"", HashLimits { entries: 2, ..LIMITS }, SEED));
    assert_eq!(hash.encoding_name(), "hashtable");
    let mut hash = each_form(3)[0].clone();
    hash.prepare([1, 2, 64], LIMITS, SEED);
    assert_eq!(hash.encoding_name(), "listpack");
    hash.prepare([1, 65, 1], LIMITS, SEED);
    assert_eq!(hash.encoding_name(), "hashtable");
    assert_eq!(hash.len(), 3);
    let mut hash = Hash::new();
    hash.prepare([usize::MAX, usize::MAX], HashLimits { value_len: usize::MAX, ..LIMITS }, SEED);
    assert_eq!(hash.encoding_name(), "hashtable");
}

#[test]
#[cfg_attr(miri, ignore = "needs many rounds")]
fn every_field_is_drawn_equally_often_with_its_value() {
    let mut random = random(11);
    let rounds = 20_000;
    for hash in each_form(20) {
        let mut single = BTreeMap::<Vec<u8>, usize>::new();
        let mut distinct = single.clone();
        let mut repeated = single.clone();
        let count = |counts: &mut BTreeMap<Vec<u8>, usize>, field: Element<'_>, value: Element<'_>| {
            assert!(hash.get(&field.to_vec()) == Some(value));
            *counts.entry(field.to_vec()).or_default() += 1;
        };
        for _ in 0..rounds {
            let (field, value) = hash.random(&mut random).expect("a field");
            count(&mut single, field, value);
            hash.random_distinct(2, &mut random, |field, value| count(&mut distinct, field, value));
        }
        hash.random_repeating(rounds, &mut random, |field, value| count(&mut repeated, field, value));
        for (counts, expected) in [(single, rounds / 20), (distinct, rounds / 10), (repeated, rounds / 20)] {
            assert_eq!(counts.len(), 20);
            assert!(counts.values().all(|&n| n > expected / 2 && n < expected * 3 / 2), "{counts:?}");
        }
        let mut all = Pairs::new();
        hash.random_distinct(usize::MAX, &mut random, |field, value| {
            all.push((field.to_vec(), value.to_vec()))
        });
        assert_eq!(sorted(all), sorted(pairs(&hash)));
    }
    let empty = Hash::new();
    assert!(empty.random(&mut random).is_none());
    empty.random_repeating(usize::MAX, &mut random, |_, _| panic!("the hash is empty"));
}

#[test]
fn memory_is_counted_through_every_change() {
    let count = if cfg!(miri) { 40 } else { 5_000 };
    let mut hash = Hash::new();
    for round in 0..4usize {
        for at in 0..count {
            let value = vec![b'v'; (at * (round + 3)) % 97];
            hash.set(format!("field:{at}").as_bytes(), &value, TINY, SEED);
        }
        (0..count).step_by(3).for_each(|at| {
            hash.remove(format!("field:{at}").as_bytes());
        });
        let View::Table(fields) = hash.view() else { panic!("a table") };
        assert_eq!(fields.bytes, fields.table.iter().map(Field::memory_bytes).sum::<usize>());
        assert!(hash.memory_bytes() > fields.bytes + hash.len() * 8);
    }
}

#[test]
fn hashes_are_small_and_can_be_sent() {
    fn sendable<T: Send + Sync>() {}
    sendable::<Hash>();
    assert_eq!(size_of::<Hash>(), 8);
    // What expiring fields need is not in the way of a table without them.
    assert_eq!(size_of::<Large>(), size_of::<Fields>());
}

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn with_deadlines(hash: &Hash) -> Model {
    let all = hash.iter_with_deadlines();
    all.map(|(field, value, at)| (field.to_vec(), (value.to_vec(), at))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

    #[test]
    fn deadlines_follow_their_fields(
        steps in prop::collection::vec((0..8, text(), text(), 0..50u64), 0..100), tiny: bool,
    ) {
        let limits = if tiny { TINY } else { LIMITS };
        let (mut hash, mut model) = (Hash::new(), Model::new());
        for (step, field, value, at) in steps {
            match step {
                0 | 1 => {
                    prop_assert_eq!(hash.set(&field, &value, limits, SEED), !model.contains_key(&field));
                    model.insert(field, (value, None));
                }
                2 => {
                    let new = hash.set_keeping_deadline(&field, &value, limits, SEED);
                    prop_assert_eq!(new, !model.contains_key(&field));
                    model.entry(field).or_default().0 = value;
                }
                3 | 4 => {
                    let known = model.get_mut(&field);
                    prop_assert_eq!(hash.set_deadline(&field, at, SEED), known.is_some());
                    known.into_iter().for_each(|(_, deadline)| *deadline = Some(at));
                }
                5 => {
                    let cleared = model.get_mut(&field).and_then(|(_, deadline)| deadline.take());
                    prop_assert_eq!(hash.clear_deadline(&field), cleared.is_some());
                }
                6 => prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
                _ => {
                    let (mut gone, limit) = (Vec::new(), usize::from(tiny) + 1);
                    hash.remove_due(at, limit, |field| gone.push(field.to_vec()));
                    let mut due: Vec<(u64, Vec<u8>)> =
                        model.iter().filter_map(|(field, (_, due))| Some(((*due)?, field.clone()))).collect();
                    due.sort();
                    let due: Vec<Vec<u8>> =
                        due.into_iter().filter(|(due, _)| *due <= at).take(limit).map(|(_, field)| field).collect();
                    due.iter().for_each(|field| { model.remove(field); });
                    prop_assert_eq!(gone, due);
                }
            }
            let deadlines = || model.values().filter_map(|(_, at)| *at);
            prop_assert_eq!(&with_deadlines(&hash), &model);
            prop_assert_eq!(hash.len(), model.len());
            prop_assert_eq!(hash.expiring_len(), deadlines().count());
            prop_assert_eq!(hash.earliest_deadline(), deadlines().min());
        }
        let mut copy = hash.clone();
        prop_assert_eq!(&with_deadlines(&copy), &model);
        hash.remove_due(u64::MAX, usize::MAX, |_| {});
        prop_assert_eq!(with_deadlines(&copy), model);
        copy.schedule(None);
        prop_assert_eq!(copy.packed().is_some(), copy.encoding_name() == "listpack");
    }
}

#[test]
fn a_hash_is_timed_until_nobody_knows_it_and_no_field_expires() {
    for mut hash in each_form(3) {
        let (plain, bytes) = (hash.encoding_name(), hash.memory_bytes());
        let timed = if plain == "listpack" { "listpackex" } else { plain };
        assert!(!hash.set_deadline(b"absent", 5, SEED) && hash.encoding_name() == plain);
        assert!(hash.set_deadline(b"f1", 5, SEED) && hash.set_deadline(b"f2", 7, SEED));
        assert!(
            hash.set_deadline(b"f1", 9, SEED) && hash.encoding_name() == timed && hash.packed().is_none()
        );
        assert!(hash.memory_bytes() > bytes + 100);
        hash.schedule(Some(5));
        assert_eq!((hash.scheduled(), hash.clone().scheduled()), (Some(5), None));
        assert!(hash.clear_deadline(b"f1") && hash.clear_deadline(b"f2"));
        assert_eq!((hash.encoding_name(), hash.scheduled()), (timed, Some(5)));
        hash.schedule(None);
        assert_eq!((hash.encoding_name(), hash.memory_bytes()), (plain, bytes));
        assert_eq!((hash.len(), hash.deadline(b"f1")), (3, None));
    }
    let mut hash = each_form(512)[0].clone();
    assert!(hash.set_deadline(b"f0", 5, SEED) && hash.set(b"more", b"x", LIMITS, SEED));
    assert_eq!((hash.encoding_name(), hash.deadline(b"f0"), hash.len()), ("hashtable", Some(5), 513));
    (0..512).for_each(|at| assert!(hash.set_deadline(format!("f{at}").as_bytes(), at, SEED)));
    let bytes = hash.memory_bytes();
    (0..512).for_each(|at| assert!(hash.clear_deadline(format!("f{at}").as_bytes())));
    let Some(timed) = hash.timed() else { panic!("not timed") };
    assert!(timed.memory_bytes() < bytes - 512 * 40);
}
