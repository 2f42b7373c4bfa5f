//! SCAN.

use crate::commands::prelude::*;
use crate::cursor;
use crate::glob;
use crate::keyspace::Shard;
use moonshard_protocol::Reply;
use moonshard_store::Entry;

pub(super) const SCAN: Command = Command {
    handler: Handler::Shard(scan),
    meta: Meta {
        route: Route::Cursor,
        args: &[Arg::new("cursor", ArgKind::Int), Arg::new("pattern", ArgKind::Pattern).token("MATCH").optional(), Arg::new("count", ArgKind::Int).token("COUNT").optional(), Arg::new("type", ArgKind::String).token("TYPE").optional().since("6.0.0")],
        group: "generic", since: "2.8.0",
        summary: "Incrementally iterate the keys space",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
        history: &[("6.0.0", "Added the `TYPE` subcommand.")],
        tips: &["nondeterministic_output", "request_policy:special"],
        ..Meta::new("scan", Arity::AtLeast(2), Flags::READONLY, Acl::KEYSPACE)
    },
}
.checked();

struct Options<'a> {
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Error> {
        const COUNT_DEFAULT: usize = 10;
        let mut options = Self { pattern: None, type_name: None, count: COUNT_DEFAULT };
        for at in (2..args.len()).step_by(2) {
            if at + 1 == args.len() {
                return Err(Error::SYNTAX);
            }
            if args.is(at, "COUNT") {
                let count = args.int(at + 1)?;
                options.count = usize::try_from(count).ok().filter(|&n| n > 0).ok_or(Error::SYNTAX)?;
            } else if args.is(at, "MATCH") {
                options.pattern = Some(args.raw(at + 1)).filter(|&pattern| pattern != b"*");
            } else if args.is(at, "TYPE") {
                options.type_name = Some(args.raw(at + 1));
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }

    fn want(&self, entry: &Entry) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, entry.key(), false))
            && self.type_name.is_none_or(|name| name.eq_ignore_ascii_case(Shard::type_name(entry).as_bytes()))
    }
}

/// Visits buckets until about COUNT keys were seen, wanted or not. What is locked decides how far it goes: with one
/// shard to its end, with all shards on into the next.
fn scan(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    // Nearly empty tables end a call too, or it could take as long as KEYS.
    const BUCKETS_PER_KEY: usize = 10;
    let number = cursor::parse(args.raw(1))?;
    let options = Options::parse(args)?;
    let mut at = cx.keys.cursor(number);
    let (mut seen, mut found) = (0, 0);
    let mut keys = Reply::new(cx.reply.encoding());
    for _ in 0..options.count.saturating_mul(BUCKETS_PER_KEY) {
        let want = |entry: &Entry| options.want(entry);
        let (next, here) = cx.keys.scan(at, want, |key| {
            keys.bulk(key);
            found += 1;
        });
        let moved_on = next.shard != at.shard;
        (at, seen) = (next, seen + here);
        if at.is_zero() || seen >= options.count || moved_on && !cx.keys.holds(at.shard) {
            break;
        }
    }
    cx.reply.array(2);
    let mut digits = itoa::Buffer::new();
    cx.reply.bulk(digits.format(at.encode()).as_bytes());
    cx.reply.array(found);
    cx.reply.raw(keys.as_bytes());
    DONE
}
