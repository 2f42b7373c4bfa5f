//! Times the lines of a script that is profiled: a hook at every line takes the clock.

use super::{Compiled, Name, Ready};
use crate::profile::{Frame, Profile, Spent};
use crate::sha::Sha;
use crate::signal;
use crate::stats::ScriptName;
use mlua::ffi::{self, lua_Debug, lua_State};
use std::collections::hash_map::Entry;
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Frames of a stack that are looked at.
const FRAMES_MAX: usize = 32;

/// The profile of a run as it is taken.
pub(super) struct Profiler {
    clock: quanta::Clock,
    /// When the line was come to.
    begun: u64,
    stack: Vec<Frame>,
    profile: Profile,
}

impl Profiler {
    fn new() -> Self {
        let clock = quanta::Clock::new();
        let begun = clock.raw();
        Self { clock, begun, stack: Vec::new(), profile: Profile { runs: 1, ..Profile::default() } }
    }

    /// Ends the line that runs.
    fn leave(&mut self) {
        self.spend(1);
    }

    /// What follows is not the script's time.
    pub(super) fn pause(&mut self) {
        self.spend(0);
    }

    /// What follows is the script's time again.
    pub(super) fn resume(&mut self) {
        self.begun = self.clock.raw();
    }

    fn spend(&mut self, visits: u64) {
        let nanos = self.clock.delta_as_nanos(self.begun, self.clock.raw());
        if !self.stack.is_empty() {
            self.profile.spend(&self.stack, Spent { nanos, visits });
        }
    }

    /// Comes to another line. What that costs is no line's time.
    ///
    /// # Safety
    /// `state` is in a hook.
    unsafe fn enter(&mut self, state: *mut lua_State) {
        self.leave();
        self.stack.clear();
        // SAFETY: a C structure of numbers and pointers, which lua_getstack and lua_getinfo fill; the caller's promise.
        unsafe {
            let mut place: lua_Debug = std::mem::zeroed();
            let mut level = 0;
            while self.stack.len() < FRAMES_MAX
                && ffi::lua_getstack(state, level, &mut place) != 0
                && ffi::lua_getinfo(state, c"nSl".as_ptr(), &mut place) != 0
            {
                self.push(&place);
                level += 1;
            }
        }
        self.stack.reverse();
        self.resume();
    }

    /// Takes a frame in, if it is one of the script's text.
    ///
    /// # Safety
    /// lua_getinfo has filled `place`.
    unsafe fn push(&mut self, place: &lua_Debug) {
        // SAFETY: the caller's promise.
        let (source, what) = unsafe { (text(place.source), text(place.what)) };
        if !source.starts_with(b"@user_") || place.currentline <= 0 {
            return;
        }
        let number = |line: c_int| u32::try_from(line).unwrap_or(0);
        let frame = if what == b"main" {
            Frame { defined: 0, line: number(place.currentline) }
        } else {
            Frame { defined: number(place.linedefined), line: number(place.currentline) }
        };
        self.stack.push(frame);
        if let Entry::Vacant(entry) = self.profile.functions.entry(frame.defined) {
            // SAFETY: the caller's promise.
            let name = if frame.defined == 0 { b"main" } else { unsafe { text(place.name) } };
            if !name.is_empty() {
                let name = String::from_utf8_lossy(name).replace([';', ' '], "_");
                entry.insert(name.into());
            }
        }
    }
}

/// A C string, empty for none.
///
/// # Safety
/// It is one, or null, and lives as long as the result.
unsafe fn text<'a>(string: *const c_char) -> &'a [u8] {
    // SAFETY: the caller's promise.
    if string.is_null() { b"" } else { unsafe { CStr::from_ptr(string) }.to_bytes() }
}

/// Sets the hook of the script that runs on this thread if it is profiled, and takes it away if not.
///
/// # Safety
/// `state` is the script's.
pub(super) unsafe fn restore_hook(state: *mut lua_State) {
    let script = signal::current();
    // SAFETY: not null means that the script is on this thread's stack; the caller's promise.
    unsafe {
        if !script.is_null() && (*script).profiler.is_some() {
            ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKLINE, 0);
        } else {
            ffi::lua_sethook(state, None, 0, 0);
        }
    }
}

unsafe extern "C-unwind" fn hook(state: *mut lua_State, _event: *mut lua_Debug) {
    let script = signal::current().cast_mut();
    if script.is_null() {
        return;
    }
    // A panic must not unwind through Lua.
    let entered = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the script is on this thread's stack, below this frame; the signal's handler reads only its state.
        unsafe {
            if let Some(profiler) = (*script).profiler.as_mut() {
                profiler.enter(state);
            }
        }
    }));
    if entered.is_err() {
        tracing::error!("a line of a script could not be profiled");
    }
}

impl Ready {
    fn public_name(&self, script: &Compiled) -> Option<ScriptName> {
        Some(match script.name {
            Name::Script { .. } => ScriptName::Script(Sha::from_client(self.stats.name(script.stats))?),
            Name::Function(id) => ScriptName::Function(self.functions.set.entry(id).name.clone()),
        })
    }

    /// Begins the profile of a run that is about to start on this thread, if it is wanted.
    #[cold]
    pub(super) fn begin_profile(&mut self, script: &Compiled) {
        if self.public_name(script).is_some_and(|name| self.settings.profiling.wants(&name)) {
            self.bridge.interruptible.profiler = Some(Box::new(Profiler::new()));
            // SAFETY: the script is the current one of this thread, and the state is its own.
            unsafe { restore_hook(self.lua.state()) };
        }
    }

    /// Ends the profile of a run, if one was taken.
    #[inline]
    pub(super) fn end_profile(&mut self, script: &Compiled) {
        if let Some(profiler) = self.bridge.interruptible.profiler.take() {
            self.keep_profile(script, *profiler);
        }
    }

    #[cold]
    fn keep_profile(&mut self, script: &Compiled, mut profiler: Profiler) {
        profiler.leave();
        if let Some(name) = self.public_name(script) {
            self.settings.profiling.add(name, profiler.profile);
        }
    }
}
