//! The rows of the comparison: what is sent, and what Moonshard is to reach against redis-server.

use super::data::{self, COLLECTIONS, Data, SET_PAIRS};
use super::scripts::{self, Script};
use super::{memory, persistence};
use std::sync::LazyLock;

/// GETs on other shards while one shard runs an endless script.
pub const OTHER_SHARDS: &str = "other-shards";
/// Scripts of different shards at the same time.
pub const PARALLEL: &str = "parallel";

/// Rows that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// GET, SET, hot collections, scripts, and what is beside an endless script.
    Base,
    /// Scripts and functions.
    Scripts,
    /// Commands of every type, in pipelines.
    Types,
    /// The same commands, one request at a time.
    Single,
    /// Small collections, chosen among a million keys.
    Spread,
    /// Resident memory.
    Memory,
    /// Snapshots, and the log.
    Persistence,
}

impl Group {
    /// All of them, in the order in which they are run and shown.
    pub const ALL: [Self; 7] =
        [Self::Base, Self::Scripts, Self::Types, Self::Single, Self::Spread, Self::Memory, Self::Persistence];

    /// Its name, for `--group`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Scripts => "scripts",
            Self::Types => "types",
            Self::Single => "single",
            Self::Spread => "spread",
            Self::Memory => "memory",
            Self::Persistence => "persistence",
        }
    }
}

/// What redis-benchmark sends.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// One of its own tests, on keys that are there.
    Test(&'static str),
    /// One of its own tests, which grows one collection: its key is deleted before and after.
    Collection(&'static str, &'static str),
    /// A script or a function.
    Script(&'static Script),
    /// A command of a type.
    Command(&'static Command),
}

/// A command, with what it is sent to.
#[derive(Debug)]
pub struct Command {
    /// The name of its rows, without the pipeline.
    name: &'static str,
    /// What a reader calls it.
    label: &'static str,
    /// What is sent; `__value__` stands for a value of 64 bytes.
    pub words: &'static [&'static str],
    /// How many random numbers there are.
    pub keys: u64,
    /// What is there before.
    pub on: On,
    /// The pipeline of its row among the types.
    pipeline: u32,
    /// Requests of a round in that pipeline, and one at a time.
    requests: (u64, u64),
}

/// What is there before a command is sent.
#[derive(Debug)]
pub enum On {
    /// The keys of redis-benchmark's own tests.
    Keys,
    /// This data, which stays.
    Kept(&'static Data),
    /// Nothing at this key, which is deleted before and after.
    Fresh(&'static str),
    /// This data at this key, which is made anew.
    Made(&'static Data, &'static str),
    /// So many subscribers to this channel.
    Subscribers(usize, &'static str),
}

/// A row.
#[derive(Debug)]
pub struct Row {
    /// Its name, for `--only`.
    pub name: String,
    /// What it belongs to.
    pub group: Group,
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
    fn test(name: &str, label: &'static str, test: &'static str, pipeline: u32) -> Self {
        let (requests, cpu_max, throughput_min) = match pipeline {
            1 => (200_000, 1.0, 0.95),
            16 => (1_000_000, 0.45, 1.8),
            _ => (2_000_000, 0.30, 3.0),
        };
        Self {
            name: name.to_owned(),
            group: Group::Base,
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

    fn without_bound(self) -> Self {
        Self { against_bound: false, ..self }
    }

    fn collection(name: &str, label: &'static str, test: &'static str, key: &'static str) -> Self {
        Self {
            load: Load::Collection(test, key),
            cpu_max: 0.85,
            throughput_min: Some(1.0),
            io_threads: Some(2),
            ..Self::test(name, label, test, 16).without_bound()
        }
    }

    fn script(script: &'static Script, group: Group) -> Self {
        Self {
            group,
            load: Load::Script(script),
            requests: script.requests,
            cpu_max: script.cpu_max,
            throughput_min: None,
            ..Self::test(script.name, script.label, "", 16).without_bound()
        }
    }

    fn command(command: &'static Command, group: Group) -> Self {
        let (pipeline, requests, cpu_max) = match group {
            Group::Single => (1, command.requests.1, 1.05),
            Group::Spread => (command.pipeline, command.requests.0, 0.45),
            _ if command.pipeline == 64 => (64, command.requests.0, 0.60),
            _ => (command.pipeline, command.requests.0, 0.75),
        };
        Self {
            name: format!("{}-p{pipeline}", command.name),
            group,
            label: command.label,
            load: Load::Command(command),
            pipeline,
            requests,
            cpu_max,
            throughput_min: None,
            io_threads: None,
            against_bound: false,
        }
    }

    /// Whether its keys are to be there.
    pub const fn needs_keys(&self) -> bool {
        match self.load {
            Load::Test(_) | Load::Script(_) => true,
            Load::Collection(..) => false,
            Load::Command(command) => matches!(command.on, On::Keys),
        }
    }
}

/// Random keys of redis-benchmark's own tests.
const KEYS: u64 = 1_000_000;
const FIELDS: u64 = 100_000;

impl Command {
    /// A cheap command in pipelines of 64.
    const fn deep(
        name: &'static str,
        label: &'static str,
        words: &'static [&'static str],
        keys: u64,
        on: On,
    ) -> Self {
        Self { name, label, words, keys, on, pipeline: 64, requests: (600_000, 60_000) }
    }

    /// A command that costs more, in pipelines of 16.
    const fn wide(
        name: &'static str,
        label: &'static str,
        words: &'static [&'static str],
        on: On,
        requests: (u64, u64),
    ) -> Self {
        Self { name, label, words, keys: COLLECTIONS, on, pipeline: 16, requests }
    }
}

const MSET: &[&str] = &[
    "MSET",
    "key:__rand_int__",
    "__value__",
    "key:__rand_int__",
    "__value__",
    "key:__rand_int__",
    "__value__",
    "key:__rand_int__",
    "__value__",
    "key:__rand_int__",
    "__value__",
    "key:__rand_int__",
    "__value__",
    "key:__rand_int__",
    "__value__",
    "key:__rand_int__",
    "__value__",
    "key:__rand_int__",
    "__value__",
    "key:__rand_int__",
    "__value__",
];

/// What is sent of every type.
static TYPES: [Command; 19] = [
    Command::deep("lpush", "LPUSH", &["LPUSH", "mylist", "__value__"], KEYS, On::Fresh("mylist")),
    Command::deep("rpop", "RPOP", &["RPOP", "mylist"], KEYS, On::Made(&data::POPPED_LIST, "mylist")),
    Command::deep("sadd", "SADD", &["SADD", "myset", "element:__rand_int__"], KEYS, On::Fresh("myset")),
    Command::deep("spop", "SPOP", &["SPOP", "myset"], KEYS, On::Made(&data::POPPED_SET, "myset")),
    Command::deep(
        "hset",
        "HSET",
        &["HSET", "myhash", "element:__rand_int__", "__value__"],
        KEYS,
        On::Fresh("myhash"),
    ),
    Command::deep(
        "hget",
        "HGET",
        &["HGET", "readhash", "element:__rand_int__"],
        FIELDS,
        On::Kept(&data::HASH),
    ),
    Command::deep(
        "zadd",
        "ZADD",
        &["ZADD", "myzset", "__rand_int__", "element:__rand_int__"],
        KEYS,
        On::Fresh("myzset"),
    ),
    Command::deep("incr", "INCR", &["INCR", "counter:__rand_int__"], KEYS, On::Keys),
    Command::deep(
        "expire",
        "EXPIRE",
        &["EXPIRE", "expiring:__rand_int__", "100000"],
        KEYS,
        On::Kept(&data::EXPIRING),
    ),
    Command::deep(
        "xadd",
        "XADD",
        &["XADD", "mystream", "*", "field", "__value__"],
        KEYS,
        On::Fresh("mystream"),
    ),
    Command { requests: (150_000, 40_000), ..Command::deep("mset", "MSET, 10 keys", MSET, KEYS, On::Keys) },
    Command {
        requests: (100_000, 40_000),
        ..Command::deep(
            "publish",
            "PUBLISH, 10 subscribers",
            &["PUBLISH", "mychannel", "__value__"],
            KEYS,
            On::Subscribers(10, "mychannel"),
        )
    },
    Command::wide(
        "lrange",
        "LRANGE, 100 elements",
        &["LRANGE", "list:__rand_int__", "0", "99"],
        On::Kept(&data::LISTS),
        (60_000, 30_000),
    ),
    Command::wide(
        "hgetall",
        "HGETALL, 20 fields",
        &["HGETALL", "hash:__rand_int__"],
        On::Kept(&data::HASHES),
        (120_000, 50_000),
    ),
    Command::wide(
        "zrange",
        "ZRANGE, 10 members",
        &["ZRANGE", "zset:__rand_int__", "500", "509"],
        On::Kept(&data::SORTED_SETS),
        (200_000, 50_000),
    ),
    Command::wide(
        "zrangebyscore",
        "ZRANGEBYSCORE, 10 members",
        &["ZRANGEBYSCORE", "zset:__rand_int__", "500", "509"],
        On::Kept(&data::SORTED_SETS),
        (200_000, 50_000),
    ),
    Command::wide(
        "xread",
        "XREAD, 10 entries",
        &["XREAD", "COUNT", "10", "STREAMS", "stream:__rand_int__", "0"],
        On::Kept(&data::STREAMS),
        (120_000, 40_000),
    ),
    Command {
        keys: SET_PAIRS,
        ..Command::wide(
            "sinter",
            "SINTER, 2 sets of 1,000",
            &["SINTER", "left:__rand_int__", "right:__rand_int__"],
            On::Kept(&data::SETS),
            (8_000, 6_000),
        )
    },
    Command::wide(
        "sort",
        "SORT, 100 numbers",
        &["SORT", "numbers:__rand_int__"],
        On::Kept(&data::NUMBERS),
        (20_000, 15_000),
    ),
];

/// What is sent to a million small collections.
static SPREAD: [Command; 3] = [
    Command {
        keys: data::SPREAD,
        ..Command::wide(
            "spread-hset",
            "HSET, a million hashes",
            &["HSET", "spreadhash:__rand_int__", "field:3", "y"],
            On::Kept(&data::SPREAD_HASHES),
            (800_000, 0),
        )
    },
    Command {
        keys: data::SPREAD,
        ..Command::wide(
            "spread-lpush",
            "LPUSH, a million lists",
            &["LPUSH", "spreadlist:__rand_int__", "element"],
            On::Kept(&data::SPREAD_LISTS),
            (800_000, 0),
        )
    },
    Command {
        keys: data::SPREAD,
        ..Command::wide(
            "spread-zadd",
            "ZADD, a million sorted sets",
            &["ZADD", "spreadzset:__rand_int__", "__rand_int__", "member:3"],
            On::Kept(&data::SPREAD_SORTED_SETS),
            (800_000, 0),
        )
    },
];

/// The rows that redis-benchmark runs, in the order in which they are run and shown.
pub static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let base = [
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
    ];
    let of = |commands: &'static [Command], group| commands.iter().map(move |it| Row::command(it, group));
    let commands =
        of(&TYPES, Group::Types).chain(of(&TYPES, Group::Single)).chain(of(&SPREAD, Group::Spread));
    let scripts =
        |scripts: &'static [Script], group| scripts.iter().map(move |script| Row::script(script, group));
    base.into_iter()
        .chain(scripts(&scripts::BASE, Group::Base))
        .chain(scripts(&scripts::SCRIPTS, Group::Scripts))
        .chain(commands)
        .collect()
});

/// The names of all rows, with their groups.
pub fn names() -> impl Iterator<Item = (&'static str, Group)> {
    let memory = memory::ROWS.iter().map(|row| (row.name, Group::Memory));
    let persistence = persistence::ROWS.iter().map(|row| (row.name, Group::Persistence));
    let own = ROWS.iter().map(|row| (&*row.name, row.group));
    own.chain([(OTHER_SHARDS, Group::Base), (PARALLEL, Group::Scripts)]).chain(memory).chain(persistence)
}
