//! Which hash tag would bring keys into one slot.

use moonshard_engine::slot::slot;

/// Longest first key that is looked at, in bytes.
const KEY_LEN_MAX: usize = 256;
/// Most words of it.
const WORDS_MAX: usize = 16;

/// A hash tag that keys have in common, and the keys with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashTag {
    /// The tag, without its braces.
    pub tag: Vec<u8>,
    /// The keys with braces around the tag, in their order.
    pub keys: Vec<Vec<u8>>,
}

const fn is_separator(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte < 0x80
}

/// Where `words` stand in `key` as whole words.
fn find(key: &[u8], words: &[u8]) -> Option<usize> {
    let whole = |&at: &usize| {
        let end = at + words.len();
        (at == 0 || is_separator(key[at - 1])) && (end == key.len() || is_separator(key[end]))
    };
    memchr::memmem::find_iter(key, words).find(whole)
}

/// The words that all keys have in common and that would make a hash tag: the longest with a number in them, which
/// tells one user or order from the others, or else the longest. None for keys that have a tag already, and where no
/// word is common.
pub fn common_hash_tag(keys: &[&[u8]]) -> Option<HashTag> {
    let (first, rest) = keys.split_first()?;
    if first.len() > KEY_LEN_MAX || keys.iter().any(|key| key.iter().any(|byte| matches!(byte, b'{' | b'}')))
    {
        return None;
    }
    let is_start = |at: &usize| !is_separator(first[*at]) && (*at == 0 || is_separator(first[at - 1]));
    let is_end =
        |at: &usize| !is_separator(first[at - 1]) && (*at == first.len() || is_separator(first[*at]));
    let starts: Vec<usize> = (0..first.len()).filter(is_start).take(WORDS_MAX).collect();
    let ends: Vec<usize> = (1..=first.len()).filter(is_end).take(WORDS_MAX).collect();
    let ranges = starts
        .iter()
        .flat_map(|&start| ends.iter().filter(move |&&end| end > start).map(move |&end| &first[start..end]));
    let common = ranges.filter(|words| rest.iter().all(|key| find(key, words).is_some()));
    let tag = common.max_by_key(|words| (words.iter().any(u8::is_ascii_digit), words.len()))?;
    let tagged: Option<Vec<Vec<u8>>> = keys
        .iter()
        .map(|key| {
            let at = find(key, tag)?;
            Some([&key[..at], b"{", tag, b"}", &key[at + tag.len()..]].concat())
        })
        .collect();
    let keys = tagged?;
    keys.windows(2).all(|pair| slot(&pair[0]) == slot(&pair[1])).then(|| HashTag { tag: tag.to_vec(), keys })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(keys: &[&str]) -> Option<(String, Vec<String>)> {
        let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        common_hash_tag(&keys).map(|found| (text(found.tag), found.keys.into_iter().map(text).collect()))
    }

    #[test]
    fn what_keys_have_in_common_is_the_tag() {
        let found = tag(&["user:1000:cart", "user:1000:orders"]).unwrap();
        assert_eq!(found, ("user:1000".into(), vec!["{user:1000}:cart".into(), "{user:1000}:orders".into()]));
        let found = tag(&["cart:42", "sessions/42/web", "42"]).unwrap();
        assert_eq!(found.0, "42");
        assert_eq!(found.1, ["cart:{42}", "sessions/{42}/web", "{42}"]);
        assert_eq!(tag(&["queue:in", "queue:out"]).unwrap().0, "queue");
    }

    #[test]
    fn numbers_tell_more_than_words() {
        assert_eq!(tag(&["customer:7:basket", "x:7:customer"]).unwrap().0, "7");
    }

    #[test]
    fn where_nothing_is_common_nothing_helps() {
        assert_eq!(tag(&["foo", "bar"]), None);
        assert_eq!(tag(&["user10", "user1"]), None);
        assert_eq!(tag(&["{a}:1", "{b}:1"]), None);
        assert_eq!(tag(&["", ""]), None);
        assert_eq!(tag(&[]), None);
    }
}
