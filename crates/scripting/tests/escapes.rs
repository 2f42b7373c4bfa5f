//! Ways out of the sandbox that were found in Redis and elsewhere: the idea of each, and what must come of it here.

#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

mod world;

use std::sync::atomic::Ordering;
use world::World;

/// Runs on a stack as the server's threads have, in a fresh world with a limit to its memory.
fn in_a_world(test: impl FnOnce(&mut World) + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(moonshard_scripting::THREAD_STACK_BYTES);
    let run = move || {
        let mut world = World::default();
        world.settings.memory_limit_bytes.store(32 << 20, Ordering::Relaxed);
        test(&mut world);
        assert_eq!(world.eval("return ('usable'):upper()"), "$6\r\nUSABLE\r\n");
    };
    thread.spawn(run).unwrap().join().unwrap();
}

/// Runs scripts that all must fail with a reply that contains `expected`.
fn all_fail(expected: &'static str, scripts: &'static [&'static str]) {
    in_a_world(move |world| {
        for script in scripts {
            let reply = world.eval_with(script, &["k"], &[]);
            assert!(reply.starts_with('-') && reply.contains(expected), "{script}\n{reply}");
        }
    });
}

/// Runs scripts that all must return what is `expected`.
fn all_return(expected: &'static str, scripts: &'static [&'static str]) {
    in_a_world(move |world| {
        for script in scripts {
            assert_eq!(world.eval_with(script, &["k"], &[]), expected, "{script}");
        }
    });
}

/// CVE-2022-0543: a library that loads machine code was left where scripts find it.
#[test]
fn nothing_that_loads_code_or_opens_files_is_there() {
    all_fail(
        "nonexistent global variable",
        &[
            "return package.loadlib('/lib/libc.so.6', 'system')",
            "return require('os')",
            "return io.popen('id')",
            "return os.execute('id')",
            "return dofile('/etc/passwd')",
            "return loadfile('/etc/passwd')",
            "return ffi.C",
            "return jit.util",
            "return debug.getregistry()",
            "return module('x')",
            "return print('x')",
        ],
    );
    all_return(
        "$3\r\nnil\r\n",
        &["return tostring(rawget(_G, 'package'))", "return tostring(rawget(_G, 'io'))"],
    );
}

/// CVE-2022-24735, CVE-2025-46818: code left behind in shared tables and in the metatables of basic types runs with the
/// rights of whoever comes next.
#[test]
fn nothing_is_left_for_the_next_script() {
    in_a_world(|world| {
        let attempts = [
            "redis.call = function() return 'mine' end",
            "rawset(redis, 'call', 1)",
            "string.upper = function() return 'mine' end",
            "getmetatable('').__index.upper = function() return 'mine' end",
            "getmetatable('').__index = function() return 'mine' end",
            "getmetatable('').__call = function() return 'mine' end",
            "rawset(getmetatable(''), '__index', {})",
            "setmetatable('', {})",
            "getmetatable(1).__index = {}",
            "getmetatable(true).__index = {}",
            "getmetatable(nil).__index = {}",
            "getmetatable(print).__index = {}",
            "getmetatable(function() end).__index = {}",
            "getmetatable(coroutine.create(function() end)).__index = {}",
            "getmetatable(cjson.null).__index = {}",
            "getmetatable(_G).__newindex = nil",
            "getmetatable(_G).__index = function() return 'mine' end",
            "setmetatable(_G, {__index = function() return 'mine' end})",
            "setfenv(1, {})",
            "setfenv(0, {})",
            "getfenv(2).x = 1",
            "getfenv(redis.call).x = 1",
            "for _, t in pairs(_G) do if type(t) == 'table' then pcall(rawset, t, 'x', 1) pcall(setmetatable, t, {}) end end",
            "for _, f in pairs(string) do pcall(setfenv, f, {}) end",
            "local up = string.upper pcall(table.foreach, _G, function(k, v) if type(v) == 'table' then v.x = 1 end end)",
            "table.foreach(string, function(k) string[k] = nil end)",
            "coroutine.wrap(function() x = 1 end)()",
            "loadstring('x = 1')()",
            "KEYS = nil",
            "redis.setresp(3)",
            "math.random = nil",
            "collectgarbage('stop') collectgarbage('setpause', 1) collectgarbage('setstepmul', 1)",
            "cjson.encode_max_depth(1) cjson.decode_max_depth(1)",
            "table.insert(table, 1) table.remove(string) table.sort(math)",
            "__redis__err__handler = function() return {err = 'mine'} end",
        ];
        let probe = "local found = {} \
            for _, t in pairs({_G, string, redis, table, math, coroutine, cjson, bit}) do \
              if rawget(t, 'x') then found[#found + 1] = 'x' end end \
            found[#found + 1] = ('a'):upper() .. string.upper('b') .. redis.call('PING').ok .. cjson.encode({{{1}}}) \
            found[#found + 1] = tostring(pcall(function() return x end)) .. type(redis.call('HGETALL', KEYS[1])[1]) \
            found[#found + 1] = tostring(getmetatable(1)) .. tostring(getmetatable(nil)) \
            return found";
        let pristine = world.eval_with(probe, &["k"], &[]);
        assert!(pristine.contains("ABPONG[[[1]]]"), "{pristine}");
        for attempt in attempts {
            world.eval_with(attempt, &["k"], &[]);
            assert_eq!(world.eval_with(probe, &["k"], &[]), pristine, "after {attempt}");
            let error = world.eval("error('own')");
            assert!(error.starts_with("-ERR user_script:1: own"), "after {attempt}\n{error}");
        }
    });
}

/// CVE-2022-24736, CVE-2025-46819, CVE-2025-49844: texts that confuse the compiler, with garbage collected while it
/// works on them.
#[test]
fn no_text_harms_the_compiler() {
    in_a_world(|world| {
        for script in [
            "return loadstring('return [' .. ('='):rep(1000000) .. '[')",
            "return loadstring('--[' .. ('='):rep(1000000) .. '[ x ]' .. ('='):rep(999999) .. ']')",
            "return loadstring('return ' .. ('['):rep(100000))",
            "return loadstring('return ' .. ('('):rep(100000))",
            "return loadstring('return ' .. ('{'):rep(100000))",
            "return loadstring(('if x then '):rep(10000))",
            "return loadstring(('function f() '):rep(10000))",
            "return loadstring('return ' .. ('-'):rep(100001) .. '1')",
            "return loadstring('return ' .. ('not '):rep(100000) .. '1')",
            "return loadstring('return ' .. ('a..'):rep(100000) .. 'a')",
            "return loadstring('local ' .. ('a,'):rep(300) .. 'a')",
            "return loadstring('return \"' .. ('\\\\'):rep(99999))",
            "return loadstring('return 0x' .. ('f'):rep(100000))",
            "return loadstring('return ' .. ('1'):rep(100000) .. 'e' .. ('9'):rep(1000))",
            "return loadstring('goto x')",
            "return loadstring('x = }')",
            "return loadstring('::a:: goto a', ('n'):rep(100000))",
            "return loadstring('\\0return 1')",
            "return loadstring('return \\255\\254')",
            "collectgarbage('setpause', 1) collectgarbage('setstepmul', 10000) \
             for i = 1, 300 do loadstring('local t = {' .. ('\"x\" .. ' .. i .. ','):rep(100) .. '} return t', 'name' .. i) end",
            "for i = 1, 30 do local n = 0 load(function() collectgarbage() n = n + 1 if n > 9 then return nil end return 'local a' .. n .. ' = 1 ' end, 'n' .. i) end",
            "local n = 0 load(function() n = n + 1 collectgarbage() if n > 100 then return nil end return 'x' .. n .. '=' .. n .. ' ' end)",
        ] {
            let reply = world.eval(script);
            assert!(!reply.contains("internal"), "{script}\n{reply}");
        }
    });
}

/// LuaJIT's compiler opens its interface to C for numbers such as `1LL`, which are none in Lua 5.1.
#[test]
fn nothing_opens_the_interface_to_c() {
    all_fail(
        "malformed number near '1",
        &["return 1LL", "return -1ULL + 1", "return (1i).re", "local x = {1LL}"],
    );
    all_return(
        "*2\r\n$3\r\nnil\r\n$52\r\n[string \"return 1LL\"]:1: malformed number near '1LL'\r\n",
        &["local f, e = loadstring('return 1LL') return {tostring(f), e}"],
    );
    all_return(
        "*2\r\n$3\r\nnil\r\n$34\r\nname:2: malformed number near '2i'\r\n",
        &["local t = {'return 1 +\\n', '2i'} local n = 0 \
           local f, e = load(function() n = n + 1 return t[n] end, '=name') return {tostring(f), e}"],
    );
    all_return("*2\r\n$3\r\n1LL\r\n$3\r\nnil\r\n", &["return {'1LL', tostring(tonumber('1LL'))} -- 1i"]);
}

/// Bytecode could do anything: no door takes it.
#[test]
fn bytecode_is_refused() {
    all_return(
        "*2\r\n$3\r\nnil\r\n$6\r\nstring\r\n",
        &[
            "local f, e = loadstring(string.dump(function() return 1 end)) return {tostring(f), type(e)}",
            "local f, e = loadstring('\\27Lua\\81\\0\\1\\4\\8\\4\\8\\0') return {tostring(f), type(e)}",
            "local f, e = loadstring('\\27LJ\\2\\2') return {tostring(f), type(e)}",
            "local s, n = string.dump(function() end), 0 \
             local f, e = load(function() n = n + 1 return n <= #s and s:sub(n, n) or nil end) return {tostring(f), type(e)}",
            "local done local f, e = load(function() if done then return nil end done = true return string.dump(function() end) end) \
             return {tostring(f), type(e)}",
        ],
    );
    in_a_world(|world| {
        for text in ["\x1bLJ\x02", "\x1bLua"] {
            assert!(world.eval(text).starts_with("-ERR Error compiling script"));
        }
    });
}

/// CVE-2022-24834: lengths that overflow in cjson and cmsgpack.
#[test]
fn long_values_overflow_nothing() {
    all_fail(
        "not enough memory",
        &[
            "return cjson.encode(('\\0'):rep(16000000))",
            "return cmsgpack.pack(('x'):rep(16000000), ('x'):rep(16000000))",
            "local t = {} for i = 1, 26 do t = {t, t} end return cjson.encode(t)",
            "return table.concat({('x'):rep(1e7), ('x'):rep(1e7), ('x'):rep(1e7)})",
            "return (('x'):rep(1e6):gsub('x', ('y'):rep(1e6)))",
        ],
    );
    all_fail(
        "ERR",
        &[
            "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
            "return cmsgpack.unpack('\\223\\255\\255\\255\\255')",
            "return cmsgpack.unpack('\\219\\255\\255\\255\\255')",
            "return cmsgpack.unpack_limit('\\1', 2^31, 2^31)",
            "return cmsgpack.unpack_one('\\1', -1)",
            "return struct.pack('i2147483647', 1)",
            "return struct.pack('!2147483647', 1)",
            "return struct.unpack('c2147483647', 'x')",
            "return struct.unpack('I4', 'xxxx', 2^31)",
            "return struct.unpack('s', 'xxxx', -2^31)",
        ],
    );
}

/// CVE-2024-31449: the smallest integer where a width is taken.
#[test]
fn extreme_numbers_overflow_no_stack() {
    in_a_world(|world| {
        for n in ["-2^31", "2^31 - 1", "2^31", "-2^63", "2^63", "1e308", "0/0", "1/0", "-1/0"] {
            for call in [
                "bit.tohex(1, N)",
                "bit.tohex(N, N)",
                "bit.rol(1, N)",
                "bit.lshift(N, N)",
                "bit.bswap(N)",
                "('x'):sub(N, N)",
                "('x'):byte(N, N)",
                "string.format('%d %x %c', N, N, N)",
                "string.format('%5.2s', N)",
                "math.ldexp(1, N)",
                "math.fmod(N, N)",
                "tostring(N)",
                "cjson.encode(N)",
                "cmsgpack.pack(N)",
                "struct.pack('d', N)",
                "struct.pack('i8', N)",
                "select('#', N)",
                "({1, 2})[N]",
                "#tostring(N)",
                "table.concat({1}, 'x', N, N)",
                "math.random(N)",
                "math.randomseed(N)",
                "redis.call('INCRBY', KEYS[1], N)",
                "tonumber('10', N)",
                "string.char(N)",
                "redis.call('SETRANGE', KEYS[1], N, 'x')",
                "redis.log(N, 'x')",
                "redis.setresp(N)",
                "table.insert({}, N % 100, 1)",
                "table.remove({}, N)",
                "unpack({}, N, N)",
                "('x'):find('x', N)",
                "('x'):gsub('x', 'y', N)",
            ] {
                let call = call.replace('N', &format!("({n})"));
                let reply =
                    world.eval_with(&format!("return {{pcall(function() return {call} end)}}"), &["k"], &[]);
                assert!(reply.starts_with('*'), "{call}\n{reply}");
            }
            world.command(&[b"FLUSHALL"]);
        }
    });
}

/// CVE-2025-46817: `unpack` of more than there is room for.
#[test]
fn unpack_counts_right() {
    all_fail(
        "too many results to unpack",
        &[
            "return unpack({}, 0, 2^31 - 1)",
            "return unpack({}, -2^31, 2^31 - 1)",
            "return unpack({}, -2^31 + 1, 0)",
            "return unpack({}, 1, 1e7)",
            "local t = {} return (function(...) return ... end)(unpack(t, -1e9, 1e9))",
        ],
    );
    all_return("*0\r\n", &["return {unpack({}, 2^31 - 1, -2^31)}", "return {unpack({}, 1, 0)}"]);
}

/// CVE-2024-46981: the garbage collector as a tool.
#[test]
fn finalizers_run_nothing_of_a_script() {
    in_a_world(|world| {
        for script in [
            "setmetatable({}, {__gc = function() redis.call('SET', KEYS[1], 'gc') end}) collectgarbage() collectgarbage()",
            "local u = cjson.new() setmetatable(u, {__gc = function() redis.call('SET', KEYS[1], 'gc') end}) u = nil collectgarbage()",
            "local t = setmetatable({}, {__mode = 'kv'}) for i = 1, 1000 do t[{}] = {} end collectgarbage()",
            "for _, what in pairs({'stop', 'restart', 'collect', 'count', 'step', 'setpause', 'setstepmul'}) do \
             pcall(collectgarbage, what, 2^31) pcall(collectgarbage, what, -1) end",
            "local co = coroutine.wrap(function() local t = setmetatable({}, {__gc = 1}) coroutine.yield(t) end) co() co = nil collectgarbage()",
        ] {
            let reply = world.eval_with(script, &["k"], &[]);
            assert!(reply.starts_with('$') || reply.starts_with("-ERR"), "{script}\n{reply}");
        }
        assert!(world.eval("return newproxy(true)").contains("nonexistent global variable 'newproxy'"));
        assert_eq!(world.command(&[b"GET", b"k"]), b"$-1\r\n");
    });
}

/// Functions of a script that run while its result, its error or an argument is converted.
#[test]
fn conversions_call_nothing_of_a_script() {
    let touches = "function() redis.call('SET', KEYS[1], 'touched') end";
    let script = |what: &str| what.replace("F", touches);
    in_a_world(move |world| {
        for what in [
            "return setmetatable({}, {__index = F})",
            "return setmetatable({1}, {__index = F, __len = F, __tostring = F})",
            "return {ok = setmetatable({}, {__tostring = F, __index = F})}",
            "return {err = setmetatable({}, {__tostring = F})}",
            "return {map = setmetatable({}, {__index = F, __pairs = F})}",
            "redis.setresp(3) return {set = setmetatable({}, {__index = F})}",
            "redis.setresp(3) return {double = setmetatable({}, {__index = F})}",
            "redis.setresp(3) return {verbatim_string = setmetatable({}, {__index = F})}",
            "error(setmetatable({}, {__index = F, __tostring = F}))",
            "error({err = setmetatable({}, {__tostring = F, __concat = F})})",
            "redis.call('GET', setmetatable({}, {__tostring = F, __concat = F}))",
            "redis.call(setmetatable({}, {__index = F, __len = F}))",
            "redis.error_reply(setmetatable({}, {__tostring = F}))",
            "redis.sha1hex(setmetatable({}, {__tostring = F}))",
            "redis.log(3, setmetatable({}, {__tostring = F}))",
            "cjson.encode(setmetatable({1}, {__index = F, __pairs = F}))",
            "cmsgpack.pack(setmetatable({1}, {__index = F, __len = F}))",
        ] {
            world.eval_with(&script(what), &["k"], &[]);
            assert_eq!(world.command(&[b"GET", b"k"]), b"$-1\r\n", "{what}");
        }
    });
}

/// Errors of every type, thrown, caught, thrown again, and thrown by the handlers of errors.
#[test]
fn errors_of_every_type_end_in_one_line() {
    in_a_world(|world| {
        let values = [
            "nil",
            "true",
            "1",
            "1e300",
            "'text'",
            "''",
            "{}",
            "{err = 'MY own'}",
            "{err = {}}",
            "{err = 1}",
            "{ok = 'x'}",
            "function() end",
            "coroutine.create(function() end)",
            "cjson.null",
            "redis",
            "_G",
            "KEYS",
            "('x'):rep(1e6)",
            "'a\\r\\n+OK'",
            "{err = 'a\\r\\n+OK\\r\\n'}",
            "{err = 'x', source = {}, line = {}}",
            "{err = 'x', line = 'y\\r\\n:1'}",
            "setmetatable({}, {__index = function() error('more') end})",
            "'\\0'",
            "{err = '\\0x'}",
        ];
        for value in values {
            for shape in [
                "error(V)",
                "error(V, 0)",
                "error(V, 2)",
                "error(V, 2^31)",
                "return error(V)",
                "assert(false, V)",
                "local ok, e = pcall(error, V) error(e)",
                "xpcall(error, function(e) error(V) end, V)",
                "local ok, e = xpcall(function() error(V) end, function(e) return e end) error(e)",
                "coroutine.wrap(function() error(V) end)()",
                "local co = coroutine.create(function() error(V) end) local ok, e = coroutine.resume(co) error(e)",
                "string.gsub('x', 'x', function() error(V) end)",
                "table.sort({1, 2}, function() error(V) end)",
                "redis.call('GET', KEYS[1], error(V))",
                "return {err = V}",
                "return redis.error_reply(V)",
            ] {
                let reply = world.eval_with(&shape.replace('V', value), &["k"], &[]);
                let ends = reply.matches("\r\n").count();
                let one = match reply.as_bytes().first() {
                    Some(b'-' | b'+' | b':') => ends == 1,
                    Some(b'$') => reply.starts_with("$-1\r\n"),
                    Some(b'*') => true,
                    _ => false,
                };
                assert!(one, "{shape} of {value}\n{reply}");
            }
        }
    });
}

/// Replies that are deep or contain themselves are in the tests of tables that are cut off; these are wide or odd.
#[test]
fn odd_replies_are_whole() {
    all_return(
        "*0\r\n",
        &["return {nil, 1}", "return {[2] = 1}", "return {[0.5] = 1}", "return KEYS and {}"],
    );
    in_a_world(|world| {
        let reply = world.eval("local t = {} for i = 1, 100000 do t[i] = {} end return t");
        assert_eq!(reply.len(), "*100000\r\n".len() + 100_000 * "*0\r\n".len());
        let wide = "local s, t = ('x'):rep(1000000), {} for i = 1, 600 do t[i] = s end for i = 601, 9000 do t[i] = 1 end return t";
        let reply = world.eval(wide);
        assert_eq!(reply, "-ERR The reply of the script is too large\r\n", "{} bytes", reply.len());
    });
}

/// CVE-2026-23631: a library that is flushed, deleted or replaced while one of its functions runs.
#[test]
fn a_library_may_go_while_its_function_runs() {
    /// It is slow, so that its thread is shed, in which moment the library goes; then it uses all that it is made of.
    const RUNNING: &str = "#!lua name=running\n\
        local words = {} for i = 1, 100 do words[i] = ('word %d of the library'):format(i) end\n\
        local function last(n) return function() return words[n] end end\n\
        redis.register_function('f', function(keys, args)\n\
          local n = 0 for i = 1, 1e8 do n = n + i % 7 end\n\
          for round = 1, 20 do local t = {} for i = 1, 1000 do t[i] = ('x'):rep(i) .. round end collectgarbage() end\n\
          local all = {} for i, word in ipairs(words) do all[i] = word:upper() end\n\
          coroutine.wrap(function() all[#all + 1] = last(7)() end)()\n\
          words[1] = redis.call('PING').ok\n\
          return words[1] .. #table.concat(all) .. all[#all]\n\
        end)";
    const OTHER: &str = "#!lua name=running\nredis.register_function('f', function() return 'another' end)";
    type Change = fn(&moonshard_scripting::Registry);
    let changes: [(Change, &str); 3] = [
        (|registry| registry.libraries().flush(|| ()), "-ERR Function not found\r\n"),
        (|registry| drop(registry.libraries().delete(b"running", || ())), "-ERR Function not found\r\n"),
        (
            |registry| {
                let settings = moonshard_scripting::ScriptSettings::default();
                registry.libraries().load(OTHER.as_bytes(), true, &settings).unwrap();
            },
            "$7\r\nanother\r\n",
        ),
    ];
    for (change, afterwards) in changes {
        let run = move || {
            let mut world = World::shedding(true, move |_, registry| change(registry));
            let watchdog = world.watch(|_| {});
            world.registry.libraries().load(RUNNING.as_bytes(), true, &world.settings).unwrap();
            let reply = world.command(&[b"FCALL", b"f", b"0"]);
            assert_eq!(reply, b"$29\r\nPONG2213word 7 of the library\r\n", "{}", reply.escape_ascii());
            assert_eq!(world.sheds.load(Ordering::SeqCst), 1, "the library went while the function ran");
            drop(watchdog);
            assert_eq!(world.command(&[b"FCALL", b"f", b"0"]), afterwards.as_bytes());
            assert_eq!(world.eval("collectgarbage() return ('usable'):upper()"), "$6\r\nUSABLE\r\n");
        };
        let thread = std::thread::Builder::new().stack_size(moonshard_scripting::THREAD_STACK_BYTES);
        thread.spawn(run).unwrap().join().unwrap();
    }
}
