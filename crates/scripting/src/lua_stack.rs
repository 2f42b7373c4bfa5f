//! The stack of a running C function, and a growing array whose memory belongs to Lua.
//!
//! Lua leaves a C function by unwinding over its frames, on errors and whenever an allocation fails. Nothing here
//! has a destructor, so a frame that uses only these types may be jumped over at any point without a leak.

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;

use mlua::ffi::{self, lua_State};

/// The most slots that one C function may use; Lua 5.1 and LuaJIT agree on it.
pub(crate) const SLOTS_MAX: c_int = 8000;

/// The stack of the C function that is running.
///
/// Positions are Lua's: from 1 at the first argument, or negative from the top. The methods are as strict as Lua's
/// own functions: a position must exist, and a slot must be free for what is pushed (20 are on entry, `reserve`
/// makes more).
#[derive(Clone, Copy)]
pub(crate) struct LuaStack {
    state: *mut lua_State,
}

impl LuaStack {
    /// # Safety
    /// `state` is the state that called the C function in which the result is used, and nothing with a destructor
    /// is alive in that function while it is used.
    pub(crate) unsafe fn new(state: *mut lua_State) -> Self {
        Self { state }
    }

    /// The state itself, for the functions of Lua that have no method here.
    pub(crate) fn state(self) -> *mut lua_State {
        self.state
    }

    /// How many values are on the stack.
    pub(crate) fn top(self) -> c_int {
        // SAFETY: the state is the running one, by `new`.
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// Makes sure that `slots` more values can be pushed; false when the function's limit is reached.
    pub(crate) fn reserve(self, slots: c_int) -> bool {
        // SAFETY: as in `top`; running out of memory raises an error, which this type allows for.
        unsafe { ffi::lua_checkstack(self.state, slots) != 0 }
    }

    /// The type of a value, one of `LUA_T*`.
    pub(crate) fn kind(self, index: c_int) -> c_int {
        // SAFETY: as in `top`; a position that is not filled answers LUA_TNONE.
        unsafe { ffi::lua_type(self.state, index) }
    }

    /// Drops `count` values from the top.
    pub(crate) fn pop(self, count: c_int) {
        debug_assert!(count <= self.top());
        // SAFETY: the caller's own pushes are on the stack.
        unsafe { ffi::lua_pop(self.state, count) }
    }

    /// The value as a number; 0 when it is none.
    pub(crate) fn number(self, index: c_int) -> f64 {
        // SAFETY: as in `kind`.
        unsafe { ffi::lua_tonumber(self.state, index) }
    }

    /// The value as a boolean: all but nil and false are true.
    pub(crate) fn boolean(self, index: c_int) -> bool {
        // SAFETY: as in `kind`.
        unsafe { ffi::lua_toboolean(self.state, index) != 0 }
    }

    /// The bytes of a string, borrowed from Lua; a NUL follows them. A number in the slot becomes a string.
    ///
    /// # Safety
    /// The value is a string or a number, it stays on the stack as long as the result is used, and it is no
    /// number that is the key of a running `next`.
    pub(crate) unsafe fn bytes<'a>(self, index: c_int) -> &'a [u8] {
        let mut len = 0;
        // SAFETY: the type is the caller's promise, so the pointer is not null and `len` bytes are behind it.
        unsafe {
            let start = ffi::lua_tolstring(self.state, index, &mut len);
            std::slice::from_raw_parts(start.cast::<u8>(), len)
        }
    }

    /// The string in an argument; raises the usual argument error when it is neither string nor number.
    ///
    /// # Safety
    /// The argument stays in its slot as long as the result is used.
    pub(crate) unsafe fn check_bytes<'a>(self, arg: c_int) -> &'a [u8] {
        let mut len = 0;
        // SAFETY: `luaL_checklstring` returns only with a valid string of `len` bytes.
        unsafe {
            let start = ffi::luaL_checklstring(self.state, arg, &mut len);
            std::slice::from_raw_parts(start.cast::<u8>(), len)
        }
    }

    /// The number in an argument; raises the usual argument error when it is none.
    pub(crate) fn check_number(self, arg: c_int) -> f64 {
        // SAFETY: as in `top`; it may raise, which this type allows for.
        unsafe { ffi::luaL_checknumber(self.state, arg) }
    }

    /// The integer in an argument, converted as C converts on x86-64; raises when it is no number.
    pub(crate) fn check_integer(self, arg: c_int) -> i64 {
        c_long(self.check_number(arg))
    }

    /// Like `check_integer`, with a value for an argument that is missing or nil.
    pub(crate) fn opt_integer(self, arg: c_int, default: i64) -> i64 {
        if self.kind(arg) <= ffi::LUA_TNIL { default } else { self.check_integer(arg) }
    }

    pub(crate) fn push_nil(self) {
        // SAFETY: a slot is free, see the type.
        unsafe { ffi::lua_pushnil(self.state) }
    }

    pub(crate) fn push_boolean(self, value: bool) {
        // SAFETY: a slot is free, see the type.
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(value)) }
    }

    pub(crate) fn push_number(self, value: f64) {
        // SAFETY: a slot is free, see the type.
        unsafe { ffi::lua_pushnumber(self.state, value) }
    }

    pub(crate) fn push_integer(self, value: i64) {
        self.push_number(value as f64);
    }

    /// Pushes cjson.null, the light userdata of address zero.
    pub(crate) fn push_null(self) {
        // SAFETY: a slot is free, see the type.
        unsafe { ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut()) }
    }

    pub(crate) fn push_bytes(self, bytes: &[u8]) {
        // SAFETY: a slot is free, see the type; Lua copies the bytes.
        unsafe { ffi::lua_pushlstring_(self.state, bytes.as_ptr().cast::<c_char>(), bytes.len()) }
    }

    /// Pushes an empty table with room for so many elements of an array and of a hash.
    pub(crate) fn push_table(self, array_slots: c_int, hash_slots: c_int) {
        // SAFETY: a slot is free, see the type.
        unsafe { ffi::lua_createtable(self.state, array_slots, hash_slots) }
    }

    /// Copies the value at `index` to the top.
    pub(crate) fn push_copy(self, index: c_int) {
        // SAFETY: a slot is free and the position exists, see the type.
        unsafe { ffi::lua_pushvalue(self.state, index) }
    }

    /// One step of a walk over the table below the key on top; false at its end, when the key is gone too.
    pub(crate) fn next(self) -> bool {
        debug_assert_eq!(self.kind(-2), ffi::LUA_TTABLE);
        // SAFETY: a table and a key of it, or nil, are on top; two slots are free.
        unsafe { ffi::lua_next(self.state, -2) != 0 }
    }

    /// The length of the table or string at `index`, without metamethods.
    pub(crate) fn raw_len(self, index: c_int) -> usize {
        // SAFETY: as in `kind`.
        unsafe { ffi::lua_objlen(self.state, index) }
    }

    /// Pushes element `position` of the table on top.
    pub(crate) fn raw_get_element(self, position: c_int) {
        debug_assert_eq!(self.kind(-1), ffi::LUA_TTABLE);
        // SAFETY: a table is on top and a slot is free.
        unsafe { ffi::lua_rawgeti_(self.state, -1, position) }
    }

    /// Pops a value into element `position` of the table below it.
    pub(crate) fn raw_set_element(self, position: c_int) {
        debug_assert_eq!(self.kind(-2), ffi::LUA_TTABLE);
        // SAFETY: a table and a value are on top.
        unsafe { ffi::lua_rawseti_(self.state, -2, position) }
    }

    /// Pops a value and the key below it into the table below both; the key is neither nil nor NaN.
    pub(crate) fn raw_set(self) {
        debug_assert_eq!(self.kind(-3), ffi::LUA_TTABLE);
        // SAFETY: a table, a key and a value are on top.
        unsafe { ffi::lua_rawset(self.state, -3) }
    }

    /// Raises `message` with the caller's position before it.
    pub(crate) fn raise(self, message: &CStr) -> ! {
        // SAFETY: nothing with a destructor is alive, by `new`; the format takes one C string.
        unsafe { ffi::luaL_error(self.state, c"%s".as_ptr(), message.as_ptr()) };
        unreachable!("luaL_error does not return")
    }

    /// Raises `message` as it is, without a position.
    pub(crate) fn raise_bare(self, message: &CStr) -> ! {
        self.push_bytes(message.to_bytes());
        // SAFETY: nothing with a destructor is alive, by `new`, and the error value is on top.
        unsafe { ffi::lua_error(self.state) }
    }

    /// Raises "bad argument #arg to 'function' (message)".
    pub(crate) fn raise_argument(self, arg: c_int, message: &CStr) -> ! {
        // SAFETY: nothing with a destructor is alive, by `new`.
        unsafe { ffi::luaL_argerror(self.state, arg, message.as_ptr()) };
        unreachable!("luaL_argerror does not return")
    }

    /// Raises "stack overflow (message)".
    pub(crate) fn raise_stack_overflow(self, message: &CStr) -> ! {
        // SAFETY: nothing with a destructor is alive, by `new`; the format takes one C string.
        unsafe { ffi::luaL_error(self.state, c"stack overflow (%s)".as_ptr(), message.as_ptr()) };
        unreachable!("luaL_error does not return")
    }
}

/// `(long)value` as x86-64 computes it: truncated, and the smallest integer for what does not fit.
pub(crate) fn c_long(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) { value as i64 } else { i64::MIN }
}

/// `(unsigned long)value` as x86-64 computes it: negative numbers wrap, what is too large becomes 0.
pub(crate) fn c_unsigned_long(value: f64) -> u64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value >= LIMIT { (c_long(value - LIMIT) as u64) ^ (1 << 63) } else { c_long(value) as u64 }
}

/// `(int)value` as x86-64 computes it: truncated, and the smallest integer for what does not fit.
pub(crate) fn c_int_of(value: f64) -> i32 {
    if value > -2_147_483_649.0 && value < 2_147_483_648.0 { value as i32 } else { i32::MIN }
}

/// A growing array of plain values: the first `N` live in the C function's frame, more live in a userdata on its
/// Lua stack. So it needs no destructor, counts towards the VM's memory limit, and is never shared with a finalizer
/// that calls the same function in the middle.
pub(crate) struct SpillVec<T: Copy, const N: usize> {
    stack: LuaStack,
    /// The slot that keeps the userdata alive.
    slot: c_int,
    /// Whether `slot` is this array's own already; otherwise the first userdata is inserted there.
    slot_taken: bool,
    /// Null as long as the elements are in `inline`.
    spilled: *mut T,
    len: usize,
    capacity: usize,
    inline: [MaybeUninit<T>; N],
}

impl<T: Copy, const N: usize> SpillVec<T, N> {
    /// An empty array that takes the stack's next slot at once.
    pub(crate) fn new(stack: LuaStack) -> Self {
        stack.push_nil();
        let slot = stack.top();
        Self { slot_taken: true, ..Self::inserting_at(stack, slot) }
    }

    /// An empty array that inserts its userdata at `slot`, moving what is above, should it need one.
    pub(crate) fn inserting_at(stack: LuaStack, slot: c_int) -> Self {
        const { assert!(align_of::<T>() <= 8 && size_of::<T>() > 0) };
        let inline = [const { MaybeUninit::uninit() }; N];
        Self { stack, slot, slot_taken: false, spilled: std::ptr::null_mut(), len: 0, capacity: N, inline }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_spilled(&self) -> bool {
        !self.spilled.is_null()
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    fn start(&self) -> *const T {
        if self.spilled.is_null() { self.inline.as_ptr().cast() } else { self.spilled }
    }

    fn start_mut(&mut self) -> *mut T {
        if self.spilled.is_null() { self.inline.as_mut_ptr().cast() } else { self.spilled }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: the first `len` elements are written, in the frame or in the userdata that `slot` keeps alive.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut T> {
        let last = self.len.checked_sub(1)?;
        // SAFETY: `last` is below `len`, see `as_slice`.
        Some(unsafe { &mut *self.start_mut().add(last) })
    }

    pub(crate) fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
    }

    /// Takes the last element.
    pub(crate) fn take_last(&mut self) -> Option<T> {
        let last = self.last_mut().copied();
        self.pop();
        last
    }

    /// Forgets all but the first `len` elements.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Puts the elements from `from` on in the place of the one at `to`, which is before them.
    pub(crate) fn move_last(&mut self, from: usize, to: usize) {
        // SAFETY: the first `len` elements are written, see `as_slice`, and the vector is borrowed mutably.
        let all = unsafe { std::slice::from_raw_parts_mut(self.start_mut(), self.len) };
        let moved = all.len() - from;
        all[to..].rotate_right(moved);
        // The one that was there comes right after what was moved.
        all.copy_within(to + moved + 1.., to + moved);
        self.len -= 1;
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        if self.len == self.capacity {
            self.grow(1);
        }
        // SAFETY: `len` is below `capacity`.
        unsafe { self.start_mut().add(self.len).write(value) };
        self.len += 1;
    }

    #[inline]
    pub(crate) fn extend(&mut self, values: &[T]) {
        if values.len() > self.capacity - self.len {
            self.grow(values.len());
        }
        // SAFETY: `len + values.len()` is at most `capacity`, and `values` cannot overlap memory borrowed mutably.
        unsafe {
            let end = self.start_mut().add(self.len);
            std::ptr::copy_nonoverlapping(values.as_ptr(), end, values.len());
        }
        self.len += values.len();
    }

    /// Appends a few elements and many.
    #[inline]
    pub(crate) fn extend_with<const HEAD: usize>(&mut self, head: [T; HEAD], values: &[T]) {
        if HEAD + values.len() > self.capacity - self.len {
            self.grow(HEAD + values.len());
        }
        // SAFETY: all of them fit, and `values` cannot overlap memory borrowed mutably.
        unsafe {
            let end = self.start_mut().add(self.len);
            end.cast::<[T; HEAD]>().write(head);
            std::ptr::copy_nonoverlapping(values.as_ptr(), end.add(HEAD), values.len());
        }
        self.len += HEAD + values.len();
    }

    /// Makes room for `more` elements in a userdata at least twice as large; raises when memory runs out.
    #[cold]
    fn grow(&mut self, more: usize) {
        let wanted = self.len.saturating_add(more).max(self.capacity.saturating_mul(2));
        let Some(bytes) = wanted.checked_mul(size_of::<T>()) else {
            self.stack.raise_bare(c"not enough memory");
        };
        if !self.stack.reserve(1) {
            self.stack.raise_stack_overflow(c"no room for a buffer");
        }
        let state = self.stack.state();
        // SAFETY: a slot is free; the userdata holds `wanted` elements, Lua aligns it to 8 at least, and the copy
        // is made before the old memory loses its slot.
        unsafe {
            let memory = ffi::lua_newuserdata(state, bytes).cast::<T>();
            std::ptr::copy_nonoverlapping(self.start(), memory, self.len);
            if self.slot_taken {
                ffi::lua_replace(state, self.slot);
            } else {
                ffi::lua_insert(state, self.slot);
            }
            self.spilled = memory;
        }
        self.slot_taken = true;
        self.capacity = wanted;
    }
}

/// Creates a table of functions on top of the stack; each closes over copies of the `upvalues` values on top, which
/// are popped.
///
/// # Safety
/// `upvalues` values are on the stack, with room for as many more and three.
pub(crate) unsafe fn push_library(
    state: *mut lua_State,
    functions: &[(&CStr, ffi::lua_CFunction)],
    upvalues: c_int,
) {
    // SAFETY: the caller's promises; the positions follow from what is pushed here.
    unsafe {
        ffi::lua_createtable(state, 0, functions.len() as c_int + 4);
        ffi::lua_insert(state, -upvalues - 1);
        for (name, function) in functions {
            for _ in 0..upvalues {
                ffi::lua_pushvalue(state, -upvalues);
            }
            ffi::lua_pushcclosure(state, *function, upvalues);
            ffi::lua_setfield(state, -upvalues - 2, name.as_ptr());
        }
        ffi::lua_pop(state, upvalues);
    }
}

/// Sets a string field of the table on top of the stack.
///
/// # Safety
/// A table is on top of the stack, and two slots are free.
pub(crate) unsafe fn set_text(state: *mut lua_State, name: &CStr, text: &CStr) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_pushlstring_(state, text.as_ptr(), text.count_bytes());
        ffi::lua_setfield(state, -2, name.as_ptr());
    }
}
