//! The commands that a selector allows.

use crate::command::{Acl, CommandId, CommandTable, Entry};

/// A set of commands and subcommands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commands {
    /// A bit for each id.
    words: Box<[u64]>,
    /// Whether it began with all commands, so that those to come belong to it.
    future: bool,
}

/// How many commands of a category belong to a set, and how many do not.
pub(super) struct Count {
    pub(super) inside: usize,
    pub(super) outside: usize,
}

impl Commands {
    pub(super) fn none() -> Self {
        let count = CommandTable::get().entries().len();
        Self { words: vec![0; count.div_ceil(64)].into(), future: false }
    }

    pub(super) fn all() -> Self {
        let mut all = Self { future: true, ..Self::none() };
        all.words.fill(u64::MAX);
        all
    }

    pub(super) const fn has_future(&self) -> bool {
        self.future
    }

    #[inline]
    pub(super) fn has(&self, id: CommandId) -> bool {
        self.words.get(usize::from(id / 64)).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }

    fn put(&mut self, id: CommandId, on: bool) {
        if let Some(word) = self.words.get_mut(usize::from(id / 64)) {
            let bit = 1 << (id % 64);
            *word = if on { *word | bit } else { *word & !bit };
        }
    }

    /// Adds or removes a command and its subcommands.
    pub(super) fn set(&mut self, entry: &Entry, on: bool) {
        self.put(entry.id, on);
        entry.subcommands.iter().for_each(|&id| self.put(id, on));
    }

    /// Adds or removes a category; tells each command of it that was.
    pub(super) fn set_category(&mut self, category: Acl, on: bool, mut told: impl FnMut(CommandId)) {
        for entry in CommandTable::get().entries().iter().filter(|entry| entry.command.is_in(category)) {
            self.set(entry, on);
            told(entry.id);
        }
    }

    pub(super) fn count(&self, category: Acl) -> Count {
        let entries = CommandTable::get().entries().iter().filter(|entry| entry.command.is_in(category));
        let (mut inside, mut outside) = (0, 0);
        for entry in entries {
            if self.has(entry.id) { inside += 1 } else { outside += 1 }
        }
        Count { inside, outside }
    }
}
