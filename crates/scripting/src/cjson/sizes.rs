//! How many elements the containers of a JSON text have, so that their tables are made as large at once, instead of
//! growing again and again.

use super::scan;
use std::ffi::c_int;

/// The counts of the next containers, in the order in which they begin. A guess, which a text that is no JSON may
/// deceive.
pub(super) struct Sizes {
    counts: [u16; Self::CONTAINERS_MAX],
    /// Of how many there are counts, and of how many they were asked for.
    begun: usize,
    taken: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { counts: [0; Self::CONTAINERS_MAX], begun: 0, taken: 0 }
    }
}

impl Sizes {
    /// Containers that are counted at once.
    const CONTAINERS_MAX: usize = 64;
    /// Depth to which they are counted.
    const DEPTH_MAX: usize = 16;
    /// Most elements that a table is made for.
    const ELEMENTS_MAX: u16 = 1024;
    /// Bytes of the text that are walked over at once: nothing ends a script meanwhile.
    const TEXT_MAX: usize = 64 << 10;

    /// The elements of the container with which `text` begins. They are asked for in the order of the text, which is
    /// walked over once altogether.
    #[inline]
    pub(super) fn next(&mut self, text: &[u8]) -> c_int {
        if self.taken == self.begun {
            self.count(text);
        }
        let count = self.counts.get(self.taken).copied().unwrap_or(0);
        self.taken += 1;
        c_int::from(count)
    }

    #[inline(never)]
    fn count(&mut self, text: &[u8]) {
        (self.begun, self.taken) = (0, 0);
        let mut depth = 0_usize;
        let mut around = [0_u8; Self::DEPTH_MAX + 1];
        let mut strings = Strings::default();
        for block in text[..text.len().min(Self::TEXT_MAX)].chunks(64) {
            let marks = scan::marks(block);
            let outside = !strings.next(marks.quotes, marks.backslashes);
            let (mut commas, mut braces) = (marks.commas & outside, marks.braces & outside);
            loop {
                // Those of one container: up to the next that begins or ends.
                let brace = braces & braces.wrapping_neg();
                let own = commas & brace.wrapping_sub(1);
                if own != 0 && depth > 0 {
                    let count =
                        &mut self.counts[usize::from(around[depth % around.len()]) % Self::CONTAINERS_MAX];
                    *count = (*count + own.count_ones() as u16).min(Self::ELEMENTS_MAX);
                }
                if brace == 0 {
                    break;
                }
                commas &= !own;
                braces &= !brace;
                if matches!(block[brace.trailing_zeros() as usize], b'}' | b']') {
                    // The end of one that began before the text is none of those that are counted.
                    depth = depth.saturating_sub(1);
                    continue;
                }
                if self.begun == Self::CONTAINERS_MAX || depth == Self::DEPTH_MAX {
                    return;
                }
                // Of an empty one too: a slot that is not used costs less than to look.
                self.counts[self.begun] = 1;
                depth += 1;
                around[depth] = self.begun as u8;
                self.begun += 1;
            }
        }
    }
}

/// Where strings are, from one block of 64 bytes to the next.
#[derive(Default)]
struct Strings {
    /// All bits if the last byte was inside of one.
    inside: u64,
    /// Whether the next byte was escaped by the last one.
    escaped: bool,
}

impl Strings {
    /// Which bytes are inside of strings, with the quotes that begin them.
    #[inline(always)]
    fn next(&mut self, mut quotes: u64, backslashes: u64) -> u64 {
        if backslashes != 0 || self.escaped {
            quotes &= !self.escapes(backslashes);
        }
        // Each bit becomes that of the number of quotes up to it.
        let mut inside = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        inside ^= self.inside;
        self.inside = (inside as i64 >> 63) as u64;
        inside
    }

    /// Which bytes follow a backslash that is not itself escaped.
    #[cold]
    fn escapes(&mut self, backslashes: u64) -> u64 {
        let mut escaped = u64::from(self.escaped);
        self.escaped = false;
        let mut rest = backslashes & !escaped;
        while rest != 0 {
            let next = rest & rest.wrapping_neg();
            self.escaped = next >> 63 != 0;
            escaped |= next << 1;
            rest &= !(next | next << 1);
        }
        escaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counts of all containers, which are asked for where they begin outside of strings.
    fn counts(text: &str) -> Vec<c_int> {
        let (mut sizes, mut counts) = (Sizes::default(), Vec::new());
        let (mut inside, mut escaped) = (false, false);
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if inside => escaped = true,
                b'"' => inside = !inside,
                b'{' | b'[' if !inside => counts.push(sizes.next(&text.as_bytes()[at..])),
                _ => {}
            }
        }
        counts
    }

    #[test]
    fn elements_are_counted() {
        assert_eq!(counts("1"), []);
        assert_eq!(counts("[]"), [1]);
        assert_eq!(counts("[1,2,3]"), [3]);
        assert_eq!(counts(r#"{"a":[1,2],"b":{"c":[],"d":1,"e":2}}"#), [2, 2, 3, 1]);
        assert_eq!(counts(r#"["a,b","{[\"","\\",["]",1],2]"#), [5, 2]);
        let long = format!("[{}]", vec!["\"x,\\\",y\""; 500].join(","));
        assert_eq!(counts(&long), [500]);
        let deep = format!("{}1,2{}", "[".repeat(40), "]".repeat(40));
        let expected: Vec<c_int> = (0..40).map(|depth| if depth == 39 { 2 } else { 1 }).collect();
        assert_eq!(counts(&deep), expected);
    }

    #[test]
    fn strings_and_escapes_cross_blocks() {
        for before in 0..130 {
            for backslashes in 0..4 {
                // A string whose last quote is escaped or not, and what follows it.
                let (slashes, closing) =
                    ("\\".repeat(backslashes), if backslashes % 2 == 1 { "\"" } else { "" });
                let text = format!("[\"{}{slashes}\"{closing},[1,2,3],4]", "x".repeat(before));
                assert_eq!(counts(&text), [3, 3], "{text}");
            }
        }
    }

    #[test]
    fn many_containers_are_counted_in_turn() {
        let items: Vec<String> = (0..300).map(|n| format!("[{}]", vec!["1"; 1 + n % 7].join(","))).collect();
        let counts = counts(&format!("[{}]", items.join(",")));
        let inner: Vec<c_int> = (0..300).map(|n| 1 + n % 7).collect();
        assert_eq!(counts[1..], inner);
    }
}
