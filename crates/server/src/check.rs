//! `moonshard check`: examines what a server keeps on disk, and cuts off what a crash has left half done.

mod arguments;

use arguments::{Arguments, Command};
use moonshard_aof::check::{self, FileReport, Options, Report};
use moonshard_disk::{Disk, SystemDisk};
use moonshard_engine::Args;
use moonshard_engine::command::CommandTable;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

const VALID: u8 = 0;
const NOT_VALID: u8 = 1;

/// Runs the subcommand with the arguments that follow its name.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    Command::Check.run(args)
}

/// Runs one of Redis' tools with the arguments that follow the program's name, if it was called by the name of one.
pub fn run_as(program: &OsStr, args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let name = program.as_bytes();
    let command = if name.ends_with(b"redis-check-aof") {
        Command::RedisCheckAof
    } else if name.ends_with(b"redis-check-rdb") {
        Command::RedisCheckRdb
    } else {
        return None;
    };
    Some(command.run(args))
}

impl Command {
    fn run(self, args: impl Iterator<Item = OsString>) -> ExitCode {
        let mut args = args.peekable();
        let is_version = |arg: &OsString| arg == "-v" || arg == "--version";
        if self == Self::RedisCheckRdb && args.peek().is_some_and(is_version) {
            say(&format!("redis-check-rdb {}", crate::REDIS_VERSION));
            return ExitCode::SUCCESS;
        }
        match Arguments::parse(self, args) {
            Ok(Some(arguments)) => ExitCode::from(arguments.check(&SystemDisk, &mut io::stdin().lock())),
            Ok(None) => {
                say(self.help());
                ExitCode::SUCCESS
            }
            Err(wrong) => {
                say(&format!("{wrong}\n{}", self.help()));
                ExitCode::from(self.usage_code())
            }
        }
    }
}

/// Refuses what the server would not run when it loads the log.
fn vet(args: &[&[u8]]) -> Result<(), String> {
    CommandTable::get().resolve(Args::new(args)).map(drop).map_err(|error| error.to_string())
}

/// The exit code counts, whether anybody reads the text or not.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

impl Arguments {
    /// Examines, repairs if asked to, and tells about it. Returns the exit code.
    fn check(&self, disk: &dyn Disk, answers: &mut dyn BufRead) -> u8 {
        let options = Options {
            up_to_unix_seconds: self.truncate_to,
            now_ms: crate::server::unix_ms(),
            snapshot_only: self.command == Command::RedisCheckRdb,
            // Redis' tool knows no commands.
            vet: (self.command == Command::Check).then_some(&vet),
        };
        let report = match check::examine(disk, &self.path, options) {
            Ok(report) => report,
            Err(error) => {
                say(&error.to_string());
                return NOT_VALID;
            }
        };
        say(report.to_string().trim_end());
        let outcome = match self.truncate_to {
            Some(seconds) => truncate(disk, &report, seconds),
            None => self.judge(disk, &report, answers),
        };
        match outcome {
            Ok(text) => {
                say(&text);
                VALID
            }
            Err(text) => {
                say(&text);
                NOT_VALID
            }
        }
    }

    /// Says whether the data is valid, after a repair if that is wanted.
    fn judge(&self, disk: &dyn Disk, report: &Report, answers: &mut dyn BufRead) -> Result<String, String> {
        let mut faulty = report.files.iter().filter(|file| file.fault.is_some());
        let Some(file) = faulty.next() else { return Ok("Everything is valid.".to_owned()) };
        let Some(len) = file.repaired_len().filter(|_| faulty.next().is_none()) else {
            return Err(
                "This cannot be repaired by cutting off an end: restore a copy, or another file.".into()
            );
        };
        if !file.last {
            return Err(format!(
                "{} is not the last file: cutting off its end would lose what follows there and leave what was written \
                 after it in the later files, which cannot be right. Restore a copy of it.",
                file.path.display()
            ));
        }
        let lost = file.len.saturating_sub(len);
        if !self.fix {
            return Err(format!(
                "Cutting off its last {lost} bytes makes it valid. Make a copy of it, see that no server uses it, and \
                 run: {}",
                self.repair_command()
            ));
        }
        let question = format!(
            "This shrinks {} from {} bytes, by {lost} bytes, to {len} bytes. Continue? [y/N]: ",
            file.path.display(),
            file.len
        );
        if !self.yes && !agrees(&question, answers) {
            return Err("Nothing was changed.".to_owned());
        }
        cut(disk, file, len)
    }
}

/// Cuts the last file at the first timestamp that is later than `seconds`.
fn truncate(disk: &dyn Disk, report: &Report, seconds: i64) -> Result<String, String> {
    let Some((file, len)) = report.files.iter().find_map(|file| Some((file, file.later?))) else {
        return if report.is_valid() {
            Ok(format!("There is no timestamp later than {seconds}: nothing was cut off."))
        } else {
            Err(format!(
                "There is no timestamp later than {seconds} before what is not valid: repair that first."
            ))
        };
    };
    let name = file.path.display();
    if report.files.iter().any(|file| file.fault.is_some()) {
        return Err("Repair what is not valid first.".to_owned());
    }
    if len == 0 {
        return Err(format!("{name} has nothing before timestamp {seconds}: nothing was cut off."));
    }
    if !file.last {
        return Err(format!(
            "{name} is not the last file. To go back so far, take the later files out of the manifest first."
        ));
    }
    cut(disk, file, len)
}

fn cut(disk: &dyn Disk, file: &FileReport, len: u64) -> Result<String, String> {
    let name = file.path.display();
    match disk.truncate(&file.path, len) {
        Ok(()) => Ok(format!("{name} was cut to {len} bytes and is valid now.")),
        Err(error) => Err(format!("{name} cannot be cut: {error}")),
    }
}

fn agrees(question: &str, answers: &mut dyn BufRead) -> bool {
    let mut out = io::stdout();
    let _ = write!(out, "{question}").and_then(|()| out.flush());
    let mut answer = String::new();
    answers.read_line(&mut answer).is_ok() && answer.starts_with(['y', 'Y'])
}
