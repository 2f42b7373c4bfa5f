//! Client-side caching: what a client is told suffices to keep copies of keys that are never out of date for long.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::random::{self, Rng};
use moonshard_tests::resp::{Client, Value};
use moonshard_tests::server::Server;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

const KEYS: usize = 20;

/// A client that keeps copies of what it reads.
struct Caching {
    client: Client,
    copies: HashMap<String, Value>,
}

impl Caching {
    fn new(server: &Server, how: &str) -> Self {
        let mut client = server.connect();
        client.ask("HELLO 3");
        assert_eq!(client.ask(&format!("CLIENT TRACKING ON {how}")).raw, b"+OK\r\n");
        Self { client, copies: HashMap::new() }
    }

    /// Drops the copies of keys that have changed.
    fn hear(&mut self, push: &[Value]) {
        assert_eq!(push[0].bytes(), Some(&b"invalidate"[..]), "an unexpected push");
        match push[1].items() {
            Some(keys) => keys.iter().for_each(|key| {
                self.copies.remove(std::str::from_utf8(key.bytes().unwrap()).unwrap());
            }),
            None => self.copies.clear(),
        }
    }

    /// The reply to a command; what comes before it is heard.
    fn ask(&mut self, words: &str) -> Value {
        let words: Vec<&str> = words.split(' ').collect();
        self.client.send(&words).unwrap();
        loop {
            match self.client.read().unwrap().value {
                Value::Push(push) => self.hear(&push),
                reply => return reply,
            }
        }
    }

    fn read(&mut self, key: &str) {
        let value = self.ask(&format!("GET {key}"));
        self.copies.insert(key.to_owned(), value);
    }
}

fn key(random: &mut Rng) -> String {
    format!("key:{}", random.below(KEYS))
}

/// Reads and keeps copies while others write, and compares the copies once nobody writes any more.
fn copies_are_right_in_the_end(how: &str) {
    let server = Server::moonshard(4, &[]);
    let seed = random::seed();
    println!("MOONSHARD_SEED={seed} repeats it");
    let stop = AtomicBool::new(false);
    let mut caching = Caching::new(&server, how);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || {
                let mut random = Rng::new(seed.wrapping_add(writer));
                let mut client = server.connect();
                while !stop.load(Ordering::Relaxed) {
                    match random.below(20) {
                        0 => client.ask(&format!("DEL {}", key(&mut random))),
                        1 => client.ask(&format!("MSET {} 1 {} 2", key(&mut random), key(&mut random))),
                        2 => client.ask(&format!("EVAL redis.call('INCR',KEYS[1]) 1 {}", key(&mut random))),
                        _ => client.ask(&format!("INCR {}", key(&mut random))),
                    };
                }
            });
        }
        let mut random = Rng::new(seed.wrapping_add(9));
        for _ in 0..3000 {
            let key = key(&mut random);
            if !caching.copies.contains_key(&key) {
                caching.read(&key);
            } else {
                // A client that has a copy does not ask, but hears.
                caching.ask("PING");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    // What was sent before the first of these comes before the reply to the second.
    caching.ask("PING");
    caching.ask("PING");
    let mut judge = server.connect();
    judge.ask("HELLO 3");
    for (key, copy) in &caching.copies {
        assert_eq!(judge.ask(&format!("GET {key}")).value, *copy, "the copy of {key}");
    }
}

#[test]
fn copies_of_what_was_read_are_right_in_the_end() {
    copies_are_right_in_the_end("");
}

#[test]
fn copies_under_a_prefix_are_right_in_the_end() {
    copies_are_right_in_the_end("BCAST PREFIX key:");
}

#[test]
fn a_full_table_forgets_keys_and_says_so() {
    let server = Server::moonshard(4, &["--tracking-table-max-keys", "10"]);
    let mut caching = Caching::new(&server, "");
    for i in 0..100 {
        caching.read(&format!("key:{i}"));
    }
    caching.ask("PING");
    assert_eq!(caching.copies.len(), 10);
    assert!(server.connect().ask("INFO stats").text().contains("tracking_total_keys:10\r\n"));
    assert_eq!(server.connect().ask("CONFIG SET tracking-table-max-keys 3").raw, b"+OK\r\n");
    caching.ask("PING");
    caching.ask("PING");
    assert_eq!(caching.copies.len(), 3);
}

#[test]
fn invalidations_go_where_they_were_redirected() {
    for server in [Server::moonshard(4, &[]), Server::redis(&[])] {
        let (mut reader, mut listener, mut writer) = (server.connect(), server.connect(), server.connect());
        let Value::Int(id) = listener.ask("CLIENT ID").value else { panic!("no id") };
        listener.ask("SUBSCRIBE __redis__:invalidate");
        assert_eq!(reader.ask(&format!("CLIENT TRACKING ON REDIRECT {id}")).raw, b"+OK\r\n");
        assert_eq!(reader.ask("CLIENT GETREDIR").value, Value::Int(id));
        reader.ask("GET k");
        writer.ask("SET k 1");
        let message = b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n";
        assert_eq!(listener.read().unwrap().raw, message);
        writer.ask("FLUSHALL");
        let message = b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n";
        assert_eq!(listener.read().unwrap().raw, message);
        let list = writer.ask("CLIENT LIST").text();
        let line = list.lines().find(|line| line.contains(" flags=t ")).expect("a client that tracks");
        assert!(line.contains(&format!(" redir={id} ")), "{line}");

        reader.ask("HELLO 3");
        reader.ask("GET k");
        drop(listener);
        while writer.ask("CLIENT LIST").text().contains("sub=1") {}
        writer.ask("SET k 2");
        let broken = format!(">2\r\n$21\r\ntracking-redir-broken\r\n:{id}\r\n");
        assert_eq!(reader.read().unwrap().raw, broken.as_bytes());
        assert!(reader.ask("CLIENT TRACKINGINFO").text().contains("broken_redirect"));
        assert!(writer.ask("CLIENT LIST").text().contains(" flags=tR "));
        drop(reader);
        while !writer.ask("INFO clients").text().contains("tracking_clients:0\r\n") {}
    }
}
