//! What is known beforehand about the suite's files: how many tests redis-server reaches in each, and which of them are
//! not for Moonshard.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::{FileRun, Outcome};
use crate::corpus::NotYet;

/// How a test in the list of exceptions is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exception {
    /// It runs and fails. Once it passes it must leave the list.
    Fails,
    /// It passes on one run and fails on another, on redis-server too.
    Varies,
    /// It needs a command that Moonshard does not have yet; what is around it may need it too. Once the command is
    /// there, the test must leave the list.
    Awaits(String),
    /// It is not run: it would hang, or take the rest of its file with it.
    LeftOut,
}

/// Tests that may do other than pass, with a reason each.
#[derive(Debug, Default)]
pub struct Exceptions {
    /// By file, then by the test's name.
    files: BTreeMap<String, BTreeMap<String, Exception>>,
}

impl Exceptions {
    /// Those of the repository, `tests/tcl/skip.txt`.
    ///
    /// # Panics
    /// When the list is malformed.
    pub fn load() -> Exceptions {
        let path = folder().join("skip.txt");
        let text = fs::read_to_string(&path).unwrap();
        Exceptions::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Reads a list: a file's name at the start of a line, a test's name behind two blanks, and behind four the kind
    /// of exception (`fails`, `varies`, `left out`, `awaits COMMAND`), a colon and the reason.
    ///
    /// # Errors
    /// The line that is wrong, in words.
    pub fn parse(text: &str) -> Result<Exceptions, String> {
        let mut files: BTreeMap<String, BTreeMap<String, Exception>> = BTreeMap::new();
        let (mut file, mut test) = (None, None);
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: &str| Err(format!("line {}: {what}: {line}", index + 1));
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(reason) = line.strip_prefix("    ") {
                let (Some(file), Some(test)) = (&file, test.take()) else {
                    return wrong("a reason for no test");
                };
                let kind = match reason.split_once(": ").map(|(kind, why)| (kind, why.trim().is_empty())) {
                    Some(("fails", false)) => Exception::Fails,
                    Some(("varies", false)) => Exception::Varies,
                    Some(("left out", false)) => Exception::LeftOut,
                    Some((kind, false)) if kind.starts_with("awaits ") => {
                        Exception::Awaits(kind[7..].to_owned())
                    }
                    _ => {
                        return wrong(
                            "no `fails: why`, `varies: why`, `left out: why`, `awaits COMMAND: why`",
                        );
                    }
                };
                let tests: &mut BTreeMap<_, _> = files.entry(String::clone(file)).or_default();
                if tests.insert(test, kind).is_some() {
                    return wrong("the test is listed twice");
                }
                continue;
            }
            if test.is_some() {
                return wrong("no reason given for the test before");
            }
            match line.strip_prefix("  ") {
                Some(name) if file.is_some() => test = Some(name.replace("\\n", "\n")),
                Some(_) => return wrong("a test of no file"),
                None => file = Some(line.trim_end().to_owned()),
            }
        }
        if test.is_some() { Err("the last test has no reason".into()) } else { Ok(Exceptions { files }) }
    }

    /// The tests of a file that are not to be run.
    pub fn left_out(&self, file: &str) -> Vec<&str> {
        let tests = self.files.get(file).into_iter().flatten();
        tests.filter(|(_, kind)| **kind == Exception::LeftOut).map(|(name, _)| name.as_str()).collect()
    }

    /// The files that are mentioned.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    fn of(&self, file: &str, test: &str) -> Option<&Exception> {
        self.files.get(file)?.get(test)
    }

    /// The commands that tests of a file wait for.
    fn awaited(&self, file: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files.get(file).into_iter().flatten().filter_map(|(test, kind)| match kind {
            Exception::Awaits(command) => Some((test.as_str(), command.as_str())),
            _ => None,
        })
    }
}

/// How many tests redis-server reaches in each file, those that are left out among them; in the order of the suite.
#[derive(Debug, Default)]
pub struct Reference {
    /// File, number of tests.
    pub files: Vec<(String, usize)>,
}

impl Reference {
    /// That of the repository, `tests/tcl/reference`: lines of a file's name and a number.
    ///
    /// # Panics
    /// When it is malformed.
    pub fn load() -> Reference {
        let text = fs::read_to_string(folder().join("reference")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let files = lines.map(|line| {
            let (file, count) = line.split_once(' ').unwrap_or_else(|| panic!("reference: {line}"));
            (file.to_owned(), count.trim().parse().unwrap_or_else(|_| panic!("reference: {line}")))
        });
        Reference { files: files.collect() }
    }

    /// The number of a file's tests.
    pub fn count(&self, file: &str) -> Option<usize> {
        self.files.iter().find(|(name, _)| name == file).map(|(_, count)| *count)
    }
}

/// Something about a file's run that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// A test failed: its name and what the suite says.
    Failed(String, String),
    /// An error in the code around the tests.
    Outside(String),
    /// Fewer tests were reached than redis-server reaches: how many, and how many there.
    Fewer(usize, usize),
    /// A listed test passes.
    Passes(String),
    /// A listed test does not exist.
    Unknown(String),
    /// A listed test waits for a command that is there.
    Arrived(String, String),
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Complaint::Failed(test, why) => {
                write!(f, "failed: {test}\n    {}", why.trim().replace('\n', "\n    "))
            }
            Complaint::Outside(why) => write!(f, "outside of tests: {}", why.trim().replace('\n', "\n    ")),
            Complaint::Fewer(here, there) => write!(f, "{here} tests reached, redis-server reaches {there}"),
            Complaint::Passes(test) => write!(f, "passes, so take it out of skip.txt: {test}"),
            Complaint::Arrived(test, command) => {
                write!(f, "Moonshard has {command}, so take it out of skip.txt: {test}")
            }
            Complaint::Unknown(test) => write!(f, "is in skip.txt and nowhere in the file: {test}"),
        }
    }
}

/// What is wrong with a run, given what is known.
pub fn complaints(
    run: &FileRun,
    exceptions: &Exceptions,
    not_yet: &NotYet,
    reference: Option<usize>,
) -> Vec<Complaint> {
    let mut found = Vec::new();
    // A name may stand for several tests; such a test passes when all of them do.
    let mut passes: HashMap<&str, bool> = HashMap::new();
    for test in &run.tests {
        let all = passes.entry(&test.name).or_insert(true);
        *all &= test.outcome == Outcome::Passed;
        if let Outcome::Failed(why) = &test.outcome
            && exceptions.of(&run.file, &test.name).is_none()
        {
            found.push(Complaint::Failed(test.name.clone(), why.clone()));
        }
    }
    let arrived = |command: &str| !not_yet.covers(&[command.as_bytes().to_vec()]);
    let awaits = exceptions.awaited(&run.file).any(|(_, command)| !arrived(command));
    for (test, command) in exceptions.awaited(&run.file).filter(|(_, command)| arrived(command)) {
        found.push(Complaint::Arrived(test.to_owned(), command.to_owned()));
    }
    // Groups of tests begin with what they need, and do not begin without.
    if !awaits {
        found.extend(run.outside.iter().cloned().map(Complaint::Outside));
    }
    for (name, kind) in exceptions.files.get(&run.file).into_iter().flatten() {
        match passes.get(name.as_str()) {
            None if awaits => {}
            None => found.push(Complaint::Unknown(name.clone())),
            Some(true) if *kind == Exception::Fails => found.push(Complaint::Passes(name.clone())),
            Some(_) => {}
        }
    }
    if let Some(there) = reference
        && run.tests.len() < there
        && !awaits
    {
        found.push(Complaint::Fewer(run.tests.len(), there));
    }
    found
}

/// Where the driver and the lists are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tcl")
}

#[cfg(test)]
mod tests {
    use super::super::Test;
    use super::*;

    const LIST: &str = "# why\nunit/a\n  one: two\n    fails: internals\n  three\n    left out: hangs\n\nunit/b\n  v\n    \
                        varies: on redis-server too\n";

    fn run(tests: &[(&str, Outcome)]) -> FileRun {
        let tests =
            tests.iter().map(|(name, outcome)| Test { name: (*name).into(), outcome: outcome.clone() });
        FileRun { file: "unit/a".into(), tests: tests.collect(), outside: vec![] }
    }

    #[test]
    fn a_list_is_read_and_its_mistakes_are_named() {
        let list = Exceptions::parse(LIST).unwrap();
        assert_eq!(list.left_out("unit/a"), ["three"]);
        assert_eq!(list.files().collect::<Vec<_>>(), ["unit/a", "unit/b"]);
        assert_eq!(list.of("unit/b", "v"), Some(&Exception::Varies));
        for wrong in
            ["  t\n    fails: x", "unit/a\n  t\n  u\n    fails: x", "unit/a\n  t\n    fails:", "unit/a\n  t"]
        {
            assert!(Exceptions::parse(wrong).is_err(), "{wrong}");
        }
        assert!(
            Exceptions::parse("unit/a\n  t\n    fails: x\n  t\n    fails: y").unwrap_err().contains("twice")
        );
    }

    #[test]
    fn exceptions_hold_both_ways() {
        let list = Exceptions::parse(LIST).unwrap();
        let none = NotYet::default();
        let failed = || Outcome::Failed("no".into());
        let as_listed = run(&[("one: two", failed()), ("three", Outcome::LeftOut), ("x", Outcome::Passed)]);
        assert_eq!(complaints(&as_listed, &list, &none, Some(3)), []);
        assert_eq!(complaints(&as_listed, &list, &none, Some(4)), [Complaint::Fewer(3, 4)]);
        let passes = run(&[("one: two", Outcome::Passed), ("three", Outcome::LeftOut)]);
        assert_eq!(complaints(&passes, &list, &none, None), [Complaint::Passes("one: two".into())]);
        let half = run(&[("one: two", failed()), ("one: two", Outcome::Passed), ("three", Outcome::LeftOut)]);
        assert_eq!(complaints(&half, &list, &none, None), []);
        let gone = run(&[("one: two", failed()), ("x", failed())]);
        let expected = [Complaint::Failed("x".into(), "no".into()), Complaint::Unknown("three".into())];
        assert_eq!(complaints(&gone, &list, &none, None), expected);
    }

    #[test]
    fn a_test_waits_for_a_command_until_it_is_there() {
        let list = Exceptions::parse("unit/a\n  one\n    awaits SAVE: the file\n").unwrap();
        let run =
            FileRun { outside: vec!["no SAVE".into()], ..run(&[("one", Outcome::Failed("no".into()))]) };
        assert_eq!(complaints(&run, &list, &NotYet::parse("SAVE"), Some(9)), []);
        let there = complaints(&run, &list, &NotYet::default(), None);
        let arrived = Complaint::Arrived("one".into(), "SAVE".into());
        assert_eq!(there, [arrived, Complaint::Outside("no SAVE".into())]);
    }
}
