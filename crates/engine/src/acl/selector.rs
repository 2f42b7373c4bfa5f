//! A selector: commands together with the keys and channels that they may be used on.

use super::commands::Commands;
use super::rules::{RuleError, is_plain_name};
use crate::command::{Acl, CommandId, CommandTable, Entry};
use moonshard_protocol::split_args::split_args;
use std::collections::BTreeMap;

/// A pattern of keys, and what may be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPattern {
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) pattern: Box<[u8]>,
}

/// Commands together with the keys and channels that they may be used on. A user has one of its own and any number of
/// others; a call is allowed when any of them allows all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    pub(super) all_keys: bool,
    pub(super) all_channels: bool,
    /// Whether nothing has been taken away since all commands were allowed.
    pub(super) all_commands: bool,
    pub(super) commands: Commands,
    /// First arguments with which a command is allowed that is not allowed as such, in the order of being added.
    pub(super) first_args: BTreeMap<CommandId, Vec<Box<[u8]>>>,
    pub(super) keys: Vec<KeyPattern>,
    pub(super) channels: Vec<Box<[u8]>>,
}

impl Selector {
    /// One that allows no command and no key, and all channels or none.
    pub(super) fn new(all_channels: bool) -> Self {
        Self {
            all_keys: false,
            all_channels,
            all_commands: false,
            commands: Commands::none(),
            first_args: BTreeMap::new(),
            keys: Vec::new(),
            channels: Vec::new(),
        }
    }

    /// One by its rules: words with blanks between them.
    pub(super) fn parse(rules: &[u8], all_channels: bool) -> Result<Self, RuleError> {
        let mut selector = Self::new(all_channels);
        for rule in split_args(rules).unwrap_or_default() {
            selector.apply(&rule)?;
        }
        Ok(selector)
    }

    /// Whether it allows everything.
    pub(super) const fn is_unrestricted(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// Applies a rule about commands, keys or channels.
    pub(super) fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => self.set_all_keys(true),
            b"resetkeys" => self.set_all_keys(false),
            b"allchannels" | b"&*" => self.set_all_channels(true),
            b"resetchannels" => self.set_all_channels(false),
            b"allcommands" | b"+@all" => self.set_all_commands(true),
            b"nocommands" | b"-@all" => self.set_all_commands(false),
            _ => return self.apply_listed(rule),
        }
        Ok(())
    }

    fn apply_listed(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match rule {
            [b'~', pattern @ ..] => self.add_keys(true, true, pattern),
            [b'%', rest @ ..] => self.add_keys_for(rest),
            [b'&', pattern @ ..] => self.add_channels(pattern),
            [b'+', b'@', name @ ..] => self.set_category(name, true),
            [b'-', b'@', name @ ..] => self.set_category(name, false),
            [b'+', name @ ..] => self.allow(name),
            [b'-', name @ ..] => {
                let entry = CommandTable::get().by_full_name(name).ok_or(RuleError::Unknown)?;
                self.set_command(entry, false);
                Ok(())
            }
            _ => Err(RuleError::Syntax),
        }
    }

    fn set_all_keys(&mut self, all: bool) {
        self.all_keys = all;
        self.keys.clear();
    }

    pub(super) fn set_all_channels(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    pub(super) fn set_all_commands(&mut self, all: bool) {
        self.all_commands = all;
        self.commands = if all { Commands::all() } else { Commands::none() };
        self.first_args.clear();
    }

    fn add_keys(&mut self, read: bool, write: bool, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::KeysAreAll);
        }
        if !is_plain_name(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => {
                known.read |= read;
                known.write |= write;
            }
            None => self.keys.push(KeyPattern { read, write, pattern: pattern.into() }),
        }
        Ok(())
    }

    /// `rest` is what follows the `%`: `R~pattern`, `W~pattern`, `RW~pattern`.
    fn add_keys_for(&mut self, rest: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::KeysAreAll);
        }
        let (mut read, mut write) = (false, false);
        let mut at = 0;
        for letter in rest {
            at += 1;
            match letter.to_ascii_uppercase() {
                b'R' if !read => read = true,
                b'W' if !write => write = true,
                b'~' => break,
                _ => return Err(RuleError::Syntax),
            }
        }
        if !read && !write {
            return Err(RuleError::Syntax);
        }
        self.add_keys(read, write, rest.get(at..).unwrap_or_default())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::ChannelsAreAll);
        }
        if !is_plain_name(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| **known == *pattern) {
            self.channels.push(pattern.into());
        }
        Ok(())
    }

    fn set_command(&mut self, entry: &Entry, on: bool) {
        self.commands.set(entry, on);
        self.first_args.remove(&entry.id);
        self.all_commands &= on;
    }

    fn set_category(&mut self, name: &[u8], on: bool) -> Result<(), RuleError> {
        let category = Acl::by_name(name).ok_or(RuleError::Unknown)?;
        let first_args = &mut self.first_args;
        self.commands.set_category(category, on, |id| drop(first_args.remove(&id)));
        self.all_commands &= on;
        Ok(())
    }

    /// Allows a command, a subcommand, or a command with a first argument.
    fn allow(&mut self, name: &[u8]) -> Result<(), RuleError> {
        let table = CommandTable::get();
        let Some(bar) = name.iter().rposition(|&byte| byte == b'|') else {
            let entry = table.by_full_name(name).ok_or(RuleError::Unknown)?;
            self.set_command(entry, true);
            return Ok(());
        };
        let (before, after) = (&name[..bar], &name[bar + 1..]);
        let entry = table.by_full_name(before).ok_or(RuleError::Unknown)?;
        if before.contains(&b'|') {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        if after.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !entry.subcommands.is_empty() {
            let entry = table.by_full_name(name).ok_or(RuleError::Unknown)?;
            self.set_command(entry, true);
            return Ok(());
        }
        let allowed = self.first_args.entry(entry.id).or_default();
        if !allowed.iter().any(|known| known.eq_ignore_ascii_case(after)) {
            allowed.push(after.into());
        }
        Ok(())
    }
}
