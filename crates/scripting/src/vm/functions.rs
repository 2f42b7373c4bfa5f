//! The functions of libraries in a VM: loaded when they are first called, forgotten when their library is gone.

use super::Ready;
use super::errors;
use crate::library::{FunctionId, Libraries, LibrarySet};
use crate::stats::StatsId;
use mlua::ffi;
use moonshard_engine::Error;
use std::ffi::c_int;
use std::sync::Arc;

/// What a VM knows of the published set.
#[derive(Debug, Default)]
pub(super) struct LoadedFunctions {
    pub(super) set: Arc<LibrarySet>,
    /// Of each of the set's functions, where it is in Lua's registry; `LUA_NOREF` if its library was not loaded.
    references: Vec<c_int>,
    /// Of each, where it is counted.
    stats: Vec<StatsId>,
}

impl LoadedFunctions {
    /// Where the function is in Lua's registry, or `LUA_NOREF`.
    #[inline]
    pub(super) fn reference(&self, id: FunctionId) -> c_int {
        self.references.get(id.index()).copied().unwrap_or(ffi::LUA_NOREF)
    }

    /// Where the function is counted; nowhere if it was not called yet.
    #[inline]
    pub(super) fn stats(&self, id: FunctionId) -> StatsId {
        self.stats.get(id.index()).copied().unwrap_or(StatsId::NONE)
    }

    pub(super) fn set_stats(&mut self, id: FunctionId, stats: StatsId) {
        if let Some(place) = self.stats.get_mut(id.index()) {
            *place = stats;
        }
    }

    /// Whether any function was loaded.
    pub(super) fn any(&self) -> bool {
        self.references.iter().any(|&reference| reference != ffi::LUA_NOREF)
    }
}

impl Ready {
    /// Takes the published set over if it is another one. What libraries that are still in it have loaded stays.
    #[inline]
    pub(super) fn refresh_functions(&mut self, libraries: &Libraries) {
        if self.functions.set.generation() != libraries.generation() {
            self.take_functions(libraries.set());
        }
    }

    #[cold]
    fn take_functions(&mut self, set: Arc<LibrarySet>) {
        let LoadedFunctions { set: old_set, references: mut old, stats: mut old_stats } =
            std::mem::take(&mut self.functions);
        let kept = |entry: &crate::library::Entry| {
            let id = old_set.find(entry.name.as_bytes())?;
            let same = Arc::ptr_eq(&old_set.entry(id).library, &entry.library);
            same.then(|| {
                let stats = std::mem::replace(&mut old_stats[id.index()], StatsId::NONE);
                (std::mem::replace(&mut old[id.index()], ffi::LUA_NOREF), stats)
            })
        };
        let none = (ffi::LUA_NOREF, StatsId::NONE);
        let (references, stats) = set.entries().iter().map(kept).map(|kept| kept.unwrap_or(none)).unzip();
        old_stats.into_iter().for_each(|stats| self.stats.remove(stats));
        let state = self.lua.state();
        for reference in old.into_iter().filter(|&reference| reference != ffi::LUA_NOREF) {
            // SAFETY: the state is idle, and nothing else uses the reference.
            unsafe { ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, reference) };
        }
        self.functions = LoadedFunctions { set, references, stats };
    }

    /// Loads the library of a function; returns where the function is in Lua's registry. `limit` is that of all
    /// scripts' memory.
    ///
    /// # Errors
    /// What the library raises here although it did not when it was published: memory runs out, or it is killed.
    #[cold]
    pub(super) fn load_function(&mut self, id: FunctionId, limit: usize) -> Result<c_int, Error> {
        let set = Arc::clone(&self.functions.set);
        let library = &set.entry(id).library;
        self.lua.set_limit(0);
        let pushed = self.sandbox.push_library(&mut self.lua, library.body());
        self.lua.set_limit(limit);
        pushed?;
        self.bridge.registering = Some(Vec::new());
        let state = self.lua.state();
        // SAFETY: `push_library` has left the function and its two arguments; what it raises the call returns.
        let status = unsafe { ffi::lua_pcall(state, 2, 0, 0) };
        let registered = self.bridge.registering.take().unwrap_or_default();
        let keep = status == ffi::LUA_OK;
        for registered in registered {
            let known = set.find(registered.function.name.as_bytes()).filter(|_| keep);
            match known.and_then(|id| self.functions.references.get_mut(id.index())) {
                Some(reference) => *reference = registered.callback,
                // SAFETY: the state is idle, and nothing else uses the reference.
                None => unsafe { ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, registered.callback) },
            }
        }
        if !keep {
            return Err(errors::of_library(state));
        }
        Some(self.functions.reference(id)).filter(|&found| found != ffi::LUA_NOREF).ok_or(Error::NO_FUNCTION)
    }
}
