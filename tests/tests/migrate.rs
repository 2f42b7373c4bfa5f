//! MIGRATE between Moonshard and Redis, and with targets that do not behave.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use moonshard_tests::resp::Client;
use moonshard_tests::server::Server;

const DEBUG: &[&str] = &["--enable-debug-command", "yes"];

/// The reply to a command whose `PORT` is this port.
fn ask(client: &mut Client, port: u16, line: &str) -> String {
    client.ask(&line.replace("PORT", &port.to_string())).text()
}

fn fill(client: &mut Client) {
    for line in [
        "SET s 1",
        "SET expiring 1 PX 100000000",
        "RPUSH l a b c",
        "SADD set a 1",
        "SADD ints 1 2 3",
        "HSET h f v",
        "ZADD z 1.5 a -inf b",
        "XADD x 1-1 f v",
    ] {
        assert_eq!(client.ask(line).error(), None, "{line}");
    }
    let long: Vec<String> = (0..20_000).map(|at| format!("element-{at}")).collect();
    let push = ["rpush", "long"].into_iter().chain(long.iter().map(String::as_str));
    assert_eq!(client.command(&push.collect::<Vec<_>>()).unwrap().text(), ":20000\r\n");
}

const KEYS: &str = "s expiring l set ints h z x long";

fn there_and_back(source: &Server, target: &Server) {
    let (mut from, mut to) = (source.connect(), target.connect());
    fill(&mut from);
    let digest = from.ask(&format!("DEBUG DIGEST-VALUE {KEYS}")).text();
    let (there, back) = (target.port(), source.port());
    assert_eq!(ask(&mut from, there, "MIGRATE 127.0.0.1 PORT s 0 5000 COPY"), "+OK\r\n");
    assert_eq!(from.ask("GET s").text(), to.ask("GET s").text());
    let busy = "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n";
    assert_eq!(ask(&mut from, there, "MIGRATE 127.0.0.1 PORT s 0 5000"), busy);
    assert_eq!(from.ask("EXISTS s").text(), ":1\r\n");
    // Those that arrive go, and one that does not stays.
    assert_eq!(ask(&mut from, there, "MIGRATE 127.0.0.1 PORT \u{0}x 0 5000"), "+NOKEY\r\n");
    let keys = |options: &str, keys: &str| {
        let mut words =
            vec![b"migrate".to_vec(), b"127.0.0.1".to_vec(), there.to_string().into_bytes(), Vec::new()];
        let line = format!("0 5000 {options} KEYS {keys}");
        words.extend(line.split_whitespace().map(|word| word.as_bytes().to_vec()));
        words
    };
    assert_eq!(from.command(&keys("", "l missing s h")).unwrap().text(), busy);
    assert_eq!(from.ask("EXISTS l h s").text(), ":1\r\n");
    assert_eq!(to.ask("EXISTS l h s").text(), ":3\r\n");
    assert_eq!(from.command(&keys("REPLACE", "s expiring set ints z x long")).unwrap().text(), "+OK\r\n");
    assert_eq!((from.ask("DBSIZE").text(), to.ask("DBSIZE").text()), (":0\r\n".into(), ":9\r\n".into()));
    assert_eq!(to.ask(&format!("DEBUG DIGEST-VALUE {KEYS}")).text(), digest);
    let left: i64 = to.ask("PTTL expiring").text()[1..].trim_end().parse().unwrap();
    assert!((99_900_000..=100_000_000).contains(&left), "{left}");
    // And back, into another database.
    assert_eq!(ask(&mut to, back, "MIGRATE 127.0.0.1 PORT z 9 5000"), "+OK\r\n");
    let wrong = ask(&mut to, back, "MIGRATE 127.0.0.1 PORT l 99 5000");
    assert_eq!(wrong, "-ERR Target instance replied with error: ERR DB index is out of range\r\n");
    from.ask("SELECT 9");
    assert_eq!(
        from.ask("ZRANGE z 0 -1 WITHSCORES").text(),
        "*4\r\n$1\r\nb\r\n$4\r\n-inf\r\n$1\r\na\r\n$3\r\n1.5\r\n"
    );
    assert_eq!(to.ask("EXISTS z l").text(), ":1\r\n");
}

#[test]
fn from_moonshard_to_redis() {
    there_and_back(&Server::moonshard(4, DEBUG), &Server::redis(DEBUG));
}

#[test]
fn from_redis_to_moonshard() {
    there_and_back(&Server::redis(DEBUG), &Server::moonshard(4, DEBUG));
}

#[test]
fn from_moonshard_to_moonshard() {
    there_and_back(&Server::moonshard(16, DEBUG), &Server::moonshard(1, DEBUG));
}

#[test]
fn the_target_wants_a_password() {
    let (ours, target) = (Server::moonshard(4, &[]), Server::redis(&["--requirepass", "secret"]));
    let mut client = ours.connect();
    client.ask("SET k v");
    for (options, reply) in [
        ("", "-ERR Target instance replied with error: NOAUTH Authentication required.\r\n"),
        (
            "AUTH wrong",
            "-ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.\r\n",
        ),
        ("COPY AUTH secret", "+OK\r\n"),
        ("REPLACE AUTH2 default secret", "+OK\r\n"),
    ] {
        assert_eq!(client.ask("EXISTS k").text(), ":1\r\n");
        let line = format!("MIGRATE 127.0.0.1 PORT k 0 5000 {options}");
        assert_eq!(ask(&mut client, target.port(), line.trim_end()), reply, "{options}");
    }
    assert_eq!(client.ask("EXISTS k").text(), ":0\r\n");
}

/// A target whose replies the test writes.
struct Puppet {
    listener: TcpListener,
}

impl Puppet {
    fn new() -> Puppet {
        Puppet { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Waits for SELECT and so many RESTORE.
    fn accept(&self, restores: usize) -> TcpStream {
        let stream = self.listener.accept().unwrap().0;
        let mut lines = BufReader::new(stream.try_clone().unwrap()).split(b'\n');
        let mut seen = 0;
        while seen < restores {
            seen += usize::from(lines.next().unwrap().unwrap() == b"RESTORE\r");
        }
        stream
    }
}

#[test]
fn nobody_waits_for_the_target_and_what_changes_meanwhile_stays() {
    let (ours, puppet) = (Server::moonshard(2, &[]), Puppet::new());
    let mut other = ours.connect();
    other.ask("MSET same 1 changed 1 gone 1");
    let mut client = ours.connect();
    let port = puppet.port();
    let migrating = thread::spawn(move || {
        let line = format!("migrate 127.0.0.1 {port} @ 0 20000 keys same changed gone");
        let words: Vec<&str> = line.split(' ').map(|word| if word == "@" { "" } else { word }).collect();
        client.command(&words).unwrap().text()
    });
    let mut stream = puppet.accept(3);
    // All of this is answered while the target keeps its answer to itself.
    assert_eq!(other.ask("GET same").text(), "$1\r\n1\r\n");
    assert_eq!(other.ask("INCR changed").text(), ":2\r\n");
    assert_eq!(other.ask("DEL gone").text(), ":1\r\n");
    stream.write_all(b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n").unwrap();
    let reply = migrating.join().unwrap();
    assert!(reply.starts_with("-TRYAGAIN Keys were changed"), "{reply}");
    assert_eq!(other.ask("MGET same changed gone").text(), "*3\r\n$-1\r\n$1\r\n2\r\n$-1\r\n");
}

#[test]
fn a_target_that_goes_or_never_answers() {
    let (ours, puppet) = (Server::moonshard(2, &[]), Puppet::new());
    let port = puppet.port();
    let mut client = ours.connect();
    client.ask("MSET a 1 b 2");
    let reading = "-IOERR error or timeout reading to target instance\r\n";
    // It accepts, and says nothing.
    assert_eq!(ask(&mut client, port, "MIGRATE 127.0.0.1 PORT a 0 100"), reading);
    drop(puppet.listener.accept());
    // It goes after the first key.
    let migrating = thread::spawn(move || {
        let line = format!("migrate 127.0.0.1 {port} @ 0 20000 keys a b");
        let words: Vec<&str> = line.split(' ').map(|word| if word == "@" { "" } else { word }).collect();
        (client.command(&words).unwrap().text(), client)
    });
    let mut stream = puppet.accept(2);
    stream.write_all(b"+OK\r\n+OK\r\n").unwrap();
    drop(stream);
    let (reply, mut client) = migrating.join().unwrap();
    assert_eq!(reply, reading);
    assert_eq!(client.ask("MGET a b").text(), "*2\r\n$-1\r\n$1\r\n2\r\n");
    client.ask("MULTI");
    assert_eq!(ask(&mut client, port, "MIGRATE 127.0.0.1 PORT b 0 100"), "+QUEUED\r\n");
    let reply = client.ask("EXEC").text();
    assert!(reply.starts_with("*1\r\n-ERR MIGRATE waits for another server"), "{reply}");
}
