//! SWAPDB.

use crate::commands::prelude::*;

pub(super) const SWAPDB: Command = Command {
    handler: Handler::Shard(swapdb),
    meta: Meta {
        route: Route::All,
        args: &[Arg::new("index1", ArgKind::Int), Arg::new("index2", ArgKind::Int)],
        group: "server",
        since: "4.0.0",
        summary: "Swaps two Redis databases",
        complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
        ..Meta::new(
            "swapdb",
            Arity::Exact(3),
            Flags::WRITE.union(Flags::FAST),
            Acl::KEYSPACE.union(Acl::DANGEROUS),
        )
    },
}
.checked();

fn swapdb(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if cx.settings.cluster {
        return Err(Error::fixed("ERR SWAPDB is not allowed in cluster mode"));
    }
    let number = |index, error| match args.int(index) {
        Ok(number) if i32::try_from(number).is_ok() => Ok(number),
        _ => Err(Error::fixed(error)),
    };
    let one = number(1, "ERR invalid first DB index")?;
    let other = number(2, "ERR invalid second DB index")?;
    let databases = cx.settings.databases;
    let within = |number| usize::try_from(number).ok().filter(|&db| db < databases);
    let (Some(one), Some(other)) = (within(one), within(other)) else {
        return Err(Error::DB_INDEX_OUT_OF_RANGE);
    };
    if one != other {
        cx.keys.swap(one, other);
    }
    cx.keys.replay_as(args.all());
    cx.reply.ok();
    DONE
}
