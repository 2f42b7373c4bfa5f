//! What a hostile or broken client sends: it may lose its own connection, and nobody else notices.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::random::{self, Rng};
use moonshard_tests::resp::{Client, encode};
use moonshard_tests::server::Server;

/// A pipeline with every framing a client uses; its reply bytes do not depend on how it is cut into packets.
fn pipeline() -> Vec<u8> {
    let mut bytes = Vec::new();
    let long = vec![b'x'; 30];
    let commands: [&[&[u8]]; 9] = [
        &[b"SET", b"{t}a", b"one\r\ntwo"],
        &[b"GET", b"{t}a"],
        &[b"SET", b"{t}b", &long],
        &[b"MGET", b"{t}a", b"{t}b", b"{t}c"],
        &[b"EVAL", b"return {KEYS[1], ARGV[1]}", b"1", b"{t}a", b"\x00$5\r\n*1\r\n"],
        &[b"NOSUCH", b"\r\n"],
        &[b"GET"],
        &[b"APPEND", b"{t}a", b""],
        &[b"DEL", b"{t}a", b"{t}b"],
    ];
    for command in commands {
        bytes.extend_from_slice(&encode(command));
    }
    bytes.extend_from_slice(b"PING inline\r\n\r\n*0\r\n*1\r\n$4\r\nPING\r\n");
    bytes
}

const REPLIES: usize = 11;

fn replies(client: &mut Client) -> Vec<u8> {
    (0..REPLIES).flat_map(|_| client.read().expect("a reply is missing").raw).collect()
}

#[test]
fn a_request_cut_at_any_byte_gives_the_same_replies() {
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let bytes = pipeline();
    let mut oracle = theirs.connect();
    oracle.send_raw(&bytes).unwrap();
    let expected = replies(&mut oracle);
    let mut client = ours.connect();
    let mut other = ours.connect();
    for cut in 0..=bytes.len() {
        client.send_raw(&bytes[..cut]).unwrap();
        // The answer to another connection says that the server has had its chance to read the first half.
        assert_eq!(other.ask("PING").raw, b"+PONG\r\n");
        client.send_raw(&bytes[cut..]).unwrap();
        let got = replies(&mut client);
        assert!(
            got == expected,
            "cut at {cut}:\n{}\nexpected:\n{}",
            got.escape_ascii(),
            expected.escape_ascii()
        );
    }
}

#[test]
fn a_request_byte_by_byte_gives_the_same_replies() {
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let bytes = pipeline();
    let mut oracle = theirs.connect();
    oracle.send_raw(&bytes).unwrap();
    let expected = replies(&mut oracle);
    let mut client = ours.connect();
    for byte in &bytes {
        client.send_raw(&[*byte]).unwrap();
    }
    assert_eq!(replies(&mut client).escape_ascii().to_string(), expected.escape_ascii().to_string());
}

/// Bytes that look enough like RESP to reach deep into a parser.
fn garbage(rng: &mut Rng) -> Vec<u8> {
    const PIECES: &[&[u8]] = &[
        b"*",
        b"$",
        b"\r\n",
        b"\r",
        b"\n",
        b"-1",
        b"0",
        b"1",
        b"2",
        b"3",
        b"99999999999",
        b"GET",
        b"SET",
        b"\0",
        b"\xff",
        b" ",
        b"\"",
        b"'",
        b"*1\r\n",
        b"*3\r\n",
        b"$3\r\n",
        b"$3\r\nGET\r\n",
        b"$1\r\na\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*1000000\r\n",
        b"$536870912\r\n",
        b"+",
        b":",
        b"~1\r\n",
        b"%1\r\n",
        b"|1\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"PING\r\n",
        b"EVAL",
        b"\\x",
        b"\x80\x81",
    ];
    let mut bytes = Vec::new();
    for _ in 0..rng.below(40) {
        if rng.one_in(4) {
            bytes.push(rng.bits() as u8);
        } else {
            bytes.extend_from_slice(PIECES[rng.below(PIECES.len())]);
        }
    }
    bytes
}

#[test]
fn garbage_ends_its_own_connection_at_most() {
    let seed = random::seed();
    let mut rng = Rng::new(seed);
    let mut server = Server::moonshard(4, &[]);
    let mut witness = server.connect();
    witness.ask("SET witness here");
    for round in 0..random::env_or("MOONSHARD_GARBAGE", 2_000) {
        let bytes = garbage(&mut rng);
        let mut client = server.connect();
        // The server may have closed the connection before all is sent.
        let _ = client.send_raw(&bytes);
        if rng.one_in(2) {
            let _ = client.close_write();
        }
        let reply = witness.command(&["GET", "witness"]);
        assert!(
            server.is_alive() && reply.as_ref().is_ok_and(|r| r.raw == b"$4\r\nhere\r\n"),
            "MOONSHARD_SEED={seed}, round {round}: {reply:?} after \"{}\"\n{}",
            bytes.escape_ascii(),
            server.log()
        );
    }
}

#[test]
fn garbage_gets_the_reply_of_redis() {
    let seed = random::seed();
    let mut rng = Rng::new(seed);
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    for round in 0..random::env_or("MOONSHARD_GARBAGE", 2_000) {
        // Redis looks for an inline command's end with strchr, so a NUL byte in one makes it wait for ever.
        let bytes: Vec<u8> = garbage(&mut rng).into_iter().map(|byte| byte.max(1)).collect();
        let answer = |server: &Server| {
            let mut client = server.connect();
            let _ = client.send_raw(&bytes);
            let _ = client.close_write();
            client.read_to_end().map(|bytes| bytes.escape_ascii().to_string())
        };
        let (got, expected) = (answer(&ours), answer(&theirs));
        assert!(
            got.as_ref().ok() == expected.as_ref().ok(),
            "MOONSHARD_SEED={seed}, round {round}: \"{}\"\n  Moonshard: {got:?}\n  Redis:     {expected:?}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn a_truncated_request_leaves_nothing_behind() {
    let server = Server::moonshard(4, &[]);
    let mut witness = server.connect();
    let request = encode(&[&b"SET"[..], b"torn", b"value"]);
    for len in 0..request.len() {
        let mut client = server.connect();
        client.send_raw(&request[..len]).unwrap();
        client.close_write().unwrap();
        assert_eq!(client.read_to_end().unwrap(), b"", "after {len} bytes");
        assert_eq!(witness.ask("EXISTS torn").raw, b":0\r\n", "after {len} bytes");
    }
}

/// The memory of a process that is not swapped out, in bytes.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn announced_lengths_take_no_memory_before_the_bytes_arrive() {
    let server = Server::moonshard(4, &[]);
    let mut witness = server.connect();
    let before = resident(&server);
    let clients: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = server.connect();
            client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nonly a few bytes").unwrap();
            client
        })
        .chain((0..20).map(|_| {
            let mut client = server.connect();
            client.send_raw(b"*1048576\r\n$4\r\nMGET\r\n").unwrap();
            client
        }))
        .collect();
    assert_eq!(witness.ask("PING").raw, b"+PONG\r\n");
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 64 << 20, "{} connections made the server {grown} bytes larger", clients.len());
}

#[test]
fn one_slow_reader_does_not_hold_up_others() {
    let server = Server::moonshard(4, &[]);
    let mut slow = server.connect();
    let mut other = server.connect();
    slow.command(&[&b"SET"[..], b"big", &vec![b'x'; 1 << 20]]).unwrap();
    for _ in 0..64 {
        slow.send(&["GET", "big"]).unwrap();
    }
    for i in 0..100 {
        assert_eq!(
            other.command(&["ECHO", &i.to_string()]).unwrap().value.bytes(),
            Some(i.to_string().as_bytes())
        );
    }
    for _ in 0..64 {
        assert_eq!(slow.read().unwrap().raw.len(), (1 << 20) + "$1048576\r\n\r\n".len());
    }
}

#[test]
fn connections_that_move_between_io_threads_lose_nothing() {
    let server = Server::moonshard(4, &["--io-threads", "4", "--enable-debug-command", "yes"]);
    let mut conductor = server.connect();
    let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for round in 1..=40u64 {
        let threads = (round % 4 + 1).to_string();
        assert_eq!(conductor.command(&["DEBUG", "IO-THREADS", &threads]).unwrap().raw, b"+OK\r\n");
        // Every client has requests under way, some of them half sent, while it is dealt to another thread.
        for (at, client) in clients.iter_mut().enumerate() {
            let key = format!("counter:{at}");
            let mut bytes = encode(&[b"INCR", key.as_bytes()]).repeat(5);
            let tail = bytes.split_off(bytes.len() - 7);
            client.send_raw(&bytes).unwrap();
            client.send_raw(&tail).unwrap();
        }
        for client in &mut clients {
            for n in 1..=5 {
                let expected = format!(":{}\r\n", (round - 1) * 5 + n);
                assert_eq!(client.read().unwrap().raw, expected.as_bytes());
            }
        }
    }
    let info = conductor.command(&["INFO", "server"]).unwrap().raw;
    assert!(String::from_utf8_lossy(&info).contains("io_threads_in_use:"));
}
