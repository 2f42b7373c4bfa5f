//! ACL.

use super::Call;
use crate::acl::{Heard, LogEntry, file_of, new_selectors};
use crate::clients::flag;
use moonshard_engine::acl::{Context, Denial, Denials, Denied, Reason, Selector, User, is_plain_name};
use moonshard_engine::command::{AclCommand, CommandTable};
use moonshard_engine::{Args, Error};
use std::io::Read;

/// Most bits of a password that ACL GENPASS makes.
const PASSWORD_BITS_MAX: i64 = 4096;

const NO_FILE: Error = Error::fixed(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER \
     command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store \
     users in the Redis configuration.",
);

impl Call<'_, '_> {
    pub(super) fn run_acl(&mut self, command: AclCommand) -> Result<(), Error> {
        match command {
            AclCommand::DelUser => self.acl_del_user(),
            AclCommand::DryRun => self.acl_dry_run(),
            AclCommand::GenPass => self.acl_gen_pass(),
            AclCommand::GetUser => self.acl_get_user(),
            AclCommand::List => self.acl_list(),
            AclCommand::Load => self.acl_load(),
            AclCommand::Log => self.acl_log(),
            AclCommand::Save => self.acl_save(),
            AclCommand::SetUser => self.acl_set_user(),
            AclCommand::Users => self.acl_users(),
            AclCommand::WhoAmI => self.acl_whoami(),
        }
    }

    /// Logs that a name and a password were refused.
    pub(super) fn note_failed_login(&self, user: &[u8]) {
        let client = &self.session.client;
        let context = if client.has_flag(flag::MULTI) { Context::Multi } else { Context::TopLevel };
        let denial = Denial { reason: Reason::Auth, context, object: self.args.raw(0), user };
        Heard::new(self.server, client, Some(self.entry.id)).note(denial);
    }

    fn acl_set_user(&mut self) -> Result<(), Error> {
        let name = self.args.raw(2);
        if !is_plain_name(name) {
            return Err(Error::fixed("ERR Usernames can't contain spaces or null characters"));
        }
        let defaults = new_selectors(self.settings);
        let set = self.server.acl.set(name, self.args.from(3), defaults);
        let (old, new) = set.map_err(|text| Error::bytes([b"ERR ", text.as_slice()].concat()))?;
        if let Some(old) = old {
            self.server.disconnect_subscribers(&old, &new, self.session);
        }
        self.session.refresh_user(&self.server.acl);
        self.reply.ok();
        Ok(())
    }

    fn acl_del_user(&mut self) -> Result<(), Error> {
        let names = self.args.from(2);
        if names.contains(&User::DEFAULT) {
            return Err(Error::fixed("ERR The 'default' user cannot be removed"));
        }
        let mut deleted = 0;
        for serial in names.iter().filter_map(|name| self.server.acl.remove(name)) {
            self.server.disconnect_user(serial, self.session);
            deleted += 1;
        }
        self.reply.int(deleted);
        Ok(())
    }

    fn acl_get_user(&mut self) -> Result<(), Error> {
        let Some(account) = self.server.acl.find(self.args.raw(2)) else {
            self.reply.null();
            return Ok(());
        };
        let user = account.user;
        self.reply.map(6);
        self.reply.bulk(b"flags");
        self.reply.set(user.flag_names().count());
        user.flag_names().for_each(|name| self.reply.bulk(name.as_bytes()));
        self.reply.bulk(b"passwords");
        self.reply.array(user.passwords().len());
        user.passwords().iter().for_each(|hash| self.reply.bulk(hash.as_bytes()));
        self.describe_selector(user.root());
        self.reply.bulk(b"selectors");
        self.reply.array(user.selectors().len());
        for selector in user.selectors() {
            self.reply.map(3);
            self.describe_selector(selector);
        }
        Ok(())
    }

    fn describe_selector(&mut self, selector: &Selector) {
        self.reply.bulk(b"commands");
        self.reply.bulk(&selector.describe_commands());
        self.reply.bulk(b"keys");
        self.reply.bulk(&selector.describe_keys());
        self.reply.bulk(b"channels");
        self.reply.bulk(&selector.describe_channels());
    }

    fn acl_list(&mut self) -> Result<(), Error> {
        let users = self.server.acl.all();
        self.reply.array(users.len());
        users.iter().for_each(|user| self.reply.bulk(&user.line()));
        Ok(())
    }

    fn acl_users(&mut self) -> Result<(), Error> {
        let users = self.server.acl.all();
        self.reply.array(users.len());
        users.iter().for_each(|user| self.reply.bulk(user.name()));
        Ok(())
    }

    fn acl_whoami(&mut self) -> Result<(), Error> {
        self.reply.bulk(self.session.identity.user().name());
        Ok(())
    }

    fn acl_load(&mut self) -> Result<(), Error> {
        let path = file_of(self.settings).ok_or(NO_FILE)?;
        let removed = self.server.acl.load(path, new_selectors(self.settings));
        let removed = removed.map_err(|text| Error::bytes([b"ERR ", text.as_slice()].concat()))?;
        self.server.disconnect_if(self.session, |serial| removed.contains(&serial));
        self.session.refresh_user(&self.server.acl);
        self.reply.ok();
        Ok(())
    }

    fn acl_save(&mut self) -> Result<(), Error> {
        let path = file_of(self.settings).ok_or(NO_FILE)?;
        self.server.acl.save(path).map_err(|error| {
            tracing::warn!(%error, path = %path.display(), "the users could not be saved");
            Error::fixed(
                "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
            )
        })?;
        self.reply.ok();
        Ok(())
    }

    fn acl_gen_pass(&mut self) -> Result<(), Error> {
        let bits = match self.args.len() {
            2 => 256,
            3 => self.args.int(2)?,
            _ => return Err(self.wrong_subcommand()),
        };
        if !(1..=PASSWORD_BITS_MAX).contains(&bits) {
            return Err(Error::text(format!(
                "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to \
                 {PASSWORD_BITS_MAX}"
            )));
        }
        let digits = bits.unsigned_abs().div_ceil(4) as usize;
        let mut random = vec![0; digits.div_ceil(2)];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut random))
            .map_err(|error| Error::text(format!("ERR no random numbers: {error}")))?;
        let mut password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        password.truncate(digits);
        self.reply.bulk(password.as_bytes());
        Ok(())
    }

    fn acl_dry_run(&mut self) -> Result<(), Error> {
        let (name, call) = (self.args.raw(2), Args::new(self.args.from(3)));
        let quoted = |before: &str, word: &[u8], after: &str| {
            let word = word.split(|&byte| byte == 0).next().unwrap_or_default();
            [before.as_bytes(), word, after.as_bytes()].concat()
        };
        let Some(account) = self.server.acl.find(name) else {
            return Err(Error::bytes(quoted("ERR User '", name, "' not found")));
        };
        let Some(entry) = CommandTable::get().find(call) else {
            return Err(Error::bytes(quoted("ERR Command '", call.raw(0), "' not found")));
        };
        if !entry.command.meta.arity.accepts(call.len()) {
            return Err(Error::wrong_arity(&entry.full_name));
        }
        match account.user.check(entry, call) {
            Ok(()) => self.reply.ok(),
            Err(Denied::Command) => {
                let text = format!("This user has no permissions to run the '{}' command", entry.full_name);
                self.reply.bulk(text.as_bytes());
            }
            Err(denied) => {
                let what = if matches!(denied, Denied::Key(_)) { "' key" } else { "' channel" };
                let object = call.raw(denied.position());
                self.reply.bulk(&quoted("This user has no permissions to access the '", object, what));
            }
        }
        Ok(())
    }

    fn acl_log(&mut self) -> Result<(), Error> {
        let log = &self.server.acl.log;
        let count = match self.args.len() {
            2 => 10,
            3 if self.args.is(2, "RESET") => {
                log.reset();
                self.reply.ok();
                return Ok(());
            }
            3 => usize::try_from(self.args.int(2)?).unwrap_or(0),
            _ => return Err(self.wrong_subcommand()),
        };
        let entries = log.last(count);
        self.reply.array(entries.len());
        entries.iter().for_each(|entry| self.show_log_entry(entry));
        Ok(())
    }

    fn show_log_entry(&mut self, entry: &LogEntry) {
        let reason: &[u8] = match entry.reason {
            Reason::Command => b"command",
            Reason::Key => b"key",
            Reason::Channel => b"channel",
            Reason::Auth => b"auth",
        };
        let context: &[u8] = match entry.context {
            Context::TopLevel => b"toplevel",
            Context::Multi => b"multi",
            Context::Lua => b"lua",
        };
        let reply = &mut *self.reply;
        reply.map(7);
        reply.bulk(b"count");
        reply.int(entry.count as i64);
        reply.bulk(b"reason");
        reply.bulk(reason);
        reply.bulk(b"context");
        reply.bulk(context);
        reply.bulk(b"object");
        reply.bulk(&entry.object);
        reply.bulk(b"username");
        reply.bulk(&entry.user);
        reply.bulk(b"age-seconds");
        reply.double(self.now_ms.saturating_sub(entry.at_ms) as f64 / 1000.0);
        reply.bulk(b"client-info");
        reply.bulk(&entry.client_info);
    }
}
