//! All that a server holds, read key by key, and how two servers' contents differ.

use std::collections::BTreeMap;
use std::fmt;

use crate::resp::{Client, Value, encode};

/// Keys that are asked for at once.
const AT_ONCE: usize = 500;

/// A key's value, written out in one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What TYPE says.
    pub kind: String,
    /// What OBJECT ENCODING says.
    pub encoding: String,
    /// The deadline as Unix time in milliseconds, -1 without one.
    pub deadline_ms: i64,
    /// The value, for people.
    pub value: String,
}

/// What may differ between two contents.
#[derive(Clone, Copy, Debug)]
pub struct Same {
    /// Whether encodings must be the same.
    pub encodings: bool,
    /// How far deadlines may be apart, in milliseconds.
    pub deadlines_ms: i64,
    /// Whether the times at which a stream's entries were delivered must be the same.
    pub deliveries: bool,
    /// Whether the times at which consumers were seen must be the same.
    pub seen: bool,
}

/// All must be the same.
pub const EXACT: Same = Same { encodings: true, deadlines_ms: 0, deliveries: true, seen: true };

/// The keys of some databases, and the libraries of functions.
#[derive(Clone, Debug, Default)]
pub struct Content {
    keys: BTreeMap<(usize, Vec<u8>), Described>,
    libraries: String,
}

impl Content {
    /// Reads these databases, and selects 0 again. O(n log n) of what is there.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn read(client: &mut Client, databases: &[usize], same: Same) -> Content {
        let mut content = Content::matching(client, databases, b"*", same);
        content.libraries = sorted(client.ask("FUNCTION LIST WITHCODE").value).to_string();
        content
    }

    /// Reads the keys of these databases that match a pattern, and nothing else; selects 0 again.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn matching(client: &mut Client, databases: &[usize], pattern: &[u8], same: Same) -> Content {
        let mut content = Content::default();
        for &db in databases {
            client.ask(&format!("SELECT {db}"));
            for chunk in all_keys(client, pattern).chunks(AT_ONCE) {
                let described = describe(client, chunk, same);
                content.keys.extend(chunk.iter().map(|key| (db, key.clone())).zip(described));
            }
        }
        client.ask("SELECT 0");
        content
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Leaves out what is not wanted.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &Described) -> bool) {
        self.keys.retain(|(_, key), described| keep(key, described));
    }

    /// The first few differences, a line each; nothing when there is none.
    pub fn differences(&self, other: &Content, same: Same) -> Vec<String> {
        let mut found = Vec::new();
        if self.libraries != other.libraries {
            found.push(format!("libraries {} and {}", self.libraries, other.libraries));
        }
        for (name, mine) in &self.keys {
            match other.keys.get(name) {
                None => found.push(format!("{} is missing in the other: {mine}", shown(name))),
                Some(its) if !alike(mine, its, same) => {
                    let same_until =
                        mine.value.bytes().zip(its.value.bytes()).take_while(|(a, b)| a == b).count();
                    let from = same_until.saturating_sub(80);
                    found.push(format!(
                        "{}:\n  {}\n  {}",
                        shown(name),
                        mine.shown_from(from),
                        its.shown_from(from)
                    ));
                }
                Some(_) => {}
            }
        }
        for (name, its) in &other.keys {
            if !self.keys.contains_key(name) {
                found.push(format!("{} is only in the other: {its}", shown(name)));
            }
        }
        found.truncate(10);
        found
    }
}

fn shown((db, key): &(usize, Vec<u8>)) -> String {
    format!("{db}/{}", key[..key.len().min(100)].escape_ascii())
}

fn alike(mine: &Described, its: &Described, same: Same) -> bool {
    let deadlines = match (mine.deadline_ms, its.deadline_ms) {
        (-1, -1) => true,
        (-1, _) | (_, -1) => false,
        (mine, its) => mine.abs_diff(its) <= same.deadlines_ms.unsigned_abs(),
    };
    let encodings = !same.encodings || mine.encoding == its.encoding;
    deadlines && encodings && mine.kind == its.kind && mine.value == its.value
}

impl Described {
    /// For people, with a piece of the value, which is ASCII.
    fn shown_from(&self, from: usize) -> String {
        let value: String = self.value.chars().skip(from).take(300).collect();
        let dots = if from > 0 { "... " } else { "" };
        format!("{} ({}) until {}: {dots}{value}", self.kind, self.encoding, self.deadline_ms)
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown_from(0))
    }
}

/// The keys of the selected database.
fn all_keys(client: &mut Client, pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut cursor = b"0".to_vec();
    loop {
        let reply =
            client.command(&[b"scan".as_slice(), &cursor, b"match", pattern, b"count", b"1000"]).unwrap();
        let Some([Value::Bulk(next), Value::Array(keys)]) = reply.value.items() else {
            panic!("{}", reply.text())
        };
        found.extend(keys.iter().filter_map(|key| key.bytes().map(<[u8]>::to_vec)));
        cursor.clone_from(next);
        if cursor == b"0" {
            found.sort();
            found.dedup();
            return found;
        }
    }
}

/// Sends commands together; their replies.
fn together(client: &mut Client, commands: &[Vec<&[u8]>]) -> Vec<Value> {
    let mut replies = Vec::with_capacity(commands.len());
    // Few at a time: a server that nobody reads from need not read either.
    for some in commands.chunks(50) {
        let bytes: Vec<u8> = some.iter().flat_map(|command| encode(command)).collect();
        client.send_raw(&bytes).unwrap();
        replies.extend(some.iter().map(|_| client.read().unwrap().value));
    }
    replies
}

fn describe(client: &mut Client, keys: &[Vec<u8>], same: Same) -> Vec<Described> {
    let about: Vec<Vec<&[u8]>> = keys
        .iter()
        .flat_map(|key| {
            [vec![b"type".as_slice(), key], vec![b"object", b"encoding", key], vec![b"pexpiretime", key]]
        })
        .collect();
    let about = together(client, &about);
    let text = |value: &Value| String::from_utf8_lossy(value.bytes().unwrap_or_default()).into_owned();
    let about: Vec<(String, String, i64)> = about
        .chunks(3)
        .map(|three| (text(&three[0]), text(&three[1]), if let Value::Int(at) = three[2] { at } else { -2 }))
        .collect();
    let values: Vec<Vec<&[u8]>> =
        keys.iter().zip(&about).map(|(key, (kind, ..))| reading(kind, key)).collect();
    let values = together(client, &values);
    about
        .into_iter()
        .zip(values)
        .map(|((kind, encoding, deadline_ms), value)| {
            let value = match kind.as_str() {
                "set" => sorted(value),
                "hash" => sorted_pairs(value),
                "zset" if !same.encodings => without_signs_of_zero(value),
                "stream" => stream(value, same),
                _ => value,
            };
            Described { kind, encoding, deadline_ms, value: value.to_string() }
        })
        .collect()
}

/// The command that reads a value of this type.
fn reading<'a>(kind: &str, key: &'a [u8]) -> Vec<&'a [u8]> {
    match kind {
        "string" => vec![b"get", key],
        "list" => vec![b"lrange", key, b"0", b"-1"],
        "set" => vec![b"smembers", key],
        "hash" => vec![b"hgetall", key],
        "zset" => vec![b"zrange", key, b"0", b"-1", b"withscores"],
        "stream" => vec![b"xinfo", b"stream", key, b"full", b"count", b"0"],
        _ => vec![b"type", key],
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(mut items) => {
            items.sort();
            Value::Array(items)
        }
        other => other,
    }
}

/// A small sorted set forgets the sign of a zero, so whether it is there depends on how the set came about.
fn without_signs_of_zero(value: Value) -> Value {
    let Value::Array(mut items) = value else { return value };
    for score in items.iter_mut().skip(1).step_by(2) {
        if *score == Value::Bulk(b"-0".to_vec()) {
            *score = Value::Bulk(b"0".to_vec());
        }
    }
    Value::Array(items)
}

fn sorted_pairs(value: Value) -> Value {
    let Value::Array(items) = value else { return value };
    let mut pairs: Vec<Value> = items.chunks(2).map(|pair| Value::Array(pair.to_vec())).collect();
    pairs.sort();
    Value::Array(pairs)
}

/// XINFO STREAM FULL without what is not of the content.
fn stream(value: Value, same: Same) -> Value {
    let Value::Array(items) = value else { return value };
    let mut kept = Vec::new();
    for pair in items.chunks(2) {
        let [name, value] = pair else { continue };
        match name.bytes().unwrap_or_default() {
            b"radix-tree-keys" | b"radix-tree-nodes" => {}
            b"seen-time" | b"active-time" if !same.seen => {}
            b"groups" | b"consumers" => {
                let Value::Array(each) = value else { continue };
                let each = each.iter().map(|one| stream(one.clone(), same)).collect();
                kept.extend([name.clone(), Value::Array(each)]);
            }
            b"pel" | b"pending" if !same.deliveries => kept.extend([name.clone(), without_times(value)]),
            _ => kept.extend(pair.iter().cloned()),
        }
    }
    Value::Array(kept)
}

/// Pending entries without the time of their delivery, which stands before the number of deliveries.
fn without_times(value: &Value) -> Value {
    let entries = value.items().unwrap_or_default().iter().map(|entry| {
        let mut parts = entry.items().unwrap_or_default().to_vec();
        if parts.len() >= 3 {
            parts.remove(parts.len() - 2);
        }
        Value::Array(parts)
    });
    Value::Array(entries.collect())
}
