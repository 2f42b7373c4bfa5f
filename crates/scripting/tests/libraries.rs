//! The script libraries against Redis 7.0.15, byte for byte: a recorded corpus that needs no server, and random
//! input evaluated on both sides where `redis-server` is installed.
//!
//! `MOONSHARD_RECORD=1` records the corpus anew from a real server; `MOONSHARD_SEED=n` repeats a random run.

#![allow(clippy::expect_used, reason = "helpers of tests stop at the first thing that fails")]

mod oracle;

use std::fmt::Write as _;
use std::path::PathBuf;

use mlua::{Lua, LuaOptions, StdLib};
use moonshard_scripting::{bitlib, cjson, cmsgpack, luajit_check, structlib};

use oracle::Oracle;

/// What every snippet runs under: it shows all results of the expression in ARGV[1], or its error, as printable text that does
/// not depend on a VM's order of keys. The expression is no tail call, for LuaJIT forgets the callers of those.
const PRELUDE: &str = r#"
local function show(v, level)
  local t = type(v)
  if t == 'number' then
    if v ~= v then return 'nan' end
    if v == math.huge then return 'inf' end
    if v == -math.huge then return '-inf' end
    return string.format('%.17g', v)
  elseif t == 'string' then
    return '"' .. string.gsub(v, '[%z%c"\\\128-\255]', function(c) return string.format('\\%03d', c:byte()) end) .. '"'
  elseif t == 'table' then
    if level > 20 then return '...' end
    local parts = {}
    for k, x in pairs(v) do parts[#parts + 1] = '[' .. show(k, level + 1) .. ']=' .. show(x, level + 1) end
    table.sort(parts)
    return '{' .. table.concat(parts, ',') .. '}'
  elseif t == 'userdata' then
    return v == cjson.null and 'null' or 'userdata'
  elseif t == 'function' then
    return 'function'
  end
  return tostring(v)
end
local function results(...)
  local parts = {}
  for i = 1, select('#', ...) do parts[i] = show((select(i, ...)), 0) end
  return table.concat(parts, ' ')
end
local function nest(n, f, v) for _ = 1, n do v = f(v) end return v end
local head, tail = 'local results, nest, ARGV = ... return (results(', '))'
local chunk = assert(loadstring(head .. ARGV[1] .. tail, '@user_script'))
table.remove(ARGV, 1)
local ok, text = pcall(chunk, results, nest, ARGV)
return ok and text or 'error ' .. show(text, 0)
"#;

fn lua_with_libraries() -> Lua {
    let safe = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
    // SAFETY: the scripts below stay within memory-safe Lua.
    let lua = unsafe { Lua::unsafe_new_with(safe, LuaOptions::default()) };
    // SAFETY: `exec_raw` calls this protected, with free slots, and nothing here has a destructor.
    unsafe {
        lua.exec_raw::<()>((), |state| {
            luajit_check::enable_jit(state);
            cjson::open_cjson(state);
            mlua::ffi::lua_setglobal(state, c"cjson".as_ptr());
            cmsgpack::open_cmsgpack(state);
            mlua::ffi::lua_setglobal(state, c"cmsgpack".as_ptr());
            structlib::open_struct(state);
            mlua::ffi::lua_setglobal(state, c"struct".as_ptr());
            bitlib::open_bit(state);
            mlua::ffi::lua_setglobal(state, c"bit".as_ptr());
        })
        .expect("opening the libraries");
    }
    lua
}

fn evaluate(lua: &Lua, expression: &str, args: &[Vec<u8>]) -> String {
    let list = lua.create_table().expect("a table");
    for arg in std::iter::once(expression.as_bytes()).chain(args.iter().map(Vec::as_slice)) {
        list.push(lua.create_string(arg).expect("a string")).expect("a push");
    }
    lua.globals().set("ARGV", list).expect("a global");
    let chunk = lua.load(PRELUDE).set_name("@user_script");
    let result: mlua::Result<mlua::LuaString> = chunk.eval();
    match result {
        Ok(text) => String::from_utf8_lossy(&text.as_bytes()).into_owned(),
        Err(error) => format!("the snippet failed: {error}"),
    }
}

fn corpus_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/libraries.corpus")
}

/// The corpus as pairs of expression and result: lines, the result's beginning with "= ".
fn corpus() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(corpus_path()).expect("the corpus");
    let mut cases: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("= "), cases.last_mut()) {
            (Some(result), Some(case)) => result.clone_into(&mut case.1),
            _ => cases.push((line.to_owned(), String::new())),
        }
    }
    cases
}

#[test]
fn recorded_results() {
    if std::env::var_os("MOONSHARD_RECORD").is_some() {
        record();
    }
    let lua = lua_with_libraries();
    let cases = corpus();
    assert!(cases.len() > 300, "{} cases in the corpus", cases.len());
    let mut wrong = String::new();
    for (expression, expected) in &cases {
        let found = evaluate(&lua, expression, &[]);
        if found != *expected {
            let _ = writeln!(wrong, "{expression}\n  redis: {expected}\n  ours:  {found}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn record() {
    let mut oracle = Oracle::start().expect("redis-server, for MOONSHARD_RECORD");
    let mut text = String::new();
    for (expression, _) in corpus() {
        let result = oracle.eval(PRELUDE, &expression, &[]);
        let _ = writeln!(text, "{expression}\n= {result}");
    }
    std::fs::write(corpus_path(), text).expect("the corpus is written");
}

/// xorshift64*: enough for inputs that repeat from a seed.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let clock = clock.map_or(1, |time| time.as_nanos() as u64);
        let seed = std::env::var("MOONSHARD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(clock);
        println!("MOONSHARD_SEED={seed}");
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        (0..self.below(len_max + 1)).map(|_| self.next() as u8).collect()
    }
}

/// A number as a Lua expression: edges of integer types, fractions, whole bit patterns. None is minus zero: Redis'
/// compiler takes that for the same constant as zero.
fn lua_number(random: &mut Random) -> String {
    const EDGES: &[f64] =
        &[0.0, 1.0, 31.0, 32.0, 127.0, 128.0, 255.0, 256.0, 32767.0, 32768.0, 65535.0, 65536.0];
    match random.below(7) {
        0 => format!("{}", random.below(40) as i64 - 20),
        1 => format!("{}", random.pick(EDGES) * random.pick(&[1.0, -1.0, 65536.0, -65537.0, 0.5]) + 0.0),
        2 => format!("2^{} + {}", random.below(66), random.below(5) as i64 - 2),
        3 => format!("-(2^{} + {})", 2 + random.below(64), random.below(5) as i64 - 2),
        4 => format!("{}.{}", random.below(100_000), random.below(100_000)),
        5 => format!("{:e}", f64::from_bits(random.next() & !(0x7ff << 52) | (random.next() % 0x7ff) << 52)),
        _ => format!("{}e{}", random.below(1_000_000), random.below(40) as i64 - 20),
    }
}

fn lua_string(random: &mut Random) -> String {
    let len = random.pick(&[0, 1, 3, 8, 31, 32, 40, 255, 256, 300]);
    let special: &[u8] = b"\"\\/\x08\x0c\n\r\t\x7f\0 \x1f\xc3\xa9";
    let mut text = String::from("'");
    for _ in 0..len {
        let byte = if random.below(3) == 0 { random.pick(special) } else { random.next() as u8 };
        let _ = write!(text, "\\{byte:03}");
    }
    text + "'"
}

/// A Lua value as an expression. No table has more than one key besides those of an array: the order of others
/// is the VM's own.
fn lua_value(random: &mut Random, level: usize) -> String {
    match random.below(if level < 5 { 9 } else { 6 }) {
        0 => "nil".to_owned(),
        1 => {
            random.pick(&["true", "false", "cjson.null", "type", "math.huge", "-math.huge", "0/0"]).to_owned()
        }
        2 | 3 => lua_number(random),
        4 | 5 => lua_string(random),
        6 => format!("{{[{}]={}}}", lua_key(random), lua_value(random, level + 1)),
        7 => format!("{{[{}]={}}}", 1 + random.below(20), lua_value(random, level + 1)),
        _ => {
            let items: Vec<String> = (0..random.below(20))
                .map(|_| lua_value(random, level + 1))
                .filter(|item| item != "nil")
                .collect();
            format!("{{{}}}", items.join(","))
        }
    }
}

fn lua_key(random: &mut Random) -> String {
    match random.below(8) {
        0 => "true".to_owned(),
        1 => "{}".to_owned(),
        2..5 => lua_number(random),
        _ => lua_string(random),
    }
}

/// Text that is nearly JSON.
fn json_like(random: &mut Random, level: usize) -> Vec<u8> {
    const ATOMS: &[&str] = &[
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "-12",
        "3.25",
        "1e5",
        "1E-7",
        "-1.5e+300",
        "0x1F",
        "012",
        "+1",
        "inf",
        "-Infinity",
        "nan",
        "NaN",
        "nul",
        "tru",
        "1.",
        ".5",
        "-",
        "1e",
        "123456789012345",
        "0.1",
        "1e400",
        "1234567890123456789",
        "9007199254740993",
        "0.000001234567890123",
        "\"\"",
        "\"a\\/b\"",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\u12G4\"",
        "\"\\x\"",
        "\"\\b\\f\\n\\r\\t\\\\\\\"\"",
        "\"\\u0000\"",
        "\"open",
        "\x01",
        "\"\x01\"",
        "",
        "]",
        "}",
        ":",
        ",",
        "\0",
    ];
    let mut text = Vec::new();
    match random.below(if level < 4 { 10 } else { 6 }) {
        0..6 => text.extend_from_slice(random.pick(ATOMS).as_bytes()),
        6 | 7 => {
            text.push(b'[');
            for position in 0..random.below(4) {
                if position > 0 {
                    text.extend_from_slice(random.pick(&[",", ",", " , ", ",", ",,", ""]).as_bytes());
                }
                text.extend(json_like(random, level + 1));
            }
            text.extend_from_slice(random.pick(&["]", "]", "]", "\t]\n", "}", ""]).as_bytes());
        }
        _ => {
            text.push(b'{');
            for position in 0..random.below(4) {
                if position > 0 {
                    text.push(b',');
                }
                let _ = write!(StringWriter(&mut text), "\"{}\"", random.below(5));
                text.extend_from_slice(random.pick(&[":", ":", ":", " : ", ""]).as_bytes());
                text.extend(json_like(random, level + 1));
            }
            text.extend_from_slice(random.pick(&["}", "}", "}", " }", "]", ""]).as_bytes());
        }
    }
    text
}

struct StringWriter<'v>(&'v mut Vec<u8>);

impl std::fmt::Write for StringWriter<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Flips, drops, doubles or cuts some bytes.
fn damage(random: &mut Random, mut text: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.below(3) {
        if text.is_empty() {
            break;
        }
        let at = random.below(text.len());
        match random.below(4) {
            0 => text[at] = random.next() as u8,
            1 => drop(text.remove(at)),
            2 => text.insert(at, text[at]),
            _ => text.truncate(at),
        }
    }
    text
}

/// Bytes that are nearly MessagePack.
fn msgpack_like(random: &mut Random) -> Vec<u8> {
    const TAGS: &[u8] = &[
        0x00, 0x7f, 0x80, 0x81, 0x82, 0x90, 0x91, 0x92, 0x93, 0xa0, 0xa1, 0xa3, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4,
        0xc7, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd9, 0xda, 0xdb, 0xdc, 0xdd,
        0xde, 0xdf, 0xe0, 0xff,
    ];
    let mut bytes = Vec::new();
    for _ in 0..random.below(20) {
        bytes.push(random.pick(TAGS));
        if random.below(2) == 0 {
            bytes.extend(random.bytes(9));
        }
        if random.below(6) == 0 {
            bytes.extend([0, 0, 0, 2]);
        }
    }
    bytes
}

fn struct_format(random: &mut Random) -> String {
    const PARTS: &[&str] = &[
        "b",
        "B",
        "h",
        "H",
        "l",
        "L",
        "T",
        "i",
        "I",
        "i1",
        "i2",
        "I3",
        "i5",
        "I8",
        "i9",
        "i16",
        "I32",
        "i0",
        "i33",
        "f",
        "d",
        "s",
        "x",
        "c1",
        "c3",
        "c0",
        "c",
        ">",
        "<",
        "!",
        "!2",
        "!4",
        "!3",
        "!16",
        "!0",
        " ",
        "z",
        "Q",
        "%",
        "c99999999999",
        "i2147483647",
        "c2147483647",
        "Bc0",
        "bc0",
        "!8",
        "\\200",
    ];
    (0..random.below(7)).map(|_| random.pick(PARTS)).collect()
}

/// One random expression with its arguments.
fn random_case(random: &mut Random) -> (String, Vec<Vec<u8>>) {
    let kind = random.below(18);
    let expression = match kind {
        0 | 1 => {
            let text = json_like(random, 0);
            let text = if random.below(3) == 0 { damage(random, text) } else { text };
            return ("cjson.decode(ARGV[1])".to_owned(), vec![text]);
        }
        2 => {
            let code = "(function() local c = cjson.new() c.decode_invalid_numbers(false) c.decode_max_depth(3) \
                        local v = c.decode(ARGV[1]) return v end)()";
            return (code.to_owned(), vec![json_like(random, 0)]);
        }
        3 | 4 => format!("cjson.encode({})", lua_value(random, 0)),
        5 => encode_with_settings(random),
        6 => format!("cmsgpack.pack({})", lua_value(random, 0)),
        7 => {
            let function = random.pick(&[
                "unpack(ARGV[1])",
                "unpack_one(ARGV[1], OFF)",
                "unpack_limit(ARGV[1], 2, OFF)",
            ]);
            let offset = (random.below(8) as i64 - 1).to_string();
            let bytes = msgpack_like(random);
            return (format!("cmsgpack.{}", function.replace("OFF", &offset)), vec![bytes]);
        }
        8 => struct_pack(random),
        9 => {
            let offset = random.pick(&["", ", 1", ", 2", ", 9", ", -1", ", 0", ", 2^53"]);
            let bytes = random.bytes(40);
            return (format!("struct.unpack('{}', ARGV[1]{offset})", struct_format(random)), vec![bytes]);
        }
        10 => format!("struct.size('{}')", struct_format(random)),
        11 => pack_several(random),
        12 | 13 => unpack_what_was_packed(random),
        14 => struct_round_trip(random),
        15 => wrong_arguments(random),
        _ => {
            const FUNCTIONS: &[&str] = &[
                "tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror", "bswap",
                "tohex",
            ];
            let args: Vec<String> = (0..1 + random.below(3)).map(|_| bit_argument(random)).collect();
            format!("bit.{}({})", random.pick(FUNCTIONS), args.join(", "))
        }
    };
    (expression, Vec::new())
}

/// Chunks of several values.
fn pack_several(random: &mut Random) -> String {
    let values: Vec<String> = (0..random.below(6)).map(|_| lua_value(random, 2)).collect();
    format!("cmsgpack.pack({})", values.join(", "))
}

/// Values that are packed together and unpacked all, one by one from an offset, or some of them.
fn unpack_what_was_packed(random: &mut Random) -> String {
    let packed = pack_several(random);
    // Any byte may be where a value begins, or none.
    let offset =
        random.pick(&["0", "1", "2", "5", "-1", "#p", "#p - 1", "#p + 1", "1.5", "'2'", "2^31", "nil"]);
    let limit = random.pick(&["0", "1", "2", "3", "100", "-1", "2^31", "'1'", "1.9"]);
    let unpack = match random.below(5) {
        0 => "cmsgpack.unpack(p)".to_owned(),
        1 => format!("cmsgpack.unpack_one(p, {offset})"),
        2 => "cmsgpack.unpack_one(p)".to_owned(),
        3 => format!("cmsgpack.unpack_limit(p, {limit})"),
        _ => format!("cmsgpack.unpack_limit(p, {limit}, {offset})"),
    };
    format!("(function(p) return 1, {unpack} end)({packed})")
}

/// What is packed by a format and unpacked by the same: all alignments, orders of bytes and widths.
fn struct_round_trip(random: &mut Random) -> String {
    const ITEMS: &[&str] = &[
        "b", "B", "h", "H", "l", "L", "T", "i", "I", "i1", "I1", "i2", "I2", "i3", "I4", "i5", "I6", "i7",
        "I8", "i8", "f", "d", "s", "x", "c1", "c5",
    ];
    const OPTIONS: &[&str] = &[">", "<", "!", "!1", "!2", "!4", "!8", "!16", "=", " ", "@"];
    let (mut format, mut args) = (String::new(), Vec::new());
    for _ in 0..1 + random.below(8) {
        if random.below(3) == 0 {
            format.push_str(random.pick(OPTIONS));
        }
        let item = random.pick(ITEMS);
        format.push_str(item);
        match item {
            "x" => {}
            "s" => args.push("'text'".to_owned()),
            "c1" | "c5" => args.push("'chars'".to_owned()),
            _ => args.push(lua_number(random)),
        }
    }
    let separator = if args.is_empty() { "" } else { ", " };
    let packed = format!("struct.pack('{format}'{separator}{})", args.join(", "));
    match random.below(3) {
        0 => packed,
        1 => format!("struct.unpack('{format}', {packed})"),
        _ => format!("struct.unpack('{format}', 'ab' .. {packed} .. 'cd', 3)"),
    }
}

/// Values of types that the functions do not take, too few of them and too many.
fn wrong_arguments(random: &mut Random) -> String {
    const FUNCTIONS: &[&str] = &[
        "cmsgpack.pack",
        "cmsgpack.unpack",
        "cmsgpack.unpack_one",
        "cmsgpack.unpack_limit",
        "struct.pack",
        "struct.unpack",
        "struct.size",
        "bit.tobit",
        "bit.bnot",
        "bit.band",
        "bit.bor",
        "bit.bxor",
        "bit.lshift",
        "bit.rshift",
        "bit.arshift",
        "bit.rol",
        "bit.ror",
        "bit.bswap",
        "bit.tohex",
        "cjson.encode",
        "cjson.decode",
    ];
    const VALUES: &[&str] = &[
        "nil",
        "true",
        "{}",
        "type",
        "'x'",
        "''",
        "'1'",
        "0",
        "-1",
        "1.5",
        "2^40",
        "cjson.null",
        "'>i'",
        "'\\147'",
    ];
    let function = random.pick(FUNCTIONS);
    // LuaJIT's `bit` looks at the arguments from the first on, Redis' from the last on: of two that are wrong they name
    // different ones.
    let wrong = if function.starts_with("bit.") { 1 } else { 4 };
    let mut args: Vec<&str> = (0..random.below(1 + wrong)).map(|_| random.pick(VALUES)).collect();
    if wrong == 1 && random.below(2) == 0 {
        args.insert(0, random.pick(&["0", "-1", "'7'", "2^31"]));
    }
    format!("{function}({})", args.join(", "))
}

fn encode_with_settings(random: &mut Random) -> String {
    let settings = format!(
        "c.encode_invalid_numbers({}) c.encode_sparse_array({}, {}, {}) c.encode_number_precision({}) \
         c.encode_max_depth({})",
        random.pick(&["'null'", "true", "false", "'on'"]),
        random.pick(&["true", "false"]),
        // Never 0: that allows one key of a billion, and a billion nulls before it.
        1 + random.below(3),
        random.below(12),
        1 + random.below(14),
        1 + random.below(6),
    );
    let value = lua_value(random, 0);
    format!("(function() local c = cjson.new() {settings} local v = c.encode({value}) return v end)()")
}

fn struct_pack(random: &mut Random) -> String {
    let args: Vec<String> = (0..random.below(6))
        .map(|_| match random.below(6) {
            // Begins with a letter, for Redis takes "2\0" as a number where LuaJIT does not.
            0 | 1 => format!("'k' .. {}", lua_string(random)),
            2 => "'12'".to_owned(),
            _ => lua_number(random),
        })
        .collect();
    let separator = if args.is_empty() { "" } else { ", " };
    format!("struct.pack('{}'{separator}{})", struct_format(random), args.join(", "))
}

fn bit_argument(random: &mut Random) -> String {
    match random.below(5) {
        0 => random.below(70).to_string(),
        1 => format!("'{}'", random.pick(&["1", "0x10", " 7 ", "1e3"])),
        2 => (random.next() as i32).to_string(),
        _ => lua_number(random),
    }
}

#[test]
fn random_input_agrees_with_redis() {
    let Some(mut oracle) = Oracle::start() else {
        println!("redis-server is not installed: nothing to compare with");
        return;
    };
    let lua = lua_with_libraries();
    let mut random = Random::new();
    let mut wrong = String::new();
    let cases = std::env::var("MOONSHARD_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(6000);
    for _ in 0..cases {
        let (expression, args) = random_case(&mut random);
        let expected = oracle.eval(PRELUDE, &expression, &args);
        let found = evaluate(&lua, &expression, &args);
        if found != expected && wrong.len() < 20_000 {
            let args: Vec<_> = args.iter().map(|arg| arg.escape_ascii().to_string()).collect();
            let _ = writeln!(wrong, "{expression} {args:?}\n  redis: {expected}\n  ours:  {found}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A table as an expression, with any keys, and large now and then.
fn lua_table(random: &mut Random, level: usize) -> String {
    let scalars = |random: &mut Random| match random.below(3) {
        0 => random.pick(&["true", "false", "cjson.null", "0", "''"]).to_owned(),
        1 => lua_number(random),
        _ => lua_string(random),
    };
    let value = |random: &mut Random| {
        if level < 4 && random.below(3) == 0 { lua_table(random, level + 1) } else { scalars(random) }
    };
    let len = if level == 0 && random.below(20) == 0 {
        random.below(300)
    } else {
        random.below(10 / (level + 1) + 2)
    };
    let kind = random.below(8);
    let fields: Vec<String> = (0..len)
        .map(|at| match kind {
            0..3 => value(random),
            3..6 => format!("['k' .. {}]={}", random.below(1000), value(random)),
            6 => format!("[{}]={}", lua_string(random), value(random)),
            _ if random.below(2) == 0 => format!("[{}]={}", 1 + at + random.below(2), value(random)),
            _ => format!("[{}]={}", lua_key(random), value(random)),
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// A table with a metatable, or beside another value, is written through Lua's API.
#[test]
fn what_is_read_directly_is_written_as_through_the_api() {
    let lua = lua_with_libraries();
    let mut random = Random::new();
    let mut encoded = 0;
    for _ in 0..1000 {
        let table = lua_table(&mut random, 0);
        let code = format!(
            "local t = {table}
             local packed, both = cmsgpack.pack(t), cmsgpack.pack(t, true)
             if packed .. '\\195' ~= both then return 'packed otherwise' end
             local ok, text = pcall(cjson.encode, t)
             local ok_too, other = pcall(cjson.encode, setmetatable(t, {{}}))
             if ok ~= ok_too or text ~= other then return 'encoded otherwise: ' .. text .. ' and ' .. other end
             -- Shorter where a number and a string are the same key.
             if ok and #cjson.encode(cjson.decode(text)) > #text then return 'decoded otherwise' end
             return ok"
        );
        let result: mlua::Value = lua.load(&code).eval().expect("the snippet runs");
        encoded += usize::from(result.as_boolean() == Some(true));
        assert!(result.is_boolean(), "{table}: {result:?}");
    }
    assert!(encoded > 300, "{encoded} of 1000 were encoded");
}

#[test]
fn long_results_are_whole() {
    let lua = lua_with_libraries();
    let code = r#"
        for _, n in ipairs({1, 100, 8190, 8191, 8192, 8193, 12000, 40000, 200000}) do
          local text = string.rep('x', n)
          local list = {}
          for i = 1, 40 do list[i] = text end
          if cjson.encode({text}) ~= '["' .. text .. '"]' then return n end
          if cjson.encode({a = {text, 1}}) ~= '{"a":["' .. text .. '",1]}' then return n end
          if cjson.encode({string.rep('"', n)}) ~= '["' .. string.rep('\\"', n) .. '"]' then return n end
          if cjson.encode(list) ~= '[' .. string.rep('"' .. text .. '",', 39) .. '"' .. text .. '"]' then return n end
          if cmsgpack.unpack(cmsgpack.pack({text}))[1] ~= text then return n end
          local back = cmsgpack.unpack(cmsgpack.pack(list))
          if #back ~= 40 or back[1] ~= text or back[40] ~= text then return n end
        end
        return true"#;
    let result: mlua::Value = lua.load(code).eval().expect("the snippet runs");
    assert_eq!(result.as_boolean(), Some(true), "{result:?}");
}

#[test]
fn random_bytes_never_crash_the_decoders() {
    let lua = lua_with_libraries();
    let mut random = Random::new();
    for _ in 0..5000 {
        let json = json_like(&mut random, 0);
        let inputs = [random.bytes(60), msgpack_like(&mut random), damage(&mut random, json)];
        for input in inputs {
            for function in ["cjson.decode(ARGV[1])", "cmsgpack.unpack(ARGV[1])"] {
                let result = evaluate(&lua, function, std::slice::from_ref(&input));
                assert!(!result.starts_with("the snippet failed"), "{function} {input:?}: {result}");
            }
            let unpack = format!("struct.unpack('{}', ARGV[1])", struct_format(&mut random));
            let result = evaluate(&lua, &unpack, std::slice::from_ref(&input));
            assert!(!result.starts_with("the snippet failed"), "{unpack} {input:?}: {result}");
        }
    }
}

#[test]
fn deep_nesting_ends_in_an_error_on_a_small_thread() {
    let expressions = [
        "(function() cjson.decode_max_depth(2^30) return 1, cjson.decode(string.rep('[', 100000)) end)()",
        "(function() cjson.encode_max_depth(2^30) local t = {} for _ = 1, 100000 do t = {t} end \
         return 1, cjson.encode(t) end)()",
        "cmsgpack.unpack(string.rep('\\145', 100000))",
        "cmsgpack.unpack(string.rep('\\129', 100000))",
        "cmsgpack.unpack(string.rep('\\129\\1', 100000))",
    ];
    let run = move || {
        let lua = lua_with_libraries();
        expressions.map(|expression| evaluate(&lua, expression, &[]))
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(run).expect("a thread");
    for result in thread.join().expect("no crash") {
        assert!(result.starts_with("error "), "{result}");
    }
}

#[test]
fn the_memory_limit_holds_inside_the_libraries() {
    let lua = lua_with_libraries();
    lua.set_memory_limit(8 << 20).expect("a limit");
    // Each level doubles the output: without a limit the last would be far larger than any machine.
    let script = "local t = {string.rep('x', 1000)} for _ = 1, 60 do t = {t, t} end \
                  cjson.encode_max_depth(1000) local ok, e = pcall(cjson.encode, t) return tostring(e)";
    let text: String = lua.load(script).eval().expect("the error is caught");
    assert_eq!(text, "not enough memory");
    let text: String = lua.load("return cjson.encode({1, 2})").eval().expect("the VM goes on");
    assert_eq!(text, "[1,2]");
}

#[test]
fn marked_arrays_stay_arrays() {
    let lua = lua_with_libraries();
    let round_trip = "cjson.encode(cjson.decode('{\"a\":[]}')), cjson.encode(cjson.decode('[[],[1]]'))";
    assert_eq!(evaluate(&lua, round_trip, &[]), r#""{\034a\034:{}}" "[{},[1]]""#);
    assert_eq!(evaluate(&lua, "cjson.decode_array_with_array_mt(true)", &[]), "true");
    assert_eq!(evaluate(&lua, round_trip, &[]), r#""{\034a\034:[]}" "[[],[1]]""#);
    assert_eq!(evaluate(&lua, "getmetatable(cjson.decode('[]')) == cjson.array_mt", &[]), "true");
}
