//! BITFIELD and BITFIELD_RO.

use super::offset::field_offset;
use crate::command::{KeyError, KeySpan, SpecSource};
use crate::commands::prelude::*;
use moonshard_protocol::Reply;
use moonshard_store::bitmap::{Field, Overflow};
use moonshard_store::number::parse_i64;

pub(super) const BITFIELD: Command = Command {
    handler: Handler::Shard(bitfield),
    meta: Meta {
        keys: &[KeySpec::one(
            1,
            KeyFlags::RW.union(KeyFlags::UPDATE).union(KeyFlags::ACCESS).union(KeyFlags::VARIABLE_FLAGS),
        )
        .notes("This command allows both access and modification of the key")],
        key_source: SpecSource::Function(keys),
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new(
                "operation",
                ArgKind::OneOf(&[
                    Arg::new(
                        "encoding_offset",
                        ArgKind::Block(&[
                            Arg::new("encoding", ArgKind::String),
                            Arg::new("offset", ArgKind::Int),
                        ]),
                    )
                    .token("GET"),
                    Arg::new(
                        "write",
                        ArgKind::Block(&[
                            Arg::new(
                                "wrap_sat_fail",
                                ArgKind::OneOf(&[
                                    Arg::word("wrap", "WRAP"),
                                    Arg::word("sat", "SAT"),
                                    Arg::word("fail", "FAIL"),
                                ]),
                            )
                            .token("OVERFLOW")
                            .optional(),
                            Arg::new(
                                "write_operation",
                                ArgKind::OneOf(&[
                                    Arg::new(
                                        "encoding_offset_value",
                                        ArgKind::Block(&[
                                            Arg::new("encoding", ArgKind::String),
                                            Arg::new("offset", ArgKind::Int),
                                            Arg::new("value", ArgKind::Int),
                                        ]),
                                    )
                                    .token("SET"),
                                    Arg::new(
                                        "encoding_offset_increment",
                                        ArgKind::Block(&[
                                            Arg::new("encoding", ArgKind::String),
                                            Arg::new("offset", ArgKind::Int),
                                            Arg::new("increment", ArgKind::Int),
                                        ]),
                                    )
                                    .token("INCRBY"),
                                ]),
                            ),
                        ]),
                    ),
                ]),
            )
            .optional()
            .multiple(),
        ],
        group: "bitmap",
        since: "3.2.0",
        summary: "Perform arbitrary bitfield integer operations on strings",
        complexity: "O(1) for each subcommand specified",
        ..Meta::new("bitfield", Arity::AtLeast(2), Flags::WRITE.union(Flags::DENYOOM), Acl::BITMAP)
    },
}
.checked();

pub(super) const BITFIELD_RO: Command = Command {
    handler: Handler::Shard(bitfield_ro),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new(
                "encoding_offset",
                ArgKind::Block(&[Arg::new("encoding", ArgKind::String), Arg::new("offset", ArgKind::Int)]),
            )
            .token("GET")
            .optional()
            .multiple()
            .multiple_token(),
        ],
        group: "bitmap",
        since: "6.0.0",
        summary: "Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD",
        complexity: "O(1) for each subcommand specified",
        ..Meta::new("bitfield_ro", Arity::AtLeast(2), Flags::READONLY.union(Flags::FAST), Acl::BITMAP)
    },
}
.checked();

/// What happens to the key.
fn keys(args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    let flags = if only_reads(args) { KeyFlags::RO } else { KeyFlags::RW.union(KeyFlags::UPDATE) };
    visit(KeySpan { index: 1, flags: flags.union(KeyFlags::ACCESS) });
    Ok(())
}

/// Whether all operations are GET; what makes no sense counts as a write.
fn only_reads(args: Args<'_>) -> bool {
    let mut at = 2;
    while at < args.len() {
        let left = args.len() - at - 1;
        if args.is(at, "GET") && left >= 2 {
            at += 3;
        } else if args.is(at, "OVERFLOW") && left >= 1 {
            at += 2;
        } else {
            return false;
        }
    }
    true
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

/// One operation of a call.
#[derive(Clone, Copy)]
struct Operation {
    field: Field,
    action: Action,
    overflow: Overflow,
}

/// The operations of a call, in order. Reading them twice is cheaper than keeping them.
#[derive(Clone, Copy)]
struct Operations<'a> {
    args: Args<'a>,
    at: usize,
    overflow: Overflow,
    len_max: u64,
}

impl<'a> Operations<'a> {
    fn new(args: Args<'a>, len_max: u64) -> Self {
        Self { args, at: 2, overflow: Overflow::Wrap, len_max }
    }

    /// Reads what stands at `at`, which is there.
    fn parse(&mut self) -> Result<Option<Operation>, Error> {
        let (args, at) = (self.args, self.at);
        let left = args.len() - at - 1;
        if args.is(at, "OVERFLOW") && left >= 1 {
            self.overflow = parse_overflow(args, at + 1)?;
            self.at += 2;
            return Ok(None);
        }
        let get = args.is(at, "GET") && left >= 2;
        let set = args.is(at, "SET") && left >= 3;
        let add = args.is(at, "INCRBY") && left >= 3;
        if !(get || set || add) {
            return Err(Error::SYNTAX);
        }
        let (signed, bits) = parse_type(args.raw(at + 1))?;
        let offset = field_offset(args.raw(at + 2), bits, self.len_max)?;
        let action = match (get, set) {
            (true, _) => Action::Get,
            (_, true) => Action::Set(args.int(at + 3)?),
            _ => Action::Add(args.int(at + 3)?),
        };
        self.at += if get { 3 } else { 4 };
        Ok(Some(Operation { field: Field { offset, bits, signed }, action, overflow: self.overflow }))
    }
}

impl Iterator for Operations<'_> {
    type Item = Result<Operation, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.args.len() {
            match self.parse() {
                Ok(None) => {}
                Ok(Some(operation)) => return Some(Ok(operation)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}

fn parse_overflow(args: Args<'_>, at: usize) -> Result<Overflow, Error> {
    if args.is(at, "WRAP") {
        Ok(Overflow::Wrap)
    } else if args.is(at, "SAT") {
        Ok(Overflow::Saturate)
    } else if args.is(at, "FAIL") {
        Ok(Overflow::Fail)
    } else {
        Err(Error::fixed("ERR Invalid OVERFLOW type specified"))
    }
}

/// A field's type, `i` or `u` and a number of bits, as whether it is signed and that number.
fn parse_type(argument: &[u8]) -> Result<(bool, u32), Error> {
    const INVALID: Error = Error::fixed(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    );
    let (signed, digits) = match argument {
        [b'i', digits @ ..] => (true, digits),
        [b'u', digits @ ..] => (false, digits),
        _ => return Err(INVALID),
    };
    // Redis reads the number up to the first zero byte.
    let digits = digits.split(|&byte| byte == 0).next().unwrap_or_default();
    match parse_i64(digits) {
        Some(bits) if (1..=if signed { 64 } else { 63 }).contains(&bits) => Ok((signed, bits as u32)),
        _ => Err(INVALID),
    }
}

/// What all operations of a call need.
struct Summary {
    count: usize,
    /// Length of the string that all writes lie in; 0 if there is none.
    write_len: usize,
}

fn summarize(operations: Operations<'_>) -> Result<Summary, Error> {
    let mut summary = Summary { count: 0, write_len: 0 };
    for operation in operations {
        let operation = operation?;
        summary.count += 1;
        if !matches!(operation.action, Action::Get) {
            summary.write_len = summary.write_len.max(operation.field.end());
        }
    }
    Ok(summary)
}

fn bitfield_ro(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let operations = Operations::new(args, cx.settings.bulk_len_max);
    let summary = summarize(operations)?;
    if summary.write_len > 0 {
        return Err(Error::fixed("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read(cx, args, operations, summary.count)
}

fn bitfield(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let operations = Operations::new(args, cx.settings.bulk_len_max);
    let summary = summarize(operations)?;
    if summary.write_len == 0 {
        return read(cx, args, operations, summary.count);
    }
    let (entry, _) = cx.keys.create_str(key)?;
    let grown = entry.string().is_none_or(|bytes| bytes.len() < summary.write_len);
    let Some(bytes) = entry.grown_mut(summary.write_len) else { return Err(Error::WRONG_TYPE) };
    cx.reply.array(summary.count);
    let mut changed = false;
    for operation in operations {
        // What is written to a string that became longer counts as a change, as in Redis, also where it is 0.
        changed |= apply(operation?, bytes, cx.reply).is_some_and(|differs| grown || differs);
    }
    if changed || grown {
        // A string that only became longer is no event of Redis'.
        let class = if changed { EventClass::STRING } else { EventClass::empty() };
        cx.keys.changed(class, "setbit", key);
    }
    DONE
}

fn read(cx: &mut Ctx<'_>, args: Args<'_>, operations: Operations<'_>, count: usize) -> CmdResult {
    let bytes = cx.keys.read_str(args.raw(1))?.unwrap_or_default();
    cx.reply.array(count);
    for operation in operations {
        cx.reply.int(operation?.field.get(bytes));
    }
    DONE
}

/// Runs an operation on a string that has its whole field, if it writes. Returns whether what it wrote differs from what
/// was there; `None` when it wrote nothing.
fn apply(operation: Operation, bytes: &mut [u8], reply: &mut Reply) -> Option<bool> {
    let Operation { field, action, overflow } = operation;
    let old = field.get(bytes);
    let (new, answer) = match action {
        Action::Get => {
            reply.int(old);
            return None;
        }
        Action::Set(value) => (field.fit(value, 0, overflow), Some(old)),
        Action::Add(increment) => (field.fit(old, increment, overflow), None),
    };
    match new {
        Some(new) => {
            field.set(bytes, new);
            reply.int(answer.unwrap_or(new));
            Some(new != old)
        }
        None => {
            reply.null();
            None
        }
    }
}
