//! Redis' own test suite against Moonshard, file by file; `cargo run -p moonshard-tests --bin tcl` runs them all, those
//! too that take long and are left out here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::corpus::{self, NotYet};
use moonshard_tests::tcl::{self, Exceptions, Reference};

const SHARDS: usize = 16;

fn check(file: &str) {
    let suite = tcl::suite().unwrap_or_else(|e| panic!("no Redis source: {e}"));
    let exceptions = Exceptions::load();
    let not_yet = NotYet::load(&corpus::folder().join("NOT_YET"));
    let run = tcl::run(&suite, file, SHARDS, &exceptions, tcl::STALL);
    let complaints = tcl::complaints(&run, &exceptions, &not_yet, Reference::load().count(file));
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{file}, {} tests:\n{}", run.tests.len(), lines.join("\n"));
}

macro_rules! files {
    ($($(#[$attribute:meta])* $name:ident: $file:literal),* $(,)?) => {
        $($(#[$attribute])* #[test] fn $name() { check($file); })*

        /// The files that have a test.
        const FILES: &[&str] = &[$($file),*];
    };
}

files! {
    acl: "unit/acl",
    acl_v2: "unit/acl-v2",
    bitfield: "unit/bitfield",
    bitops: "unit/bitops",
    dump: "unit/dump",
    expire: "unit/expire",
    functions: "unit/functions",
    #[ignore = "takes half a minute"]
    geo: "unit/geo",
    #[ignore = "takes more than a minute"]
    hyperloglog: "unit/hyperloglog",
    info: "unit/info",
    info_command: "unit/info-command",
    introspection: "unit/introspection",
    introspection_2: "unit/introspection-2",
    keyspace: "unit/keyspace",
    latency_monitor: "unit/latency-monitor",
    lazyfree: "unit/lazyfree",
    limits: "unit/limits",
    multi: "unit/multi",
    other: "unit/other",
    pause: "unit/pause",
    protocol: "unit/protocol",
    pubsub: "unit/pubsub",
    querybuf: "unit/querybuf",
    quit: "unit/quit",
    replybufsize: "unit/replybufsize",
    scan: "unit/scan",
    scripting: "unit/scripting",
    slowlog: "unit/slowlog",
    sort: "unit/sort",
    tracking: "unit/tracking",
    violations: "unit/violations",
    hash: "unit/type/hash",
    incr: "unit/type/incr",
    list: "unit/type/list",
    list_2: "unit/type/list-2",
    #[ignore = "takes a minute"]
    list_3: "unit/type/list-3",
    set: "unit/type/set",
    stream: "unit/type/stream",
    stream_cgroups: "unit/type/stream-cgroups",
    string: "unit/type/string",
    zset: "unit/type/zset",
}

#[test]
fn every_file_that_redis_reaches_has_a_test() {
    let reference = Reference::load();
    let known: Vec<&str> = reference.files.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(known, FILES);
}

#[test]
fn exceptions_are_of_known_files() {
    let exceptions = Exceptions::load();
    let unknown: Vec<&str> = exceptions.files().filter(|file| !FILES.contains(file)).collect();
    assert!(unknown.is_empty(), "skip.txt names {unknown:?}");
}
