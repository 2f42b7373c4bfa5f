use super::*;
use moonshard_disk::{FaultyDisk, MemoryDisk, Operation, Rule};

fn entry(name: &str, sequence: i64) -> FileEntry {
    FileEntry { name: name.as_bytes().to_vec(), sequence }
}

fn reason(text: &str) -> (&'static str, Option<usize>) {
    let error = Manifest::parse(text.as_bytes()).unwrap_err();
    (error.reason, error.line.map(|(number, _)| number))
}

#[test]
fn what_is_written_is_read() {
    let mut manifest = Manifest::default();
    assert!(manifest.is_empty());
    assert_eq!(manifest.start_base(b"appendonly.aof", true).name, b"appendonly.aof.1.base.rdb");
    assert_eq!(manifest.start_increment(b"appendonly.aof").name, b"appendonly.aof.1.incr.aof");
    assert_eq!(
        manifest.format(),
        b"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    );
    assert_eq!(Manifest::parse(&manifest.format()).unwrap(), manifest);
}

#[test]
fn a_rewrite_moves_what_it_replaces_into_the_history() {
    let mut manifest = Manifest::default();
    manifest.start_base(b"a", true);
    for _ in 0..3 {
        manifest.start_increment(b"a");
    }
    manifest.start_base(b"a", false);
    manifest.retire_increments(1);
    let text = "file a.2.base.aof seq 2 type b\nfile a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type h\n\
                file a.1.base.rdb seq 1 type h\nfile a.3.incr.aof seq 3 type i\n";
    assert_eq!(String::from_utf8(manifest.format()).unwrap(), text);
    assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
    let data: Vec<_> = manifest.data().map(|file| file.name.as_slice()).collect();
    assert_eq!(data, [&b"a.2.base.aof"[..], b"a.3.incr.aof"]);
    assert_eq!(manifest.take_history().len(), 3);
    manifest.retire_increments(0);
    assert_eq!(manifest.take_history(), [entry("a.3.incr.aof", 3)]);
    assert_eq!(manifest.start_increment(b"a"), entry("a.4.incr.aof", 4));
}

#[test]
fn names_are_quoted_as_redis_does() {
    for (name, shown) in [
        ("plain-name_1.aof", "plain-name_1.aof"),
        ("it's", "\"it's\""),
        ("a b", "\"a b\""),
        ("a\"b\n", "\"a\\\"b\\n\""),
        ("ä", "\"\\xc3\\xa4\""),
    ] {
        let manifest = Manifest::of_single_file(name.as_bytes());
        assert_eq!(String::from_utf8(manifest.format()).unwrap(), format!("file {shown} seq 1 type b\n"));
    }
    for name in ["a b", "a\"b\n", "ä\t\x07\x08"] {
        let manifest = Manifest::of_single_file(name.as_bytes());
        assert_eq!(Manifest::parse(&manifest.format()).unwrap(), manifest);
    }
}

#[test]
fn what_may_stand_in_a_manifest() {
    let text = "# a comment\nfile \"x\\x41\" seq 07 type base\n  seq 2 TYPE i color blue FILE 'i 2' \t\r\n\
                type i file i3 seq 3.5\nfile h seq -9 type h\n#";
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    assert_eq!(manifest.base, Some(entry("xA", 7)));
    assert_eq!(manifest.increments, [entry("i 2", 2), entry("i3", 3)]);
    assert_eq!(manifest.history, [entry("h", -9)]);
    assert!(Manifest::parse(b"# nothing").unwrap().is_empty());
}

#[test]
fn what_is_refused_has_redis_words() {
    const MALFORMED: &str = "Invalid AOF manifest file format";
    for (text, expected, line) in [
        ("", "Found an empty AOF manifest", None),
        ("\n", MALFORMED, Some(1)),
        ("file a seq 1 type b\n\nfile b seq 1 type i\n", MALFORMED, Some(2)),
        ("file a seq 1\n", MALFORMED, Some(1)),
        ("file a seq 1 type b extra\n", MALFORMED, Some(1)),
        ("file a seq x type b\n", MALFORMED, Some(1)),
        ("file a seq 1 type ''\n", MALFORMED, Some(1)),
        ("file a seq 1 tipe b\n", MALFORMED, Some(1)),
        ("file \"a seq 1 type b\n", MALFORMED, Some(1)),
        ("file a/b seq 1 type b\n", "File can't be a path, just a filename", Some(1)),
        ("file a\\b seq 1 type b\n", "File can't be a path, just a filename", Some(1)),
        ("file a seq 1 type b\nfile b seq 2 type b\n", "Found duplicate base file information", Some(2)),
        ("file a seq 2 type i\nfile b seq 2 type i\n", "Found a non-monotonic sequence number", Some(2)),
        ("file a seq -2 type i\n", "Found a non-monotonic sequence number", Some(1)),
        ("file a seq 1 type x\n", "Unknown AOF file type", Some(1)),
        ("file a seq 1 type b", "The AOF manifest file contains too long line", None),
        ("file a\0 seq 1 type b\n", "The AOF manifest file contains too long line", None),
    ] {
        assert_eq!(reason(text), (expected, line), "{text:?}");
    }
}

#[test]
fn lines_are_as_long_as_redis_reads() {
    let name_of =
        |len: usize| format!("file {} seq 1 type b\n", "n".repeat(len - "file  seq 1 type b\n".len()));
    assert!(Manifest::parse(name_of(1024).as_bytes()).is_ok());
    assert_eq!(reason(&name_of(1025)), ("The AOF manifest file contains too long line", None));
    // The rest of a comment that is too long is a line of its own.
    let comment = |rest: &str| format!("#{}{rest}", "c".repeat(1023));
    assert_eq!(reason(&comment("more\n")), ("Invalid AOF manifest file format", Some(2)));
    assert!(Manifest::parse(comment("file a seq 1 type b\n").as_bytes()).unwrap().base.is_some());
}

#[test]
fn new_files_do_not_take_names_of_history() {
    let text =
        b"file a.2.base.rdb seq 2 type b\nfile a.5.incr.aof seq 5 type h\nfile a.3.base.rdb seq 3 type h\n";
    let mut manifest = Manifest::parse(text).unwrap();
    assert_eq!(manifest.start_increment(b"a"), entry("a.6.incr.aof", 6));
    assert_eq!(*manifest.start_base(b"a", true), entry("a.4.base.rdb", 4));
}

/// A small generator of numbers, so that a crash can be repeated.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn after_a_crash_there_is_the_old_manifest_or_the_new_one() {
    const LOG: &[u8] = b"log";
    let folder = Path::new("folder");
    let mut old = Manifest::default();
    old.start_base(LOG, true);
    old.start_increment(LOG);
    let mut new = old.clone();
    new.start_increment(LOG);
    let operations =
        [Operation::Create, Operation::Write, Operation::Sync, Operation::Rename, Operation::SyncDir];
    for seed in 0..500 {
        let mut chance = Chance(seed);
        let memory = MemoryDisk::default();
        memory.create_dir(folder).unwrap();
        old.write(&memory, folder, LOG).unwrap();
        // The power is lost after some operation, or after the last.
        let disk = FaultyDisk::new(Box::new(memory.clone()));
        let stop = chance.below(operations.len() + 1);
        let short = Some(chance.below(40));
        disk.add_rule(Rule { short, ..Rule::new(*operations.get(stop).unwrap_or(&Operation::List), "", 5) });
        let written = new.write(&disk, folder, LOG);
        memory.lose_power(&mut |bound| chance.below(bound));
        let found = Manifest::read(&memory, &manifest_path(folder, LOG)).unwrap().unwrap();
        assert!(found == new || (written.is_err() && found == old), "seed {seed}, stopped at {stop}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: Vec<u8>) {
        if let Ok(manifest) = Manifest::parse(&text) {
            proptest::prop_assert!(manifest.is_empty() || Manifest::parse(&manifest.format()).is_ok());
        }
    }

    #[test]
    fn any_names_come_back(names in proptest::collection::vec("[^/\\\\\0]{1,20}", 1..5)) {
        let mut manifest = Manifest::of_single_file(names[0].as_bytes());
        for (index, name) in names.iter().enumerate().skip(1) {
            manifest.increments.push(entry(name, index as i64));
        }
        let read = Manifest::parse(&manifest.format()).unwrap();
        proptest::prop_assert_eq!((read.base, read.increments), (manifest.base, manifest.increments));
    }
}
