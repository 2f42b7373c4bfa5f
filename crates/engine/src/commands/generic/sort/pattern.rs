//! Patterns of SORT's BY and GET.

use crate::keyspace::Keyspace;
use crate::slot::slot;
use moonshard_store::{Element, Hash, Scratch};

/// What a pattern stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `#`: the element itself.
    Itself,
    /// A pattern without an asterisk: no key.
    Nothing,
    /// The string at the key that has the element between these two, or this field of the hash there.
    Key { before: &'a [u8], after: &'a [u8], field: Option<&'a [u8]> },
}

/// What comes before the first NUL byte, where C's strings end.
fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

impl<'a> Pattern<'a> {
    pub(super) fn parse(pattern: &'a [u8]) -> Self {
        if c_string(pattern) == b"#" {
            return Self::Itself;
        }
        let Some(star) = c_string(pattern).iter().position(|&byte| byte == b'*') else {
            return Self::Nothing;
        };
        let (before, after) = (&pattern[..star], &pattern[star + 1..]);
        let arrow = c_string(after).windows(2).position(|pair| pair == b"->");
        match arrow {
            // An arrow that nothing follows is part of the key's name.
            Some(arrow) if after.get(arrow + 2).is_some_and(|&byte| byte != 0) => {
                Self::Key { before, after: &after[..arrow], field: Some(&after[arrow + 2..]) }
            }
            _ => Self::Key { before, after, field: None },
        }
    }

    /// Whether it finds nothing that depends on the element's keys, so that sorting by it is not sorting at all.
    pub(super) const fn is_constant(&self) -> bool {
        !self.reads_keys()
    }

    /// Whether it names keys.
    pub(super) const fn reads_keys(&self) -> bool {
        matches!(self, Self::Key { .. })
    }

    /// The slot of all keys that it names, if a hash tag before the asterisk says that it is one.
    pub(super) fn slot(&self) -> Option<u16> {
        let Self::Key { before, .. } = self else { return None };
        let open = before.iter().position(|&byte| byte == b'{')?;
        let len = before[open + 1..].iter().position(|&byte| byte == b'}')?;
        (len > 0).then(|| slot(before))
    }

    /// What it finds for `element`. `name` is memory for the key's name.
    pub(super) fn find<'k>(
        &self,
        keys: &'k mut Keyspace<'_>,
        element: Element<'k>,
        name: &mut Vec<u8>,
    ) -> Option<Element<'k>> {
        match self {
            Self::Itself => Some(element),
            Self::Nothing => None,
            Self::Key { before, after, field } => {
                name.clear();
                name.extend_from_slice(before);
                name.extend_from_slice(element.bytes(&mut Scratch::new()));
                name.extend_from_slice(after);
                match field {
                    Some(field) => keys.read_as::<Hash>(name).ok().flatten()?.get(field),
                    None => keys.read_str(name).ok().flatten().map(Element::Bytes),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_taken_apart() {
        let key = |before, after, field| Pattern::Key { before, after, field };
        for (text, pattern) in [
            (&b"#"[..], Pattern::Itself),
            (b"##", Pattern::Nothing),
            (b"constant->field", Pattern::Nothing),
            (b"w_*", key(b"w_", b"", None)),
            (b"*", key(b"", b"", None)),
            (b"a*b*c", key(b"a", b"b*c", None)),
            (b"h:*->f", key(b"h:", b"", Some(b"f"))),
            (b"h:*x->f->g", key(b"h:", b"x", Some(b"f->g"))),
            (b"h:*->", key(b"h:", b"->", None)),
            (b"a->b*", key(b"a->b", b"", None)),
            (b"a\0*", Pattern::Nothing),
        ] {
            assert_eq!(Pattern::parse(text), pattern, "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_hash_tag_before_the_asterisk_tells_the_slot() {
        let slot_of = |text: &str| Pattern::parse(text.as_bytes()).slot();
        assert_eq!(slot_of("{tag}w_*"), Some(slot(b"tag")));
        assert_eq!(slot_of("a{tag}*->f"), Some(slot(b"tag")));
        for text in ["w_*", "*{tag}", "{a*}", "{}*{tag}", "{tag"] {
            assert_eq!(slot_of(text), None, "{text}");
        }
    }
}
