//! The table against a model, and its promises about memory, chance and iteration.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A key in a box of eight bytes, and a drop that the allocator's checks see.
#[derive(Debug)]
#[expect(clippy::box_collection, reason = "an item is eight bytes")]
struct Key(Box<Vec<u8>>);

impl Key {
    fn new(key: &[u8]) -> Self {
        Key(Box::new(key.to_vec()))
    }
}

impl Item for Key {
    fn key(&self) -> &[u8] {
        &self.0
    }

    fn address(&self) -> *const u8 {
        (&raw const *self.0).cast()
    }
}

fn name(n: usize) -> Vec<u8> {
    format!("key:{n}").into_bytes()
}

fn seed() -> Seed {
    Seed::new(7, 11)
}

fn filled(range: std::ops::Range<usize>) -> Table<Key> {
    let mut table = Table::new(seed());
    for n in range {
        insert(&mut table, n);
    }
    table
}

fn insert(table: &mut Table<Key>, n: usize) -> bool {
    let key = name(n);
    match table.find_or_reserve(table.hash(&key), &key) {
        Slot::Occupied(_) => false,
        Slot::Vacant(slot) => slot.insert(Key::new(&key)).key() == key,
    }
}

fn remove(table: &mut Table<Key>, n: usize) -> bool {
    let key = name(n);
    table.remove(table.hash(&key), &key).is_some_and(|item| item.key() == key)
}

fn has(table: &Table<Key>, n: usize) -> bool {
    let key = name(n);
    table.get(table.hash(&key), &key).is_some_and(|item| item.key() == key)
}

/// A generator with a state of its own (splitmix64).
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

/// What must hold between any two calls.
fn check(table: &Table<Key>) {
    assert_eq!(table.directory.len(), table.fills.len());
    if table.directory.is_empty() {
        return assert_eq!(table.len, 0);
    }
    assert_eq!(table.directory.len(), 1 << table.depth);
    assert!(table.directory.len() == 1 || table.buckets == BUCKETS_FULL);
    let (mut segments, mut deepest, mut items) = (0, 0, table.spill.len());
    for (index, &fill) in table.fills.iter().enumerate() {
        let first = table.first_index(index, fill.depth);
        assert_eq!(table.directory[first].address(0), table.directory[index].address(0));
        assert_eq!(table.fills[first].depth, fill.depth);
        if first != index {
            continue;
        }
        segments += 1;
        deepest += usize::from(u32::from(fill.depth) == table.depth);
        items += usize::from(fill.count);
        check_segment(table, index, fill.count);
    }
    assert_eq!((segments, deepest, items), (table.segments, table.deepest, table.len));
    assert!(table.depth == 0 || deepest > 0);
}

fn check_segment(table: &Table<Key>, index: usize, count: u16) {
    let mut displaced = vec![0u8; table.buckets];
    let mut found = 0;
    for at in 0..table.buckets {
        // SAFETY: the segment is alive and has this many buckets.
        let bucket = unsafe { table.directory[index].bucket(at) };
        for slot in bucket.occupied() {
            // SAFETY: the slot is occupied.
            let hash = table.seed_hash(unsafe { bucket.item(slot) });
            assert_eq!(table.first_index(table.index_of(hash), table.fills[index].depth), index);
            found += 1;
            let home = home_of(hash, table.buckets);
            displaced[home] += u8::from(home != at);
        }
    }
    assert_eq!(found, count);
    for (at, &displaced) in displaced.iter().enumerate() {
        // SAFETY: as above.
        let noted = unsafe { table.directory[index].bucket(at) }.displaced();
        assert!(noted == displaced || noted == COUNT_STICKY, "bucket {at}: {noted} and {displaced}");
    }
}

/// One whole iteration, with something happening before each call but the first.
fn scan_all(table: &mut Table<Key>, mut between: impl FnMut(&mut Table<Key>)) -> Vec<Vec<u8>> {
    let (mut cursor, mut seen) = (0, Vec::new());
    loop {
        cursor = table.scan(cursor, |item| seen.push(item.key().to_vec()));
        assert!(cursor < 1 << 48);
        if cursor == 0 {
            return seen;
        }
        between(table);
    }
}

#[test]
fn an_empty_table_has_no_memory_and_finds_nothing() {
    let mut table = filled(0..0);
    assert_eq!(table.memory_bytes(), 0);
    assert!(!has(&table, 1) && !remove(&mut table, 1));
    assert!(table.random(|| 0).is_none() && table.pop_random(|| 0).is_none());
    assert_eq!(table.scan(12345, |_| unreachable!()), 0);
    table.prefetch_bucket(1);
    table.prefetch_item(1);
}

#[test]
fn small_tables_are_small() {
    assert!(filled(0..7).memory_bytes() <= 64 + 12);
    assert!(filled(0..8).memory_bytes() <= 128 + 12);
    assert!(filled(0..128).memory_bytes() <= 32 * 64 + 12);
}

#[test]
fn memory_per_key_stays_low_at_every_size() {
    let (step, last) = if cfg!(miri) { (100, 1_000) } else { (500, 260_000) };
    let mut table = filled(0..0);
    for size in (0..last).step_by(step) {
        (size..size + step).for_each(|n| assert!(insert(&mut table, n)));
        let per_key = table.memory_bytes() as f64 / table.len() as f64;
        assert!(per_key <= 26.0, "{} items: {per_key} bytes", table.len());
        if table.len() == 125_000 {
            assert!(per_key <= 15.0, "{per_key}");
        }
    }
    assert!(table.spill.is_empty());
}

#[test]
fn most_items_are_in_their_first_line() {
    let table = filled(0..if cfg!(miri) { 1_000 } else { 125_000 });
    let (mut near, mut clear) = (0, 0);
    for index in 0..table.directory.len() {
        if !table.is_first(index, table.fills[index]) {
            continue;
        }
        for at in 0..table.buckets {
            // SAFETY: the segment is alive and has this many buckets.
            let bucket = unsafe { table.directory[index].bucket(at) };
            near += usize::from(bucket.displaced());
            clear += usize::from(bucket.displaced() == 0);
        }
    }
    assert!(near * 100 < table.len() * 5, "{near} displaced");
    assert!(clear * 100 > table.segments * table.buckets * 85, "{clear} buckets without overflow");
}

#[test]
fn grows_and_gives_memory_back() {
    let count = if cfg!(miri) { 2_000 } else { 50_000 };
    let mut table = filled(0..count);
    check(&table);
    assert!((0..count).all(|n| has(&table, n)) && !has(&table, count));
    let full = table.memory_bytes();
    for n in 0..count {
        assert!(remove(&mut table, n));
        if n % (count / 10) == 0 {
            check(&table);
            assert!((n + 1..count).step_by(97).all(|n| has(&table, n)));
        }
        if n == count * 9 / 10 {
            assert!(table.memory_bytes() * 3 < full, "{} of {full}", table.memory_bytes());
        }
    }
    check(&table);
    assert!(table.memory_bytes() <= 64 + 12);
    assert!(insert(&mut table, 1) && has(&table, 1));
    table.clear();
    assert_eq!((table.len(), table.memory_bytes()), (0, 0));
}

#[test]
fn handles_replace_and_remove() {
    let mut table = filled(0..20);
    let key = name(3);
    let hash = table.hash(&key);
    *table.get_mut(hash, &key).unwrap() = Key::new(&key);
    assert!(matches!(table.find_or_reserve(hash, &key), Slot::Occupied(item) if item.key() == key));
    assert!(table.remove_if(hash, &key, |_| false).is_none());
    let mut slot = table.find_mut(hash, &key).unwrap();
    *slot.get_mut() = Key::new(&key);
    assert_eq!(slot.get().key(), key);
    assert_eq!(slot.remove().key(), key);
    assert!(table.find_mut(hash, &key).is_none());
    table.insert_unique(hash, Key::new(&key));
    assert!(table.remove_if(hash, &key, |item| item.key() == b"key:3").is_some());
    assert_eq!(table.len(), 19);
    check(&table);
}

#[test]
fn iteration_meets_every_item_once() {
    for count in [0, 1, 7, 8, 100, 200, 331, 3_000] {
        let mut table = filled(0..count);
        let expected: HashSet<_> = (0..count).map(name).collect();
        let listed: Vec<_> = table.iter().map(|item| item.key().to_vec()).collect();
        assert_eq!((listed.len(), listed.into_iter().collect()), (count, expected.clone()));
        let scanned = scan_all(&mut table, |_| {});
        assert_eq!((scanned.len(), scanned.into_iter().collect()), (count, expected));
    }
}

#[test]
fn any_cursor_is_safe() {
    let mut random = numbers(3);
    for count in [1, 50, 331, 2_000] {
        let table = filled(0..count);
        for _ in 0..if cfg!(miri) { 50 } else { 2_000 } {
            let mut cursor = random() >> (random() % 64);
            for _ in 0..3 {
                cursor = table.scan(cursor, |item| assert!(item.key().starts_with(b"key:")));
                assert!(cursor < 1 << 48);
            }
        }
        for cursor in [u64::MAX, 1 << 48, (1 << 48) - 1, u64::from(u32::MAX)] {
            assert!(table.scan(cursor, |_| {}) < 1 << 48);
        }
    }
}

#[test]
fn a_scan_holds_across_every_change_of_size() {
    let rounds = if cfg!(miri) { 3 } else { 400 };
    for (small, large) in [(5, 900), (40, 700), (100, 1_500), (200, 340)] {
        for (before, after) in [(small, large), (large, small)] {
            for change_at in (0..rounds).step_by(7) {
                let (mut table, mut round) = (filled(0..before), 0);
                let seen = scan_all(&mut table, |table| {
                    if round == change_at {
                        (before..after).for_each(|n| assert!(insert(table, n)));
                        (after..before).for_each(|n| assert!(remove(table, n)));
                    }
                    round += 1;
                });
                for n in 0..small {
                    let times = seen.iter().filter(|&key| *key == name(n)).count();
                    assert_eq!(times, 1, "{n} of {before} to {after} at {change_at}");
                }
            }
        }
    }
}

/// The statistic of Pearson for draws of `table`'s items, against an even spread.
fn chi_square(table: &Table<Key>, draws: usize, seed: u64) -> f64 {
    let mut random = numbers(seed);
    let mut counts: HashMap<&[u8], usize> = table.iter().map(|item| (item.key(), 0)).collect();
    for _ in 0..draws {
        *counts.get_mut(table.random(&mut random).unwrap().key()).unwrap() += 1;
    }
    let expected = draws as f64 / counts.len() as f64;
    counts.values().map(|&n| (n as f64 - expected).powi(2) / expected).sum()
}

#[test]
fn random_is_uniform_over_segments_of_different_depth() {
    for count in [1, 5, 100, 150, 700, 900] {
        let draws = if cfg!(miri) { 500 } else { 100 * count };
        let mut table = filled(0..count);
        let degrees = (count - 1) as f64;
        let bound = degrees + 5.0 * (2.0 * degrees).sqrt() + 1e-9;
        let chi = chi_square(&table, draws, 42);
        assert!(chi <= bound, "{count} items at depth {}: {chi} above {bound}", table.depth);
        // The counting fallback draws from the same distribution.
        let mut counts = vec![0usize; count];
        let order: HashMap<_, _> = table.iter().map(|item| item.key().to_vec()).zip(0..).collect();
        for n in 0..count {
            let (index, place) = table.nth_place(n).unwrap();
            let at: usize = order[table.item_at(index, place).key()];
            counts[at] += 1;
        }
        assert!(counts.iter().all(|&n| n == 1));
        let mut random = numbers(9);
        let popped: HashSet<_> = (0..count).map(|_| table.pop_random(&mut random).unwrap().0).collect();
        assert_eq!((popped.len(), table.len()), (count, 0));
    }
}

#[test]
fn a_constant_source_of_chance_still_ends() {
    let mut table = filled(0..1_000);
    (0..980).for_each(|n| assert!(remove(&mut table, n)));
    for constant in [0, u64::MAX, 1 << 63] {
        assert!(table.random(|| constant).is_some());
    }
}

/// Keys whose hashes agree in the home bucket and the first `bits` bits.
fn colliding(count: usize, bits: u32) -> Vec<usize> {
    let table = filled(0..0);
    let wanted = |&n: &usize| {
        let hash = table.hash(&name(n));
        hash >> (64 - bits) == 0 && home_of(hash, BUCKETS_FULL) == 9
    };
    (0..).filter(wanted).take(count).collect()
}

#[test]
#[cfg_attr(miri, ignore = "tries some hundred thousand keys")]
fn hashes_made_to_collide_cost_time_and_not_memory() {
    let keys = colliding(90, 7);
    let mut table = filled(0..0);
    for (at, &n) in keys.iter().enumerate() {
        assert!(insert(&mut table, n));
        assert!(keys[..=at].iter().all(|&n| has(&table, n)));
        check(&table);
    }
    assert!(!table.spill.is_empty() && table.directory.len() <= 128);
    let all: HashSet<_> = keys.iter().map(|&n| name(n)).collect();
    let scanned = scan_all(&mut table, |_| {});
    assert_eq!((scanned.len(), scanned.into_iter().collect()), (90, all.clone()));
    assert_eq!(table.iter().map(|item| item.key().to_vec()).collect::<HashSet<_>>(), all);
    assert!(chi_square(&table, 9_000, 5) < 89.0 + 5.0 * 178f64.sqrt());
    // Others come and split what they can; the colliding ones stay reachable.
    let others = 10_000_000..10_002_000;
    others.clone().for_each(|n| assert!(insert(&mut table, n)));
    check(&table);
    assert!(keys.iter().all(|&n| has(&table, n)));
    others.clone().for_each(|n| assert!(remove(&mut table, n)));
    check(&table);
    assert!(keys.iter().all(|&n| has(&table, n) && remove(&mut table, n)));
    check(&table);
    assert!(table.is_empty() && table.spill.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Insert(usize),
    Remove(usize),
    InsertMany(usize, usize),
    RemoveMany(usize, usize),
    Pop(u64),
}

fn step(keys: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..keys).prop_map(Step::Insert),
        4 => (0..keys).prop_map(Step::Remove),
        2 => (0..keys, 1..keys).prop_map(|(n, count)| Step::InsertMany(n, count)),
        2 => (0..keys, 1..keys).prop_map(|(n, count)| Step::RemoveMany(n, count)),
        1 => any::<u64>().prop_map(Step::Pop),
    ]
}

fn apply(step: &Step, table: &mut Table<Key>, model: &mut BTreeMap<usize, ()>, keys: usize, keep: usize) {
    let spared = |n: &usize| n % 10 < keep;
    match *step {
        Step::Insert(n) => assert_eq!(insert(table, n), model.insert(n, ()).is_none()),
        Step::Remove(n) if !spared(&n) => assert_eq!(remove(table, n), model.remove(&n).is_some()),
        Step::Remove(n) => assert_eq!(has(table, n), model.contains_key(&n)),
        Step::InsertMany(n, count) => {
            for n in n..(n + count).min(keys) {
                apply(&Step::Insert(n), table, model, keys, keep);
            }
        }
        Step::RemoveMany(n, count) => {
            for n in n..(n + count).min(keys) {
                apply(&Step::Remove(n), table, model, keys, keep);
            }
        }
        Step::Pop(seed) if keep == 0 => {
            let popped = table.pop_random(numbers(seed)).map(|item| item.0);
            let key = popped.map(|key| String::from_utf8(*key).unwrap()[4..].parse().unwrap());
            assert_eq!(key.and_then(|n: usize| model.remove(&n)).is_some(), key.is_some());
        }
        Step::Pop(_) => {}
    }
}

const KEYS: usize = if cfg!(miri) { 700 } else { 3_000 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    #[test]
    fn behaves_as_a_map(steps in prop::collection::vec(step(KEYS), 1..40)) {
        let (mut table, mut model) = (filled(0..0), BTreeMap::new());
        for step in &steps {
            apply(step, &mut table, &mut model, KEYS, 0);
            prop_assert_eq!(table.len(), model.len());
        }
        check(&table);
        let listed: BTreeMap<_, _> = table.iter().map(|item| (item.key().to_vec(), ())).collect();
        let expected: BTreeMap<_, _> = model.keys().map(|&n| (name(n), ())).collect();
        prop_assert_eq!(listed, expected);
    }

    #[test]
    fn a_scan_meets_what_stays(
        start in 0..KEYS,
        keep in 1usize..4,
        steps in prop::collection::vec(step(KEYS), 1..30),
        every in 1usize..20,
    ) {
        let mut table = filled(0..start);
        let mut model: BTreeMap<_, _> = (0..start).map(|n| (n, ())).collect();
        let mut rounds = 0;
        let mut steps = steps.iter().cycle();
        let seen = scan_all(&mut table, |table| {
            rounds += 1;
            if rounds % every == 0 {
                apply(steps.next().unwrap(), table, &mut model, KEYS, keep);
            }
        });
        check(&table);
        let seen_once: HashSet<_> = seen.iter().collect();
        for n in (0..start).filter(|n| n % 10 < keep) {
            prop_assert!(seen_once.contains(&name(n)), "{} was there throughout and not seen", n);
        }
        // An item that stays is met only once, too, however the table was divided meanwhile.
        let stayed = seen.iter().filter(|key| {
            let n: usize = String::from_utf8_lossy(&key[4..]).parse().unwrap();
            n < start && n % 10 < keep
        });
        prop_assert_eq!(stayed.count(), (0..start).filter(|n| n % 10 < keep).count());
    }
}
