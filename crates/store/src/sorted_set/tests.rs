use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SEED: Seed = Seed::new(11, 12);
const LIMITS: SortedSetLimits = SortedSetLimits { entries_max: 128, member_max: 64 };

impl SortedSet {
    fn check(&self) {
        match self.0.get() {
            FormRef::Large(large) => large.check(),
            FormRef::Small(compact) => assert_eq!(compact.iter().count(), compact.len()),
        }
    }

    fn set(&mut self, member: &[u8], score: f64, limits: SortedSetLimits) -> AddOutcome {
        self.add(member, score, AddFlags::default(), limits, SEED)
    }
}

/// A small generator, so that every run of a test is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The same set, as simple as can be.
#[derive(Default)]
struct Model(BTreeMap<Vec<u8>, f64>);

impl Model {
    fn sorted(&self) -> Vec<(Vec<u8>, f64)> {
        let mut all: Vec<_> = self.0.iter().map(|(member, &score)| (member.clone(), score)).collect();
        all.sort_by(|one, two| one.1.partial_cmp(&two.1).unwrap().then_with(|| one.0.cmp(&two.0)));
        all
    }

    fn add(&mut self, member: &[u8], score: f64, flags: AddFlags) -> AddOutcome {
        let current = self.0.get(member).copied();
        if (flags.nx && current.is_some()) || (flags.xx && current.is_none()) {
            return AddOutcome::Skipped;
        }
        let score = if flags.incr { current.unwrap_or(0.0) + score } else { score };
        if score.is_nan() {
            return AddOutcome::NotANumber;
        }
        match current {
            None => {}
            Some(current) if flags.gt && score <= current => return AddOutcome::Skipped,
            Some(current) if flags.lt && score >= current => return AddOutcome::Skipped,
            Some(current) if score == current => return AddOutcome::Unchanged(score),
            Some(_) => {}
        }
        self.0.insert(member.to_vec(), score);
        if current.is_none() { AddOutcome::Added(score) } else { AddOutcome::Updated(score) }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Add(Vec<u8>, f64, AddFlags),
    Remove(Vec<u8>),
    RemoveRanks(usize, usize),
    PopMin,
    PopMax,
    ByScore(ScoreBound, ScoreBound),
    ByLex(u8, Vec<u8>, u8, Vec<u8>),
    Ranks(usize, usize, bool),
    Lookup(Vec<u8>),
    Fill(u64, u16),
    CompactIfFits,
    CloneIt,
    Scan,
    Random(u64, usize),
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-4i32..8).prop_map(f64::from),
        2 => (-40i32..40).prop_map(|n| f64::from(n) / 10.0),
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e300, 5e-324, 1.7e12]),
    ]
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0u16..200).prop_map(|n| n.to_string().into_bytes()),
        2 => (0u16..200).prop_map(|n| format!("{n}/long enough").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
        1 => (250usize..258).prop_map(|len| vec![b'x'; len]),
    ]
}

fn bound() -> impl Strategy<Value = ScoreBound> {
    (score(), any::<bool>())
        .prop_map(|(score, ex)| if ex { ScoreBound::Exclusive(score) } else { ScoreBound::Inclusive(score) })
}

fn flags() -> impl Strategy<Value = AddFlags> {
    let allowed = [
        (0, 0, 0, 0),
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 1),
        (0, 1, 1, 0),
        (0, 1, 0, 1),
    ];
    (prop::sample::select(allowed.to_vec()), any::<bool>()).prop_map(|((nx, xx, gt, lt), incr)| AddFlags {
        nx: nx == 1,
        xx: xx == 1,
        gt: gt == 1,
        lt: lt == 1,
        incr,
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        30 => (member(), score(), flags()).prop_map(|(member, score, flags)| Op::Add(member, score, flags)),
        12 => member().prop_map(Op::Remove),
        2 => (0usize..300, 0usize..60).prop_map(|(start, len)| Op::RemoveRanks(start, start + len)),
        2 => Just(Op::PopMin),
        2 => Just(Op::PopMax),
        4 => (bound(), bound()).prop_map(|(min, max)| Op::ByScore(min, max)),
        4 => (0u8..4, member(), 0u8..4, member()).prop_map(|(a, b, c, d)| Op::ByLex(a, b, c, d)),
        4 => (0usize..300, 0usize..300, any::<bool>()).prop_map(|(start, end, rev)| Op::Ranks(start, end, rev)),
        4 => member().prop_map(Op::Lookup),
        1 => (any::<u64>(), 0u16..600).prop_map(|(seed, count)| Op::Fill(seed, count)),
        1 => Just(Op::CompactIfFits),
        1 => Just(Op::CloneIt),
        1 => Just(Op::Scan),
        1 => (any::<u64>(), 0usize..300).prop_map(|(seed, count)| Op::Random(seed, count)),
    ]
}

fn collected<'a>(iter: impl Iterator<Item = (&'a [u8], f64)>) -> Vec<(Vec<u8>, f64)> {
    iter.map(|(member, score)| (member.to_vec(), score)).collect()
}

fn lex(kind: u8, member: &[u8]) -> LexBound<'_> {
    match kind {
        0 => LexBound::Lowest,
        1 => LexBound::Highest,
        2 => LexBound::Inclusive(member),
        _ => LexBound::Exclusive(member),
    }
}

struct Pair {
    set: SortedSet,
    model: Model,
    limits: SortedSetLimits,
    /// The encoding, by the server's rules.
    large: bool,
}

impl Pair {
    fn add(&mut self, member: &[u8], score: f64, flags: AddFlags) {
        let outcome = self.set.add(member, score, flags, self.limits, SEED);
        assert_eq!(outcome, self.model.add(member, score, flags));
        let outgrown = self.model.0.len() > self.limits.entries_max || member.len() > self.limits.member_max;
        self.large |= matches!(outcome, AddOutcome::Added(_)) && outgrown;
    }

    fn remove_ranks(&mut self, start: usize, end: usize) {
        let mut removed = Vec::new();
        self.set.remove_ranks(start..end, |member, score| removed.push((member.to_vec(), score)));
        let sorted = self.model.sorted();
        let expected = &sorted[start.min(sorted.len())..end.min(sorted.len())];
        assert_eq!(removed, expected);
        for (member, _) in expected {
            self.model.0.remove(member);
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Add(member, score, flags) => self.add(member, *score, *flags),
            Op::Remove(member) => assert_eq!(self.set.remove(member), self.model.0.remove(member)),
            Op::RemoveRanks(start, end) => self.remove_ranks(*start, *end),
            Op::PopMin | Op::PopMax => {
                let mut sorted = self.model.sorted();
                let min = matches!(op, Op::PopMin);
                let expected = if sorted.is_empty() {
                    None
                } else {
                    Some(if min { sorted.swap_remove(0) } else { sorted.swap_remove(sorted.len() - 1) })
                };
                let mut popped = None;
                let visit = |member: &[u8], score| popped = Some((member.to_vec(), score));
                let any = if min { self.set.pop_min(visit) } else { self.set.pop_max(visit) };
                assert_eq!((any, &popped), (expected.is_some(), &expected));
                if let Some((member, _)) = popped {
                    self.model.0.remove(&member);
                }
            }
            Op::Fill(seed, count) => {
                let mut random = Random(*seed);
                for _ in 0..*count {
                    let bits = random.next();
                    self.add(
                        (bits % 5000).to_string().as_bytes(),
                        (bits >> 32) as f64 % 50.0,
                        AddFlags::default(),
                    );
                }
            }
            Op::CompactIfFits => {
                self.set.compact_if_fits(self.limits);
                let longest = self.model.0.keys().map(Vec::len).max().unwrap_or(0);
                self.large &=
                    self.model.0.len() > self.limits.entries_max || longest > self.limits.member_max;
            }
            Op::CloneIt => self.set = self.set.clone(),
            _ => self.read(op),
        }
        self.set.check();
        assert_eq!(self.set.encoding_name(), if self.large { "skiplist" } else { "listpack" });
    }

    fn read(&mut self, op: &Op) {
        let (set, sorted) = (&self.set, self.model.sorted());
        match op {
            Op::ByScore(min, max) => {
                let range = ScoreRange { min: *min, max: *max };
                let expected: Vec<_> = sorted
                    .into_iter()
                    .filter(|(_, score)| match *min {
                        ScoreBound::Inclusive(min) => *score >= min,
                        ScoreBound::Exclusive(min) => *score > min,
                    })
                    .filter(|(_, score)| match *max {
                        ScoreBound::Inclusive(max) => *score <= max,
                        ScoreBound::Exclusive(max) => *score < max,
                    })
                    .collect();
                assert_eq!(collected(set.iter_ranks(set.ranks_by_score(&range), false)), expected);
            }
            Op::ByLex(min_kind, min, max_kind, max) => {
                // The order of members counts among equal scores only.
                let mut equal = SortedSet::new();
                for (member, _) in &sorted {
                    equal.set(member, 1.0, self.limits);
                }
                let range = LexRange { min: lex(*min_kind, min), max: lex(*max_kind, max) };
                let expected: Vec<_> = self
                    .model
                    .0
                    .keys()
                    .filter(|member| !range.is_below(member) && range.is_within_max(member))
                    .map(|member| (member.clone(), 1.0))
                    .collect();
                for reverse in [false, true] {
                    let ranks = equal.ranks_by_lex(&range, reverse);
                    assert_eq!(collected(equal.iter_ranks(ranks, false)), expected);
                }
            }
            Op::Ranks(start, end, reverse) => {
                let mut expected = sorted[(*start).min(sorted.len()).min(*end)..].to_vec();
                expected.truncate(end.saturating_sub((*start).min(*end)));
                if start > end {
                    expected.clear();
                }
                if *reverse {
                    expected.reverse();
                }
                let iter = set.iter_ranks(*start..*end, *reverse);
                assert_eq!(iter.len(), expected.len());
                assert_eq!(collected(iter), expected);
            }
            Op::Lookup(member) => {
                assert_eq!(set.score(member), self.model.0.get(member).copied());
                let rank = sorted.iter().position(|(other, _)| other == member);
                assert_eq!(set.rank(member, false), rank.map(|rank| (rank, sorted[rank].1)));
                assert_eq!(set.rank(member, true).map(|(rank, _)| sorted.len() - 1 - rank), rank);
            }
            Op::Scan => {
                let (mut cursor, mut seen) = (0, BTreeMap::new());
                loop {
                    cursor = set.scan(cursor, |member, score| {
                        seen.insert(member.to_vec(), score);
                    });
                    if cursor == 0 {
                        break;
                    }
                }
                assert_eq!(seen, self.model.0);
            }
            Op::Random(seed, count) => {
                let mut random = Random(*seed);
                let mut drawn = BTreeMap::new();
                set.random_distinct(
                    *count,
                    || random.next(),
                    |member, score| {
                        assert!(drawn.insert(member.to_vec(), score).is_none());
                    },
                );
                assert_eq!(drawn.len(), (*count).min(sorted.len()));
                assert!(drawn.iter().all(|(member, score)| self.model.0.get(member) == Some(score)));
                let one = set.random(|| random.next());
                assert_eq!(one.is_some(), !sorted.is_empty());
                assert!(one.is_none_or(|(member, score)| self.model.0.get(member) == Some(&score)));
            }
            _ => unreachable!(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 200 }))]

    #[test]
    fn behaves_as_its_model(
        entries_max in prop::sample::select(vec![0usize, 1, 3, 16, 128]),
        member_max in prop::sample::select(vec![0usize, 3, 64, 1000]),
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let limits = SortedSetLimits { entries_max, member_max };
        let mut pair = Pair { set: SortedSet::new(), model: Model::default(), limits, large: false };
        for op in &ops {
            pair.apply(op);
            prop_assert_eq!(pair.set.len(), pair.model.0.len());
        }
        prop_assert_eq!(collected(pair.set.iter()), pair.model.sorted());
    }
}

const MANY: usize = if cfg!(miri) { 300 } else { 100_000 };

/// Numbers below [`MANY`], each once, in an order that looks random.
fn shuffled() -> Vec<usize> {
    let mut order: Vec<_> = (0..MANY).collect();
    let mut random = Random(3);
    for at in (1..MANY).rev() {
        order.swap(at, random.next() as usize % (at + 1));
    }
    order
}

fn name(at: usize) -> Vec<u8> {
    format!("member:{at}").into_bytes()
}

#[test]
fn many_members_in_every_order_of_arrival() {
    let orders = [(0..MANY).collect(), (0..MANY).rev().collect(), shuffled()];
    let leaf_bytes_most = [18, 18, 28];
    for (order, most) in orders.iter().zip(leaf_bytes_most) {
        let order: &Vec<usize> = order;
        let mut set = SortedSet::new();
        for &at in order {
            set.set(&name(at), at as f64 * 0.5, LIMITS);
        }
        set.check();
        let FormRef::Large(large) = set.0.get() else { panic!("small") };
        let tree_bytes = large.tree.memory_bytes();
        assert!(cfg!(miri) || tree_bytes < MANY * most, "{} bytes an entry", tree_bytes as f64 / MANY as f64);
        assert!(
            set.iter()
                .enumerate()
                .all(|(at, (member, score))| member == name(at) && score == at as f64 * 0.5)
        );
        for at in (0..MANY).step_by(97) {
            assert_eq!(set.rank(&name(at), false), Some((at, at as f64 * 0.5)));
            assert_eq!(set.iter_ranks(at..at + 1, true).next(), Some((&name(at)[..], at as f64 * 0.5)));
        }
        for (left, &at) in (0..MANY).rev().zip(order) {
            assert_eq!(set.remove(&name(at)), Some(at as f64 * 0.5));
            if left % (MANY / 8) == 0 {
                set.check();
            }
        }
        assert!(set.is_empty());
    }
}

#[test]
fn scores_that_wander() {
    let mut set = SortedSet::new();
    let mut model = Model::default();
    let mut random = Random(9);
    for step in 0..if cfg!(miri) { 300 } else { 30_000 } {
        let bits = random.next();
        let member = name((bits % 1000) as usize);
        // Small steps mostly stay between neighbours, large ones move.
        let by = if bits & 0x10000 == 0 { 0.25 } else { (bits >> 50) as f64 - 8000.0 };
        let flags = AddFlags { incr: true, ..AddFlags::default() };
        assert_eq!(set.add(&member, by, flags, LIMITS, SEED), model.add(&member, by, flags));
        if step % 1000 == 0 {
            set.check();
        }
    }
    set.check();
    assert_eq!(collected(set.iter()), model.sorted());
}

#[test]
fn the_first_and_the_last_many_times() {
    let mut set = SortedSet::new();
    let count = MANY / 20;
    for at in shuffled().into_iter().filter(|&at| at < count) {
        set.set(&name(at), at as f64, LIMITS);
    }
    for at in 0..count / 2 {
        assert!(set.pop_min(|member, _| assert_eq!(member, name(at))));
        assert!(set.pop_max(|member, _| assert_eq!(member, name(count - 1 - at))));
        if at % 64 == 0 {
            set.check();
        }
    }
    assert!(!set.pop_min(|_, _| panic!("empty")) && !set.pop_max(|_, _| panic!("empty")));
}

#[test]
fn the_small_form_loses_the_sign_of_zero() {
    let mut set = SortedSet::new();
    assert_eq!(set.set(b"a", -0.0, LIMITS), AddOutcome::Added(0.0));
    set.set(&[b'x'; 65], -0.0, LIMITS);
    let signs = collected(set.iter()).iter().map(|(_, score)| score.is_sign_negative()).collect::<Vec<_>>();
    assert_eq!((set.encoding_name(), &signs[..]), ("skiplist", &[false, true][..]));
    assert_eq!(set.set(b"a", -0.0, LIMITS), AddOutcome::Unchanged(0.0));
    assert!(set.score(b"a").unwrap().is_sign_positive());
}

#[test]
fn not_a_number_is_never_stored() {
    for limits in [LIMITS, SortedSetLimits { entries_max: 0, member_max: 0 }] {
        let mut set = SortedSet::new();
        assert_eq!(set.set(b"a", f64::NAN, limits), AddOutcome::NotANumber);
        assert!(set.is_empty());
        set.set(b"a", f64::INFINITY, limits);
        let incr = AddFlags { incr: true, ..AddFlags::default() };
        assert_eq!(set.add(b"a", f64::NEG_INFINITY, incr, limits, SEED), AddOutcome::NotANumber);
        assert_eq!(set.score(b"a"), Some(f64::INFINITY));
    }
}

/// What the server answers for a small set of different scores, in both directions.
#[test]
fn members_by_bytes_among_different_scores() {
    let mut set = SortedSet::new();
    for (score, member) in [b"c", b"a", b"d", b"b", b"e"].into_iter().enumerate() {
        set.set(member, score as f64, LIMITS);
    }
    let ranks = |min: &'static [u8], max: &'static [u8], reverse| {
        set.ranks_by_lex(&LexRange::parse(min, max).unwrap(), reverse)
    };
    assert_eq!((ranks(b"[b", b"[d", false), ranks(b"[b", b"[d", true)), (0..4, 2..4));
    assert_eq!((ranks(b"(c", b"[e", false), ranks(b"(c", b"[e", true)), (2..5, 4..5));
    assert_eq!((ranks(b"-", b"+", false), ranks(b"-", b"+", true)), (0..5, 0..5));
    for (min, max) in [(&b"[a"[..], &b"[b"[..]), (b"[d", b"[b"), (b"[a", b"[a"), (b"+", b"-")] {
        assert!(ranks(min, max, false).is_empty() && ranks(min, max, true).is_empty());
    }
}

#[test]
fn draws_are_even() {
    for count in [10, 400] {
        let mut set = SortedSet::new();
        for at in 0..count {
            set.set(&name(at), 1.0, LIMITS);
        }
        for wanted in [1, 2, count / 2] {
            let mut random = Random(count as u64);
            let mut drawn = BTreeMap::<Vec<u8>, usize>::new();
            let rounds = 40_000 / wanted;
            for _ in 0..rounds {
                set.random_distinct(
                    wanted,
                    || random.next(),
                    |member, _| *drawn.entry(member.to_vec()).or_default() += 1,
                );
            }
            let expected = (rounds * wanted) as f64 / count as f64;
            let chi: f64 = drawn.values().map(|&n| (n as f64 - expected).powi(2) / expected).sum();
            // The mean is the number of members, the deviation the root of twice that.
            let most = count as f64 + 6.0 * (2.0 * count as f64).sqrt();
            assert!(drawn.len() == count && chi < most, "{wanted} of {count}: {chi}");
        }
    }
}

#[test]
fn memory_is_given_back() {
    let mut set = SortedSet::new();
    for at in 0..5000 {
        set.set(&name(at), at as f64, LIMITS);
    }
    let full = set.memory_bytes();
    assert!(full > 5000 * 30 && full < 5000 * 75, "{full}");
    set.remove_ranks(0..4900, |_, _| {});
    assert!(set.memory_bytes() < full / 8, "{} of {full}", set.memory_bytes());
    let mut small = SortedSet::new();
    assert_eq!(small.memory_bytes(), 0);
    for at in 0..100 {
        small.set(&name(at), at as f64, LIMITS);
    }
    assert!(small.memory_bytes() < 100 * 15, "{}", small.memory_bytes());
}

#[test]
fn sets_go_from_thread_to_thread() {
    fn is_send<T: Send + Sync>() {}
    is_send::<SortedSet>();
}
