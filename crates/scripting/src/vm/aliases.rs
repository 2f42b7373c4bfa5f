//! Which calls of a compiled script are calls of the library's functions: by their global names, through local variables
//! (`local call = redis.call`), or as methods of strings.

use super::bytecode::{Function, Instruction, Opcodes};
use super::globals::strings;
use std::ops::Range;

/// The functions of `string`: what a method of such a name is, more often than not.
const STRING_METHODS: [&[u8]; 14] = [
    b"byte", b"char", b"find", b"format", b"gfind", b"gmatch", b"gsub", b"len", b"lower", b"match", b"rep",
    b"reverse", b"sub", b"upper",
];

/// Marks of an upvalue: its number is a local variable of the function around, and is never assigned to.
const OF_LOCAL: u16 = 0x8000;
const IMMUTABLE: u16 = 0x4000;

/// What has to stand before a call that is moved, so that errors name the function.
pub(super) enum Load {
    /// Instructions that load the function.
    Again(Range<usize>),
    /// The method of this constant, of the first argument.
    Method(u8),
}

/// A local variable: its slot, and the instructions between which it is alive.
struct Local {
    slot: u8,
    alive: Range<usize>,
}

/// A compiled script's functions, those inside of a function before it.
pub(super) struct Nest<'a> {
    opcodes: &'a Opcodes,
    pub(super) functions: Vec<Function<'a>>,
    code: Vec<Vec<Instruction>>,
    locals: Vec<Vec<Local>>,
    /// By function: the one around it, and the instruction there that makes it.
    parents: Vec<Option<(usize, usize)>>,
}

impl<'a> Nest<'a> {
    pub(super) fn new(opcodes: &'a Opcodes, functions: Vec<Function<'a>>) -> Option<Self> {
        let code: Vec<Vec<Instruction>> = functions.iter().map(|f| f.instructions().collect()).collect();
        let locals = functions.iter().map(locals).collect::<Option<_>>()?;
        let mut parents = vec![None; functions.len()];
        let mut open = Vec::new();
        for (index, code) in code.iter().enumerate() {
            let makes: Vec<usize> =
                (0..code.len()).filter(|&at| code[at][0] == opcodes.new_function).collect();
            let inside = open.split_off(open.len().checked_sub(makes.len())?);
            for (child, at) in std::iter::zip::<Vec<usize>, _>(inside, makes) {
                parents[child] = Some((index, at));
            }
            open.push(index);
        }
        Some(Self { opcodes, functions, code, locals, parents })
    }

    /// How the function of the tail call at `at` is loaded, if it is one of the library.
    pub(super) fn library_tail_call(&self, function: usize, at: usize) -> Option<Load> {
        let (&[number, a, ..], before) = self.code[function].get(..=at)?.split_last()?;
        if number != self.opcodes.tail_call && number != self.opcodes.tail_call_results {
            return None;
        }
        // Arguments are made in the slots above the function.
        let load = self.last_write(before, a)?;
        if let Some(first) = self.library_load(function, load) {
            return Some(Load::Again(first..load + 1));
        }
        let [number, _, constant, _] = before[load];
        let is_method = number == self.opcodes.get_field && {
            let name = self.field_name(function, constant)?;
            let of_first = before[..load].last().is_some_and(|first| first[1] == a.wrapping_add(2));
            of_first && STRING_METHODS.contains(&name)
        };
        is_method.then_some(Load::Method(constant))
    }

    /// The name that is a constant of a function.
    fn field_name(&self, function: usize, constant: u8) -> Option<&'a [u8]> {
        let strings = strings(&self.functions[function])?;
        // Constants are numbered from the last on.
        strings.len().checked_sub(1 + usize::from(constant)).and_then(|at| strings.get(at)).copied()
    }

    /// The last instruction that sets a slot.
    fn last_write(&self, code: &[Instruction], slot: u8) -> Option<usize> {
        let opcodes = self.opcodes;
        // Of these, A is no slot that they set.
        let others = [opcodes.close_upvalues, opcodes.jump, opcodes.return_nothing];
        code.iter().rposition(|&[number, a, ..]| a == slot && !others.contains(&number))
    }

    /// The first of the instructions up to `at` that load what is the library's: a global, of which scripts cannot make
    /// any, a field of one, or a variable that has been set to either.
    fn library_load(&self, function: usize, at: usize) -> Option<usize> {
        let (opcodes, code) = (self.opcodes, &self.code[function]);
        let [number, a, low, high] = code[at];
        match number {
            _ if number == opcodes.get_global => Some(at),
            _ if number == opcodes.move_slot => self.is_library_local(function, low, at).then_some(at),
            _ if number == opcodes.get_upvalue => self.is_library_upvalue(function, low).then_some(at),
            // B of the field's instruction is the slot of the table.
            _ if number == opcodes.get_field && high == a => {
                let before = at.checked_sub(1).filter(|&before| code[before][1] == a)?;
                self.library_load(function, before)
            }
            _ if number == opcodes.get_field => self.is_library_local(function, high, at).then_some(at),
            _ => None,
        }
    }

    /// Whether the variable in a slot is the library's at an instruction, and keeps what it was made with.
    fn is_library_local(&self, function: usize, slot: u8, at: usize) -> bool {
        let code = &self.code[function];
        let holds = |local: &&Local| local.slot == slot && local.alive.contains(&at);
        let Some(local) = self.locals[function].iter().find(holds) else { return false };
        // A parameter is alive from the start.
        let Some(made) = self.last_write(&code[..local.alive.start], slot) else { return false };
        let is_library = self.library_load(function, made).is_some() || self.is_wrapped(function, made);
        is_library && !self.is_assigned(function, local)
    }

    /// Whether an instruction calls `coroutine.wrap`, which returns a function of the library.
    fn is_wrapped(&self, function: usize, at: usize) -> bool {
        let code = &self.code[function];
        let [number, a, ..] = code[at];
        let load = self.last_write(&code[..at], a).filter(|_| number == self.opcodes.call);
        load.is_some_and(|load| {
            let [number, _, constant, _] = code[load];
            number == self.opcodes.get_field
                && self.field_name(function, constant) == Some(b"wrap")
                && self.library_load(function, load).is_some()
        })
    }

    /// Whether a variable may be assigned to after it was made, here or in a function inside.
    fn is_assigned(&self, function: usize, local: &Local) -> bool {
        let here = self.code[function].get(local.alive.clone()).unwrap_or_default();
        let mutable = OF_LOCAL | u16::from(local.slot);
        let inside = |child: usize| {
            self.parents[child].is_some_and(|(parent, _)| parent == function)
                && self.functions[child].upvalues().any(|upvalue| upvalue == mutable)
        };
        self.last_write(here, local.slot).is_some() || (0..self.functions.len()).any(inside)
    }

    fn is_library_upvalue(&self, function: usize, number: u8) -> bool {
        let Some((parent, at)) = self.parents[function] else { return false };
        let Some(upvalue) = self.functions[function].upvalues().nth(usize::from(number)) else {
            return false;
        };
        if upvalue & OF_LOCAL == 0 {
            return self.is_library_upvalue(parent, upvalue as u8);
        }
        upvalue & IMMUTABLE != 0 && self.is_library_local(parent, upvalue as u8, at)
    }
}

/// A function's local variables, from the debug information.
fn locals(function: &Function<'_>) -> Option<Vec<Local>> {
    let mut locals: Vec<Local> = Vec::new();
    for (start, end) in function.variables()? {
        let slot = locals.iter().filter(|earlier| earlier.alive.end > start).count();
        locals.push(Local { slot: u8::try_from(slot).ok()?, alive: start..end });
    }
    Some(locals)
}
