//! BITPOS.

use super::range::Unit;
use crate::commands::prelude::*;
use moonshard_store::bitmap::find_bit;

pub(super) const BITPOS: Command = Command {
    handler: Handler::Shard(bitpos),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("bit", ArgKind::Int),
            Arg::new(
                "index",
                ArgKind::Block(&[
                    Arg::new("start", ArgKind::Int),
                    Arg::new(
                        "end_index",
                        ArgKind::Block(&[
                            Arg::new("end", ArgKind::Int),
                            Arg::new(
                                "index_unit",
                                ArgKind::OneOf(&[Arg::word("byte", "BYTE"), Arg::word("bit", "BIT")]),
                            )
                            .optional()
                            .since("7.0.0"),
                        ]),
                    )
                    .optional(),
                ]),
            )
            .optional(),
        ],
        group: "bitmap",
        since: "2.8.7",
        summary: "Find first bit set or clear in a string",
        complexity: "O(N)",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        ..Meta::new("bitpos", Arity::AtLeast(3), Flags::READONLY, Acl::BITMAP)
    },
}
.checked();

fn bitpos(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let bit = match args.int(2)? {
        0 => false,
        1 => true,
        _ => return Err(Error::fixed("ERR The bit argument must be 1 or 0.")),
    };
    let Some(bytes) = cx.keys.read_str(args.raw(1))? else {
        cx.reply.int(if bit { -1 } else { 0 });
        return DONE;
    };
    let (bits, to_the_end) = match args.len() {
        3 => (0..bytes.len() * 8, true),
        4..=6 => {
            let start = args.int(3)?;
            let unit = if args.len() == 6 { Unit::parse(args, 5)? } else { Unit::Byte };
            let end = if args.len() > 4 { args.int(4)? } else { i64::MAX };
            (unit.bits(start, end, bytes.len()), args.len() == 4)
        }
        _ => return Err(Error::SYNTAX),
    };
    let found = match find_bit(bytes, bits.clone(), bit) {
        // Without an end of its own the string goes on with zeros.
        None if !bit && to_the_end && !bits.is_empty() => Some(bits.end),
        found => found,
    };
    cx.reply.int(found.map_or(-1, |at| at as i64));
    DONE
}
