//! What scripts are given beyond Redis 7.0, and what of it lasts.

#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

mod world;

use moonshard_protocol::Encoding;
use world::World;

#[test]
fn a_call_takes_its_arguments_in_a_table() {
    let mut world = World::default();
    let eval = |world: &mut World, script: &str| world.eval_with(script, &["k"], &[]);
    assert_eq!(eval(&mut world, "return redis.call({'SET', KEYS[1], 12.5})"), "+OK\r\n");
    assert_eq!(eval(&mut world, "return redis.pcall({'GET', KEYS[1]})"), "$4\r\n12.5\r\n");
    // Far more than `unpack` can put on Lua's stack.
    let many = "local call = {'RPUSH', KEYS[1]} for i = 1, 200000 do call[#call + 1] = i % 2 == 0 and i or 'x' .. i end \
        redis.call('DEL', KEYS[1]) local n = redis.call(call) \
        return {n, redis.call('LINDEX', KEYS[1], 0), redis.call('LINDEX', KEYS[1], -1)}";
    assert_eq!(eval(&mut world, many), "*3\r\n:200000\r\n$2\r\nx1\r\n$6\r\n200000\r\n");
    let wrong = "-ERR Lua redis lib command arguments must be strings or integers";
    for script in [
        "return redis.call({'SET', KEYS[1], {}})",
        "return redis.call({'SET', KEYS[1], true})",
        "return redis.call({'SET', nil, 'x'})",
        "return redis.call({'SET'}, KEYS[1])",
        "return redis.call('SET', {KEYS[1], 'x'})",
        "return redis.pcall({print = 1, [1] = {}})",
        "return redis.call({})",
        "return redis.call(redis)",
        "return redis.pcall({GET = 1})",
    ] {
        let reply = eval(&mut world, script);
        assert!(reply.starts_with(wrong), "{script}\n{reply}");
    }
    // Metatables are not asked.
    let sly = "return redis.pcall(setmetatable({}, {__index = function() return 'PING' end}))";
    assert!(eval(&mut world, sly).starts_with(wrong));
}

/// A field that means nothing makes a table one that is asked for those that do.
#[test]
fn arrays_are_replies_with_and_without_a_field() {
    let mut world = World::default();
    let long: String = (0..5000).map(|n| format!("{n},")).collect();
    for encoding in [Encoding::Resp2, Encoding::Resp3] {
        world.encoding = encoding;
        for resp in [2, 3] {
            for elements in [
                "",
                "1",
                "1, 2.9, -3, 1e15, '', 'text', true, false, 'a\\r\\n\\0b'",
                "1, nil, 3",
                "nil, 2",
                "cjson.null, tostring, 'x'",
                "{}, {{}}, {1, {2, 'x', {true}}}, {ok = 'fine'}, {err = 'ERR x'}, {1, 2, ok = 'all'}",
                "{double = 1.5}, {map = {a = {1, 2}}}, {set = {x = true}}, setmetatable({1, 2}, {__index = {err = 'no'}})",
                &long,
            ] {
                let reply = |world: &mut World, field: &str| {
                    world.eval(&format!("redis.setresp({resp}) return {{{elements}{field}}}"))
                };
                let separator = if elements.is_empty() || elements.ends_with(',') { "" } else { "," };
                let plain = reply(&mut world, "");
                assert!(plain.starts_with('*'), "{elements}: {plain}");
                assert_eq!(plain, reply(&mut world, &format!("{separator} nothing = 1")), "{elements}");
            }
        }
    }
    world.encoding = Encoding::Resp2;
    let loops = "local t = {} t[1] = t return t";
    assert!(world.eval(loops).ends_with("-ERR reached lua stack limit\r\n"));
    // What was taken out is not there.
    let removed = "local t = {1, 2, 3, ok = 'x'} t.ok = nil t[3] = nil return t";
    assert_eq!(world.eval(removed), "*2\r\n:1\r\n:2\r\n");
}

#[test]
fn server_is_another_name_of_redis() {
    let mut world = World::default();
    assert_eq!(world.eval("return {server == redis, server.call('PING'), server.sha1hex('')}"), {
        "*3\r\n:1\r\n+PONG\r\n$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n"
    });
    assert!(world.eval("server.x = 1").contains("Attempt to modify a readonly table"));
}

#[test]
fn what_a_script_sets_in_cjson_ends_with_it() {
    let mut world = World::default();
    let settings = "return {tostring(cjson.encode_sparse_array()), cjson.encode_max_depth(), cjson.decode_max_depth(), \
        cjson.encode_number_precision(), tostring(cjson.encode_keep_buffer()), tostring(cjson.encode_invalid_numbers()), \
        tostring(cjson.decode_invalid_numbers()), tostring(cjson.decode_array_with_array_mt())}";
    let before = world.eval(settings);
    for set in [
        "cjson.encode_sparse_array(true, 1, 1)",
        "cjson.encode_max_depth(3)",
        "cjson.decode_max_depth(3)",
        "cjson.encode_number_precision(3)",
        "cjson.encode_keep_buffer(false)",
        "cjson.encode_invalid_numbers('null')",
        "cjson.decode_invalid_numbers(false)",
        "cjson.decode_array_with_array_mt(true)",
        "cjson.encode_max_depth(3) error('even so')",
    ] {
        let changed = world.eval(&format!("{set} {settings}"));
        assert_ne!(changed, before, "{set}");
        assert_eq!(world.eval(settings), before, "after {set}");
    }
}

#[test]
fn arrays_can_be_marked() {
    let mut world = World::default();
    for (script, expected) in [
        ("return cjson.encode({})", "{}"),
        ("return cjson.encode(setmetatable({}, cjson.array_mt))", "[]"),
        ("return cjson.encode({list = setmetatable({}, cjson.array_mt)})", "{\"list\":[]}"),
        (
            "cjson.decode_array_with_array_mt(true) return cjson.encode(cjson.decode('{\"a\":[]}'))",
            "{\"a\":[]}",
        ),
        (
            "cjson.decode_array_with_array_mt(true) return tostring(getmetatable(cjson.decode('[]')) == cjson.array_mt)",
            "true",
        ),
        ("local own = cjson.new() return own.encode(setmetatable({}, own.array_mt))", "[]"),
    ] {
        assert_eq!(world.eval(script), format!("${}\r\n{expected}\r\n", expected.len()), "{script}");
    }
    // It is shared, so it cannot be changed.
    for script in [
        "cjson.array_mt.__index = function() return 1 end",
        "rawset(cjson.array_mt, '__index', {})",
        "setmetatable(cjson.array_mt, {})",
        "local own = cjson.new() own.array_mt.__gc = 1",
        "cjson.decode_array_with_array_mt(true) getmetatable(cjson.decode('[]')).__tostring = 1",
    ] {
        let reply = world.eval(script);
        assert!(reply.contains("Attempt to modify a readonly table"), "{script}\n{reply}");
    }
    let reply = world.eval("return setmetatable(setmetatable({}, cjson.array_mt), nil)");
    assert!(reply.contains("cannot change a protected metatable"), "{reply}");
}
