//! Clients that wait for keys of several shards: served in order of arrival, never two by one element, and nothing lost
//! when one leaves in that moment.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::Client;
use moonshard_tests::server::Server;
use moonshard_tests::waiting::WITHIN;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SHARDS: usize = 16;

fn server() -> Server {
    Server::moonshard(SHARDS, &[])
}

/// Waits until so many clients are blocked.
fn until_blocked(witness: &mut Client, count: usize) {
    let deadline = Instant::now() + WITHIN;
    let line = format!("blocked_clients:{count}\r\n");
    while !witness.ask("INFO clients").text().contains(&line) {
        assert!(Instant::now() < deadline, "never were {count} clients blocked");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn send(client: &mut Client, words: &str) {
    client.send(&words.split(' ').collect::<Vec<_>>()).unwrap();
}

fn integer(client: &mut Client, words: &str) -> i64 {
    client.ask(words).text().trim_start_matches(':').trim().parse().unwrap()
}

#[test]
fn who_came_first_is_served_first() {
    let server = server();
    let mut witness = server.connect();
    let mut waiting: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    for (at, client) in waiting.iter_mut().enumerate() {
        // Each waits for another key as well, of another shard.
        send(client, &format!("BLPOP other:{at} queue 0"));
        until_blocked(&mut witness, at + 1);
    }
    assert_eq!(witness.ask("RPUSH queue a b c").raw, b":3\r\n");
    // Whoever comes now finds what was left, which is nothing.
    assert_eq!(witness.ask("LLEN queue").raw, b":0\r\n");
    for (client, element) in waiting.iter_mut().zip(["a", "b", "c"]) {
        let reply = client.read().unwrap().raw;
        assert_eq!(String::from_utf8_lossy(&reply), format!("*2\r\n$5\r\nqueue\r\n$1\r\n{element}\r\n"));
    }
    until_blocked(&mut witness, 2);
    assert_eq!(witness.ask("LPUSH other:4 last").raw, b":1\r\n");
    assert!(waiting[4].read().unwrap().raw.ends_with(b"$4\r\nlast\r\n"));
}

#[test]
fn requests_behind_a_wait_run_when_it_is_over() {
    let server = server();
    let mut witness = server.connect();
    let mut client = server.connect();
    client.send_raw(b"SET a 1\r\nBLPOP q 0\r\nINCR a\r\nBLPOP q 0\r\nINCR a\r\n").unwrap();
    assert_eq!(client.read().unwrap().raw, b"+OK\r\n");
    until_blocked(&mut witness, 1);
    assert_eq!(witness.ask("GET a").raw, b"$1\r\n1\r\n");
    witness.ask("RPUSH q x");
    assert!(client.read().unwrap().raw.ends_with(b"x\r\n"));
    assert_eq!(client.read().unwrap().raw, b":2\r\n");
    until_blocked(&mut witness, 1);
    witness.ask("RPUSH q y");
    assert!(client.read().unwrap().raw.ends_with(b"y\r\n"));
    assert_eq!(client.read().unwrap().raw, b":3\r\n");
}

#[test]
fn a_chain_of_moves_over_shards_runs_to_its_end() {
    let server = server();
    let mut witness = server.connect();
    let mut waiting: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    for (at, client) in waiting.iter_mut().enumerate() {
        send(client, &format!("BLMOVE list:{at} list:{} LEFT RIGHT 0", at + 1));
    }
    until_blocked(&mut witness, 10);
    assert_eq!(witness.ask("RPUSH list:0 x").raw, b":1\r\n");
    for client in &mut waiting {
        assert_eq!(client.read().unwrap().raw, b"$1\r\nx\r\n");
    }
    assert_eq!(witness.ask("LRANGE list:10 0 -1").raw, b"*1\r\n$1\r\nx\r\n");
}

#[test]
fn every_way_to_make_a_key_wakes_who_waits_for_it() {
    let server = server();
    let mut witness = server.connect();
    let mut client = server.connect();
    for (make, key) in [
        ("RPUSH q x", "q"),
        ("RENAME source q", "q"),
        ("COPY source q", "q"),
        ("LMOVE source q LEFT LEFT", "q"),
        ("RPOPLPUSH source q", "q"),
        ("EVAL return(redis.call('rpush',KEYS[1],'x')) 1 q", "q"),
        ("MOVE moved 0", "moved"),
        ("SWAPDB 0 1", "swapped"),
    ] {
        witness.ask("FLUSHALL");
        witness.ask("RPUSH source x");
        send(&mut client, &format!("BLPOP {key} 0"));
        until_blocked(&mut witness, 1);
        let elsewhere = make.starts_with("MOVE") || make.starts_with("SWAPDB");
        if elsewhere {
            witness.ask("SELECT 1");
            witness.ask(&format!("RPUSH {key} x"));
        }
        let made = witness.ask(make);
        assert!(made.error().is_none(), "{make}: {}", made.text());
        witness.ask("SELECT 0");
        let reply = client.read().unwrap();
        assert!(reply.raw.ends_with(b"$1\r\nx\r\n"), "{make}: {}", reply.text());
    }
}

#[test]
fn unblocked_and_gone_clients_leave_nothing_behind() {
    let server = server();
    let mut witness = server.connect();
    let mut client = server.connect();
    let id = integer(&mut client, "CLIENT ID");
    for (how, reply) in [
        ("", &b"*-1\r\n"[..]),
        (" TIMEOUT", b"*-1\r\n"),
        (" ERROR", b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"),
    ] {
        send(&mut client, "BZPOPMIN z1 z2 z3 0");
        until_blocked(&mut witness, 1);
        assert_eq!(witness.ask(&format!("CLIENT UNBLOCK {id}{how}")).raw, b":1\r\n");
        assert_eq!(client.read().unwrap().raw, reply, "{how}");
    }
    assert_eq!(witness.ask(&format!("CLIENT UNBLOCK {id}")).raw, b":0\r\n");
    let mut gone = server.connect();
    send(&mut gone, "BZPOPMIN z1 z2 0");
    until_blocked(&mut witness, 1);
    drop(gone);
    until_blocked(&mut witness, 0);
    assert_eq!(witness.ask("ZADD z1 1 m").raw, b":1\r\n");
    assert_eq!(witness.ask("ZCARD z1").raw, b":1\r\n", "nobody waits any more");
}

/// What was taken from the queues, by whom ever.
struct Taken(Mutex<Vec<i64>>);

impl Taken {
    fn note(&self, reply: &[u8]) {
        let text = String::from_utf8_lossy(reply);
        let element = text.trim_end().rsplit("\r\n").next().unwrap();
        self.0.lock().unwrap().push(element.parse().unwrap());
    }
}

#[test]
fn no_element_is_lost_or_taken_twice_while_clients_come_and_go() {
    const ELEMENTS: i64 = 4000;
    let server = Arc::new(server());
    let taken = Arc::new(Taken(Mutex::default()));
    let done = Arc::new(AtomicBool::new(false));
    let keys = ["q:1", "q:2", "q:3"];
    let workers: Vec<_> = (0..8)
        .map(|worker| {
            let (server, taken, done) = (server.clone(), taken.clone(), done.clone());
            std::thread::spawn(move || {
                let mut client = server.connect();
                while !done.load(Ordering::SeqCst) {
                    let reply = match worker % 4 {
                        0 => client.ask("BLPOP q:1 q:2 q:3 0.003"),
                        1 => client.ask("BRPOP q:3 q:1 0.002"),
                        // Moves on to another shard, from where others take it.
                        2 => client.ask("BLMOVE q:2 q:3 LEFT RIGHT 0.002"),
                        _ => client.ask("BLMPOP 0.002 2 q:1 q:3 LEFT"),
                    };
                    if worker % 4 != 2 && reply.raw != b"*-1\r\n" {
                        taken.note(&reply.raw);
                    }
                }
            })
        })
        .collect();
    let mut pusher = server.connect();
    for element in 0..ELEMENTS {
        pusher.ask(&format!("RPUSH {} {element}", keys[element as usize % 3]));
    }
    let deadline = Instant::now() + WITHIN;
    while taken.0.lock().unwrap().len() < ELEMENTS as usize && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    done.store(true, Ordering::SeqCst);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let all = taken.0.lock().unwrap();
    let distinct: BTreeSet<i64> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (ELEMENTS as usize, ELEMENTS as usize));
}
