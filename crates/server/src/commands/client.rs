//! CLIENT: what concerns the connection that asks.

use super::Call;
use super::client_list::{self, ClientType};
use crate::acl::Acl;
use crate::clients::{UNBLOCKED, flag};
use crate::connection::ReplyMode;
use crate::pause::Paused;
use moonshard_engine::keyspace::CommandStats;
use moonshard_engine::{Args, Error};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const NAME_ERROR: &str = "cannot contain spaces, newlines or special characters.";
/// Longer pauses are held as this: some thirty years.
const PAUSE_MAX: Duration = Duration::from_secs(1 << 30);

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

/// Whether a client may have this name.
///
/// # Errors
/// Redis' text when it holds blanks or control characters.
pub(super) fn check_name(name: &[u8]) -> Result<(), Error> {
    if is_printable(name) {
        return Ok(());
    }
    Err(Error::text(format!("ERR Client names {NAME_ERROR}")))
}

impl Call<'_, '_> {
    pub(super) fn client_id(&mut self) -> Result<(), Error> {
        self.reply.int(self.session.client.id as i64);
        Ok(())
    }

    pub(super) fn client_set_name(&mut self) -> Result<(), Error> {
        let name = self.args.raw(2);
        check_name(name)?;
        self.session.client.names.lock().name = name.to_vec();
        self.reply.ok();
        Ok(())
    }

    pub(super) fn client_get_name(&mut self) -> Result<(), Error> {
        let names = self.session.client.names.lock();
        if names.name.is_empty() {
            self.reply.null();
        } else {
            self.reply.bulk(&names.name);
        }
        Ok(())
    }

    /// From Redis 7.2, where libraries tell who they are.
    pub(super) fn client_set_info(&mut self) -> Result<(), Error> {
        let (attribute, value) = (self.args.raw(2), self.args.raw(3));
        let is_name = self.args.is(2, "LIB-NAME");
        if !is_name && !self.args.is(2, "LIB-VER") {
            return Err(quoted("ERR Unrecognized option '", attribute));
        }
        if !is_printable(value) {
            let attribute = if is_name { "lib-name" } else { "lib-ver" };
            return Err(Error::text(format!("ERR {attribute} {NAME_ERROR}")));
        }
        let mut names = self.session.client.names.lock();
        let field = if is_name { &mut names.lib_name } else { &mut names.lib_ver };
        *field = value.to_vec();
        drop(names);
        self.reply.ok();
        Ok(())
    }

    pub(super) fn client_info(&mut self) -> Result<(), Error> {
        let mut text = Vec::with_capacity(320);
        client_list::describe(&self.session.client, self.now_ms, &mut text);
        self.reply.verbatim(b"txt", &text);
        Ok(())
    }

    pub(super) fn client_list(&mut self) -> Result<(), Error> {
        let args = self.args;
        let mut text = Vec::new();
        if args.len() == 4 && args.is(2, "TYPE") {
            let wanted = client_type(args.raw(3))?;
            for client in self.server.clients.all() {
                if ClientType::of(&client) == wanted {
                    client_list::describe(&client, self.now_ms, &mut text);
                }
            }
        } else if args.len() > 3 && args.is(2, "ID") {
            for at in 3..args.len() {
                let id = args.int_or(at, Error::fixed("ERR Invalid client ID"))?;
                if let Some(client) = u64::try_from(id).ok().and_then(|id| self.server.clients.get(id)) {
                    client_list::describe(&client, self.now_ms, &mut text);
                }
            }
        } else if args.len() == 2 {
            for client in self.server.clients.all() {
                client_list::describe(&client, self.now_ms, &mut text);
            }
        } else {
            return Err(Error::SYNTAX);
        }
        self.reply.verbatim(b"txt", &text);
        Ok(())
    }

    pub(super) fn client_no_evict(&mut self) -> Result<(), Error> {
        let on = self.on_or_off(2)?;
        self.session.client.set_flag(flag::NO_EVICT, on);
        self.reply.ok();
        Ok(())
    }

    pub(super) fn client_no_touch(&mut self) -> Result<(), Error> {
        let on = self.on_or_off(2)?;
        self.session.no_touch = on;
        self.session.client.set_flag(flag::NO_TOUCH, on);
        self.reply.ok();
        Ok(())
    }

    pub(super) fn on_or_off(&self, at: usize) -> Result<bool, Error> {
        match () {
            () if self.args.is(at, "ON") => Ok(true),
            () if self.args.is(at, "OFF") => Ok(false),
            () => Err(Error::SYNTAX),
        }
    }

    pub(super) fn client_reply(&mut self) -> Result<(), Error> {
        if self.args.is(2, "ON") {
            self.session.reply_mode = ReplyMode::On;
            self.reply.set_encoding(self.session.protocol);
            self.reply.ok();
        } else if self.args.is(2, "OFF") {
            self.session.reply_mode = ReplyMode::Off;
        } else if self.args.is(2, "SKIP") {
            if self.session.reply_mode != ReplyMode::Off {
                self.session.reply_mode = ReplyMode::SkipNext;
            }
        } else {
            return Err(Error::SYNTAX);
        }
        Ok(())
    }

    pub(super) fn client_pause(&mut self) -> Result<(), Error> {
        let what = match () {
            () if self.args.len() > 4 => return Err(self.wrong_subcommand()),
            () if self.args.len() == 3 || self.args.is(3, "ALL") => Paused::All,
            () if self.args.is(3, "WRITE") => Paused::Writes,
            () => return Err(Error::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        };
        let millis = self.args.int_or(2, Error::TIMEOUT_NOT_INTEGER)?;
        let Ok(millis) = u64::try_from(millis) else { return Err(Error::TIMEOUT_NEGATIVE) };
        self.server.pause.start(Duration::from_millis(millis).min(PAUSE_MAX), what);
        self.reply.ok();
        Ok(())
    }

    pub(super) fn client_unpause(&mut self) -> Result<(), Error> {
        self.server.pause.end();
        self.reply.ok();
        Ok(())
    }

    pub(super) fn client_unblock(&mut self) -> Result<(), Error> {
        let args = self.args;
        let with_error = match () {
            () if args.len() == 3 => false,
            () if args.len() > 4 => return Err(self.wrong_subcommand()),
            () if args.is(3, "TIMEOUT") => false,
            () if args.is(3, "ERROR") => true,
            () => return Err(Error::fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        };
        let id = args.int(2)?;
        let client = u64::try_from(id).ok().and_then(|id| self.server.clients.get(id));
        let waits = client.as_ref().is_some_and(|client| client.waiter.lock().is_some());
        let unblocked = client.as_ref().is_some_and(|client| client.unblock(with_error));
        if let Some(client) = client.filter(|_| unblocked && waits && with_error) {
            self.server.count_error(&UNBLOCKED);
            if let Some(id) = client.last_command.load(Relaxed).checked_sub(1) {
                self.server.figures.count(id as u16, CommandStats { failed: 1, ..CommandStats::default() });
            }
        }
        self.reply.int(i64::from(unblocked));
        Ok(())
    }

    /// Kills the clients that match all filters.
    pub(super) fn client_kill(&mut self) -> Result<(), Error> {
        let old_form = self.args.len() == 3;
        let filter = if old_form {
            KillFilter { addr: Some(self.args.raw(2)), skip_me: false, ..KillFilter::default() }
        } else {
            kill_filter(self.args, &self.server.acl)?
        };
        let mut killed = 0;
        for client in self.server.clients.all() {
            let own = client.id == self.session.client.id;
            if (own && filter.skip_me) || !filter.matches(&client) {
                continue;
            }
            killed += 1;
            if own {
                // It is answered first.
                self.session.closing = true;
            } else {
                client.kill();
                self.server.clients.remove(client.id);
            }
        }
        match (old_form, killed) {
            (true, 0) => return Err(Error::fixed("ERR No such client")),
            (true, _) => self.reply.ok(),
            (false, _) => self.reply.int(killed),
        }
        Ok(())
    }
}

fn kill_filter<'a>(args: Args<'a>, acl: &Acl) -> Result<KillFilter<'a>, Error> {
    let mut filter = KillFilter { skip_me: true, ..KillFilter::default() };
    for at in (2..args.len()).step_by(2) {
        let Some(value) = args.get(at + 1) else { return Err(Error::SYNTAX) };
        if args.is(at, "ID") {
            let id = args.int_in(at + 1, 1, i64::MAX, Error::fixed("ERR client-id should be greater than 0"));
            let id = id.map_err(|_| Error::fixed("ERR client-id should be greater than 0"))?;
            filter.id = Some(id.unsigned_abs());
        } else if args.is(at, "TYPE") {
            filter.of_type = Some(client_type(value)?);
        } else if args.is(at, "ADDR") {
            filter.addr = Some(value);
        } else if args.is(at, "LADDR") {
            filter.laddr = Some(value);
        } else if args.is(at, "USER") {
            let account = acl.find(value).ok_or_else(|| quoted("ERR No such user '", value))?;
            filter.user = Some(account.serial);
        } else if args.is(at, "SKIPME") {
            filter.skip_me = match () {
                () if args.is(at + 1, "YES") => true,
                () if args.is(at + 1, "NO") => false,
                () => return Err(Error::SYNTAX),
            };
        } else {
            return Err(Error::SYNTAX);
        }
    }
    Ok(filter)
}

fn client_type(word: &[u8]) -> Result<ClientType, Error> {
    ClientType::by_name(word).ok_or_else(|| quoted("ERR Unknown client type '", word))
}

/// `before`, the word up to a zero byte, and a closing quote.
fn quoted(before: &str, word: &[u8]) -> Error {
    let word = word.split(|&byte| byte == 0).next().unwrap_or_default();
    Error::bytes([before.as_bytes(), word, b"'"].concat())
}

/// Whom CLIENT KILL kills: the clients that match all that is given.
#[derive(Default)]
struct KillFilter<'a> {
    id: Option<u64>,
    of_type: Option<ClientType>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    user: Option<u64>,
    skip_me: bool,
}

impl KillFilter<'_> {
    fn matches(&self, client: &crate::clients::Client) -> bool {
        self.addr.is_none_or(|addr| client.addr.as_bytes() == addr)
            && self.laddr.is_none_or(|laddr| client.laddr.as_bytes() == laddr)
            && self.of_type.is_none_or(|wanted| ClientType::of(client) == wanted)
            && self.id.is_none_or(|id| client.id == id)
            && self.user.is_none_or(|user| client.user_serial.load(Relaxed) == user)
    }
}
