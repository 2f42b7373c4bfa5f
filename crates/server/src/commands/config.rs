//! CONFIG.

use super::Call;
use crate::config::{self, ApplyError, Settings};
use crate::server::Server;
use crate::{allocator, logging, startup};
use moonshard_engine::Error;
use std::net::IpAddr;
use std::sync::Arc;

impl Call<'_, '_> {
    pub(super) fn config_get(&mut self) -> Result<(), Error> {
        let found = self.server.config.get(self.args.from(2));
        self.reply.map(found.len());
        for (name, value) in found {
            self.reply.bulk(name.as_bytes());
            self.reply.bulk(&value);
        }
        Ok(())
    }

    pub(super) async fn config_set(&mut self) -> Result<(), Error> {
        let args = self.args.from(2);
        if !args.len().is_multiple_of(2) {
            return Err(Error::wrong_arity(&self.entry.full_name));
        }
        let pairs: Vec<(&[u8], &[u8])> = args.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let loading = self.server.persistence.loading.is_active();
        let caller = config::Caller { local: self.is_local(), loading };
        let server = self.server;
        let set = server.config.set(&pairs, caller, &|old, new| apply(server, old, new));
        set.map_err(|error| Error::bytes(error.text()))?;
        let settings = server.config.load();
        server.observe_as(&settings);
        server.judge_writes();
        server.log_as(&settings);
        if self.held.is_none() && server.persistence.log.wants_base() {
            // If it cannot begin now, it is tried again and again.
            let _ = server.rewrite_in_background().await;
        }
        server.scripts.apply(&settings);
        self.reply.ok();
        Ok(())
    }

    pub(super) fn config_reset_stat(&mut self) -> Result<(), Error> {
        self.server.reset_stats();
        allocator::reset_peak();
        self.reply.ok();
        Ok(())
    }

    pub(super) fn config_rewrite(&mut self) -> Result<(), Error> {
        let users = self.server.acl.all();
        let users: Vec<Vec<u8>> = match self.settings.aclfile.is_empty() {
            true => users.iter().map(|user| user.line()).collect(),
            // They are in a file of their own.
            false => Vec::new(),
        };
        self.server.config.rewrite(&users).map_err(|error| Error::text(error.to_string()))?;
        self.reply.ok();
        Ok(())
    }

    /// Whether the client is on this host.
    pub(super) fn is_local(&self) -> bool {
        let client = &self.session.client;
        if client.has_flag(crate::clients::flag::UNIX_SOCKET) {
            return true;
        }
        let ip = client.addr.rsplit_once(':').map_or("", |(ip, _)| ip).trim_matches(['[', ']']);
        ip.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

/// Does what changed settings need of the server. What may fail comes first, so that a failure leaves nothing behind.
fn apply(server: &Arc<Server>, old: &Settings, new: &Settings) -> Result<(), ApplyError> {
    config::check_change(old, new)?;
    if new.maxclients > old.maxclients {
        let possible = startup::raise_file_limit(u64::from(new.maxclients));
        if possible < u64::from(new.maxclients) {
            let reason = format!(
                "The operating system is not able to handle the specified number of clients, try with {possible}"
            );
            return Err(ApplyError { directive: "maxclients", reason: reason.into() });
        }
    }
    if new.dir.0 != old.dir.0
        && let Err(error) = std::env::set_current_dir(&new.dir.0)
    {
        let reason = config::system_text(&error);
        return Err(ApplyError { directive: "dir", reason: reason.into() });
    }
    if (new.port != old.port || new.bind != old.bind)
        && let Err(error) = server.listening.change(server, new)
    {
        tracing::warn!("{error}");
        if new.dir.0 != old.dir.0 {
            // It was there a moment ago.
            let _ = std::env::set_current_dir(&old.dir.0);
        }
        return Err(if new.port != old.port {
            ApplyError {
                directive: "port",
                reason: "Unable to listen on this port. Check server logs.".into(),
            }
        } else {
            ApplyError { directive: "bind", reason: "Failed to bind to specified addresses.".into() }
        });
    }
    if new.appendonly && !old.appendonly {
        server.start_log(&new.appenddirname, &new.appendfilename).map_err(|error| {
            tracing::error!(%error, "cannot turn the log on");
            ApplyError { directive: "appendonly", reason: "Unable to turn on AOF. Check server logs.".into() }
        })?;
    }
    if old.appendonly && !new.appendonly {
        server.stop_log();
    }
    if new.requirepass != old.requirepass {
        server.acl.set_default_password(new.requirepass.as_deref());
    }
    if new.loglevel != old.loglevel {
        logging::set_level(new.loglevel);
    }
    Ok(())
}
