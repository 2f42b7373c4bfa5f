//! Keyspace notifications of every kind: Moonshard and Redis run the same commands, and send the same messages in the
//! same order.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::corpus::{self, Action, Corpus, NotYet};
use moonshard_tests::oracle::show_command;
use moonshard_tests::random::{self, Generator};
use moonshard_tests::resp::{Client, Value};
use moonshard_tests::server::Server;
use std::collections::HashMap;
use std::time::Duration;

/// All classes, also those that `A` leaves out.
const ALL: &str = "KEAmn";
/// All but misses: how often Redis looks for a key that is not there is a matter of how a command is written.
const WITHOUT_MISSES: &str = "KEAn";
/// What tells a listener that it has heard everything that a command caused.
const END: &str = "end of the command's messages";

/// A server, connections that change its keys, and one that hears of it.
struct Heard {
    server: Server,
    actors: HashMap<String, Client>,
    listener: Client,
    publisher: Client,
}

impl Heard {
    fn new(server: Server, classes: &str) -> Self {
        let mut publisher = server.connect();
        assert_eq!(publisher.ask(&format!("CONFIG SET notify-keyspace-events {classes}")).raw, b"+OK\r\n");
        // Whether a key that is due goes by itself or when it is next touched is a matter of chance.
        assert_eq!(publisher.ask("DEBUG SET-ACTIVE-EXPIRE 0").raw, b"+OK\r\n");
        let mut listener = server.connect();
        listener.command(&["SUBSCRIBE", END]).unwrap();
        listener.command(&["PSUBSCRIBE", "__key*"]).unwrap();
        Self { server, actors: HashMap::new(), listener, publisher }
    }

    /// Runs a command and returns what was heard of it.
    fn run(&mut self, name: &str, command: &[Vec<u8>]) -> Vec<String> {
        let server = &self.server;
        let actor = self.actors.entry(name.to_owned()).or_insert_with(|| server.connect());
        actor.command(command).unwrap_or_else(|e| panic!("no reply to {}: {e}", show_command(command)));
        self.publisher.command(&["PUBLISH", END, ""]).unwrap();
        let mut heard = Vec::new();
        loop {
            let message = self.listener.read().unwrap().value;
            let words: Vec<&[u8]> = message.items().unwrap().iter().filter_map(Value::bytes).collect();
            if words[1] == END.as_bytes() {
                return heard;
            }
            heard.push(words[2..].iter().map(|w| w.escape_ascii().to_string()).collect::<Vec<_>>().join(" "));
        }
    }
}

/// Runs the same commands on both and returns the first differences.
fn differences(shards: usize, classes: &str, steps: impl Iterator<Item = Step>) -> Vec<String> {
    const DEBUG: &[&str] = &["--enable-debug-command", "yes"];
    let mut ours = Heard::new(Server::moonshard(shards, DEBUG), classes);
    let mut theirs = Heard::new(Server::redis(DEBUG), classes);
    let not_yet = NotYet::load(&corpus::folder().join("NOT_YET"));
    let mut different = Vec::new();
    let mut count = 0;
    for step in steps {
        let (name, command) = match step {
            Step::Command(name, command) => (name, command),
            Step::Sleep(time) => {
                std::thread::sleep(time);
                continue;
            }
        };
        if not_yet.covers(&command) {
            continue;
        }
        let (a, b) = (ours.run(&name, &command), theirs.run(&name, &command));
        count += a.len();
        if a != b {
            different.push(format!("{}\n  Moonshard: {a:?}\n  Redis:     {b:?}", show_command(&command)));
        }
    }
    assert!(count > 0, "nothing was heard");
    different.truncate(30);
    different
}

enum Step {
    /// A command of the connection with this name.
    Command(String, Vec<Vec<u8>>),
    Sleep(Duration),
}

/// What a corpus file does.
fn steps_of(file: &str) -> Vec<Step> {
    let corpus = Corpus::load(&corpus::folder().join(format!("{file}.txt")));
    let mut name = String::new();
    let mut steps = Vec::new();
    for entry in corpus.entries {
        if entry.check.ours.is_some() {
            // A difference on purpose.
            continue;
        }
        match entry.action {
            Action::Command(command) => steps.push(Step::Command(name.clone(), command)),
            Action::On(other) => name = other,
            Action::Flush => steps.push(Step::Command(String::new(), vec![b"FLUSHALL".to_vec()])),
            Action::Sleep(time) => steps.push(Step::Sleep(time)),
            Action::Repeat(from, to, command) => {
                for number in from..=to {
                    let number = number.to_string();
                    let word = |w: &Vec<u8>| String::from_utf8_lossy(w).replace("$i", &number).into_bytes();
                    steps.push(Step::Command(name.clone(), command.iter().map(word).collect()));
                }
            }
            _ => {}
        }
    }
    steps
}

macro_rules! corpus_files {
    ($($name:ident: $classes:expr),+ $(,)?) => {
        $(#[test]
        fn $name() {
            for shards in [1, 16] {
                let different = differences(shards, $classes, steps_of(stringify!($name)).into_iter());
                assert!(different.is_empty(), "{shards} shards:\n{}", different.join("\n"));
            }
        })+
    };
}

corpus_files!(
    bits: ALL,
    dump: WITHOUT_MISSES,
    expiry: ALL,
    geo: ALL,
    hashes: ALL,
    hyperloglog: ALL,
    keys: ALL,
    lists: ALL,
    sets: ALL,
    sort: WITHOUT_MISSES,
    sorted_sets: ALL,
    streams: WITHOUT_MISSES,
    strings: ALL,
    transactions: ALL,
);

#[test]
fn random_streams() {
    const STREAM: usize = 3000;
    let seed = random::seed();
    let steps = Generator::new(seed, false).stream(STREAM);
    let steps = steps.into_iter().map(|step| Step::Command(String::new(), step.command));
    let different = differences(16, WITHOUT_MISSES, steps);
    assert!(different.is_empty(), "MOONSHARD_SEED={seed} repeats it:\n{}", different.join("\n"));
}
