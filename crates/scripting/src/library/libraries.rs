//! The published set, and how it changes.

use super::set::{self, LibrarySet};
use super::{Library, payload};
use crate::flags::ScriptFlags;
use crate::recent::{self, Version};
use crate::settings::ScriptSettings;
use arc_swap::ArcSwap;
use moonshard_engine::{Error, ScriptRef};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What FUNCTION RESTORE does with libraries that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestorePolicy {
    /// They go, all of them.
    Flush,
    /// They stay; one of the same name is an error.
    Append,
    /// One of the same name is replaced.
    Replace,
}

pub(super) type ByName = BTreeMap<Box<str>, Arc<Library>>;

/// The libraries of the server. Reads take no lock; changes are made one after the other, and each is seen by all
/// shards at once: a shard compares the generation before each call of a function.
#[derive(Debug, Default)]
pub struct Libraries {
    current: ArcSwap<LibrarySet>,
    generation: AtomicU64,
    version: Version,
    /// Held by whoever changes something.
    writing: Mutex<()>,
}

impl Libraries {
    /// The generation of the set that is published. Changes with every change.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The set that is published.
    pub fn set(&self) -> Arc<LibrarySet> {
        self.current.load_full()
    }

    /// Looks into the set that is published without taking a share of it.
    #[inline]
    pub(crate) fn with<R>(&self, look: impl FnOnce(&LibrarySet) -> R) -> R {
        look(&self.current.load())
    }

    /// What the function of this name was registered with; `None` if there is none. A thread that asks again before
    /// anything has changed gets the same answer without a look.
    #[inline]
    pub(crate) fn flags_of(&self, name: &[u8]) -> Option<ScriptFlags> {
        recent::flags_of(self.version.get(), ScriptRef::Function(name), || {
            self.with(|set| set.flags_of(name))
        })
    }

    /// Whether a function is called so.
    pub fn has_function(&self, name: &[u8]) -> bool {
        self.with(|set| set.find(name).is_some())
    }

    /// FUNCTION LOAD: runs the text to learn its functions, and publishes it. Blocks the thread for as long as that
    /// takes, at most half a second.
    ///
    /// # Errors
    /// What is wrong with the text; a library of the same name, unless it is to be replaced; a function that another
    /// library has.
    pub fn load(&self, code: &[u8], replace: bool, settings: &ScriptSettings) -> Result<Arc<Library>, Error> {
        self.load_telling(code, replace, settings, || ())
    }

    /// The same; `tell` is called once the library is there, before anything else changes.
    ///
    /// # Errors
    /// As for [`Libraries::load`].
    pub fn load_telling(
        &self,
        code: &[u8],
        replace: bool,
        settings: &ScriptSettings,
        tell: impl FnOnce(),
    ) -> Result<Arc<Library>, Error> {
        let taken = |set: &LibrarySet, name: &str| match set.library(name.as_bytes()) {
            Some(_) if !replace => Err(Error::text(format!("ERR Library '{name}' already exists"))),
            _ => Ok(()),
        };
        let library = Library::learn_unless(code, settings, |name| self.with(|set| taken(set, name)))?;
        let _writing = self.writing.lock();
        let set = self.set();
        // Another may have come first.
        taken(&set, library.name())?;
        let mut libraries = set.libraries().clone();
        libraries.insert(library.name().into(), library.clone());
        self.publish(libraries)?;
        tell();
        Ok(library)
    }

    /// FUNCTION DELETE; `tell` is called before anything else changes.
    ///
    /// # Errors
    /// There is no such library.
    pub fn delete(&self, name: &[u8], tell: impl FnOnce()) -> Result<(), Error> {
        let _writing = self.writing.lock();
        let set = self.set();
        let mut libraries = set.libraries().clone();
        let known = std::str::from_utf8(name).ok().and_then(|name| libraries.remove(name));
        known.ok_or(Error::fixed("ERR Library not found"))?;
        self.publish(libraries)?;
        tell();
        Ok(())
    }

    /// FUNCTION FLUSH; `tell` is called before anything else changes.
    pub fn flush(&self, tell: impl FnOnce()) {
        let _writing = self.writing.lock();
        // Nothing is called differently in an empty set.
        let _ = self.publish(ByName::new());
        tell();
    }

    /// FUNCTION DUMP: all libraries as bytes, in Redis' format. O(n).
    pub fn dump(&self, compress: bool) -> Vec<u8> {
        payload::dump(&self.set(), compress)
    }

    /// FUNCTION RESTORE: all libraries of a payload or none; `tell` is called before anything else changes. Blocks the thread like [`Libraries::load`].
    ///
    /// # Errors
    /// What is wrong with the payload or with a library in it, and what does not go with the libraries there are.
    pub fn restore(
        &self,
        payload: &[u8],
        policy: RestorePolicy,
        settings: &ScriptSettings,
        tell: impl FnOnce(),
    ) -> Result<(), Error> {
        let mut restored = ByName::new();
        for code in payload::codes(payload)? {
            let library = Library::learn(&code?, settings)?;
            if let Some(twice) = restored.insert(library.name().into(), library) {
                return Err(Error::text(format!("ERR Library '{}' already exists", twice.name())));
            }
        }
        LibrarySet::new(0, restored.clone()).map_err(|name| set::taken(&name))?;
        let _writing = self.writing.lock();
        let set = self.set();
        let mut libraries = match policy {
            RestorePolicy::Flush => ByName::new(),
            RestorePolicy::Append | RestorePolicy::Replace => set.libraries().clone(),
        };
        if policy == RestorePolicy::Append
            && let Some(name) = restored.keys().find(|name| libraries.contains_key(*name))
        {
            return Err(Error::text(format!("ERR Library {name} already exists")));
        }
        libraries.extend(restored);
        self.publish(libraries)?;
        tell();
        Ok(())
    }

    /// Publishes libraries that go with each other beside what goes with them; returns the names of those that do not,
    /// which are gone.
    pub(super) fn displace(&self, libraries: ByName) -> Vec<Box<str>> {
        let _writing = self.writing.lock();
        let (mut all, mut displaced) = (libraries, Vec::new());
        for (name, library) in self.set().libraries() {
            if all.contains_key(name) {
                continue;
            }
            all.insert(name.clone(), library.clone());
            if LibrarySet::new(0, all.clone()).is_err() {
                all.remove(name);
                displaced.push(name.clone());
            }
        }
        // They were just seen to go with each other.
        let _ = self.publish(all);
        displaced
    }

    /// Publishes a set. The caller holds `writing`.
    fn publish(&self, libraries: ByName) -> Result<(), Error> {
        let generation = self.generation.load(Ordering::Relaxed) + 1;
        let set = LibrarySet::new(generation, libraries).map_err(|name| set::taken(&name))?;
        self.current.store(Arc::new(set));
        // After the set: whoever sees the new generation finds the new set, or a later one.
        self.generation.store(generation, Ordering::SeqCst);
        self.version.renew();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(library: &str, functions: &[&str]) -> Vec<u8> {
        let mut code = format!("#!lua name={library}\n");
        for function in functions {
            code += &format!("redis.register_function('{function}', function() return 1 end)\n");
        }
        code.into_bytes()
    }

    fn names(libraries: &Libraries) -> Vec<String> {
        libraries.set().entries().iter().map(|entry| entry.name.to_string()).collect()
    }

    #[test]
    fn libraries_come_and_go_as_a_whole() {
        let (libraries, settings) = (Libraries::default(), ScriptSettings::default());
        libraries.load(&code("a", &["f", "G"]), false, &settings).unwrap();
        assert!(libraries.has_function(b"F") && libraries.has_function(b"g"));
        let error = libraries.load(&code("b", &["h", "g"]), false, &settings).unwrap_err();
        assert_eq!(error.to_string(), "ERR Function g already exists");
        assert!(!libraries.has_function(b"h"));
        let error = libraries.load(&code("a", &["x"]), false, &settings).unwrap_err();
        assert_eq!(error.to_string(), "ERR Library 'a' already exists");
        let before = libraries.generation();
        libraries.load(&code("a", &["x"]), true, &settings).unwrap();
        assert_eq!((names(&libraries), libraries.generation()), (vec!["x".to_owned()], before + 1));
        assert_eq!(libraries.delete(b"b", || ()).unwrap_err().to_string(), "ERR Library not found");
        libraries.delete(b"a", || ()).unwrap();
        assert!(names(&libraries).is_empty());
    }

    #[test]
    fn a_payload_is_restored_as_a_whole_or_not_at_all() {
        let (from, to, settings) = (Libraries::default(), Libraries::default(), ScriptSettings::default());
        from.load(&code("a", &["f"]), false, &settings).unwrap();
        from.load(&code("b", &["g"]), false, &settings).unwrap();
        let payload = from.dump(true);
        to.load(&code("c", &["g"]), false, &settings).unwrap();
        for policy in [RestorePolicy::Append, RestorePolicy::Replace] {
            let error = to.restore(&payload, policy, &settings, || ()).unwrap_err();
            assert_eq!(error.to_string(), "ERR Function g already exists");
            assert_eq!(names(&to), ["g"]);
        }
        to.restore(&payload, RestorePolicy::Flush, &settings, || ()).unwrap();
        assert_eq!(names(&to), ["f", "g"]);
        let error = to.restore(&payload, RestorePolicy::Append, &settings, || ()).unwrap_err();
        assert_eq!(error.to_string(), "ERR Library a already exists");
        to.restore(&payload, RestorePolicy::Replace, &settings, || ()).unwrap();
        assert_eq!(to.dump(false), from.dump(false));
    }

    #[test]
    fn what_is_put_in_displaces_what_does_not_go_with_it() {
        let (libraries, settings) = (Libraries::default(), ScriptSettings::default());
        for (library, function) in [("a", "f"), ("b", "g"), ("c", "h")] {
            libraries.load(&code(library, &[function]), false, &settings).unwrap();
        }
        let new = [("a", "f2"), ("d", "G")].map(|(library, function)| {
            let library = Library::learn(&code(library, &[function]), &settings).unwrap();
            (library.name().into(), library)
        });
        assert_eq!(libraries.displace(ByName::from(new)), ["b".into()]);
        assert_eq!(names(&libraries), ["f2", "h", "G"]);
    }

    #[test]
    fn many_functions_are_told_apart() {
        let (libraries, settings) = (Libraries::default(), ScriptSettings::default());
        let functions: Vec<_> = (0..500).map(|n| format!("f{n}")).collect();
        let functions: Vec<&str> = functions.iter().map(String::as_str).collect();
        libraries.load(&code("a", &functions), false, &settings).unwrap();
        let set = libraries.set();
        for name in &functions {
            let id = set.find(name.to_ascii_uppercase().as_bytes()).unwrap();
            assert_eq!(&*set.entry(id).name, *name);
        }
        assert_eq!(set.find(b"f500"), None);
    }
}
