//! Functions in one VM: what they keep, what is loaded when, and what goes.
#![allow(clippy::unwrap_used)]

mod world;

use std::sync::atomic::{AtomicBool, Ordering};
use world::World;

fn load(world: &World, code: &str) {
    world.registry.libraries().load(code.as_bytes(), true, &world.settings).unwrap();
}

fn refused(world: &World, code: &str) -> String {
    let refused = world.registry.libraries().load(code.as_bytes(), true, &world.settings);
    refused.unwrap_err().to_string()
}

fn call(world: &mut World, function: &str) -> String {
    String::from_utf8(world.command(&[b"FCALL", function.as_bytes(), b"0"])).unwrap()
}

const COUNTER: &str = "#!lua name=counter\nlocal count = 0\n\
    redis.register_function('count', function() count = count + 1 return count end)\n\
    redis.register_function('get', function() return count end)";

#[test]
fn variables_of_a_library_live_until_it_is_replaced() {
    let mut world = World::default();
    load(&world, COUNTER);
    assert_eq!([call(&mut world, "count"), call(&mut world, "count")], [":1\r\n", ":2\r\n"]);
    load(&world, "#!lua name=other\nredis.register_function('f', function() return 1 end)");
    assert_eq!(call(&mut world, "get"), ":2\r\n");
    world.eval("return 1");
    world.registry.flush();
    world.eval("return 1");
    assert_eq!(call(&mut world, "get"), ":2\r\n");
    world.vm.forget_scripts();
    assert_eq!((call(&mut world, "get"), world.vm.compiled()), (":2\r\n".to_owned(), 0));
    load(&world, COUNTER);
    assert_eq!(call(&mut world, "get"), ":0\r\n");
    world.registry.libraries().flush(|| ());
    assert_eq!(call(&mut world, "get"), "-ERR Function not found\r\n");
}

#[test]
fn what_was_flushed_takes_no_memory() {
    let mut world = World::default();
    load(&world, "#!lua name=first\nredis.register_function('f', function() return 1 end)");
    call(&mut world, "f");
    world.vm.forget_functions();
    let before = world.vm.heap_bytes();
    let large = format!(
        "#!lua name=large\nlocal t = '{}'\nredis.register_function('g', function() return #t end)",
        "x".repeat(1 << 20)
    );
    load(&world, &large);
    assert_eq!(call(&mut world, "g"), format!(":{}\r\n", 1 << 20));
    assert!(world.vm.heap_bytes() > before + (1 << 20));
    world.registry.libraries().delete(b"large", || ()).unwrap();
    world.vm.forget_functions();
    assert!(world.vm.heap_bytes() < before + (1 << 18), "{before} before, {} after", world.vm.heap_bytes());
}

#[test]
fn a_library_that_takes_all_memory_or_time_is_refused() {
    let world = World::default();
    world.settings.memory_limit_bytes.store(4 << 20, Ordering::Relaxed);
    let hungry = "#!lua name=l\nlocal t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end";
    assert_eq!(refused(&world, hungry), "ERR Error registering functions: ERR not enough memory");
    assert_eq!(
        refused(&world, "#!lua name=l\nwhile true do end"),
        "ERR Error registering functions: ERR FUNCTION LOAD timeout"
    );
    assert!(world.registry.libraries().set().libraries().is_empty());
}

#[test]
fn a_library_limits_the_runs_of_its_functions_and_not_its_loading() {
    let mut world = World::default();
    // Loading takes more than a run may, and what was loaded stays.
    load(
        &world,
        "#!lua name=l memory-limit=1mb\nlocal kept = ('x'):rep(4 * 1024 * 1024)\n\
         redis.register_function('kept', function() return #kept end)\n\
         redis.register_function('takes', function() local t = {} while true do t[#t + 1] = {} end end)\n\
         redis.register_function('garbage', function() for i = 1, 1e5 do local t = {i, {}} end return 1 end)",
    );
    for _ in 0..2 {
        assert_eq!(call(&mut world, "kept"), format!(":{}\r\n", 4 << 20));
        assert!(call(&mut world, "takes").contains("not enough memory"));
        assert_eq!(call(&mut world, "garbage"), ":1\r\n");
    }
    assert_eq!(world.eval("return #string.rep('x', 8 * 1024 * 1024)"), format!(":{}\r\n", 8 << 20));
}

#[test]
fn functions_that_set_globals_see_the_same_as_others() {
    let mut world = World::default();
    load(
        &world,
        "#!lua name=l\n\
         redis.register_function('reads', function() return redis.REDIS_VERSION_NUM + #_VERSION end)\n\
         redis.register_function('sets', function() x = 1 end)\n\
         redis.register_function('asks', function() return KEYS end)",
    );
    assert_eq!(call(&mut world, "reads"), format!(":{}\r\n", 0x0007_000f + 7));
    assert!(call(&mut world, "sets").contains("Attempt to modify a readonly table"));
    assert!(call(&mut world, "asks").contains("nonexistent global variable 'KEYS'"));
}

#[test]
fn a_library_that_is_being_loaded_can_be_killed() {
    // It is killed in its middle, once it is seen to be slow; the next time it is left alone.
    let killed = AtomicBool::new(false);
    let mut world = World::shedding(false, move |control, _| {
        if !killed.swap(true, Ordering::SeqCst) {
            control.kill();
        }
    });
    // It takes longer than a millisecond and far less than what FUNCTION LOAD allows, wherever it is loaded.
    load(
        &world,
        "#!lua name=l\nfor i = 1, 1e5 do local x = ('x'):rep(3) end\nredis.register_function('f', function() return 1 end)",
    );
    let _watchdog = world.watch(|_| {});
    let reply = call(&mut world, "f");
    assert!(reply.contains("Script killed by user with SCRIPT KILL..."), "{reply}");
    // The next call loads it.
    assert_eq!(call(&mut world, "f"), ":1\r\n");
}

#[test]
fn scripts_that_are_not_known_any_more_do_not_stay_compiled() {
    let mut world = World::default();
    world.registry.limit_evaluated(20, 0);
    for number in 0..500 {
        assert_eq!(world.eval(&format!("return {number}")), format!(":{number}\r\n"));
    }
    assert_eq!(world.registry.len(), 20);
    assert!(world.vm.compiled() <= 64 + 2 * 20 + 1, "{} scripts", world.vm.compiled());
}
