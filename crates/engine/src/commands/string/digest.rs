//! DIGEST.

use crate::commands::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

pub(super) const DIGEST: Command = Command {
    handler: Handler::Shard(digest),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "string",
        since: "8.4.0",
        summary: "Returns the hash digest of a string value as a hexadecimal string.",
        complexity: "O(N) where N is the length of the string value.",
        ..Meta::new("digest", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::STRING)
    },
}
.checked();

fn digest(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    match cx.keys.read_str(args.raw(1))? {
        Some(value) => cx.reply.bulk(&hex_digest(value)),
        None => cx.reply.null(),
    }
    DONE
}

/// The XXH3 hash of a value, in 16 hexadecimal digits.
pub(super) fn hex_digest(value: &[u8]) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = xxh3_64(value);
    std::array::from_fn(|at| DIGITS[(hash >> (60 - 4 * at)) as usize & 15])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_redis_and_keep_their_zeros() {
        assert_eq!(&hex_digest(b"Hello world"), b"b6acb9d84a38ff74");
        let zeros =
            b"v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd";
        assert_eq!(&hex_digest(zeros), b"00006c38adf31777");
    }
}
