//! Glob patterns as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL rules use them.
//!
//! `*` is any run of bytes, `?` any byte, `[abc]`, `[a-z]` and `[^...]` classes, `\` takes the next byte as it is. The
//! corner cases (a class without its `]`, a pattern that ends in `\`, the empty text) are those of Redis 7.0.

/// More runs of `*` than this in one pattern match nothing, as in Redis.
const STARS_MAX: usize = 1000;

/// Whether the whole of `text` matches `pattern`.
///
/// The empty text matches the empty pattern only, not even `*`. With `nocase`, ASCII letters match in either case,
/// except those escaped inside a class.
///
/// Takes at most `pattern.len() * text.len()` steps whatever the pattern: of several `*` only the last one passed is
/// ever tried at a later place, because a longer match for an earlier one cannot help the rest to match.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if pattern.is_empty() || text.is_empty() {
        return pattern.is_empty() && text.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    let mut stars = 0;
    loop {
        if t == text.len() {
            if pattern[p..].iter().all(|&byte| byte == b'*') {
                return true;
            }
            // What follows the last `*` needs more bytes than are left; starting it later leaves fewer still.
            return false;
        }
        if p < pattern.len() && pattern[p] == b'*' {
            while p < pattern.len() && pattern[p] == b'*' {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            retry = Some((p, t));
            continue;
        }
        let next = if p < pattern.len() { element(pattern, p, text[t], nocase) } else { None };
        match (next, retry) {
            (Some(next), _) => (p, t) = (next, t + 1),
            (None, Some((star_p, star_t))) => {
                (p, t) = (star_p, star_t + 1);
                retry = Some((p, t));
            }
            (None, None) => return false,
        }
    }
}

/// Matches one byte against the element of the pattern at `p`; the position after the element if it fits.
fn element(pattern: &[u8], p: usize, byte: u8, nocase: bool) -> Option<usize> {
    match pattern[p] {
        b'?' => Some(p + 1),
        b'[' => class(pattern, p + 1, byte, nocase),
        b'\\' if p + 1 < pattern.len() => same(pattern[p + 1], byte, nocase).then_some(p + 2),
        literal => same(literal, byte, nocase).then_some(p + 1),
    }
}

/// Matches one byte against the class whose `[` is just before `p`.
fn class(pattern: &[u8], mut p: usize, byte: u8, nocase: bool) -> Option<usize> {
    let negated = pattern.get(p) == Some(&b'^');
    if negated {
        p += 1;
    }
    let mut found = false;
    loop {
        let rest = pattern.get(p..).unwrap_or_default();
        match *rest {
            // A class without its end takes the rest of the pattern.
            [] => break,
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                p += 2;
            }
            [b']', ..] => {
                p += 1;
                break;
            }
            [start, b'-', end, ..] => {
                found |= in_range(start, end, byte, nocase);
                p += 3;
            }
            [literal, ..] => {
                found |= same(literal, byte, nocase);
                p += 1;
            }
        }
    }
    (found != negated).then_some(p)
}

/// Ranges compare bytes as C's signed `char`; when case is ignored, as glibc's `tolower` of it, which makes all but
/// 0xff positive. Both are what Redis does on x86-64 Linux.
fn in_range(start: u8, end: u8, byte: u8, nocase: bool) -> bool {
    let (low, high) = if (start as i8) <= (end as i8) { (start, end) } else { (end, start) };
    let order = |byte: u8| match byte {
        0xff => -1,
        _ if nocase => i16::from(byte.to_ascii_lowercase()),
        _ => i16::from(byte as i8),
    };
    (order(low)..=order(high)).contains(&order(byte))
}

fn same(left: u8, right: u8, nocase: bool) -> bool {
    left == right || (nocase && left.eq_ignore_ascii_case(&right))
}

#[cfg(test)]
mod tests {
    use super::matches;
    use proptest::prelude::*;

    fn is(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes(), false)
    }

    #[test]
    fn literals_and_wildcards() {
        for (pattern, text) in [
            ("", ""),
            ("hello", "hello"),
            ("h?llo", "hallo"),
            ("h*llo", "hllo"),
            ("h*llo", "heeeello"),
            ("*", "x"),
            ("**", "x"),
            ("a*", "a"),
            ("a**", "a"),
            ("*a*b*c", "xxaxxbxxc"),
            ("*aab", "aaaab"),
            ("*:*:*", "a:b:"),
            ("\\*", "*"),
            ("\\", "\\"),
            ("a\\", "a\\"),
            ("\\\\x", "\\x"),
        ] {
            assert!(is(pattern, text), "{pattern:?} must match {text:?}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("*", ""),
            ("**", ""),
            ("a", ""),
            ("h?llo", "hllo"),
            ("hello", "hell"),
            ("hell", "hello"),
            ("*a", "ab"),
            ("a*b", "ac"),
            ("\\*", "x"),
            ("?", ""),
            ("*?", ""),
            ("*x*y", "yx"),
        ] {
            assert!(!is(pattern, text), "{pattern:?} must not match {text:?}");
        }
    }

    #[test]
    fn classes() {
        for (pattern, text) in [
            ("h[ae]llo", "hello"),
            ("h[^e]llo", "hallo"),
            ("h[a-b]llo", "hbllo"),
            ("[z-a]", "m"),
            ("[a-]x", "]"),
            ("[ab", "b"),
            ("[^", "x"),
            ("[^ab", "c"),
            ("[\\]]", "]"),
            ("[\\-a]", "-"),
            ("[a\\-z]", "-"),
            ("[]", "x"),
        ] {
            assert_eq!(is(pattern, text), pattern != "[]", "{pattern:?} {text:?}");
        }
        assert!(!is("h[^e]llo", "hello"));
        assert!(!is("[", "["));
        assert!(!is("[a\\-z]", "m"));
        // As signed bytes, 0x80 to 0xff come before the ASCII ones.
        assert!(matches(b"[\xff-a]", b"A", false));
        assert!(!matches(b"[a-\xff]", b"b", false));
    }

    #[test]
    fn ascii_case() {
        assert!(matches(b"MaxMem*", b"maxmemory", true));
        assert!(matches(b"[A-C]x", b"bX", true));
        assert!(matches(b"[ABC]", b"b", true));
        assert!(!matches(b"[\\A]", b"a", true));
        assert!(!matches(b"MaxMem*", b"maxmemory", false));
    }

    #[test]
    fn hostile_patterns_stay_cheap() {
        let mut pattern = b"a*".repeat(900);
        pattern.push(b'b');
        let text = vec![b'a'; 20_000];
        // Exponential matching would not come back from this; the bound of the steps is 36 million.
        assert!(!matches(&pattern, &text, false));
        pattern.pop();
        assert!(matches(&pattern, &text, false));
    }

    #[test]
    fn too_many_stars_match_nothing() {
        let text = vec![b'a'; 3000];
        let stars = |count: usize| [b"*a".repeat(count), b"*".to_vec()].concat();
        assert!(matches(&stars(1000), &text, false));
        assert!(!matches(&stars(1001), &text, false));
    }

    /// The textbook definition, exponential, for patterns without classes and escapes.
    fn model(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=text.len()).any(|at| model(rest, &text[at..])),
            (Some((b'?', rest)), Some((_, tail))) => model(rest, tail),
            (Some((byte, rest)), Some((first, tail))) => byte == first && model(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{1,10}") {
            prop_assert_eq!(is(&pattern, &text), model(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn never_panics(pattern in proptest::collection::vec(any::<u8>(), 0..32), text in proptest::collection::vec(any::<u8>(), 0..32), nocase: bool) {
            matches(&pattern, &text, nocase);
        }
    }
}
