//! HyperLogLogs: estimates of how many different elements were added, in at most 12 kilobytes.
//!
//! A value is a plain string, byte for byte what Redis makes of the same calls:
//!
//! ```text
//! bytes 0-3    HYLL
//! byte 4       encoding: 0 dense, 1 sparse
//! bytes 5-7    not used
//! bytes 8-15   the last count, little endian; its top bit says that it is out of date
//! dense        16384 registers of 6 bits, each starting at the lowest bit that is free
//! sparse       runs of equal registers, see `sparse`
//! ```

mod dense;
mod estimate;
mod hash;
mod sparse;
#[cfg(test)]
mod tests;

pub use sparse::Opcode;

use estimate::Histogram;
use sparse::SetOutcome;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const COUNT_AT: usize = 8;
const HEADER: usize = 16;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// Bits of an element's hash that choose its register.
const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The length of a dense value, in bytes.
pub const DENSE_LEN: usize = HEADER + REGISTERS * dense::BITS / 8;
/// In the count's last byte.
const OUT_OF_DATE: u8 = 0x80;

/// A value to which nothing was added yet: one run of zeros. Its count of 0 is up to date.
pub const EMPTY: [u8; HEADER + 2] =
    [b'H', b'Y', b'L', b'L', SPARSE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff];

/// A sparse value whose runs do not make up all registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupted;

/// Whether a string looks like a value of this kind. The other functions expect one.
pub fn is_valid(value: &[u8]) -> bool {
    value.len() >= HEADER
        && value.starts_with(MAGIC)
        && match value[ENCODING_AT] {
            DENSE => value.len() == DENSE_LEN,
            encoding => encoding == SPARSE,
        }
}

/// Whether a value is dense.
pub fn is_dense(value: &[u8]) -> bool {
    value.get(ENCODING_AT) == Some(&DENSE)
}

/// The last count, unless it is out of date.
#[inline]
pub fn cached_count(value: &[u8]) -> Option<u64> {
    let count = value.get(COUNT_AT..)?.first_chunk()?;
    (count[7] & OUT_OF_DATE == 0).then(|| u64::from_le_bytes(*count))
}

/// Keeps a count until the next change.
pub fn cache_count(value: &mut [u8], count: u64) {
    if let Some(place) = value.get_mut(COUNT_AT..HEADER) {
        place.copy_from_slice(&count.to_le_bytes());
    }
}

/// Marks the count as out of date.
#[inline]
pub fn forget_count(value: &mut [u8]) {
    if let Some(last) = value.get_mut(HEADER - 1) {
        *last |= OUT_OF_DATE;
    }
}

/// Adds an element; whether that changed a register. A sparse value that would grow over `sparse_len_max` bytes, or
/// that cannot tell a register's new value, becomes dense. O(1), O(n) for n bytes of a sparse value.
///
/// # Errors
/// [`Corrupted`].
#[inline]
pub fn add(value: &mut Vec<u8>, element: &[u8], sparse_len_max: usize) -> Result<bool, Corrupted> {
    let (index, rank) = hash::place(element);
    raise(value, index, rank, sparse_len_max)
}

/// Sets a register to `rank` if that is greater than what it has; whether it is.
fn raise(value: &mut Vec<u8>, index: usize, rank: u8, sparse_len_max: usize) -> Result<bool, Corrupted> {
    if !is_dense(value) {
        match sparse::set(value, index, rank, sparse_len_max)? {
            SetOutcome::Unchanged => return Ok(false),
            SetOutcome::Updated => return Ok(true),
            SetOutcome::NoRoom => make_dense(value)?,
        }
    }
    let (_, registers) = value.split_at_mut(HEADER);
    Ok(dense::raise(registers, index, rank))
}

/// Makes a value dense if it is not. The count stays as it was.
///
/// # Errors
/// [`Corrupted`], and the value is left as it was.
pub fn make_dense(value: &mut Vec<u8>) -> Result<(), Corrupted> {
    if is_dense(value) {
        return Ok(());
    }
    let mut made = vec![0; DENSE_LEN];
    let (header, registers) = made.split_at_mut(HEADER);
    header.copy_from_slice(&value[..HEADER]);
    header[ENCODING_AT] = DENSE;
    sparse::each_run(&value[HEADER..], |start, rank, len| {
        if rank > 0 {
            (start..start + len).for_each(|index| dense::set(registers, index, rank));
        }
    })?;
    *value = made;
    Ok(())
}

/// The estimated number of different elements. O(16384).
///
/// # Errors
/// [`Corrupted`].
pub fn count(value: &[u8]) -> Result<u64, Corrupted> {
    let registers = &value[HEADER..];
    let mut histogram = Histogram::default();
    if is_dense(value) {
        dense::each_four(registers, |_, ranks| histogram.add_four(ranks));
    } else {
        sparse::each_run(registers, |_, rank, len| histogram.add(rank, len))?;
    }
    Ok(histogram.estimate())
}

/// The runs of a sparse value as they are, whether or not they make sense.
pub fn opcodes(value: &[u8]) -> impl Iterator<Item = Opcode> {
    sparse::opcodes(&value[HEADER..])
}

/// The registers of a dense value.
pub fn registers(value: &[u8]) -> impl ExactSizeIterator<Item = u8> {
    let registers = &value[HEADER..];
    (0..REGISTERS).map(|index| dense::get(registers, index))
}

/// The union of some values.
pub struct Union {
    ranks: [u8; REGISTERS],
    any_dense: bool,
}

impl Default for Union {
    fn default() -> Self {
        Self { ranks: [0; REGISTERS], any_dense: false }
    }
}

impl Union {
    /// Adds all elements of a value. O(16384).
    ///
    /// # Errors
    /// [`Corrupted`], and some of the elements may have been added.
    pub fn merge(&mut self, value: &[u8]) -> Result<(), Corrupted> {
        let registers = &value[HEADER..];
        if is_dense(value) {
            self.any_dense = true;
            let (fours, _) = self.ranks.as_chunks_mut::<4>();
            dense::each_four(registers, |at, ranks| {
                if let Some(four) = fours.get_mut(at) {
                    four.iter_mut().zip(ranks).for_each(|(have, rank)| *have = rank.max(*have));
                }
            });
            return Ok(());
        }
        sparse::each_run(registers, |start, rank, len| {
            if rank > 0 {
                self.ranks[start..start + len].iter_mut().for_each(|have| *have = rank.max(*have));
            }
        })
    }

    /// The estimated number of different elements.
    pub fn count(&self) -> u64 {
        let mut histogram = Histogram::default();
        let (fours, _) = self.ranks.as_chunks::<4>();
        fours.iter().for_each(|&four| histogram.add_four(four));
        histogram.estimate()
    }

    /// Adds all elements to a value, which becomes dense if one of those in the union is. O(16384), O(n) times that
    /// for n bytes of a sparse value.
    ///
    /// # Errors
    /// [`Corrupted`], and some of the elements may have been added.
    pub fn write_to(&self, value: &mut Vec<u8>, sparse_len_max: usize) -> Result<(), Corrupted> {
        if self.any_dense {
            make_dense(value)?;
        }
        for (index, &rank) in self.ranks.iter().enumerate().filter(|&(_, &rank)| rank > 0) {
            raise(value, index, rank, sparse_len_max)?;
        }
        forget_count(value);
        Ok(())
    }
}
