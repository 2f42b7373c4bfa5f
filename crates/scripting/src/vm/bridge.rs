//! What the functions that scripts call share with the VM that runs them.

use super::bytecode::Opcodes;
use super::interrupt::Interruptible;
use super::random::Lrand48;
use super::register::Registered;
use super::to_reply::Frame;
use crate::control::Control;
use crate::stats::Usage;
use mlua::ffi::{self, lua_State};
use moonshard_engine::{Ctx, ScriptCall};
use std::ffi::c_int;
use std::sync::Arc;

/// The state of a VM that is not in Lua. Its address is the first upvalue of every function that needs it.
pub(crate) struct Bridge {
    pub(super) interruptible: Interruptible,
    /// The context of the running script; null when none runs.
    cx: *mut Ctx<'static>,
    pub(super) control: Arc<Control>,
    /// Memory for replies, while no script runs.
    pub(super) tape: Vec<u8>,
    /// Arguments of the running call; empty in between.
    pub(super) args: Vec<&'static [u8]>,
    /// The numbers among them, as text.
    pub(super) digits: Vec<u8>,
    pub(super) random: Lrand48,
    pub(super) resp3: bool,
    pub(super) frames: Vec<Frame>,
    /// What the running script is to start with.
    pub(super) start: Start,
    /// What the library has registered that is being loaded; `None` when none is.
    pub(super) registering: Option<Vec<Registered>>,
    /// Whether a debugger watches the running script.
    pub(super) debugged: bool,
    /// How what scripts compile is changed, as scripts are.
    pub(super) opcodes: Option<Opcodes>,
    gc_touched: bool,
    /// Whether what the running script does is kept from the log.
    keeps_back: bool,
    /// What the running script has done so far.
    pub(super) usage: Usage,
    pub(super) clock: quanta::Clock,
    /// Where the thread's stack was when the script began.
    stack_start: usize,
}

/// Bytes of the thread's stack that a script may use where each level takes much of it.
const STACK_BYTES_MAX: usize = 1 << 20;

/// A place on the thread's stack.
#[inline]
fn stack_address() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}

/// How a script starts.
#[derive(Clone, Copy)]
pub(super) struct Start {
    /// Its function in Lua's registry.
    pub(super) function: c_int,
    pub(super) keys: *const [&'static [u8]],
    pub(super) argv: *const [&'static [u8]],
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridge").field("running", &!self.cx.is_null()).finish_non_exhaustive()
    }
}

// SAFETY: the pointers are null or idle while no script runs, and a script runs under `&mut` of its VM.
unsafe impl Send for Bridge {}

impl Bridge {
    pub(super) fn new(control: Arc<Control>, shed: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            interruptible: Interruptible::new(Arc::clone(&control), shed),
            cx: std::ptr::null_mut(),
            control,
            tape: Vec::new(),
            args: Vec::new(),
            digits: Vec::new(),
            random: Lrand48::default(),
            resp3: false,
            frames: Vec::new(),
            start: Start { function: 0, keys: &[], argv: &[] },
            registering: None,
            debugged: false,
            opcodes: None,
            gc_touched: false,
            keeps_back: false,
            usage: Usage::default(),
            clock: quanta::Clock::new(),
            stack_start: 0,
        }
    }

    /// The bridge of a function that has it as its first upvalue.
    ///
    /// # Safety
    /// `state` runs such a function, and no other reference to the bridge is used while the result is.
    #[inline]
    pub(super) unsafe fn of<'a>(state: *mut lua_State) -> &'a mut Self {
        // SAFETY: the caller's promise; the box outlives the state.
        unsafe { &mut *ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Self>() }
    }

    /// Takes the context and the arguments of a run, which lasts until [`Bridge::end`].
    #[inline]
    pub(super) fn begin(
        &mut self,
        state: *mut lua_State,
        cx: &mut Ctx<'_>,
        run: u64,
        name: &[u8],
        call: &ScriptCall<'_>,
    ) {
        self.interruptible.begin(state, run, name, call.args.from(0));
        self.stack_start = stack_address();
        self.cx = std::ptr::from_mut(cx).cast();
        self.resp3 = false;
        self.start = Start {
            function: ffi::LUA_NOREF,
            keys: call.keys as *const [&[u8]] as *const _,
            argv: call.argv as *const [&[u8]] as *const _,
        };
    }

    /// Ends the run. Returns whether the script had asked for RESP3.
    pub(super) fn end(&mut self) -> bool {
        self.cx = std::ptr::null_mut();
        self.start = Start { function: 0, keys: &[], argv: &[] };
        self.resp3
    }

    /// Whether what the running script does from now on is kept from the log.
    pub(super) fn keep_back(&mut self, kept_back: bool) {
        self.keeps_back |= kept_back;
        // SAFETY: called by a function of the running script, which uses no other reference.
        if let Some(cx) = unsafe { self.cx() } {
            cx.keys.keep_back(kept_back);
        }
    }

    /// Whether anything may still be kept back, which is then to be undone.
    #[inline]
    pub(super) fn take_keeps_back(&mut self) -> bool {
        std::mem::take(&mut self.keeps_back)
    }

    /// The context of the running script.
    ///
    /// # Safety
    /// The result is used before the script ends, and is the only one in use.
    #[inline]
    pub(super) unsafe fn cx<'a>(&self) -> Option<&'a mut Ctx<'a>> {
        // SAFETY: the caller's promise; null is no reference. The lifetime is cut to the use.
        unsafe { self.cx.cast::<Ctx<'a>>().as_mut() }
    }

    /// Whether the script has used as much of the thread's stack as it may.
    pub(super) fn stack_is_deep(&self) -> bool {
        self.stack_start.saturating_sub(stack_address()) > STACK_BYTES_MAX
    }

    pub(super) fn touch_gc(&mut self) {
        self.gc_touched = true;
    }

    #[inline]
    pub(super) fn take_gc_touched(&mut self) -> bool {
        std::mem::take(&mut self.gc_touched)
    }
}
