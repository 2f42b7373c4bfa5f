//! Directives whose value is a set of flags.

use bitflags::bitflags;

use super::compound::{Compound, Lines};
use super::directive::{Refusal, Taken};

bitflags! {
    /// Classes of keyspace notifications, with the bits that Redis gives them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct NotifyClasses: u16 {
        /// `K`: publish to `__keyspace@db__:key`.
        const KEYSPACE = 1 << 0;
        /// `E`: publish to `__keyevent@db__:event`.
        const KEYEVENT = 1 << 1;
        /// `g`: commands of no type, such as DEL and EXPIRE.
        const GENERIC = 1 << 2;
        /// `$`: strings.
        const STRING = 1 << 3;
        /// `l`: lists.
        const LIST = 1 << 4;
        /// `s`: sets.
        const SET = 1 << 5;
        /// `h`: hashes.
        const HASH = 1 << 6;
        /// `z`: sorted sets.
        const ZSET = 1 << 7;
        /// `x`: expired keys.
        const EXPIRED = 1 << 8;
        /// `e`: evicted keys.
        const EVICTED = 1 << 9;
        /// `t`: streams.
        const STREAM = 1 << 10;
        /// `m`: misses.
        const KEY_MISS = 1 << 11;
        /// `d`: types of modules.
        const MODULE = 1 << 13;
        /// `n`: new keys.
        const NEW = 1 << 14;
        /// `A`: all but `K`, `E`, `m` and `n`.
        const ALL = 0b10_0111_1111_1100;
    }

    /// How a signal shuts the server down; none is the default way.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ShutdownFlags: u8 {
        /// Save even when there are no save points.
        const SAVE = 1;
        /// Do not save even when there are save points.
        const NOSAVE = 2;
        /// Do not wait for replicas.
        const NOW = 4;
        /// Go on after errors.
        const FORCE = 8;
    }

    /// Flags of a script, as its shebang line gives them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ScriptFlags: u8 {
        /// `no-writes`
        const NO_WRITES = 1;
        /// `allow-oom`
        const ALLOW_OOM = 2;
        /// `allow-stale`
        const ALLOW_STALE = 4;
        /// `no-cluster`
        const NO_CLUSTER = 8;
        /// `allow-cross-slot-keys`
        const ALLOW_CROSS_SLOT_KEYS = 16;
        /// `allow-undeclared-keys`
        const ALLOW_UNDECLARED_KEYS = 32;
    }
}

/// The letter of each class, in the order in which they are shown.
const NOTIFY_LETTERS: [(u8, NotifyClasses); 15] = [
    (b'A', NotifyClasses::ALL),
    (b'g', NotifyClasses::GENERIC),
    (b'$', NotifyClasses::STRING),
    (b'l', NotifyClasses::LIST),
    (b's', NotifyClasses::SET),
    (b'h', NotifyClasses::HASH),
    (b'z', NotifyClasses::ZSET),
    (b'x', NotifyClasses::EXPIRED),
    (b'e', NotifyClasses::EVICTED),
    (b't', NotifyClasses::STREAM),
    (b'd', NotifyClasses::MODULE),
    (b'n', NotifyClasses::NEW),
    (b'K', NotifyClasses::KEYSPACE),
    (b'E', NotifyClasses::KEYEVENT),
    (b'm', NotifyClasses::KEY_MISS),
];

impl Compound for NotifyClasses {
    fn take(&mut self, args: &[&[u8]], _again: bool) -> Taken {
        let [letters] = args else { return Err("wrong number of arguments".into()) };
        let mut classes = Self::empty();
        for letter in *letters {
            let Some((_, class)) = NOTIFY_LETTERS.iter().find(|(known, _)| known == letter) else {
                return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into());
            };
            classes |= *class;
        }
        *self = classes;
        Ok(())
    }

    fn format(&self) -> String {
        let all = self.contains(Self::ALL);
        let mut text = String::new();
        for (letter, class) in NOTIFY_LETTERS {
            // With `A` nothing but K, E and m is spelt out, not even `n`: so Redis does.
            let covered = all && class != Self::ALL && (Self::ALL | Self::NEW).contains(class);
            if self.contains(class) && !covered {
                text.push(char::from(letter));
            }
        }
        text
    }

    fn lines(&self, name: &str, default: &Self) -> Lines {
        Lines::one(format!("{name} \"{}\"", self.format()), self != default)
    }
}

const SHUTDOWN_WORDS: [(&str, ShutdownFlags); 5] = [
    ("default", ShutdownFlags::empty()),
    ("save", ShutdownFlags::SAVE),
    ("nosave", ShutdownFlags::NOSAVE),
    ("now", ShutdownFlags::NOW),
    ("force", ShutdownFlags::FORCE),
];

impl Compound for ShutdownFlags {
    fn take(&mut self, args: &[&[u8]], _again: bool) -> Taken {
        let flags = union(&SHUTDOWN_WORDS, args.iter().copied()).filter(|_| !args.is_empty());
        let Some(flags) = flags else { return Err(one_of(&SHUTDOWN_WORDS)) };
        if flags.contains(Self::SAVE | Self::NOSAVE) {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        *self = flags;
        Ok(())
    }

    fn format(&self) -> String {
        if self.is_empty() { "default".to_owned() } else { words(&SHUTDOWN_WORDS, *self) }
    }

    fn lines(&self, name: &str, default: &Self) -> Lines {
        Lines::one(format!("{name} {}", self.format()), self != default)
    }
}

const SCRIPT_WORDS: [(&str, ScriptFlags); 6] = [
    ("no-writes", ScriptFlags::NO_WRITES),
    ("allow-oom", ScriptFlags::ALLOW_OOM),
    ("allow-stale", ScriptFlags::ALLOW_STALE),
    ("no-cluster", ScriptFlags::NO_CLUSTER),
    ("allow-cross-slot-keys", ScriptFlags::ALLOW_CROSS_SLOT_KEYS),
    ("allow-undeclared-keys", ScriptFlags::ALLOW_UNDECLARED_KEYS),
];

impl Compound for ScriptFlags {
    fn take(&mut self, args: &[&[u8]], _again: bool) -> Taken {
        let given = args.iter().flat_map(|arg| arg.split(|byte| matches!(byte, b' ' | b',')));
        let flags = union(&SCRIPT_WORDS, given.filter(|word| !word.is_empty()));
        *self = flags.ok_or_else(|| one_of(&SCRIPT_WORDS))?;
        Ok(())
    }

    fn format(&self) -> String {
        words(&SCRIPT_WORDS, *self)
    }

    fn lines(&self, name: &str, default: &Self) -> Lines {
        let text = if self.is_empty() { "\"\"".to_owned() } else { self.format() };
        Lines::one(format!("{name} {text}"), self != default)
    }
}

/// All the flags named, or `None` when a word is unknown.
fn union<'a, F: bitflags::Flags + Copy>(
    known: &[(&str, F)],
    mut given: impl Iterator<Item = &'a [u8]>,
) -> Option<F> {
    given.try_fold(F::empty(), |flags, word| {
        let (_, flag) = known.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(flags.union(*flag))
    })
}

fn words<F: bitflags::Flags + Copy>(known: &[(&str, F)], flags: F) -> String {
    let named = known.iter().filter(|(_, flag)| !flag.is_empty() && flags.contains(*flag));
    named.map(|(word, _)| *word).collect::<Vec<_>>().join(" ")
}

fn one_of<F>(known: &[(&str, F)]) -> Refusal {
    let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
    format!("argument(s) must be one of the following: {}", words.join(", ")).into()
}
