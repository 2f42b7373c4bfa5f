//! Patterns: what they match is what Lua 5.1 in Redis makes of them, and none of them runs for ever.

#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

mod oracle;
mod world;

use moonshard_scripting::Kill;
use oracle::Oracle;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use world::World;

/// Calls one function with the arguments in ARGV, and shows what it returned or raised. The first argument says which.
const SHOW: &str = r#"
if ARGV[1] == 'sort' then
  local t = {}
  for item in ARGV[2]:gmatch('[^,]+') do t[#t + 1] = tonumber(item) or (item ~= 'nil' and item or {}) end
  local ok, problem = pcall(table.sort, t)
  for i = 1, #t do t[i] = type(t[i]) == 'table' and 'table' or tostring(t[i]) end
  return tostring(ok) .. tostring(problem) .. table.concat(t, ',')
end
local what, subject, pattern, third, fourth = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local shown = {}
local function show(value)
  if type(value) == 'string' then
    shown[#shown + 1] = (value:gsub('.', function(c) return ('%02x'):format(c:byte()) end))
  else
    shown[#shown + 1] = tostring(value)
  end
end
local function all(...)
  for i = 1, select('#', ...) do show((select(i, ...))) end
end
local function call(f, ...)
  local function after(ok, ...)
    shown[#shown + 1] = ok and 'ok' or 'error'
    all(...)
  end
  after(pcall(f, ...))
end
if what == 'find' then call(string.find, subject, pattern, tonumber(third))
elseif what == 'plain' then call(string.find, subject, pattern, tonumber(third), true)
elseif what == 'match' then call(string.match, subject, pattern, tonumber(third))
elseif what == 'gmatch' then
  call(function()
    local n = 0
    for a, b, c in string.gmatch(subject, pattern) do
      n = n + 1
      all(a, b, c)
      if n > 200 then break end
    end
  end)
elseif what == 'gsub' then call(string.gsub, subject, pattern, third, tonumber(fourth))
elseif what == 'table' then
  call(string.gsub, subject, pattern, setmetatable({a = 'A', b = false, ab = 12}, {__index = function(t, k)
    if #tostring(k) > 2 then return {} end
  end}), tonumber(fourth))
else
  call(string.gsub, subject, pattern, function(...) all(...) if select('#', ...) == 2 then return nil end return ... end)
end
return table.concat(shown, ' ')
"#;

/// A small generator of numbers, for cases that can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    fn pick(&mut self, items: &[&'static str]) -> &'static str {
        items[self.below(items.len())]
    }
}

fn pattern(random: &mut Random) -> Vec<u8> {
    const PIECES: &[&str] = &[
        "a", "b", "c", ".", "%a", "%A", "%d", "%s", "%S", "%w", "%p", "%c", "%x", "%u", "%l", "%z", "%Z",
        "%g", "[ab]", "[^ab]", "[a-c]", "[%a_]", "[]]", "[^]]", "[a-]", "[-a]", "[%-]", "[%]x]", "[^%s]",
        "[a", "[", "]", "%b()", "%bxx", "%bab", "%b", "%bx", "%f[%w]", "%f[^%w]", "%f[a]", "%f", "%fa", "%1",
        "%2", "%0", "%9", "(", ")", "()", "(a)", "(.-)", "(.*)", "(a*)", "%(", "%)", "%%", "%", "$", "^",
        "-", "*", "+", "?", "\\0", "ab", "[\\0a]",
    ];
    const SUFFIXES: &[&str] = &["", "", "", "", "*", "+", "-", "?"];
    let mut pattern = Vec::new();
    if random.below(6) == 0 {
        pattern.push(b'^');
    }
    for _ in 0..random.below(6) {
        pattern.extend(random.pick(PIECES).replace("\\0", "\0").bytes());
        pattern.extend(random.pick(SUFFIXES).bytes());
    }
    if random.below(8) == 0 {
        pattern.push(b'$');
    }
    if random.below(40) == 0 {
        pattern.push(random.next() as u8);
    }
    pattern
}

fn subject(random: &mut Random) -> Vec<u8> {
    const PIECES: &[&str] = &[
        "a", "b", "ab", "aab", "(", ")", "x", "_", " ", "1", "\0", "\t", "\n", "A", "Z", "%", "-", "]",
        "(a(b)c)",
    ];
    let len = random.below(14);
    let mut subject: Vec<u8> = (0..len).flat_map(|_| random.pick(PIECES).bytes()).collect();
    if random.below(30) == 0 {
        subject.push(random.next() as u8);
    }
    subject
}

fn ours(world: &mut World, args: &[Vec<u8>]) -> String {
    let mut call: Vec<&[u8]> = vec![b"EVAL", SHOW.as_bytes(), b"0"];
    call.extend(args.iter().map(Vec::as_slice));
    let reply = world.command(&call);
    let text = String::from_utf8_lossy(&reply).into_owned();
    match text.strip_prefix('$').and_then(|rest| rest.split_once("\r\n")) {
        Some((_, text)) => text.trim_end_matches("\r\n").to_owned(),
        None => format!("the server said {text}"),
    }
}

#[test]
fn random_patterns_match_what_redis_matches() {
    let Some(mut redis) = Oracle::start() else { return };
    let seed = std::env::var("MOONSHARD_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    println!("MOONSHARD_SEED={seed}");
    let cases = std::env::var("MOONSHARD_PATTERNS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let (mut random, mut world) = (Random(seed), World::default());
    for case in 0..cases {
        let what = random.pick(&["find", "plain", "match", "gmatch", "gsub", "table", "function"]);
        let (subject, pattern) = (subject(&mut random), pattern(&mut random));
        let third = match (what, random.below(3)) {
            ("gsub", _) => {
                random.pick(&["", "x", "<%0>", "%1", "%1%2", "%", "%%", "%a", "[%9]", "1"]).to_owned()
            }
            (_, 0) => (random.below(20) as i64 - 8).to_string(),
            _ => "nothing".into(),
        };
        let fourth = if random.below(3) == 0 { random.below(4).to_string() } else { "nothing".into() };
        let args: Vec<Vec<u8>> =
            vec![what.into(), subject.clone(), pattern.clone(), third.clone().into(), fourth.into()];
        let expected = redis.eval(SHOW, what, &args[1..]);
        let got = ours(&mut world, &args);
        assert_eq!(
            got,
            expected,
            "case {case}: {what} of '{}' in '{}', {third}",
            pattern.escape_ascii(),
            subject.escape_ascii()
        );
    }
}

#[test]
fn what_lua_51_lacks_is_not_there() {
    let mut world = World::default();
    assert_eq!(world.eval("return ('ab'):rep(3, '-') .. string.rep('x', 2)"), "$8\r\nabababxx\r\n");
}

#[test]
fn arrays_are_sorted_as_redis_sorts_them() {
    let Some(mut redis) = Oracle::start() else { return };
    let seed = u64::from(std::process::id()) << 20 | 1;
    println!("seed {seed}");
    let (mut random, mut world) = (Random(seed), World::default());
    for case in 0..2000 {
        let kinds = if case % 4 == 0 { 4 } else { 1 + case % 2 };
        let len = random.below(40);
        let items = (0..len).map(|_| match random.below(kinds) {
            0 => (random.below(30) as i64 - 10).to_string(),
            1 => format!("{:.2}", random.below(1000) as f64 / 8.0),
            2 if case % 8 == 0 => "nil".into(),
            _ => random.pick(&["a", "b", "ab", "B", "z"]).into(),
        });
        let items = items.collect::<Vec<String>>().join(",");
        let args: Vec<Vec<u8>> = vec!["sort".into(), items.clone().into()];
        let expected = redis.eval(SHOW, "sort", &args[1..]);
        assert_eq!(ours(&mut world, &args), expected, "{items}");
    }
}

/// Patterns over long subjects that would not end in years.
const ENDLESS: &[&str] = &[
    "local s = ('a'):rep(30000) return s:find(('.-'):rep(20) .. 'b')",
    "local s = ('a'):rep(30000) return s:match(('a*'):rep(20) .. 'b')",
    "local s = ('a'):rep(30000) return s:gsub(('a?'):rep(30) .. ('a-'):rep(10) .. 'b', '')",
    "local s = ('a'):rep(30000) for x in s:gmatch(('(.-)'):rep(10) .. 'b') do end",
    "local s = ('('):rep(10000000) return s:find('%b()')",
    "local s = ('a'):rep(10000000) return s:find('(a*)%1b')",
    "local s = ('a'):rep(10000000) return s:find('a*b')",
    "while true do table.insert({}, -2^31, 1) end",
    "local n, t = 400000, {} for i = 1, n do t[i] = 0 end while true do table.sort(t) end",
    "while true do pcall(string.find, ('a'):rep(30000), ('.-'):rep(20) .. 'b') end",
    "return ('a'):rep(30000):gsub('.', function() return ('a'):rep(30000):find(('.-'):rep(9) .. 'b') end)",
];

#[test]
fn a_kill_reaches_into_a_pattern() {
    for script in ENDLESS.iter().copied() {
        let mut world = World::default();
        let watchdog = world.watch(|_| {});
        let (control, sheds) = (Arc::clone(&world.control), Arc::clone(&world.sheds));
        let killer = std::thread::spawn(move || {
            while sheds.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            control.kill()
        });
        let reply = world.eval(script);
        assert_eq!(killer.join().unwrap(), Kill::Killed, "{script}");
        assert!(reply.starts_with("-ERR Script killed by user"), "{script}\n{reply}");
        assert_eq!(world.sheds.load(Ordering::SeqCst), 1, "it sheds its thread once");
        assert_eq!(world.eval("return ('usable'):match('u.-e$')"), "$6\r\nusable\r\n");
        drop(watchdog);
    }
}

#[test]
fn a_pattern_cannot_use_up_the_stack() {
    let mut world = World::default();
    for script in [
        "return string.find(('a'):rep(100000), ('a?'):rep(100000))",
        "return string.find(('a'):rep(100000), ('a*'):rep(100000))",
        "return string.find(('a'):rep(100000), ('a-'):rep(100000) .. 'b')",
        "local s = string.rep('a', 100000):gsub(('a?'):rep(5000), '')",
    ] {
        let reply = world.eval(script);
        assert!(reply.starts_with("-ERR user_script:1: pattern too complex"), "{script}\n{reply}");
    }
    let reply = world.eval("return string.find('x', ('()'):rep(33))");
    assert!(reply.starts_with("-ERR user_script:1: too many captures"), "{reply}");
}
