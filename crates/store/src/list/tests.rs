use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const TINY: ListLimits = ListLimits { max_listpack_size: 3 };
const SMALL: ListLimits = ListLimits { max_listpack_size: -1 };

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::sample::select(vec![&b"a"[..], b"b", b"1", b"-7", b"", b"12345678901"]).prop_map(<[u8]>::to_vec),
        2 => prop::collection::vec(any::<u8>(), 0..600),
        1 => prop::sample::select(vec![4_080usize, 4_086, 4_087, 4_096, 8_182, 8_183, 9_000, 70_000])
            .prop_map(|len| vec![b'x'; len]),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop::sample::select(vec![End::Front, End::Back])
}

#[derive(Clone, Debug)]
enum Step {
    Push(End, Vec<u8>),
    Pop(End),
    Set(prop::sample::Index, Vec<u8>),
    Insert(prop::sample::Index, Vec<u8>),
    InsertBefore(prop::sample::Index, Vec<u8>),
    InsertAfter(prop::sample::Index, Vec<u8>),
    Remove(i64, Vec<u8>),
    RemoveRange(prop::sample::Index, usize),
    Trim(i64, i64),
    Rotate(End, End),
    MoveTo(End, End),
    Fill(usize, Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (end(), value()).prop_map(|(end, value)| Step::Push(end, value)),
        2 => end().prop_map(Step::Pop),
        3 => (index(), value()).prop_map(|(at, value)| Step::Set(at, value)),
        4 => (index(), value()).prop_map(|(at, value)| Step::Insert(at, value)),
        1 => (index(), value()).prop_map(|(at, value)| Step::InsertBefore(at, value)),
        1 => (index(), value()).prop_map(|(at, value)| Step::InsertAfter(at, value)),
        1 => (-3i64..4, value()).prop_map(|(count, value)| Step::Remove(count, value)),
        1 => (index(), 0usize..6).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        1 => (-40i64..5, -5i64..40).prop_map(|(start, stop)| Step::Trim(start, stop)),
        1 => (end(), end()).prop_map(|(from, to)| Step::Rotate(from, to)),
        1 => (end(), end()).prop_map(|(from, to)| Step::MoveTo(from, to)),
        1 => (1usize..12, value()).prop_map(|(count, value)| Step::Fill(count, value)),
    ]
}

fn push(model: &mut VecDeque<Vec<u8>>, end: End, value: Vec<u8>) {
    match end {
        End::Front => model.push_front(value),
        End::Back => model.push_back(value),
    }
}

fn pop(model: &mut VecDeque<Vec<u8>>, end: End) -> Option<Vec<u8>> {
    match end {
        End::Front => model.pop_front(),
        End::Back => model.pop_back(),
    }
}

/// LRANGE's reading of two indexes, done naively.
fn naive_range(len: usize, start: i64, stop: i64) -> Vec<usize> {
    let resolve = |index: i64| if index < 0 { index + len as i64 } else { index };
    (0..len).filter(|&at| (resolve(start)..=resolve(stop)).contains(&(at as i64))).collect()
}

fn naive_remove(model: &mut VecDeque<Vec<u8>>, count: i64, value: &[u8]) -> usize {
    let mut hits: Vec<usize> = (0..model.len()).filter(|&at| model[at] == value).collect();
    if count < 0 {
        hits.reverse();
    }
    if count != 0 {
        hits.truncate(count.unsigned_abs() as usize);
    }
    hits.sort_unstable_by(|a, b| b.cmp(a));
    hits.iter().for_each(|&at| drop(model.remove(at)));
    hits.len()
}

fn apply(list: &mut List, model: &mut VecDeque<Vec<u8>>, step: Step, limits: ListLimits) {
    let len = model.len();
    match step {
        Step::Push(end, value) => {
            list.push(end, &value, limits);
            push(model, end, value);
        }
        Step::Fill(count, value) => {
            for _ in 0..count {
                list.push_back(&value, limits);
                model.push_back(value.clone());
            }
        }
        Step::Pop(end) => assert_eq!(list.pop(end, limits, |element| element.to_vec()), pop(model, end)),
        Step::Set(at, value) => {
            let at = at.index(len + 1);
            assert_eq!(list.set(at, &value, limits), at < len);
            if at < len {
                model[at] = value;
            }
        }
        Step::Insert(at, value) => {
            let at = at.index(len + 2);
            assert_eq!(list.insert(at, &value, limits), at <= len);
            if at <= len {
                model.insert(at, value);
            }
        }
        Step::InsertBefore(at, value) | Step::InsertAfter(at, value) if len == 0 => {
            let _ = at;
            assert!(!list.insert_before(&value, b"x", limits));
        }
        Step::InsertBefore(at, value) => {
            let pivot = model[at.index(len)].clone();
            assert!(list.insert_before(&pivot, &value, limits));
            let at = model.iter().position(|other| *other == pivot).expect("the pivot is there");
            model.insert(at, value);
        }
        Step::InsertAfter(at, value) => {
            let pivot = model[at.index(len)].clone();
            assert!(list.insert_after(&pivot, &value, limits));
            let at = model.iter().position(|other| *other == pivot).expect("the pivot is there");
            model.insert(at + 1, value);
        }
        Step::Remove(count, value) => {
            assert_eq!(list.remove(count, &value, limits), naive_remove(model, count, &value));
        }
        Step::RemoveRange(at, count) => {
            let at = at.index(len + 1);
            list.remove_range(at, count, limits);
            model.drain(at..(at + count).min(len));
        }
        Step::Trim(start, stop) => {
            let kept = naive_range(len, start, stop);
            list.trim(start, stop, limits);
            *model = kept.into_iter().map(|at| model[at].clone()).collect();
        }
        Step::Rotate(from, to) => {
            assert_eq!(list.rotate(from, to, limits), len > 0);
            if let Some(value) = pop(model, from) {
                push(model, to, value);
            }
        }
        Step::MoveTo(from, to) => {
            let mut other = List::new();
            assert_eq!(list.move_to(from, &mut other, to, limits), len > 0);
            assert_eq!(other.front().map(Element::to_vec), pop(model, from));
        }
    }
}

fn check(list: &List, model: &VecDeque<Vec<u8>>, limits: ListLimits) {
    assert_eq!(list.len(), model.len());
    assert!(list.iter().map(Element::to_vec).eq(model.iter().cloned()));
    assert!(list.iter().rev().map(Element::to_vec).eq(model.iter().rev().cloned()));
    for (at, value) in model.iter().enumerate() {
        assert!(list.get(at).is_some_and(|element| element.is(value)));
    }
    assert_eq!(list.get(model.len()), None);
    let mut total = 0;
    for at in 0..list.node_count() {
        match list.node(at).expect("a node") {
            NodeRef::Packed(packed) => {
                assert!(limits.allow(packed.bytes_len(), packed.len()), "{} bytes", packed.bytes_len());
                assert!(!packed.is_empty() || list.is_single_node());
                total += packed.len();
            }
            NodeRef::Plain(_) => total += 1,
        }
    }
    assert_eq!(total, model.len());
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 128 })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn behaves_as_a_deque(steps in prop::collection::vec(step(), 0..60), tiny: bool) {
        let limits = if tiny { TINY } else { SMALL };
        let (mut list, mut model) = (List::new(), VecDeque::new());
        for step in steps {
            apply(&mut list, &mut model, step, limits);
            check(&list, &model, limits);
        }
    }

    #[test]
    fn ranges_and_both_directions_meet(len in 0usize..30, start in -35i64..35, stop in -35i64..35,
                                       turns in prop::collection::vec(any::<bool>(), 30)) {
        let mut list = List::new();
        (0..len).for_each(|at| list.push_back(at.to_string().as_bytes(), TINY));
        let expected: Vec<i64> = naive_range(len, start, stop).into_iter().map(|at| at as i64).collect();
        let mut iter = list.range(start, stop);
        let (mut front, mut back) = (Vec::new(), Vec::new());
        for turn in turns {
            prop_assert_eq!(iter.len(), expected.len() - front.len() - back.len());
            let element = if turn { iter.next() } else { iter.next_back() };
            let side = if turn { &mut front } else { &mut back };
            side.extend(element.and_then(Element::as_int));
        }
        front.extend(back.into_iter().rev());
        prop_assert_eq!(front.len(), expected.len().min(30));
        if expected.len() <= 30 {
            prop_assert_eq!(front, expected);
        }
    }

    #[test]
    fn positions_are_those_of_a_plain_search(values in prop::collection::vec(0u8..3, 0..25),
                                             rank in -5i64..6, count in 0usize..4, compare_max in 0usize..25) {
        let mut list = List::new();
        values.iter().for_each(|value| list.push_back(&[b'a' + value], TINY));
        let order: Vec<usize> =
            if rank < 0 { (0..values.len()).rev().collect() } else { (0..values.len()).collect() };
        let compared = if compare_max == 0 { order.len() } else { compare_max.min(order.len()) };
        let mut expected: Vec<usize> = order[..compared].iter().copied().filter(|&at| values[at] == 1).collect();
        expected.drain(..(rank.unsigned_abs() as usize).saturating_sub(1).min(expected.len()));
        if count > 0 {
            expected.truncate(count);
        }
        let mut found = Vec::new();
        list.positions(b"b", rank, count, compare_max, |at| found.push(at));
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn limits_are_those_of_list_max_listpack_size() {
    let bounds = |size| {
        let limits = ListLimits { max_listpack_size: size };
        (limits.node_bytes(), limits.node_len())
    };
    assert_eq!(bounds(-1), (4_096, usize::MAX));
    assert_eq!(bounds(-2), (8_192, usize::MAX));
    assert_eq!(bounds(-5), (65_536, usize::MAX));
    assert_eq!(bounds(i32::MIN), (65_536, usize::MAX));
    assert_eq!(bounds(0), (8_192, 1));
    assert_eq!(bounds(128), (8_192, 128));
    assert_eq!(bounds(i32::MAX), (8_192, i32::MAX as usize));
}

#[test]
fn a_short_list_is_one_node_and_becomes_one_again() {
    let limits = ListLimits::default();
    let mut list = List::new();
    assert_eq!((list.is_single_node(), list.memory_bytes(), list.encoding_name()), (true, 0, "quicklist"));
    while list.is_single_node() {
        list.push_back(&[b'x'; 100], limits);
    }
    assert_eq!(list.len(), 8_192usize.div_ceil(103));
    while list.len() > 30 {
        list.pop_back(limits);
    }
    assert!(list.is_single_node());
    list.push_back(&[b'y'; 9_000], limits);
    assert_eq!(list.node_count(), 2);
    assert!(list.back().is_some_and(|element| element.len() == 9_000));
    list.trim(0, -2, limits);
    assert!(list.is_single_node());
}

#[test]
fn a_long_queue_keeps_few_nodes() {
    let limits = ListLimits::default();
    let (mut list, count) = (List::new(), if cfg!(miri) { 600 } else { 100_000 });
    for at in 0..count {
        list.push_front(format!("element:{at}").as_bytes(), limits);
    }
    assert!(list.node_count() <= count * 20 / 8_000 + 1, "{}", list.node_count());
    let real: usize = 20 * count;
    assert!((real / 2..real * 2).contains(&list.memory_bytes()), "{}", list.memory_bytes());
    for at in 0..count {
        assert_eq!(list.pop_back(limits), Some(format!("element:{at}").into_bytes()));
    }
    assert!(list.is_empty() && list.pop_back(limits).is_none());
}

#[test]
fn hostile_indexes_are_nothing_special() {
    let mut list = List::new();
    (0..10).for_each(|at| list.push_back(at.to_string().as_bytes(), TINY));
    assert_eq!(list.range(i64::MIN, i64::MAX).count(), 10);
    assert_eq!(list.range(i64::MAX, i64::MIN).count(), 0);
    assert_eq!(list.iter_from(usize::MAX).count(), 0);
    assert_eq!(list.iter_from(7).count(), 3);
    list.positions(b"1", i64::MIN, usize::MAX, usize::MAX, |_| panic!("there is no such rank"));
    assert_eq!(list.remove(i64::MIN, b"1", TINY), 1);
    list.remove_range(usize::MAX, usize::MAX, TINY);
    list.remove_range(3, usize::MAX, TINY);
    assert_eq!(list.len(), 3);
    list.trim(i64::MAX, i64::MIN, TINY);
    assert!(list.is_empty());
}

#[test]
fn lists_are_small_and_can_be_sent() {
    fn sendable<T: Send + Sync>() {}
    sendable::<List>();
    assert_eq!(size_of::<List>(), 8);
}

#[test]
fn nodes_hold_all_elements() {
    let limits = ListLimits::from_setting(-1);
    let mut list = List::new();
    assert_eq!(list.nodes().len(), 0);
    let long = vec![b'x'; 10_000];
    let values: Vec<Vec<u8>> =
        (0..2000).map(|at| if at % 700 == 3 { long.clone() } else { b"abc".to_vec() }).collect();
    values.iter().for_each(|value| list.push_back(value, limits));
    let mut seen = Vec::new();
    for node in list.nodes() {
        match node {
            ListNode::Packed(packed) => seen.extend(packed.iter().map(|element| element.to_vec())),
            ListNode::Plain(bytes) => {
                assert_eq!(bytes, long);
                seen.push(bytes.to_vec());
            }
        }
    }
    assert_eq!((seen, list.nodes().len()), (values, list.node_count()));
}
