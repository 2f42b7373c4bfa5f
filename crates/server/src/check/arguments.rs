//! What is to be checked, and how.

use std::ffi::OsString;
use std::path::PathBuf;

const HELP: &str = "\
Usage: moonshard check [--fix] [--yes] [--truncate-to-timestamp SECONDS] PATH

Examines what a server keeps on disk, without loading it. PATH is a manifest of
an append-only log, the folder with one, a log of one file, or an RDB file. All
of it is read: every command's form, name and number of arguments, every value,
every checksum.

  --fix      cut off the end of the last file from the first command or
             transaction on that is not whole, after asking
  --yes      do not ask
  --truncate-to-timestamp SECONDS
             cut the last file before what was written later than this Unix
             time (with aof-timestamp-enabled yes); this does not ask

See that no server uses files that you let it cut, and keep a copy.

Exits with
  0  when all is valid, or was made so
  1  when not, or when it cannot be read
  2  when the arguments make no sense

Called by the name redis-check-aof or redis-check-rdb it takes their arguments.";

const AOF_HELP: &str =
    "Usage: redis-check-aof [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>";
const RDB_HELP: &str = "Usage: redis-check-rdb <rdb-file-name>";

/// By which name the program was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Check,
    RedisCheckAof,
    RedisCheckRdb,
}

impl Command {
    pub(super) const fn help(self) -> &'static str {
        match self {
            Self::Check => HELP,
            Self::RedisCheckAof => AOF_HELP,
            Self::RedisCheckRdb => RDB_HELP,
        }
    }

    /// The exit code when the arguments make no sense.
    pub(super) const fn usage_code(self) -> u8 {
        if matches!(self, Self::Check) { 2 } else { 1 }
    }
}

/// What the arguments say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub command: Command,
    pub path: PathBuf,
    pub fix: bool,
    pub yes: bool,
    /// Unix time in seconds.
    pub truncate_to: Option<i64>,
}

impl Arguments {
    /// Reads the arguments; none when help is wanted.
    pub(super) fn parse(
        command: Command,
        mut args: impl Iterator<Item = OsString>,
    ) -> Result<Option<Self>, String> {
        let (mut path, mut fix, mut yes, mut truncate_to) = (None, false, false, None);
        let cuts = command != Command::RedisCheckRdb;
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--help" | "-h") => return Ok(None),
                Some("--fix") if cuts => fix = true,
                Some("--yes") if command == Command::Check => yes = true,
                Some("--truncate-to-timestamp") if cuts => {
                    let value = args.next().ok_or("--truncate-to-timestamp needs a value")?;
                    let seconds = value.to_str().and_then(|text| text.parse().ok());
                    truncate_to = Some(seconds.ok_or("Invalid timestamp, aborting...")?);
                }
                Some(option) if option.starts_with("--") => return Err(format!("unknown argument {option}")),
                _ if path.is_none() => path = Some(PathBuf::from(arg)),
                _ => return Err("one file or folder at a time".to_owned()),
            }
        }
        if truncate_to.is_some() && (fix || yes) {
            return Err("--truncate-to-timestamp goes alone".to_owned());
        }
        let path = path.ok_or("a file or folder is missing")?;
        Ok(Some(Self { command, path, fix, yes, truncate_to }))
    }

    /// How to repair what was examined.
    pub(super) fn repair_command(&self) -> String {
        let program = match self.command {
            Command::Check | Command::RedisCheckRdb => "moonshard check",
            Command::RedisCheckAof => "redis-check-aof",
        };
        format!("{program} --fix {}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(command: Command, words: &str) -> Result<Option<Arguments>, String> {
        Arguments::parse(command, words.split_ascii_whitespace().map(OsString::from))
    }

    #[test]
    fn arguments_in_any_order() {
        let wanted = Arguments {
            command: Command::Check,
            path: "log".into(),
            fix: true,
            yes: true,
            truncate_to: None,
        };
        for words in ["--fix --yes log", "log --yes --fix"] {
            assert_eq!(parse(Command::Check, words).unwrap().as_ref(), Some(&wanted));
        }
        let cut = parse(Command::RedisCheckAof, "--truncate-to-timestamp 12 log").unwrap().unwrap();
        assert_eq!((cut.truncate_to, cut.fix), (Some(12), false));
        assert_eq!(parse(Command::Check, "--help"), Ok(None));
    }

    #[test]
    fn what_makes_no_sense() {
        for (command, words) in [
            (Command::Check, ""),
            (Command::Check, "a b"),
            (Command::Check, "--what a"),
            (Command::Check, "--truncate-to-timestamp x a"),
            (Command::Check, "--truncate-to-timestamp"),
            (Command::Check, "--fix --truncate-to-timestamp 1 a"),
            (Command::RedisCheckAof, "--yes a"),
            (Command::RedisCheckRdb, "--fix a"),
        ] {
            assert!(parse(command, words).is_err(), "{words}");
        }
    }
}
