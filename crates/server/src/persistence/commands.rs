//! A base of the log as commands (`aof-use-rdb-preamble no`): each value of a snapshot's pieces as the commands that make
//! it, in the words of Redis.

use super::file::Header;
use super::load::{KeyRecord, Records, Step, build};
use crate::config::Settings;
use crate::server::engine_settings;
use moonshard_aof::{EVALUATED_ANNOTATION, encode, encode_timestamp};
use moonshard_protocol::number::format_double;
use moonshard_rdb::{Limits, dump};
use moonshard_scripting::{Keep, Stored};
use moonshard_store::{Collection, Element, Group, Hash, Scratch, Seed, Stream, StreamId, ValueRef};
use std::io::{self, Write};

/// Elements of a collection that one command adds.
const ITEMS_MAX: usize = 64;
/// Bytes of commands that are gathered before they are written.
const GATHERED: usize = 64 << 10;

/// Turns pieces of a snapshot into commands.
pub struct CommandWriter {
    limits: Limits,
    records: Records,
    selected: Option<usize>,
    /// The arguments of the command that is being put together, one after the other, and where each ends.
    args: Vec<u8>,
    ends: Vec<usize>,
    out: Vec<u8>,
}

impl CommandWriter {
    /// Nothing written yet.
    pub fn new(settings: &Settings, seed: Seed) -> Self {
        Self {
            limits: engine_settings(settings, seed).restore_limits(),
            records: Records::default(),
            selected: None,
            args: Vec::new(),
            ends: Vec::new(),
            out: Vec::new(),
        }
    }

    /// What the file begins with: the libraries and the scripts.
    pub fn begin(&mut self, header: &Header, settings: &Settings) -> &[u8] {
        self.out.clear();
        if settings.aof_timestamp_enabled {
            encode_timestamp(header.now_ms / 1000, &mut self.out);
        }
        for stored in &header.stored {
            match stored {
                Stored::Library(library) => encode(&[b"FUNCTION", b"LOAD", library.code()], &mut self.out),
                Stored::Script(script) => {
                    if script.keep() != Keep::Loaded {
                        self.out.extend_from_slice(EVALUATED_ANNOTATION);
                    }
                    encode(&[b"SCRIPT", b"LOAD", &script.source], &mut self.out);
                }
            }
        }
        &self.out
    }

    /// Writes a piece as commands; returns how many bytes that were.
    ///
    /// # Errors
    /// The system's, and what is wrong with the piece.
    pub fn write(&mut self, mut piece: &[u8], file: &mut impl Write) -> io::Result<usize> {
        let mut written = 0;
        self.out.clear();
        while !piece.is_empty() {
            let (len, step) = self.records.next(piece).map_err(io::Error::other)?;
            let (record, rest) = piece.split_at(len);
            if let Step::Key(key) = step {
                self.key(record, key)?;
            }
            piece = rest;
            if self.out.len() > GATHERED || piece.is_empty() {
                file.write_all(&self.out)?;
                written += self.out.len();
                self.out.clear();
            }
        }
        Ok(written)
    }

    fn key(&mut self, record: &[u8], KeyRecord { db, expiry_ms, .. }: KeyRecord) -> io::Result<()> {
        let Some(entry) = build(record, None, &self.limits).map_err(io::Error::other)? else {
            return Ok(());
        };
        if self.selected != Some(db) {
            self.selected = Some(db);
            self.command(&[b"SELECT", itoa::Buffer::new().format(db).as_bytes()]);
        }
        let key = entry.key();
        match entry.value() {
            ValueRef::String(value) => self.command(&[b"SET", key, value]),
            ValueRef::Collection(Collection::List(list)) => {
                self.batches(b"RPUSH", key, list.iter(), |args, element| args.element(element));
            }
            ValueRef::Collection(Collection::Set(set)) => {
                self.batches(b"SADD", key, set.iter(), |args, member| args.element(member));
            }
            ValueRef::Collection(Collection::Hash(hash)) => self.hash(key, hash),
            ValueRef::Collection(Collection::SortedSet(set)) => {
                self.batches(b"ZADD", key, set.iter(), |args, (member, score)| {
                    args.score(score);
                    args.arg(member);
                });
            }
            value @ ValueRef::Collection(Collection::Stream(stream)) if !can_be_commands(stream) => {
                self.command(&[b"RESTORE", key, b"0", &dump(value, true)]);
            }
            ValueRef::Collection(Collection::Stream(stream)) => self.stream(key, stream),
        }
        if let Some(at_ms) = expiry_ms {
            self.command(&[b"PEXPIREAT", key, itoa::Buffer::new().format(at_ms).as_bytes()]);
        }
        Ok(())
    }

    /// Adds elements to the collection at `key`, by as many commands as it takes.
    fn batches<T>(
        &mut self,
        command: &[u8],
        key: &[u8],
        items: impl Iterator<Item = T>,
        push: impl Fn(&mut Self, T),
    ) {
        for (count, item) in items.enumerate() {
            if count % ITEMS_MAX == 0 {
                self.end();
                self.arg(command);
                self.arg(key);
            }
            push(self, item);
        }
        self.end();
    }

    fn hash(&mut self, key: &[u8], hash: &Hash) {
        self.batches(b"HMSET", key, hash.iter(), |args, (field, value)| {
            args.element(field);
            args.element(value);
        });
        if hash.expiring_len() == 0 {
            return;
        }
        for (field, _, deadline) in hash.iter_with_deadlines() {
            if let Some(at_ms) = deadline {
                let mut scratch = Scratch::new();
                let (mut at, field) = (itoa::Buffer::new(), field.bytes(&mut scratch));
                self.command(&[b"HPEXPIREAT", key, at.format(at_ms).as_bytes(), b"FIELDS", b"1", field]);
            }
        }
    }

    fn stream(&mut self, key: &[u8], stream: &Stream) {
        if stream.is_empty() {
            // The only way to make a stream without entries.
            self.command(&[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
        }
        for entry in stream.iter() {
            self.arg(b"XADD");
            self.arg(key);
            self.arg(&entry.id().text());
            for (field, value) in entry.fields() {
                self.element(field);
                self.element(value);
            }
            self.end();
        }
        let meta = stream.meta();
        let mut added = itoa::Buffer::new();
        self.command(&[
            b"XSETID",
            key,
            &meta.last_id.text(),
            b"ENTRIESADDED",
            added.format(meta.entries_added).as_bytes(),
            b"MAXDELETEDID",
            &meta.max_deleted_id.text(),
        ]);
        for (name, group) in stream.groups() {
            self.group(key, name, group);
        }
    }

    fn group(&mut self, key: &[u8], name: &[u8], group: &Group) {
        let mut number = itoa::Buffer::new();
        let read = group.entries_read.map_or("-1", |read| number.format(read)).as_bytes();
        self.command(&[b"XGROUP", b"CREATE", key, name, &group.last_id.text(), b"ENTRIESREAD", read]);
        for consumer in group.consumers() {
            if consumer.pending_len() == 0 {
                self.command(&[b"XGROUP", b"CREATECONSUMER", key, name, consumer.name()]);
            }
            for id in consumer.pending(StreamId::MIN, StreamId::MAX) {
                let Some(pending) = group.find_pending(id) else { continue };
                let (mut at, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
                self.command(&[
                    b"XCLAIM",
                    key,
                    name,
                    consumer.name(),
                    b"0",
                    &id.text(),
                    b"TIME",
                    at.format(pending.delivered_ms).as_bytes(),
                    b"RETRYCOUNT",
                    count.format(pending.deliveries).as_bytes(),
                    b"JUSTID",
                    b"FORCE",
                ]);
            }
        }
    }

    fn command(&mut self, args: &[&[u8]]) {
        encode(args, &mut self.out);
    }

    fn arg(&mut self, arg: &[u8]) {
        self.args.extend_from_slice(arg);
        self.ends.push(self.args.len());
    }

    fn element(&mut self, element: Element<'_>) {
        self.arg(element.bytes(&mut Scratch::new()));
    }

    fn score(&mut self, score: f64) {
        format_double(score, &mut self.args);
        self.ends.push(self.args.len());
    }

    /// Ends the command that is being put together, if one is.
    fn end(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let args: Vec<&[u8]> = starts.zip(&self.ends).map(|(start, &end)| &self.args[start..end]).collect();
        encode(&args, &mut self.out);
        self.args.clear();
        self.ends.clear();
    }
}

/// Whether commands can make all of a stream: XCLAIM forgets entries that were deleted after they were delivered, and
/// XSETID refuses a last id below that of an entry that was deleted. O(waiting log n).
fn can_be_commands(stream: &Stream) -> bool {
    stream.meta().max_deleted_id <= stream.last_id()
        && stream.groups().all(|(_, group)| {
            group.pending(StreamId::MIN, StreamId::MAX).all(|(id, _)| stream.get(id).is_some())
        })
}
