//! A Lua state of its own memory, and what is needed to compile a text in it.

use crate::literals;
use crate::lua_stack::LuaStack;
use mlua::ffi::{self, lua_State};
use moonshard_engine::Error;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;

/// What Lua asks for memory, with a limit before it.
struct Memory {
    /// LuaJIT's own allocator, which suits it best.
    allocate: ffi::lua_Alloc,
    allocator: *mut c_void,
    used: usize,
    /// The most that was used since [`Lua::begin_peak`].
    peak: usize,
    peak_from: usize,
    /// Bytes; `usize::MAX` for no limit.
    limit: usize,
    /// Halfway from what was used to the limit: beyond it garbage is collected at once. LuaJIT itself waits until the
    /// heap has grown to a multiple of what was left, which may be more than the limit, and does not collect when
    /// it is refused memory.
    mark: usize,
    /// Whose memory it is.
    state: *mut lua_State,
    /// The collector was hurried.
    hurried: bool,
}

impl Memory {
    fn set_limit(&mut self, bytes: usize) {
        self.limit = if bytes == 0 { usize::MAX } else { bytes };
        self.mark = self.next_mark(self.used);
    }

    /// The mark for so many bytes: where hardly any room is left, the limit itself, or every little would be looked for.
    const fn next_mark(&self, used: usize) -> usize {
        let room = self.limit.saturating_sub(used);
        if room < self.limit / 64 { self.limit } else { self.limit - room / 2 }
    }

    /// What is done before the heap grows beyond the mark. False if it must not, being at its limit.
    #[cold]
    fn pass_mark(&mut self, grown: usize) -> bool {
        if grown > self.limit {
            return false;
        }
        self.mark = self.next_mark(grown);
        self.hurried = true;
        // A cycle is to be over when half of the room is taken: it goes through the whole heap and some of it twice.
        let room = (self.limit - grown).max(1);
        let percent = grown.saturating_mul(5) / room * 100;
        let percent = c_int::try_from(percent).unwrap_or(c_int::MAX).clamp(400, 1 << 20);
        // SAFETY: both only set a number that the collector goes by when it is next asked, which is not in here.
        unsafe {
            ffi::lua_gc(self.state, ffi::LUA_GCSETSTEPMUL, percent);
            ffi::lua_gc(self.state, ffi::LUA_GCRESTART, 0);
        }
        true
    }
}

/// An owned Lua state.
pub(crate) struct Lua {
    state: NonNull<lua_State>,
    memory: Box<Memory>,
}

impl std::fmt::Debug for Lua {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lua").field("bytes", &self.memory.used).finish_non_exhaustive()
    }
}

// SAFETY: a state may be used by any thread, one at a time, which `&mut` ensures.
unsafe impl Send for Lua {}

/// Counts what Lua takes and refuses what is over the limit. Giving memory back never fails.
unsafe extern "C" fn allocate(
    memory: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: `memory` is the box that the state's `Lua` owns, and nobody holds a reference to it while Lua runs.
    let memory = unsafe { &mut *memory.cast::<Memory>() };
    let old = if block.is_null() { 0 } else { old };
    if new > old {
        let grown = memory.used.saturating_add(new - old);
        if grown > memory.mark && !memory.pass_mark(grown) {
            return std::ptr::null_mut();
        }
    }
    // SAFETY: a call passed on to the allocator that made `block`.
    let result = unsafe { (memory.allocate)(memory.allocator, block, old, new) };
    if new == 0 || !result.is_null() {
        memory.used = (memory.used + new).saturating_sub(old);
        memory.peak = memory.peak.max(memory.used);
        if new < old {
            memory.mark = memory.mark.min(memory.next_mark(memory.used));
        }
    }
    result
}

impl Lua {
    /// A state without any library.
    pub(crate) fn new() -> Result<Self, Error> {
        // SAFETY: no preconditions; null means that there is no memory.
        let state = NonNull::new(unsafe { ffi::luaL_newstate() });
        let Some(state) = state else { return Err(Error::fixed("ERR not enough memory for a Lua state")) };
        let mut allocator = std::ptr::null_mut();
        // SAFETY: the state is new and idle.
        let allocate_own = unsafe { ffi::lua_getallocf(state.as_ptr(), &mut allocator) };
        // SAFETY: as above. Lua counts in KiB and the bytes that are left over.
        let used = unsafe {
            let kib = ffi::lua_gc(state.as_ptr(), ffi::LUA_GCCOUNT, 0) as usize;
            kib * 1024 + ffi::lua_gc(state.as_ptr(), ffi::LUA_GCCOUNTB, 0) as usize
        };
        let mut memory = Box::new(Memory {
            allocate: allocate_own,
            allocator,
            used,
            peak: used,
            peak_from: used,
            limit: usize::MAX,
            mark: usize::MAX,
            state: state.as_ptr(),
            hurried: false,
        });
        // SAFETY: the box does not move until `drop` has given the state its own allocator back.
        unsafe { ffi::lua_setallocf(state.as_ptr(), allocate, (&raw mut *memory).cast()) };
        Ok(Self { state, memory })
    }

    /// The state. What is called on it must not raise errors outside of a protected call.
    #[inline]
    pub(crate) fn state(&self) -> *mut lua_State {
        self.state.as_ptr()
    }

    /// Bytes that the state has.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.used
    }

    /// Forgets what was used before now; see [`Lua::grown`].
    #[inline]
    pub(crate) fn begin_peak(&mut self) {
        self.memory.peak = self.memory.used;
        self.memory.peak_from = self.memory.used;
    }

    /// The most bytes by which the state has grown since [`Lua::begin_peak`].
    #[inline]
    pub(crate) fn grown(&self) -> usize {
        self.memory.peak - self.memory.peak_from
    }

    /// Limits the bytes that the state may have; 0 for no limit. What it has already, it keeps.
    #[inline]
    pub(crate) fn set_limit(&mut self, bytes: usize) {
        self.memory.set_limit(bytes);
    }

    /// Whether the collector was hurried since this was last asked: its pace is then another.
    #[inline]
    pub(crate) fn take_hurried(&mut self) -> bool {
        std::mem::take(&mut self.memory.hurried)
    }

    /// Collects all garbage.
    pub(crate) fn collect(&mut self) {
        // SAFETY: no finalizer runs scripts' code, so nothing raises.
        unsafe { ffi::lua_gc(self.state(), ffi::LUA_GCCOLLECT, 0) };
    }

    /// Calls a C function in protected mode with a pointer as its argument.
    ///
    /// # Errors
    /// The text of the error it raised.
    pub(crate) fn protect(
        &mut self,
        function: ffi::lua_CFunction,
        argument: *mut c_void,
    ) -> Result<(), Error> {
        let state = self.state();
        // SAFETY: lua_cpcall catches what the function raises, and leaves only an error value behind.
        unsafe {
            if ffi::lua_cpcall(state, function, argument) == ffi::LUA_OK {
                return Ok(());
            }
            let text = top_text(state).to_vec();
            ffi::lua_settop(state, 0);
            Err(Error::bytes([b"ERR ".as_slice(), &text].concat()))
        }
    }

    /// Compiles a script and leaves the function on the stack.
    ///
    /// # Errors
    /// The compiler's text, in Redis' words.
    pub(crate) fn compile(&mut self, body: &[u8]) -> Result<(), Error> {
        self.compile_as(body, c"@user_script", "script (new function)")
    }

    /// Compiles a text under a name and leaves the function on the stack; an error tells `what` it is.
    ///
    /// # Errors
    /// The compiler's text, in Redis' words.
    pub(crate) fn compile_as(&mut self, body: &[u8], name: &CStr, what: &str) -> Result<(), Error> {
        let state = self.state();
        // SAFETY: compiling is protected by Lua itself, and leaves a function or a text.
        unsafe {
            if load_text(state, body, name) == ffi::LUA_OK {
                return Ok(());
            }
            let mut line = format!("ERR Error compiling {what}: ").into_bytes();
            line.extend(top_text(state).iter().take_while(|&&byte| byte != 0));
            ffi::lua_pop(state, 1);
            Err(Error::bytes(line))
        }
    }
}

impl Drop for Lua {
    fn drop(&mut self) {
        // SAFETY: nothing runs in the state any more. It is given its own allocator back, which it knows how to end.
        unsafe {
            ffi::lua_sethook(self.state(), None, 0, 0);
            ffi::lua_setallocf(self.state(), self.memory.allocate, self.memory.allocator);
            ffi::lua_close(self.state());
        }
    }
}

/// Sets the limit of a state's memory, in bytes; 0 for none. Returns the one before.
///
/// # Safety
/// `state` belongs to a [`Lua`], on whose thread this is.
pub(crate) unsafe fn replace_limit(state: *mut lua_State, bytes: usize) -> usize {
    let mut memory = std::ptr::null_mut();
    // SAFETY: the state of a `Lua` allocates from the box that the `Lua` owns; Lua does not run meanwhile.
    unsafe {
        ffi::lua_getallocf(state, &raw mut memory);
        let memory = &mut *memory.cast::<Memory>();
        let before = memory.limit;
        memory.set_limit(bytes);
        if before == usize::MAX { 0 } else { before }
    }
}

/// Compiles a text, and only a text: bytecode could do anything. Leaves a function or a message on the stack.
///
/// # Safety
/// `state` has two slots free; running out of memory for the message may raise an error.
pub(crate) unsafe fn load_text(state: *mut lua_State, text: &[u8], name: &std::ffi::CStr) -> c_int {
    // SAFETY: the caller's promise; Lua copies the text.
    unsafe {
        if text.first() == Some(&ffi::LUA_SIGNATURE[0]) {
            // What a compiler says that knows no bytecode.
            let shown = chunk_id(name.to_bytes());
            ffi::lua_pushlstring_(state, shown.as_ptr().cast(), shown.len());
            ffi::lua_pushliteral(state, c":1: unexpected symbol near 'char(27)'");
            ffi::lua_concat(state, 2);
            return ffi::LUA_ERRSYNTAX;
        }
        if refuse_numbers(state, text, name) {
            return ffi::LUA_ERRSYNTAX;
        }
        ffi::luaL_loadbuffer(state, text.as_ptr().cast(), text.len(), name.as_ptr())
    }
}

/// Pushes what is wrong with a text that has numbers which only LuaJIT reads; false if there are none.
///
/// # Safety
/// As [`load_text`].
unsafe fn refuse_numbers(state: *mut lua_State, text: &[u8], name: &CStr) -> bool {
    let mut memory = std::ptr::null_mut();
    // SAFETY: the state of a `Lua` allocates from the box that the `Lua` owns. Pushing may raise: a short text has no
    // destructor.
    unsafe {
        ffi::lua_getallocf(state, &raw mut memory);
        let Memory { limit, used, .. } = *memory.cast::<Memory>();
        let Some(complaint) = literals::complaint(text, name, limit.saturating_sub(used)) else {
            return false;
        };
        ffi::lua_pushlstring_(state, complaint.as_ptr().cast(), complaint.len());
        true
    }
}

/// How Lua shows the name of a chunk: `=name` and `@name` as the name, anything else as the first line of a text.
pub(crate) fn chunk_id(name: &[u8]) -> ShortText {
    const LEN_MAX: usize = 60;
    let mut shown = ShortText::new();
    if let [b'=' | b'@', rest @ ..] = name {
        shown.push(&rest[..rest.len().min(LEN_MAX - 1)]);
        return shown;
    }
    let line = name.iter().position(|&byte| matches!(byte, b'\n' | b'\r' | 0)).unwrap_or(name.len());
    // 60 bytes with the quotes, the brackets, the dots and the end.
    let room = LEN_MAX - br#"[string "..."]"#.len() - 1;
    shown.push(br#"[string ""#);
    if line < name.len() || line > room {
        shown.push(&name[..line.min(room)]);
        shown.push(b"...");
    } else {
        shown.push(name);
    }
    shown.push(br#""]"#);
    shown
}

/// A text without a destructor, cut if it is longer than messages of the compiler.
pub(crate) struct ShortText {
    bytes: [u8; 256],
    len: usize,
}

impl ShortText {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; 256], len: 0 }
    }

    pub(crate) fn push(&mut self, text: &[u8]) {
        let text = &text[..text.len().min(self.bytes.len() - self.len)];
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }
}

impl std::ops::Deref for ShortText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The string on top of the stack, empty if there is none.
///
/// # Safety
/// The result lives as long as the string is on the stack.
pub(crate) unsafe fn top_text<'a>(state: *mut lua_State) -> &'a [u8] {
    // SAFETY: only a string is read, so nothing is converted or allocated.
    unsafe { if ffi::lua_type(state, -1) == ffi::LUA_TSTRING { LuaStack::new(state).bytes(-1) } else { b"" } }
}
