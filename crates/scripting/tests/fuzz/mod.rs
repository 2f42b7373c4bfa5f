//! Random scripts with hostile arguments, against a shard's VM: whatever they do, each gets one reply, the next script
//! finds everything as it was, and the process lives.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "a failure is a panic")]

use super::world::World;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A small generator of numbers, so that a seed tells the whole run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

const FUNCTIONS: &[&str] = &[
    "redis.call",
    "redis.call",
    "redis.pcall",
    "redis.pcall",
    "redis.log",
    "redis.setresp",
    "redis.sha1hex",
    "redis.error_reply",
    "redis.status_reply",
    "redis.set_repl",
    "redis.acl_check_cmd",
    "redis.replicate_commands",
    "redis.breakpoint",
    "redis.debug",
    "server.call",
    "cjson.encode",
    "cjson.decode",
    "cjson.new",
    "cjson.encode_max_depth",
    "cjson.decode_max_depth",
    "cjson.encode_sparse_array",
    "cjson.encode_number_precision",
    "cjson.encode_invalid_numbers",
    "cjson.decode_array_with_array_mt",
    "cmsgpack.pack",
    "cmsgpack.unpack",
    "cmsgpack.unpack_one",
    "cmsgpack.unpack_limit",
    "struct.pack",
    "struct.unpack",
    "struct.size",
    "bit.tohex",
    "bit.band",
    "bit.bor",
    "bit.lshift",
    "bit.rol",
    "bit.bswap",
    "string.find",
    "string.match",
    "string.gmatch",
    "string.gsub",
    "string.rep",
    "string.format",
    "string.byte",
    "string.char",
    "string.dump",
    "string.sub",
    "string.reverse",
    "string.len",
    "string.upper",
    "table.concat",
    "table.insert",
    "table.remove",
    "table.sort",
    "table.foreach",
    "table.foreachi",
    "table.maxn",
    "table.getn",
    "table.setn",
    "math.random",
    "math.randomseed",
    "math.floor",
    "math.fmod",
    "math.ldexp",
    "math.frexp",
    "tostring",
    "tonumber",
    "type",
    "next",
    "pairs",
    "ipairs",
    "select",
    "unpack",
    "rawget",
    "rawset",
    "rawequal",
    "getmetatable",
    "setmetatable",
    "assert",
    "error",
    "pcall",
    "xpcall",
    "load",
    "loadstring",
    "collectgarbage",
    "gcinfo",
    "coroutine.create",
    "coroutine.resume",
    "coroutine.wrap",
    "coroutine.yield",
    "coroutine.status",
    "coroutine.running",
    "__redis__err__handler",
    "nosuch",
];

const COMMANDS: &[&str] = &[
    "GET",
    "SET",
    "DEL",
    "INCR",
    "APPEND",
    "SETRANGE",
    "GETRANGE",
    "LPUSH",
    "RPOP",
    "LRANGE",
    "SADD",
    "SMEMBERS",
    "SPOP",
    "HSET",
    "HGETALL",
    "HRANDFIELD",
    "ZADD",
    "ZRANGE",
    "ZRANGEBYSCORE",
    "XADD",
    "XRANGE",
    "PFADD",
    "BITFIELD",
    "EXPIRE",
    "OBJECT",
    "SORT",
    "PING",
    "ECHO",
    "SELECT",
    "EVAL",
    "MULTI",
    "SUBSCRIBE",
    "BLPOP",
    "CONFIG",
    "KEYS",
    "SCAN",
    "FLUSHALL",
    "DEBUG",
    "CLIENT",
    "nosuch",
    "",
    "GEOADD",
    "LPOS",
    "RENAME",
    "COPY",
    "DUMP",
    "RESTORE",
    "TYPE",
    "RANDOMKEY",
    "PUBLISH",
];

const NUMBERS: &[&str] = &[
    "0", "-0", "1", "-1", "2", "3.7", "7", "16", "255", "1e15", "-2^31", "2^31", "2^53", "2^63", "-2^63",
    "1e308", "0/0", "1/0", "-1/0", "1e-320", "100000", "1e7", "2^32 + 1",
];

const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'x\\0y'",
    "'\\r\\n'",
    "KEYS[1]",
    "KEYS[2]",
    "ARGV[1]",
    "'%b()'",
    "'.-'",
    "'%1'",
    "'(()'",
    "'[a'",
    "'%'",
    "('a'):rep(1000)",
    "('('):rep(50)",
    "'>I4'",
    "'i99'",
    "'c0'",
    "'[{}]'",
    "'{\"a\":[1,null]}'",
    "('['):rep(2000)",
    "'\\145\\145'",
    "'\\223\\255\\255\\255\\255'",
    "'%99.99f'",
    "'%s%d%q'",
    "'\\27Lua'",
    "'\\27LJ\\2'",
    "'return 1'",
    "'while true do end'",
    "'1e5'",
    "'0x10'",
    "'-'",
    "'ERR x'",
    "'*'",
    "'10'",
];

const META: &[&str] = &[
    "__index",
    "__newindex",
    "__tostring",
    "__call",
    "__gc",
    "__len",
    "__eq",
    "__lt",
    "__le",
    "__concat",
    "__unm",
    "__add",
    "__mode",
    "__metatable",
    "__name",
    "__pairs",
];

/// Writes scripts.
struct Writer<'a> {
    random: &'a mut Random,
    out: String,
}

impl Writer<'_> {
    fn value(&mut self, depth: usize) {
        let kinds = if depth == 0 { 6 } else { 12 };
        match self.random.below(kinds) {
            0 => self.out.push_str("nil"),
            1 => {
                let word = self.random.pick(&[
                    "true",
                    "false",
                    "cjson.null",
                    "KEYS",
                    "ARGV",
                    "redis",
                    "_G",
                    "string",
                    "cjson.array_mt",
                    "t",
                    "f",
                ]);
                self.out.push_str(word);
            }
            2 | 3 => {
                let number = self.random.pick(NUMBERS);
                let _ = write!(self.out, "({number})");
            }
            4 | 5 => {
                let text = self.random.pick(TEXTS);
                self.out.push_str(text);
            }
            6 | 7 => self.table(depth - 1),
            8 => {
                self.out.push_str("setmetatable(");
                self.table(depth - 1);
                self.out.push_str(", {");
                for _ in 0..1 + self.random.below(3) {
                    let event = self.random.pick(META);
                    let _ = write!(self.out, "{event} = ");
                    self.value(depth - 1);
                    self.out.push_str(", ");
                }
                self.out.push_str("})");
            }
            9 => self.function(depth - 1),
            10 => {
                self.out.push_str("coroutine.create(");
                self.function(depth - 1);
                self.out.push(')');
            }
            _ => self.call(depth - 1),
        }
    }

    fn table(&mut self, depth: usize) {
        self.out.push('{');
        for _ in 0..self.random.below(4) {
            match self.random.below(4) {
                0 => {
                    let key = self.random.pick(&[
                        "err",
                        "ok",
                        "map",
                        "set",
                        "double",
                        "big_number",
                        "verbatim_string",
                        "source",
                        "line",
                        "a",
                    ]);
                    let _ = write!(self.out, "{key} = ");
                }
                1 => {
                    let number = self.random.pick(&["1", "2", "-1", "1e9", "0.5", "2^31"]);
                    let _ = write!(self.out, "[{number}] = ");
                }
                _ => {}
            }
            self.value(depth);
            self.out.push_str(", ");
        }
        self.out.push('}');
    }

    fn function(&mut self, depth: usize) {
        self.out.push_str("function(...) ");
        for _ in 0..1 + self.random.below(2) {
            self.statement(depth);
        }
        if self.random.below(2) == 0 {
            self.out.push_str("return ");
            self.value(depth);
        }
        self.out.push_str(" end");
    }

    fn call(&mut self, depth: usize) {
        let function = self.random.pick(FUNCTIONS);
        self.out.push_str(function);
        self.out.push('(');
        let mut first = true;
        if function.ends_with("call") && self.random.below(5) > 0 {
            let command = self.random.pick(COMMANDS);
            let _ = write!(self.out, "'{command}'");
            first = false;
            if self.random.below(3) > 0 {
                self.out.push_str(", KEYS[1]");
            }
        }
        for _ in 0..self.random.below(4) {
            if !first {
                self.out.push_str(", ");
            }
            first = false;
            self.value(depth);
        }
        self.out.push(')');
    }

    fn statement(&mut self, depth: usize) {
        let kinds = if depth == 0 { 3 } else { 9 };
        match self.random.below(kinds) {
            0 | 1 => {
                self.out.push_str("pcall(function() ");
                self.call(depth);
                self.out.push_str(" end) ");
            }
            2 => {
                self.call(depth);
                self.out.push(' ');
            }
            3 => {
                self.out.push_str("t[#t + 1] = ");
                self.value(depth);
                self.out.push(' ');
            }
            4 => {
                let from = self.random.pick(&["t", "_G", "KEYS", "redis", "string", "getmetatable('')"]);
                let _ = write!(self.out, "for k, v in pairs({from}) do ");
                self.statement(depth - 1);
                self.out.push_str("end ");
            }
            5 => {
                let count = self.random.pick(&["3", "10", "200", "1e5"]);
                let _ = write!(self.out, "for i = 1, {count} do ");
                self.statement(depth - 1);
                self.out.push_str("end ");
            }
            6 => {
                self.out.push_str("t = ");
                self.value(depth);
                self.out.push_str(" t = type(t) == 'table' and t or {} ");
            }
            7 => {
                self.out.push_str("f = ");
                self.function(depth - 1);
                self.out.push(' ');
            }
            _ => {
                let target =
                    self.random.pick(&["x", "_G.x", "KEYS[1]", "redis.call", "string.x", "t.x", "t[t]"]);
                let _ = write!(self.out, "{target} = ");
                self.value(depth - 1);
                self.out.push(' ');
            }
        }
    }
}

fn script(random: &mut Random) -> String {
    let flags =
        random.pick(&["", "", "", "#!lua\n", "#!lua flags=no-writes\n", "#!lua max-ms=5 memory-limit=1mb\n"]);
    let mut writer = Writer { random, out: format!("{flags}local t, f = {{}}, tostring ") };
    for _ in 0..1 + writer.random.below(6) {
        let depth = 1 + writer.random.below(4);
        writer.statement(depth);
    }
    let shape =
        writer.random.pick(&["return ", "return {t, ", "error(", "return unpack({t, ", "local _ = ("]);
    writer.out.push_str(shape);
    writer.value(3);
    writer.out.push_str(match shape {
        "return " => "",
        "return {t, " => "}",
        "return unpack({t, " => "})",
        _ => ")",
    });
    writer.out
}

/// Whether these bytes are exactly one reply.
fn is_one_reply(mut bytes: &[u8]) -> bool {
    let mut wanted = 1_usize;
    while wanted > 0 {
        let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return false };
        let Some((&kind, number)) = bytes[..end].split_first() else { return false };
        bytes = &bytes[end + 2..];
        wanted -= 1;
        let number = || std::str::from_utf8(number).ok().and_then(|text| text.parse::<i64>().ok());
        match kind {
            b'+' | b'-' | b':' | b',' | b'#' | b'_' | b'(' => {}
            b'$' | b'=' => match number() {
                Some(-1) => {}
                Some(len) => match bytes.get(len as usize..len as usize + 2) {
                    Some(b"\r\n") => bytes = &bytes[len as usize + 2..],
                    _ => return false,
                },
                None => return false,
            },
            b'*' | b'~' | b'%' => match number() {
                Some(-1) => {}
                Some(len) => wanted += len as usize * if kind == b'%' { 2 } else { 1 },
                None => return false,
            },
            _ => return false,
        }
    }
    bytes.is_empty()
}

const PRISTINE: &str = "local seen = {} \
    for _, t in pairs({_G, string, table, math, redis, cjson, cmsgpack, struct, bit, coroutine, getmetatable('')}) do \
      for k, v in pairs(t) do if k ~= 'KEYS' and k ~= 'ARGV' then seen[#seen + 1] = tostring(k) .. type(v) end end end \
    table.sort(seen) \
    return {table.concat(seen, ' '), #KEYS, cjson.encode({1, {}, 0.1}), ('aXb'):find('X'), \
      type(redis.call), cjson.encode_max_depth(), cmsgpack.unpack(cmsgpack.pack('x')), string.format('%5.1f', 2)}";

/// What a random script may take, in milliseconds.
const MAX_MS: u64 = 40;

/// Runs scripts for so long, and at least so many. Panics with the script that did harm.
pub fn run(seed: u64, time: Duration, at_least: u64) -> u64 {
    let (mut random, mut world) = (Random::new(seed), World::default());
    world.settings.memory_limit_bytes.store(24 << 20, Ordering::Relaxed);
    // What has written is not ended by its limit, and might go on for very long.
    let control = std::sync::Arc::clone(&world.control);
    let watchdog = world.watch(move |_| {
        control.kill_even_if_written();
    });
    let pristine = world.eval(PRISTINE);
    let started = Instant::now();
    let mut scripts = 0;
    while started.elapsed() < time || scripts < at_least {
        let script = script(&mut random);
        if std::env::var_os("MOONSHARD_SHOW").is_some() {
            eprintln!("{script}\n");
        }
        world.encoding = if random.below(4) == 0 {
            moonshard_protocol::Encoding::Resp3
        } else {
            moonshard_protocol::Encoding::Resp2
        };
        // The limit is the random script's alone: on a busy machine any other may take as long.
        world.settings.max_ms.store(MAX_MS, Ordering::Relaxed);
        let reply = world.command(&[b"EVAL", script.as_bytes(), b"2", b"{k}1", b"{k}2", b"argument\0"]);
        world.settings.max_ms.store(0, Ordering::Relaxed);
        assert!(is_one_reply(&reply), "seed {seed}: {script}\n{}", reply.escape_ascii());
        scripts += 1;
        world.encoding = moonshard_protocol::Encoding::Resp2;
        let mut after = world.eval(PRISTINE);
        if after.starts_with("-ERR Script killed") {
            // Whoever kills a script that is busy may come when it has just ended, and meets the next one.
            after = world.eval(PRISTINE);
        }
        assert_eq!(after, pristine, "seed {seed}: after {script}");
        assert!(
            world.vm.heap_bytes() < 48 << 20,
            "seed {seed}: {} bytes after {script}",
            world.vm.heap_bytes()
        );
        assert!(!world.control.is_running() && !world.control.is_busy());
        if scripts % 64 == 0 {
            world.command(&[b"FLUSHALL"]);
        }
    }
    drop(watchdog);
    scripts
}
