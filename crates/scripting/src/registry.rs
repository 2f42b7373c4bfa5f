//! The scripts of the server, one for all shards.
//!
//! EVAL and SCRIPT LOAD on any shard make EVALSHA work on all; a shard's VM compiles a script when it first runs it.
//! Reads take no lock and write nothing that another thread reads.

use crate::compile::Checker;
use crate::flags::{ScriptFlags, Shebang};
use crate::sha::Sha;
use arc_swap::ArcSwap;
use moonshard_engine::Error;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A script that the server knows.
#[derive(Debug)]
pub struct Script {
    /// Its name.
    pub sha: Sha,
    /// Its text as the client sent it.
    pub source: Box<[u8]>,
    /// What its first line declares.
    pub shebang: Shebang,
}

impl Script {
    /// The Lua text: what follows the shebang.
    pub fn body(&self) -> &[u8] {
        &self.source[self.shebang.len..]
    }

    /// The flags it declares.
    pub const fn flags(&self) -> ScriptFlags {
        self.shebang.flags
    }
}

/// Parts of the registry; a script is in the one that its first bits tell.
const PARTS: usize = 256;

type Part = Vec<Arc<Script>>;

/// The server's scripts. See the [module](self).
#[derive(Debug)]
pub struct Registry {
    parts: Box<[ArcSwap<Part>]>,
    generation: AtomicU64,
    count: AtomicUsize,
    bytes: AtomicUsize,
    /// Held by whoever changes something.
    writing: Mutex<()>,
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
            parts: (0..PARTS).map(|_| ArcSwap::from_pointee(Part::new())).collect(),
            generation: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            writing: Mutex::new(()),
            checker: Mutex::new(None),
        }
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

    /// The script of this name.
    pub fn get(&self, sha: &Sha) -> Option<Arc<Script>> {
        self.with(sha, Arc::clone)
    }

    /// Whether the script that a client calls by this name is known.
    pub fn exists(&self, sha: &[u8]) -> bool {
        Sha::from_client(sha).is_some_and(|sha| self.with(&sha, |_| ()).is_some())
    }

    /// SCRIPT LOAD: compiles a script to see that it can be, and makes it known.
    ///
    /// # Errors
    /// What the shebang or the compiler has to say, in Redis' words.
    pub fn load(&self, source: &[u8]) -> Result<Sha, Error> {
        let sha = Sha::of(source);
        if self.with(&sha, |_| ()).is_none() {
            let shebang = Shebang::parse(source)?;
            self.compile_check(&source[shebang.len..])?;
            self.insert(Arc::new(Script { sha, source: source.into(), shebang }));
        }
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

    /// Makes a script known that compiles. Returns the known one, if there is one already.
    pub fn insert(&self, script: Arc<Script>) -> Arc<Script> {
        let _writing = self.writing.lock();
        let part = self.part(&script.sha);
        let old = part.load_full();
        if let Some(known) = old.iter().find(|known| known.sha == script.sha) {
            return Arc::clone(known);
        }
        let mut new = Part::with_capacity(old.len() + 1);
        new.extend(old.iter().cloned());
        new.push(Arc::clone(&script));
        part.store(Arc::new(new));
        self.count.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(Self::bytes_of(&script), Ordering::Relaxed);
        script
    }

    const fn bytes_of(script: &Script) -> usize {
        script.source.len() + size_of::<Script>() + size_of::<Arc<Script>>()
    }

    /// Forgets all scripts. Once it returns, no shard runs one of them any more until it is loaded again: every VM
    /// compares the generation before each call.
    pub fn flush(&self) {
        let _writing = self.writing.lock();
        for part in &self.parts {
            part.store(Arc::new(Part::new()));
        }
        self.count.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::SeqCst);
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

    /// All scripts, for snapshots, logs and replicas.
    pub fn all(&self) -> Vec<Arc<Script>> {
        self.parts.iter().flat_map(|part| part.load().iter().cloned().collect::<Vec<_>>()).collect()
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
}
