//! What the append-only log says of each command: what Redis' log says of it, to the byte where Redis is deterministic.
//! And whatever commands ran, as a client, in scripts, in transactions: run again from the log they leave the same keys.
//!
//! `MOONSHARD_SEED` repeats a run, `MOONSHARD_STREAM` sets the number of random commands (2,000 without it).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::content::{Content, Same};
use moonshard_tests::corpus;
use moonshard_tests::oracle::Pair;
use moonshard_tests::random::{self, Act, Generator, Step, Way};
use moonshard_tests::recorded::{self, Log, Recorded};
use moonshard_tests::server::Server;

/// The two servers with their logs, and what ends each piece of both.
struct Both {
    pair: Pair,
    logs: [Log; 2],
    pieces: usize,
    _servers: [Server; 2],
}

/// The key that is set at the end of a piece.
const END: &str = "{t}end-of-piece";

impl Both {
    fn start(shards: usize) -> Both {
        let args = [recorded::ARGS, &["--enable-debug-command", "yes"]].concat();
        let (ours, theirs) = (Server::moonshard(shards, &args), Server::redis(&args));
        let mut pair = Pair::connect(&ours, &theirs, 2);
        // What is due goes when it is looked at, so that both say it at the same moment.
        pair.both(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
        Both { pair, logs: [Log::of(&ours), Log::of(&theirs)], pieces: 0, _servers: [ours, theirs] }
    }

    /// Ends a piece.
    fn end_piece(&mut self) {
        self.pieces += 1;
        self.pair.both(&["SET", END, &self.pieces.to_string()]);
    }

    /// What both have recorded, piece by piece.
    fn pieces(&mut self) -> [Vec<Vec<Recorded>>; 2] {
        self.pair.both(&["SET", "the-end", ""]);
        [0, 1].map(|at| {
            let all = self.logs[at].until("SET", b"the-end");
            let end = |one: &Recorded| one.is("SET") && one.args[1] == END.as_bytes();
            let mut pieces: Vec<Vec<Recorded>> = all.split(end).map(<[Recorded]>::to_vec).collect();
            pieces.pop();
            pieces
        })
    }
}

/// What is recorded here and not by Redis, with the reason.
fn is_more_than_redis(recorded: &Recorded) -> bool {
    // XREADGROUP: Redis loses what claims do not say, which is how many entries a group has read, consumers who got
    // nothing, and that pending entries were delivered once more.
    let is_of_group =
        recorded.args[0] == b"XGROUP" && [&b"SETID"[..], b"CREATECONSUMER"].contains(&&recorded.args[1][..]);
    is_of_group || recorded.args[0] == b"XCLAIM"
}

/// Whether two words are the same, or times that are near each other.
fn same_word(ours: &[u8], theirs: &[u8]) -> bool {
    const FIRST_TIME: u64 = 1_600_000_000_000;
    let time = |word: &[u8]| {
        let digits = word.split(|&byte| byte == b'-').next()?;
        let rest = word.len() - digits.len();
        let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (number > FIRST_TIME).then_some((number, word[word.len() - rest..].to_vec()))
    };
    ours == theirs
        || match (time(ours), time(theirs)) {
            (Some((ours, ours_rest)), Some((theirs, theirs_rest))) => {
                ours.abs_diff(theirs) < 20_000 && ours_rest == theirs_rest
            }
            _ => false,
        }
}

fn same(ours: &Recorded, theirs: &Recorded) -> bool {
    let is_payload = |at: usize| at == 3 && ours.is("restore");
    ours.db == theirs.db
        && ours.args.len() == theirs.args.len()
        && ours
            .args
            .iter()
            .zip(&theirs.args)
            .enumerate()
            .all(|(at, (ours, theirs))| is_payload(at) || same_word(ours, theirs))
}

/// Compares a piece. What is more than Redis says changes whether there is a transaction.
fn compare(ours: &[Recorded], theirs: &[Recorded]) -> Result<(), String> {
    let failure = || {
        let show = |all: &[Recorded]| all.iter().map(|one| format!("\n    {one}")).collect::<String>();
        Err(format!("  ours:{}\n  theirs:{}", show(ours), show(theirs)))
    };
    if ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs)) {
        return Ok(());
    }
    let is_plain = |one: &&Recorded| !(one.args.len() == 1 && (one.is("multi") || one.is("exec")));
    let mut rest = theirs.iter().filter(is_plain).peekable();
    let mut more = 0;
    for one in ours.iter().filter(is_plain) {
        if rest.peek().is_some_and(|next| same(one, next)) {
            rest.next();
        } else if is_more_than_redis(one) {
            more += 1;
        } else {
            return failure();
        }
    }
    if more == 0 || rest.next().is_some() { failure() } else { Ok(()) }
}

/// Every command that changes something, in all its forms. Lines are pieces, and those that begin with `|` go on with
/// the one before. Redis' log says the same of each.
const CALLS: &str = include_str!("../recorded/calls.txt");

#[test]
fn calls_are_recorded_as_redis_records_them() {
    for shards in [1, 16] {
        let mut both = Both::start(shards);
        let mut lines = Vec::new();
        for line in CALLS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (line, goes_on) = match line.strip_prefix("| ") {
                Some(line) => (line, true),
                None => (line, false),
            };
            if !goes_on && !lines.is_empty() {
                both.end_piece();
            }
            let words = corpus::split_args(line.as_bytes()).unwrap();
            both.pair.both(&words);
            if goes_on {
                let before: &mut String = lines.last_mut().unwrap();
                before.push_str("; ");
                before.push_str(line);
            } else {
                lines.push(line.to_owned());
            }
        }
        both.end_piece();
        let [ours, theirs] = both.pieces();
        assert_eq!((ours.len(), theirs.len()), (lines.len(), lines.len()));
        let mut failures = Vec::new();
        for ((line, ours), theirs) in lines.iter().zip(&ours).zip(&theirs) {
            if let Err(failure) = compare(ours, theirs) {
                failures.push(format!("{line}\n{failure}"));
            }
        }
        assert!(failures.is_empty(), "{shards} shards:\n{}", failures.join("\n"));
    }
}

/// Sends what an act consists of to both servers.
fn act(pair: &mut Pair, act: &Act) {
    match act {
        Act::Transaction { watched, touches, steps, discarded } => {
            if !watched.is_empty() {
                let watch = [&[b"watch".to_vec()], &watched[..]].concat();
                pair.both(&watch);
                if *touches {
                    pair.both(&[b"del".to_vec(), watched[0].clone()]);
                }
            }
            pair.both(&["multi"]);
            steps.iter().for_each(|step| pair.both(&step.command));
            pair.both(&[if *discarded { "discard" } else { "exec" }]);
        }
        Act::One(step) => pair.both(&step.command),
        Act::Script(key, steps) => pair.both(&random::script_of(key, steps)),
    }
}

fn streams_are_recorded_alike(shards: usize, one_slot: bool) {
    let seed = random::seed();
    let mut both = Both::start(shards);
    let acts = Generator::new(seed, one_slot).acts(random::env_or("MOONSHARD_STREAM", 2_000));
    for one in &acts {
        act(&mut both.pair, one);
        both.end_piece();
    }
    let [ours, theirs] = both.pieces();
    assert_eq!((ours.len(), theirs.len()), (acts.len(), acts.len()));
    for (at, one) in acts.iter().enumerate() {
        if let Err(failure) = compare(&ours[at], &theirs[at]) {
            let before: Vec<String> = acts[at.saturating_sub(12)..at].iter().map(Act::to_string).collect();
            panic!("MOONSHARD_SEED={seed}: after\n{}\nat {at}: {one}\n{failure}", before.join("\n"));
        }
    }
}

#[test]
fn random_streams_are_recorded_as_redis_records_them() {
    streams_are_recorded_alike(16, false);
    streams_are_recorded_alike(1, false);
}

#[test]
fn random_scripts_are_recorded_as_redis_records_them() {
    streams_are_recorded_alike(16, true);
}

/// When a consumer was seen is no change, and so not in the log.
const SAME: Same = Same { encodings: false, deadlines_ms: 0, deliveries: true, seen: false };

fn content(server: &Server) -> Content {
    Content::read(&mut server.connect(), &[0, 1], SAME)
}

/// Runs commands in a way, and their log on fresh servers.
fn replays(shards: usize, seed: u64, way: Way) {
    let args = [recorded::ARGS, &["--lua-default-flags", "allow-undeclared-keys"]].concat();
    let server = Server::moonshard(shards, &args);
    let mut log = Log::of(&server);
    let len = random::env_or("MOONSHARD_STREAM", 2_000);
    let steps: Vec<Step> = Generator::new(seed, false).repeatable(len);
    random::run_in_way(&mut server.connect(), way, &steps);
    let expected = content(&server);
    server.connect().ask("SET the-end 1");
    let commands = log.until("SET", b"the-end");
    server.connect().ask("DEL the-end");
    assert!(expected.len() > 5);
    for fresh in [Server::moonshard(16, &[]), Server::moonshard(1, &[])] {
        recorded::replay(&mut fresh.connect(), &commands);
        let differences = expected.differences(&content(&fresh), SAME);
        assert!(
            differences.is_empty(),
            "MOONSHARD_SEED={seed}, {way:?} on {shards} shards:\n{}",
            differences.join("\n")
        );
    }
}

#[test]
fn what_is_recorded_makes_the_same_keys() {
    let seed = random::seed();
    for way in [Way::Client, Way::Script(7), Way::Transaction(7)] {
        replays(16, seed, way);
        replays(1, seed, way);
    }
}
