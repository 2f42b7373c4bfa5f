//! `table.sort` without a function for the order, and `table.insert` at a position.
//!
//! Lua's quicksort takes quadratic time for arrays made to that end, and no hook reaches into it while it compares
//! numbers and strings by itself. This is the same sort, step by step, so that it leaves the same order and raises the
//! same errors, with a look now and then at what is asked of the script. An insertion far below the first element moves
//! billions of elements that are not there; so that one looks as well.

use super::interrupt;
use crate::lua_stack::LuaStack;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// Comparisons between two looks at what is asked of the script.
const COMPARISONS: u32 = 1 << 12;

/// Sorts the table that is its one argument.
pub(super) unsafe extern "C-unwind" fn sort(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor. Each level of the sort needs a few slots, and halves the array.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        let len = c_int::try_from(ffi::lua_objlen(state, 1)).unwrap_or(c_int::MAX);
        ffi::luaL_checkstack(state, 40, c"".as_ptr());
        ffi::lua_settop(state, 1);
        Sort { state, left: COMPARISONS }.range(1, len);
    }
    0
}

/// Inserts its third argument before the position that is its second.
pub(super) unsafe extern "C-unwind" fn insert(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor, and a slot is free.
    unsafe {
        let stack = LuaStack::new(state);
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        let end = c_int::try_from(ffi::lua_objlen(state, 1)).unwrap_or(c_int::MAX).wrapping_add(1);
        if stack.top() != 3 {
            stack.raise(c"wrong number of arguments to 'insert'");
        }
        let position = stack.check_integer(2) as c_int;
        let mut steps = 0_u32;
        let mut index = end.max(position);
        while index > position {
            ffi::lua_rawgeti_(state, 1, index.wrapping_sub(1));
            ffi::lua_rawseti_(state, 1, index);
            index -= 1;
            steps += 1;
            if steps == COMPARISONS {
                steps = 0;
                interrupt::poll(state);
            }
        }
        ffi::lua_rawseti_(state, 1, position);
    }
    0
}

struct Sort {
    state: *mut lua_State,
    /// Comparisons until the next look.
    left: u32,
}

impl Sort {
    unsafe fn get(&self, index: c_int) {
        // SAFETY: the table is in the first slot.
        unsafe { ffi::lua_rawgeti_(self.state, 1, index) }
    }

    /// Stores the two values on top, the topmost first.
    unsafe fn set_two(&self, first: c_int, second: c_int) {
        // SAFETY: as `get`, and two values are on top.
        unsafe {
            ffi::lua_rawseti_(self.state, 1, first);
            ffi::lua_rawseti_(self.state, 1, second);
        }
    }

    unsafe fn less(&mut self, a: c_int, b: c_int) -> bool {
        // SAFETY: nothing with a destructor is alive, and both values are on the stack.
        unsafe {
            self.left -= 1;
            if self.left == 0 {
                self.left = COMPARISONS;
                interrupt::poll(self.state);
            }
            ffi::lua_lessthan(self.state, a, b) != 0
        }
    }

    unsafe fn invalid_order(&self) -> ! {
        // SAFETY: nothing with a destructor is alive.
        unsafe { LuaStack::new(self.state).raise(c"invalid order function for sorting") }
    }

    /// Puts the median of the first, the middle and the last element in the middle. False if that was all to do.
    unsafe fn order_three(&mut self, low: c_int, high: c_int, middle: c_int) -> bool {
        // SAFETY: as `get`.
        unsafe {
            self.get(low);
            self.get(high);
            if self.less(-1, -2) {
                self.set_two(low, high);
            } else {
                ffi::lua_pop(self.state, 2);
            }
            if high - low == 1 {
                return false;
            }
            self.get(middle);
            self.get(low);
            if self.less(-2, -1) {
                self.set_two(middle, low);
            } else {
                ffi::lua_pop(self.state, 1);
                self.get(high);
                if self.less(-1, -2) {
                    self.set_two(middle, high);
                } else {
                    ffi::lua_pop(self.state, 2);
                }
            }
            high - low != 2
        }
    }

    /// Parts the range by its middle element. Returns where that one is to go.
    unsafe fn partition(&mut self, low: c_int, high: c_int, middle: c_int) -> c_int {
        // SAFETY: as `get`.
        unsafe {
            self.get(middle);
            ffi::lua_pushvalue(self.state, -1);
            self.get(high - 1);
            self.set_two(middle, high - 1);
            let (mut up, mut down) = (low, high - 1);
            loop {
                up += 1;
                self.get(up);
                while self.less(-1, -2) {
                    if up > high {
                        self.invalid_order();
                    }
                    ffi::lua_pop(self.state, 1);
                    up += 1;
                    self.get(up);
                }
                down -= 1;
                self.get(down);
                while self.less(-3, -1) {
                    if down < low {
                        self.invalid_order();
                    }
                    ffi::lua_pop(self.state, 1);
                    down -= 1;
                    self.get(down);
                }
                if down < up {
                    ffi::lua_pop(self.state, 3);
                    break;
                }
                self.set_two(up, down);
            }
            self.get(high - 1);
            self.get(up);
            self.set_two(high - 1, up);
            up
        }
    }

    unsafe fn range(&mut self, mut low: c_int, mut high: c_int) {
        while low < high {
            let middle = low + (high - low) / 2;
            // SAFETY: as `get`.
            unsafe {
                if !self.order_three(low, high, middle) {
                    break;
                }
                let pivot = self.partition(low, high, middle);
                // The smaller half by recursion, the larger one here.
                if pivot - low < high - pivot {
                    self.range(low, pivot - 1);
                    low = pivot + 1;
                } else {
                    self.range(pivot + 1, high);
                    high = pivot - 1;
                }
            }
        }
    }
}
