use super::*;
use proptest::prelude::*;

fn bit(bytes: &[u8], at: usize) -> bool {
    bytes.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0)
}

/// Bitmaps with long runs in them, as those that are searched have.
fn runs() -> impl Strategy<Value = Vec<u8>> {
    let run = (prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..150_usize);
    prop::collection::vec(run, 0..4)
        .prop_map(|runs| runs.into_iter().flat_map(|(byte, len)| std::iter::repeat_n(byte, len)).collect())
}

fn combined(how: Combination, bits: &[bool]) -> bool {
    let first = bits[0];
    let others = bits[1..].iter().any(|&bit| bit);
    let count = bits.iter().filter(|&&bit| bit).count();
    match how {
        Combination::And => count == bits.len(),
        Combination::Or => count > 0,
        Combination::Xor => count % 2 == 1,
        Combination::Not => !first,
        Combination::Diff => first && !others,
        Combination::Diff1 => !first && others,
        Combination::AndOr => first && others,
        Combination::One => count == 1,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 300 }))]

    #[test]
    fn counting_and_finding_agree_with_a_look_at_every_bit(
        bytes in runs(),
        start in 0..4000_usize,
        len in 0..4000_usize,
    ) {
        let range = start.min(bytes.len() * 8)..(start + len).min(bytes.len() * 8);
        let expected = range.clone().filter(|&at| bit(&bytes, at)).count();
        prop_assert_eq!(count_ones(&bytes, start..start + len), expected as u64);
        for value in [false, true] {
            let first = range.clone().find(|&at| bit(&bytes, at) == value);
            prop_assert_eq!(find_bit(&bytes, start..start + len, value), first);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "many bits, and no unsafe code")]
    fn combining_agrees_with_a_look_at_every_bit(sources in prop::collection::vec(runs(), 1..5)) {
        let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
        let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
        for how in [
            Combination::And, Combination::Or, Combination::Xor, Combination::Not,
            Combination::Diff, Combination::Diff1, Combination::AndOr, Combination::One,
        ] {
            // Only the first one's bits count for Not, whose result is as long as the longest all the same.
            let out = combine(how, &sources);
            prop_assert_eq!(out.len(), len);
            for at in 0..len * 8 {
                let bits: Vec<bool> = sources.iter().map(|source| bit(source, at)).collect();
                prop_assert_eq!(bit(&out, at), combined(how, &bits), "{:?} at {}", how, at);
            }
        }
    }

    #[test]
    fn a_field_is_read_and_written_bit_by_bit(
        mut bytes in prop::collection::vec(any::<u8>(), 0..24),
        offset in 0..200_usize,
        bits in 1..=64_u32,
        signed: bool,
        value: i64,
    ) {
        let field = Field { offset, bits: if signed { bits } else { bits.min(63) }, signed };
        let read = |bytes: &[u8]| {
            let start = if signed && bit(bytes, offset) { -1 } else { 0 };
            (offset..offset + field.bits as usize).fold(start, |value, at| value << 1 | i64::from(bit(bytes, at)))
        };
        prop_assert_eq!(field.get(&bytes), read(&bytes));
        bytes.resize(bytes.len().max(field.end()), 0);
        let before = bytes.clone();
        let value = field.fit(value, 0, Overflow::Wrap).expect("it wraps");
        field.set(&mut bytes, value);
        prop_assert_eq!(field.get(&bytes), value);
        for at in (0..bytes.len() * 8).filter(|&at| !(offset..offset + field.bits as usize).contains(&at)) {
            prop_assert_eq!(bit(&bytes, at), bit(&before, at));
        }
    }

    #[test]
    fn sums_of_a_field_stay_in_it(
        value: i64,
        increment: i64,
        bits in 1..=64_u32,
        signed: bool,
    ) {
        let field = Field { offset: 0, bits: if signed { bits } else { bits.min(63) }, signed };
        let (min, max) = match (signed, field.bits) {
            (true, bits) => (-1_i128 << (bits - 1), (1_i128 << (bits - 1)) - 1),
            (false, bits) => (0, (1_i128 << bits) - 1),
        };
        let value = field.fit(value, 0, Overflow::Wrap).expect("it wraps");
        prop_assert!((min..=max).contains(&i128::from(value)));
        let sum = i128::from(value) + i128::from(increment);
        let fits = (min..=max).contains(&sum);
        prop_assert_eq!(field.fit(value, increment, Overflow::Fail), fits.then_some(sum as i64));
        prop_assert_eq!(field.fit(value, increment, Overflow::Saturate).map(i128::from), Some(sum.clamp(min, max)));
        let wrapped = i128::from(field.fit(value, increment, Overflow::Wrap).expect("it wraps"));
        prop_assert!((min..=max).contains(&wrapped));
        prop_assert_eq!((sum - wrapped).rem_euclid(1 << field.bits), 0);
    }
}

#[test]
fn what_is_beyond_a_field_is_set_as_redis_does() {
    let field = Field { offset: 0, bits: 5, signed: true };
    assert_eq!(field.fit(-17, 0, Overflow::Saturate), Some(-16));
    assert_eq!(field.fit(16, 0, Overflow::Saturate), Some(15));
    assert_eq!(field.fit(i64::MIN, 0, Overflow::Saturate), Some(15));
}
