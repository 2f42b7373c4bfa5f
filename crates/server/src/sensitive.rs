//! Arguments that must show neither to MONITOR nor in the slow log.

use crate::config;
use moonshard_engine::Args;
use moonshard_engine::command::{AclCommand, Entry, Handler, ServerCommand, SessionCommand};
use std::borrow::Cow;

const REDACTED: &[u8] = b"(redacted)";

/// The arguments with passwords made unreadable.
pub fn redacted<'a>(entry: &Entry, args: Args<'a>) -> Cow<'a, [&'a [u8]]> {
    let all = args.all();
    match entry.command.handler {
        Handler::Session(SessionCommand::Auth) => {
            Cow::Owned(all.iter().enumerate().map(|(at, arg)| if at == 0 { arg } else { REDACTED }).collect())
        }
        Handler::Session(SessionCommand::Hello) => {
            let Some(auth) = (2..args.len()).find(|&at| args.is(at, "AUTH")) else {
                return Cow::Borrowed(all);
            };
            redact(all, auth + 1..auth + 3)
        }
        Handler::Server(ServerCommand::Migrate) => match (6..args.len()).find(|&at| args.is(at, "KEYS")) {
            // What follows are keys, whatever their names.
            Some(keys) => redact_credentials(args, 6..keys),
            None => redact_credentials(args, 6..args.len()),
        },
        Handler::Server(ServerCommand::Acl(AclCommand::SetUser)) => redact(all, 2..all.len()),
        Handler::Server(ServerCommand::ConfigSet) => {
            let mut shown = Cow::Borrowed(all);
            for at in (2..args.len()).step_by(2).filter(|&at| config::is_sensitive(args.raw(at))) {
                if let Some(value) = shown.to_mut().get_mut(at + 1) {
                    *value = REDACTED;
                }
            }
            shown
        }
        _ => Cow::Borrowed(all),
    }
}

/// Hides what follows AUTH and AUTH2 among these arguments.
fn redact_credentials<'a>(args: Args<'a>, mut among: std::ops::Range<usize>) -> Cow<'a, [&'a [u8]]> {
    match among.find(|&at| args.is(at, "AUTH") || args.is(at, "AUTH2")) {
        Some(at) => redact(args.all(), at + 1..at + if args.is(at, "AUTH") { 2 } else { 3 }),
        None => Cow::Borrowed(args.all()),
    }
}

fn redact<'a>(all: &'a [&'a [u8]], hidden: std::ops::Range<usize>) -> Cow<'a, [&'a [u8]]> {
    Cow::Owned(
        all.iter().enumerate().map(|(at, arg)| if hidden.contains(&at) { REDACTED } else { arg }).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use moonshard_engine::command::CommandTable;

    fn shown(words: &[&str]) -> String {
        let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let args = Args::new(&args);
        let entry = CommandTable::get().resolve(args).expect("a command");
        String::from_utf8(redacted(entry, args).join(&b' ')).expect("text")
    }

    #[test]
    fn passwords_do_not_show() {
        assert_eq!(shown(&["AUTH", "secret"]), "AUTH (redacted)");
        assert_eq!(shown(&["AUTH", "user", "secret"]), "AUTH (redacted) (redacted)");
        assert_eq!(
            shown(&["HELLO", "3", "SETNAME", "x", "auth", "user", "secret"]),
            "HELLO 3 SETNAME x auth (redacted) (redacted)"
        );
        assert_eq!(
            shown(&["CONFIG", "SET", "maxmemory", "0", "REQUIREPASS", "secret"]),
            "CONFIG SET maxmemory 0 REQUIREPASS (redacted)"
        );
        let migrate = ["MIGRATE", "host", "6379", "", "0", "100", "COPY"];
        let shown_after = |words: &[&str]| shown(&[&migrate[..], words].concat()).split_off(30);
        assert_eq!(shown_after(&["AUTH", "secret", "KEYS", "a"]), "AUTH (redacted) KEYS a");
        assert_eq!(shown_after(&["auth2", "u", "p", "KEYS", "a"]), "auth2 (redacted) (redacted) KEYS a");
        assert_eq!(shown_after(&["KEYS", "AUTH", "a"]), "KEYS AUTH a");
        assert_eq!(shown(&["ACL", "SETUSER", "u", ">p"]), "ACL SETUSER (redacted) (redacted)");
        assert_eq!(shown(&["CONFIG", "SET", "hz", "10"]), "CONFIG SET hz 10");
    }
}
