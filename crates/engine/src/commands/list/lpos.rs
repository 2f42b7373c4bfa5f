//! LPOS.

use crate::commands::prelude::*;
use moonshard_store::List;

pub(super) const LPOS: Command = Command {
    handler: Handler::Shard(lpos),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("element", ArgKind::String), Arg::new("rank", ArgKind::Int).token("RANK").optional(), Arg::new("num-matches", ArgKind::Int).token("COUNT").optional(), Arg::new("len", ArgKind::Int).token("MAXLEN").optional()],
        group: "list", since: "6.0.6",
        summary: "Return the index of matching elements on a list",
        complexity: "O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.",
        ..Meta::new("lpos", Arity::AtLeast(3), Flags::READONLY, Acl::LIST)
    },
}
.checked();

struct Options {
    rank: i64,
    /// Matches wanted as an array, 0 for all; `None` for the first match as it is.
    count: Option<usize>,
    /// Elements compared at most, 0 for all.
    compare_max: usize,
}

fn parse(args: Args<'_>) -> Result<Options, Error> {
    let mut options = Options { rank: 1, count: None, compare_max: 0 };
    let mut at = 3;
    while at < args.len() {
        if at + 1 == args.len() {
            return Err(Error::SYNTAX);
        }
        if args.is(at, "RANK") {
            options.rank = args.int(at + 1)?;
            if options.rank == 0 {
                return Err(Error::fixed(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                     negative to start from the end of the list",
                ));
            }
        } else if args.is(at, "COUNT") {
            options.count = Some(not_negative(args, at + 1, "ERR COUNT can't be negative")?);
        } else if args.is(at, "MAXLEN") {
            options.compare_max = not_negative(args, at + 1, "ERR MAXLEN can't be negative")?;
        } else {
            return Err(Error::SYNTAX);
        }
        at += 2;
    }
    Ok(options)
}

fn not_negative(args: Args<'_>, index: usize, text: &'static str) -> Result<usize, Error> {
    usize::try_from(args.int_or(index, Error::fixed(text))?).map_err(|_| Error::fixed(text))
}

fn lpos(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Options { rank, count, compare_max } = parse(args)?;
    let list = cx.keys.read_as::<List>(args.raw(1))?;
    let element = args.raw(2);
    let Some(count) = count else {
        let mut first = None;
        if let Some(list) = list {
            list.positions(element, rank, 1, compare_max, |index| first = Some(index));
        }
        match first {
            Some(index) => cx.reply.count(index),
            None => cx.reply.null(),
        }
        return DONE;
    };
    let Some(list) = list else {
        cx.reply.array(0);
        return DONE;
    };
    let open = cx.reply.open_array();
    let mut found = 0;
    list.positions(element, rank, count, compare_max, |index| {
        found += 1;
        cx.reply.count(index);
    });
    cx.reply.close(open, found);
    DONE
}
