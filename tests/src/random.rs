//! Random streams of commands over a few keys, made from templates, and the search for the shortest stream that
//! still fails.
//!
//! A template is a line of words. A word in capitals stands for a random argument (`KEY`, `VAL`, `INT`, ...),
//! `(a|b c|)` for one of the alternatives, and a `+` at the end of a word for one to four of it; `A:B` makes both.
//! In front stands how the replies are compared.

use std::time::{Duration, Instant};

use crate::oracle::{Compare, Mismatch, Pair};
use crate::server::Server;

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

const TYPES: usize = 5;
const KEYS_A_TYPE: usize = 3;

/// What random commands are made from: one family of commands for each type of value, and those for all.
const FAMILIES: [(&str, &[&str]); TYPES + 2] = [
    ("s", STRINGS),
    ("l", LISTS),
    ("h", HASHES),
    ("set", SETS),
    ("z", SORTED_SETS),
    ("any", KEYS),
    ("lex", LEXICAL),
];

const STRINGS: &[&str] = &[
    "= set KEY VAL",
    "= set KEY VAL (nx|xx|) (get|) (ex 1000|px 1000000|exat 4102444800|keepttl|)",
    "= get KEY",
    "= getex KEY (ex 1000|persist|pxat 4102444800123|)",
    "= getdel KEY",
    "= getset KEY VAL",
    "= setnx KEY VAL",
    "= setex KEY 1000 VAL",
    "= append KEY VAL",
    "= strlen KEY",
    "= getrange KEY INDEX INDEX",
    "= setrange KEY OFFSET VAL",
    "= (incr|decr) KEY",
    "= (incrby|decrby) KEY INT",
    "= incrbyfloat KEY FLOAT",
    "= mget KEY+",
    "= mset KEY:VAL+",
    "= msetnx KEY:VAL+",
    "= lcs KEY KEY (len|idx|idx withmatchlen|idx minmatchlen 2|)",
];

const LISTS: &[&str] = &[
    "= (lpush|rpush) KEY VAL+",
    "= (lpush|rpush) KEY VAL+",
    "= (lpushx|rpushx) KEY VAL+",
    "= (lpop|rpop) KEY",
    "= (lpop|rpop) KEY COUNT",
    "= llen KEY",
    "= lrange KEY INDEX INDEX",
    "= lindex KEY INDEX",
    "= lset KEY INDEX VAL",
    "= linsert KEY (before|after) VAL VAL",
    "= lrem KEY INDEX VAL",
    "= ltrim KEY INDEX INDEX",
    "= lpos KEY VAL (rank 1|rank -1|rank 2|) (count 0|count 2|) (maxlen 3|)",
    "= lmove KEY KEY (left|right) (left|right)",
    "= rpoplpush KEY KEY",
    "= lmpop N:KEY (left|right) (count 1|count 3|)",
];

const HASHES: &[&str] = &[
    "= hset KEY FIELD:VAL+",
    "= hset KEY FIELD:VAL+",
    "= hmset KEY FIELD:VAL+",
    "= hsetnx KEY FIELD VAL",
    "= hget KEY FIELD",
    "= hmget KEY FIELD+",
    "pairs hgetall KEY",
    "unordered hkeys KEY",
    "unordered hvals KEY",
    "= hlen KEY",
    "= hstrlen KEY FIELD",
    "= hdel KEY FIELD+",
    "= hexists KEY FIELD",
    "= hincrby KEY FIELD INT",
    "= hincrbyfloat KEY FIELD FLOAT",
    "shape hrandfield KEY INDEX",
    "unordered hrandfield KEY 1000",
    "scan hscan KEY 0 count 1000",
];

const SETS: &[&str] = &[
    "= sadd KEY MEMBER+",
    "= sadd KEY MEMBER+",
    "= sadd KEY INT+",
    "= srem KEY MEMBER+",
    "unordered smembers KEY",
    "= sismember KEY MEMBER",
    "= smismember KEY MEMBER+",
    "= scard KEY",
    "= smove KEY KEY MEMBER",
    "unordered (sinter|sunion|sdiff) KEY+",
    "= (sinterstore|sunionstore|sdiffstore) KEY KEY+",
    "= sintercard N:KEY (limit 2|limit 0|)",
    "unordered spop KEY 1000",
    "shape srandmember KEY INDEX",
    "unordered srandmember KEY 1000",
    "scan sscan KEY 0 count 1000",
];

const SORTED_SETS: &[&str] = &[
    "= zadd KEY SCORE:MEMBER+",
    "= zadd KEY SCORE:MEMBER+",
    "= zadd KEY (nx|xx|gt|lt|xx gt|xx lt|) (ch|) SCORE:MEMBER+",
    "= zadd KEY (nx|xx|gt|lt|) incr SCORE MEMBER",
    "= zrem KEY MEMBER+",
    "= zscore KEY MEMBER",
    "= zmscore KEY MEMBER+",
    "= zincrby KEY SCORE MEMBER",
    "= zcard KEY",
    "= zcount KEY BOUND BOUND",
    "= (zrank|zrevrank) KEY MEMBER",
    "= zrange KEY INDEX INDEX (rev|) (withscores|)",
    "= zrange KEY BOUND BOUND byscore (rev|) (limit 1 2|limit 0 -1|) (withscores|)",
    "= (zrangebyscore|zrevrangebyscore) KEY BOUND BOUND (withscores|) (limit 1 3|)",
    "= zrevrange KEY INDEX INDEX (withscores|)",
    "= zrangestore KEY KEY INDEX INDEX (rev|)",
    "= zremrangebyrank KEY INDEX INDEX",
    "= zremrangebyscore KEY BOUND BOUND",
    "= (zpopmin|zpopmax) KEY (COUNT|)",
    "= zmpop N:KEY (min|max) (count 3|)",
    "= (zunion|zinter) N:KEY (aggregate min|aggregate max|) (withscores|)",
    "= zdiff N:KEY (withscores|)",
    "= (zunionstore|zinterstore) KEY N:KEY (aggregate min|aggregate max|)",
    "= zdiffstore KEY N:KEY",
    "= zintercard N:KEY (limit 2|)",
    "shape zrandmember KEY INDEX",
    "unordered zrandmember KEY 1000",
    "scan zscan KEY 0 count 1000",
];

/// Sorted sets whose scores are all the same: with others, Redis' own answers depend on the chance in its skip list.
/// Their keys are left alone by all other commands.
const LEXICAL: &[&str] = &[
    "= zadd LEXKEY 0:MEMBER+",
    "= zadd LEXKEY 0:MEMBER+",
    "= zrem LEXKEY MEMBER+",
    "= zlexcount LEXKEY LEX LEX",
    "= zrange LEXKEY LEX LEX bylex (rev|) (limit 1 2|)",
    "= (zrangebylex|zrevrangebylex) LEXKEY LEX LEX (limit 1 2|)",
    "= zremrangebylex LEXKEY LEX LEX",
    "= zrangestore LEXKEY LEXKEY LEX LEX bylex",
    "= (zpopmin|zpopmax) LEXKEY",
    "= (zrank|zrevrank) LEXKEY MEMBER",
];

const KEYS: &[&str] = &[
    "= (del|unlink|exists|touch) KEY+",
    "= type KEY",
    "= (expire|pexpire) KEY (1000000|2000000|0|-1) (nx|xx|gt|lt|)",
    "= (expireat KEY 4102444800|pexpireat KEY 4102444800500|pexpireat KEY 1)",
    "near ttl KEY",
    "near (pttl|expiretime|pexpiretime) KEY",
    "= persist KEY",
    "= rename KEY KEY",
    "= renamenx KEY KEY",
    "= copy KEY KEY (replace|)",
    "= dbsize",
    "unordered keys (*|*0|[sl]*|*t*)",
    "scan scan 0 count 1000",
    "= object encoding KEY",
];

const SCRIPTS: &[&str] = &[
    "return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))",
    "return redis.pcall(ARGV[1], KEYS[1], unpack(ARGV, 2))",
    "local r = redis.pcall(ARGV[1], KEYS[1], unpack(ARGV, 2)) return {type(r), r}",
    "redis.setresp(3) return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))",
];

/// Makes the commands of a stream.
pub struct Generator {
    rng: Rng,
    /// In front of every key: with `{t}`, all keys are in one slot.
    tag: &'static str,
}

impl Generator {
    /// A generator whose keys all share a slot, or lie where they fall.
    pub fn new(seed: u64, one_slot: bool) -> Generator {
        Generator { rng: Rng::new(seed), tag: if one_slot { "{t}" } else { "" } }
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

    /// One random command, one in eight of them inside a script.
    pub fn step(&mut self) -> Step {
        let family = self.rng.below(FAMILIES.len());
        let step = self.fill(family);
        // A script's keys must share a slot, and those of a command with several are elsewhere in ARGV.
        let in_script = self.rng.one_in(8) && family < TYPES && !self.tag.is_empty() && !has_key_count(&step);
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
                ] {
                    steps.push(Step::new(compare, &words));
                }
            }
        }
    }

    fn fill(&mut self, family: usize) -> Step {
        let template = *self.rng.pick(FAMILIES[family].1);
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
            "LEXKEY" => {
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

fn has_key_count(step: &Step) -> bool {
    let name = step.command[0].as_slice();
    let counted: [&[u8]; 7] =
        [b"lmpop", b"zmpop", b"sintercard", b"zunion", b"zinter", b"zdiff", b"zintercard"];
    counted.contains(&name)
}

/// Runs a stream against both servers, from empty; the first step that differs.
pub fn run(ours: &Server, theirs: &Server, protocol: u8, steps: &[Step]) -> Option<(usize, Mismatch)> {
    let mut pair = Pair::connect(ours, theirs, protocol);
    pair.both(&["FLUSHALL"]);
    steps.iter().enumerate().find_map(|(i, step)| {
        pair.check(&step.command, &step.compare.clone().into()).err().map(|mismatch| (i, mismatch))
    })
}

/// Drops steps from a failing stream for as long as it still fails, within a bounded time; the shortest that was
/// found, and how it fails.
pub fn shrink(mut steps: Vec<Step>, mut fails: impl FnMut(&[Step]) -> Option<(usize, Mismatch)>) -> Shrunk {
    let deadline = Instant::now() + Duration::from_secs(40);
    let Some((mut last, mut mismatch)) = fails(&steps) else {
        return Shrunk { steps, mismatch: None };
    };
    steps.truncate(last + 1);
    let mut chunk = steps.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < steps.len() && Instant::now() < deadline {
            let mut shorter = steps.clone();
            shorter.drain(at..(at + chunk).min(steps.len()));
            match fails(&shorter) {
                Some((index, found)) => {
                    (last, mismatch) = (index, found);
                    shorter.truncate(last + 1);
                    steps = shorter;
                }
                None => at += chunk,
            }
        }
        chunk /= 2;
    }
    Shrunk { steps, mismatch: Some(mismatch) }
}

/// A stream that still fails.
pub struct Shrunk {
    /// Its commands.
    pub steps: Vec<Step>,
    /// The difference at its end; none when the failure did not come again.
    pub mismatch: Option<Mismatch>,
}

impl std::fmt::Display for Shrunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for step in self.steps.iter().take(60) {
            writeln!(f, "  {}", crate::oracle::show_command(&step.command))?;
        }
        match &self.mismatch {
            Some(mismatch) => write!(f, "of {} commands, the last differs:\n{mismatch}", self.steps.len()),
            None => write!(f, "of {} commands, but it did not fail again", self.steps.len()),
        }
    }
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

    #[test]
    fn shrinking_finds_the_two_steps_that_matter() {
        let steps: Vec<Step> = (0..100).map(|i| Step::new(Compare::Exact, &[&i.to_string()])).collect();
        let number = |s: &Step| String::from_utf8_lossy(&s.command[0]).parse::<u32>().unwrap();
        let fails = |steps: &[Step]| {
            let first = steps.iter().position(|s| number(s) == 17)?;
            let second = steps.iter().position(|s| number(s) == 61).filter(|second| *second > first)?;
            let text = String::new;
            Some((second, Mismatch { sent: text(), ours: text(), theirs: text(), compare: Compare::Exact }))
        };
        let shrunk = shrink(steps, fails);
        assert_eq!(shrunk.steps.iter().map(number).collect::<Vec<_>>(), [17, 61]);
    }
}
