//! `bit`: LuaJIT's own, so that loops over it stay compiled, but for `tohex`, which pads beyond eight digits there.
//!
//! One difference is left: `band`, `bor` and `bxor` name the first of several bad arguments, Redis the last.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use crate::lua_stack::LuaStack;

/// Pushes the `bit` table, and sets the global of that name as LuaJIT does. Raises a Lua error when memory runs out.
///
/// # Safety
/// `state` is a live Lua state with ten free slots on its stack, and no value with a destructor is alive in a frame
/// between this call and the protected call around it.
pub unsafe fn open_bit(state: *mut lua_State) {
    // SAFETY: the caller's promises; the function is called as Lua calls the libraries that it opens itself.
    unsafe {
        ffi::lua_pushcfunction(state, ffi::luaopen_bit);
        ffi::lua_pushlstring_(state, c"bit".as_ptr(), 3);
        ffi::lua_call(state, 1, 1);
        ffi::lua_pushcfunction(state, tohex);
        ffi::lua_setfield(state, -2, c"tohex".as_ptr());
    }
}

unsafe extern "C-unwind" fn tohex(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    let mut bits = check_bits(stack, 1);
    let digits = if stack.top() < 2 { 8 } else { check_bits(stack, 2) as i32 };
    let alphabet = if digits < 0 { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let mut text = [0; 8];
    let text = &mut text[..digits.unsigned_abs().min(8) as usize];
    for digit in text.iter_mut().rev() {
        *digit = alphabet[(bits & 15) as usize];
        bits >>= 4;
    }
    stack.push_bytes(text);
    1
}

/// The low 32 bits of a number, rounded to an integer to even.
fn check_bits(stack: LuaStack, arg: c_int) -> u32 {
    // Added to this, an integer is in the low bits of the sum's mantissa.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    (stack.check_number(arg) + SHIFT).to_bits() as u32
}
