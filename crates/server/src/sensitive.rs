//! Arguments that must show neither to MONITOR nor in the slow log.

use crate::config;
use moonshard_engine::Args;
use moonshard_engine::command::{Entry, Handler, ServerCommand, SessionCommand};
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
        assert_eq!(shown(&["CONFIG", "SET", "hz", "10"]), "CONFIG SET hz 10");
    }
}
