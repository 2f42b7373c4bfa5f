//! Limits on what clients may make the server keep, hold and wait for. Whoever exceeds one loses its connection; nobody
//! else notices.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use moonshard_tests::resp::{Client, encode};
use moonshard_tests::server::{Server, temp_dir};
use moonshard_tests::waiting::{WITHIN, until};

const MB: usize = 1 << 20;

fn info(client: &mut Client, field: &str) -> u64 {
    let text = client.ask("INFO everything").text();
    let prefix = format!("{field}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix)).expect(field);
    line.trim().parse().unwrap()
}

fn id(client: &mut Client) -> String {
    client.ask("CLIENT ID").text().trim_start_matches(':').trim_end().to_owned()
}

/// A field of a client's line, if it is still connected.
fn of_client(witness: &mut Client, id: &str, field: &str) -> Option<u64> {
    let text = witness.ask("CLIENT LIST").text();
    let line = text.lines().find(|line| line.starts_with(&format!("id={id} ")))?;
    let value = line.split(' ').find_map(|pair| pair.strip_prefix(&format!("{field}="))).expect(field);
    Some(value.parse().unwrap())
}

/// The memory of a process that is not swapped out, in bytes.
fn resident(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn pipeline<A: AsRef<[u8]>>(command: &[A], count: usize) -> Vec<u8> {
    encode(command).repeat(count)
}

/// A server with a key `big` of so many bytes.
fn server_with_big(len: usize, args: &[&str]) -> (Server, Client) {
    let server = Server::moonshard(4, args);
    let mut witness = server.connect();
    assert_eq!(witness.command(&[&b"SET"[..], b"big", &vec![b'x'; len]]).unwrap().raw, b"+OK\r\n");
    (server, witness)
}

#[test]
fn beyond_the_hard_limit_of_its_replies_a_client_is_closed_at_once() {
    let (server, mut witness) = server_with_big(MB / 2, &["--client-output-buffer-limit", "normal 1mb 0 0"]);
    let mut slow = server.connect();
    let slow_id = id(&mut slow);
    slow.send_raw(&pipeline(&["GET", "big"], 100)).unwrap();
    until("the slow reader's end", || of_client(&mut witness, &slow_id, "omem").is_none());
    assert!(slow.read_to_end().unwrap().len() < 100 * MB / 2);
    assert!(server.log().contains("overcoming of output buffer limits"), "{}", server.log());
    // A reply below the limit, and the same amount read in time, are allowed.
    for _ in 0..20 {
        assert_eq!(witness.ask("GET big").raw.len(), MB / 2 + "$524288\r\n\r\n".len());
    }
}

#[test]
fn beyond_the_soft_limit_a_client_is_closed_after_a_while() {
    let (server, mut witness) = server_with_big(MB, &[]);
    let mut slow = server.connect();
    let slow_id = id(&mut slow);
    slow.send_raw(&pipeline(&["GET", "big"], 40)).unwrap();
    until("replies that wait", || {
        of_client(&mut witness, &slow_id, "omem").expect("closed too early") > 2 * MB as u64
    });
    let total = of_client(&mut witness, &slow_id, "tot-mem").unwrap();
    assert!(total > 2 * MB as u64, "{total}");
    let begun = Instant::now();
    let limit = ["CONFIG", "SET", "client-output-buffer-limit", "normal 0 1mb 1"];
    assert_eq!(witness.command(&limit).unwrap().raw, b"+OK\r\n");
    until("the slow reader's end", || of_client(&mut witness, &slow_id, "omem").is_none());
    assert!(begun.elapsed() > Duration::from_secs(1), "after {:?}", begun.elapsed());
}

/// Fills a client's replies again and again, beyond the soft limit for longer in all than that allows, but never without
/// a break. `None` when this machine took longer for that once, so that the client had to be closed.
fn overdrawn_again_and_again(allowed: Duration) -> Option<()> {
    let limit = format!("normal 0 1mb {}", allowed.as_secs());
    let (server, mut witness) = server_with_big(MB, &["--client-output-buffer-limit", &limit]);
    let mut slow = server.connect();
    let slow_id = id(&mut slow);
    for _ in 0..4 {
        let begun = Instant::now();
        slow.send_raw(&pipeline(&["GET", "big"], 20)).unwrap();
        let mut stays = || {
            until("replies that wait", || {
                of_client(&mut witness, &slow_id, "omem").is_none_or(|omem| omem > MB as u64)
            });
            std::thread::sleep(allowed * 2 / 5);
            let all = (0..20).all(|_| slow.read().is_ok());
            until("all to be sent", || {
                of_client(&mut witness, &slow_id, "omem").is_none_or(|omem| omem == 0)
            });
            all && of_client(&mut witness, &slow_id, "omem").is_some()
        };
        let stays = stays();
        if begun.elapsed() >= allowed {
            return None;
        }
        assert!(stays, "closed after {:?} of {allowed:?}", begun.elapsed());
    }
    Some(())
}

#[test]
fn a_client_that_reads_within_the_soft_limit_s_time_stays() {
    let allowed = [2, 6, 20].map(Duration::from_secs);
    assert!(
        allowed.into_iter().any(|allowed| overdrawn_again_and_again(allowed).is_some()),
        "the machine is too slow"
    );
}

#[test]
fn a_monitor_that_reads_nothing_does_not_make_the_server_grow() {
    let server = Server::moonshard(4, &[]);
    let mut monitor = server.connect();
    let monitor_id = id(&mut monitor);
    assert_eq!(monitor.ask("MONITOR").raw, b"+OK\r\n");
    let mut writer = server.connect();
    let value = vec![b'x'; MB];
    let before = resident(&server);
    for _ in 0..500 {
        assert_eq!(writer.command(&[&b"SET"[..], b"key", &value]).unwrap().raw, b"+OK\r\n");
    }
    until("the monitor's end", || of_client(&mut writer, &monitor_id, "omem").is_none());
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 350 * MB, "{grown} bytes for a monitor that reads nothing");
    assert!(server.log().contains("overcoming of output buffer limits"));
}

#[test]
fn no_request_is_run_while_many_replies_wait() {
    const REQUESTS: usize = 300;
    let (server, mut witness) = server_with_big(MB, &[]);
    let mut slow = server.connect();
    let slow_id = id(&mut slow);
    slow.send_raw(&pipeline(&["GET", "big"], REQUESTS)).unwrap();
    let omem = |witness: &mut Client| of_client(witness, &slow_id, "omem").expect("closed");
    until("replies that wait", || omem(&mut witness) > 64 * MB as u64);
    // Whatever follows is run before this is answered, if it is run at all.
    for _ in 0..20 {
        assert!(omem(&mut witness) < 140 * MB as u64, "{} bytes wait", omem(&mut witness));
    }
    for _ in 0..REQUESTS {
        assert_eq!(slow.read().unwrap().raw.len(), MB + "$1048576\r\n\r\n".len());
    }
}

#[test]
fn a_million_requests_before_the_first_reply_is_read() {
    const REQUESTS: usize = 1_000_000;
    let server = Server::moonshard(4, &[]);
    let mut client = server.connect();
    client.send_raw(&pipeline(&["PING"], REQUESTS)).unwrap();
    client.close_write().unwrap();
    let replies = client.read_to_end().unwrap();
    assert_eq!(replies.len(), REQUESTS * b"+PONG\r\n".len());
    assert!(replies.chunks_exact(7).all(|reply| reply == b"+PONG\r\n"));
}

#[test]
fn who_has_not_authenticated_may_not_let_replies_pile_up() {
    let server = Server::moonshard(4, &["--requirepass", "secret"]);
    let mut witness = server.connect();
    assert_eq!(witness.ask("AUTH secret").raw, b"+OK\r\n");
    let mut stranger = server.connect();
    let request = pipeline(&["GET", "x"], 1000);
    // Less than what makes the server stop reading, so that sending always ends.
    let refused = (0..1000).any(|_| stranger.send_raw(&request).is_err());
    assert!(refused, "36 MB of replies wait");
    assert!(server.log().contains("overcoming of output buffer limits"), "{}", server.log());
    assert_eq!(witness.ask("PING").raw, b"+PONG\r\n");
}

#[test]
fn a_request_beyond_the_query_buffer_limit_ends_the_connection() {
    let server = Server::moonshard(4, &["--client-query-buffer-limit", "1mb"]);
    let mut witness = server.connect();
    let many_small = [&b"*1000000\r\n"[..], &b"$1\r\na\r\n".repeat(300_000)].concat();
    let one_large = [&b"*2\r\n$3\r\nGET\r\n$2000000\r\n"[..], &vec![b'x'; 2 * MB - 100_000]].concat();
    for (name, request) in [("many small arguments", many_small), ("a large argument", one_large)] {
        let mut client = server.connect();
        // The server may close it before all is sent.
        let _ = client.send_raw(&request);
        assert_eq!(client.read_to_end().expect(name), b"", "{name}");
        assert_eq!(witness.ask("PING").raw, b"+PONG\r\n");
    }
    assert_eq!(server.log().matches("reached max query buffer length").count(), 2, "{}", server.log());
    // What is below the limit is not affected, however much of it comes at once.
    let whole = pipeline(&[&b"SET"[..], b"key", &vec![b'x'; MB / 2]], 10);
    witness.send_raw(&whole).unwrap();
    for _ in 0..10 {
        assert_eq!(witness.read().unwrap().raw, b"+OK\r\n");
    }
}

#[test]
fn an_inline_request_without_an_end_is_refused_as_by_redis() {
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let answer = |server: &Server| {
        let mut client = server.connect();
        let _ = client.send_raw(&vec![b'x'; 70_000]);
        client.read_to_end().unwrap().escape_ascii().to_string()
    };
    let got = answer(&ours);
    assert_eq!(got, answer(&theirs));
    assert!(got.contains("too big inline request"), "{got}");
}

#[test]
fn idle_clients_are_closed_after_the_timeout() {
    let server = Server::moonshard(4, &["--timeout", "1"]);
    let (mut idle, mut busy, mut monitor) = (server.connect(), server.connect(), server.connect());
    let (idle_id, monitor_id) = (id(&mut idle), id(&mut monitor));
    monitor.ask("MONITOR");
    let begun = Instant::now();
    until("the idle client's end", || of_client(&mut busy, &idle_id, "idle").is_none());
    assert!(begun.elapsed() >= Duration::from_millis(900), "after {:?}", begun.elapsed());
    assert_eq!(idle.read_to_end().unwrap(), b"");
    assert!(of_client(&mut busy, &monitor_id, "idle").is_some(), "a monitor may be silent");
}

#[test]
fn one_client_too_many_is_told_so() {
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let run = |server: &Server| {
        let (mut one, mut other) = (server.connect(), server.connect());
        other.ask("PING");
        until("two clients", || info(&mut one, "connected_clients") == 2);
        assert_eq!(one.ask("CONFIG SET maxclients 2").raw, b"+OK\r\n");
        let refused = server.connect().read_to_end().unwrap();
        let counted = info(&mut one, "rejected_connections");
        assert_eq!(one.ask("CONFIG SET maxclients 20").raw, b"+OK\r\n");
        assert_eq!(server.connect().ask("PING").raw, b"+PONG\r\n");
        (refused.escape_ascii().to_string(), counted)
    };
    let expected = ("-ERR max number of clients reached\\r\\n".to_owned(), 1);
    assert_eq!(run(&ours), expected);
    assert_eq!(run(&theirs), expected);
}

/// The timer of the server's side of its only TCP connection: its kind and when it is due, in hundredths of a second.
fn timer(server: &Server) -> (String, u64) {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!("0100007F:{:04X}", server.port());
    let established = |row: &&[&str]| row[1] == local && row[3] == "01";
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).filter(established).collect();
    let row = rows.last().expect("no connection");
    let (kind, due) = row[5].split_once(':').unwrap();
    (kind.to_owned(), u64::from_str_radix(due, 16).unwrap())
}

#[test]
fn dead_peers_are_looked_for_as_configured() {
    const KEEPALIVE: &str = "02";
    for (setting, seconds) in [("300", Some(300)), ("0", None), ("77", Some(77))] {
        let server = Server::moonshard(1, &["--tcp-keepalive", setting]);
        let mut client = server.connect();
        client.ask("PING");
        until(&format!("the timer of tcp-keepalive {setting}"), || {
            let (kind, due) = timer(&server);
            match seconds {
                Some(seconds) => kind == KEEPALIVE && (seconds - 5) * 100 < due && due <= seconds * 100,
                None => kind == "00",
            }
        });
    }
}

#[test]
fn a_unix_socket_has_its_permissions_and_goes_with_the_server() {
    let dir = temp_dir();
    let path = dir.join("socket");
    for (permissions, expected) in [("700", 0o700), ("777", 0o777)] {
        let args = ["--unixsocket", path.to_str().unwrap(), "--unixsocketperm", permissions];
        let mut server = Server::moonshard(4, &args);
        let mut client = Client::unix(&path).unwrap();
        assert_eq!(client.ask("SET a 1").raw, b"+OK\r\n");
        assert!(client.ask("CLIENT LIST").text().contains(" flags=U "));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, expected);
        server.signal(libc::SIGTERM);
        assert_eq!(server.wait_for_exit(WITHIN), Some(0));
        assert!(!path.exists());
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_new_password_is_for_new_connections() {
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let run = |server: &Server| {
        let mut replies = Vec::new();
        let mut note = |reply: moonshard_tests::resp::Reply| replies.push(reply.text());
        let (mut old, mut admin) = (server.connect(), server.connect());
        note(old.ask("PING"));
        note(admin.ask("CONFIG SET requirepass secret"));
        note(old.ask("SET a 1"));
        let mut new = server.connect();
        note(new.ask("GET a"));
        note(new.ask("AUTH wrong"));
        note(new.ask("AUTH secret"));
        note(new.ask("GET a"));
        note(admin.ask("CONFIG SET requirepass other"));
        note(new.ask("GET a"));
        let mut newest = server.connect();
        note(newest.ask("GET a"));
        note(admin.command(&["CONFIG", "SET", "requirepass", ""]).unwrap());
        note(newest.ask("GET a"));
        note(server.connect().ask("GET a"));
        replies
    };
    let got = run(&ours);
    assert_eq!(got, run(&theirs));
    assert!(got[3].starts_with("-NOAUTH") && got[2] == "+OK\r\n", "{got:?}");
}

#[test]
fn an_idle_connection_keeps_no_buffers() {
    const CONNECTIONS: usize = 1000;
    let server = Server::moonshard(4, &[]);
    let mut witness = server.connect();
    witness.command(&[&b"SET"[..], b"key", &vec![b'x'; 30_000]]).unwrap();
    let use_one = || {
        let mut client = server.connect();
        let value = vec![b'y'; 30_000];
        client.command(&[&b"SET"[..], b"other", &value]).unwrap();
        assert_eq!(client.ask("GET key").raw.len(), 30_000 + "$30000\r\n\r\n".len());
        client
    };
    let mut clients: Vec<Client> = (0..50).map(|_| use_one()).collect();
    let before = resident(&server);
    clients.extend((0..CONNECTIONS).map(|_| use_one()));
    let each = resident(&server).saturating_sub(before) / CONNECTIONS;
    assert!(each < 10_000, "{each} bytes for an idle connection");
    let id = id(&mut clients[0]);
    for field in ["qbuf-free", "rbs", "omem", "obl"] {
        until(field, || of_client(&mut witness, &id, field) == Some(0));
    }
}

#[test]
fn a_failure_in_a_command_ends_its_connection_only() {
    let mut server = Server::moonshard(4, &["--enable-debug-command", "yes"]);
    let mut witness = server.connect();
    for round in 0..3 {
        let mut client = server.connect();
        let id = id(&mut client);
        client.send(&["DEBUG", "PANIC"]).unwrap();
        assert_eq!(client.read_to_end().unwrap(), b"");
        for key in 0..50 {
            let reply = witness.ask(&format!("SET key{key} {round}"));
            assert_eq!(reply.raw, b"+OK\r\n", "a shard stayed locked");
        }
        until("its end", || of_client(&mut witness, &id, "age").is_none());
    }
    assert_eq!(witness.ask("DBSIZE").raw, b":50\r\n");
    assert!(server.is_alive());
    assert_eq!(server.log().matches("DEBUG PANIC called").count(), 3, "{}", server.log());
}
