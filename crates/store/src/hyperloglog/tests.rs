use super::*;
use proptest::prelude::*;

/// What the registers of a value are, whatever its form.
fn ranks(value: &[u8]) -> Vec<u8> {
    let mut dense = value.to_vec();
    make_dense(&mut dense).expect("it is not corrupted");
    registers(&dense).collect()
}

fn added(elements: impl IntoIterator<Item = u64>, sparse_len_max: usize) -> Vec<u8> {
    let mut value = EMPTY.to_vec();
    for element in elements {
        add(&mut value, &element.to_le_bytes(), sparse_len_max).expect("it is not corrupted");
    }
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 100 }))]

    #[test]
    #[cfg_attr(miri, ignore = "many registers, and no unsafe code")]
    fn registers_are_the_greatest_rank_in_either_form(
        sets in prop::collection::vec((0..200_usize, 1..52_u8), 1..400),
        sparse_len_max in prop_oneof![Just(18_usize), 30..800_usize, Just(20_000)],
    ) {
        let mut model = vec![0; REGISTERS];
        let mut value = EMPTY.to_vec();
        for (index, rank) in sets {
            // Most lie close together, so that runs are split and joined; some at the end.
            let index = if index < 150 { index } else { REGISTERS - 1 - (index - 150) };
            let changed = raise(&mut value, index, rank, sparse_len_max).expect("it is not corrupted");
            prop_assert_eq!(changed, model[index] < rank);
            model[index] = rank.max(model[index]);
            prop_assert!(is_valid(&value));
            prop_assert!(is_dense(&value) || value.len() <= sparse_len_max.max(EMPTY.len()));
        }
        prop_assert_eq!(&ranks(&value), &model);
        let mut dense = value.clone();
        make_dense(&mut dense).expect("it is not corrupted");
        prop_assert_eq!(count(&value), count(&dense));
        let mut union = Union::default();
        union.merge(&value).expect("it is not corrupted");
        union.merge(&dense).expect("it is not corrupted");
        prop_assert_eq!(Ok(union.count()), count(&value));
    }

    #[test]
    #[cfg_attr(miri, ignore = "many registers, and no unsafe code")]
    fn a_union_counts_what_was_added_to_any(
        sets in prop::collection::vec((0..5000_u64, 0..3000_u64), 1..4),
    ) {
        let all = sets.iter().flat_map(|&(start, len)| start..start + len);
        let whole = added(all, 3000);
        let mut union = Union::default();
        for &(start, len) in &sets {
            union.merge(&added(start..start + len, 3000)).expect("it is not corrupted");
        }
        prop_assert_eq!(Ok(union.count()), count(&whole));
        let mut merged = EMPTY.to_vec();
        union.write_to(&mut merged, 3000).expect("it is not corrupted");
        prop_assert_eq!(ranks(&merged), ranks(&whole));
        prop_assert_eq!(cached_count(&merged), None);
    }

    #[test]
    fn no_bytes_are_too_strange(mut value in prop::collection::vec(any::<u8>(), 0..60), index in 0..REGISTERS) {
        value.splice(0..0, EMPTY[..HEADER].iter().copied());
        prop_assert!(is_valid(&value));
        let sound = count(&value).is_ok();
        prop_assert_eq!(make_dense(&mut value.clone()).is_ok(), sound);
        prop_assert_eq!(Union::default().merge(&value).is_ok(), sound);
        opcodes(&value).for_each(drop);
        let _ = raise(&mut value, index, 40, 100);
        let _ = raise(&mut value, index, 20, 100);
    }
}

#[test]
#[cfg_attr(miri, ignore = "many registers, and no unsafe code")]
fn the_estimate_is_near() {
    assert_eq!(count(&EMPTY), Ok(0));
    for n in [1, 10, 1000, 30_000, 1_000_000_u64] {
        let n = if cfg!(miri) { n.min(1000) } else { n };
        let estimate = count(&added(0..n, 3000)).expect("it is not corrupted");
        assert!(estimate.abs_diff(n) * 100 <= n * 3, "{estimate} for {n}");
    }
}

#[test]
fn a_count_is_kept_until_a_change() {
    let mut value = EMPTY.to_vec();
    assert_eq!(cached_count(&value), Some(0));
    assert_eq!(add(&mut value, b"a", 3000), Ok(true));
    assert_eq!(cached_count(&value), None);
    cache_count(&mut value, 1);
    assert_eq!((cached_count(&value), add(&mut value, b"a", 3000)), (Some(1), Ok(false)));
    make_dense(&mut value).expect("it is not corrupted");
    assert_eq!((cached_count(&value), value.len()), (Some(1), DENSE_LEN));
}

#[test]
fn runs_are_as_redis_writes_them() {
    let mut value = EMPTY.to_vec();
    for element in [b"a", b"b", b"c"] {
        add(&mut value, element, 3000).expect("it is not corrupted");
    }
    assert_eq!(&value[..HEADER], b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80");
    assert_eq!(&value[HEADER..], [0x60, 0xf3, 0x80, 0x50, 0xb1, 0x84, 0x4b, 0xfb, 0x80, 0x42, 0x5a]);
}

#[test]
fn what_is_no_value_is_refused() {
    for bad in [&b""[..], b"HYLL", b"HYLX\x01\0\0\0\0\0\0\0\0\0\0\0", b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0"] {
        assert!(!is_valid(bad));
    }
    let mut dense = EMPTY.to_vec();
    make_dense(&mut dense).expect("it is not corrupted");
    assert!(is_valid(&dense));
    dense.push(0);
    assert!(!is_valid(&dense));
}
