//! Users that the configuration declares.

use super::{Acl, Users};
use moonshard_engine::acl::{NewSelectors, RuleError, User, is_plain_name, join_selectors};

/// A line `user NAME RULES` of the configuration.
#[derive(Clone, Debug)]
pub struct DeclaredUser {
    /// The name.
    pub name: Vec<u8>,
    /// The rules, selectors joined.
    rules: Vec<Vec<u8>>,
}

impl DeclaredUser {
    /// Reads what follows the word `user`; `earlier` are the users declared before.
    ///
    /// # Errors
    /// Redis' text, which names what is wrong but shows no password.
    pub fn parse(values: &[&[u8]], earlier: &[Self]) -> Result<Self, String> {
        let (name, words) =
            values.split_first().map_or((b"".as_slice(), values), |(name, words)| (*name, words));
        let refused = |what: &[u8], error: RuleError| {
            format!("Error in user declaration '{}': {}", String::from_utf8_lossy(what), error.text())
        };
        if !is_plain_name(name) {
            return Err("Spaces not allowed in ACL usernames".to_owned());
        }
        if earlier.iter().any(|user| user.name == name) {
            return Err(refused(name, RuleError::DuplicateUser));
        }
        let rules = join_selectors(words)
            .map_err(|at| refused(words.get(at).copied().unwrap_or_default(), RuleError::Syntax))?;
        let mut trial = User::new(name, NewSelectors::default());
        for rule in &rules {
            trial.apply(rule, NewSelectors::default()).map_err(|error| refused(shown(rule), error))?;
        }
        Ok(Self { name: name.to_vec(), rules })
    }
}

/// A rule as it may be shown.
fn shown(rule: &[u8]) -> &[u8] {
    if matches!(rule.first(), Some(b'>' | b'<' | b'#' | b'!')) { b"(redacted)" } else { rule }
}

impl Users {
    fn declare(&mut self, declared: &DeclaredUser, defaults: NewSelectors) -> Result<(), String> {
        let mut user = User::new(&declared.name, defaults);
        if declared.name == User::DEFAULT {
            // It is there, and begins anew.
            user.apply(b"reset", defaults).map_err(|error| error.text().to_owned())?;
        }
        for rule in &declared.rules {
            user.apply(rule, defaults).map_err(|error| {
                format!(
                    "Error loading ACL rule '{}' for the user named '{}': {}",
                    String::from_utf8_lossy(shown(rule)),
                    String::from_utf8_lossy(&declared.name),
                    error.text()
                )
            })?;
        }
        if !user.is_on() {
            tracing::info!(
                "The user '{}' is disabled (there is no 'on' modifier in the user description). Make sure this is not \
                 a configuration error.",
                String::from_utf8_lossy(&declared.name)
            );
        }
        self.put(user);
        Ok(())
    }
}

impl Acl {
    /// Makes the users that the configuration declares.
    ///
    /// # Errors
    /// Redis' text about the first rule that cannot be applied.
    pub fn declare(&self, declared: &[DeclaredUser], defaults: NewSelectors) -> Result<(), String> {
        let mut users = self.users.lock();
        declared.iter().try_for_each(|user| users.declare(user, defaults))?;
        drop(users);
        self.changed();
        Ok(())
    }
}
