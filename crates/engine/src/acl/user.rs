//! A user: passwords and selectors.

use super::password::PasswordHash;
use super::rules::{RuleError, join_selectors};
use super::selector::Selector;
use bitflags::bitflags;

bitflags! {
    /// What a user is, besides passwords and selectors.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct UserFlags: u8 {
        /// Clients may log in as this user.
        const ON = 1 << 0;
        /// They may not.
        const OFF = 1 << 1;
        /// Any password will do.
        const NO_PASSWORD = 1 << 2;
        /// RESTORE need not look into what it is given.
        const SKIP_SANITIZE_PAYLOAD = 1 << 3;
        /// RESTORE looks into what it is given.
        const SANITIZE_PAYLOAD = 1 << 4;
    }
}

impl UserFlags {
    /// Their names, in the order in which users are described.
    pub(super) const NAMES: [(Self, &'static str); 5] = [
        (Self::ON, "on"),
        (Self::OFF, "off"),
        (Self::NO_PASSWORD, "nopass"),
        (Self::SKIP_SANITIZE_PAYLOAD, "skip-sanitize-payload"),
        (Self::SANITIZE_PAYLOAD, "sanitize-payload"),
    ];
}

/// What selectors begin with (`acl-pubsub-default`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewSelectors {
    /// Whether they allow all channels, or none.
    pub all_channels: bool,
}

/// A user: passwords and selectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    name: Box<[u8]>,
    pub(super) flags: UserFlags,
    pub(super) passwords: Vec<PasswordHash>,
    /// The user's own selector.
    pub(super) root: Selector,
    /// The others.
    pub(super) selectors: Vec<Selector>,
}

impl User {
    /// The name of the user that every connection begins as.
    pub const DEFAULT: &'static [u8] = b"default";

    /// A user who may do nothing, not even log in.
    pub fn new(name: &[u8], defaults: NewSelectors) -> Self {
        Self {
            name: name.into(),
            flags: UserFlags::OFF,
            passwords: Vec::new(),
            root: Selector::new(defaults.all_channels),
            selectors: Vec::new(),
        }
    }

    /// The default user of a server that was told nothing about it: it needs no password and may do everything.
    pub fn default_user() -> Self {
        let mut user = Self::new(Self::DEFAULT, NewSelectors { all_channels: true });
        user.root.set_all_commands(true);
        user.root.all_keys = true;
        user.flags = UserFlags::ON.union(UserFlags::NO_PASSWORD);
        user
    }

    /// The name.
    pub const fn name(&self) -> &[u8] {
        &self.name
    }

    /// The names of the user's flags.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        let flags = self.flags;
        UserFlags::NAMES.into_iter().filter(move |(flag, _)| flags.contains(*flag)).map(|(_, name)| name)
    }

    /// The hashes of the user's passwords.
    pub fn passwords(&self) -> &[PasswordHash] {
        &self.passwords
    }

    /// The user's own selector.
    pub const fn root(&self) -> &Selector {
        &self.root
    }

    /// The user's other selectors.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    pub(super) fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Whether the user may log in.
    pub const fn is_on(&self) -> bool {
        self.flags.contains(UserFlags::ON)
    }

    /// Whether any password will do.
    pub const fn needs_no_password(&self) -> bool {
        self.flags.contains(UserFlags::NO_PASSWORD)
    }

    /// Whether the user may do everything, so that no call has to be checked.
    pub fn is_unrestricted(&self) -> bool {
        self.all_selectors().any(Selector::is_unrestricted)
    }

    /// Whether who knows this password may log in as this user.
    pub fn admits(&self, password: &[u8]) -> bool {
        if self.flags.contains(UserFlags::OFF) {
            return false;
        }
        if self.needs_no_password() {
            return true;
        }
        let hash = PasswordHash::of(password);
        self.passwords.iter().fold(false, |found, known| found | known.matches(&hash))
    }

    /// Gives the user this one password, or none to need (`requirepass`).
    pub fn set_password(&mut self, password: Option<&[u8]>) {
        self.passwords.clear();
        self.flags.set(UserFlags::NO_PASSWORD, password.is_none());
        self.passwords.extend(password.map(PasswordHash::of));
    }

    /// The same user after these rules.
    ///
    /// # Errors
    /// Redis' text about the first rule that is wrong.
    pub fn with_rules(&self, rules: &[&[u8]], defaults: NewSelectors) -> Result<Self, Vec<u8>> {
        let joined = join_selectors(rules).map_err(|at| {
            let rule = rules.get(at).copied().unwrap_or_default();
            [b"Unmatched parenthesis in acl selector starting at '", rule, b"'."].concat()
        })?;
        let mut user = self.clone();
        for rule in &joined {
            user.apply(rule, defaults).map_err(|error| {
                [b"Error in ACL SETUSER modifier '", rule.as_slice(), b"': ", error.text().as_bytes()]
                    .concat()
            })?;
        }
        Ok(user)
    }

    /// Applies a rule; a selector is one, from parenthesis to parenthesis.
    ///
    /// # Errors
    /// Why it is refused. The user is as before.
    pub fn apply(&mut self, rule: &[u8], defaults: NewSelectors) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"" => {}
            b"on" => self.exchange(UserFlags::OFF, UserFlags::ON),
            b"off" => self.exchange(UserFlags::ON, UserFlags::OFF),
            b"skip-sanitize-payload" => {
                self.exchange(UserFlags::SANITIZE_PAYLOAD, UserFlags::SKIP_SANITIZE_PAYLOAD);
            }
            b"sanitize-payload" => {
                self.exchange(UserFlags::SKIP_SANITIZE_PAYLOAD, UserFlags::SANITIZE_PAYLOAD);
            }
            b"nopass" => {
                self.flags.insert(UserFlags::NO_PASSWORD);
                self.passwords.clear();
            }
            b"resetpass" => {
                self.flags.remove(UserFlags::NO_PASSWORD);
                self.passwords.clear();
            }
            b"clearselectors" => self.selectors.clear(),
            b"reset" => {
                *self = Self::new(&self.name, defaults);
                self.flags.insert(UserFlags::SANITIZE_PAYLOAD);
            }
            _ => return self.apply_other(rule, defaults),
        }
        Ok(())
    }

    fn apply_other(&mut self, rule: &[u8], defaults: NewSelectors) -> Result<(), RuleError> {
        match rule {
            [b'>', password @ ..] => self.add_password(PasswordHash::of(password)),
            [b'#', hash @ ..] => self.add_password(PasswordHash::parse(hash).ok_or(RuleError::BadHash)?),
            [b'<', password @ ..] => self.remove_password(&PasswordHash::of(password))?,
            [b'!', hash @ ..] => {
                self.remove_password(&PasswordHash::parse(hash).ok_or(RuleError::BadHash)?)?;
            }
            [b'(', rules @ .., b')'] => {
                self.selectors.push(Selector::parse(rules, defaults.all_channels)?);
            }
            _ => self.root.apply(rule)?,
        }
        Ok(())
    }

    fn exchange(&mut self, old: UserFlags, new: UserFlags) {
        self.flags.remove(old);
        self.flags.insert(new);
    }

    fn add_password(&mut self, hash: PasswordHash) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.flags.remove(UserFlags::NO_PASSWORD);
    }

    fn remove_password(&mut self, hash: &PasswordHash) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| known == hash).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }
}
