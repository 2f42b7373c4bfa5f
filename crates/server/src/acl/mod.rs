//! The users of the server, who is logged in as whom, and what was denied to them.

mod declared;
mod denials;
mod file;
mod identity;
mod log;

pub use declared::DeclaredUser;
pub use denials::Heard;
pub use identity::Identity;
pub use log::{Log, LogEntry};

use crate::clients::Client;
use crate::config::{PubsubDefault, Settings};
use crate::connection::Session;
use crate::server::Server;
use moonshard_engine::acl::{NewSelectors, User};
use moonshard_engine::command::Subscription;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A user at a moment.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its number, never used again: a user of the same name that is made after this one was deleted is another.
    pub serial: u64,
    /// Name and rules, as of the moment.
    pub user: Arc<User>,
}

/// The users, and what was denied to them.
#[derive(Debug)]
pub struct Acl {
    users: Mutex<Users>,
    /// Grows with each change of any user.
    generation: AtomicU64,
    /// What was denied.
    pub log: Log,
}

#[derive(Debug)]
struct Users {
    by_name: BTreeMap<Box<[u8]>, Account>,
    last_serial: u64,
}

/// What new selectors allow by these settings.
pub fn new_selectors(settings: &Settings) -> NewSelectors {
    NewSelectors { all_channels: settings.acl_pubsub_default == PubsubDefault::AllChannels }
}

/// The file of users, if these settings name one.
pub fn file_of(settings: &Settings) -> Option<&Path> {
    let path = OsStr::from_bytes(&settings.aclfile);
    (!path.is_empty()).then(|| Path::new(path))
}

impl Users {
    /// Those of a server that was told of none.
    fn only_default(password: Option<&[u8]>) -> Self {
        let mut user = User::default_user();
        user.set_password(password);
        let account = Account { serial: 0, user: Arc::new(user) };
        Self { by_name: BTreeMap::from([(User::DEFAULT.into(), account)]), last_serial: 0 }
    }

    /// Puts a user in the place of the one that had its name, or adds it.
    fn put(&mut self, user: User) -> Account {
        let serial = match self.by_name.get(user.name()) {
            Some(old) => old.serial,
            None => {
                self.last_serial += 1;
                self.last_serial
            }
        };
        let name = user.name().into();
        let account = Account { serial, user: Arc::new(user) };
        self.by_name.insert(name, account.clone());
        account
    }

    fn default_account(&self) -> Account {
        let account = self.by_name.get(User::DEFAULT).cloned();
        debug_assert!(account.is_some(), "the default user cannot be removed");
        // Without rules nobody may do anything.
        account.unwrap_or_else(|| Account {
            serial: 0,
            user: Arc::new(User::new(User::DEFAULT, NewSelectors::default())),
        })
    }
}

impl Acl {
    /// The default user alone, with this password or without one.
    pub fn new(password: Option<&[u8]>) -> Self {
        Self {
            users: Mutex::new(Users::only_default(password)),
            generation: AtomicU64::new(1),
            log: Log::default(),
        }
    }

    /// Grows with each change of any user. Read it before users.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The user of this name.
    pub fn find(&self, name: &[u8]) -> Option<Account> {
        self.users.lock().by_name.get(name).cloned()
    }

    /// The user that every connection begins as.
    pub fn default_account(&self) -> Account {
        self.users.lock().default_account()
    }

    /// The user of this name, if the password admits it.
    pub fn login(&self, name: &[u8], password: &[u8]) -> Option<Account> {
        self.find(name).filter(|account| account.user.admits(password))
    }

    /// All users, by name.
    pub fn all(&self) -> Vec<Arc<User>> {
        self.users.lock().by_name.values().map(|account| account.user.clone()).collect()
    }

    /// Applies rules to a user, which is made if there is none; all of the rules or none. Returns the user before, if
    /// there was one, and after.
    ///
    /// # Errors
    /// Redis' text about the first rule that is wrong.
    pub fn set(
        &self,
        name: &[u8],
        rules: &[&[u8]],
        defaults: NewSelectors,
    ) -> Result<(Option<Account>, Account), Vec<u8>> {
        let mut users = self.users.lock();
        let old = users.by_name.get(name).cloned();
        let new = match &old {
            Some(old) => old.user.with_rules(rules, defaults)?,
            None => User::new(name, defaults).with_rules(rules, defaults)?,
        };
        let new = users.put(new);
        drop(users);
        self.changed();
        Ok((old, new))
    }

    /// Removes a user; tells its serial if there was one.
    pub fn remove(&self, name: &[u8]) -> Option<u64> {
        let removed = self.users.lock().by_name.remove(name)?;
        self.changed();
        Some(removed.serial)
    }

    /// Gives the default user this one password, or none to need (`requirepass`).
    pub fn set_default_password(&self, password: Option<&[u8]>) {
        let mut users = self.users.lock();
        let mut user = User::clone(&users.default_account().user);
        user.set_password(password);
        users.put(user);
        drop(users);
        self.changed();
    }
}

impl Server {
    /// Disconnects all clients of a user that is no more. The client that asks, if it is one of them, is answered
    /// first.
    pub fn disconnect_user(&self, serial: u64, session: &mut Session) {
        self.disconnect_if(session, |client_serial| client_serial == serial);
    }

    /// Disconnects the clients of a user that have subscribed to what its rules no longer allow.
    pub fn disconnect_subscribers(&self, old: &Account, new: &Account, session: &mut Session) {
        if !old.user.loses_channels(&new.user) {
            return;
        }
        let mut gone = BTreeSet::new();
        self.pubsub.each(|what, name, subscribers| {
            if !new.user.may_subscribe(name, what == Subscription::Pattern) {
                let of_user =
                    |client: &&Arc<Client>| client.user_serial.load(Ordering::Relaxed) == new.serial;
                gone.extend(subscribers.iter().filter(of_user).map(|client| client.id));
            }
        });
        for id in gone {
            if id == session.client.id {
                session.closing = true;
            } else if let Some(client) = self.clients.get(id) {
                client.kill();
                self.clients.remove(id);
            }
        }
    }

    /// Disconnects the clients whose user's serial is like this.
    pub fn disconnect_if(&self, session: &mut Session, is_gone: impl Fn(u64) -> bool) {
        for client in self.clients.all() {
            if !is_gone(client.user_serial.load(Ordering::Relaxed)) {
                continue;
            }
            if client.id == session.client.id {
                session.lose_user(&self.acl);
            } else {
                client.kill();
                self.clients.remove(client.id);
            }
        }
    }
}
