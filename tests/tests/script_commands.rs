//! Every command of redis-server, called by scripts: what Redis lets them call works, and what it refuses is refused in
//! the same words.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::corpus::{NotYet, folder};
use moonshard_tests::resp::{Client, Value};
use moonshard_tests::server::{Kind, Server, under_test_is_redis};

/// Calls what is in ARGV, and says what kind of reply came; an error and a status in full.
const PROBE: &str = "local r = redis.pcall(unpack(ARGV)) \
    if type(r) ~= 'table' then return type(r) end \
    if r.err then return 'error ' .. r.err end \
    if r.ok then return 'status ' .. r.ok end \
    return 'table of ' .. (#r > 0 and type(r[1]) or 'nothing')";

/// What fills up a call: none is right for every command, but each command meets a wrong one, too few and too many.
const FILLERS: [&[&str]; 7] =
    [&[], &["k"], &["k", "k"], &["k", "k", "k"], &["1"], &["1", "1"], &["k", "1", "k", "1"]];

/// What is called with arguments that make sense, in this order.
const SENSIBLE: &[&str] = &[
    "SET k v EX 100",
    "GET k",
    "APPEND k v",
    "BITCOUNT k",
    "BITFIELD k GET u8 0",
    "COPY k k2",
    "DUMP k",
    "OBJECT ENCODING k",
    "OBJECT HELP",
    "TOUCH k k2",
    "MEMORY USAGE k",
    "MEMORY STATS",
    "MEMORY DOCTOR",
    "MEMORY MALLOC-STATS",
    "MEMORY PURGE",
    "MEMORY HELP",
    "INFO",
    "INFO server clients",
    "INFO everything",
    "INFO nosuch",
    "DBSIZE",
    "LASTSAVE",
    "LOLWUT",
    "LOLWUT VERSION 5",
    "TIME",
    "ECHO k",
    "PING",
    "PING k",
    "SELECT 1",
    "SELECT 99",
    "SLOWLOG GET",
    "SLOWLOG GET -1",
    "SLOWLOG GET -2",
    "SLOWLOG LEN",
    "SLOWLOG RESET",
    "SLOWLOG HELP",
    "SLOWLOG GET 1 1",
    "CONFIG GET maxmemory",
    "CONFIG SET maxmemory 0",
    "CONFIG HELP",
    "CLIENT ID",
    "CLIENT GETNAME",
    "CLIENT NO-EVICT ON",
    "CLIENT HELP",
    "ACL WHOAMI",
    "ACL CAT",
    "ACL HELP",
    "COMMAND",
    "COMMAND COUNT",
    "COMMAND INFO get",
    "COMMAND DOCS get",
    "COMMAND LIST",
    "COMMAND LIST FILTERBY ACLCAT string",
    "COMMAND GETKEYS SET k v",
    "COMMAND HELP",
    "PUBLISH c m",
    "SPUBLISH c m",
    "PUBSUB CHANNELS",
    "PUBSUB NUMSUB c",
    "PUBSUB NUMPAT",
    "PUBSUB SHARDCHANNELS",
    "PUBSUB HELP",
    "FUNCTION LIST",
    "FUNCTION STATS",
    "FUNCTION DUMP",
    "FUNCTION HELP",
    "SCRIPT EXISTS k",
    "SCRIPT LOAD return",
    "SCRIPT HELP",
    "LATENCY HISTORY command",
    "LATENCY HELP",
    "MODULE LIST",
    "MODULE HELP",
    "ROLE",
    "WAIT 0 1",
    "WATCH k",
    "MULTI",
    "EXEC",
    "HELLO 3",
    "AUTH k",
    "RESET",
    "QUIT",
    "MONITOR",
    "SUBSCRIBE c",
    "READONLY",
    "READWRITE",
    "ASKING",
    "EVAL return 0",
    "FCALL f 0",
    "BLPOP nolist 1",
    "BZPOPMIN nozset 1",
    "RPUSH l 3 1 2",
    "BLMPOP 1 1 nolist LEFT",
    "BRPOPLPUSH nolist l 1",
    "SORT l",
    "SORT l BY w_* GET v_*",
    "LPOS l 1",
    "SADD s 1 2",
    "SINTERCARD 1 s",
    "SPOP s",
    "SMEMBERS s",
    "ZADD z 1 m",
    "ZRANGE z 0 -1 WITHSCORES",
    "GEOADD g 13 38 p",
    "GEOSEARCH g FROMMEMBER p BYRADIUS 1 km",
    "HSET h f v",
    "HGETALL h",
    "PFADD p 1",
    "PFCOUNT p",
    "PFSELFTEST",
    "XADD x 1-1 f v",
    "XGROUP CREATE x g 0",
    "XREAD BLOCK 1 STREAMS x 5-0",
    "XREADGROUP GROUP g c STREAMS x >",
    "XINFO STREAM x",
    "XINFO HELP",
    "XGROUP HELP",
    "SCAN 0",
    "KEYS *",
    "RANDOMKEY",
    "RENAME k k3",
    "EXPIRE k3 100",
    "MOVE k3 1",
    "SWAPDB 0 0",
    "LCS l k2",
    "RESTORE r 0 x",
    "FLUSHDB ASYNC",
    "FLUSHALL",
];

/// These would end a server, move slots or wait; or later versions let them do more than 7.0 does.
const LEFT_OUT: &[&str] = &[
    "shutdown",
    "debug",
    "script|kill",
    "zrank",
    "zrevrank",
    // It waits for another server, which no script may here.
    "migrate",
];

/// What changes a cluster, which here has one node and all slots.
const OF_LARGER_CLUSTERS: &[&str] = &[
    "cluster|addslots",
    "cluster|addslotsrange",
    "cluster|bumpepoch",
    "cluster|delslots",
    "cluster|delslotsrange",
    "cluster|failover",
    "cluster|flushslots",
    "cluster|forget",
    "cluster|meet",
    "cluster|replicate",
    "cluster|reset",
    "cluster|set-config-epoch",
    "cluster|setslot",
];

fn probe<A: AsRef<[u8]>>(client: &mut Client, words: &[A]) -> String {
    let mut command: Vec<&[u8]> = vec![b"EVAL", PROBE.as_bytes(), b"0"];
    command.extend(words.iter().map(AsRef::as_ref));
    client.command(&command).unwrap().text()
}

/// The names of all commands that the oracle has and that are compared, in their order.
fn names(oracle: &mut Client, compared: impl Fn(&str) -> bool) -> Vec<String> {
    let not_yet = NotYet::load(&folder().join("NOT_YET"));
    let all = oracle.ask("COMMAND LIST").value;
    let text = |name: &Value| String::from_utf8_lossy(name.bytes().unwrap_or_default()).into_owned();
    let mut names: Vec<String> = all.items().unwrap().iter().map(text).collect();
    names.retain(|name| {
        let words: Vec<Vec<u8>> = name.split('|').map(|word| word.as_bytes().to_vec()).collect();
        compared(name) && !LEFT_OUT.contains(&name.as_str()) && !not_yet.covers(&words)
    });
    names.sort();
    names
}

/// Puts every command to both, called by a script with each of the fillers, and says what differs.
fn differences(theirs: &mut Client, ours: &mut Client, compared: impl Fn(&str) -> bool) -> Vec<String> {
    let mut differing = Vec::new();
    for name in names(theirs, compared) {
        for filler in FILLERS {
            let words: Vec<&str> = name.split('|').chain(filler.iter().copied()).collect();
            let (expected, got) = (probe(theirs, &words), probe(ours, &words));
            if expected != got {
                differing.push(format!("{}: Redis {expected:?}, here {got:?}", words.join(" ")));
            }
        }
    }
    differing
}

#[test]
fn scripts_may_call_what_redis_lets_them() {
    // The slow log is never empty.
    let slow = ["--slowlog-log-slower-than", "0"];
    let theirs = Server::redis(&slow);
    let flags = [&slow[..], &["--lua-default-flags", "allow-undeclared-keys"]].concat();
    for shards in [1, 16] {
        let ours = Server::moonshard(shards, if under_test_is_redis() { &slow } else { &flags });
        let (mut theirs, mut ours) = (theirs.connect(), ours.connect());
        let mut differing = differences(&mut theirs, &mut ours, |_| true);
        theirs.ask("FLUSHALL");
        ours.ask("FLUSHALL");
        for line in SENSIBLE {
            let words: Vec<&str> = line.split(' ').collect();
            let (expected, got) = (probe(&mut theirs, &words), probe(&mut ours, &words));
            if expected != got {
                differing.push(format!("{line}: Redis {expected:?}, here {got:?}"));
            }
        }
        assert!(differing.is_empty(), "{shards} shards:\n{}", differing.join("\n"));
    }
}

#[test]
fn scripts_may_ask_about_the_cluster() {
    let flags = ["--lua-default-flags", "allow-undeclared-keys"];
    let theirs = Server::cluster(Kind::Redis, 1, &[]);
    let ours = Server::cluster(Kind::Moonshard, 1, if under_test_is_redis() { &[] } else { &flags });
    let (mut theirs, mut ours) = (theirs[0].connect(), ours[0].connect());
    let differing = differences(&mut theirs, &mut ours, |name| {
        let is_about_it = name.starts_with("cluster") || ["asking", "readonly", "readwrite"].contains(&name);
        is_about_it && !OF_LARGER_CLUSTERS.contains(&name)
    });
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    for line in
        ["SET a v", "CLUSTER COUNTKEYSINSLOT 15495", "CLUSTER GETKEYSINSLOT 15495 10", "CLUSTER KEYSLOT a"]
    {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(probe(&mut ours, &words), probe(&mut theirs, &words), "{line}");
    }
    let script = "redis.call('SET', 'a', 1) return {redis.call('CLUSTER', 'COUNTKEYSINSLOT', 15495), \
                  redis.call('CLUSTER', 'GETKEYSINSLOT', 15495, 5)[1]}";
    assert_eq!(ours.command(&["EVAL", script, "0"]).unwrap().raw, b"*2\r\n:1\r\n$1\r\na\r\n");
}

#[test]
fn what_a_script_has_written_is_in_what_the_server_tells_it() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(16, &[]);
    let mut client = server.connect();
    let script = "redis.call('SET', KEYS[1], 1) return redis.call('INFO', 'keyspace')";
    let reply = client.command(&["EVAL", script, "1", "k"]).unwrap().text();
    assert!(reply.contains("db0:keys=1,expires=0"), "{reply}");
    // RESP3 says that it is a text.
    let script = "redis.setresp(3) return redis.call('INFO', 'server').verbatim_string.format";
    assert_eq!(client.command(&["EVAL", script, "0"]).unwrap().raw, b"$3\r\ntxt\r\n");
    // What looks at keys of all slots needs the flag, as other such commands do.
    let nodes = Server::cluster(Kind::Moonshard, 1, &[]);
    let reply =
        nodes[0].connect().command(&["EVAL", "return redis.call('CLUSTER', 'COUNTKEYSINSLOT', 1)", "0"]);
    let error = reply.unwrap().error().unwrap_or_default();
    assert!(error.contains("over all keys without the flag allow-undeclared-keys"), "{error}");
    // A script's READONLY is about its own calls.
    assert_eq!(probe(&mut nodes[0].connect(), &["READONLY"]), "$9\r\nstatus OK\r\n");
}
