//! Resident memory of servers that hold the same data.

use super::client::{Client, VALUE_LEN};
use super::data::{Amount, Data, ELEMENTS, request};
use super::error::Error;
use super::kept;
use super::options::Options;
use super::process::Server;
use super::programs::Programs;

const KEYS: u64 = 2_000_000;
const MILLION: u64 = 1_000_000;

/// What is held, and what Moonshard is to reach with it.
#[derive(Debug)]
pub struct Row {
    /// Its name, for `--only`.
    pub name: &'static str,
    /// What a reader calls it.
    pub label: &'static str,
    /// Most memory that passes, as a multiple of redis-server's.
    pub ratio_max: f64,
    /// How many of what a figure is given for: keys, or members of the one key.
    pub count: u64,
    /// The requests that put it there.
    data: Data,
}

/// Everything that is held in turn.
pub static ROWS: [Row; 7] = [
    Row {
        name: "memory",
        label: "keys with 64-byte values",
        ratio_max: 0.75,
        count: KEYS,
        data: Data {
            name: "keys",
            amount: Amount::Scaled(KEYS),
            request: |at| request(["SET", &format!("key:{at}"), &"x".repeat(VALUE_LEN)], std::iter::empty()),
        },
    },
    small("memory-hashes", "hashes of 5 fields", |at| {
        let fields = (0..5).flat_map(|n| [format!("field:{n}"), format!("value:{}", at + n)]);
        request(["HSET", &format!("hash:{at}")], fields)
    }),
    small("memory-zsets", "sorted sets of 10 members", |at| {
        let members = (0..10).flat_map(|n| [format!("{}", at + n), format!("member:{n}")]);
        request(["ZADD", &format!("zset:{at}")], members)
    }),
    small("memory-lists", "lists of 10 elements", |at| {
        request(["RPUSH", &format!("list:{at}")], (0..10).map(|n| format!("element:{}", at + n)))
    }),
    small("memory-sets", "sets of 10 integers", |at| {
        request(["SADD", &format!("set:{at}")], (0..10).map(|n| (at + n).to_string()))
    }),
    large("memory-hash", "fields of one hash", |at| {
        let fields = at * ELEMENTS..(at + 1) * ELEMENTS;
        request(["HSET", "hash"], fields.flat_map(|n| [format!("field:{n}"), format!("value:{n}")]))
    }),
    large("memory-zset", "members of one sorted set", |at| {
        let members = at * ELEMENTS..(at + 1) * ELEMENTS;
        request(["ZADD", "zset"], members.flat_map(|n| [n.to_string(), format!("member:{n}")]))
    }),
];

const COLLECTIONS_RATIO_MAX: f64 = 0.85;

/// A million keys.
const fn small(name: &'static str, label: &'static str, request: fn(u64) -> Vec<String>) -> Row {
    let data = Data { name, amount: Amount::Scaled(MILLION), request };
    Row { name, label, ratio_max: COLLECTIONS_RATIO_MAX, count: MILLION, data }
}

/// A million members of one key.
const fn large(name: &'static str, label: &'static str, request: fn(u64) -> Vec<String>) -> Row {
    let data = Data { name, amount: Amount::Scaled(MILLION / ELEMENTS), request };
    Row { name, label, ratio_max: COLLECTIONS_RATIO_MAX, count: MILLION, data }
}

/// The memory of one configuration of Moonshard beside redis-server's.
#[derive(Debug)]
pub struct Memory {
    /// What is held.
    pub row: &'static Row,
    /// Moonshard's I/O threads; `None` for its own choice.
    pub io_threads: Option<u32>,
    /// How many keys or members.
    pub count: u64,
    /// Resident bytes of redis-server.
    pub redis_bytes: u64,
    /// Resident bytes of Moonshard, or why they are not known.
    pub moonshard_bytes: Result<u64, Error>,
}

impl Memory {
    /// Moonshard's memory as a multiple of redis-server's.
    pub fn ratio(&self) -> Option<f64> {
        let bytes = self.moonshard_bytes.as_ref().ok()?;
        Some(*bytes as f64 / self.redis_bytes as f64)
    }

    /// Whether the bound is reached.
    pub fn passes(&self) -> bool {
        self.ratio().is_some_and(|ratio| ratio <= self.row.ratio_max)
    }
}

/// Fills fresh servers with a row's data, one after the other.
///
/// # Errors
/// When redis-server cannot be measured.
pub fn measure(options: &Options, programs: &Programs, row: &'static Row) -> Result<Vec<Memory>, Error> {
    eprintln!("{}", row.name);
    let redis_bytes = filled(programs.start_redis()?, row, options)?;
    let of = |&io_threads: &Option<u32>| {
        let bytes = programs.start_moonshard(io_threads).and_then(|server| filled(server, row, options));
        let count = options.scaled(row.count);
        Ok(Memory { row, io_threads, count, redis_bytes, moonshard_bytes: kept(bytes)? })
    };
    options.io_threads.iter().map(of).collect()
}

/// The resident bytes of a server with the data, after it has come to rest.
fn filled(mut server: Server, row: &Row, options: &Options) -> Result<u64, Error> {
    Client::connect(server.port())?.fill(options.amount(row.data.amount, 0), row.data.request)?;
    server.settle()?;
    server.resident_bytes()
}
