//! LuaJIT's tables and strings, read where they lie in memory.
//!
//! Through Lua's API every key and every value of a table is a handful of calls, and each step of a walk looks its key up
//! again. Who walks over whole tables, as the encoders of `cjson` and `cmsgpack` do, reads them here. How they lie is
//! LuaJIT's own affair (`lj_obj.h`, with references of 64 bits), so it is tried out before ([`readable`]), and where it
//! is otherwise there is the API. Nothing is ever written.

use crate::lua_stack::LuaStack;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bits of a value below its type.
const TYPE_SHIFT: u32 = 47;
/// What has these bits or more is no floating-point number.
const NUMBERS_END: u64 = type_bits(type_tag::INTEGER);
/// The type in a table's header.
const TABLE_KIND: u8 = !type_tag::TABLE as u8;

/// Types of values, as the upper bits have them.
mod type_tag {
    pub(super) const NIL: i64 = !0;
    pub(super) const FALSE: i64 = !1;
    pub(super) const TRUE: i64 = !2;
    pub(super) const STRING: i64 = !4;
    pub(super) const TABLE: i64 = !11;
    /// Only where LuaJIT tells integers from other numbers.
    pub(super) const INTEGER: i64 = !13;
}

const fn type_bits(tag: i64) -> u64 {
    (tag as u64) << TYPE_SHIFT
}

/// A value of Lua's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Nil,
    Boolean(bool),
    Number(f64),
    String(&'a [u8]),
    Table(Table<'a>),
    /// Anything else. The bits are the same for the same value.
    Other(u64),
}

/// Where a value lies.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Slot(u64);

/// A place for a key and its value.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Node {
    value: Slot,
    key: Slot,
    _next: u64,
}

#[repr(C)]
struct RawTable {
    _next: u64,
    _marked: u8,
    kind: u8,
    _rest_of_header: [u8; 6],
    array: *const Slot,
    _gray_list: u64,
    metatable: u64,
    nodes: *const Node,
    array_len: u32,
    node_mask: u32,
}

#[repr(C)]
struct RawString {
    _header: [u8; 20],
    len: u32,
}

/// A table. While it is used, nothing that Lua does may change it or take it away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Table<'a> {
    raw: *const RawTable,
    life: std::marker::PhantomData<&'a ()>,
}

/// What the keys of a table are.
pub(crate) enum Shape<'a> {
    /// 1 to the number of these elements.
    Array(&'a [Slot]),
    /// Strings, none of them if there are no nodes; and how many.
    Map(&'a [Node], usize),
    /// Others, or both.
    Mixed,
}

impl Slot {
    #[inline(always)]
    fn is_nil(self) -> bool {
        self.0 == u64::MAX
    }

    /// The value.
    #[inline(always)]
    pub(crate) fn value(&self) -> Value<'_> {
        if self.0 < NUMBERS_END {
            return Value::Number(f64::from_bits(self.0));
        }
        match (self.0 as i64) >> TYPE_SHIFT {
            // SAFETY: slots are those of live tables, so a reference leads to a live string, whose bytes follow it.
            type_tag::STRING => Value::String(unsafe {
                let raw = self.reference().cast::<RawString>();
                std::slice::from_raw_parts(raw.add(1).cast::<u8>(), (*raw).len as usize)
            }),
            type_tag::TABLE => {
                Value::Table(Table { raw: self.reference().cast(), life: std::marker::PhantomData })
            }
            type_tag::TRUE => Value::Boolean(true),
            type_tag::FALSE => Value::Boolean(false),
            type_tag::INTEGER => Value::Number(f64::from(self.0 as i32)),
            type_tag::NIL => Value::Nil,
            _ => Value::Other(self.0),
        }
    }

    #[inline(always)]
    fn reference(self) -> *const u8 {
        std::ptr::with_exposed_provenance((self.0 & !(u64::MAX << TYPE_SHIFT)) as usize)
    }
}

impl Node {
    /// The value, which is nil where no key is.
    #[inline(always)]
    pub(crate) fn value(&self) -> Value<'_> {
        self.value.value()
    }

    /// The key, if a value is there and the key is a string.
    #[inline(always)]
    pub(crate) fn text(&self) -> Option<&[u8]> {
        match self.key.value() {
            Value::String(text) if !self.value.is_nil() => Some(text),
            _ => None,
        }
    }
}

impl<'a> Table<'a> {
    /// The table at `index`, if a table is there.
    ///
    /// # Safety
    /// [`readable`] has said yes, the value stays on the stack, and nothing changes a table while the result or what is
    /// read from it is used. A step of the garbage collector may run scripts' code, which may.
    #[inline]
    pub(crate) unsafe fn at(stack: LuaStack, index: c_int) -> Option<Self> {
        // SAFETY: the position exists or is empty, and then has no type.
        let raw = unsafe { ffi::lua_topointer(stack.state(), index) };
        (stack.kind(index) == ffi::LUA_TTABLE)
            .then_some(Self { raw: raw.cast(), life: std::marker::PhantomData })
    }

    /// Whether it has a metatable.
    #[inline(always)]
    pub(crate) fn has_metatable(self) -> bool {
        // SAFETY: the table is alive, see `at`.
        unsafe { (*self.raw).metatable != 0 }
    }

    /// Places of the array, of which the first is that of key 0.
    #[inline(always)]
    fn array(self) -> &'a [Slot] {
        // SAFETY: the table is alive, see `at`; without an array its length is 0, and the pointer may be null.
        unsafe {
            let RawTable { array, array_len, .. } = *self.raw;
            if array_len == 0 { &[] } else { std::slice::from_raw_parts(array, array_len as usize) }
        }
    }

    /// Places of the other keys: at least one.
    #[inline(always)]
    fn nodes(self) -> &'a [Node] {
        // SAFETY: the table is alive, see `at`; the mask is one less than the number of nodes.
        unsafe { std::slice::from_raw_parts((*self.raw).nodes, (*self.raw).node_mask as usize + 1) }
    }

    /// Places for keys, taken or not: what it takes to go over them.
    #[inline(always)]
    pub(crate) fn places(self) -> usize {
        // SAFETY: the table is alive, see `at`.
        unsafe { (*self.raw).array_len as usize + (*self.raw).node_mask as usize }
    }

    /// What its keys are. Nodes come in the order of `pairs`.
    #[inline]
    pub(crate) fn shape(self) -> Shape<'a> {
        let (array, nodes) = (self.array(), self.nodes());
        match array {
            [zero, elements @ ..] if elements.first().is_some_and(|first| !first.is_nil()) => {
                let len = elements.iter().position(|slot| slot.is_nil()).unwrap_or(elements.len());
                let (elements, behind) = elements.split_at(len);
                let others = !zero.is_nil()
                    || behind.iter().any(|slot| !slot.is_nil())
                    || nodes.iter().any(|node| !node.value.is_nil());
                if others { Shape::Mixed } else { Shape::Array(elements) }
            }
            _ => {
                let (mut taken, mut texts) = (0, 0);
                for node in nodes {
                    taken += usize::from(!node.value.is_nil());
                    texts += usize::from(node.text().is_some());
                }
                let others = taken != texts || array.iter().any(|slot| !slot.is_nil());
                if others { Shape::Mixed } else { Shape::Map(nodes, taken) }
            }
        }
    }
}

/// Whether tables lie in memory as this module thinks.
static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

/// Whether tables lie in memory as this module thinks. Looks the first time in the process; may then raise a Lua error
/// when memory runs out.
///
/// # Safety
/// `state` is a live Lua state with six free slots on its stack, and no value with a destructor is alive in a frame
/// between this call and the protected call around it.
pub(crate) unsafe fn readable(state: *mut lua_State) -> bool {
    if ANSWER.load(Ordering::Relaxed) == UNKNOWN {
        // SAFETY: the caller's promises.
        let answer = if unsafe { lies_as_expected(state) } { YES } else { NO };
        ANSWER.store(answer, Ordering::Relaxed);
    }
    was_readable()
}

/// Whether [`readable`] was asked and has said yes.
#[inline]
pub(crate) fn was_readable() -> bool {
    ANSWER.load(Ordering::Relaxed) == YES
}

/// Makes a table of each kind of value and looks at it, at first at what leads to no memory.
///
/// # Safety
/// As [`readable`].
unsafe fn lies_as_expected(state: *mut lua_State) -> bool {
    const ELEMENTS: c_int = 6;
    // SAFETY: the caller's promises. A table is larger than what is read of its header, and what its header leads to
    // is read only if the header says what it must.
    unsafe {
        let stack = LuaStack::new(state);
        stack.push_table(ELEMENTS, 2);
        let raw = ffi::lua_topointer(state, -1).cast::<RawTable>();
        stack.push_boolean(true);
        stack.raw_set_element(1);
        stack.push_number(-1.5);
        stack.raw_set_element(2);
        stack.push_bytes(b"some text");
        stack.raw_set_element(3);
        stack.push_table(0, 0);
        let inner = ffi::lua_topointer(state, -1).cast::<RawTable>();
        stack.raw_set_element(4);
        stack.push_number(7.0);
        stack.raw_set_element(5);
        stack.push_null();
        stack.raw_set_element(ELEMENTS);
        stack.push_bytes(b"key");
        stack.push_boolean(false);
        stack.raw_set();
        let header = size_of::<usize>() == 8
            && (*raw).kind == TABLE_KIND
            && (*raw).metatable == 0
            && ((*raw).array_len, (*raw).node_mask) == (ELEMENTS as u32 + 1, 1)
            && (*inner).kind == TABLE_KIND
            && ((*inner).array_len, (*inner).node_mask) == (0, 0)
            && !(*raw).array.is_null()
            && !(*raw).nodes.is_null();
        let holds = header && values_are_expected(raw, inner);
        stack.push_table(0, 0);
        ffi::lua_setmetatable(state, -2);
        let holds = holds && (*raw).metatable != 0;
        stack.pop(1);
        holds
    }
}

/// # Safety
/// Called by `lies_as_expected`, with the table on the stack.
unsafe fn values_are_expected(raw: *const RawTable, inner: *const RawTable) -> bool {
    let (table, inner) =
        (Table { raw, life: std::marker::PhantomData }, Table { raw: inner, life: std::marker::PhantomData });
    let [zero, yes, number, text, table_in_it, seven, null] = table.array() else { return false };
    let is_reference =
        |slot: &Slot, tag| slot.0 & type_bits(type_tag::NIL) == type_bits(tag) && !slot.reference().is_null();
    if !is_reference(text, type_tag::STRING) || !is_reference(table_in_it, type_tag::TABLE) {
        return false;
    }
    let simple = zero.is_nil()
        && yes.value() == Value::Boolean(true)
        && number.value() == Value::Number(-1.5)
        && seven.value() == Value::Number(7.0)
        && matches!(null.value(), Value::Other(_))
        && text.value() == Value::String(b"some text")
        && table_in_it.value() == Value::Table(inner);
    let key = |node: &&Node| is_reference(&node.key, type_tag::STRING) && !node.value.is_nil();
    let mut keys = table.nodes().iter().filter(key);
    let (first, more) = (keys.next(), keys.next());
    simple
        && first.is_some_and(|node| {
            node.text() == Some(b"key".as_slice()) && node.value() == Value::Boolean(false)
        })
        && more.is_none()
        && matches!(inner.shape(), Shape::Map(_, 0))
}

/// The bits of what is on top of the stack, as in [`Value::Other`].
///
/// # Safety
/// [`readable`] has said yes, a value is on top and three slots are free. May raise when memory runs out.
pub(crate) unsafe fn bits_of_top(stack: LuaStack) -> u64 {
    stack.push_table(1, 0);
    stack.push_copy(-2);
    stack.raw_set_element(1);
    // SAFETY: the table is on top, and nothing else happens until it was read.
    let bits =
        unsafe { Table::at(stack, -1) }.and_then(|table| table.array().get(1)).map_or(0, |slot| slot.0);
    stack.pop(1);
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lua::Lua;

    #[test]
    fn this_build_lays_tables_out_as_expected() {
        let lua = Lua::new().unwrap();
        // SAFETY: the state is idle, and memory does not run out.
        unsafe {
            assert!(lies_as_expected(lua.state()));
            assert!(readable(lua.state()));
        }
    }

    /// The shape of the table that a script returns.
    fn shape(lua: &mut Lua, text: &str) -> String {
        lua.compile(text.as_bytes()).unwrap();
        // SAFETY: the script raises nothing, and the table stays on the stack until it was read.
        unsafe {
            assert_eq!(ffi::lua_pcall(lua.state(), 0, 1, 0), ffi::LUA_OK);
            let table = Table::at(LuaStack::new(lua.state()), -1).unwrap();
            let shown = match table.shape() {
                Shape::Array(elements) => format!("array {}", elements.len()),
                Shape::Map(nodes, count) => {
                    assert_eq!(nodes.iter().filter_map(Node::text).count(), count);
                    format!("map {count}")
                }
                Shape::Mixed => "mixed".to_owned(),
            };
            ffi::lua_pop(lua.state(), 1);
            shown
        }
    }

    #[test]
    fn shapes_follow_from_the_keys() {
        let mut lua = Lua::new().unwrap();
        // SAFETY: the state is idle, and memory does not run out.
        assert!(unsafe { readable(lua.state()) });
        let cases = [
            ("return {}", "map 0"),
            ("return {1}", "array 1"),
            ("return {1, 2, {}, 'x', false}", "array 5"),
            ("local t = {} for i = 1, 100 do t[i] = i end return t", "array 100"),
            ("local t = {1, 2, 3} t[3] = nil return t", "array 2"),
            ("local t = {1, 2, 3} t[2] = nil return t", "mixed"),
            ("local t = {1, 2, 3} t[1] = nil t[2] = nil t[3] = nil return t", "map 0"),
            ("return {[0] = 1, 2}", "mixed"),
            ("return {1, a = 2}", "mixed"),
            ("local t = {1, a = 2} t.a = nil return t", "array 1"),
            ("local t = {1, a = 2} t[1] = nil return t", "map 1"),
            ("return {a = 1, b = 2, c = 3}", "map 3"),
            ("return {a = 1, [true] = 2}", "mixed"),
            ("return {a = 1, [1.5] = 2}", "mixed"),
            ("return {[1000] = 2}", "mixed"),
            ("return {[{}] = 2}", "mixed"),
        ];
        for (text, expected) in cases {
            assert_eq!(shape(&mut lua, text), expected, "{text}");
        }
    }
}
