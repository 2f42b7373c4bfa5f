//! BITCOUNT.

use super::range::Unit;
use crate::commands::prelude::*;
use moonshard_store::bitmap::count_ones;

pub(super) const BITCOUNT: Command = Command {
    handler: Handler::Shard(bitcount),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new(
                "index",
                ArgKind::Block(&[
                    Arg::new("start", ArgKind::Int),
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
        ],
        group: "bitmap",
        since: "2.6.0",
        summary: "Count set bits in a string",
        complexity: "O(N)",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        ..Meta::new("bitcount", Arity::AtLeast(2), Flags::READONLY, Acl::BITMAP)
    },
}
.checked();

fn bitcount(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Some(bytes) = cx.keys.read_str(args.raw(1))? else {
        cx.reply.int(0);
        return DONE;
    };
    let bits = match args.len() {
        2 => 0..bytes.len() * 8,
        4 | 5 => {
            let (start, end) = (args.int(2)?, args.int(3)?);
            if start < 0 && end < 0 && start > end {
                0..0
            } else {
                let unit = if args.len() == 5 { Unit::parse(args, 4)? } else { Unit::Byte };
                unit.bits(start, end, bytes.len())
            }
        }
        _ => return Err(Error::SYNTAX),
    };
    cx.reply.int(count_ones(bytes, bits) as i64);
    DONE
}
