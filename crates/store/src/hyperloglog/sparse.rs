//! Registers as runs of equal ones, a byte or two each:
//!
//! ```text
//! 00xxxxxx             ZERO   x + 1 registers of 0
//! 01xxxxxx yyyyyyyy    XZERO  xy + 1 registers of 0
//! 1vvvvvxx             VAL    x + 1 registers of v + 1
//! ```
//!
//! How runs are split and joined is Redis' way to the bit, or the same elements would give other strings.

use super::{Corrupted, HEADER, REGISTERS};

const XZERO: u8 = 0x40;
const VAL: u8 = 0x80;
/// The longest ZERO.
const ZERO_LEN_MAX: usize = 64;
/// The longest VAL.
const VAL_LEN_MAX: usize = 4;
/// The greatest value that VAL has room for.
const RANK_MAX: u8 = 32;
/// Runs that are looked at for neighbours of the same value, from the one before a change on.
const JOIN_STEPS: usize = 5;

/// A run of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// So many registers of 0, in one byte.
    Zero(usize),
    /// So many registers of 0, in two bytes.
    XZero(usize),
    /// Registers of a value.
    Val {
        /// The value.
        rank: u8,
        /// How many.
        len: usize,
    },
}

impl Opcode {
    /// The run that begins at `at`. A byte that its end cuts off counts as 0.
    #[inline]
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let &first = bytes.get(at)?;
        Some(if first & VAL != 0 {
            Self::Val { rank: (first >> 2 & 0x1f) + 1, len: usize::from(first & 3) + 1 }
        } else if first & XZERO != 0 {
            let second = bytes.get(at + 1).copied().unwrap_or(0);
            Self::XZero((usize::from(first & 0x3f) << 8 | usize::from(second)) + 1)
        } else {
            Self::Zero(usize::from(first) + 1)
        })
    }

    /// Its bytes.
    const fn size(self) -> usize {
        if matches!(self, Self::XZero(_)) { 2 } else { 1 }
    }

    /// Its registers.
    const fn len(self) -> usize {
        match self {
            Self::Zero(len) | Self::XZero(len) | Self::Val { len, .. } => len,
        }
    }

    /// Its registers' value.
    const fn rank(self) -> u8 {
        match self {
            Self::Zero(_) | Self::XZero(_) => 0,
            Self::Val { rank, .. } => rank,
        }
    }
}

/// The runs in order.
pub(super) fn opcodes(bytes: &[u8]) -> impl Iterator<Item = Opcode> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let opcode = Opcode::at(bytes, at)?;
        at += opcode.size();
        Some(opcode)
    })
}

/// Visits the runs: first register, value, registers.
#[inline]
pub(super) fn each_run(bytes: &[u8], mut visit: impl FnMut(usize, u8, usize)) -> Result<(), Corrupted> {
    let mut start = 0;
    for opcode in opcodes(bytes) {
        let len = opcode.len();
        if start + len > REGISTERS {
            return Err(Corrupted);
        }
        visit(start, opcode.rank(), len);
        start += len;
    }
    if start == REGISTERS { Ok(()) } else { Err(Corrupted) }
}

/// What became of a register.
pub(super) enum SetOutcome {
    /// It is not less already.
    Unchanged,
    /// It is set.
    Updated,
    /// Only a dense value has room for it.
    NoRoom,
}

/// Where the run of a register is.
struct Found {
    /// Its place in the value.
    at: usize,
    opcode: Opcode,
    /// The first of its registers.
    first: usize,
    /// The place of the run before it.
    before: Option<usize>,
}

fn find(value: &[u8], index: usize) -> Result<Found, Corrupted> {
    let (mut at, mut first, mut before) = (HEADER, 0, None);
    while let Some(opcode) = Opcode::at(value, at) {
        let next = first + opcode.len();
        if index < next {
            let whole = at + opcode.size() <= value.len();
            return if whole { Ok(Found { at, opcode, first, before }) } else { Err(Corrupted) };
        }
        before = Some(at);
        at += opcode.size();
        first = next;
    }
    Err(Corrupted)
}

/// Sets a register of a sparse value (with its header) if it is less. The value grows to at most `len_max` bytes, and
/// its count is out of date if it changes.
pub(super) fn set(
    value: &mut Vec<u8>,
    index: usize,
    rank: u8,
    len_max: usize,
) -> Result<SetOutcome, Corrupted> {
    if rank > RANK_MAX {
        return Ok(SetOutcome::NoRoom);
    }
    let Found { at, opcode, first, before } = find(value, index)?;
    if opcode.rank() >= rank {
        return Ok(SetOutcome::Unchanged);
    }
    if opcode.len() == 1 && opcode.size() == 1 {
        value[at] = val(rank, 1);
    } else {
        let mut split = Split::default();
        split.push(opcode, index - first);
        split.push_byte(val(rank, 1));
        split.push(opcode, first + opcode.len() - 1 - index);
        if !replace(value, at, opcode.size(), split.bytes(), len_max) {
            return Ok(SetOutcome::NoRoom);
        }
    }
    join(value, before.unwrap_or(HEADER));
    super::forget_count(value);
    Ok(SetOutcome::Updated)
}

/// Up to three runs.
#[derive(Default)]
struct Split {
    bytes: [u8; 5],
    len: usize,
}

impl Split {
    fn push_byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// A part of a run; none if it is empty.
    fn push(&mut self, of: Opcode, len: usize) {
        if len == 0 {
            return;
        }
        let less = len - 1;
        match of.rank() {
            0 if len > ZERO_LEN_MAX => {
                self.push_byte((less >> 8) as u8 | XZERO);
                self.push_byte(less as u8);
            }
            0 => self.push_byte(less as u8),
            rank => self.push_byte(val(rank, len)),
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

const fn val(rank: u8, len: usize) -> u8 {
    (rank - 1) << 2 | (len - 1) as u8 | VAL
}

/// Puts `new` in the place of `old_len` bytes, unless the value would then grow over `len_max`; whether it did.
fn replace(value: &mut Vec<u8>, at: usize, old_len: usize, new: &[u8], len_max: usize) -> bool {
    let len = value.len();
    let new_len = len - old_len + new.len();
    if new_len > len && new_len > len_max {
        return false;
    }
    value.resize(new_len.max(len), 0);
    value.copy_within(at + old_len..len, at + new.len());
    value.truncate(new_len);
    value[at..at + new.len()].copy_from_slice(new);
    true
}

/// Joins neighbours of the same value, from the run at `at` on.
fn join(value: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_STEPS {
        match (Opcode::at(value, at), Opcode::at(value, at + 1)) {
            (None, _) => return,
            (Some(Opcode::Val { rank, len }), Some(Opcode::Val { rank: next_rank, len: next_len }))
                if rank == next_rank && len + next_len <= VAL_LEN_MAX =>
            {
                value[at] = val(rank, len + next_len);
                value.remove(at + 1);
            }
            (Some(opcode), _) => at += opcode.size(),
        }
    }
}
