//! What a thread has looked up last, so that it need not share a look at the registry with all others each time.
//!
//! Whatever changes in a registry gives it a new version, which no other registry ever has. What was found under a
//! version holds as long as the registry still has it.

use crate::flags::ScriptFlags;
use crate::sha::Sha;
use moonshard_engine::ScriptRef;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64;

/// Names of scripts and functions that a thread remembers.
const NAMES: usize = 64;
/// Bytes of a name that is remembered: a SHA1's, and most functions'.
const NAME_MAX: usize = 40;
/// Texts of which a thread remembers the SHA1.
const TEXTS: usize = 32;
/// Bytes of the longest of them, and of the shortest: below, the SHA1 costs as little.
const TEXT_MAX: usize = 32 << 10;
const TEXT_MIN: usize = 64;

/// The version of a registry.
#[derive(Debug)]
pub(crate) struct Version(AtomicU64);

impl Default for Version {
    fn default() -> Self {
        Self(AtomicU64::new(next_version()))
    }
}

fn next_version() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Version {
    /// Read before what is to be remembered.
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Called after a change, by whoever makes it, one at a time.
    pub(crate) fn renew(&self) {
        self.0.store(next_version(), Ordering::Release);
    }
}

#[derive(Clone, Copy)]
struct Known {
    version: u64,
    is_function: bool,
    len: u8,
    name: [u8; NAME_MAX],
    flags: ScriptFlags,
}

struct KnownText {
    /// A hash of the text; of one that came once only this is kept.
    hash: u64,
    text: Box<[u8]>,
    sha: Option<Sha>,
}

struct Recent {
    names: Box<[Option<Known>]>,
    texts: Box<[Option<KnownText>]>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { names: vec![None; NAMES].into(), texts: (0..TEXTS).map(|_| None).collect() }
    }
}

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::default();
}

/// The place of a name: its first and its last bytes say enough.
#[inline]
fn place(name: &[u8]) -> usize {
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let mixed = word(name.first_chunk()) ^ word(name.last_chunk()).rotate_left(29) ^ name.len() as u64;
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize % NAMES
}

/// The flags of a script or a function, which `look` finds in the registry of this version; `None` if it is not known.
/// What this thread has found before is not looked up again.
#[inline]
pub(crate) fn flags_of(
    version: u64,
    script: ScriptRef<'_>,
    look: impl FnOnce() -> Option<ScriptFlags>,
) -> Option<ScriptFlags> {
    let (name, is_function) = match script {
        ScriptRef::Sha(name) => (name, false),
        ScriptRef::Function(name) => (name, true),
        ScriptRef::Text(_) => return look(),
    };
    if name.len() > NAME_MAX {
        return look();
    }
    RECENT.with_borrow_mut(|recent| {
        let slot = &mut recent.names[place(name)];
        if let Some(known) = slot
            && known.version == version
            && known.is_function == is_function
            && &known.name[..usize::from(known.len)] == name
        {
            return Some(known.flags);
        }
        let flags = look()?;
        let mut known = Known { version, is_function, len: name.len() as u8, name: [0; NAME_MAX], flags };
        known.name[..name.len()].copy_from_slice(name);
        *slot = Some(known);
        Some(flags)
    })
}

/// The SHA1 of a script's text, which is worked out once for a text that comes again and again.
#[inline]
pub(crate) fn sha_of(text: &[u8]) -> Sha {
    if !(TEXT_MIN..=TEXT_MAX).contains(&text.len()) {
        return Sha::of(text);
    }
    let hash = xxh3_64(text);
    RECENT.with_borrow_mut(|recent| {
        let slot = &mut recent.texts[hash as usize % TEXTS];
        match slot {
            Some(KnownText { hash: known, text: same, sha: Some(sha) })
                if *known == hash && **same == *text =>
            {
                *sha
            }
            // It came before: it may well come again.
            Some(KnownText { hash: known, .. }) if *known == hash => {
                let sha = Sha::of(text);
                *slot = Some(KnownText { hash, text: text.into(), sha: Some(sha) });
                sha
            }
            _ => {
                *slot = Some(KnownText { hash, text: Box::default(), sha: None });
                Sha::of(text)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_own_digests_however_often_they_come() {
        let texts: Vec<Vec<u8>> = (0..100_u32)
            .map(|number| format!("return {number:0width$}", width = 50 + number as usize).into_bytes())
            .chain([vec![b'x'; TEXT_MAX + 1], Vec::new()])
            .collect();
        for _ in 0..3 {
            for text in &texts {
                for _ in 0..3 {
                    assert_eq!(sha_of(text), Sha::of(text));
                }
            }
        }
    }

    #[test]
    fn what_was_found_holds_for_its_version_and_kind_only() {
        let version = Version::default();
        let (sha, function) = (ScriptRef::Sha(b"some name"), ScriptRef::Function(b"some name"));
        let (one, other) = (ScriptFlags::NO_WRITES, ScriptFlags::ALLOW_OOM);
        assert_eq!(flags_of(version.get(), sha, || None), None);
        assert_eq!(flags_of(version.get(), sha, || Some(one)), Some(one));
        assert_eq!(flags_of(version.get(), sha, || panic!("it was found")), Some(one));
        assert_eq!(flags_of(version.get(), function, || Some(other)), Some(other));
        assert_eq!(flags_of(Version::default().get(), function, || None), None);
        version.renew();
        assert_eq!(flags_of(version.get(), function, || Some(one)), Some(one));
        let long = [b'a'; NAME_MAX + 1];
        assert_eq!(flags_of(version.get(), ScriptRef::Function(&long), || Some(one)), Some(one));
        assert_eq!(flags_of(version.get(), ScriptRef::Function(&long), || None), None);
    }
}
