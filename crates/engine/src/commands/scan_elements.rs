//! What HSCAN, SSCAN and ZSCAN share: options, how far one call goes, and the reply.

use crate::args::Args;
use crate::error::Error;
use crate::glob;
use moonshard_protocol::Reply;

/// Steps of a scan at most for each element that is wanted: a sparse table must not take forever.
const STEPS_PER_ELEMENT: u64 = 10;

/// One call of HSCAN, SSCAN or ZSCAN.
pub(super) struct CollectionScan<'a> {
    count: u64,
    pattern: Option<&'a [u8]>,
    seen: u64,
    /// What was found, end to end, because the cursor goes first in the reply.
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl<'a> CollectionScan<'a> {
    /// The options after the key and the cursor.
    pub(super) fn parse(args: Args<'a>) -> Result<Self, Error> {
        let mut scan = Self { count: 10, pattern: None, seen: 0, bytes: Vec::new(), ends: Vec::new() };
        let mut at = 3;
        while at < args.len() {
            let Some(value) = args.get(at + 1) else { return Err(Error::SYNTAX) };
            if args.is(at, "COUNT") {
                let count = u64::try_from(args.int(at + 1)?).map_err(|_| Error::SYNTAX)?;
                if count == 0 {
                    return Err(Error::SYNTAX);
                }
                scan.count = count;
            } else if args.is(at, "MATCH") {
                // Unlike other patterns, this one matches even the empty text.
                scan.pattern = (value != b"*").then_some(value);
            } else {
                return Err(Error::SYNTAX);
            }
            at += 2;
        }
        Ok(scan)
    }

    /// Takes steps from the cursor `from` on until enough elements were seen. Returns the cursor to go on with.
    pub(super) fn run(&mut self, from: u64, mut step: impl FnMut(&mut Self, u64) -> u64) -> u64 {
        let mut cursor = from;
        for _ in 0..=self.count.saturating_mul(STEPS_PER_ELEMENT) {
            cursor = step(self, cursor);
            if cursor == 0 || self.seen >= self.count {
                break;
            }
        }
        cursor
    }

    /// Counts an element as seen, and says whether it is one of those asked for.
    pub(super) fn wants(&mut self, element: &[u8]) -> bool {
        self.seen += 1;
        self.pattern.is_none_or(|pattern| glob::matches(pattern, element, false))
    }

    /// Takes bytes into the reply.
    pub(super) fn found(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    /// The reply, with the cursor to go on with.
    pub(super) fn reply(&self, cursor: u64, reply: &mut Reply) {
        reply.array(2);
        reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
        reply.array(self.ends.len());
        let mut start = 0;
        for &end in &self.ends {
            reply.bulk(&self.bytes[start..end]);
            start = end;
        }
    }
}

/// The reply for a key that is not there.
pub(super) fn empty_scan(reply: &mut Reply) {
    reply.array(2);
    reply.bulk(b"0");
    reply.array(0);
}
