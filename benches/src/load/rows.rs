//! The rows of the comparison: what is sent, and what Moonshard is to reach against redis-server.

/// GETs on other shards while one shard runs an endless script.
pub const OTHER_SHARDS: &str = "other-shards";
/// Resident memory of two million keys.
pub const MEMORY: &str = "memory";

/// What redis-benchmark sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// One of its own tests, on keys that are there.
    Test(&'static str),
    /// One of its own tests, which grows one collection: its key is deleted before and after.
    Collection(&'static str, &'static str),
    /// EVALSHA of this script with one random key and one value.
    Script(&'static str),
}

/// A row.
#[derive(Debug)]
pub struct Row {
    /// Its name, for `--only`.
    pub name: &'static str,
    /// What a reader calls it.
    pub label: &'static str,
    /// What is sent.
    pub load: Load,
    /// Requests that a client sends before it waits for replies.
    pub pipeline: u32,
    /// Requests of one round, for a second or two of redis-server.
    pub requests: u64,
    /// Most CPU time a request, as a multiple of redis-server's.
    pub cpu_max: f64,
    /// Least throughput, as a multiple of redis-server's.
    pub throughput_min: Option<f64>,
    /// Moonshard's I/O threads, where the row says how many.
    pub io_threads: Option<u32>,
    /// Whether it is shown against the server that only parses, too.
    pub against_bound: bool,
}

impl Row {
    const fn test(name: &'static str, label: &'static str, test: &'static str, pipeline: u32) -> Self {
        let (requests, cpu_max, throughput_min) = match pipeline {
            1 => (200_000, 1.0, 0.95),
            16 => (1_000_000, 0.45, 1.8),
            _ => (2_000_000, 0.30, 3.0),
        };
        Self {
            name,
            label,
            load: Load::Test(test),
            pipeline,
            requests,
            cpu_max,
            throughput_min: Some(throughput_min),
            io_threads: None,
            against_bound: true,
        }
    }

    const fn without_bound(self) -> Self {
        Self { against_bound: false, ..self }
    }

    const fn collection(
        name: &'static str,
        label: &'static str,
        test: &'static str,
        key: &'static str,
    ) -> Self {
        Self {
            load: Load::Collection(test, key),
            cpu_max: 0.85,
            throughput_min: Some(1.0),
            io_threads: Some(2),
            ..Self::test(name, label, test, 16).without_bound()
        }
    }

    const fn script(
        name: &'static str,
        label: &'static str,
        script: &'static str,
        requests: u64,
        cpu_max: f64,
    ) -> Self {
        Self {
            load: Load::Script(script),
            requests,
            cpu_max,
            throughput_min: None,
            ..Self::test(name, label, "", 16).without_bound()
        }
    }

    /// Whether its keys are to be there.
    pub const fn needs_keys(&self) -> bool {
        !matches!(self.load, Load::Collection(..))
    }
}

const GET_AND_SET: &str =
    "local old = redis.call('GET', KEYS[1]); redis.call('SET', KEYS[1], ARGV[1]); return old";
const ADDITIONS: &str =
    "local sum = 0; for i = 1, 1000 do sum = sum + i end; return redis.call('SET', KEYS[1], sum)";
const FORMATS: &str = "local parts = {}; for i = 1, 100 do parts[i] = string.format('%d:%s', i, ARGV[1]) end; \
                       return #table.concat(parts, ',')";

/// The rows that redis-benchmark runs, in the order in which they are run and shown.
pub static ROWS: [Row; 13] = [
    Row::test("set-p1", "SET", "set", 1),
    Row::test("get-p1", "GET", "get", 1),
    Row::test("set-p16", "SET", "set", 16),
    Row::test("get-p16", "GET", "get", 16),
    Row::test("incr-p16", "INCR", "incr", 16).without_bound(),
    Row::collection("lpush-p16", "LPUSH", "lpush", "mylist"),
    Row::collection("sadd-p16", "SADD", "sadd", "myset"),
    Row::collection("hset-p16", "HSET", "hset", "myhash"),
    Row::test("get-p64", "GET", "get", 64),
    Row::test("set-p64", "SET", "set", 64),
    Row::script("script-get-set", "EVALSHA: GET and SET", GET_AND_SET, 500_000, 0.50),
    Row::script("script-additions", "EVALSHA: 1,000 additions, SET", ADDITIONS, 150_000, 0.40),
    Row::script("script-formats", "EVALSHA: 100 formats, concat", FORMATS, 80_000, 0.30),
];

/// The names of all rows.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name).chain([OTHER_SHARDS, MEMORY])
}
