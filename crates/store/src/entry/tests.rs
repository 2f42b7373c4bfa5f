//! Entries at the boundaries of their layout, and against a model.

use super::*;
use crate::{Seed, Table};
use proptest::prelude::*;

/// A collection that the allocator's checks see: a box beside a word, as the real ones are at most.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Many(Box<u64>, u64);

type TestEntry = Entry<Many>;

fn many(n: u64) -> Many {
    Many(Box::new(n), !n)
}

const KEY_LENS: [usize; 9] = [0, 1, 11, 126, 127, 128, 254, 255, 256];

fn bytes(len: usize, first: u8) -> Vec<u8> {
    (0..len).map(|n| first.wrapping_add(n as u8)).collect()
}

fn value_lens() -> Vec<usize> {
    if cfg!(miri) { vec![0, 1, 251, 252, 253, 300] } else { (0..=300).collect() }
}

#[test]
fn an_entry_is_a_pointer() {
    assert_eq!(size_of::<TestEntry>(), 8);
    assert_eq!(size_of::<Option<TestEntry>>(), 8);
}

#[test]
fn two_million_keys_of_64_bytes_take_at_most_80_each() {
    for key in ["key:0", "key:1999999"] {
        assert_eq!(TestEntry::new_string(key.as_bytes(), &[b'x'; 64], None).own_bytes(), 80);
    }
    assert_eq!(TestEntry::new_string(b"key:1999999", &[b'x'; 64], Some(1)).own_bytes(), 96);
    assert_eq!(TestEntry::new_collection(b"key:1999999", many(1), None).own_bytes(), 32);
}

#[test]
fn size_classes_waste_at_most_a_quarter() {
    for size in 1..3_000 {
        let class = size_class(size);
        assert!(
            class >= size && class.is_multiple_of(8) && class <= size.max(12) + (size / 4).max(15),
            "{size}: {class}"
        );
        assert_eq!(size_class(class), class);
    }
}

#[test]
fn round_trips_at_every_boundary() {
    for key_len in KEY_LENS.into_iter().chain([70_000]) {
        let key = bytes(key_len, 3);
        for len in value_lens().into_iter().chain([1 << 20]).filter(|&len| len < 301 || key_len < 12) {
            for expiry in [None, Some(0), Some(u64::MAX)] {
                let value = bytes(len, 7);
                let mut entry = TestEntry::new_string(&key, &value, expiry);
                assert_eq!((entry.key(), entry.string()), (&*key, Some(&*value)));
                assert_eq!((entry.expiry_ms(), entry.access(), entry.is_raw()), (expiry, 0, false));
                entry.set_access(0xab_cdef);
                assert_eq!((entry.key(), entry.string()), (&*key, Some(&*value)));
                assert_eq!((entry.expiry_ms(), entry.access()), (expiry, 0xab_cdef));
                assert!(entry.own_bytes() >= key_len + len + 5);
                assert_eq!(entry.into_value(), Value::String(value));
            }
        }
        for expiry in [None, Some(99)] {
            let mut entry = TestEntry::new_collection(&key, many(5), expiry);
            assert_eq!((entry.key(), entry.collection(), entry.string()), (&*key, Some(&many(5)), None));
            entry.collection_mut().unwrap().1 = 8;
            assert_eq!((entry.expiry_ms(), entry.collection().unwrap().1), (expiry, 8));
            assert_eq!(entry.into_value(), Value::Collection(Many(Box::new(5), 8)));
        }
    }
}

#[test]
fn expiry_comes_and_goes_around_every_value() {
    for key_len in KEY_LENS {
        let key = bytes(key_len, 3);
        for len in value_lens() {
            let mut entry = TestEntry::new_string(&key, &bytes(len, 7), None);
            entry.set_access(77);
            for expiry in [Some(1), Some(2), None, None, Some(3)] {
                entry.set_expiry(expiry);
                assert_eq!((entry.expiry_ms(), entry.access()), (expiry, 77));
                assert_eq!((entry.key(), entry.string()), (&*key, Some(&*bytes(len, 7))), "{key_len} {len}");
            }
        }
        let mut entry = TestEntry::new_collection(&key, many(9), None);
        for expiry in [Some(1), None, Some(2)] {
            entry.set_expiry(expiry);
            assert_eq!((entry.expiry_ms(), entry.key(), entry.collection()), (expiry, &*key, Some(&many(9))));
        }
    }
}

#[test]
fn a_string_of_about_the_same_length_stays_in_place() {
    let mut entry = TestEntry::new_string(b"key:1", &[b'a'; 64], None);
    let place = entry.address();
    for len in [64, 60, 70, 64] {
        entry.set_string(&bytes(len, 1));
        assert_eq!((entry.address(), entry.string()), (place, Some(&*bytes(len, 1))));
    }
    entry.set_string(&bytes(71, 1));
    assert_ne!(entry.own_bytes(), 80);
    // A long one keeps its buffer.
    entry.set_string(&bytes(5_000, 1));
    let (place, buffer) = (entry.address(), entry.string().unwrap().as_ptr());
    entry.set_string(&bytes(4_000, 2));
    assert_eq!((entry.address(), entry.string().unwrap().as_ptr()), (place, buffer));
    assert_eq!(entry.string(), Some(&*bytes(4_000, 2)));
    entry.set_string(&bytes(1_000, 2));
    assert!(entry.own_bytes() < 2_000);
}

#[test]
fn edits_in_place_are_marked_until_the_next_set() {
    let mut entry = TestEntry::new_string(b"k", b"ab", Some(5));
    assert_eq!(entry.set_range(9, b""), Some(2));
    assert!(!entry.is_raw());
    entry.string_mut().unwrap()[0] = b'x';
    assert_eq!((entry.string(), entry.is_raw()), (Some(&b"xb"[..]), false));
    assert_eq!(entry.append(b"cd"), Some(4));
    assert!(entry.is_raw());
    assert_eq!(entry.set_range(6, b"ef"), Some(8));
    assert_eq!(entry.set_range(0, b"y"), Some(8));
    assert_eq!(entry.string(), Some(&b"ybcd\0\0ef"[..]));
    entry.set_expiry(None);
    assert!(entry.is_raw());
    entry = entry.renamed(b"other");
    assert_eq!(
        (entry.key(), entry.is_raw(), entry.string()),
        (&b"other"[..], true, Some(&b"ybcd\0\0ef"[..]))
    );
    entry.set_string(b"z");
    assert_eq!((entry.string(), entry.is_raw()), (Some(&b"z"[..]), false));
    entry.set_string(&[b'l'; 1_000]);
    assert!(!entry.is_raw());
    entry.raw_mut().unwrap().push(b'm');
    assert!(entry.is_raw() && entry.string().is_some_and(|bytes| bytes.len() == 1_001));
    entry.set_string(&[b'l'; 1_001]);
    assert!(!entry.is_raw());
    let mut entry = TestEntry::new_collection(b"k", many(1), None);
    assert_eq!((entry.append(b"x"), entry.set_range(0, b"x"), entry.string_mut()), (None, None, None));
    assert!(entry.raw_mut().is_none() && entry.collection().is_some());
}

#[test]
fn appending_moves_seldom() {
    let mut entry = TestEntry::new_string(b"k", b"", None);
    let (mut moves, mut place) = (0, std::ptr::null());
    for n in 0..if cfg!(miri) { 500 } else { 20_000 } {
        assert_eq!(entry.append(b"0123456789"), Some((n + 1) * 10));
        let now = entry.string().unwrap().as_ptr();
        moves += usize::from(now != place);
        place = now;
    }
    assert!(moves < 30, "{moves}");
}

#[test]
fn a_table_owns_entries() {
    let mut table = Table::new(Seed::new(1, 2));
    for n in 0..if cfg!(miri) { 50u64 } else { 2_000 } {
        let key = format!("key:{n}").into_bytes();
        let value = if n % 3 == 0 { Value::Collection(many(n)) } else { Value::String(bytes(n as usize, 1)) };
        table.insert_unique(table.hash(&key), TestEntry::new(&key, value, Some(n)));
    }
    let hash = table.hash(b"key:42");
    table.prefetch_bucket(hash);
    table.prefetch_item(hash);
    table.get_mut(hash, b"key:42").unwrap().set_string(b"moved to another, larger or smaller, block");
    assert_eq!(table.get(hash, b"key:42").unwrap().expiry_ms(), Some(42));
    assert_eq!(table.remove(hash, b"key:42").unwrap().key(), b"key:42");
}

#[derive(Clone, Debug)]
enum Edit {
    Set(usize),
    SetExpiring(usize, Option<u64>),
    Append(usize),
    SetRange(usize, usize),
    Expire(Option<u64>),
    Replace(Value<Many>),
    Take,
    Rename(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let len = || prop_oneof![4 => 0..300usize, 1 => 0..3_000usize];
    let expiry = || prop::option::of(any::<u64>());
    prop_oneof![
        3 => len().prop_map(Edit::Set),
        2 => (len(), expiry()).prop_map(|(len, expiry)| Edit::SetExpiring(len, expiry)),
        2 => len().prop_map(Edit::Append),
        2 => (0..400usize, len()).prop_map(|(at, len)| Edit::SetRange(at, len)),
        2 => expiry().prop_map(Edit::Expire),
        1 => len().prop_map(|len| Edit::Replace(Value::String(bytes(len, 2)))),
        2 => any::<u64>().prop_map(|n| Edit::Replace(Value::Collection(many(n)))),
        1 => Just(Edit::Take),
        1 => (0..KEY_LENS.len()).prop_map(Edit::Rename),
    ]
}

struct Model {
    key: Vec<u8>,
    value: Value<Many>,
    expiry_ms: Option<u64>,
    raw: bool,
}

impl Model {
    fn edited(&mut self, edit: impl FnOnce(&mut Vec<u8>)) -> Option<usize> {
        let Value::String(bytes) = &mut self.value else { return None };
        edit(bytes);
        self.raw = true;
        Some(bytes.len())
    }

    fn replace(&mut self, value: Value<Many>) -> Value<Many> {
        self.raw = false;
        std::mem::replace(&mut self.value, value)
    }

    fn apply(&mut self, edit: Edit, mut entry: TestEntry) -> TestEntry {
        match edit {
            Edit::Set(len) => {
                entry.set_string(&bytes(len, 4));
                self.replace(Value::String(bytes(len, 4)));
            }
            Edit::SetExpiring(len, expiry_ms) => {
                entry.set_string_expiring(&bytes(len, 5), expiry_ms);
                self.replace(Value::String(bytes(len, 5)));
                self.expiry_ms = expiry_ms;
            }
            Edit::Append(len) => {
                let added = bytes(len, 6);
                assert_eq!(entry.append(&added), self.edited(|bytes| bytes.extend_from_slice(&added)));
            }
            Edit::SetRange(at, len) if len > 0 => {
                let expected = self.edited(|old| {
                    old.resize(old.len().max(at + len), 0);
                    old[at..at + len].copy_from_slice(&bytes(len, 8));
                });
                assert_eq!(entry.set_range(at, &bytes(len, 8)), expected);
            }
            Edit::SetRange(..) => {}
            Edit::Expire(expiry_ms) => {
                entry.set_expiry(expiry_ms);
                self.expiry_ms = expiry_ms;
            }
            Edit::Replace(value) => assert_eq!(entry.replace_value(value.clone()), self.replace(value)),
            Edit::Take => assert_eq!(entry.take_value(), self.replace(Value::String(Vec::new()))),
            Edit::Rename(which) => {
                self.key = bytes(KEY_LENS[which], 1);
                return entry.renamed(&self.key);
            }
        }
        entry
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 300 }))]

    #[test]
    fn edits_agree_with_a_model(key in 0..KEY_LENS.len(), edits in prop::collection::vec(edit(), 1..40)) {
        let mut model = Model {
            key: bytes(KEY_LENS[key], 1),
            value: Value::String(Vec::new()),
            expiry_ms: None,
            raw: false,
        };
        let mut entry = TestEntry::new_string(&model.key, b"", None);
        entry.set_access(0x12_3456);
        for edit in edits {
            entry = model.apply(edit, entry);
            prop_assert_eq!(entry.key(), &*model.key);
            prop_assert_eq!(entry.expiry_ms(), model.expiry_ms);
            prop_assert_eq!(entry.access(), 0x12_3456);
            match (entry.value(), &model.value) {
                (ValueRef::String(have), Value::String(want)) => prop_assert_eq!(have, &**want),
                (ValueRef::Collection(have), Value::Collection(want)) => prop_assert_eq!(have, want),
                (have, want) => prop_assert!(false, "{:?} instead of {:?}", have, want),
            }
            prop_assert_eq!(entry.is_raw(), model.raw);
            let copy = entry.clone();
            prop_assert_eq!((copy.key(), copy.value()), (entry.key(), entry.value()));
            prop_assert_eq!((copy.expiry_ms(), copy.access()), (entry.expiry_ms(), entry.access()));
            prop_assert_eq!(copy.is_raw(), model.raw);
        }
    }
}

#[test]
fn text_that_is_set_apart_is_remembered_until_it_is_replaced() {
    type Text = Entry<u64>;
    let mut entry = Text::new_string(b"key", b"3", Some(7));
    assert!(!entry.is_apart());
    assert!(entry.set_apart(b"12"));
    assert!(entry.is_apart() && !entry.is_raw());
    assert_eq!((entry.string(), entry.expiry_ms()), (Some(&b"12"[..]), Some(7)));
    assert!(entry.clone().is_apart() && entry.clone().renamed(b"other").is_apart());
    entry.set_string(b"13");
    assert!(!entry.is_apart());
    assert!(!Text::new_collection(b"key", 1, None).set_apart(b"x"));
}

#[test]
fn a_string_grows_by_zeros_and_is_changed_in_place() {
    type Text = Entry<u64>;
    let mut entry = Text::new_string(b"key", b"", Some(7));
    assert_eq!(entry.grown_mut(3).map(|bytes| bytes.to_vec()), Some(vec![0; 3]));
    assert!(entry.is_raw());
    entry.set_string(b"ab");
    if let Some([_, _, .., last]) = entry.grown_mut(400) {
        *last = b'c';
    }
    let mut expected = vec![0; 400];
    expected[..2].copy_from_slice(b"ab");
    expected[399] = b'c';
    assert_eq!((entry.string(), entry.expiry_ms()), (Some(&*expected), Some(7)));
    let before = entry.string().map(<[u8]>::as_ptr);
    assert_eq!(entry.grown_mut(1).map(|bytes| bytes.as_ptr()), before);
    assert!(Text::new_collection(b"key", 1, None).grown_mut(1).is_none());
}
