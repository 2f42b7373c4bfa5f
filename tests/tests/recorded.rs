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
use moonshard_tests::resp::Client;
use moonshard_tests::server::{Server, temp_dir};
use moonshard_tests::waiting::until;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The two servers with their logs, and what ends each piece of both.
struct Both {
    pair: Pair,
    logs: [Log; 2],
    pieces: usize,
    servers: [Server; 2],
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
        Both { pair, logs: [Log::of(&ours), Log::of(&theirs)], pieces: 0, servers: [ours, theirs] }
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
            let mut all = self.logs[at].until("SET", b"the-end");
            // Redis forgets the scripts of EVAL.
            all.retain(|one| one.annotation.is_none());
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

/// What Redis has recorded makes the same keys here as it makes there.
fn logs_of_redis_are_loaded(shards: usize, seed: u64) {
    let redis = Server::redis(recorded::ARGS);
    let steps = Generator::new(seed, false).repeatable(random::env_or("MOONSHARD_STREAM", 2_000));
    random::run_in_way(&mut redis.connect(), Way::Client, &steps);
    let mut kept = Kept::of(redis);
    // Not what it held when it wrote the log: of consumers it loses some.
    kept.content = content(&kept.load(None));
    kept.compare(&kept.load(Some(shards)), &format!("MOONSHARD_SEED={seed}, a log of Redis"));
}

#[test]
fn logs_of_redis_make_the_same_keys() {
    logs_of_redis_are_loaded(1, random::seed());
    logs_of_redis_are_loaded(16, random::seed());
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
    let mut content = Content::read(&mut server.connect(), &[0, 1], SAME);
    // A hash whose fields are all due is found by SCAN, and gone when it is looked at.
    content.retain(|_, described| described.kind != "none");
    content
}

/// Runs commands in a way, and their log on fresh servers.
fn replays(shards: usize, seed: u64, way: Way, deadlines: bool) {
    let small_nodes = ["--stream-node-max-entries", "3"];
    let args = [recorded::ARGS, &["--lua-default-flags", "allow-undeclared-keys"], &small_nodes].concat();
    let server = Server::moonshard(shards, &args);
    let len = random::env_or("MOONSHARD_STREAM", 2_000);
    let steps: Vec<Step> = Generator::new(seed, false).unrepeatable(len, deadlines);
    random::run_in_way(&mut server.connect(), way, &steps);
    // What was to expire soon is to be due before all is read.
    std::thread::sleep(Duration::from_millis(5));
    let fields = fields(&server);
    let kept = Kept::of(server);
    let what = format!("MOONSHARD_SEED={seed}, {way:?} on {shards} shards");
    if !deadlines {
        kept.compare_with_redis(&what);
    }
    kept.compare_with_moonshard(&what);
    assert_eq!(self::fields(&kept.load(Some(5))), fields, "{what}: deadlines of fields");
}

/// The deadlines of the fields that random commands use.
fn fields(server: &Server) -> String {
    let mut client = server.connect();
    let names: Vec<String> = (0..10).map(|n| format!("m{n}")).collect();
    let asks = (0..3).map(|n| format!("HPEXPIRETIME h{n} FIELDS 10 {}", names.join(" ")));
    asks.map(|ask| client.ask(&ask).text()).collect()
}

/// What a server held when it ended, and its log.
struct Kept {
    content: Content,
    dir: PathBuf,
}

impl Kept {
    fn of(server: Server) -> Kept {
        let content = content(&server);
        assert!(content.len() >= 5);
        let mut log = Log::from_the_start(&server);
        server.connect().ask("SET the-end 1");
        log.until("SET", b"the-end");
        let dir = temp_dir();
        copy_log(server.dir(), &dir);
        Kept { content, dir }
    }

    /// A server that has loaded the log; the program is Redis, or Moonshard with so many shards.
    fn load(&self, shards: Option<usize>) -> Server {
        let dir = temp_dir();
        copy_log(&self.dir, &dir);
        let args = [recorded::ARGS, &["--dir", dir.to_str().unwrap()]].concat();
        let server = match shards {
            Some(shards) => Server::moonshard(shards, &args),
            None => Server::redis(&args),
        };
        server.connect().ask("DEL the-end");
        // It has read all of it.
        std::fs::remove_dir_all(dir).unwrap();
        server
    }

    fn compare(&self, server: &Server, what: &str) {
        let differences = self.content.differences(&content(server), SAME);
        assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
    }

    /// Loaded by Moonshard, the log makes the same keys, on however many shards.
    fn compare_with_moonshard(&self, what: &str) {
        for shards in [1, 16] {
            self.compare(&self.load(Some(shards)), &format!("{what}, loaded on {shards} shards"));
        }
    }

    /// Redis makes the same of the log.
    fn compare_with_redis(&self, what: &str) {
        self.compare(&self.load(None), &format!("{what}, loaded by Redis"));
    }
}

fn copy_log(from: &Path, to: &Path) {
    let (from, to) = (from.join("appendonlydir"), to.join("appendonlydir"));
    std::fs::create_dir(&to).unwrap();
    for file in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn what_is_recorded_makes_the_same_keys() {
    let seed = random::seed();
    for way in [Way::Client, Way::Script(7), Way::Transaction(7)] {
        for (shards, deadlines) in [(16, false), (1, false), (16, true), (1, true)] {
            replays(shards, seed, way, deadlines);
        }
    }
}

/// Whatever clients do at the same time, on keys that they share: the log has it in the order in which it happened.
#[test]
fn many_clients_at_once_are_recorded_in_order() {
    const CLIENTS: u64 = 8;
    let seed = random::seed();
    let args = [recorded::ARGS, &["--lua-default-flags", "allow-undeclared-keys"]].concat();
    for shards in [16, 2] {
        let server = Server::moonshard(shards, &args);
        let len = random::env_or("MOONSHARD_STREAM", 2_000) / 2;
        std::thread::scope(|threads| {
            for client in 0..CLIENTS {
                let server = &server;
                threads.spawn(move || {
                    let mut steps = Generator::new(seed + client, false).unrepeatable(len, false);
                    if client % 4 == 0 {
                        // So that somebody waits for what others bring.
                        steps = Generator::new(seed + client, false).waiting(len);
                    }
                    let way = [Way::Client, Way::Client, Way::Script(5), Way::Transaction(5)];
                    random::run_in_way(&mut server.connect(), way[(client % 4) as usize], &steps);
                });
            }
        });
        std::thread::sleep(Duration::from_millis(5));
        let kept = Kept::of(server);
        let what = format!("MOONSHARD_SEED={seed}, {CLIENTS} clients on {shards} shards");
        kept.compare_with_moonshard(&what);
        kept.compare_with_redis(&what);
    }
}

/// What Redis 7.0 does not know is recorded in its words, where it has any.
#[test]
fn newer_commands_are_recorded_in_words_that_redis_knows() {
    let server = Server::moonshard(16, recorded::ARGS);
    let mut client = server.connect();
    for line in [
        "SET k v",
        "SET k w IFEQ v",
        "SET k x IFEQ v",
        "SET k x IFNE v KEEPTTL",
        "SET k y IFEQ x EX 100000",
        "SET k y IFDEQ 0000000000000000 GET",
        "SET other v IFNE v",
        "DELEX k IFEQ nothing",
        "DELEX k IFEQ y",
        "DELIFEQ other v",
        "MSETEX 2 a 1 b 2",
        "MSETEX 2 a 3 c 4 NX",
        "MSETEX 2 a 3 b 4 XX KEEPTTL",
        "MSETEX 2 a 5 d 6 EX 100000",
        "INCREX n BYINT 5",
        "INCREX n BYFLOAT 0.5 EX 100000",
        "INCREX n BYFLOAT 1 UBOUND 3",
        "INCREX n BYFLOAT 1 PERSIST",
        "HSET h f 1 g 2 x 3 y 4",
        "HGETDEL h FIELDS 2 f nothing",
        "HSETEX h FNX FIELDS 1 new 1",
        "HSETEX h FNX FIELDS 1 new 2",
        "HSETEX h KEEPTTL FIELDS 1 new 3",
        "HEXPIRE h 0 FIELDS 1 x",
        "HPEXPIREAT h 1 FIELDS 1 nothing",
        "HSETEX h EXAT 1 FIELDS 1 y 4",
        "HGETEX h PXAT 1 FIELDS 1 g",
    ] {
        let reply = client.ask(line);
        assert_eq!(reply.error(), None, "{line}");
    }
    let kept = Kept::of(server);
    kept.compare_with_moonshard("newer commands");
    kept.compare_with_redis("newer commands");
}

#[test]
fn deadlines_of_fields_are_recorded() {
    let server = Server::moonshard(16, recorded::ARGS);
    let mut client = server.connect();
    for n in 0..8 {
        client.ask(&format!("HSET h{n} f 1 g 2 x 3 y 4"));
    }
    for line in [
        "HEXPIRE h1 100000 FIELDS 2 f g",
        "HPEXPIRE h1 50000000 NX FIELDS 2 g x",
        "HEXPIREAT h1 4102444800 GT FIELDS 1 x",
        "HPEXPIREAT h1 4102444800000 FIELDS 1 y",
        "HPERSIST h1 FIELDS 2 y nothing",
        "HSETEX h2 EX 100000 FIELDS 2 f 5 new 6",
        "HSETEX h2 KEEPTTL FIELDS 1 f 7",
        "HSETEX h2 FIELDS 1 new 7",
        "HSET h2 f 8",
        "HGETEX h3 EX 100000 FIELDS 2 f nothing",
        "HGETEX h3 PERSIST FIELDS 1 f",
        "HGETEX h3 EXAT 4102444800 FIELDS 1 g",
        "HEXPIRE h4 100000 FIELDS 1 f",
        "HINCRBYFLOAT h4 f 0.5",
        "HINCRBY h4 f 1",
        "COPY h4 copy",
        "RENAME h4 renamed",
        "HPEXPIRE h5 1 FIELDS 1 f",
        "HPEXPIRE h6 1 FIELDS 4 f g x y",
    ] {
        client.ask(line);
    }
    // Due fields go whether anybody looks or not.
    until("the due fields are gone", || {
        client.ask("HLEN h5").raw == b":3\r\n" && client.ask("EXISTS h6").raw == b":0\r\n"
    });
    let deadlines = |server: &Server| {
        let mut client = server.connect();
        let mut all = String::new();
        for key in ["h0", "h1", "h2", "h3", "copy", "renamed", "h5", "h6"] {
            all += &client.ask(&format!("HPEXPIRETIME {key} FIELDS 5 f g x y new")).text();
        }
        all
    };
    let expected = deadlines(&server);
    let kept = Kept::of(server);
    kept.compare_with_moonshard("fields that expire");
    assert_eq!(deadlines(&kept.load(Some(4))), expected);
}

fn lines(commands: &[Recorded]) -> Vec<String> {
    commands.iter().map(Recorded::to_string).collect()
}

#[test]
fn what_goes_by_itself_is_recorded_one_by_one() {
    let server = Server::moonshard(4, recorded::ARGS);
    let (mut log, mut client) = (Log::of(&server), server.connect());
    let keys: Vec<String> = (0..100).map(|n| format!("key:{n}")).collect();
    for key in &keys {
        client.ask(&format!("PSETEX {key} 1 v"));
    }
    until("all have expired", || client.ask("DBSIZE").raw == b":0\r\n");
    client.ask("SET the-end 1");
    let mut found = log.until("SET", b"the-end");
    found.retain(|one| !one.is("set"));
    let mut found = lines(&found);
    found.sort();
    let mut expected: Vec<String> = keys.iter().map(|key| format!("0: DEL {key}")).collect();
    expected.sort();
    assert_eq!(found, expected);

    client.ask("CONFIG SET maxmemory-policy allkeys-random lazyfree-lazy-eviction yes");
    for key in &keys {
        client.ask(&format!("SET {key} v"));
    }
    client.ask("CONFIG SET maxmemory 1");
    until("all are evicted", || client.ask("DBSIZE").raw == b":0\r\n");
    client.ask("CONFIG SET maxmemory 0");
    client.ask("SET the-end 2");
    let found = log.until("SET", b"the-end");
    assert_eq!(found.iter().filter(|one| one.is("UNLINK")).count(), keys.len() + 1);
    assert!(!found.iter().any(|one| one.is("MULTI")), "{:?}", lines(&found));
}

#[test]
fn scripts_and_functions_are_recorded() {
    const LIBRARY: &str = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    let server = Server::moonshard(4, recorded::ARGS);
    let (mut log, mut client) = (Log::of(&server), server.connect());
    for key in ["a", "b", "c", "d", "e"] {
        client.command(&["EVAL", "return 1", "1", key]).unwrap();
    }
    client.command(&["EVAL", "return redis.call('set', KEYS[1], 1)", "1", "k"]).unwrap();
    client.command(&["SCRIPT", "LOAD", "return 1"]).unwrap();
    client.command(&["SCRIPT", "LOAD", "return 1"]).unwrap();
    client.command(&["SCRIPT", "LOAD", "return ("]).unwrap();
    client.command(&["EVAL", "return 1", "0"]).unwrap();
    client.command(&["SCRIPT", "FLUSH"]).unwrap();
    client.command(&["FUNCTION", "LOAD", LIBRARY]).unwrap();
    client.command(&["FUNCTION", "LOAD", LIBRARY]).unwrap();
    let payload = client.command(&["FUNCTION", "DUMP"]).unwrap();
    let payload = payload.value.bytes().unwrap().to_vec();
    client.command(&["FUNCTION", "DELETE", "lib"]).unwrap();
    client.command(&["FUNCTION", "DELETE", "lib"]).unwrap();
    client.command(&[b"FUNCTION".as_slice(), b"RESTORE", &payload]).unwrap();
    client.command(&["FUNCTION", "FLUSH"]).unwrap();
    client.command(&["EVAL", "return 2", "0"]).unwrap();
    client.command(&["FUNCTION", "LOAD", LIBRARY]).unwrap();
    client.ask("SET the-end 1");
    let found = log.until("SET", b"the-end");
    let words: Vec<(Option<&str>, Vec<String>)> = found
        .iter()
        .map(|one| {
            let words = one.args.iter().map(|word| String::from_utf8_lossy(word).into_owned());
            (one.annotation.as_deref(), words.collect())
        })
        .collect();
    let payload = String::from_utf8_lossy(&payload).into_owned();
    let expected: [(Option<&str>, &[&str]); 11] = [
        (Some("moonshard-eval"), &["SCRIPT", "LOAD", "return 1"]),
        (None, &["set", "k", "1"]),
        (Some("moonshard-eval"), &["SCRIPT", "LOAD", "return redis.call('set', KEYS[1], 1)"]),
        (None, &["SCRIPT", "LOAD", "return 1"]),
        (None, &["SCRIPT", "FLUSH"]),
        (None, &["FUNCTION", "LOAD", "REPLACE", LIBRARY]),
        (None, &["FUNCTION", "DELETE", "lib"]),
        (None, &["FUNCTION", "RESTORE", &payload, "REPLACE"]),
        (None, &["FUNCTION", "FLUSH"]),
        (Some("moonshard-eval"), &["SCRIPT", "LOAD", "return 2"]),
        (None, &["FUNCTION", "LOAD", "REPLACE", LIBRARY]),
    ];
    let expected: Vec<(Option<&str>, Vec<String>)> = expected
        .iter()
        .map(|(annotation, words)| (*annotation, words.iter().map(|&word| word.to_owned()).collect()))
        .collect();
    assert_eq!(words, expected);
    client.ask("MSET a v b v c v d v e v");
    let again = Kept::of(server).load(Some(3));
    let mut client = again.connect();
    assert_eq!(client.ask("EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0").raw, b":2\r\n");
    assert_eq!(client.ask("SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db").raw, b"*1\r\n:0\r\n");
    assert_eq!(client.ask("FCALL f 0").raw, b":1\r\n");
}

#[test]
fn keys_that_were_sent_away_are_recorded_as_deleted() {
    let target = Server::redis(&[]);
    let mut both = Both::start(16);
    both.pair.both(&["MSET", "a", "1", "b", "2", "c", "3", "stays", "4"]);
    both.end_piece();
    let port = target.port().to_string();
    let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "REPLACE", "KEYS", "a", "none", "b", "c"];
    both.pair.both(&migrate);
    both.pair.both(&["MIGRATE", "127.0.0.1", &port, "stays", "0", "5000", "COPY", "REPLACE"]);
    both.end_piece();
    let [ours, theirs] = both.pieces();
    assert_eq!(ours[1].len(), 1);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        compare(ours, theirs).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn keys_that_debug_makes_are_recorded() {
    let server = Server::moonshard(4, &[recorded::ARGS, &["--enable-debug-command", "yes"]].concat());
    assert_eq!(server.connect().ask("DEBUG POPULATE 2500 made 7").raw, b"+OK\r\n");
    let kept = Kept::of(server);
    assert_eq!(kept.content.len(), 2500);
    kept.compare_with_moonshard("DEBUG POPULATE");
    kept.compare_with_redis("DEBUG POPULATE");
}

/// Clients that wait, what serves them, and how many are served.
const WAITS: &[(&[&str], &str)] = &[
    (&["BLPOP src other 0"], "RPUSH src a"),
    (&["BRPOP src 0"], "RPUSH src a b"),
    (&["BLPOP src 0", "BLPOP src 0"], "RPUSH src a b c"),
    (&["BLMOVE src dst left right 0"], "RPUSH src a"),
    (&["BRPOPLPUSH src dst 0"], "LPUSH src a b"),
    (&["BLMOVE src dst left right 0", "BLPOP dst 0"], "RPUSH src a"),
    (&["BLMPOP 0 2 other src left count 2"], "RPUSH src a b c d"),
    (&["BZPOPMIN scores 0"], "ZADD scores 1 a 2 b"),
    (&["BZPOPMAX scores 0"], "ZADD scores 1 a 2 b"),
    (&["BZMPOP 0 1 scores max count 5"], "ZADD scores 1 a 2 b"),
    (&["XREADGROUP GROUP g alice NOACK BLOCK 0 STREAMS stream >"], "XADD stream 1-1 f v"),
    (&["XREADGROUP GROUP g alice BLOCK 0 STREAMS stream >"], "XADD stream 2-1 f v"),
    (&["BLPOP src 0"], "EVAL \"redis.call('rpush', KEYS[1], 1) redis.call('rpush', KEYS[1], 2)\" 1 src"),
    (&["BLMOVE src dst right left 0"], "EVAL \"redis.call('rpush', KEYS[1], 1)\" 1 src"),
];

#[test]
fn who_waited_is_served_in_the_log_as_in_redis() {
    for shards in [1, 16] {
        let mut both = Both::start(shards);
        both.pair.both(&["XGROUP", "CREATE", "stream", "g", "0", "MKSTREAM"]);
        both.end_piece();
        for (calls, serving) in WAITS {
            let mut waiting: Vec<Client> = Vec::new();
            for (at, call) in calls.iter().enumerate() {
                for server in &both.servers {
                    let mut client = server.connect();
                    client.send(&call.split(' ').collect::<Vec<_>>()).unwrap();
                    let blocked = format!("blocked_clients:{}\r\n", at + 1);
                    let mut asks = server.connect();
                    until("it waits", || asks.ask("INFO clients").text().contains(&blocked));
                    waiting.push(client);
                }
            }
            both.pair.both(&corpus::split_args(serving.as_bytes()).unwrap());
            waiting.iter_mut().for_each(|client| drop(client.read().unwrap()));
            both.pair.both(&["DEL", "src", "dst", "scores"]);
            both.end_piece();
        }
        let [ours, theirs] = both.pieces();
        assert_eq!((ours.len(), theirs.len()), (WAITS.len() + 1, WAITS.len() + 1));
        for (((calls, serving), ours), theirs) in WAITS.iter().zip(&ours[1..]).zip(&theirs[1..]) {
            if let Err(failure) = compare(ours, theirs) {
                panic!("{shards} shards: {calls:?} served by {serving}:\n{failure}");
            }
        }
    }
}
