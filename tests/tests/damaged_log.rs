//! Logs as crashes, disks and people leave them: what can be read is read, and what cannot is said.
//!
//! `MOONSHARD_CUTS` sets how many places of a log's end are tried (60 without it).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::content::{Content, Same};
use moonshard_tests::random;
use moonshard_tests::resp::Client;
use moonshard_tests::server::{Kind, Server, temp_dir};
use moonshard_tests::waiting::WITHIN;
use std::fs;
use std::path::{Path, PathBuf};

const SAME: Same = Same { encodings: false, deadlines_ms: 0, deliveries: false, seen: false };
const OPTIONS: &[&str] =
    &["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--enable-debug-command", "yes"];
const BASE: &str = "appendonly.aof.1.base.rdb";
const INCREMENT: &str = "appendonly.aof.1.incr.aof";
const MANIFEST: &str = "appendonly.aof.manifest";

/// What a log is made of: each line is there as a whole or not at all.
const LINES: &[&str] = &[
    "SET key value",
    "RPUSH list a b c",
    "MSET one 1 two 2 three 3 four 4",
    "SELECT 5",
    "SADD elsewhere x y z",
    "SELECT 0",
    "MULTI|INCR one|INCR two|LPOP list|EXEC",
    "EVAL redis.call('set',KEYS[1],'1');redis.call('incr',KEYS[1]);redis.call('append',KEYS[1],'x') 1 scripted",
    "SET expiring soon PXAT 4102444800000",
    "XADD stream 1-1 f v",
    "MULTI|SET left 1|SET right 1|DEL key|EXEC",
    "ZADD zset 1.5 a 2.5 b",
];

fn content(server: &Server) -> Content {
    Content::read(&mut server.connect(), &[0, 5], SAME)
}

fn ask(client: &mut Client, line: &str) {
    for words in line.split('|') {
        let reply = client.ask(words);
        assert!(reply.error().is_none(), "{words}: {}", reply.text());
    }
}

/// A log, and what was there after each of the lines, from none to all.
struct Written {
    dir: PathBuf,
    states: Vec<Content>,
}

impl Written {
    fn new() -> Written {
        let dir = temp_dir();
        let mut server = start(&dir, &[]).unwrap();
        let mut states = vec![content(&server)];
        let mut client = server.connect();
        for line in LINES {
            ask(&mut client, line);
            if !line.starts_with("SELECT") {
                states.push(content(&server));
            }
        }
        server.signal(libc::SIGTERM);
        assert_eq!(server.wait_for_exit(WITHIN), Some(0));
        Written { dir, states }
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.join("appendonlydir").join(name)).unwrap()
    }

    /// A copy of the log, changed.
    fn changed(&self, change: impl FnOnce(&Path)) -> PathBuf {
        let copy = temp_dir();
        let (from, to) = (self.dir.join("appendonlydir"), copy.join("appendonlydir"));
        fs::create_dir(&to).unwrap();
        for name in [BASE, INCREMENT, MANIFEST] {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
        change(&to);
        copy
    }

    /// The number of lines after which this was there.
    fn place(&self, found: &Content) -> Option<usize> {
        self.states.iter().position(|state| state.differences(found, SAME).is_empty())
    }

    fn assert_all(&self, dir: &Path, what: &str) {
        let server = start(dir, &[]).unwrap_or_else(|why| panic!("{what}: {why}"));
        let differences = self.states.last().unwrap().differences(&content(&server), SAME);
        assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn start(dir: &Path, more: &[&str]) -> Result<Server, String> {
    let mut args = vec!["--dir", dir.to_str().unwrap()];
    if !moonshard_tests::server::under_test_is_redis() {
        args.extend(["--shards", "16"]);
    }
    args.extend_from_slice(OPTIONS);
    args.extend_from_slice(more);
    Server::try_start(Kind::Moonshard, &args)
}

/// That a start is refused with a reason that has these in it.
fn assert_refused(dir: &Path, reasons: &[&str], what: &str) {
    match start(dir, &[]) {
        Ok(_) => panic!("{what}: it starts"),
        Err(why) => {
            for reason in reasons {
                assert!(why.contains(reason), "{what}: the reason has no {reason:?}:\n{why}");
            }
        }
    }
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_log_that_ends_anywhere_is_read_up_to_there() {
    let written = Written::new();
    let len = written.file(INCREMENT).len();
    let seed = random::seed() as usize;
    let count = random::env_or("MOONSHARD_CUTS", 60).min(len);
    // From the whole file backwards, over its last third, each time at other bytes; or over all of it.
    let step = (len / 3 / count).max(1);
    let mut last = written.states.len();
    for cut in 1..=count {
        let kept = len.saturating_sub(cut * step - seed % step);
        let dir = written.changed(|folder| {
            let file = fs::File::options().write(true).open(folder.join(INCREMENT)).unwrap();
            file.set_len(kept as u64).unwrap();
        });
        let server = start(&dir, &[]).unwrap_or_else(|why| panic!("cut to {kept} of {len}: {why}"));
        let found = content(&server);
        let place = written.place(&found);
        let place = place.unwrap_or_else(|| panic!("cut to {kept} of {len}: a state that never was"));
        assert!(place <= last, "cut to {kept} of {len}: {place} lines, and {last} with less cut off");
        last = place;
        if server.is_redis() {
            continue;
        }
        // What it goes on with begins at a whole record.
        ask(&mut server.connect(), "SET afterwards 1");
        drop(server);
        let after =
            start(&dir, &["--aof-load-truncated", "no"]).unwrap_or_else(|why| panic!("after {kept}: {why}"));
        let mut left = content(&after);
        left.retain(|key, _| key != b"afterwards");
        assert_eq!(written.place(&left), Some(place), "cut to {kept} of {len}, and once more");
        assert_eq!(after.connect().ask("GET afterwards").raw, b"$1\r\n1\r\n", "cut to {kept} of {len}");
        drop(after);
        fs::remove_dir_all(&dir).unwrap();
    }
    assert!(last < written.states.len() - 3, "only the last lines were tried: {last}");
}

#[test]
fn what_was_cut_off_is_told_and_may_be_a_reason_not_to_start() {
    let written = Written::new();
    let cut = |folder: &Path| {
        let path = folder.join(INCREMENT);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    };
    let dir = written.changed(cut);
    let refused = start(&dir, &["--aof-load-truncated", "no"]).err().expect("it starts");
    assert!(refused.contains(INCREMENT), "{refused}");
    let server = start(&dir, &[]).unwrap();
    let log = server.log().to_lowercase();
    assert!(log.contains("truncat") && log.contains(INCREMENT), "{log}");
    assert_eq!(written.place(&content(&server)), Some(written.states.len() - 2));
    drop(server);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn damage_in_the_middle_is_refused_with_its_place() {
    let written = Written::new();
    let bytes = written.file(INCREMENT);
    let record = |word: &[u8]| bytes.windows(word.len()).position(|window| window == word).unwrap();
    let elsewhere = record(b"$9\r\nelsewhere");
    // The first byte of the record, a length, an end of line, a command's name.
    let begin = bytes[..elsewhere].windows(2).rposition(|two| two == b"\n*").unwrap() + 1;
    let name = begin + bytes[begin..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut places = vec![(begin, b'x'), (begin + 1, b'x'), (name, b'x'), (name + 1, b'x'), (name + 4, b'Q')];
    if !moonshard_tests::server::under_test_is_redis() {
        // Redis does not look at the ends of lines.
        places.push((elsewhere - 2, b'x'));
    }
    for (at, byte) in places {
        let dir = written.changed(|folder| {
            let mut damaged = bytes.clone();
            damaged[at] = byte;
            fs::write(folder.join(INCREMENT), damaged).unwrap();
        });
        assert_refused(&dir, &[INCREMENT], &format!("another byte at {at}, in the record at {begin}"));
    }
}

/// The increment that is written to is followed by an empty one for as long as it takes to write a base.
#[test]
fn an_end_that_is_missing_before_an_empty_increment() {
    let written = Written::new();
    let next = "appendonly.aof.2.incr.aof";
    let with_next = |content: &'static [u8]| {
        written.changed(|folder| {
            let bytes = written.file(INCREMENT);
            fs::write(folder.join(INCREMENT), &bytes[..bytes.len() - 5]).unwrap();
            fs::write(folder.join(next), content).unwrap();
            let mut manifest = written.file(MANIFEST);
            manifest.extend_from_slice(format!("file {next} seq 2 type i\n").as_bytes());
            fs::write(folder.join(MANIFEST), manifest).unwrap();
        })
    };
    assert_refused(&with_next(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"), &[INCREMENT], "more follows");
    if moonshard_tests::server::under_test_is_redis() {
        return;
    }
    let dir = with_next(b"");
    let server = start(&dir, &[]).unwrap_or_else(|why| panic!("nothing follows: {why}"));
    assert_eq!(written.place(&content(&server)), Some(written.states.len() - 2));
    ask(&mut server.connect(), "SET afterwards 1");
    drop(server);
    let server = start(&dir, &[]).unwrap();
    assert_eq!(server.connect().ask("GET afterwards").raw, b"$1\r\n1\r\n");
    drop(server);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn manifests_that_are_none_are_refused() {
    let written = Written::new();
    let manifest = String::from_utf8(written.file(MANIFEST)).unwrap();
    for (what, text) in [
        ("empty", String::new()),
        ("nonsense", "nonsense\n".to_owned()),
        ("cut", manifest[..manifest.len() - 4].to_owned()),
        ("two bases", format!("{manifest}file {BASE} seq 2 type b\n")),
        (
            "increments in disorder",
            manifest.replace("seq 1 type i", "seq 2 type i") + &format!("file {INCREMENT} seq 1 type i\n"),
        ),
        ("a path", manifest.replace(INCREMENT, &format!("../{INCREMENT}"))),
        ("a file that is not there", manifest.replace(INCREMENT, "appendonly.aof.7.incr.aof")),
        ("a base that is not there", manifest.replace(BASE, "appendonly.aof.7.base.rdb")),
    ] {
        let dir = written.changed(|folder| fs::write(folder.join(MANIFEST), text).unwrap());
        assert_refused(&dir, &[], what);
    }
}

/// A new log would overwrite the files, which hold all there is. Redis does that.
#[test]
fn a_manifest_that_is_gone_is_missed() {
    if moonshard_tests::server::under_test_is_redis() {
        return;
    }
    let written = Written::new();
    let dir = written.changed(|folder| fs::remove_file(folder.join(MANIFEST)).unwrap());
    assert_refused(&dir, &["there is no manifest", BASE], "no manifest");
    // An increment alone is what a log leaves that could not be begun.
    let dir = written.changed(|folder| {
        fs::remove_file(folder.join(MANIFEST)).unwrap();
        fs::remove_file(folder.join(BASE)).unwrap();
    });
    let server = start(&dir, &[]).unwrap();
    assert_eq!(server.connect().ask("DBSIZE").raw, b":0\r\n");
    drop(server);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_is_left_from_earlier_is_not_in_the_way() {
    let written = Written::new();
    let dir = written.changed(|folder| {
        for name in
            ["temp-appendonly.aof.manifest", "temp-rewriteaof-99.aof", "appendonly.aof.9.incr.aof", "other"]
        {
            fs::write(folder.join(name), "left").unwrap();
        }
        fs::write(folder.join("../temp-99.rdb"), "left").unwrap();
        fs::write(folder.join("../temp-rewriteaof-bg-99.aof"), "left").unwrap();
        fs::write(folder.join("appendonly.aof.3.incr.aof"), "left").unwrap();
        let mut manifest = written.file(MANIFEST);
        manifest.extend_from_slice(b"file appendonly.aof.3.incr.aof seq 3 type h\n");
        fs::write(folder.join(MANIFEST), manifest).unwrap();
    });
    written.assert_all(&dir, "what is left");
    assert!(!dir.join("appendonlydir/appendonly.aof.3.incr.aof").exists(), "history stays");
    // And what an earlier process left does not hinder a rewrite.
    let server = start(&dir, &[]).unwrap();
    assert!(server.connect().ask("BGREWRITEAOF").error().is_none());
    drop(server);
    written.assert_all(&dir, "after a rewrite");
    fs::remove_dir_all(&dir).unwrap();
}

/// The log of Redis before 7 is one file, which is taken over into the folder.
#[test]
fn one_file_of_old_is_taken_over() {
    let written = Written::new();
    let dir = temp_dir();
    fs::write(dir.join("appendonly.aof"), [written.file(BASE), written.file(INCREMENT)].concat()).unwrap();
    written.assert_all(&dir, "with a snapshot before it");
    assert!(!dir.join("appendonly.aof").exists());
    written.assert_all(&dir, "once more");
    fs::remove_dir_all(&dir).unwrap();
    let dir = temp_dir();
    fs::write(dir.join("appendonly.aof"), written.file(INCREMENT)).unwrap();
    written.assert_all(&dir, "commands alone");
    fs::remove_dir_all(&dir).unwrap();
}
