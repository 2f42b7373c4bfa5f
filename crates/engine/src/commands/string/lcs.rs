//! LCS.

use crate::commands::prelude::*;
use moonshard_protocol::Reply;

pub(super) const LCS: Command = Command {
    handler: Handler::Shard(lcs),
    meta: Meta {
        keys: &[KeySpec::range(1, 1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key1", ArgKind::Key(0)),
            Arg::new("key2", ArgKind::Key(0)),
            Arg::word("len", "LEN").optional(),
            Arg::word("idx", "IDX").optional(),
            Arg::new("len", ArgKind::Int).token("MINMATCHLEN").optional(),
            Arg::word("withmatchlen", "WITHMATCHLEN").optional(),
        ],
        group: "string",
        since: "7.0.0",
        summary: "Find longest common substring",
        complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        ..Meta::new("lcs", Arity::AtLeast(3), Flags::READONLY, Acl::STRING)
    },
}
.checked();

#[derive(Default)]
struct Options {
    ranges: bool,
    len: bool,
    with_len: bool,
    match_len_min: i64,
}

fn parse(args: Args<'_>) -> Result<Options, Error> {
    let mut options = Options::default();
    let mut at = 3;
    while at < args.len() {
        if args.is(at, "IDX") {
            options.ranges = true;
        } else if args.is(at, "LEN") {
            options.len = true;
        } else if args.is(at, "WITHMATCHLEN") {
            options.with_len = true;
        } else if args.is(at, "MINMATCHLEN") && at + 1 < args.len() {
            at += 1;
            options.match_len_min = args.int(at)?;
        } else {
            return Err(Error::SYNTAX);
        }
        at += 1;
    }
    if options.len && options.ranges {
        return Err(Error::fixed("ERR If you want both the length and indexes, please just use IDX."));
    }
    Ok(options)
}

fn lcs(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = [args.raw(1), args.raw(2)];
    let mut strings = true;
    for key in keys {
        strings &= cx.keys.read(key).is_none_or(|entry| entry.string().is_some());
    }
    if !strings {
        return Err(Error::fixed("ERR The specified keys must contain string values"));
    }
    let options = parse(args)?;
    let [a, b] = keys.map(|key| cx.keys.get(key).and_then(|entry| entry.string()).unwrap_or_default());
    let table = Lengths::new(a, b, cx.settings.bulk_len_max)?;
    if options.ranges {
        reply_ranges(cx.reply, &table, &options);
    } else if options.len {
        cx.reply.count(table.len());
    } else {
        let mut common = Vec::with_capacity(table.len());
        table.walk(|i, _| common.push(a[i]));
        common.reverse();
        cx.reply.bulk(&common);
    }
    DONE
}

/// The lengths of the longest common subsequences of all pairs of prefixes.
struct Lengths<'a> {
    a: &'a [u8],
    b: &'a [u8],
    /// Row by row, `b.len() + 1` to a row.
    table: Vec<u32>,
}

impl<'a> Lengths<'a> {
    /// Fills the table. O(a * b) in time and memory, of which `bytes_max` may be used.
    fn new(a: &'a [u8], b: &'a [u8], bytes_max: u64) -> Result<Self, Error> {
        const LEN_END: usize = u32::MAX as usize - 1;
        if a.len() >= LEN_END || b.len() >= LEN_END {
            return Err(Error::fixed("ERR String too long for LCS"));
        }
        let width = b.len() + 1;
        let no_memory = Error::fixed("ERR Insufficient memory, failed allocating transient memory for LCS");
        let Some(cells) = (a.len() + 1).checked_mul(width).filter(|&n| n <= usize::MAX / size_of::<u32>())
        else {
            return Err(no_memory);
        };
        if (cells * size_of::<u32>()) as u64 > bytes_max {
            return Err(Error::fixed(
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
            ));
        }
        let mut table = Vec::new();
        table.try_reserve_exact(cells).map_err(|_| no_memory)?;
        table.resize(width, 0);
        for &byte in a {
            let above = table.len() - width;
            table.push(0);
            for (j, &other) in b.iter().enumerate() {
                let here = if byte == other {
                    table[above + j] + 1
                } else {
                    table[above + j + 1].max(table[above + width + j])
                };
                table.push(here);
            }
        }
        Ok(Self { a, b, table })
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.table[i * (self.b.len() + 1) + j]
    }

    fn len(&self) -> usize {
        self.at(self.a.len(), self.b.len()) as usize
    }

    /// Visits the pairs of positions that one longest common subsequence consists of, from the last to the first.
    fn walk(&self, mut visit: impl FnMut(usize, usize)) {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        while i > 0 && j > 0 {
            if self.a[i - 1] == self.b[j - 1] {
                (i, j) = (i - 1, j - 1);
                visit(i, j);
            } else if self.at(i - 1, j) > self.at(i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
    }
}

/// A run of pairs: its first positions in both strings and its length.
#[derive(Clone, Copy)]
struct Match {
    a: usize,
    b: usize,
    len: usize,
}

fn reply_ranges(reply: &mut Reply, table: &Lengths<'_>, options: &Options) {
    reply.map(2);
    reply.bulk(b"matches");
    let open = reply.open_array();
    let mut matches = 0;
    let mut emit = |found: Match| {
        if (found.len as i64) < options.match_len_min {
            return;
        }
        reply.array(if options.with_len { 3 } else { 2 });
        for start in [found.a, found.b] {
            reply.array(2);
            reply.count(start);
            reply.count(start + found.len - 1);
        }
        if options.with_len {
            reply.count(found.len);
        }
        matches += 1;
    };
    let mut current: Option<Match> = None;
    table.walk(|i, j| match &mut current {
        Some(run) if run.a == i + 1 && run.b == j + 1 => *run = Match { a: i, b: j, len: run.len + 1 },
        _ => {
            if let Some(before) = current.replace(Match { a: i, b: j, len: 1 }) {
                emit(before);
            }
        }
    });
    if let Some(last) = current {
        emit(last);
    }
    reply.close(open, matches);
    reply.bulk(b"len");
    reply.count(table.len());
}
