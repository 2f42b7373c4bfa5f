//! Profiles of scripts and functions: how long each of their lines took.

use crate::stats::ScriptName;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stacks of one script that are told apart; the time of others counts as that of no line.
const STACKS_MAX: usize = 10_000;

/// A place in a script's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// The line on which its function is defined; 0 for the script itself.
    pub defined: u32,
    /// The line, from 1.
    pub line: u32,
}

/// Time on a line or in a stack of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Nanoseconds, those in commands included.
    pub nanos: u64,
    /// How often it was come to.
    pub visits: u64,
}

impl Spent {
    fn add(&mut self, more: Self) {
        self.nanos += more.nanos;
        self.visits += more.visits;
    }
}

/// What one script or function spent its time on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Runs.
    pub runs: u64,
    /// By stack, the outermost function's line first. An empty one is for all that are not told apart.
    pub stacks: HashMap<Box<[Frame]>, Spent>,
    /// What functions are called, by the line on which they are defined.
    pub functions: HashMap<u32, Box<str>>,
}

impl Profile {
    /// Notes time in a stack.
    pub(crate) fn spend(&mut self, stack: &[Frame], spent: Spent) {
        if let Some(known) = self.stacks.get_mut(stack) {
            return known.add(spent);
        }
        let stack = if self.stacks.len() < STACKS_MAX { stack } else { &[] };
        self.stacks.entry(stack.into()).or_default().add(spent);
    }

    fn add(&mut self, more: Self) {
        self.runs += more.runs;
        for (stack, spent) in more.stacks {
            self.spend(&stack, spent);
        }
        for (line, name) in more.functions {
            self.functions.entry(line).or_insert(name);
        }
    }

    /// All time.
    pub fn nanos(&self) -> u64 {
        self.stacks.values().map(|spent| spent.nanos).sum()
    }

    /// The lines on which time was spent themselves, and not in functions that they called, by number.
    pub fn lines(&self) -> BTreeMap<u32, Spent> {
        let mut lines = BTreeMap::<u32, Spent>::new();
        for (stack, spent) in &self.stacks {
            lines.entry(stack.last().map_or(0, |frame| frame.line)).or_default().add(*spent);
        }
        lines
    }

    /// The stacks as tools for flame graphs read them: a line for each, frames with semicolons between them, and its
    /// nanoseconds.
    pub fn folded(&self, name: &ScriptName) -> String {
        let mut lines: Vec<String> = self
            .stacks
            .iter()
            .map(|(stack, spent)| {
                let mut line = String::from_utf8_lossy(name.as_bytes()).into_owned();
                for frame in &**stack {
                    // Writing into a String cannot fail.
                    let _ = match self.functions.get(&frame.defined) {
                        Some(function) => write!(line, ";{function}:{}", frame.line),
                        None => write!(line, ";function@{}:{}", frame.defined, frame.line),
                    };
                }
                let _ = writeln!(line, " {}", spent.nanos);
                line
            })
            .collect();
        lines.sort();
        lines.concat()
    }
}

#[derive(Debug, Default)]
struct Inner {
    /// None for all.
    chosen: Vec<ScriptName>,
    profiles: BTreeMap<ScriptName, Profile>,
}

/// The profiles of the server, and whose are taken. While none are, it costs a look at a flag.
#[derive(Debug, Default)]
pub struct Profiling {
    on: AtomicBool,
    inner: Mutex<Inner>,
}

impl Profiling {
    /// Begins profiles of these scripts and functions, or of all if there are none, and forgets older ones.
    pub fn start(&self, chosen: Vec<ScriptName>) {
        *self.inner.lock() = Inner { chosen, profiles: BTreeMap::new() };
        self.on.store(true, Ordering::Release);
    }

    /// Takes no more profiles. What was taken stays.
    pub fn stop(&self) {
        self.on.store(false, Ordering::Release);
    }

    /// Whether profiles are taken.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// Whether those of this script or function are.
    pub(crate) fn wants(&self, name: &ScriptName) -> bool {
        let inner = self.inner.lock();
        inner.chosen.is_empty() || inner.chosen.contains(name)
    }

    /// Adds what a run has spent.
    pub(crate) fn add(&self, name: ScriptName, run: Profile) {
        self.inner.lock().profiles.entry(name).or_default().add(run);
    }

    /// The profiles, by name.
    pub fn profiles(&self) -> BTreeMap<ScriptName, Profile> {
        self.inner.lock().profiles.clone()
    }
}
