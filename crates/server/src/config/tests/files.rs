//! Files and command lines, as Redis reads and rewrites them.

use std::ffi::OsString;
use std::path::Path;

use super::oracle::{Oracle, refusal};
use super::{Folder, Pairs};
use crate::config::{Config, Launch, StartError, Startup};

fn start(args: &[&str]) -> Result<Launch, StartError> {
    match Config::from_args(args.iter().map(OsString::from))? {
        Startup::Serve(launch) => Ok(*launch),
        Startup::Print(text) => panic!("printed {text}"),
    }
}

/// All values but those that differ on purpose and those of the place.
fn comparable(pairs: Pairs) -> Pairs {
    let skip = [
        "shards",
        "lua-default-flags",
        "lua-strict-sandbox",
        "script-kill-over-limit",
        "script-max-ms",
        "script-memory-limit",
        "script-cache-max-entries",
        "script-cache-max-bytes",
        "function-load-dir",
        "log-format",
        "dir",
        "io-threads",
        "port",
        "bind",
    ];
    let mut pairs: Pairs = pairs.into_iter().filter(|(name, _)| !skip.contains(&name.as_str())).collect();
    pairs.sort();
    pairs
}

/// A file with something of everything. The included one is written beside it.
const FIXTURE: &str = r#"# A comment that stays.

   # Another, indented.
BIND 127.0.0.1 -::1
protected-mode NO
maxmemory  100mb	
maxmemory-policy "allkeys-lru"
save 900 1
save 300 10 60 10000


tcp-keepalive 60
slave-priority 7
lua-time-limit 1234
list-max-ziplist-entries 512
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit replica 1gb 512mb 30
client-output-buffer-limit "pubsub 1mb 1kb 10"
notify-keyspace-events KEx
requirepass "p\x61ss \"word\" \n"
masterauth 'it''s'
proc-title-template "{title} {port}"
latency-tracking-info-percentiles 50 99.99
oom-score-adj-values 1 20 300
shutdown-on-sigterm save now
shutdown-on-sigint "nosave force"
loglevel verbose
loglevel warning
maxmemory-clients 5%
hash-max-ziplist-entries 100
cluster-announce-hostname host-1.example
timeout 5
"#;

/// `requirepass` in it.
const PASSWORD: &str = "pass \"word\" \n";

/// The quotes of `masterauth` above would be an error.
fn fixture() -> String {
    FIXTURE.replace("'it''s'", r"'it\'s'")
}

#[test]
fn a_file_means_what_it_means_to_redis() {
    let folder = Folder::new();
    folder.file("one.part.conf", "hz 50\nset-max-intset-entries 9\n");
    folder.file("two.part.conf", "hz 60\n");
    folder.file(".hidden.part.conf", "hz 70\n");
    let pattern = folder.0.join("*.part.conf");
    let text = format!("{}include {}\ninclude /nowhere/*.conf\n", fixture(), pattern.display());
    let file = folder.file("redis.conf", text);
    let file = file.to_str().unwrap();
    let options =
        ["--maxmemory-samples", "9", "--slowlog-max-len 77", "--oom-score-adj-values", "5", "6", "7"];
    let args = [&[file][..], &options].concat();
    let ours = start(&args).unwrap().config;
    assert_eq!(super::get(&ours, "hz"), "60");
    assert_eq!(super::get(&ours, "masterauth"), "it's");
    assert_eq!(ours.file(), Some(Path::new(file)));
    let Some(mut redis) = Oracle::start(folder, &args) else { return };
    redis.authenticate(PASSWORD);
    assert_eq!(comparable(ours.get(&[b"*"])), comparable(redis.get(&[b"*"])));
}

#[test]
fn command_lines_mean_what_they_mean_to_redis() {
    for args in [
        &["--save"][..],
        &["--save", "--hz", "20"],
        &["--save", "900", "1", "--save", "300 10"],
        &["--save", "", "--maxmemory", "1gb", "--hz 30"],
        &["--masterauth", "--hz", "--hz", "31"],
        &["--client-output-buffer-limit", "pubsub 1 2 3 replica 4 5 6"],
        &["--bind", "127.0.0.1", "-::1", "--requirepass", "a \"b\" c"],
        &["--MAXMEMORY", "5mb", "--maxmemory", "6mb"],
    ] {
        let ours = start(args).unwrap().config;
        let Some(mut redis) = Oracle::start(Folder::new(), args) else { return };
        if args.contains(&"--requirepass") {
            redis.authenticate("a \"b\" c");
        }
        assert_eq!(comparable(ours.get(&[b"*"])), comparable(redis.get(&[b"*"])), "{args:?}");
    }
}

#[test]
fn errors_are_those_of_redis() {
    let folder = Folder::new();
    for bad in [
        "nonsense",
        "hz",
        "hz 1 2",
        "  hz \"1  ",
        "\tHZ ten\t",
        "maxmemory lots",
        "# comment\n\nport 70000",
        "hz 10\nmaxmemory-policy what",
        "save 1",
        "save 0 0",
        "bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
        "replicaof localhost",
        "replicaof localhost x",
        "replicaof localhost 1\ncluster-enabled yes\nport 1\n#",
        "client-output-buffer-limit normal 1 2",
        "client-output-buffer-limit",
        "latency-tracking-info-percentiles 101",
        "shutdown-on-sigterm",
        "shutdown-on-sigterm \"save nosave\"",
        "dir",
        "dir /nowhere/at/all",
        "dir /etc/passwd",
        "unixsocketperm 8",
        "unixsocketperm 1777",
        "appendfilename a/b",
        "appendfilename \"\"",
        "dbfilename a/b",
        "activedefrag yes",
        "cluster-announce-hostname a_b",
        "notify-keyspace-events q",
        "notify-keyspace-events",
        "oom-score-adj-values 1 2",
        "lua-replicate-commands",
        "include",
        "include a b",
        "rename-command a",
        "user",
        "loadmodule",
        "sentinel monitor",
        "module.setting",
        "yes\x0b no",
    ] {
        // The last line stops a Redis that takes all the others.
        let file = folder.file("bad.conf", format!("{bad}\ncertainly bad\n"));
        let file = file.to_str().unwrap();
        let error = start(&[file]).err().unwrap();
        let ours =
            format!("{error}\n").replace(&format!("Moonshard {}", env!("CARGO_PKG_VERSION")), "Redis 7.0.15");
        let Some(output) = refusal(&folder.0, &[file]) else { return };
        assert_eq!(ours, String::from_utf8_lossy(&output.stderr), "{bad:?}");
        assert_eq!(output.status.code(), Some(1));
    }
    let file = folder.file("whole.conf", "replicaof localhost 1\ncluster-enabled yes\n");
    let error = start(&[file.to_str().unwrap()]).err().unwrap();
    let ours =
        format!("{error}\n").replace(&format!("Moonshard {}", env!("CARGO_PKG_VERSION")), "Redis 7.0.15");
    let Some(output) = refusal(&folder.0, &[file.to_str().unwrap()]) else { return };
    assert!(ours.ends_with("\nreplicaof directive not allowed in cluster mode\n"), "{ours}");
    assert_eq!(ours, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_distribution_s_file_is_read() {
    let Ok(text) = std::fs::read_to_string("/etc/redis/redis.conf") else {
        eprintln!("no readable /etc/redis/redis.conf here");
        return;
    };
    // Its log file and directory belong to somebody else.
    let is_ours = |line: &&str| !line.starts_with("logfile") && !line.starts_with("dir ");
    let text: String = text.lines().filter(is_ours).flat_map(|line| [line, "\n"]).collect();
    let launch = Config::from_text(text.as_bytes()).unwrap();
    assert_eq!(launch.config.load().daemonize, text.contains("\ndaemonize yes"));
}

/// What stands before the signature, and the lines after it in some order.
fn parts(text: &str) -> (String, Vec<String>) {
    // Redis' default for `bind`, which leaves an empty line there, is not ours.
    let text = text.replace("bind * -::*\n", "\n");
    let (before, after) = text.split_once("# Generated by CONFIG REWRITE\n").unwrap_or((&text, ""));
    let mut after: Vec<String> = after.lines().map(str::to_owned).collect();
    // Redis always writes the list of users, and the port with which the test starts it.
    let skip = |line: &str| line.is_empty() || line.starts_with("user default ") || line.starts_with("port ");
    after.retain(|line| !skip(line));
    after.sort();
    (before.to_owned(), after)
}

#[test]
fn files_are_rewritten_as_by_redis() {
    const CHANGES: [&[(&str, &str)]; 4] = [
        &[],
        &[("maxmemory", "3gb"), ("hz", "33"), ("timeout", "0"), ("save", ""), ("bind", "* -::*")],
        &[
            ("requirepass", "new\tpass"),
            ("masterauth", ""),
            ("save", "1000 1 2000 2 3000 3"),
            ("client-output-buffer-limit", "pubsub 32mb 8mb 60 replica 7 1536 9"),
            ("maxmemory-clients", "7%"),
            ("cluster-announce-ip", "10.0.0.1"),
            ("bind", ""),
        ],
        &[("notify-keyspace-events", "A"), ("notify-keyspace-events ", "x"), ("slave-priority", "100")],
    ];
    let sources = [
        fixture(),
        String::new(),
        "hz 20".to_owned(),
        "hz 20\r\n\r\n\r\n\r\n# Generated by CONFIG REWRITE\nmaxmemory 5\nhz 30\nsave 1 1\n\n".to_owned(),
        "user default on nopass ~* &* +@all\nrename-command DEBUG \"\"\n".replace("user", "#user"),
    ];
    for source in &sources {
        for changes in CHANGES {
            let folder = Folder::new();
            let ours_file = folder.file("ours.conf", source);
            let ours = start(&[ours_file.to_str().unwrap()]).unwrap().config;
            ours.update(|settings| settings.dir.0 = folder.0.clone());
            let pairs: Vec<_> =
                changes.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            let answer = super::set(&ours, &pairs);
            ours.rewrite(&[]).unwrap();
            let rewritten = std::fs::read_to_string(&ours_file).unwrap();
            assert_reads_back(&ours, &ours_file);

            let file = folder.file("redis.conf", source);
            let Some(mut redis) = Oracle::start(folder, &[file.to_str().unwrap()]) else { return };
            if source.contains("requirepass") {
                redis.authenticate(PASSWORD);
            }
            if !pairs.is_empty() {
                assert_eq!(redis.set(&pairs), answer);
            }
            assert_eq!(redis.rewrite(), b"OK");
            let theirs = std::fs::read_to_string(&file).unwrap();
            assert_eq!(parts(&rewritten), parts(&theirs), "{source}\n{changes:?}");
        }
    }
}

/// The rewritten file gives the same settings, and so does that file rewritten. (Its lines may move: as in Redis, the
/// first class of clients takes the line of another one.)
fn assert_reads_back(config: &Config, file: &Path) {
    for _ in 0..2 {
        let again = start(&[file.to_str().unwrap()]).unwrap().config;
        assert_eq!(again.get(&[b"*"]), config.get(&[b"*"]));
        again.rewrite(&[]).unwrap();
    }
}
