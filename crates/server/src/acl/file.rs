//! The file of users (`aclfile`): ACL LOAD and ACL SAVE.

use super::{Account, Acl, Users};
use crate::config;
use moonshard_engine::acl::{NewSelectors, RuleError, User, is_plain_name, join_selectors};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file's users, or what is wrong with its lines.
struct Reader {
    path: String,
    defaults: NewSelectors,
    users: BTreeMap<Box<[u8]>, User>,
    errors: Vec<u8>,
}

fn trim<'a>(text: &'a [u8], blanks: &[u8]) -> &'a [u8] {
    let start = text.iter().position(|byte| !blanks.contains(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blanks.contains(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

impl Reader {
    fn line(&mut self, number: usize, line: &[u8]) {
        let line = trim(line, b" \t\r\n");
        if line.is_empty() {
            return;
        }
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let [b"user", name, rules @ ..] = words.as_slice() else {
            let text =
                format!("{}:{number} should start with user keyword followed by the username. ", self.path);
            return self.errors.extend_from_slice(text.as_bytes());
        };
        if !is_plain_name(name) {
            let text = format!(
                "'{}:{number}: username '{}' contains invalid characters. ",
                self.path,
                String::from_utf8_lossy(name)
            );
            return self.errors.extend_from_slice(text.as_bytes());
        }
        if self.users.contains_key(*name) {
            let text = [b"WARNING: Duplicate user '", *name, b"' found on line "].concat();
            self.errors.extend(text);
            return self.errors.extend_from_slice(format!("{number}. ").as_bytes());
        }
        let mut user = User::new(name, self.defaults);
        match join_selectors(rules) {
            Ok(rules) => self.apply(number, &mut user, &rules),
            Err(_) => {
                let text = format!("{}:{number}: Unmatched parenthesis in selector definition.", self.path);
                self.errors.extend_from_slice(text.as_bytes());
            }
        }
        self.users.insert((*name).into(), user);
    }

    fn apply(&mut self, number: usize, user: &mut User, rules: &[Vec<u8>]) {
        let mut is_told = false;
        for rule in rules {
            let rule = trim(rule, b"\t\r\n");
            let Err(error) = user.apply(rule, self.defaults) else { continue };
            let text = match error {
                // Nothing secret is in the name of a command.
                RuleError::Unknown => {
                    let rule = String::from_utf8_lossy(rule);
                    format!(
                        "{}:{number}: Error in applying operation '{rule}': {}. ",
                        self.path,
                        error.text()
                    )
                }
                _ if is_told => continue,
                _ => {
                    is_told = true;
                    format!("{}:{number}: {}. ", self.path, error.text())
                }
            };
            self.errors.extend_from_slice(text.as_bytes());
        }
    }
}

impl Users {
    /// Takes a file's users in the place of all others; tells which are no more. Only the default user stays who it
    /// is, and has all rights if the file does not have it.
    fn replace(&mut self, users: BTreeMap<Box<[u8]>, User>) -> Vec<u64> {
        let default = self.default_account();
        let old = std::mem::take(&mut self.by_name);
        let removed = old.values().map(|account| account.serial).filter(|serial| *serial != default.serial);
        let removed = removed.collect();
        self.by_name.insert(
            User::DEFAULT.into(),
            Account { serial: default.serial, user: Arc::new(User::default_user()) },
        );
        for user in users.into_values() {
            self.put(user);
        }
        removed
    }
}

impl Acl {
    /// Takes the users of a file in the place of those there are; tells the serials of those that are no more.
    ///
    /// # Errors
    /// Redis' text about everything that is wrong with the file; nothing has changed then.
    pub fn load(&self, path: &Path, defaults: NewSelectors) -> Result<Vec<u64>, Vec<u8>> {
        let shown = path.display().to_string();
        let text = std::fs::read(path).map_err(|error| {
            let reason = config::system_text(&error);
            format!("Error loading ACLs, opening file '{shown}': {reason}").into_bytes()
        })?;
        let mut reader = Reader { path: shown, defaults, users: BTreeMap::new(), errors: Vec::new() };
        for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            reader.line(number, line);
        }
        if !reader.errors.is_empty() {
            let more =
                b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
            reader.errors.extend_from_slice(more);
            return Err(reader.errors);
        }
        let removed = self.users.lock().replace(reader.users);
        self.changed();
        Ok(removed)
    }

    /// Writes all users to a file: after a crash there is the old one or the new one.
    ///
    /// # Errors
    /// The system's.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut text = Vec::new();
        for user in self.all() {
            text.extend(user.line());
            text.push(b'\n');
        }
        config::overwrite(path, &text)
    }
}
