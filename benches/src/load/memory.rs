//! Resident memory of servers that hold the same keys.

use super::client::{Client, VALUE_LEN};
use super::error::Error;
use super::kept;
use super::options::Options;
use super::process::Server;
use super::programs::Programs;
use std::io::Write as _;

/// Most memory that passes, as a multiple of redis-server's.
pub const RATIO_MAX: f64 = 0.75;

const KEYS: u64 = 2_000_000;

/// The memory of one configuration of Moonshard beside redis-server's.
#[derive(Debug)]
pub struct Memory {
    /// Moonshard's I/O threads; `None` for its own choice.
    pub io_threads: Option<u32>,
    /// How many keys.
    pub keys: u64,
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
        self.ratio().is_some_and(|ratio| ratio <= RATIO_MAX)
    }
}

/// Fills fresh servers, one after the other.
///
/// # Errors
/// When redis-server cannot be measured.
pub fn measure(options: &Options, programs: &Programs) -> Result<Vec<Memory>, Error> {
    eprintln!("memory");
    let keys = options.scaled(KEYS);
    let redis_bytes = filled(programs.start_redis()?, keys)?;
    let of = |&io_threads: &Option<u32>| {
        let bytes = programs.start_moonshard(io_threads).and_then(|server| filled(server, keys));
        Ok(Memory { io_threads, keys, redis_bytes, moonshard_bytes: kept(bytes)? })
    };
    options.io_threads.iter().map(of).collect()
}

/// The resident bytes of a server with so many keys, after it has come to rest.
fn filled(mut server: Server, keys: u64) -> Result<u64, Error> {
    // Writing to memory does not fail.
    let key = |number, key: &mut Vec<u8>| drop(write!(key, "key:{number}"));
    Client::connect(server.port())?.fill(keys, &[b'x'; VALUE_LEN], key)?;
    server.settle()?;
    server.resident_bytes()
}
