//! Corpus files: commands that go to both servers, one on a line, quoted as in redis-cli.
//!
//! A line that starts with `#` is a comment. One that starts with `@` says how the next command is compared, or does
//! something itself:
//!
//! | directive | meaning |
//! |---|---|
//! | `@once` | the file runs once, in RESP2; without it, once in RESP2 and once in RESP3 |
//! | `@args --name value` | both servers of this file are started with these arguments as well |
//! | `@unordered`, `@pairs`, `@deep`, `@type-only`, `@shape`, `@near N`, `@full-scan`, `@error-code`, `@field-names` | how the next reply is compared, see [`Compare`] |
//! | `@mask name,name` | values of these names in the next reply are not compared |
//! | `@ours-differs "bytes" reason` | the next reply of Moonshard is these bytes, on purpose |
//! | `@needs NAME` | the next line is skipped while Moonshard does not have this command, which it uses in a script |
//! | `@resp2`, `@resp3` | new connections that speak this version |
//! | `@flush` | FLUSHALL and new connections |
//! | `@on NAME` | the following commands use the connections of this name |
//! | `@read` | reads one more reply or push and compares it |
//! | `@send COMMAND` | sends a command and does not wait for its reply |
//! | `@raw N "bytes"` | sends bytes as they are and compares N replies |
//! | `@eof` | both servers close the connection; what they still sent is compared |
//! | `@blocked N` | waits until so many clients of each server are blocked |
//! | `@sleep MS` | waits until what was to be due after less time is due |
//! | `@repeat FROM TO COMMAND` | the command once for each number, which stands for every `$i` in it |

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::oracle::{Check, Compare, Mismatch, Pair};
use crate::server::Server;
use crate::waiting::WITHIN;

/// What a line of a corpus does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sends a command and compares the replies.
    Command(Vec<Vec<u8>>),
    /// The same for every number from the first to the second.
    Repeat(i64, i64, Vec<Vec<u8>>),
    /// Sends a command only.
    Send(Vec<Vec<u8>>),
    /// Sends these bytes and compares so many replies.
    Raw(usize, Vec<u8>),
    /// Compares one more reply.
    Read,
    /// Compares what comes until the connections end.
    Eof,
    /// New connections with this version of RESP.
    Protocol(u8),
    /// Empties both servers; new connections.
    Flush,
    /// Waits until so many clients are blocked.
    Blocked(usize),
    /// Waits.
    Sleep(Duration),
    /// Changes to the connections of this name.
    On(String),
}

/// A line of a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub line: usize,
    /// What it does.
    pub action: Action,
    /// How the replies are compared.
    pub check: Check,
    /// A command that the line uses inside a script.
    pub needs: Option<Vec<u8>>,
}

/// A parsed corpus file.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    /// Its lines in order.
    pub entries: Vec<Entry>,
    /// Whether it runs in RESP2 only.
    pub once: bool,
    /// More arguments for both servers.
    pub args: Vec<String>,
}

impl Corpus {
    /// Reads and parses a file.
    ///
    /// # Panics
    /// When a line is wrong; the message names it.
    pub fn load(path: &Path) -> Corpus {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Corpus::parse(&text).unwrap_or_else(|e| panic!("{}:{e}", path.display()))
    }

    /// Parses a file's text.
    ///
    /// # Errors
    /// The number of a line that makes no sense, and why.
    pub fn parse(text: &str) -> Result<Corpus, String> {
        let mut corpus = Corpus::default();
        let mut check = Check::default();
        let mut needs = None;
        for (index, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), index + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = |why: &str| format!("{number}: {why}: {line}");
            let words = split_args(line.as_bytes()).ok_or_else(|| fail("unbalanced quotes"))?;
            let action = if words[0] == b"@needs" {
                needs = Some(words.get(1).ok_or_else(|| fail("no name"))?.clone());
                continue;
            } else if line.starts_with('@') {
                match directive(&words, &mut corpus, &mut check).ok_or_else(|| fail("no such directive"))? {
                    Some(action) => action,
                    None => continue,
                }
            } else {
                Action::Command(words)
            };
            let (check, needs) = (std::mem::take(&mut check), needs.take());
            corpus.entries.push(Entry { line: number, action, check, needs });
        }
        if check != Check::default() {
            return Err("the last directive has no command".to_owned());
        }
        Ok(corpus)
    }
}

/// Applies a directive; the inner none is one that only changes what follows.
fn directive(words: &[Vec<u8>], corpus: &mut Corpus, check: &mut Check) -> Option<Option<Action>> {
    let text = |i: usize| words.get(i).map(|w| String::from_utf8_lossy(w).into_owned());
    let number = |i: usize| text(i).and_then(|t| t.parse::<i64>().ok());
    match text(0)?.as_str() {
        "@once" => corpus.once = true,
        "@args" => corpus.args.extend((1..words.len()).filter_map(text)),
        "@unordered" => check.compare = Compare::Unordered,
        "@pairs" => check.compare = Compare::Pairs,
        "@deep" => check.compare = Compare::Deep,
        "@type-only" => check.compare = Compare::TypeOnly,
        "@shape" => check.compare = Compare::Shape,
        "@near" => check.compare = Compare::Near(number(1)?),
        "@full-scan" => check.compare = Compare::FullScan,
        "@error-code" => check.compare = Compare::ErrorCode,
        "@field-names" => check.compare = Compare::FieldNames,
        "@mask" => check.mask = text(1)?.split(',').map(|name| name.as_bytes().to_vec()).collect(),
        "@ours-differs" => {
            text(2)?; // A difference without a reason is none.
            check.ours = Some(words[1].clone());
        }
        "@resp2" => return Some(Some(Action::Protocol(2))),
        "@resp3" => return Some(Some(Action::Protocol(3))),
        "@flush" => return Some(Some(Action::Flush)),
        "@on" => return Some(Some(Action::On(text(1)?))),
        "@read" => return Some(Some(Action::Read)),
        "@send" => return Some(Some(Action::Send(words[1..].to_vec()))),
        "@eof" => return Some(Some(Action::Eof)),
        "@raw" => return Some(Some(Action::Raw(usize::try_from(number(1)?).ok()?, words.get(2)?.clone()))),
        "@blocked" => return Some(Some(Action::Blocked(usize::try_from(number(1)?).ok()?))),
        "@sleep" => return Some(Some(Action::Sleep(Duration::from_millis(number(1)?.unsigned_abs())))),
        "@repeat" => return Some(Some(Action::Repeat(number(1)?, number(2)?, words.get(3..)?.to_vec()))),
        _ => return None,
    }
    Some(None)
}

/// Splits a line into arguments as redis-cli does; none when quotes are unbalanced.
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut args = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        if at == line.len() {
            return Some(args);
        }
        let mut arg = Vec::new();
        while let Some(&byte) = line.get(at).filter(|b| !b.is_ascii_whitespace()) {
            at += 1;
            match byte {
                b'"' => at = double_quoted(line, at, &mut arg)?,
                b'\'' => at = single_quoted(line, at, &mut arg)?,
                _ => arg.push(byte),
            }
        }
        args.push(arg);
    }
}

fn double_quoted(line: &[u8], mut at: usize, arg: &mut Vec<u8>) -> Option<usize> {
    loop {
        let byte = *line.get(at)?;
        at += 1;
        match byte {
            b'"' => return Some(at),
            b'\\' => {
                let escaped = *line.get(at)?;
                at += 1;
                arg.push(match escaped {
                    b'x' => {
                        let digits = std::str::from_utf8(line.get(at..at + 2)?).ok()?;
                        at += 2;
                        u8::from_str_radix(digits, 16).ok()?
                    }
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
            }
            other => arg.push(other),
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, arg: &mut Vec<u8>) -> Option<usize> {
    loop {
        match (*line.get(at)?, line.get(at + 1)) {
            (b'\'', _) => return Some(at + 1),
            (b'\\', Some(b'\'')) => {
                arg.push(b'\'');
                at += 2;
            }
            (other, _) => {
                arg.push(other);
                at += 1;
            }
        }
    }
}

/// The commands that Moonshard does not have yet: lines with them are skipped, and counted.
#[derive(Clone, Debug, Default)]
pub struct NotYet {
    names: Vec<String>,
}

impl NotYet {
    /// Reads the list: one name (`GEOADD`, `CLIENT TRACKING`) a line, comments with `#`.
    pub fn load(path: &Path) -> NotYet {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        NotYet::parse(&text)
    }

    /// Reads a list from its text.
    pub fn parse(text: &str) -> NotYet {
        let names = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .collect();
        NotYet { names }
    }

    /// The names, in lower case.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the command is one of them.
    pub fn covers(&self, command: &[Vec<u8>]) -> bool {
        let word = |i: usize| {
            command.get(i).map(|w| String::from_utf8_lossy(w).to_ascii_lowercase()).unwrap_or_default()
        };
        let (first, both) = (word(0), format!("{} {}", word(0), word(1)));
        self.names.iter().any(|name| *name == first || *name == both)
    }
}

/// Whether the command (in lower case) is in the list of those that Moonshard does not have yet; says so if it is.
pub fn is_not_yet(name: &str) -> bool {
    let found = NotYet::load(&folder().join("NOT_YET")).names.iter().any(|listed| listed == name);
    if found {
        println!("SKIPPED: {name} is in NOT_YET");
    }
    found && !crate::server::under_test_is_redis()
}

/// What came of running a corpus.
#[derive(Default)]
pub struct Report {
    /// Replies compared.
    pub compared: usize,
    /// Lines skipped because Moonshard does not have the command yet.
    pub skipped: usize,
    /// The lines that failed.
    pub failures: Vec<(usize, Mismatch)>,
}

/// Runs a corpus against two servers.
pub struct Runner<'a> {
    ours: &'a Server,
    theirs: &'a Server,
    not_yet: &'a NotYet,
    protocol: u8,
    connections: HashMap<String, Pair>,
    /// Connections that wait for a reply or push to something that was skipped or has failed.
    silent: HashSet<String>,
    current: String,
    report: Report,
}

impl<'a> Runner<'a> {
    /// A runner whose connections speak this version of RESP until the corpus says otherwise.
    pub fn new(ours: &'a Server, theirs: &'a Server, not_yet: &'a NotYet, protocol: u8) -> Self {
        Runner {
            ours,
            theirs,
            not_yet,
            protocol,
            connections: HashMap::new(),
            silent: HashSet::new(),
            current: String::new(),
            report: Report::default(),
        }
    }

    /// Runs all lines after a FLUSHALL. Every failing line is recorded; after one, the connections are new.
    pub fn run(mut self, corpus: &Corpus) -> Report {
        self.flush();
        for entry in &corpus.entries {
            match &entry.action {
                _ if entry
                    .needs
                    .as_ref()
                    .is_some_and(|name| self.not_yet.covers(std::slice::from_ref(name))) =>
                {
                    self.report.skipped += 1;
                }
                Action::Command(c) | Action::Send(c) | Action::Repeat(_, _, c) if self.not_yet.covers(c) => {
                    self.report.skipped += 1;
                    self.silent.insert(self.current.clone());
                }
                Action::Read if self.silent.contains(&self.current) => self.report.skipped += 1,
                action => self.act(entry, action),
            }
        }
        self.report
    }

    fn act(&mut self, entry: &Entry, action: &Action) {
        let result = match action {
            Action::Command(command) => self.compared(|pair| pair.check(command, &entry.check)),
            Action::Repeat(from, to, command) => self.repeat(*from, *to, command, &entry.check),
            Action::Send(command) => self.pair().send(command),
            Action::Raw(replies, bytes) => {
                self.report.compared += replies;
                self.pair().raw(*replies, bytes, &entry.check)
            }
            Action::Read => self.compared(|pair| pair.read(&entry.check)),
            Action::Eof => {
                let result = self.compared(Pair::eof);
                self.connections.remove(&self.current);
                result
            }
            Action::Protocol(version) => {
                self.protocol = *version;
                self.connections.clear();
                self.silent.clear();
                Ok(())
            }
            Action::Flush => {
                self.flush();
                Ok(())
            }
            Action::Blocked(count) => self.wait_for_blocked(*count),
            Action::Sleep(time) => {
                std::thread::sleep(*time);
                Ok(())
            }
            Action::On(name) => {
                self.current.clone_from(name);
                Ok(())
            }
        };
        if let Err(mismatch) = result {
            let broken = mismatch.ours.starts_with("no reply") || mismatch.theirs.starts_with("no reply");
            self.report.failures.push((entry.line, mismatch));
            if broken {
                self.connections.remove(&self.current);
                self.silent.insert(self.current.clone());
            }
        }
    }

    fn wait_for_blocked(&self, count: usize) -> Result<(), Mismatch> {
        let wanted = format!("blocked_clients:{count}\r\n");
        let deadline = Instant::now() + WITHIN;
        let wait = |server: &Server| {
            let mut client = server.connect();
            loop {
                let info = client.ask("INFO clients").text();
                if info.contains(&wanted) {
                    return Ok(());
                }
                if Instant::now() > deadline {
                    return Err(info);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        match (wait(self.ours), wait(self.theirs)) {
            (Ok(()), Ok(())) => Ok(()),
            (ours, theirs) => {
                let shown = |outcome: Result<(), String>| outcome.err().unwrap_or_default();
                Err(Mismatch {
                    sent: format!("@blocked {count}"),
                    ..mismatch(&[], &shown(ours), &shown(theirs))
                })
            }
        }
    }

    fn compared(&mut self, step: impl FnOnce(&mut Pair) -> Result<(), Mismatch>) -> Result<(), Mismatch> {
        self.report.compared += 1;
        step(self.pair())
    }

    fn repeat(&mut self, from: i64, to: i64, command: &[Vec<u8>], check: &Check) -> Result<(), Mismatch> {
        for i in from..=to {
            let filled: Vec<Vec<u8>> = command.iter().map(|word| with_number(word, i)).collect();
            self.compared(|pair| pair.check(&filled, check))?;
        }
        Ok(())
    }

    fn pair(&mut self) -> &mut Pair {
        let (ours, theirs, protocol) = (self.ours, self.theirs, self.protocol);
        self.connections.entry(self.current.clone()).or_insert_with(|| {
            let mut pair = Pair::connect(ours, theirs, protocol);
            pair.ours.set_timeout(WITHIN);
            pair.theirs.set_timeout(WITHIN);
            pair
        })
    }

    fn flush(&mut self) {
        self.connections.clear();
        self.silent.clear();
        Pair::connect(self.ours, self.theirs, 2).both(&["FLUSHALL"]);
    }
}

/// A script can answer with thousands of nested arrays, and a reply's tree is walked by recursion.
fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 20).spawn_scoped(scope, work);
        thread.unwrap().join().unwrap()
    })
}

fn with_number(word: &[u8], i: i64) -> Vec<u8> {
    String::from_utf8_lossy(word).replace("$i", &i.to_string()).into_bytes()
}

impl Pair {
    fn send(&mut self, command: &[Vec<u8>]) -> Result<(), Mismatch> {
        let sent = self.ours.send(command).and(self.theirs.send(command));
        sent.map_err(|e| mismatch(command, &format!("no reply: {e}"), ""))
    }

    fn raw(&mut self, replies: usize, bytes: &[u8], check: &Check) -> Result<(), Mismatch> {
        let sent = self.ours.send_raw(bytes).and(self.theirs.send_raw(bytes));
        sent.map_err(|e| mismatch(&[bytes.to_vec()], &format!("no reply: {e}"), ""))?;
        for _ in 0..replies {
            self.read(check).map_err(|m| Mismatch { sent: format!("\"{}\"", bytes.escape_ascii()), ..m })?;
        }
        Ok(())
    }

    fn eof(&mut self) -> Result<(), Mismatch> {
        let show = |end: std::io::Result<Vec<u8>>| match end {
            Ok(bytes) => format!("closed after \"{}\"", bytes.escape_ascii()),
            Err(_) => "no reply: still open".to_owned(),
        };
        let (ours, theirs) = (show(self.ours.read_to_end()), show(self.theirs.read_to_end()));
        if ours == theirs && ours.starts_with("closed") { Ok(()) } else { Err(mismatch(&[], &ours, &theirs)) }
    }
}

fn mismatch(command: &[Vec<u8>], ours: &str, theirs: &str) -> Mismatch {
    let sent = if command.is_empty() { "@eof".to_owned() } else { crate::oracle::show_command(command) };
    Mismatch { sent, ours: ours.to_owned(), theirs: theirs.to_owned(), compare: Compare::Exact }
}

/// The folder with the corpus files.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Runs a corpus file, in RESP2 and RESP3, against servers started for it; `ours` starts the server under test with
/// the file's arguments.
///
/// # Panics
/// When a reply differs, with all differing lines.
pub fn run_file(name: &str, ours: impl Fn(&[&str]) -> Server) {
    let path = folder().join(format!("{name}.txt"));
    let corpus = Corpus::load(&path);
    let not_yet = NotYet::load(&folder().join("NOT_YET"));
    let args: Vec<&str> = corpus.args.iter().map(String::as_str).collect();
    let (ours, theirs) = (ours(&args), Server::redis(&args));
    let mut failures = String::new();
    let mut count = 0;
    for protocol in if corpus.once { &[2][..] } else { &[2, 3][..] } {
        let runner = Runner::new(&ours, &theirs, &not_yet, *protocol);
        let report = on_a_large_stack(|| runner.run(&corpus));
        println!(
            "{name}, RESP{protocol}: {} replies compared, {} lines skipped as NOT_YET, {} failed",
            report.compared,
            report.skipped,
            report.failures.len()
        );
        count += report.failures.len();
        for (line, mismatch) in report.failures.iter().take(60) {
            let _ = writeln!(failures, "{name}.txt:{line} (RESP{protocol})\n{mismatch}");
        }
    }
    assert!(failures.is_empty(), "{count} replies differ:\n{failures}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_is_that_of_redis_cli() {
        let args = split_args(br#"SET  "a\x00\r\n\"b" 'it\'s \n' c"d""#).unwrap();
        assert_eq!(args, [&b"SET"[..], b"a\0\r\n\"b", b"it's \\n", b"cd"]);
        assert_eq!(split_args(b"\"open"), None);
        assert_eq!(split_args(b"\"\"").unwrap(), [b""]);
    }

    #[test]
    fn a_directive_holds_for_one_command() {
        let corpus =
            Corpus::parse("# c\n@unordered\nKEYS *\nGET a\n@ours-differs \"+x\\r\\n\" why\nPING").unwrap();
        assert_eq!(corpus.entries[0].check.compare, Compare::Unordered);
        assert_eq!(corpus.entries[1].check, Check::default());
        assert_eq!(corpus.entries[2].check.ours.as_deref(), Some(&b"+x\r\n"[..]));
        assert_eq!(corpus.entries[2].line, 6);
    }

    #[test]
    fn wrong_lines_are_refused() {
        for text in ["@nonsense\nPING", "SET \"a", "PING\n@unordered", "@ours-differs \"x\"\nPING"] {
            assert!(Corpus::parse(text).is_err(), "{text}");
        }
    }
}
