//! Who a connection's client is logged in as.

use super::{Account, Acl};
use crate::connection::Session;
use moonshard_engine::acl::{Access, Denials, NewSelectors, User};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Who a connection's client is logged in as.
#[derive(Debug)]
pub struct Identity {
    account: Account,
    /// Whether the user may not do everything.
    restricted: bool,
    /// Whether the client has logged in, or came when nobody had to.
    logged_in: bool,
    /// The users' generation of which the account is.
    generation: u64,
    /// Whether the user is no more: what is left to run may do nothing.
    is_lost: bool,
}

/// Whether clients begin as this default user without logging in.
fn is_open(default: &User) -> bool {
    default.needs_no_password() && default.is_on()
}

impl Identity {
    /// Who a client is before it logs in.
    pub fn new(acl: &Acl) -> Self {
        let generation = acl.generation();
        let account = acl.default_account();
        let logged_in = is_open(&account.user);
        Self { restricted: !account.user.is_unrestricted(), account, logged_in, generation, is_lost: false }
    }

    /// Who runs the log again: what stands there was admitted once.
    fn of_log(acl: &Acl) -> Self {
        Self { restricted: false, logged_in: true, ..Self::new(acl) }
    }

    /// The user.
    pub fn user(&self) -> &User {
        &self.account.user
    }

    /// The user's number.
    pub const fn serial(&self) -> u64 {
        self.account.serial
    }

    /// Whether the client has logged in, or came when nobody had to.
    pub const fn is_logged_in(&self) -> bool {
        self.logged_in
    }

    /// Whether there is something that the user may not do.
    #[inline]
    pub const fn is_restricted(&self) -> bool {
        self.restricted
    }

    /// What the user may do, if it is not everything.
    #[inline]
    pub fn access<'a>(&'a self, denials: &'a dyn Denials) -> Option<Access<'a>> {
        self.restricted.then(|| Access { user: &self.account.user, denials })
    }

    /// The user, if there is something that it may not do.
    pub fn restricted_user(&self) -> Option<Arc<User>> {
        self.restricted.then(|| self.account.user.clone())
    }

    fn become_user(&mut self, account: Account) {
        self.restricted = !account.user.is_unrestricted();
        self.account = account;
    }
}

impl Session {
    /// Logs the client in.
    pub fn log_in(&mut self, account: Account) {
        self.identity.become_user(account);
        self.identity.logged_in = true;
        self.authenticated = true;
        self.show_user();
    }

    /// Lets the client do everything, for commands that have run before.
    pub fn become_log(&mut self, acl: &Acl) {
        self.identity = Identity::of_log(acl);
        self.authenticated = true;
    }

    /// Makes the client who it was when it connected.
    pub fn log_out(&mut self, acl: &Acl) {
        self.identity = Identity::new(acl);
        self.authenticated = self.identity.logged_in;
        self.show_user();
    }

    /// The user is no more: the connection ends once the command that runs is answered. What is left of a transaction
    /// may do nothing.
    pub fn lose_user(&mut self, acl: &Acl) {
        self.log_out(acl);
        let serial = self.identity.serial();
        let user = Arc::new(User::new(User::DEFAULT, NewSelectors::default()));
        self.identity.become_user(Account { serial, user });
        self.identity.logged_in = false;
        self.identity.is_lost = true;
        self.authenticated = false;
        self.closing = true;
    }

    /// Takes over what has changed about the user, if anything has changed about any.
    #[inline]
    pub fn refresh_user(&mut self, acl: &Acl) {
        if acl.generation() != self.identity.generation && !self.identity.is_lost {
            self.renew_user(acl);
        }
    }

    #[cold]
    fn renew_user(&mut self, acl: &Acl) {
        self.identity.generation = acl.generation();
        match acl.find(self.identity.user().name()) {
            Some(account) if account.serial == self.identity.serial() => self.identity.become_user(account),
            _ => return self.lose_user(acl),
        }
        self.authenticated = self.identity.logged_in || is_open(&acl.default_account().user);
    }

    /// Shows others who the client is.
    pub fn show_user(&self) {
        let identity = &self.identity;
        self.client.user_serial.store(identity.serial(), Relaxed);
        self.client.names.lock().user = identity.user().name().to_vec();
    }
}
