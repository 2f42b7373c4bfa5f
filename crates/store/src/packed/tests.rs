use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// Byte strings around every boundary of the coding.
pub(crate) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..8),
        2 => any_int().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::sample::select(vec!["", "-", "-0", "00", "01", "+1", " 1", "9223372036854775808", "a"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::sample::select(vec![62usize, 63, 64, 65, 124, 125, 126, 127, 128, 4094, 4095, 4096, 4097])
            .prop_map(|len| vec![b'x'; len]),
    ]
}

fn any_int() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => -3i64..3,
        1 => (0..64u32, -1i64..=1, any::<bool>()).prop_map(|(bit, offset, negative)| {
            let value = (1i64 << bit).wrapping_add(offset);
            if negative { value.wrapping_neg() } else { value }
        }),
        1 => any::<i64>(),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    PushFront(Vec<u8>),
    PushBack(Vec<u8>),
    InsertBefore(prop::sample::Index, Vec<u8>),
    InsertAfter(prop::sample::Index, Vec<u8>),
    Insert(prop::sample::Index, Vec<u8>),
    Replace(prop::sample::Index, Vec<u8>),
    RemoveAt(prop::sample::Index, usize),
    RemoveRange(prop::sample::Index, usize),
    RemoveEqual(prop::sample::Index, usize, usize),
    DropFront,
    DropBack,
    SplitAndAppend(prop::sample::Index),
    Clone,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => any_bytes().prop_map(Step::PushFront),
        4 => any_bytes().prop_map(Step::PushBack),
        2 => (index(), any_bytes()).prop_map(|(at, bytes)| Step::InsertBefore(at, bytes)),
        2 => (index(), any_bytes()).prop_map(|(at, bytes)| Step::InsertAfter(at, bytes)),
        2 => (index(), any_bytes()).prop_map(|(at, bytes)| Step::Insert(at, bytes)),
        3 => (index(), any_bytes()).prop_map(|(at, bytes)| Step::Replace(at, bytes)),
        1 => (index(), 0usize..4).prop_map(|(at, count)| Step::RemoveAt(at, count)),
        1 => (index(), 0usize..4).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        1 => (index(), 0usize..3, 0usize..3).prop_map(|(at, skip, limit)| Step::RemoveEqual(at, skip, limit)),
        2 => Just(Step::DropFront),
        2 => Just(Step::DropBack),
        1 => index().prop_map(Step::SplitAndAppend),
        1 => Just(Step::Clone),
    ]
}

fn apply(packed: &mut Packed, model: &mut VecDeque<Vec<u8>>, step: Step) {
    let len = model.len();
    let seek = |packed: &Packed, at: usize| packed.seek(at).expect("index below the length");
    match step {
        Step::PushFront(bytes) => {
            packed.push_front(&bytes);
            model.push_front(bytes);
        }
        Step::PushBack(bytes) => {
            packed.push_back(&bytes);
            model.push_back(bytes);
        }
        Step::DropFront => {
            packed.drop_front();
            model.pop_front();
        }
        Step::DropBack => {
            packed.drop_back();
            model.pop_back();
        }
        Step::Clone => *packed = packed.clone(),
        Step::Insert(at, bytes) => {
            let at = at.index(len + 1);
            packed.insert(at, Element::Bytes(&bytes));
            model.insert(at, bytes);
        }
        Step::SplitAndAppend(at) => {
            let at = at.index(len + 1);
            let right = packed.split_off(at);
            assert_eq!((packed.len(), right.len()), (at, len - at));
            packed.append(&right);
        }
        _ if len == 0 => {}
        Step::InsertBefore(at, bytes) => {
            let at = at.index(len);
            packed.insert_before(seek(packed, at), &bytes);
            model.insert(at, bytes);
        }
        Step::InsertAfter(at, bytes) => {
            let at = at.index(len);
            packed.insert_after(seek(packed, at), &bytes);
            model.insert(at + 1, bytes);
        }
        Step::Replace(at, bytes) => {
            let at = at.index(len);
            packed.replace(seek(packed, at), &bytes);
            model[at] = bytes;
        }
        Step::RemoveAt(at, count) => {
            let at = at.index(len);
            packed.remove_at(seek(packed, at), count);
            model.drain(at..(at + count).min(len));
        }
        Step::RemoveRange(at, count) => {
            let at = at.index(len);
            packed.remove_range(at, count);
            model.drain(at..(at + count).min(len));
        }
        Step::RemoveEqual(at, skip, limit) => {
            let target = model[at.index(len)].clone();
            let equal = model.iter().filter(|&bytes| *bytes == target).count();
            assert_eq!(packed.count_equal(&target), equal);
            let (mut seen, mut gone) = (0, 0);
            model.retain(|bytes| {
                seen += usize::from(*bytes == target);
                let goes = *bytes == target && seen > skip && gone < limit;
                gone += usize::from(goes);
                !goes
            });
            assert_eq!(packed.remove_equal(&target, skip, limit), gone);
        }
    }
}

fn check(packed: &Packed, model: &VecDeque<Vec<u8>>) {
    assert_eq!(packed.len(), model.len());
    assert_eq!(packed.is_empty(), model.is_empty());
    assert!(packed.iter().map(Element::to_vec).eq(model.iter().cloned()));
    assert!(packed.iter().rev().map(Element::to_vec).eq(model.iter().rev().cloned()));
    assert_eq!(packed.front().map(Element::to_vec).as_ref(), model.front());
    assert_eq!(packed.back().map(Element::to_vec).as_ref(), model.back());
    let (mut forward, mut backward) = (packed.first(), packed.last());
    for at in 0..model.len() {
        let (pos, back) = (forward.expect("an element"), backward.expect("an element"));
        assert!(packed.at(pos).is(&model[at]));
        assert!(packed.at(back).is(&model[model.len() - 1 - at]));
        assert_eq!(packed.seek(at), Some(pos));
        assert_eq!(packed.at(pos).len(), model[at].len());
        (forward, backward) = (packed.next(pos), packed.prev(back));
    }
    assert_eq!((forward, backward), (None, None));
    assert_eq!(packed.seek(model.len()), None);
    assert!(packed.memory_bytes() >= packed.bytes_len());
    assert!(packed.memory_bytes() <= packed.bytes_len() * 5 / 2 + 16, "{packed:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

    #[test]
    fn behaves_as_a_deque(steps in prop::collection::vec(step(), 0..80)) {
        let (mut packed, mut model) = (Packed::new(), VecDeque::new());
        for step in steps {
            apply(&mut packed, &mut model, step);
            check(&packed, &model);
        }
        for bytes in &model {
            let found = packed.find(bytes, 1).map(|pos| packed.iter_from(0).count() - count_from(&packed, pos));
            prop_assert_eq!(found, model.iter().position(|other| other == bytes));
        }
        for at in 0..=model.len() {
            prop_assert_eq!(packed.iter_from(at).count(), model.len() - at);
            prop_assert_eq!(packed.iter_until(at).len(), at);
        }
        let again = Packed::from_raw(packed.raw());
        prop_assert!(again.is_some_and(|again| again.iter().eq(packed.iter())));
    }

    #[test]
    fn foreign_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Some(packed) = Packed::from_raw(&bytes) {
            prop_assert_eq!(packed.iter().count(), packed.len());
            prop_assert_eq!(packed.iter().rev().count(), packed.len());
        }
    }

    #[test]
    fn damaged_sequences_do_no_harm(texts in prop::collection::vec(any_bytes(), 1..6), at: prop::sample::Index,
                                    byte: u8) {
        let mut packed = Packed::new();
        texts.iter().for_each(|text| packed.push_back(text));
        let mut bytes = packed.raw().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some(packed) = Packed::from_raw(&bytes) {
            prop_assert_eq!(packed.iter().rev().count(), packed.len());
        }
    }
}

fn count_from(packed: &Packed, pos: Pos) -> usize {
    std::iter::successors(Some(pos), |&pos| packed.next(pos)).count()
}

#[test]
fn canonical_integers_are_small_and_everything_else_keeps_its_bytes() {
    let sizes =
        [("0", 2), ("127", 2), ("128", 3), ("-1", 3), ("4095", 3), ("-4096", 3), ("4096", 4), ("-32768", 4)];
    let wider = [("32768", 5), ("-8388608", 5), ("8388608", 6), ("-2147483648", 6), ("2147483648", 10)];
    for (text, bytes) in sizes.into_iter().chain(wider).chain([("9223372036854775807", 10)]) {
        let mut packed = Packed::new();
        packed.push_back(text.as_bytes());
        assert_eq!(packed.bytes_len(), bytes, "{text}");
        assert!(matches!(packed.front(), Some(Element::Int(value)) if value.to_string() == text));
    }
    for text in ["", "-", "-0", "00", "1 ", "9223372036854775808", "-9223372036854775809", "1.0"] {
        let mut packed = Packed::new();
        packed.push_back(text.as_bytes());
        assert!(matches!(packed.front(), Some(Element::Bytes(bytes)) if bytes == text.as_bytes()), "{text}");
        assert_eq!(packed.bytes_len(), text.len() + 2);
    }
}

/// What redis-server 7.0.15 writes between the header and the end mark of a listpack for these elements.
#[test]
fn the_coding_is_that_of_a_listpack() {
    let mut packed = Packed::new();
    for text in ["1", "abc", "-5", "1000000", "1234567890123"] {
        packed.push_back(text.as_bytes());
    }
    packed.push_back(&[b'x'; 200]);
    let mut expected =
        b"\x01\x01\x83abc\x04\xdf\xfb\x02\xf2\x40\x42\x0f\x04\xf4\xcb\x04\xfb\x71\x1f\x01\0\0\x09".to_vec();
    expected.extend(b"\xe0\xc8");
    expected.extend([b'x'; 200]);
    expected.extend(b"\x01\xca");
    assert_eq!(packed.raw(), expected);
}

#[test]
fn sizes_at_the_end_cross_their_widths() {
    for len in [16_370, 16_378, 16_379, 16_380, 16_385, 2_097_145, 2_097_150, 2_097_151, 2_097_152] {
        if cfg!(miri) && len > 20_000 {
            continue;
        }
        let mut packed = Packed::new();
        packed.push_back(b"a");
        packed.push_back(&vec![b'x'; len]);
        packed.push_back(b"b");
        assert_eq!(packed.iter().rev().map(Element::len).collect::<Vec<_>>(), [1, len, 1]);
        assert!(Packed::from_raw(packed.raw()).is_some_and(|again| again.len() == 3), "{len}");
    }
}

#[test]
fn from_raw_takes_a_longer_form_than_needed() {
    // 5 as 16 bits, and "7" as a string.
    let packed = Packed::from_raw(b"\xf1\x05\x00\x03\x817\x02").expect("two elements");
    assert!(packed.find(b"5", 1).is_some() && packed.find(b"7", 1).is_some());
    for broken in [
        &b"\xf1\x05\x00\x04"[..],
        b"\xf1\x05",
        b"\xf5",
        b"\xff",
        b"\x8a12\x0b",
        b"\xf0\xff\xff\xff\xff",
        b"\x01",
    ] {
        assert!(Packed::from_raw(broken).is_none(), "{broken:x?}");
    }
}

#[test]
fn pairs_are_found_by_their_first() {
    let mut packed = Packed::new();
    for text in ["a", "b", "b", "c", "12", "b"] {
        packed.push_back(text.as_bytes());
    }
    assert_eq!(packed.find(b"b", 2), packed.seek(2));
    assert_eq!(packed.find(b"12", 2), packed.seek(4));
    assert_eq!(packed.find(b"c", 2), None);
    let pairs: Vec<_> = packed.pairs().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
    assert_eq!(pairs[1], (b"b".to_vec(), b"c".to_vec()));
    let backwards: Vec<_> =
        packed.pairs().rev().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
    assert!(pairs.iter().rev().eq(&backwards));
}

/// A queue of constant length must not move its elements on every step, nor let its memory grow.
#[test]
fn a_queue_stays_small() {
    for front_to_back in [true, false] {
        let mut packed = Packed::new();
        (0..100).for_each(|_| packed.push_back(b"abcdefgh"));
        for _ in 0..2_000 {
            if front_to_back {
                packed.drop_front();
                packed.push_back(b"abcdefgh");
            } else {
                packed.drop_back();
                packed.push_front(b"abcdefgh");
            }
            assert!(packed.memory_bytes() <= 1_400, "{}", packed.memory_bytes());
        }
        assert_eq!(packed.iter().filter(|element| element.is(b"abcdefgh")).count(), 100);
    }
}

#[test]
fn elements_compare_by_their_bytes() {
    assert_eq!(Element::Int(-12), Element::Bytes(b"-12"));
    assert_ne!(Element::Int(12), Element::Bytes(b"012"));
    assert!(Element::Int(i64::MIN).is(b"-9223372036854775808"));
    for value in [0, 9, 10, -1, -9, -10, i64::MIN, i64::MAX, 99, 100] {
        assert_eq!(Element::Int(value).len(), value.to_string().len());
        assert_eq!(Element::Bytes(value.to_string().as_bytes()).as_int(), Some(value));
    }
}
