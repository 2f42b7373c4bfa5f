//! Every corpus file against Moonshard with one shard and with sixteen, and against Redis itself, which shows that
//! what the file asks for has one answer.

use moonshard_tests::corpus::{self, NotYet};
use moonshard_tests::server::{Server, under_test_is_redis};

macro_rules! corpus_files {
    ($($name:ident),+ $(,)?) => {
        const FILES: &[&str] = &[$(stringify!($name)),+];
        $(mod $name {
            use super::*;
            #[test]
            fn one_shard() {
                corpus::run_file(stringify!($name), |args| Server::moonshard(1, args));
            }
            #[test]
            fn sixteen_shards() {
                corpus::run_file(stringify!($name), |args| Server::moonshard(16, args));
            }
            #[test]
            fn has_one_answer() {
                corpus::run_file(stringify!($name), Server::redis);
            }
        })+
    };
}

corpus_files!(
    strings,
    keys,
    scan,
    dump,
    expiry,
    hashes,
    lists,
    sets,
    sorted_sets,
    streams,
    connection,
    introspection,
    debug,
    scripts,
    script_errors,
    script_libraries,
    script_positions,
    functions,
    protocol,
    bits,
    hyperloglog,
    geo,
    sort,
    transactions,
    pubsub,
    tracking,
    blocking,
    acl,
);

#[test]
fn no_file_is_forgotten() {
    let mut found: Vec<String> = std::fs::read_dir(corpus::folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".txt").map(str::to_owned))
        .collect();
    found.sort();
    let mut listed = FILES.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

#[test]
fn not_yet_lists_only_what_is_missing() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(1, &[]);
    let mut client = server.connect();
    let there: Vec<String> = NotYet::load(&corpus::folder().join("NOT_YET"))
        .names()
        .iter()
        .filter(|name| {
            let error = client.ask(name).error().unwrap_or_default();
            !error.contains("unknown command") && !error.contains("unknown subcommand")
        })
        .cloned()
        .collect();
    assert!(there.is_empty(), "Moonshard has these by now, take them out of NOT_YET: {there:?}");
}
