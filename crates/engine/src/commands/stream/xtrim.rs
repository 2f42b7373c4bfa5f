//! XTRIM.

use super::trim_option::Options;
use crate::commands::prelude::*;
use moonshard_store::Stream;

pub(super) const XTRIM: Command = Command {
    handler: Handler::Shard(xtrim),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("trim", ArgKind::Block(&[Arg::new("strategy", ArgKind::OneOf(&[Arg::word("maxlen", "MAXLEN"), Arg::word("minid", "MINID").since("6.2.0")])), Arg::new("operator", ArgKind::OneOf(&[Arg::word("equal", "="), Arg::word("approximately", "~")])).optional(), Arg::new("threshold", ArgKind::String), Arg::new("count", ArgKind::Int).token("LIMIT").optional().since("6.2.0")]))],
        group: "stream", since: "5.0.0",
        summary: "Trims the stream to (approximately if '~' is passed) a certain size",
        complexity: "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
        history: &[("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option.")],
        tips: &["nondeterministic_output"],
        ..Meta::new("xtrim", Arity::AtLeast(4), Flags::WRITE, Acl::STREAM)
    },
}
.checked();

fn xtrim(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let (options, trim) = Options::of_xtrim(args, cx.settings, !cx.keys.deletes_due())?;
    let Some(stream) = cx.keys.write_as::<Stream>(key)? else {
        cx.reply.int(0);
        return DONE;
    };
    let removed = stream.trim(&trim);
    if removed > 0 {
        let exact = options.exact_threshold(stream);
        cx.keys.changed(EventClass::STREAM, "xtrim", key);
        if exact.is_some() {
            let words = args.iter().enumerate();
            let words = words.map(|(at, word)| options.exact(at, exact.as_deref()).unwrap_or(word));
            cx.keys.replay_each(args.len(), words);
        }
    }
    cx.reply.count(removed);
    DONE
}
