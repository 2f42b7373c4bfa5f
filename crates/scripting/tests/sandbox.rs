//! What scripts cannot do: to each other, and to the process.

#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

mod world;

use moonshard_scripting::{Kill, ScriptFlags};
use std::sync::atomic::Ordering;
use world::World;

const READONLY: &str = "Attempt to modify a readonly table";

#[test]
fn shared_tables_are_readonly() {
    let mut world = World::default();
    for script in [
        "x = 1",
        "KEYS = {}",
        "redis = nil",
        "_G.x = 1",
        "_G['string'] = nil",
        "redis.call = function() return 1 end",
        "string.format = nil",
        "math.new = 1",
        "cjson.encode = nil",
        "rawset(_G, 'x', 1)",
        "rawset(redis, 'x', 1)",
        "setmetatable(_G, {})",
        "setmetatable(redis, {})",
        "setmetatable(string, nil)",
        "table.insert(redis, 1)",
        "table.remove(redis)",
        "table.sort(redis)",
        "getmetatable('').__index = nil",
        "getmetatable('').__index.upper = nil",
        "getmetatable(_G).__index = nil",
        "local mt = getmetatable(_G) mt.__newindex = nil",
        "loadstring('x = 1')()",
        "load(coroutine.wrap(function() coroutine.yield('y = ') coroutine.yield('2') end))()",
    ] {
        let reply = world.eval(script);
        assert!(reply.starts_with('-') && reply.contains(READONLY), "{script}\n{reply}");
    }
    assert_eq!(
        world.eval("return redis.call('ping').ok .. string.format('%d', 5) .. ('x'):upper()"),
        "$6\r\nPONG5X\r\n"
    );
}

#[test]
fn what_is_behind_shared_tables_cannot_be_had() {
    let mut world = World::default();
    for script in [
        "local _, t = pairs(string) t.upper = nil",
        "for k, v in pairs(_G) do if type(v) == 'table' and v ~= KEYS and v ~= ARGV then v.new = 1 end end",
        "local f, t = pairs(redis) rawset(t, 'call', nil)",
        "local k, v = next(_G) rawset(_G, k, nil)",
    ] {
        let reply = world.eval(script);
        assert!(reply.contains(READONLY), "{script}\n{reply}");
    }
    assert_eq!(world.eval("return ('x'):upper()"), "$1\r\nX\r\n");
}

#[test]
fn dangerous_functions_are_not_there() {
    let mut world = World::default();
    let names = "jit ffi io os package debug require module dofile loadfile print newproxy setfenv getfenv";
    for name in names.split(' ') {
        let reply = world.eval(&format!("return {name}"));
        assert!(reply.contains(&format!("nonexistent global variable '{name}'")), "{reply}");
    }
    let reply = world.eval("return loadstring(string.dump(function() end))");
    assert_eq!(reply, "$-1\r\n", "bytecode is refused");
    assert_eq!(
        world.eval("return {table.new, table.clear, table.move, string.buffer, coroutine.isyieldable}"),
        "*0\r\n"
    );
}

#[test]
fn stopping_the_collector_lasts_for_one_script() {
    let mut world = World::default();
    world.eval("collectgarbage('stop')");
    for _ in 0..200 {
        world.eval("local t = {} for i = 1, 1000 do t[i] = {} end");
    }
    assert!(world.vm.heap_bytes() < 32 << 20, "{}", world.vm.heap_bytes());
}

#[test]
fn libraries_can_be_listed_and_read_raw() {
    let mut world = World::default();
    let listed = "local t = {} for k in pairs(coroutine) do t[#t + 1] = k end table.sort(t) return table.concat(t, ' ')";
    assert_eq!(world.eval(listed), "$39\r\ncreate resume running status wrap yield\r\n");
    assert_eq!(world.eval("return tostring(rawget(_G, 'nothing'))"), "$3\r\nnil\r\n");
    assert_eq!(world.eval("return type(rawget(redis, 'call'))"), "$8\r\nfunction\r\n");
    assert_eq!(
        world.eval("return {type(redis), type(_G), tostring(getmetatable(redis))}"),
        "*3\r\n$5\r\ntable\r\n$5\r\ntable\r\n$3\r\nnil\r\n"
    );
}

#[test]
fn memory_has_a_limit_and_the_vm_survives_it() {
    let mut world = World::default();
    world.settings.memory_limit_bytes.store(8 << 20, Ordering::Relaxed);
    for script in [
        "local t = {} while true do t[#t + 1] = string.rep('x', 1000) .. #t end",
        "return string.rep('x', 1e9)",
        "local s = 'x' while true do s = s .. s end",
        "local function f() local t = {} while true do t[#t + 1] = {} end end coroutine.wrap(f)()",
    ] {
        let reply = world.eval(script);
        assert!(reply.starts_with("-ERR ") && reply.contains("not enough memory"), "{script}\n{reply}");
        assert_eq!(world.eval("return 'usable'"), "$6\r\nusable\r\n");
        assert!(world.vm.heap_bytes() < 16 << 20);
    }
}

/// Compiled scripts are kept for speed only.
#[test]
fn many_scripts_do_not_use_up_the_memory() {
    let mut world = World::default();
    world.settings.memory_limit_bytes.store(6 << 20, Ordering::Relaxed);
    let first = world.registry.load(b"return 'first'").unwrap();
    let call: Vec<&[u8]> = vec![b"EVALSHA", first.as_bytes(), b"0"];
    for number in 0..4000 {
        let body = "local t = {a = 1, b = 2} t.x = redis.call ".repeat(20);
        let reply = world.eval(&format!("{body} return #('x'):rep(100000) + {number}"));
        assert_eq!(reply, format!(":{}\r\n", 100_000 + number));
    }
    assert_eq!(world.command(&call), b"$5\r\nfirst\r\n");
    assert!(world.registry.len() > 4000 && world.vm.compiled() < 4000);
}

/// A script that keeps up to three quarters of its memory may make as much garbage as it likes.
#[test]
fn garbage_is_collected_before_memory_runs_out() {
    for limit in [4 << 20, 16 << 20, 64 << 20] {
        let mut world = World::default();
        world.settings.memory_limit_bytes.store(limit, Ordering::Relaxed);
        for percent in [10, 20, 30, 40, 50, 60, 70, 75] {
            let script = "local kept, at, garbage = {}, collectgarbage('count') * 1024, {} \
                while collectgarbage('count') * 1024 < at + ARGV[1] - 200000 do \
                  for i = 1, 100 do kept[#kept + 1] = {i} end end \
                for i = 1, ARGV[2] do garbage[1] = ('x'):rep(1000) .. i end return 'done'";
            let (kept, rounds) = ((limit / 100 * percent).to_string(), (limit / 250).to_string());
            let reply = world.eval_with(script, &["k"], &[&kept, &rounds]);
            assert_eq!(reply, "$4\r\ndone\r\n", "{percent} of {limit} bytes");
        }
        assert_eq!(world.eval("return #('x'):rep(100)"), ":100\r\n");
    }
}

/// Runs on a stack as the server's threads have.
fn on_a_servers_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(moonshard_scripting::THREAD_STACK_BYTES);
    thread.spawn(test).unwrap().join().unwrap();
}

#[test]
fn recursion_through_c_ends() {
    on_a_servers_stack(|| {
        let mut world = World::default();
        for script in [
            "local function f(s) return (s:gsub('.', f)) end return f('x')",
            "local function f() return coroutine.wrap(f)() end f()",
            "local function f() return coroutine.resume(coroutine.create(f)) end f() error('overflow')",
            "local function f() table.sort({1, 2, 3}, function() f() end) end f()",
            "local t t = setmetatable({}, {__tostring = function(x) return tostring(x) end}) return tostring(t)",
            "local t t = setmetatable({}, {__tostring = function(x) return ('%s'):format(x) end}) return tostring(t)",
            "local function f() return 1 + f() end return f()",
            "local function f() return load(f) end f() error('overflow')",
        ] {
            let reply = world.eval(script);
            assert!(reply.starts_with('-') && reply.contains("overflow"), "{script}\n{reply}");
        }
    });
}

#[test]
fn deep_tables_are_cut_off() {
    let mut world = World::default();
    for script in [
        "local t = {} for i = 1, 10000 do t = {t} end return t",
        "local t = {} t[1] = t return t",
        "local t = {} for i = 1, 100000 do t = {map = {a = t}} end return t",
        "local t = {} t.set = {[t] = true} return t",
    ] {
        let reply = world.eval(script);
        assert!(reply.ends_with("-ERR reached lua stack limit\r\n"), "{script}");
    }
    let reply = world.eval("local t = {} t[1] = t return t");
    assert_eq!(reply.matches("*1\r\n").count(), 7995, "as deep as in Redis");
}

#[test]
fn keys_of_other_slots_are_refused() {
    let mut world = World::default();
    let other = "return redis.call('set', ARGV[1], 'v')";
    let reply = world.eval_with(other, &["k"], &["other"]);
    assert!(
        reply.starts_with("-ERR Script attempted to access keys that do not hash to the same slot"),
        "{reply}"
    );
    assert_eq!(world.eval_with(other, &["{k}1"], &["{k}2"]), "+OK\r\n");
    let reply = world.eval_with(other, &[], &["k"]);
    assert!(reply.starts_with("-ERR Script attempted to access a key but declared none"), "{reply}");
    assert!(world.eval_with("return 1", &["a", "b"], &[]).starts_with("-CROSSSLOT "));
    world.settings.set_default_flags(ScriptFlags::ALLOW_UNDECLARED_KEYS);
    assert_eq!(world.eval_with(other, &[], &["k"]), "+OK\r\n");
}

#[test]
fn flushed_scripts_are_gone_and_those_loaded_run() {
    let mut world = World::default();
    let sha = world.registry.load(b"return 'loaded'").unwrap();
    let call: Vec<&[u8]> = vec![b"EVALSHA", sha.as_bytes(), b"0"];
    assert_eq!(world.command(&call), b"$6\r\nloaded\r\n");
    assert_eq!(world.vm.compiled(), 1);
    world.registry.flush();
    assert_eq!(world.command(&call), b"-NOSCRIPT No matching script. Please use EVAL.\r\n");
    assert_eq!(world.eval("return 'loaded'"), "$6\r\nloaded\r\n");
    assert_eq!(world.command(&call), b"$6\r\nloaded\r\n", "EVAL makes it known again");
    assert_eq!(world.control.kill(), Kill::NotBusy);
    assert_eq!(world.control.scripts(), 3);
}

#[test]
fn a_script_may_limit_its_own_memory() {
    let mut world = World::default();
    for server in [0, 256 << 20] {
        world.settings.memory_limit_bytes.store(server, Ordering::Relaxed);
        let reply = world.eval("#!lua memory-limit=1mb\nlocal t = {} while true do t[#t + 1] = {} end");
        assert!(reply.contains("not enough memory"), "{reply}");
        // What is garbage does not count.
        let garbage =
            "#!lua memory-limit=1mb\nfor i = 1, 100000 do local t = {i, {}, tostring(i)} end return 'done'";
        assert_eq!(world.eval(garbage), "$4\r\ndone\r\n");
        let more = "local t = {} for i = 1, 50000 do t[i] = {i} end return #t";
        assert_eq!(world.eval(more), ":50000\r\n", "the next script has the server's limit");
    }
    world.settings.memory_limit_bytes.store(2 << 20, Ordering::Relaxed);
    let reply = world.eval("#!lua memory-limit=1gb\nreturn #string.rep('x', 100000000)");
    assert!(reply.contains("not enough memory"), "the server's limit is not lifted: {reply}");
}

#[test]
fn the_strict_sandbox_has_fewer_functions() {
    let mut world = World::default();
    world.settings.strict_sandbox.store(true, Ordering::Relaxed);
    for name in ["load", "loadstring", "setfenv", "getfenv", "collectgarbage", "newproxy", "coroutine"] {
        for script in
            [format!("return {name}"), format!("return _G.{name}"), format!("return _G['{name}'](1)")]
        {
            let reply = world.eval(&script);
            assert!(reply.contains(&format!("nonexistent global variable '{name}'")), "{script}\n{reply}");
        }
        assert_eq!(world.eval(&format!("return rawget(_G, '{name}')")), "$-1\r\n");
    }
    assert_eq!(
        world.eval("return {pcall(tostring, 1), ('x'):upper(), #cjson.encode({})}"),
        "*3\r\n:1\r\n$1\r\nX\r\n:2\r\n"
    );
}
