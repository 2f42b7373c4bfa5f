//! The short keys that were read last, so that a key that comes again and again need not be looked up among all of
//! Lua's strings.
//!
//! Documents of an application have the same few keys. Lua finds a string that it has by a hash, a walk along a chain
//! and a comparison in memory that is seldom in the cache; here it is one comparison of three words.

use crate::lua_stack::LuaStack;
use mlua::ffi::{self, lua_State};
use std::ffi::{CStr, c_int};

/// Keys that are remembered, each in the one place that its bytes tell.
const PLACES: usize = 256;
/// Longest key that is remembered.
const LEN_MAX: usize = 16;
/// Where the cache is in Lua's registry: one for all libraries of a state.
const REGISTRY_KEYS: &CStr = c"moonshard.keys";
const REGISTRY_TEXTS: &CStr = c"moonshard.key_texts";

/// A key by its bytes; of length 0 if there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    first: u64,
    last: u64,
    len: usize,
}

/// What is remembered, in a userdata. The string itself is in a table, under the number of its place.
pub(crate) struct KeyCache {
    keys: [Key; PLACES],
}

impl Key {
    const NONE: Self = Self { first: 0, last: 0, len: 0 };

    /// That of a text which is not empty and not too long.
    #[inline(always)]
    fn of(text: &[u8]) -> Option<Self> {
        let len = text.len();
        let word = |at: usize| text[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let half =
            |at: usize| text[at..].first_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
        // Two halves that overlap.
        let (first, last) = match len {
            8..=LEN_MAX => (word(0), word(len - 8)),
            4..8 => (half(0), half(len - 4)),
            1..4 => (u64::from(text[0]) | u64::from(text[len / 2]) << 8 | u64::from(text[len - 1]) << 16, 0),
            _ => return None,
        };
        Some(Self { first, last, len })
    }

    #[inline(always)]
    fn place(self) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.first ^ self.last.rotate_left(29) ^ self.len as u64).wrapping_mul(ODD);
        (mixed >> (u64::BITS - PLACES.ilog2())) as usize
    }
}

impl KeyCache {
    /// Pushes the string with these bytes. The table of texts is at `texts`.
    ///
    /// # Safety
    /// The cache and the table are those that [`push_cache`] pushed, and a slot is free. May raise when memory runs
    /// out.
    #[inline(always)]
    pub(crate) unsafe fn push(cache: *mut Self, stack: LuaStack, texts: c_int, text: &[u8]) {
        let Some(key) = Key::of(text) else { return stack.push_bytes(text) };
        let place = key.place();
        // SAFETY: the caller's promise, and places are below `PLACES`.
        unsafe {
            if *(&raw const (*cache).keys).cast::<Key>().add(place) == key {
                ffi::lua_rawgeti_(stack.state(), texts, place as c_int + 1);
            } else {
                Self::push_new(cache, stack, texts, text, key);
            }
        }
    }

    /// # Safety
    /// As [`Self::push`].
    #[inline(never)]
    unsafe fn push_new(cache: *mut Self, stack: LuaStack, texts: c_int, text: &[u8], key: Key) {
        // This may collect garbage, and so run scripts' code that uses the cache too.
        stack.push_bytes(text);
        let place = key.place();
        // SAFETY: the caller's promise. The table has room for all places, so nothing raises from here on.
        unsafe {
            ffi::lua_rawseti_(stack.state(), texts, place as c_int + 1);
            ffi::lua_rawgeti_(stack.state(), texts, place as c_int + 1);
            (&raw mut (*cache).keys).cast::<Key>().add(place).write(key);
        }
    }
}

/// Pushes the state's cache, a userdata with a [`KeyCache`], and the table of its texts. Raises a Lua error when memory
/// runs out.
///
/// # Safety
/// `state` is a live Lua state with four free slots on its stack, and no value with a destructor is alive in a frame
/// between this call and the protected call around it.
pub(crate) unsafe fn push_cache(state: *mut lua_State) {
    // SAFETY: the caller's promises; the userdata is filled before anybody reads it.
    unsafe {
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, REGISTRY_KEYS.as_ptr());
        if ffi::lua_type(state, -1) == ffi::LUA_TNIL {
            ffi::lua_pop(state, 1);
            let cache = ffi::lua_newuserdata(state, size_of::<KeyCache>()).cast::<KeyCache>();
            cache.write(KeyCache { keys: [Key::NONE; PLACES] });
            ffi::lua_createtable(state, PLACES as c_int, 0);
            ffi::lua_pushvalue(state, -1);
            ffi::lua_setfield(state, ffi::LUA_REGISTRYINDEX, REGISTRY_TEXTS.as_ptr());
            ffi::lua_pushvalue(state, -2);
            ffi::lua_setfield(state, ffi::LUA_REGISTRYINDEX, REGISTRY_KEYS.as_ptr());
        } else {
            ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, REGISTRY_TEXTS.as_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lua::Lua;

    #[test]
    fn keys_differ_if_their_bytes_do() {
        let texts: Vec<Vec<u8>> = (1..=LEN_MAX)
            .flat_map(|len| {
                (0..len).flat_map(move |at| {
                    [b'a', b'b', 0, 0xff].map(|byte| {
                        let mut text = vec![b'a'; len];
                        text[at] = byte;
                        text
                    })
                })
            })
            .collect();
        for one in &texts {
            for other in &texts {
                assert_eq!(Key::of(one) == Key::of(other), one == other, "{one:?} {other:?}");
            }
        }
        assert!(Key::of(b"").is_none());
        assert!(Key::of(&[b'x'; LEN_MAX + 1]).is_none());
    }

    #[test]
    fn what_is_pushed_is_the_text() {
        let lua = Lua::new().unwrap();
        let state = lua.state();
        // SAFETY: the state is idle and has room, and memory does not run out.
        unsafe {
            let stack = LuaStack::new(state);
            push_cache(state);
            push_cache(state);
            assert_eq!(ffi::lua_rawequal(state, 1, 3) + ffi::lua_rawequal(state, 2, 4), 2);
            ffi::lua_settop(state, 2);
            let cache = ffi::lua_touserdata(state, 1).cast::<KeyCache>();
            // More keys than there are places, each of them several times.
            for round in 0..3 {
                for number in 0..1000 {
                    let text = format!("{}{number}", "k".repeat(number % 20));
                    KeyCache::push(cache, stack, 2, text.as_bytes());
                    assert_eq!(stack.bytes(-1), text.as_bytes(), "{round}");
                    stack.pop(1);
                }
                KeyCache::push(cache, stack, 2, b"");
                assert_eq!(stack.bytes(-1), b"");
                stack.pop(1);
                ffi::lua_gc(state, ffi::LUA_GCCOLLECT, 0);
            }
            assert_eq!(stack.top(), 2);
        }
    }
}
