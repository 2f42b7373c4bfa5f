//! Commands of the log, copied out of their file.

use moonshard_engine::Args;
use moonshard_engine::command::Entry;

/// A command of a batch, but for its arguments.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) entry: &'static Entry,
    pub(super) db: usize,
    /// Where it begins in its file.
    pub(super) offset: u64,
    /// Where its arguments end among all.
    args_end: usize,
}

/// Commands one after another.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// The end of each argument in the bytes.
    ends: Vec<usize>,
    calls: Vec<Call>,
}

impl Batch {
    pub(super) fn push(&mut self, entry: &'static Entry, args: Args<'_>, db: usize, offset: u64) {
        for arg in args.iter() {
            self.bytes.extend_from_slice(arg);
            self.ends.push(self.bytes.len());
        }
        self.calls.push(Call { entry, db, offset, args_end: self.ends.len() });
    }

    /// Adds what is in another one.
    pub(super) fn append(&mut self, other: &Self) {
        let arguments = other.arguments();
        for (call, args) in other.calls(&arguments) {
            self.push(call.entry, args, call.db, call.offset);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Bytes that it takes.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<usize>() + self.calls.len() * size_of::<Call>()
    }

    /// Every argument in order, to be divided by [`Batch::calls`].
    pub(super) fn arguments(&self) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end]).collect()
    }

    /// The commands.
    pub(super) fn calls<'a>(&'a self, arguments: &'a [&'a [u8]]) -> impl Iterator<Item = (Call, Args<'a>)> {
        let starts = std::iter::once(0).chain(self.calls.iter().map(|call| call.args_end));
        starts.zip(&self.calls).map(|(start, &call)| (call, Args::new(&arguments[start..call.args_end])))
    }
}
