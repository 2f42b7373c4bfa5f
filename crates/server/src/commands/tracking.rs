//! CLIENT TRACKING and what belongs to it.

use super::Call;
use crate::clients::flag;
use crate::tracking::Options;
use moonshard_engine::{Args, Error};
use std::sync::atomic::Ordering::Relaxed;

const SWITCH: &str =
    "before disabling tracking for this client, and then re-enabling it with a different mode.";

impl Call<'_, '_> {
    pub(super) fn client_get_redir(&mut self) -> Result<(), Error> {
        self.reply.int(self.session.client.redirection());
        Ok(())
    }

    pub(super) fn client_tracking_info(&mut self) -> Result<(), Error> {
        let client = &self.session.client;
        let mut words = vec![if client.has_flag(flag::TRACKING) { "on" } else { "off" }];
        let caching = client.has_flag(flag::CACHING);
        for (flag, word, with_caching) in [
            (flag::BROADCAST, "bcast", None),
            (flag::OPT_IN, "optin", Some("caching-yes")),
            (flag::OPT_OUT, "optout", Some("caching-no")),
            (flag::NO_LOOP, "noloop", None),
            (flag::BROKEN_REDIRECT, "broken_redirect", None),
        ] {
            if client.has_flag(flag) {
                words.push(word);
                words.extend(with_caching.filter(|_| caching));
            }
        }
        self.reply.map(3);
        self.reply.bulk(b"flags");
        self.reply.set(words.len());
        words.iter().for_each(|word| self.reply.bulk(word.as_bytes()));
        self.reply.bulk(b"redirect");
        self.reply.int(client.redirection());
        self.reply.bulk(b"prefixes");
        let broadcasts = client.has_flag(flag::BROADCAST);
        let prefixes = if broadcasts { self.server.tracking.prefixes.of(client.id) } else { Vec::new() };
        self.reply.array(prefixes.len());
        prefixes.iter().for_each(|prefix| self.reply.bulk(prefix));
        Ok(())
    }

    pub(super) fn client_caching(&mut self) -> Result<(), Error> {
        let client = &self.session.client;
        if !client.has_flag(flag::TRACKING) {
            return Err(Error::fixed(
                "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT \
                 mode enabled",
            ));
        }
        let (mode, wrong_mode) = match () {
            () if self.args.is(2, "YES") => {
                (flag::OPT_IN, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
            }
            () if self.args.is(2, "NO") => (
                flag::OPT_OUT,
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ),
            () => return Err(Error::SYNTAX),
        };
        if !client.has_flag(mode) {
            return Err(Error::fixed(wrong_mode));
        }
        client.set_flag(flag::CACHING, true);
        self.session.caching = true;
        self.reply.ok();
        Ok(())
    }

    pub(super) fn client_tracking(&mut self) -> Result<(), Error> {
        let options = self.tracking_options(self.args)?;
        if self.on_or_off(2)? {
            self.check_tracking(&options)?;
            self.server.track(&self.session.client, &options);
        } else {
            self.server.untrack(&self.session.client);
        }
        self.session.note_listening();
        self.reply.ok();
        Ok(())
    }

    fn tracking_options(&self, args: Args<'_>) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut at = 3;
        while at < args.len() {
            let more = at + 1 < args.len();
            if args.is(at, "REDIRECT") && more {
                at += 1;
                if options.redirect != 0 {
                    return Err(Error::fixed("ERR A client can only redirect to a single other client"));
                }
                let id = u64::try_from(args.int(at)?).ok();
                let id = id.filter(|&id| self.server.clients.get(id).is_some());
                options.redirect =
                    id.ok_or(Error::fixed("ERR The client ID you want redirect to does not exist"))?;
            } else if args.is(at, "PREFIX") && more {
                at += 1;
                options.prefixes.push(args.raw(at).into());
            } else {
                options.flags |= match () {
                    () if args.is(at, "BCAST") => flag::BROADCAST,
                    () if args.is(at, "OPTIN") => flag::OPT_IN,
                    () if args.is(at, "OPTOUT") => flag::OPT_OUT,
                    () if args.is(at, "NOLOOP") => flag::NO_LOOP,
                    () => return Err(Error::SYNTAX),
                };
            }
            at += 1;
        }
        Ok(options)
    }

    /// Whether the options fit each other and how the client tracks already.
    fn check_tracking(&self, options: &Options) -> Result<(), Error> {
        let client = &self.session.client;
        let asks = |flag| options.flags & flag != 0;
        if !asks(flag::BROADCAST) && !options.prefixes.is_empty() {
            return Err(Error::fixed("ERR PREFIX option requires BCAST mode to be enabled"));
        }
        if client.has_flag(flag::TRACKING) && client.has_flag(flag::BROADCAST) != asks(flag::BROADCAST) {
            return Err(Error::text(format!("ERR You can't switch BCAST mode on/off {SWITCH}")));
        }
        if asks(flag::BROADCAST) && asks(flag::OPT_IN | flag::OPT_OUT) {
            return Err(Error::fixed("ERR OPTIN and OPTOUT are not compatible with BCAST"));
        }
        if asks(flag::OPT_IN) && asks(flag::OPT_OUT) {
            return Err(Error::fixed("ERR You can't specify both OPTIN mode and OPTOUT mode"));
        }
        if (asks(flag::OPT_IN) && client.has_flag(flag::OPT_OUT))
            || (asks(flag::OPT_OUT) && client.has_flag(flag::OPT_IN))
        {
            return Err(Error::text(format!("ERR You can't switch OPTIN/OPTOUT mode {SWITCH}")));
        }
        if client.has_flag(flag::BROADCAST) {
            let before = self.server.tracking.prefixes.of(client.id);
            return check_prefixes(&options.prefixes, &before);
        }
        check_prefixes(&options.prefixes, &[])
    }
}

/// Whether no prefix begins with another, of which there are those that the client has `before`.
fn check_prefixes(prefixes: &[Box<[u8]>], before: &[Box<[u8]>]) -> Result<(), Error> {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    for (at, prefix) in prefixes.iter().enumerate() {
        if let Some(other) = before.iter().find(|other| overlap(other, prefix)) {
            return Err(overlapping(prefix, "an existing prefix", other));
        }
        if let Some(other) = prefixes[at + 1..].iter().find(|other| overlap(other, prefix)) {
            return Err(overlapping(prefix, "another provided prefix", other));
        }
    }
    Ok(())
}

fn overlapping(prefix: &[u8], what: &str, other: &[u8]) -> Error {
    // As Redis prints them, up to a zero byte.
    let shown = |name: &[u8]| name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
    let parts: [&[u8]; 7] = [
        b"ERR Prefix '",
        &shown(prefix),
        b"' overlaps with ",
        what.as_bytes(),
        b" '",
        &shown(other),
        b"'. Prefixes for a single client must not overlap.",
    ];
    Error::bytes(parts.concat())
}

impl crate::clients::Client {
    /// The id of the client that it has redirected invalidations to, 0 for itself, -1 while it does not track.
    pub fn redirection(&self) -> i64 {
        if self.has_flag(flag::TRACKING) { self.redirect.load(Relaxed) as i64 } else { -1 }
    }
}
