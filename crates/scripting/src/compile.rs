//! Compiles scripts to see whether they can be, for SCRIPT LOAD.

use crate::lua::Lua;
use mlua::ffi;
use moonshard_engine::Error;

/// A Lua state in which nothing ever runs.
#[derive(Debug)]
pub(crate) struct Checker(Lua);

impl Checker {
    pub(crate) fn new() -> Result<Self, Error> {
        Lua::new().map(Self)
    }

    /// Whether `body` compiles.
    pub(crate) fn check(&mut self, body: &[u8]) -> Result<(), Error> {
        let outcome = self.0.compile(body);
        // SAFETY: dropping values from the stack.
        unsafe { ffi::lua_settop(self.0.state(), 0) };
        outcome
    }
}
