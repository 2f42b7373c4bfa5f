//! HELLO, AUTH, SELECT, QUIT, RESET.

use super::Call;
use crate::clients::flag;
use crate::connection::ReplyMode;
use moonshard_engine::acl::User;
use moonshard_engine::{Error, database_index, database_number};
use moonshard_protocol::Encoding;
use std::sync::atomic::Ordering::Relaxed;

const WRONG_PASSWORD: Error = Error::fixed("WRONGPASS invalid username-password pair or user is disabled.");
const NO_PASSWORD_SET: Error = Error::fixed(
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
     configuration is correct?",
);
const HELLO_NO_AUTH: Error = Error::fixed(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> \
     option can be used to authenticate the client and select the RESP protocol version at the same time",
);

impl Call<'_, '_> {
    /// Authenticates with a user and a password.
    fn authenticate(&mut self, user: &[u8], password: &[u8]) -> Result<(), Error> {
        match self.server.acl.login(user, password) {
            Some(account) => {
                self.session.log_in(account);
                Ok(())
            }
            None => {
                self.note_failed_login(user);
                Err(WRONG_PASSWORD)
            }
        }
    }

    pub(super) fn auth(&mut self) -> Result<(), Error> {
        match self.args.len() {
            2 => {
                if self.server.acl.default_account().user.needs_no_password() {
                    return Err(NO_PASSWORD_SET);
                }
                self.authenticate(User::DEFAULT, self.args.raw(1))?;
            }
            3 => self.authenticate(self.args.raw(1), self.args.raw(2))?,
            _ => return Err(Error::SYNTAX),
        }
        self.reply.ok();
        Ok(())
    }

    pub(super) fn hello(&mut self) -> Result<(), Error> {
        let args = self.args;
        let mut version = None;
        if let Some(text) = args.get(1) {
            let unsupported = Error::fixed("NOPROTO unsupported protocol version");
            let number = moonshard_store::number::parse_i64(text)
                .ok_or(Error::fixed("ERR Protocol version is not an integer or out of range"))?;
            version = Some(match number {
                2 => Encoding::Resp2,
                3 => Encoding::Resp3,
                _ => return Err(unsupported),
            });
        }
        let mut at = 2;
        while at < args.len() {
            let left = args.len() - 1 - at;
            if args.is(at, "AUTH") && left >= 2 {
                self.authenticate(args.raw(at + 1), args.raw(at + 2))?;
                at += 3;
            } else if args.is(at, "SETNAME") && left >= 1 {
                let new = args.raw(at + 1);
                super::client::check_name(new)?;
                self.session.client.names.lock().name = new.to_vec();
                at += 2;
            } else {
                let mut line = b"ERR Syntax error in HELLO option '".to_vec();
                line.extend_from_slice(args.raw(at));
                line.push(b'\'');
                return Err(Error::bytes(line));
            }
        }
        if !self.session.identity.is_logged_in() {
            return Err(HELLO_NO_AUTH);
        }
        if let Some(version) = version {
            self.session.protocol = version;
            self.session.client.resp.store(if version == Encoding::Resp3 { 3 } else { 2 }, Relaxed);
            if self.session.reply_mode == ReplyMode::On {
                self.reply.set_encoding(version);
            }
        }
        self.describe_server();
        Ok(())
    }

    fn describe_server(&mut self) {
        let protocol = if self.session.protocol == Encoding::Resp3 { 3 } else { 2 };
        self.reply.map(7);
        self.reply.bulk(b"server");
        self.reply.bulk(b"redis");
        self.reply.bulk(b"version");
        self.reply.bulk(crate::REDIS_VERSION.as_bytes());
        self.reply.bulk(b"proto");
        self.reply.int(protocol);
        self.reply.bulk(b"id");
        self.reply.int(self.session.client.id as i64);
        self.reply.bulk(b"mode");
        self.reply.bulk(if self.settings.cluster_enabled { b"cluster" } else { b"standalone" });
        self.reply.bulk(b"role");
        self.reply.bulk(b"master");
        self.reply.bulk(b"modules");
        self.reply.array(0);
    }

    pub(super) fn select(&mut self) -> Result<(), Error> {
        if self.settings.cluster_enabled && database_number(self.args, 1)? != 0 {
            return Err(Error::fixed("ERR SELECT is not allowed in cluster mode"));
        }
        self.session.db = database_index(self.args, 1, self.engine.databases)?;
        self.session.client.db.store(self.session.db as u32, Relaxed);
        self.reply.ok();
        Ok(())
    }

    pub(super) fn quit(&mut self) -> Result<(), Error> {
        self.reply.ok();
        self.session.closing = true;
        Ok(())
    }

    pub(super) fn reset(&mut self) -> Result<(), Error> {
        let session = &mut *self.session;
        session.end_transaction(self.server);
        session.subscriptions.clear(&self.server.pubsub, &session.client);
        self.server.untrack(&session.client);
        // No message comes after the reply.
        session.client.take_pushes(self.reply.buffer_mut());
        session.note_listening();
        let client = &session.client;
        if client.has_flag(flag::MONITOR) {
            self.server.monitors.remove(client.id);
        }
        for flag in [flag::MONITOR, flag::NO_EVICT, flag::NO_TOUCH, flag::READONLY] {
            client.set_flag(flag, false);
        }
        client.names.lock().name.clear();
        client.db.store(0, Relaxed);
        client.resp.store(2, Relaxed);
        session.db = 0;
        session.protocol = Encoding::Resp2;
        session.no_touch = false;
        session.reply_mode = ReplyMode::On;
        session.log_out(&self.server.acl);
        self.reply.set_encoding(Encoding::Resp2);
        self.reply.status("RESET");
        Ok(())
    }
}
