//! Users as text: the rules that make them anew.

use super::commands::Commands;
use super::selector::{KeyPattern, Selector};
use super::user::User;
use crate::command::{Acl, CommandTable};

impl User {
    /// The rules that make the user anew, as ACL LIST and the files have them.
    pub fn describe(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for name in self.flag_names() {
            text.extend_from_slice(name.as_bytes());
            text.push(b' ');
        }
        for hash in &self.passwords {
            text.push(b'#');
            text.extend_from_slice(hash.as_bytes());
            text.push(b' ');
        }
        self.root.describe(&mut text);
        for selector in &self.selectors {
            text.extend_from_slice(b" (");
            selector.describe(&mut text);
            text.push(b')');
        }
        text
    }

    /// The line `user NAME RULES` of a file.
    pub fn line(&self) -> Vec<u8> {
        [b"user ", self.name(), b" ", &self.describe()].concat()
    }
}

impl Selector {
    fn describe(&self, text: &mut Vec<u8>) {
        let keys = self.describe_keys();
        text.extend_from_slice(&keys);
        if !keys.is_empty() {
            text.push(b' ');
        }
        if !self.all_channels {
            text.extend_from_slice(b"resetchannels ");
        }
        let channels = self.describe_channels();
        text.extend_from_slice(&channels);
        if !channels.is_empty() {
            text.push(b' ');
        }
        text.extend(self.describe_commands());
    }

    /// The patterns of keys, with blanks between them.
    pub fn describe_keys(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let prefix = |pattern: &KeyPattern| match (pattern.read, pattern.write) {
            (true, false) => b"%R~".as_slice(),
            (false, true) => b"%W~",
            _ => b"~",
        };
        let patterns = self.keys.iter().map(|pattern| [prefix(pattern), &pattern.pattern].concat());
        patterns.collect::<Vec<_>>().join(&b' ')
    }

    /// The patterns of channels, with blanks between them.
    pub fn describe_channels(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let patterns = self.channels.iter().map(|pattern| [b"&", &**pattern].concat());
        patterns.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules about commands: all or none, then the categories that come closest, then the commands that are left.
    pub fn describe_commands(&self) -> Vec<u8> {
        let adds = !self.commands.has_future();
        let mut rules = vec![if adds { "-@all".to_owned() } else { "+@all".to_owned() }.into_bytes()];
        // What the rules so far amount to, and what is still to be said.
        let mut said = if adds { Commands::none() } else { Commands::all() };
        let mut left = self.commands.clone();
        let mut used = Acl::empty();
        let sign = if adds { '+' } else { '-' };
        while let Some((category, name)) = closest(&left, used, adds) {
            said.set_category(category, adds, |_| {});
            left.set_category(category, !adds, |_| {});
            used |= category;
            rules.push(format!("{sign}@{name}").into_bytes());
        }
        self.describe_single(&mut said, &mut rules);
        debug_assert_eq!(said, self.commands);
        rules.join(&b' ')
    }

    /// The commands in which `said` is still wrong.
    fn describe_single(&self, said: &mut Commands, rules: &mut Vec<Vec<u8>>) {
        for entry in CommandTable::get().entries() {
            let allowed = self.commands.has(entry.id);
            if allowed != said.has(entry.id) {
                rules.push(format!("{}{}", if allowed { '+' } else { '-' }, entry.full_name).into_bytes());
                said.set(entry, allowed);
            }
            if !allowed {
                for first in self.first_args.get(&entry.id).into_iter().flatten() {
                    rules.push([b"+", entry.full_name.as_bytes(), b"|", first].concat());
                }
            }
        }
    }
}

/// The category not yet used that says most of what is left: of those with more commands to be said than not, the one
/// with the fewest that are not, and of these the one with the most that are.
fn closest(left: &Commands, used: Acl, adds: bool) -> Option<(Acl, &'static str)> {
    let mut best = None;
    let (mut fewest_wrong, mut most_right) = (usize::MAX, 0);
    for &(category, name) in Acl::NAMES.iter().filter(|(category, _)| !used.intersects(*category)) {
        let count = left.count(category);
        let (right, wrong) = if adds { (count.inside, count.outside) } else { (count.outside, count.inside) };
        if right > wrong && (wrong < fewest_wrong || (wrong == fewest_wrong && right > most_right)) {
            best = Some((category, name));
            (fewest_wrong, most_right) = (wrong, right);
        }
    }
    best
}
