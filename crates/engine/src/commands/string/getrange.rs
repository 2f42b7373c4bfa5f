//! GETRANGE and its old name SUBSTR.

use crate::commands::prelude::*;

pub(super) const GETRANGE: Command = Command {
    handler: Handler::Shard(getrange),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("start", ArgKind::Int), Arg::new("end", ArgKind::Int)],
        group: "string", since: "2.4.0",
        summary: "Get a substring of the string stored at a key",
        complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
        ..Meta::new("getrange", Arity::Exact(4), Flags::READONLY, Acl::STRING)
    },
}
.checked();

pub(super) const SUBSTR: Command = Command {
    handler: Handler::Shard(getrange),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("start", ArgKind::Int), Arg::new("end", ArgKind::Int)],
        group: "string", since: "1.0.0",
        summary: "Get a substring of the string stored at a key",
        complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "2.0.0",
        replaced_by: "`GETRANGE`",
        ..Meta::new("substr", Arity::Exact(4), Flags::READONLY, Acl::STRING)
    },
}
.checked();

fn getrange(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (start, end) = (args.int(2)?, args.int(3)?);
    let value = cx.keys.read_str(args.raw(1))?.unwrap_or_default();
    cx.reply.bulk(slice(value, start, end));
    DONE
}

/// The bytes from `start` to `end`, both included and counted from the end when negative.
fn slice(value: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let len = value.len() as i64;
    let from_end = |at: i64| if at < 0 { (len + at).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if start > end { b"" } else { &value[start as usize..=end as usize] }
}

#[cfg(test)]
mod tests {
    use super::slice;

    #[test]
    fn any_range_is_answered() {
        let value = b"Hello";
        for (start, end, expected) in [
            (0, -1, "Hello"),
            (1, 3, "ell"),
            (-3, -2, "ll"),
            (-2, -3, ""),
            (-100, 0, "H"),
            (-100, -90, "H"),
            (4, 100, "o"),
            (5, 100, ""),
            (i64::MIN, i64::MAX, "Hello"),
            (i64::MAX, i64::MIN, ""),
        ] {
            assert_eq!(slice(value, start, end), expected.as_bytes(), "{start} {end}");
        }
        assert_eq!(slice(b"", i64::MIN, i64::MAX), b"");
        assert_eq!(slice(b"", 0, -1), b"");
    }
}
