//! Snapshots of other versions of Redis: what 7.0 reads is read here as it reads it, and what later ones wrote too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_rdb::{Checksum, Opcode, Writer};
use moonshard_tests::content::{Content, EXACT};
use moonshard_tests::server::{Kind, Server, temp_dir};
use moonshard_tests::tcl;

/// Starts a server on a file; its content, or that it refused to start.
fn loaded(kind: Kind, bytes: &[u8]) -> Option<Content> {
    let dir = temp_dir();
    std::fs::write(dir.join("dump.rdb"), bytes).unwrap();
    let args = ["--dir", dir.to_str().unwrap(), "--save", "", "--databases", "99"];
    let server = Server::try_start(kind, &args).ok();
    let content = server.as_ref().map(|server| Content::read(&mut server.connect(), &[0, 1, 2, 3, 9], EXACT));
    drop(server);
    std::fs::remove_dir_all(&dir).unwrap();
    content
}

/// Loaded by both with the same content, or refused by both.
fn assert_read_alike(what: &str, bytes: &[u8]) {
    match (loaded(Kind::Moonshard, bytes), loaded(Kind::Redis, bytes)) {
        (Some(mine), Some(other)) => {
            let differences = mine.differences(&other, EXACT);
            assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
        }
        (None, None) => {}
        (mine, other) => panic!(
            "{what}: {} by Moonshard, {} by Redis",
            if mine.is_some() { "loaded" } else { "refused" },
            if other.is_some() { "loaded" } else { "refused" }
        ),
    }
}

/// Files that Redis' own tests keep, of its versions from 2.4 on: every form that is not written any more.
#[test]
fn files_of_older_versions() {
    let source = tcl::suite().unwrap_or_else(|e| panic!("no Redis source: {e}"));
    for name in [
        "encodings",
        "hash-zipmap",
        "hash-ziplist",
        "zset-ziplist",
        "list-quicklist",
        "scriptbackup",
        "corrupt_ziplist",
        "corrupt_empty_keys",
    ] {
        let path = source.join("tests/assets").join(name).with_extension("rdb");
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_read_alike(name, &bytes);
    }
}

/// A file of this version of the format with this between its begin and its end.
fn file(version: u32, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(false);
    writer.raw(format!("REDIS{version:04}").as_bytes());
    body(&mut writer);
    writer.byte(Opcode::End as u8);
    let mut bytes = writer.into_bytes();
    if version >= 5 {
        let checksum = Checksum::of(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

fn string(writer: &mut Writer, key: &str) {
    writer.byte(0);
    writer.string(key.as_bytes());
    writer.string(b"value");
}

/// What stands around keys, as the versions wrote it.
#[test]
fn what_files_say_around_keys() {
    for version in [1, 2, 4, 5, 6, 7, 8, 9, 10] {
        let bytes = file(version, |writer| {
            writer.raw(&[254, 3, 253]);
            writer.raw(&2_000_000_000_u32.to_le_bytes());
            string(writer, "seconds");
            writer.raw(&[253, 1, 0, 0, 0]);
            string(writer, "due");
            if version >= 3 {
                writer.byte(252);
                writer.u64(4_102_444_800_123);
                string(writer, "milliseconds");
            }
            if version >= 7 {
                writer.byte(250);
                writer.string(b"unknown");
                writer.string(b"what it says");
                writer.raw(&[251, 4, 2]);
            }
            if version >= 9 {
                writer.raw(&[249, 17]);
                string(writer, "often");
                writer.raw(&[248, 100]);
                string(writer, "idle");
            }
            string(writer, "plain");
        });
        assert_read_alike(&format!("version {version}"), &bytes);
    }
    let twice = file(10, |writer| (0..2).for_each(|_| string(writer, "twice")));
    assert_read_alike("a key twice", &twice);
    assert_read_alike("no keys", &file(10, |_| ()));
    assert_read_alike(
        "a database that is not there",
        &file(10, |writer| {
            writer.raw(&[254, 100]);
            string(writer, "key");
        }),
    );
    assert_read_alike("a library of a release candidate", &file(10, |writer| writer.byte(246)));
    assert_read_alike("a module's data", &file(10, |writer| writer.raw(&[247, 1, 2, 0, 0, 0])));
    assert_read_alike(
        "more after the end",
        &[file(10, |writer| string(writer, "key")), b"more".to_vec()].concat(),
    );
}

/// A listpack of short texts.
fn listpack(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.push(0x80 | text.len() as u8);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(1 + text.len() as u8);
    }
    let len = (6 + bytes.len() + 1) as u32;
    [&len.to_le_bytes(), &(texts.len() as u16).to_le_bytes()[..], &bytes, &[0xff]].concat()
}

/// What Redis 7.0 does not know: files of 7.2 and 7.4.
#[test]
fn files_of_later_versions() {
    let bytes = file(12, |writer| {
        writer.raw(&[254, 0]);
        // What a node of a cluster says of each slot: its number, its keys, and those with a deadline.
        writer.raw(&[244, 12, 3, 0]);
        string(writer, "plain");
        writer.byte(25);
        writer.string(b"small");
        writer.u64(4_102_444_800_000);
        writer.string(&listpack(&["field", "value", "4102444800000", "other", "7", "0"]));
        writer.byte(24);
        writer.string(b"large");
        writer.u64(4_102_444_800_000);
        writer.length(2);
        for (deadline, field) in [(1_u64, "field"), (0, "other")] {
            writer.length(deadline);
            writer.string(field.as_bytes());
            writer.string(b"value");
        }
        writer.byte(20);
        writer.string(b"set");
        writer.string(&listpack(&["a", "b", "17"]));
    });
    let dir = temp_dir();
    std::fs::write(dir.join("dump.rdb"), bytes).unwrap();
    let server = Server::moonshard(4, &["--dir", dir.to_str().unwrap(), "--save", ""]);
    let mut client = server.connect();
    assert_eq!(client.ask("DBSIZE").raw, b":4\r\n");
    for key in ["small", "large"] {
        let reply = client.ask(&format!("HPEXPIRETIME {key} FIELDS 2 field other"));
        assert_eq!(reply.raw, b"*2\r\n:4102444800000\r\n:-1\r\n", "{key}: {}", reply.text());
    }
    assert_eq!(client.ask("SMISMEMBER set a b 17 18").value.to_string(), "[:1 :1 :1 :0]");
    drop(server);
    std::fs::remove_dir_all(&dir).unwrap();
}
