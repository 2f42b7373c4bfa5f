//! Random streams of commands over a few keys, made from [templates], and the search for the shortest stream that still
//! fails.

mod acts;
mod shrink;
mod templates;

use std::fmt;

use crate::oracle::{Compare, show_command};
pub use acts::{Act, Way, keyspace_after, run, run_in_way, script_of};
pub use shrink::{Shrunk, shrink, shrink_acts};
use templates::{DEADLINES, FAMILIES, TYPES, UNREPEATABLE};

/// A small generator of random numbers (SplitMix64): the same seed gives the same stream everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The seed from `MOONSHARD_SEED`, or a fresh one; printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let seed = match std::env::var("MOONSHARD_SEED") {
        Ok(text) => text.parse().expect("MOONSHARD_SEED is no number"),
        Err(_) => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            Rng::new(now.as_nanos() as u64).bits() % 1_000_000_000
        }
    };
    println!("MOONSHARD_SEED={seed}");
    seed
}

/// A number from the environment, or a default.
pub fn env_or(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// A command of a stream, and how its replies are compared.
#[derive(Clone, Debug)]
pub struct Step {
    /// The arguments.
    pub command: Vec<Vec<u8>>,
    /// How the replies are compared.
    pub compare: Compare,
}

impl Step {
    fn new(compare: Compare, words: &[&str]) -> Step {
        Step { command: words.iter().map(|w| w.as_bytes().to_vec()).collect(), compare }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_command(&self.command))
    }
}

const SCRIPTS: &[&str] = &[
    "return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))",
    "return redis.pcall(ARGV[1], KEYS[1], unpack(ARGV, 2))",
    "local r = redis.pcall(ARGV[1], KEYS[1], unpack(ARGV, 2)) return {type(r), r}",
    "redis.setresp(3) return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))",
];

/// Keys of each family.
const KEYS_A_TYPE: usize = 3;

/// Makes the commands of a stream.
pub struct Generator {
    rng: Rng,
    /// In front of every key: with `{t}`, all keys are in one slot.
    tag: String,
    one_slot: bool,
}

impl Generator {
    /// A generator whose keys all share a slot, or lie where they fall.
    pub fn new(seed: u64, one_slot: bool) -> Generator {
        Generator { rng: Rng::new(seed), tag: if one_slot { "{t}" } else { "" }.to_owned(), one_slot }
    }

    /// A generator whose keys begin with `prefix`, and lie where they fall.
    pub fn with_prefix(seed: u64, prefix: &str) -> Generator {
        Generator { rng: Rng::new(seed), tag: prefix.to_owned(), one_slot: false }
    }

    /// So many commands, with a look at all keys after every 500 of them and at the end.
    pub fn stream(&mut self, len: usize) -> Vec<Step> {
        let mut steps = Vec::with_capacity(len + len / 10);
        for i in 1..=len {
            steps.push(self.step());
            if i % 500 == 0 || i == len {
                self.inspect(&mut steps);
            }
        }
        steps
    }

    /// One random command.
    fn plain_step(&mut self) -> Step {
        let family = self.rng.below(FAMILIES.len());
        self.fill(family)
    }

    fn any_key(&mut self) -> Vec<u8> {
        let (family, index) = (self.rng.below(TYPES), self.rng.below(KEYS_A_TYPE));
        self.key_of(family, index).into_bytes()
    }

    /// One random command, one in eight of them inside a script.
    pub fn step(&mut self) -> Step {
        let family = self.rng.below(FAMILIES.len());
        let step = self.fill(family);
        // A script's keys must share a slot, and those of a command with several are elsewhere in ARGV.
        let in_script =
            self.rng.one_in(8) && family < TYPES && self.one_slot && has_key_first(&step, &self.tag);
        if in_script { self.scripted(step) } else { step }
    }

    fn scripted(&mut self, step: Step) -> Step {
        let script = *self.rng.pick(SCRIPTS);
        let mut command = vec![b"eval".to_vec(), script.as_bytes().to_vec(), b"1".to_vec()];
        command.push(step.command[1].clone());
        command.push(step.command[0].clone());
        command.extend_from_slice(&step.command[2..]);
        let compare = match step.compare {
            // A map comes back in the order of a Lua table, which the two implementations of Lua do not share.
            Compare::Exact if script.contains("setresp(3)") => Compare::Deep,
            Compare::Exact => Compare::Exact,
            _ => Compare::Shape,
        };
        Step { command, compare }
    }

    fn inspect(&mut self, steps: &mut Vec<Step>) {
        for family in 0..TYPES {
            for i in 0..KEYS_A_TYPE {
                let key = self.key_of(family, i);
                for (compare, words) in [
                    (Compare::Exact, vec!["type", &key]),
                    (Compare::Near(5000), vec!["pttl", &key]),
                    (Compare::Exact, vec!["object", "encoding", &key]),
                    (Compare::Exact, vec!["get", &key]),
                    (Compare::Exact, vec!["lrange", &key, "0", "-1"]),
                    (Compare::Pairs, vec!["hgetall", &key]),
                    (Compare::Unordered, vec!["smembers", &key]),
                    (Compare::Exact, vec!["zrange", &key, "0", "-1", "withscores"]),
                    (Compare::Exact, vec!["xrange", &key, "-", "+"]),
                    (Compare::Exact, vec!["xinfo", "groups", &key]),
                ] {
                    steps.push(Step::new(compare, &words));
                }
            }
        }
        steps.push(Step::new(Compare::Exact, &["debug", "digest"]));
    }

    /// One random command in three is such as depends on time or chance, or sets deadlines of fields if `deadlines`.
    fn any_step(&mut self, deadlines: bool) -> Step {
        if !self.rng.one_in(3) {
            return self.plain_step();
        }
        let of = if deadlines && self.rng.one_in(2) { DEADLINES } else { UNREPEATABLE };
        let (family, templates) = *self.rng.pick(of);
        self.fill_one_of(family, templates)
    }

    fn fill(&mut self, family: usize) -> Step {
        self.fill_one_of(family, FAMILIES[family].1)
    }

    fn fill_one_of(&mut self, family: usize, templates: &[&str]) -> Step {
        let template = *self.rng.pick(templates);
        let (compare, rest) = template.split_once(' ').expect("a template without a comparison");
        let compare = match compare {
            "=" => Compare::Exact,
            "near" => Compare::Near(5000),
            "pairs" => Compare::Pairs,
            "unordered" => Compare::Unordered,
            "scan" => Compare::FullScan,
            "shape" => Compare::Shape,
            other => panic!("no comparison {other}"),
        };
        let mut command = Vec::new();
        let flat = self.choose(rest);
        for word in flat.split_ascii_whitespace() {
            let (word, times) = match word.strip_suffix('+') {
                Some(word) => (word, 1 + self.rng.below(4)),
                None => (word, 1),
            };
            if let Some(of) = word.strip_prefix("N:") {
                let count = 1 + self.rng.below(3);
                command.push(count.to_string().into_bytes());
                command.extend((0..count).map(|_| self.argument(of, family)));
                continue;
            }
            for _ in 0..times {
                for part in word.split(':') {
                    command.push(self.argument(part, family));
                }
            }
        }
        Step { command, compare }
    }

    /// Puts one alternative in the place of every `(a|b)`.
    fn choose(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once('(') {
            let (inside, after) = tail.split_once(')').expect("an open bracket");
            let alternatives: Vec<&str> = inside.split('|').collect();
            out.push_str(before);
            out.push_str(alternatives[self.rng.below(alternatives.len())]);
            rest = after;
        }
        out + rest
    }

    fn argument(&mut self, word: &str, family: usize) -> Vec<u8> {
        let rng = &mut self.rng;
        match word {
            "KEY" => {
                let family = if family >= TYPES || rng.one_in(10) { rng.below(TYPES) } else { family };
                let index = rng.below(KEYS_A_TYPE);
                self.key_of(family, index).into_bytes()
            }
            "OWNKEY" => {
                let index = rng.below(KEYS_A_TYPE);
                self.key_of(family, index).into_bytes()
            }
            "VAL" => match rng.below(12) {
                0 => vec![],
                1 => vec![b'x'; 30 + rng.below(60)],
                2 => vec![0, 0xff, b'\r', b'\n'],
                3 => (rng.bits() as i64).to_string().into_bytes(),
                4..=7 => rng.below(10).to_string().into_bytes(),
                _ => format!("v{}", rng.below(8)).into_bytes(),
            },
            "INT" => match rng.below(12) {
                0 => b"9223372036854775807".to_vec(),
                1 => b"-9223372036854775808".to_vec(),
                2 => b"x".to_vec(),
                _ => (rng.below(2000) as i64 - 1000).to_string().into_bytes(),
            },
            "FLOAT" => {
                rng.pick(&[&b"1.5"[..], b"-0.25", b"3", b"1e3", b"0.1", b"-7.75", b"nan", b"x"]).to_vec()
            }
            "FIELD" | "MEMBER" => match rng.below(20) {
                0 => vec![b'm'; 65],
                1 => vec![],
                n => format!("m{}", n % 10).into_bytes(),
            },
            "SCORE" => {
                rng.pick(&[&b"1"[..], b"2", b"2.5", b"-3", b"0", b"inf", b"-inf", b"1e10", b"0.1"]).to_vec()
            }
            "BOUND" => rng.pick(&[&b"1"[..], b"(1", b"2.5", b"(2.5", b"-inf", b"+inf", b"-3", b"0"]).to_vec(),
            "LEX" => rng.pick(&[&b"-"[..], b"+", b"[m1", b"(m1", b"[m5", b"(m9", b"["]).to_vec(),
            "ID" => match rng.below(12) {
                0 => b"0-0".to_vec(),
                1 => b"9999-*".to_vec(),
                2 => b"x".to_vec(),
                3 => format!("{}-*", rng.below(60)).into_bytes(),
                4 => rng.below(60).to_string().into_bytes(),
                _ => format!("{}-{}", rng.below(60), rng.below(3)).into_bytes(),
            },
            "IDBOUND" => rng.pick(&[&b"-"[..], b"+", b"(3-1", b"7", b"20-1", b"(40", b"55-0"]).to_vec(),
            "FROM" => rng.pick(&[&b"0"[..], b"1-1", b"10", b"$", b"30-2"]).to_vec(),
            "GROUP" => rng.pick(&[&b"g1"[..], b"g1", b"g2"]).to_vec(),
            "CONSUMER" => rng.pick(&[&b"alice"[..], b"bob"]).to_vec(),
            "LON" => rng
                .pick(&[&b"13.361389"[..], b"15.087269", b"-122.27652", b"2.349014", b"179.9", b"181"])
                .to_vec(),
            "LAT" => {
                rng.pick(&[&b"38.115556"[..], b"37.502669", b"48.864716", b"0", b"-85.05", b"86"]).to_vec()
            }
            "RADIUS" => rng.pick(&[&b"1"[..], b"200", b"1500.5", b"20000"]).to_vec(),
            "INDEX" => (rng.below(13) as i64 - 5).to_string().into_bytes(),
            "OFFSET" => rng.below(40).to_string().into_bytes(),
            "COUNT" => rng.below(5).to_string().into_bytes(),
            literal => literal.as_bytes().to_vec(),
        }
    }

    fn key_of(&self, family: usize, index: usize) -> String {
        format!("{}{}{index}", self.tag, FAMILIES[family].0)
    }
}

fn has_key_first(step: &Step, tag: &str) -> bool {
    let blocks = step.command[0].starts_with(b"b") && !step.command[0].starts_with(b"bit");
    !blocks && step.command.get(1).is_some_and(|key| key.starts_with(tag.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_stream() {
        let commands = |seed| -> Vec<_> {
            Generator::new(seed, true).stream(200).into_iter().map(|s| s.command).collect()
        };
        assert_eq!(commands(7), commands(7));
        assert_ne!(commands(7), commands(8));
    }
}
