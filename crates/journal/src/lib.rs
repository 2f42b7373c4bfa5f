//! Records that many threads write at once, each into a buffer of its own, and that are read in one order.
//!
//! A record gets its number, one more than the last one's, while its buffer's mutex is held. So whoever reads the
//! counter first and then takes what is in each buffer has every record below what the counter said, whatever is
//! written meanwhile: one whose number was drawn is in its buffer before the mutex is let go. Writers meet in nothing
//! but the counter, and in a bit for each buffer that says whether there is anything in it.

mod sync;

use std::sync::atomic::Ordering::SeqCst;
use sync::{AtomicU64, Mutex, lock};

/// A buffer that grew beyond this many bytes is given back once it is empty.
const KEEP_LEN: usize = 1 << 20;
/// Buffers for which one word says whether they are filled.
const BITS: usize = u64::BITS as usize;

/// Buffers of records that are numbered over all of them, from 1.
#[derive(Debug)]
pub struct Journals {
    /// The number of the next record.
    next: Padded<AtomicU64>,
    buffers: Box<[Padded<Mutex<Records>>]>,
    /// A bit for each buffer into which something was written since it was taken.
    filled: Box<[Padded<AtomicU64>]>,
}

/// On cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<T>(T);

/// Records in the order of their numbers.
#[derive(Debug, Default)]
struct Records {
    bytes: Vec<u8>,
    /// Each record's number, and where it ends.
    ends: Vec<(u64, usize)>,
}

/// What [`Journals::append`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The record's number.
    pub number: u64,
    /// Bytes that waited in its buffer before it.
    pub before: usize,
    /// Bytes that wait there with it.
    pub waiting: usize,
}

impl Journals {
    /// So many empty buffers.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let buffers = (0..count).map(|_| Padded(Mutex::new(Records::default())));
        let filled = (0..count.div_ceil(BITS)).map(|_| Padded(AtomicU64::new(0)));
        Self { next: Padded(AtomicU64::new(1)), buffers: buffers.collect(), filled: filled.collect() }
    }

    /// Adds a record, whose bytes `write` appends, to the buffer at `index`.
    /// A thread that calls this again later gets a higher number, and so does one that learns of the first call.
    ///
    /// # Panics
    /// Without a buffer at `index`.
    #[inline]
    pub fn append(&self, index: usize, write: impl FnOnce(&mut Vec<u8>)) -> Appended {
        let mut records = lock(&self.buffers[index].0);
        if records.ends.is_empty() {
            // Before the number is drawn: whoever has read a counter beyond it sees the bit.
            self.filled[index / BITS].0.fetch_or(1 << (index % BITS), SeqCst);
        }
        // Sequentially consistent: a reader that goes to sleep says so first and looks at the counter then.
        let number = self.next.0.fetch_add(1, SeqCst);
        let before = records.bytes.len();
        write(&mut records.bytes);
        let waiting = records.bytes.len();
        records.ends.push((number, waiting));
        Appended { number, before, waiting }
    }

    /// The number of the last record; 0 before the first.
    #[inline]
    pub fn last(&self) -> u64 {
        self.next.0.load(SeqCst) - 1
    }

    /// Takes all records up to some number, at least the [`last`](Self::last) one of this moment, into `collected`,
    /// whose former records are dropped.
    pub fn collect(&self, collected: &mut Collected) {
        collected.first = collected.until;
        collected.until = self.next.0.load(SeqCst);
        collected.parts.resize_with(self.buffers.len(), Part::default);
        let Collected { parts, kept, .. } = collected;
        // Those that hold something from the last time, which was read or came too early.
        kept.retain(|&index| !parts[index].drop_read());
        for (word, bits) in self.filled.iter().enumerate() {
            // Cleared before the buffer is taken: whoever finds it empty afterwards sets it again.
            let mut bits = if bits.0.load(SeqCst) == 0 { 0 } else { bits.0.swap(0, SeqCst) };
            while bits != 0 {
                let index = word * BITS + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if parts[index].records.ends.is_empty() {
                    kept.push(index);
                }
                parts[index].take(&mut lock(&self.buffers[index].0));
            }
        }
        collected.sort();
    }

    /// Bytes that wait in all buffers.
    pub fn waiting(&self) -> usize {
        self.buffers.iter().map(|buffer| lock(&buffer.0).bytes.len()).sum()
    }
}

/// Records that were taken out of [`Journals`]; always the same one is given to them, since it keeps what was taken too
/// early.
#[derive(Debug)]
pub struct Collected {
    /// The numbers that it holds, the second exclusive.
    first: u64,
    until: u64,
    parts: Vec<Part>,
    /// Which of the parts hold something, in no order.
    kept: Vec<usize>,
    /// Where each record is: its part, and its place there.
    places: Vec<(u32, u32)>,
}

/// What was taken out of one buffer.
#[derive(Debug, Default)]
struct Part {
    records: Records,
    /// How many of its records belong to the collection; the others are for a later one.
    due: usize,
}

impl Part {
    /// Drops what belonged to the last collection. Returns whether that was all.
    fn drop_read(&mut self) -> bool {
        let Records { bytes, ends } = &mut self.records;
        let len = self.due.checked_sub(1).map_or(0, |last| ends[last].1);
        if self.due == ends.len() {
            bytes.clear();
            ends.clear();
            if bytes.capacity() > KEEP_LEN {
                self.records = Records::default();
            }
        } else if self.due > 0 {
            bytes.drain(..len);
            ends.drain(..self.due);
            ends.iter_mut().for_each(|(_, end)| *end -= len);
        }
        self.due = 0;
        self.records.ends.is_empty()
    }

    /// Takes what a buffer holds, and leaves it empty.
    fn take(&mut self, from: &mut Records) {
        if self.records.ends.is_empty() {
            std::mem::swap(&mut self.records, from);
            return;
        }
        let len = self.records.bytes.len();
        self.records.bytes.append(&mut from.bytes);
        self.records.ends.extend(from.ends.drain(..).map(|(number, end)| (number, len + end)));
    }
}

impl Default for Collected {
    fn default() -> Self {
        Self { first: 1, until: 1, parts: Vec::new(), kept: Vec::new(), places: Vec::new() }
    }
}

impl Collected {
    /// Finds out where each record is, in one pass over all of them.
    fn sort(&mut self) {
        self.places.clear();
        self.places.resize((self.until - self.first) as usize, (0, 0));
        for &at in &self.kept {
            let part = &mut self.parts[at];
            part.due = part.records.ends.partition_point(|(number, _)| *number < self.until);
            for (place, (number, _)) in part.records.ends[..part.due].iter().enumerate() {
                self.places[(number - self.first) as usize] = (at as u32, place as u32);
            }
        }
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The number of the last record; of the one before the first, if there is none.
    pub fn last(&self) -> u64 {
        self.until - 1
    }

    /// The records with their numbers, in ascending order without gaps.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first..).zip(&self.places).map(|(number, &(part, place))| {
            let Records { bytes, ends } = &self.parts[part as usize].records;
            let place = place as usize;
            let start = place.checked_sub(1).map_or(0, |before| ends[before].1);
            (number, &bytes[start..ends[place].1])
        })
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(journals: &Journals, collected: &mut Collected) -> Vec<(u64, Vec<u8>)> {
        journals.collect(collected);
        collected.iter().map(|(number, bytes)| (number, bytes.to_vec())).collect()
    }

    proptest! {
        #[test]
        fn records_come_out_once_and_in_their_order(
            steps in prop::collection::vec((0usize..3, prop::collection::vec(any::<u8>(), 0..5), any::<bool>()), 0..60)
        ) {
            let journals = Journals::new(3);
            let mut collected = Collected::default();
            let (mut written, mut seen) = (Vec::new(), Vec::new());
            for (index, bytes, collects) in steps {
                let appended = journals.append(index, |buffer| buffer.extend_from_slice(&bytes));
                written.push((appended.number, bytes));
                if collects {
                    seen.extend(read(&journals, &mut collected));
                    prop_assert_eq!(collected.last(), journals.last());
                }
            }
            seen.extend(read(&journals, &mut collected));
            prop_assert!(read(&journals, &mut collected).is_empty());
            prop_assert_eq!(journals.waiting(), 0);
            prop_assert_eq!(seen, written);
        }
    }

    #[test]
    fn what_threads_write_at_once_is_read_without_gaps() {
        const EACH: u64 = 20_000;
        let journals = Journals::new(4);
        let mut collected = Collected::default();
        let mut seen = vec![Vec::new(); 4];
        let mut last = 0;
        std::thread::scope(|scope| {
            for index in 0..4usize {
                let journals = &journals;
                scope.spawn(move || {
                    for count in 0..EACH {
                        journals.append(index, |bytes| {
                            bytes.push(index as u8);
                            bytes.extend_from_slice(&count.to_le_bytes());
                        });
                    }
                });
            }
            while last < 4 * EACH {
                journals.collect(&mut collected);
                for (number, bytes) in collected.iter() {
                    last += 1;
                    assert_eq!(number, last);
                    let mut count = [0; 8];
                    count.copy_from_slice(&bytes[1..]);
                    seen[usize::from(bytes[0])].push(u64::from_le_bytes(count));
                }
            }
        });
        assert!(seen.iter().all(|of_one| of_one.iter().copied().eq(0..EACH)));
    }
}
