//! Which operations fail, and how.

use parking_lot::Mutex;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A kind of operation on files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`Disk::create`](crate::Disk::create).
    Create,
    /// [`Disk::append`](crate::Disk::append).
    Append,
    /// [`Disk::open`](crate::Disk::open).
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Both kinds of sync of a file.
    Sync,
    /// Cutting a file, open or by name.
    Truncate,
    /// [`Disk::len`](crate::Disk::len) and that of an open file.
    Len,
    /// [`Disk::rename`](crate::Disk::rename); a rule's path may be in either name.
    Rename,
    /// [`Disk::remove`](crate::Disk::remove).
    Remove,
    /// [`Disk::create_dir`](crate::Disk::create_dir).
    CreateDir,
    /// [`Disk::sync_dir`](crate::Disk::sync_dir).
    SyncDir,
    /// [`Disk::list`](crate::Disk::list).
    List,
}

impl Operation {
    /// All of them by name.
    pub const NAMES: [(&'static str, Self); 13] = [
        ("create", Self::Create),
        ("append", Self::Append),
        ("open", Self::Open),
        ("read", Self::Read),
        ("write", Self::Write),
        ("sync", Self::Sync),
        ("truncate", Self::Truncate),
        ("len", Self::Len),
        ("rename", Self::Rename),
        ("remove", Self::Remove),
        ("create-dir", Self::CreateDir),
        ("sync-dir", Self::SyncDir),
        ("list", Self::List),
    ];

    /// The operation by its name in any case.
    pub fn of(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, operation)| *operation)
    }
}

/// An operation that fails, or takes long.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The kind of operation.
    pub operation: Operation,
    /// What the file's path must contain; empty for every file.
    pub path_part: String,
    /// The system's error; `None` lets the operation go on, after the delay.
    pub errno: Option<i32>,
    /// So many matching operations pass before the first fails.
    pub after: u64,
    /// So many fail; `None` for all from then on.
    pub times: Option<u64>,
    /// Of a write that fails, so many bytes are written and owned up to, and the next write to that file fails: what a
    /// full disk does.
    pub short: Option<usize>,
    /// How long the operation takes before it fails or goes on.
    pub delay: Duration,
}

impl Rule {
    /// Every such operation fails with `errno`.
    pub fn new(operation: Operation, path_part: &str, errno: i32) -> Self {
        Self {
            operation,
            path_part: path_part.to_owned(),
            errno: Some(errno),
            after: 0,
            times: None,
            short: None,
            delay: Duration::ZERO,
        }
    }

    fn matches(&self, operation: Operation, paths: &[&Path]) -> bool {
        self.operation == operation
            && paths.iter().any(|path| path.to_string_lossy().contains(&self.path_part))
    }
}

/// What happens to an operation that a rule has hit.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub errno: Option<i32>,
    pub short: Option<usize>,
    pub delay: Duration,
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Rules {
    /// Whether there are any.
    any: AtomicBool,
    rules: Mutex<Vec<Rule>>,
}

impl Rules {
    pub fn add(&self, rule: Rule) {
        let mut rules = self.rules.lock();
        rules.push(rule);
        self.any.store(true, Relaxed);
    }

    pub fn clear(&self) {
        let mut rules = self.rules.lock();
        rules.clear();
        self.any.store(false, Relaxed);
    }

    /// What happens to this operation. The first rule that hits decides.
    #[inline]
    pub fn hit(&self, operation: Operation, paths: &[&Path]) -> Option<Fault> {
        if self.any.load(Relaxed) { self.look(operation, paths) } else { None }
    }

    #[cold]
    fn look(&self, operation: Operation, paths: &[&Path]) -> Option<Fault> {
        let mut rules = self.rules.lock();
        let index = rules.iter_mut().position(|rule| {
            if !rule.matches(operation, paths) {
                return false;
            }
            let hits = rule.after == 0;
            rule.after = rule.after.saturating_sub(1);
            hits
        })?;
        let rule = rules.get_mut(index)?;
        let fault = Fault { errno: rule.errno, short: rule.short, delay: rule.delay };
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                rules.remove(index);
            }
        }
        self.any.store(!rules.is_empty(), Relaxed);
        Some(fault)
    }
}
