//! MULTI, EXEC and WATCH over several shards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::Client;
use moonshard_tests::server::Server;
use std::sync::Arc;

fn integer(client: &mut Client, words: &str) -> i64 {
    let reply = client.ask(words);
    let text = String::from_utf8_lossy(&reply.raw);
    let number = text.trim_end().rsplit("\r\n").next().unwrap().trim_start_matches(':');
    number.parse().unwrap_or_else(|_| panic!("{words}: {text}"))
}

/// Moves amounts between accounts on all shards, while others look at the sum in one step.
#[test]
fn transactions_over_many_shards_are_atomic() {
    const ACCOUNTS: i64 = 20;
    let server = Arc::new(Server::moonshard(16, &[]));
    let mut witness = server.connect();
    for account in 0..ACCOUNTS {
        witness.ask(&format!("SET account:{account} 100"));
    }
    let movers: Vec<_> = (0..4)
        .map(|mover| {
            let server = server.clone();
            std::thread::spawn(move || {
                let mut client = server.connect();
                for round in 0..400 {
                    let (from, to) =
                        ((round * 7 + mover) % ACCOUNTS, (round * 13 + 3 * mover + 1) % ACCOUNTS);
                    client.ask("MULTI");
                    client.ask(&format!("DECRBY account:{from} {round}"));
                    client.ask(&format!("INCRBY account:{to} {round}"));
                    assert!(client.ask("EXEC").raw.starts_with(b"*2\r\n:"));
                }
            })
        })
        .collect();
    let keys: Vec<String> = (0..ACCOUNTS).map(|account| format!("account:{account}")).collect();
    let all = format!("MGET {}", keys.join(" "));
    while movers.iter().any(|mover| !mover.is_finished()) {
        let reply = witness.ask(&all);
        let text = String::from_utf8(reply.raw).unwrap();
        let sum: i64 = text.split("\r\n").skip(2).step_by(2).filter_map(|n| n.parse::<i64>().ok()).sum();
        assert_eq!(sum, ACCOUNTS * 100, "{text}");
    }
    movers.into_iter().for_each(|mover| mover.join().unwrap());
}

/// Check-and-set by many clients: no increment is lost.
#[test]
fn a_watched_key_that_changes_stops_the_transaction() {
    let server = Arc::new(Server::moonshard(16, &[]));
    server.connect().ask("SET counter 0");
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let server = server.clone();
            std::thread::spawn(move || {
                let (mut client, mut done) = (server.connect(), 0);
                while done < 100 {
                    client.ask("WATCH counter");
                    let value = integer(&mut client, "GET counter");
                    client.ask("MULTI");
                    // What is written is on another shard than what is watched, too.
                    client.ask(&format!("SET copy:{value} 1"));
                    client.ask(&format!("SET counter {}", value + 1));
                    if client.ask("EXEC").raw != b"*-1\r\n" {
                        done += 1;
                    }
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let mut witness = server.connect();
    assert_eq!(integer(&mut witness, "GET counter"), 400);
    assert_eq!(integer(&mut witness, "DBSIZE"), 401);
}

#[test]
fn scripts_and_the_servers_commands_run_inside() {
    let server = Server::moonshard(16, &["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    client.ask("MULTI");
    for words in [
        "SET a 1",
        "EVAL return(redis.call('incr',KEYS[1])) 1 a",
        "EVAL return(redis.call('incr',KEYS[1])) 1 elsewhere",
        "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0",
        "EVAL return(redis.call('set','undeclared','x')) 1 a",
        "DBSIZE",
        "SELECT 1",
        "SET b 2",
        "DBSIZE",
        "DEBUG DIGEST-VALUE b",
        "INFO keyspace",
        "BLPOP nothing 0",
        "FLUSHALL",
        "DBSIZE",
    ] {
        assert_eq!(client.ask(words).raw, b"+QUEUED\r\n", "{words}");
    }
    let reply = client.ask("EXEC").text();
    for part in ["NOSCRIPT", "do not hash to the same slot", "db0:keys=2", "db1:keys=1"] {
        assert!(reply.contains(part), "{part} is not in {reply}");
    }
    assert_eq!(integer(&mut client, "DBSIZE"), 0);
}

/// A client in the middle of a transaction, or that watches, leaves nothing behind when it goes.
#[test]
fn who_goes_forgets_its_transaction() {
    let server = Server::moonshard(4, &[]);
    let mut witness = server.connect();
    for _ in 0..100 {
        let mut client = server.connect();
        client.ask("WATCH key other");
        client.ask("MULTI");
        client.ask("SET key x");
    }
    assert_eq!(witness.ask("SET key 1").raw, b"+OK\r\n");
    assert_eq!(witness.ask("GET key").raw, b"$1\r\n1\r\n");
}
