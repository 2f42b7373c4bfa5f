//! The configuration of a running server: read by everybody, changed by CONFIG SET.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use moonshard_engine::glob;
use parking_lot::Mutex;

use super::choice::AllowedFor;
use super::directive::{DirectiveFlags, Found, find};
use super::error::{ApplyError, RewriteError, SetError};
use super::rewrite::rewrite;
use super::table::{DIRECTIVES, Settings};

/// The configuration. Reading never waits, and sees all of a change or none.
pub struct Config {
    current: ArcSwap<Settings>,
    generation: AtomicU64,
    /// Held by whoever changes something. Inside: what the settings said before automatic values were worked out.
    changing: Mutex<Automatic>,
    file: Option<PathBuf>,
}

/// Which numbers were left to the server.
#[derive(Clone, Copy, Default)]
struct Automatic {
    shards: bool,
    io_threads: bool,
}

/// Who runs CONFIG SET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// It came over the loopback interface or a Unix socket.
    pub local: bool,
    /// The server is loading its data.
    pub loading: bool,
}

impl Config {
    /// A configuration of these settings; `file` is what CONFIG REWRITE writes, absolute.
    pub fn new(mut settings: Settings, file: Option<PathBuf>) -> Self {
        settings.settle();
        Self {
            current: ArcSwap::from_pointee(settings),
            generation: AtomicU64::new(0),
            changing: Mutex::default(),
            file,
        }
    }

    /// The settings of this moment. For a short look; keep [`Config::load_full`] instead.
    pub fn load(&self) -> Guard<Arc<Settings>> {
        self.current.load()
    }

    /// The settings of this moment, to keep.
    pub fn load_full(&self) -> Arc<Settings> {
        self.current.load_full()
    }

    /// Grows with each change: who keeps settings asks whether they are stale. Read it before loading them.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The file given at start.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Fills in the numbers that were left to the server (`shards`, `io-threads` of 0). CONFIG GET shows them from
    /// now on; CONFIG REWRITE still leaves them out.
    pub fn resolve_automatic(&self, shards: u32, io_threads: u32) {
        let mut automatic = self.changing.lock();
        let mut settings = Settings::clone(&self.current.load());
        if settings.shards == 0 {
            settings.shards = shards;
            automatic.shards = true;
        }
        if settings.io_threads == 0 {
            settings.io_threads = io_threads;
            automatic.io_threads = true;
        }
        self.publish(settings);
    }

    /// Changes settings from inside the server, for commands other than CONFIG SET, such as REPLICAOF.
    pub fn update(&self, change: impl FnOnce(&mut Settings)) {
        let _changing = self.changing.lock();
        let mut settings = Settings::clone(&self.current.load());
        change(&mut settings);
        settings.settle();
        self.publish(settings);
    }

    /// CONFIG GET: names that match one of the patterns, with their values.
    ///
    /// A name without `*`, `?` or `[` is looked up and answered as it was spelt; aliases are names of their own. A
    /// pattern finds all names but hidden ones. Each name comes once, in the order of the arguments and, for a
    /// pattern, of the table (in Redis the order is random).
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(String, Vec<u8>)> {
        let settings = self.current.load();
        let mut answer: Vec<(String, Vec<u8>)> = Vec::new();
        let mut add = |found: Found, spelt: &str| {
            if !answer.iter().any(|(name, _)| name.eq_ignore_ascii_case(spelt)) {
                answer.push((spelt.to_owned(), found.directive.format(&settings)));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| matches!(byte, b'[' | b'*' | b'?')) {
                if let (Some(found), Ok(spelt)) = (find(pattern), std::str::from_utf8(pattern)) {
                    add(found, spelt);
                }
                continue;
            }
            for directive in DIRECTIVES.iter().filter(|d| !d.flags.contains(DirectiveFlags::HIDDEN)) {
                for name in std::iter::once(directive.name).chain(directive.alias) {
                    if glob::matches(pattern, name.as_bytes(), true) {
                        add(Found { directive, name }, name);
                    }
                }
            }
        }
        answer
    }

    /// CONFIG SET: all of the pairs of name and value, or none.
    ///
    /// `apply` is called once with the settings before and after, when all values are valid, to do what they need of
    /// the server (listen on another port, enter another directory); if it fails it must have undone its own
    /// effects, and nothing changes. It runs under the lock of changes and must not change the configuration itself.
    pub fn set(
        &self,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
        apply: &dyn Fn(&Settings, &Settings) -> Result<(), ApplyError>,
    ) -> Result<(), SetError> {
        let _changing = self.changing.lock();
        let old = self.current.load_full();
        let names = admit(pairs, caller, &old)?;
        let mut new = Settings::clone(&old);
        for (found, (_, value)) in names.iter().zip(pairs) {
            let set = found.directive.set_text(&mut new, value);
            set.map_err(|reason| SetError::Refused { name: found.name.into(), reason })?;
        }
        new.settle();
        apply(&old, &new).map_err(|error| {
            let culprit = names.iter().find(|found| found.directive.name == error.directive);
            let name = culprit.or(names.first()).map_or(error.directive, |found| found.name);
            SetError::Refused { name: name.into(), reason: error.reason }
        })?;
        self.publish(new);
        Ok(())
    }

    /// CONFIG REWRITE: writes the settings to the file given at start, keeping its comments and order.
    /// `users` are the lines of users.
    pub fn rewrite(&self, users: &[Vec<u8>]) -> Result<(), RewriteError> {
        let file = self.file.as_deref().ok_or(RewriteError::NoFile)?;
        let automatic = self.changing.lock();
        let mut settings = Settings::clone(&self.current.load());
        if automatic.shards {
            settings.shards = 0;
        }
        if automatic.io_threads {
            settings.io_threads = 0;
        }
        rewrite(file, &settings, users)?;
        Ok(())
    }

    fn publish(&self, settings: Settings) {
        self.current.store(Arc::new(settings));
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// Finds the directives and refuses what must not be set, the first of them.
fn admit(pairs: &[(&[u8], &[u8])], caller: Caller, settings: &Settings) -> Result<Vec<Found>, SetError> {
    let mut names: Vec<Found> = Vec::with_capacity(pairs.len());
    for (name, _) in pairs {
        let found = find(name).ok_or_else(|| SetError::Unknown { name: name.to_vec() })?;
        let refused = |reason: &'static str| SetError::Refused { name: name.to_vec(), reason: reason.into() };
        let flags = found.directive.flags;
        if flags.contains(DirectiveFlags::IMMUTABLE) {
            return Err(refused("can't set immutable config"));
        }
        let allowed = match settings.enable_protected_configs {
            AllowedFor::No => false,
            AllowedFor::Yes => true,
            AllowedFor::Local => caller.local,
        };
        if flags.contains(DirectiveFlags::PROTECTED) && !allowed {
            return Err(refused("can't set protected config"));
        }
        if flags.contains(DirectiveFlags::DENY_LOADING) && caller.loading {
            return Err(SetError::Loading);
        }
        // A name and its alias may stand together; the last one counts.
        if names.iter().any(|earlier| earlier.name == found.name) {
            return Err(refused("duplicate parameter"));
        }
        names.push(found);
    }
    Ok(names)
}
