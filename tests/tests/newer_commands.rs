//! Commands of Redis 7.2 and later, which the Redis that other tests compare with does not know: their documented
//! replies, from a server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::Client;
use moonshard_tests::server::Server;
use moonshard_tests::waiting::WITHIN;
use std::time::{Duration, Instant};

#[test]
fn waiting_for_a_log_that_nobody_writes() {
    let server = Server::moonshard(2, &[]);
    let mut client = server.connect();
    for (line, expected) in [
        ("WAITAOF 0 0 0", "*2\r\n:0\r\n:0\r\n"),
        ("WAITAOF 0 1 10", "*2\r\n:0\r\n:0\r\n"),
        (
            "WAITAOF 1 0 10",
            "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n",
        ),
        ("WAITAOF 2 0 10", "-ERR value is out of range, value must between 0 and 1\r\n"),
        ("WAITAOF 0 -1 10", "-ERR value is out of range, must be positive\r\n"),
        ("WAITAOF 0 0 -1", "-ERR timeout is negative\r\n"),
        ("WAITAOF 1 0 x", "-ERR timeout is not an integer or out of range\r\n"),
    ] {
        assert_eq!(String::from_utf8_lossy(&client.ask(line).raw), expected, "{line}");
    }
}

#[test]
fn fields_expire_by_themselves_and_in_scripts_time_stands_still() {
    let server = Server::moonshard(4, &["--lua-default-flags", "allow-undeclared-keys"]);
    let mut client = server.connect();
    let command = |client: &mut Client, words: &[&str]| client.command(words).expect("a reply").text();
    assert_eq!(command(&mut client, &["HSET", "h", "a", "1", "b", "2"]), ":2\r\n");
    let script = "redis.call('HPEXPIRE', KEYS[1], 1, 'FIELDS', 1, 'a') \
                  for i = 1, 3000000 do end \
                  return redis.call('HGET', KEYS[1], 'a')";
    assert_eq!(command(&mut client, &["EVAL", script, "1", "h"]), "$1\r\n1\r\n");
    assert_eq!(command(&mut client, &["HSETEX", "gone", "PX", "1", "FIELDS", "1", "a", "1"]), ":1\r\n");
    assert_eq!(
        command(&mut client, &["HSETEX", "{x}1", "PX", "500", "FIELDS", "2", "a", "1", "b", "2"]),
        ":1\r\n"
    );
    let copy = "redis.call('RESTORE', KEYS[2], 0, redis.call('DUMP', KEYS[1])) \
                return redis.call('HPERSIST', KEYS[2], 'FIELDS', 2, 'a', 'c')";
    assert_eq!(command(&mut client, &["EVAL", copy, "2", "{x}1", "{x}2"]), "*2\r\n:1\r\n:-2\r\n");
    assert_eq!(command(&mut client, &["HDEL", "{x}2", "a"]), ":1\r\n");
    // Nobody asks for the keys: their fields go by themselves.
    let deadline = Instant::now() + WITHIN;
    while command(&mut client, &["DBSIZE"]) != ":1\r\n" {
        assert!(Instant::now() < deadline, "a field that is due stays");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(command(&mut client, &["HGETALL", "h"]), "*2\r\n$1\r\nb\r\n$1\r\n2\r\n");
    let info = command(&mut client, &["INFO", "stats"]);
    assert!(info.contains("\r\nexpired_subkeys:5\r\n"), "{info}");
}
