//! The scripts and libraries of the server, one set for all shards.
//!
//! EVAL and SCRIPT LOAD on any shard make EVALSHA work on all; a shard's VM compiles a script when it first runs it.
//! Reads take no lock and write nothing that another thread reads, but for a stamp when a script was not used since the
//! last one came.
//!
//! What was loaded on purpose stays. Of scripts that only EVAL has seen, the least recently used go when there are too
//! many of them.

use crate::compile::Checker;
use crate::flags::{ScriptFlags, Shebang};
use crate::library::{Libraries, Library};
use crate::lru::Lru;
use crate::recent::{self, Version};
use crate::sha::Sha;
use arc_swap::ArcSwap;
use moonshard_engine::{Error, ScriptRef};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A script that the server knows.
#[derive(Debug)]
pub struct Script {
    /// Its name.
    pub sha: Sha,
    /// Its text as the client sent it.
    pub source: Box<[u8]>,
    /// What its first line declares.
    pub shebang: Shebang,
    /// Whether it was loaded on purpose.
    loaded: AtomicBool,
    /// Whether whoever keeps what the registry holds knows of it.
    is_told: AtomicBool,
    /// The registry's clock when it was last called.
    used: AtomicU64,
    sender: OnceLock<Sender>,
}

/// Who has made a script known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The client's name, empty if it has none.
    pub name: Box<[u8]>,
    /// The client's address.
    pub addr: Box<str>,
    /// Unix time in milliseconds.
    pub unix_ms: u64,
}

/// How long a script stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// SCRIPT LOAD has made it known: until SCRIPT FLUSH.
    Loaded,
    /// Only EVAL has: until there are too many of those.
    Evaluated,
}

impl Script {
    /// A script that only EVAL has seen.
    pub fn new(sha: Sha, source: &[u8], shebang: Shebang) -> Self {
        let (loaded, is_told, used) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
        Self { sha, source: source.into(), shebang, loaded, is_told, used, sender: OnceLock::new() }
    }

    /// The Lua text: what follows the shebang.
    pub fn body(&self) -> &[u8] {
        &self.source[self.shebang.len..]
    }

    /// Notes who has made it known. Only the first counts.
    pub fn set_sender(&self, sender: impl FnOnce() -> Sender) {
        self.sender.get_or_init(sender);
    }

    /// Who has made it known; `None` if it was read from a file.
    pub fn sender(&self) -> Option<&Sender> {
        self.sender.get()
    }

    /// The flags it declares.
    pub const fn flags(&self) -> ScriptFlags {
        self.shebang.flags
    }

    /// How long it stays.
    pub fn keep(&self) -> Keep {
        if self.loaded.load(Ordering::Relaxed) { Keep::Loaded } else { Keep::Evaluated }
    }

    /// The registry's clock when it was last called.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that it takes, about.
    pub(crate) const fn bytes(&self) -> usize {
        self.source.len() + size_of::<Self>() + size_of::<Arc<Self>>()
    }
}

/// What the registry holds, to be written down and to be taken up again: by snapshots, logs and replicas.
#[derive(Clone, Debug)]
pub enum Stored {
    /// A library.
    Library(Arc<Library>),
    /// A script.
    Script(Arc<Script>),
}

/// Parts of the registry; a script is in the one that its first bits tell.
const PARTS: usize = 256;

type Part = Vec<Arc<Script>>;

/// The server's scripts. See the [module](self).
#[derive(Debug)]
pub struct Registry {
    libraries: Libraries,
    parts: Box<[ArcSwap<Part>]>,
    generation: AtomicU64,
    /// Renewed by every change of what is known.
    version: Version,
    count: AtomicUsize,
    bytes: AtomicUsize,
    evicted: AtomicU64,
    /// Counts the scripts that came: the time by which their use is told.
    clock: AtomicU64,
    /// Those that may go. Held by whoever changes something.
    evaluated: Mutex<Lru>,
    checker: Mutex<Option<Checker>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self {
            libraries: Libraries::default(),
            parts: (0..PARTS).map(|_| ArcSwap::from_pointee(Part::new())).collect(),
            generation: AtomicU64::new(0),
            version: Version::default(),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
            clock: AtomicU64::new(0),
            evaluated: Mutex::default(),
            checker: Mutex::new(None),
        }
    }

    /// The libraries of functions.
    #[inline]
    pub const fn libraries(&self) -> &Libraries {
        &self.libraries
    }

    /// Limits the scripts that only EVAL has seen, in number and in bytes, which 0 does not. What is too much goes.
    pub fn limit_evaluated(&self, entries_max: usize, bytes_max: usize) {
        let mut evaluated = self.evaluated.lock();
        evaluated.set_limits(entries_max, bytes_max);
        self.evict(&mut evaluated);
    }

    #[inline]
    fn part(&self, sha: &Sha) -> &ArcSwap<Part> {
        &self.parts[(sha.bits() >> 56) as usize]
    }

    /// Looks a script up without taking a share of it. Constant time for up to some thousands of scripts.
    #[inline]
    pub fn with<R>(&self, sha: &Sha, look: impl FnOnce(&Arc<Script>) -> R) -> Option<R> {
        let part = self.part(sha).load();
        part.iter().find(|script| script.sha == *sha).map(look)
    }

    /// Notes that a script is called. It writes only if none was called since another one came.
    #[inline]
    pub(crate) fn stamp(&self, script: &Script) {
        let now = self.clock.load(Ordering::Relaxed);
        if script.used() != now {
            script.used.store(now, Ordering::Relaxed);
        }
    }

    /// The same for the script of this name; false if it is not known.
    #[inline]
    pub(crate) fn note_use(&self, sha: &Sha) -> bool {
        self.flags_of(sha.as_bytes()).is_some()
    }

    /// The flags of the script that a client calls by this name, whose call is noted; `None` if it is not known.
    /// A thread that asks again before anything has changed gets the same answer without a look: it was noted.
    #[inline]
    pub(crate) fn flags_of(&self, sha: &[u8]) -> Option<ScriptFlags> {
        recent::flags_of(self.version.get(), ScriptRef::Sha(sha), || {
            self.with(&Sha::from_client(sha)?, |script| {
                self.stamp(script);
                script.flags()
            })
        })
    }

    /// The script of this name.
    pub fn get(&self, sha: &Sha) -> Option<Arc<Script>> {
        self.with(sha, Arc::clone)
    }

    /// Whether the script that a client calls by this name is known.
    pub fn exists(&self, sha: &[u8]) -> bool {
        Sha::from_client(sha).is_some_and(|sha| self.with(&sha, |_| ()).is_some())
    }

    /// SCRIPT LOAD: compiles a script to see that it can be, and makes it known to stay.
    ///
    /// # Errors
    /// What the shebang or the compiler has to say, in Redis' words.
    pub fn load(&self, source: &[u8]) -> Result<Sha, Error> {
        self.load_telling(source, || ())
    }

    /// The same. If that changes what is known, `tell` is called before anything else changes.
    ///
    /// # Errors
    /// As for [`Registry::load`].
    pub fn load_telling(&self, source: &[u8], tell: impl FnOnce()) -> Result<Sha, Error> {
        let sha = Sha::of(source);
        let known = self.get(&sha);
        if known.as_ref().is_some_and(|script| script.keep() == Keep::Loaded) {
            return Ok(sha);
        }
        let script = match known {
            Some(script) => script,
            None => {
                let shebang = Shebang::parse(source)?;
                self.compile_check(&source[shebang.len..])?;
                Arc::new(Script::new(sha, source, shebang))
            }
        };
        self.add(script, Keep::Loaded, tell);
        Ok(sha)
    }

    /// Whether a Lua text compiles.
    ///
    /// # Errors
    /// The compiler's, in Redis' words.
    pub fn compile_check(&self, body: &[u8]) -> Result<(), Error> {
        let mut checker = self.checker.lock();
        if checker.is_none() {
            *checker = Some(Checker::new()?);
        }
        checker.as_mut().map_or(Ok(()), |checker| checker.check(body))
    }

    /// Makes a script known that compiles and that EVAL has seen. Returns the known one, if there is one already.
    pub fn insert(&self, script: Arc<Script>) -> Arc<Script> {
        self.add(script, Keep::Evaluated, || ())
    }

    /// Calls `tell` for a script that EVAL has made known, if it was not called for it before and the script was not
    /// forgotten meanwhile. Nothing changes until it returns.
    pub fn tell_once(&self, script: &Arc<Script>, tell: impl FnOnce()) {
        let _evaluated = self.evaluated.lock();
        let is_known = self.with(&script.sha, |known| Arc::ptr_eq(known, script)) == Some(true);
        if is_known && !script.is_told.swap(true, Ordering::Relaxed) {
            tell();
        }
    }

    fn add(&self, script: Arc<Script>, keep: Keep, tell: impl FnOnce()) -> Arc<Script> {
        let mut evaluated = self.evaluated.lock();
        let part = self.part(&script.sha);
        let old = part.load_full();
        let known = old.iter().find(|known| known.sha == script.sha).cloned();
        let script = known.clone().unwrap_or(script);
        if known.is_none() {
            let mut new = Part::with_capacity(old.len() + 1);
            new.extend(old.iter().cloned());
            new.push(Arc::clone(&script));
            part.store(Arc::new(new));
            self.count.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(script.bytes(), Ordering::Relaxed);
            let now = self.clock.fetch_add(1, Ordering::Relaxed) + 1;
            script.used.store(now, Ordering::Relaxed);
            self.version.renew();
            if keep == Keep::Evaluated {
                evaluated.push(Arc::clone(&script));
            }
        }
        if keep == Keep::Loaded && !script.loaded.swap(true, Ordering::Relaxed) {
            if known.is_some() {
                evaluated.remove(&script.sha);
            }
            script.is_told.store(true, Ordering::Relaxed);
            tell();
        }
        self.evict(&mut evaluated);
        script
    }

    /// Forgets what is too much of what only EVAL has seen.
    fn evict(&self, evaluated: &mut Lru) {
        while let Some(script) = evaluated.pop_excess() {
            let part = self.part(&script.sha);
            let rest: Part = part.load().iter().filter(|known| known.sha != script.sha).cloned().collect();
            part.store(Arc::new(rest));
            self.version.renew();
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(script.bytes(), Ordering::Relaxed);
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Forgets all scripts. Once it returns, no shard runs one of them any more until it is loaded again: every VM
    /// compares the generation before each call.
    pub fn flush(&self) {
        self.flush_telling(|| ());
    }

    /// The same; `tell` is called before anything else changes.
    pub fn flush_telling(&self, tell: impl FnOnce()) {
        let mut evaluated = self.evaluated.lock();
        for part in &self.parts {
            part.store(Arc::new(Part::new()));
        }
        self.version.renew();
        evaluated.clear();
        self.count.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::SeqCst);
        tell();
    }

    /// How often the registry was flushed.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Scripts known.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether no script is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the scripts' texts take, with what keeps them.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Scripts that went because there were too many.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Counts evictions anew.
    pub fn reset_evicted(&self) {
        self.evicted.store(0, Ordering::Relaxed);
    }

    /// All scripts.
    pub fn all(&self) -> Vec<Arc<Script>> {
        self.parts.iter().flat_map(|part| part.load().iter().cloned().collect::<Vec<_>>()).collect()
    }

    /// All libraries and scripts, those that were used last at the end: taken up in this order, they are evicted in the
    /// order in which they would have been.
    pub fn stored(&self) -> Vec<Stored> {
        let libraries = self.libraries.set();
        let mut scripts = self.all();
        scripts.sort_by_key(|script| script.used());
        let libraries = libraries.libraries().values().cloned().map(Stored::Library);
        libraries.chain(scripts.into_iter().map(Stored::Script)).collect()
    }

    /// Takes a script up that another registry has stored.
    ///
    /// # Errors
    /// As [`Registry::load`].
    pub fn take_up(&self, source: &[u8], keep: Keep) -> Result<Sha, Error> {
        if keep == Keep::Loaded {
            return self.load(source);
        }
        let (sha, shebang) = (Sha::of(source), Shebang::parse(source)?);
        self.compile_check(&source[shebang.len..])?;
        let script = self.add(Arc::new(Script::new(sha, source, shebang)), keep, || ());
        script.is_told.store(true, Ordering::Relaxed);
        Ok(sha)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_is_known_until_flushed() {
        let registry = Registry::new();
        let sha = registry.load(b"return 1").unwrap();
        assert!(registry.exists(sha.as_bytes()));
        assert!(registry.exists(&sha.as_bytes().to_ascii_uppercase()));
        assert_eq!(registry.load(b"return 1").unwrap(), sha);
        assert_eq!((registry.len(), registry.all().len()), (1, 1));
        assert!(registry.bytes() > 8);
        let before = registry.generation();
        registry.flush();
        assert!(!registry.exists(sha.as_bytes()));
        assert_eq!((registry.len(), registry.bytes()), (0, 0));
        assert_ne!(registry.generation(), before);
    }

    #[test]
    fn what_does_not_compile_is_not_known() {
        let registry = Registry::new();
        let error = registry.load(b"return (").unwrap_err();
        assert_eq!(
            error.to_string(),
            "ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"
        );
        assert!(registry.is_empty());
        assert!(registry.load(b"#!lua flags=bad\nreturn 1").is_err());
        assert!(registry.load(b"return 1").is_ok());
    }

    #[test]
    fn many_scripts_are_told_apart() {
        let registry = Registry::new();
        let shas: Vec<_> =
            (0..2000).map(|n| registry.load(format!("return {n}").as_bytes()).unwrap()).collect();
        for (n, sha) in shas.iter().enumerate() {
            assert_eq!(&*registry.get(sha).unwrap().source, format!("return {n}").as_bytes());
        }
    }

    fn evaluate(registry: &Registry, source: &str) -> Sha {
        registry.take_up(source.as_bytes(), Keep::Evaluated).unwrap()
    }

    #[test]
    fn the_least_recently_used_go_and_loaded_ones_stay() {
        let registry = Registry::new();
        registry.limit_evaluated(3, 0);
        let loaded = registry.load(b"return 'loaded'").unwrap();
        let [a, b, c] = ["return 'a'", "return 'b'", "return 'c'"].map(|source| evaluate(&registry, source));
        assert!(registry.note_use(&a));
        let d = evaluate(&registry, "return 'd'");
        assert_eq!([&a, &b, &c, &d].map(|sha| registry.get(sha).is_some()), [true, false, true, true]);
        assert_eq!((registry.evicted(), registry.len()), (1, 4));
        // Loaded on purpose, it makes room for another one.
        registry.load(b"return 'c'").unwrap();
        let e = evaluate(&registry, "return 'e'");
        assert_eq!([&a, &c, &d, &e].map(|sha| registry.get(sha).is_some()), [true; 4]);
        registry.limit_evaluated(1, 0);
        assert_eq!(
            [&a, &c, &d, &e, &loaded].map(|sha| registry.get(sha).is_some()),
            [false, true, false, true, true]
        );
        assert_eq!(registry.evicted(), 3);
        let bytes: usize = registry.all().iter().map(|script| script.bytes()).sum();
        assert_eq!(registry.bytes(), bytes);
    }

    #[test]
    fn bytes_are_limited_too() {
        let registry = Registry::new();
        let one = evaluate(&registry, "return 1");
        let each = registry.get(&one).unwrap().bytes();
        registry.limit_evaluated(0, 2 * each);
        let two = evaluate(&registry, "return 2");
        assert_eq!(registry.len(), 2);
        evaluate(&registry, "return 3");
        assert_eq!((registry.len(), registry.exists(one.as_bytes())), (2, false));
        assert!(registry.exists(two.as_bytes()));
    }

    #[test]
    fn what_is_stored_can_be_taken_up() {
        let (from, to) = (Registry::new(), Registry::new());
        let settings = crate::ScriptSettings::default();
        from.load(b"return 'loaded'").unwrap();
        evaluate(&from, "return 'evaluated'");
        from.libraries()
            .load(b"#!lua name=l\nredis.register_function('f', function() end)", false, &settings)
            .unwrap();
        for stored in from.stored() {
            match stored {
                Stored::Library(library) => {
                    to.libraries().load(library.code(), false, &settings).unwrap();
                }
                Stored::Script(script) => {
                    to.take_up(&script.source, script.keep()).unwrap();
                }
            }
        }
        let shown = |registry: &Registry| {
            let scripts = registry.all();
            let mut kept: Vec<_> =
                scripts.iter().map(|script| (script.source.clone(), script.keep() == Keep::Loaded)).collect();
            kept.sort();
            kept
        };
        assert_eq!(shown(&to), shown(&from));
        assert!(to.libraries().has_function(b"f"));
    }
}
