//! The arguments of XREAD and XREADGROUP.

use crate::args::Args;
use crate::command::{KeyError, KeyFlags, KeySpan};
use crate::error::Error;
use crate::wait::WaitKey;
use moonshard_store::StreamId;
use moonshard_store::number::parse_i64;

/// Entries that a client gets at once that waited and named no COUNT.
const COUNT_OF_WAITER: usize = 1000;

/// What is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read<'a> {
    /// Whether to wait when there is nothing, and for how many milliseconds at most.
    pub(super) block: Option<Option<u64>>,
    /// Most entries of a stream; 0 for all.
    count: usize,
    /// Group and consumer.
    pub(super) group: Option<(&'a [u8], &'a [u8])>,
    /// Whether entries are not kept for an acknowledgement.
    pub(super) noack: bool,
    /// The streams.
    pub(super) keys: &'a [&'a [u8]],
    /// For each, after which id it is read.
    pub(super) ids: &'a [&'a [u8]],
}

impl<'a> Read<'a> {
    /// Reads the arguments; `grouped` for XREADGROUP.
    ///
    /// # Errors
    /// Redis' texts, in its order of checks.
    pub(super) fn parse(args: Args<'a>, grouped: bool, in_script: bool) -> Result<Self, Error> {
        let mut read = Self { block: None, count: 0, group: None, noack: false, keys: &[], ids: &[] };
        let mut at = 1;
        while at < args.len() {
            let more = args.len() - 1 - at;
            if more >= 1 && args.is(at, "BLOCK") {
                if in_script {
                    return Err(block_in_script(args.raw(0)));
                }
                read.block = Some(timeout(args.raw(at + 1))?);
                at += 1;
            } else if more >= 1 && args.is(at, "COUNT") {
                read.count = usize::try_from(args.int(at + 1)?).unwrap_or(0);
                at += 1;
            } else if more >= 1 && args.is(at, "STREAMS") {
                let rest = args.from(at + 1);
                if !rest.len().is_multiple_of(2) {
                    return Err(Error::fixed(
                        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
                    ));
                }
                (read.keys, read.ids) = rest.split_at(rest.len() / 2);
                break;
            } else if more >= 2 && args.is(at, "GROUP") {
                if !grouped {
                    return Err(Error::fixed(
                        "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                read.group = Some((args.raw(at + 1), args.raw(at + 2)));
                at += 2;
            } else if args.is(at, "NOACK") {
                if !grouped {
                    return Err(Error::fixed(
                        "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                read.noack = true;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        if read.keys.is_empty() {
            return Err(Error::SYNTAX);
        }
        if grouped && read.group.is_none() {
            return Err(Error::fixed("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(read)
    }

    /// Most entries of a stream.
    pub(super) fn count(&self) -> usize {
        if self.count == 0 { usize::MAX } else { self.count }
    }

    /// The call that serves a client once `key`, for which it waited, is ready: what comes after `after`.
    pub(super) fn wait_for(&self, name: &[u8], key: &[u8], after: &[u8]) -> WaitKey {
        let count = if self.count == 0 { COUNT_OF_WAITER } else { self.count };
        let mut digits = itoa::Buffer::new();
        let mut call: Vec<&[u8]> = vec![name];
        if let Some((group, consumer)) = self.group {
            call.extend_from_slice(&[b"GROUP", group, consumer]);
        }
        if self.noack {
            call.push(b"NOACK");
        }
        // Waiting on, if this should turn out to be nothing for it.
        call.extend_from_slice(&[b"COUNT", digits.format(count).as_bytes(), b"BLOCK", b"0"]);
        call.extend_from_slice(&[b"STREAMS", key, after]);
        WaitKey::new(key, &call)
    }
}

fn block_in_script(name: &[u8]) -> Error {
    Error::bytes([b"ERR ", name, b" command is not allowed with BLOCK option from scripts"].concat())
}

/// A timeout in milliseconds; zero is none.
fn timeout(text: &[u8]) -> Result<Option<u64>, Error> {
    let millis = parse_i64(text).ok_or(Error::TIMEOUT_NOT_INTEGER)?;
    let millis = u64::try_from(millis).map_err(|_| Error::TIMEOUT_NEGATIVE)?;
    Ok((millis > 0).then_some(millis))
}

/// The keys behind STREAMS. The word can also be the name of a group, a consumer or a stream, so the options before
/// it are stepped over one by one.
pub(super) fn keys(args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    let mut at = 1;
    while at < args.len() && !args.is(at, "STREAMS") {
        at += if args.is(at, "BLOCK") || args.is(at, "COUNT") {
            2
        } else if args.is(at, "GROUP") {
            3
        } else if args.is(at, "NOACK") {
            1
        } else {
            return Err(KeyError::Invalid);
        };
    }
    // A call in which not every key has its id is refused later, and tells half of what it names until then.
    let count = args.len().saturating_sub(at + 1) / 2;
    if count == 0 {
        return Err(KeyError::Invalid);
    }
    let flags = KeyFlags::RO.union(KeyFlags::ACCESS);
    (at + 1..=at + count).for_each(|index| visit(KeySpan { index, flags }));
    Ok(())
}

/// Room for the ids of a call: on the stack unless they are many.
pub(super) struct Ids {
    few: [StreamId; Self::FEW],
    many: Vec<StreamId>,
}

impl Ids {
    const FEW: usize = 8;

    pub(super) const fn new() -> Self {
        Self { few: [StreamId::MIN; Self::FEW], many: Vec::new() }
    }

    /// Room for so many.
    pub(super) fn of_len(&mut self, len: usize) -> &mut [StreamId] {
        match self.few.get_mut(..len) {
            Some(few) => few,
            None => {
                self.many.resize(len, StreamId::MIN);
                &mut self.many
            }
        }
    }
}
