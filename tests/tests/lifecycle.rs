//! How the server starts, refuses to start, and ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use moonshard_tests::port::Port;
use moonshard_tests::ready::wait_until_ready;
use moonshard_tests::resp::Client;
use moonshard_tests::server::{Server, moonshard_binary, temp_dir};
use moonshard_tests::waiting::WITHIN;

/// Starts the server where it must not; its end is awaited.
fn refused(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(moonshard_binary())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let deadline = Instant::now() + WITHIN;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{args:?} with {stdin:?}: the server runs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

#[test]
fn what_it_cannot_honour_it_refuses() {
    for (line, reason) in [
        ("rename-command FLUSHALL \"\"", "rename-command is not supported"),
        ("tls-port 6380", "TLS is not supported"),
        ("replicaof 127.0.0.1 1", "replication is not supported"),
        ("slaveof 127.0.0.1 1", "replication is not supported"),
        ("user default nosuch", "Error in user declaration"),
        ("loadmodule /x.so", "Modules are not supported"),
    ] {
        let output = refused(&["-"], &format!("port 0\n\n{line}\n"));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{line}: {stderr}");
        assert!(stderr.contains("at line 3") && stderr.contains(line) && stderr.contains(reason), "{stderr}");
    }
    let output = refused(&["--port", "0", "--tls-port", "6380"], "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("TLS is not supported"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_it_cannot_honour_cannot_be_set_either() {
    let server = Server::moonshard(1, &[]);
    let mut client = server.connect();
    for (name, value) in [("tls-port", "6380"), ("replicaof", "a 1"), ("aclfile", "/x")] {
        let reply = client.command(&["CONFIG", "SET", name, value]).unwrap();
        let error = reply.error().unwrap_or_else(|| panic!("{name}: {}", reply.text()));
        assert!(error.contains(name), "{error}");
    }
    for (name, value) in [("appendonly", "no"), ("save", ""), ("tls-port", "0")] {
        assert_eq!(client.command(&["CONFIG", "SET", name, value]).unwrap().raw, b"+OK\r\n", "{name}");
    }
}

#[test]
fn by_default_it_is_reached_from_this_host_only() {
    let port = Port::free();
    let mut child = Command::new(moonshard_binary())
        .args(["--port", &port.number().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ready = wait_until_ready(&mut child, || Client::tcp(port.number()));
    let bind = ready.and_then(|()| Client::tcp(port.number()).map_err(|error| error.to_string()));
    let bind = bind.map(|mut client| client.ask("CONFIG GET bind").text());
    // All of 127.0.0.0/8 is this host, and a server on all addresses would answer here.
    let elsewhere = TcpStream::connect(("127.0.0.2", port.number()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bind.as_deref(), Ok("*2\r\n$4\r\nbind\r\n$14\r\n127.0.0.1 -::1\r\n"));
    assert!(elsewhere.is_err());
}

/// Scripts that do not end by themselves.
const ENDLESS: [&str; 3] = [
    "while true do end",
    "redis.call('SET', KEYS[1], 'x') while true do end",
    "while true do pcall(function() while true do end end) end",
];

#[test]
fn it_ends_at_once_while_scripts_run() {
    for (end, script) in [
        (libc::SIGTERM, ENDLESS[0]),
        (libc::SIGTERM, ENDLESS[1]),
        (libc::SIGINT, ENDLESS[2]),
        (libc::SIGINT, ENDLESS[1]),
        (0, ENDLESS[0]),
        (0, ENDLESS[1]),
    ] {
        let dir = temp_dir();
        let path = dir.join("socket");
        // Whoever waited for a script, or for the time that the end may take, would wait for good.
        let mut args = vec!["--unixsocket", path.to_str().unwrap(), "--busy-reply-threshold", "50"];
        args.extend(["--io-threads", "2", "--shutdown-timeout", "100000"]);
        let mut server = Server::moonshard(4, &args);
        let mut busy: Vec<Client> = (0..3).map(|_| server.connect()).collect();
        for (number, client) in busy.iter_mut().enumerate() {
            client.send(&["EVAL", script, "1", &format!("key{number}")]).unwrap();
        }
        let mut witness = server.connect();
        let deadline = Instant::now() + WITHIN;
        while !(0..3).all(|number| witness.ask(&format!("GET key{number}")).text().starts_with("-BUSY")) {
            assert!(Instant::now() < deadline, "the scripts do not run");
        }
        match end {
            0 => witness.send(&["SHUTDOWN", "NOSAVE"]).unwrap(),
            signal => server.signal(signal),
        }
        let code = server.wait_for_exit(WITHIN);
        assert_eq!(code, Some(0), "signal {end}, {script}: {}", server.log());
        assert!(!path.exists());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
