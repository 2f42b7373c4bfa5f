//! `moonshard check`: what it says of files that redis-server wrote, whole, cut and changed, beside what Redis' own tools
//! say of them.
//!
//! `MOONSHARD_SEED` repeats a run, `MOONSHARD_DAMAGE` sets the number of changed files of each kind (60 without it).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_aof::Manifest;
use moonshard_aof::check::{self, Options, Report};
use moonshard_disk::SystemDisk;
use moonshard_tests::damage::{self, Rounds, Sample, change, changed_text, our_check, their_check};
use moonshard_tests::random::{self, Rng};
use moonshard_tests::server::{Kind, Server, moonshard_binary, temp_dir};
use moonshard_tests::waiting::WITHIN;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

fn examine(path: &Path, snapshot_only: bool) -> Report {
    let options = Options { snapshot_only, ..Options::default() };
    check::examine(&SystemDisk, path, options).unwrap()
}

/// What stricter is here than in Redis' tools: what Redis' server refuses to load although its tool lets it pass, streams
/// whose entries are not in order or beyond the last, and texts for which Redis makes up a score.
fn is_stricter(report: &Report) -> bool {
    let reasons = [
        "is no number of arguments",
        "in a number",
        "an annotation of more than",
        "a stream that is none",
        "a score that is no number",
    ];
    let text = report.to_string();
    !report.is_valid() && reasons.iter().any(|reason| text.contains(reason))
}

/// A log of one file, as versions before 7 wrote it: a snapshot, and commands behind it.
fn single_file(sample: &Sample) -> Vec<u8> {
    let parts = [".base.rdb", ".incr.aof"].map(|ending| fs::read(sample.file("log", ending)).unwrap());
    parts.concat()
}

#[test]
fn whole_files_are_valid_for_all() {
    let sample = Sample::make(&mut Rng::new(random::seed()), 60);
    for folder in ["log", "plain"] {
        let manifest = sample.file(folder, ".manifest");
        let ours = our_check(&[], &manifest);
        assert_eq!(
            (ours.code, their_check("redis-check-aof", &manifest).code),
            (Some(0), Some(0)),
            "{}",
            ours.text
        );
        assert!(ours.text.contains("Everything is valid."), "{}", ours.text);
        assert_eq!(our_check(&[], &sample.dir().join(folder)).code, Some(0));
        let report = examine(&manifest, false);
        assert_eq!(report.files.len(), 2);
        assert_eq!(report.files[0].snapshot.is_some(), folder == "log");
        assert!(report.files[1].commands.transactions >= 1);
        assert_eq!(report.files[0].commands.timestamps.is_some(), folder == "plain");
    }
    let old = sample.dir().join("old.aof");
    fs::write(&old, single_file(&sample)).unwrap();
    assert_eq!((our_check(&[], &old).code, their_check("redis-check-aof", &old).code), (Some(0), Some(0)));
    let file = &examine(&old, false).files[0];
    assert!(file.snapshot.as_ref().unwrap().keys > 0 && file.commands.commands > 0);
    for name in ["summed.rdb", "bare.rdb"] {
        let path = sample.dir().join(name);
        let ours = our_check(&[], &path);
        let theirs = their_check("redis-check-rdb", &path);
        assert_eq!((ours.code, theirs.code), (Some(0), Some(0)), "{}", ours.text);
        let facts = examine(&path, true).files[0].snapshot.clone().unwrap();
        assert!(theirs.text.contains(&format!("{} keys read", facts.keys)), "{facts:?} {}", theirs.text);
        assert!(theirs.text.contains(&format!("{} expires", facts.expiring)), "{facts:?} {}", theirs.text);
        assert_eq!(facts.has_checksum, name == "summed.rdb");
    }
}

#[test]
fn a_log_that_is_cut_anywhere_is_cut_to_the_same_length_as_by_redis() {
    let mut rng = Rng::new(random::seed());
    let sample = Sample::make(&mut rng, 8);
    let increment = sample.file("log", ".incr.aof");
    let whole = fs::read(&increment).unwrap();
    // The last bytes one by one: they hold a transaction and a timestamp.
    let mut lengths: Vec<usize> = (whole.len().saturating_sub(250)..whole.len()).collect();
    lengths.extend((0..damage_count()).map(|_| rng.below(whole.len())));
    for len in lengths {
        fs::write(&increment, &whole[..len]).unwrap();
        let ours = examine(&increment, false);
        let theirs = their_check("redis-check-aof", &increment);
        let kept = ours.files[0].repaired_len();
        if is_torn_annotation(&whole[..len]) {
            assert!(kept.is_some());
            continue;
        }
        assert_eq!(ours.is_valid(), theirs.code == Some(0), "{len}: {ours} {}", theirs.text);
        if let Some(kept) = kept {
            assert!(theirs.text.contains(&format!("ok_up_to={kept},")), "{len}: {ours} {}", theirs.text);
        }
    }
}

/// Redis passes over an annotation without an end, and would write its next command into it.
fn is_torn_annotation(bytes: &[u8]) -> bool {
    let line = bytes.rsplit(|&byte| byte == b'\n').next().unwrap();
    line.starts_with(b"#")
}

fn damage_count() -> usize {
    random::env_or("MOONSHARD_DAMAGE", 60)
}

#[test]
fn changed_logs_are_judged_as_by_redis() {
    let mut rng = Rng::new(random::seed());
    let sample = Sample::make(&mut rng, 8);
    let dir = temp_dir();
    let mut invalid = 0;
    let read = |folder, ending| fs::read(sample.file(folder, ending)).unwrap();
    for whole in [read("log", ".incr.aof"), read("plain", ".base.aof"), single_file(&sample)] {
        for round in 0..damage_count() {
            let path = dir.join("changed.aof");
            fs::write(&path, change(&mut rng, &whole)).unwrap();
            let ours = examine(&path, false);
            let theirs = their_check("redis-check-aof", &path);
            invalid += usize::from(!ours.is_valid());
            if ours.is_valid() != (theirs.code == Some(0)) && !is_stricter(&ours) {
                let torn = is_torn_annotation(&fs::read(&path).unwrap());
                assert!(!ours.is_valid() && torn, "round {round}: {ours}\n{}", theirs.text);
            }
        }
    }
    assert!(invalid > damage_count() / 2, "only {invalid} changes mattered");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn changed_snapshots_are_judged_as_by_redis() {
    let mut rng = Rng::new(random::seed());
    let sample = Sample::make(&mut rng, 8);
    let path = sample.dir().join("changed.rdb");
    for name in ["summed.rdb", "bare.rdb"] {
        let whole = fs::read(sample.dir().join(name)).unwrap();
        for round in 0..damage_count() {
            fs::write(&path, change(&mut rng, &whole)).unwrap();
            let ours = examine(&path, true);
            let theirs = their_check("redis-check-rdb", &path);
            let same = ours.is_valid() == (theirs.code == Some(0));
            assert!(same || is_stricter(&ours), "{name}, round {round}: {ours}\n{}", theirs.text);
        }
    }
}

/// The reason that redis-check-aof gives for refusing a manifest.
fn reason_of_redis(text: &str) -> Option<String> {
    let (_, after) = text.split_once("*** FATAL AOF MANIFEST FILE ERROR ***")?;
    let known = [
        "Found an empty AOF manifest",
        "The AOF manifest file contains too long line",
        "Invalid AOF manifest file format",
        "File can't be a path, just a filename",
        "Found duplicate base file information",
        "Found a non-monotonic sequence number",
        "Unknown AOF file type",
    ];
    let reason = known.iter().find(|reason| after.contains(**reason));
    Some((*reason.unwrap_or_else(|| panic!("{after}"))).to_owned())
}

#[test]
fn manifests_are_read_and_refused_as_by_redis() {
    const WORDS: &[&str] = &[
        "file ",
        "seq ",
        "type ",
        "b\n",
        "h\n",
        "i\n",
        "x\n",
        "a ",
        "\"q u\" ",
        "\"q ",
        "'s' ",
        "\"\\x41\\\"\" ",
        "0 ",
        "-1 ",
        "2\n",
        "007 ",
        "3x ",
        "a/b ",
        "\"a\\\\b\" ",
        "\n",
        "# c\n",
        "FILE ",
        "\t",
        "\r\n",
        "new 1 ",
        "\"\" ",
        "\"\\x00\" ",
    ];
    const TEXT: &str = "file x.2.base.rdb seq 2 type b\nfile x.1.incr.aof seq 1 type h\nfile x.2.incr.aof seq 2 type i\n\
                        # comment\nfile x.3.incr.aof seq 3 type i\n";
    let mut rng = Rng::new(random::seed());
    let dir = temp_dir();
    let path = dir.join("x.manifest");
    let mut refused = 0;
    for _ in 0..damage_count() * 5 {
        // The first line makes it a manifest for redis-check-aof, whatever follows.
        let text = format!("file x.9.incr.aof seq 9 type h\n{}", changed_text(&mut rng, TEXT, WORDS));
        fs::write(&path, &text).unwrap();
        let theirs = reason_of_redis(&their_check("redis-check-aof", &path).text);
        let ours = Manifest::parse(text.as_bytes()).err().map(|error| error.reason.to_owned());
        assert_eq!(ours, theirs, "{text:?}");
        refused += usize::from(ours.is_some());
    }
    assert!(refused > damage_count(), "only {refused} were refused");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn servers_start_with_the_manifests_with_which_redis_starts() {
    for (text, reason) in [
        ("", Some("Found an empty AOF manifest")),
        ("file a seq 1 type i", Some("The AOF manifest file contains too long line")),
        ("file a seq 1 type i\nfile a seq 1 type i\n", Some("Found a non-monotonic sequence number")),
        ("file a seq 1 type b\nfile b seq 2 type b\n", Some("Found duplicate base file information")),
        ("file ../a seq 1 type b\n", Some("File can't be a path, just a filename")),
        ("file a seq 1 type z\n", Some("Unknown AOF file type")),
        ("file a seq 0 type b\n", Some("Invalid AOF manifest file format")),
        ("file \"a seq 1 type b\n", Some("Invalid AOF manifest file format")),
        ("# none\n", None),
        ("file \"the \\x61\" seq 7 type i color 'dark blue'\nfile gone seq 1 type h\n", None),
        ("file a seq 1 type b\nfile 'the a' SEQ 2 type increment\n", None),
    ] {
        let dir = temp_dir();
        let starts = [Kind::Redis, Kind::Moonshard].map(|kind| {
            let folder = dir.join("appendonlydir");
            fs::create_dir_all(&folder).unwrap();
            for name in ["a", "the a"] {
                fs::write(folder.join(name), "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n").unwrap();
            }
            fs::write(folder.join("appendonly.aof.manifest"), text).unwrap();
            let args = ["--appendonly", "yes", "--dir", dir.to_str().unwrap()];
            let outcome = match Server::try_start(kind, &args) {
                Ok(server) => Ok(server.connect().ask("DBSIZE").raw),
                Err(log) => Err(log),
            };
            fs::remove_dir_all(&folder).unwrap();
            outcome
        });
        fs::remove_dir_all(dir).unwrap();
        match (reason, &starts) {
            (None, [Ok(theirs), Ok(ours)]) => assert_eq!(ours, theirs, "{text:?}"),
            (Some(reason), [Err(theirs), Err(ours)]) => {
                assert!(theirs.contains(reason) && ours.contains(reason), "{text:?}: {theirs}\n{ours}");
            }
            _ => panic!("{text:?}: {starts:?}"),
        }
    }
}

/// Runs `moonshard check` with an answer to its question.
fn answered(args: &[&str], answer: &str) -> (Option<i32>, String) {
    let mut child = Command::new(moonshard_binary())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_torn_end_is_cut_off_when_asked_to() {
    let sample = Sample::make(&mut Rng::new(random::seed()), 8);
    let (manifest, increment) = (sample.file("log", ".manifest"), sample.file("log", ".incr.aof"));
    let manifest = manifest.to_str().unwrap();
    let whole = fs::read(&increment).unwrap();
    let torn = [whole.as_slice(), b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n"].concat();
    fs::write(&increment, &torn).unwrap();
    for (args, answer) in [
        (&["check", manifest][..], ""),
        (&["check", "--fix", manifest], "n\n"),
        (&["check", "--fix", manifest], ""),
    ] {
        let (code, text) = answered(args, answer);
        assert_eq!(code, Some(1), "{text}");
        assert_eq!(fs::read(&increment).unwrap(), torn);
    }
    assert!(answered(&["check", manifest], "").1.contains(&format!("moonshard check --fix {manifest}")));
    for (args, answer) in
        [(&["check", "--fix", manifest][..], "y\n"), (&["check", "--fix", "--yes", manifest], "")]
    {
        fs::write(&increment, &torn).unwrap();
        let (code, text) = answered(args, answer);
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(fs::read(&increment).unwrap(), whole);
        assert_eq!(their_check("redis-check-aof", Path::new(manifest)).code, Some(0));
    }
    // The increment of a rewrite that has just begun is named, and nothing is in it.
    let mut text = fs::read_to_string(manifest).unwrap();
    text.push_str("file begun seq 99 type i\n");
    fs::write(manifest, text).unwrap();
    fs::write(Path::new(manifest).with_file_name("begun"), "").unwrap();
    fs::write(&increment, &torn).unwrap();
    let (code, text) = answered(&["check", "--fix", "--yes", manifest], "");
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(fs::read(&increment).unwrap(), whole);
}

#[test]
fn commands_that_cannot_be_loaded_are_found_out() {
    let dir = temp_dir();
    let path = dir.join("old.aof");
    let good = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
    for bad in ["*3\r\n$3\r\nSXT\r\n$1\r\na\r\n$1\r\n1\r\n", "*2\r\n$3\r\nSET\r\n$1\r\na\r\n"] {
        let transaction = format!("*1\r\n$5\r\nMULTI\r\n{good}{bad}*1\r\n$4\r\nEXEC\r\n");
        for behind in [bad, &transaction] {
            fs::write(&path, format!("{good}{behind}{good}")).unwrap();
            // Redis' tool knows no commands.
            assert_eq!(their_check("redis-check-aof", &path).code, Some(0));
            let outcome = our_check(&[], &path);
            let offset = good.len() + behind.find(bad).unwrap();
            assert_eq!(outcome.code, Some(1), "{}", outcome.text);
            assert!(outcome.text.contains(&format!("at byte {offset}: ERR ")), "{}", outcome.text);
            assert_eq!(our_check(&["--fix", "--yes"], &path).code, Some(0));
            assert_eq!(fs::read_to_string(&path).unwrap(), good);
        }
    }
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_cutting_does_not_heal_is_left_alone() {
    let sample = Sample::make(&mut Rng::new(random::seed()), 8);
    for (folder, ending) in [("log", ".base.rdb"), ("plain", ".base.aof")] {
        let (manifest, base) = (sample.file(folder, ".manifest"), sample.file(folder, ending));
        let mut bytes = fs::read(&base).unwrap();
        bytes.truncate(bytes.len() / 2);
        fs::write(&base, &bytes).unwrap();
        let outcome = our_check(&["--fix", "--yes"], &manifest);
        assert_eq!(outcome.code, Some(1), "{}", outcome.text);
        assert_eq!(fs::read(&base).unwrap(), bytes);
        assert_ne!(their_check("redis-check-aof", &manifest).code, Some(0));
        fs::remove_file(&base).unwrap();
        let outcome = our_check(&[], &manifest);
        assert!(outcome.code == Some(1) && outcome.text.contains("CANNOT BE READ"), "{}", outcome.text);
    }
}

#[test]
fn a_log_goes_back_to_a_moment() {
    let dir = temp_dir();
    let path = dir.join("old.aof");
    let command = "*1\r\n$8\r\nFLUSHALL\r\n";
    let text = format!("{command}#TS:100\r\n{command}#TS:200\r\n{command}#TS:300\r\n{command}*1\r\n$5");
    let kept = format!("{command}#TS:100\r\n{command}#TS:200\r\n{command}");
    for (seconds, code, left) in [("299", 0, kept.as_str()), ("50", 0, command), ("300", 1, &text)] {
        fs::write(&path, &text).unwrap();
        let outcome = our_check(&["--truncate-to-timestamp", seconds], &path);
        assert_eq!(outcome.code, Some(code), "{}", outcome.text);
        assert_eq!(fs::read_to_string(&path).unwrap(), left, "{seconds}");
    }
    fs::write(&path, &text[command.len()..]).unwrap();
    assert_eq!(our_check(&["--truncate-to-timestamp", "50"], &path).code, Some(1));
    assert_eq!(fs::read_to_string(&path).unwrap(), text[command.len()..]);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn by_the_names_of_redis_tools_it_takes_their_arguments() {
    let sample = Sample::make(&mut Rng::new(random::seed()), 8);
    let tools = ["redis-check-aof", "redis-check-rdb"].map(|name| {
        let path = sample.dir().join(name);
        symlink(moonshard_binary(), &path).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let [aof, rdb] = &tools;
    let (manifest, snapshot) = (sample.file("log", ".manifest"), sample.dir().join("bare.rdb"));
    assert_eq!(their_check(aof, &manifest).code, Some(0));
    assert_eq!(their_check(rdb, &snapshot).code, Some(0));
    assert_eq!(their_check(rdb, &manifest).code, Some(1));
    assert_eq!(their_check(rdb, Path::new("-v")).text, "redis-check-rdb 7.0.15\n");
    assert_eq!(their_check(aof, Path::new("/no/such/file")).code, Some(1));
    let increment = sample.file("log", ".incr.aof");
    let whole = fs::read(&increment).unwrap();
    fs::write(&increment, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(their_check(aof, &manifest).code, Some(1));
    let outcome = damage::run(Path::new(aof), &["--fix", manifest.to_str().unwrap()], WITHIN);
    assert_eq!(outcome.code, Some(1), "without an answer nothing is cut: {}", outcome.text);
    for args in [&[][..], &["--what"], &["a", "b"]] {
        for tool in &tools {
            let outcome = damage::run(Path::new(tool), args, WITHIN);
            assert!(
                outcome.code == Some(1) && outcome.text.contains("Usage: redis-check-"),
                "{}",
                outcome.text
            );
        }
    }
}

#[test]
fn changed_files_never_make_the_check_or_a_server_crash() {
    let mut rng = Rng::new(random::seed());
    let sample = Sample::make(&mut rng, 8);
    let mut rounds = Rounds::default();
    for round in 0..damage_count() {
        rounds.next(&mut rng, &sample).unwrap_or_else(|failure| panic!("round {round}: {failure}"));
    }
    println!("{rounds}");
}
