//! How long a function of a library goes on before it looks whether its script is to end: no hook reaches into it.

use crate::lua_stack::LuaStack;
use crate::vm;

/// Steps between two looks; a step is one value, or some dozens of bytes. Together they take a fraction of a millisecond.
const STEPS: usize = 4096;

/// Steps that are left until the next look.
pub(crate) struct Patience(usize);

impl Patience {
    pub(crate) const fn new() -> Self {
        Self(STEPS)
    }

    /// Takes so many steps. Raises if the script was killed.
    #[inline(always)]
    pub(crate) fn spend(&mut self, stack: LuaStack, steps: usize) {
        match self.0.checked_sub(steps) {
            Some(left) => self.0 = left,
            None => self.look(stack),
        }
    }

    /// Writes or reads so many bytes.
    #[inline(always)]
    pub(crate) fn spend_bytes(&mut self, stack: LuaStack, bytes: usize) {
        self.spend(stack, bytes / 64);
    }

    /// Goes over the keys of a table, which may take some milliseconds although it finds none.
    #[inline(always)]
    pub(crate) fn spend_table(&mut self, stack: LuaStack) {
        self.spend(stack, STEPS / 4);
    }

    #[cold]
    #[inline(never)]
    fn look(&mut self, stack: LuaStack) {
        self.0 = STEPS;
        // SAFETY: by `LuaStack::new` nothing with a destructor is alive; what polls makes sure of its slots.
        unsafe { vm::poll(stack.state()) };
    }
}
