//! From command line, file and standard input to the settings at start.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use moonshard_engine::glob;
use moonshard_protocol::split_args::{quote, split_args};

use crate::acl::DeclaredUser;

use super::compound::path_from;
use super::directive::{DirectiveFlags, Refusal, Taken, find};
use super::error::{StartError, reason};
use super::help::{help_text, version_text};
use super::live::Config;
use super::table::Settings;
use super::unsupported::{self, Suspects};

/// Files may include files this deep; deeper is taken for a circle.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Why users cannot be in two places.
const USERS_TWICE: &str = "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path \
    is invalid. This setup is very likely to lead to configuration errors and security holes, please define either an \
    ACL file or declare users directly in your redis.conf, but not both.";

/// Directives that Redis 7.0 still accepts and ignores.
const IGNORED: [&[u8]; 3] =
    [b"list-max-ziplist-entries", b"list-max-ziplist-value", b"lua-replicate-commands"];

/// What the command line asks for.
pub enum Startup {
    /// Run the server.
    Serve(Box<Launch>),
    /// Print this text to the standard output and exit with 0.
    Print(String),
}

/// What is needed to run the server.
pub struct Launch {
    /// The configuration.
    pub config: Config,
    /// The first line that asks for what is not supported and would be dangerous to ignore. Who starts the server
    /// must not, then.
    pub unsupported: Option<StartError>,
    /// The users that it declares.
    pub users: Vec<DeclaredUser>,
}

impl Config {
    /// Reads the command line (without the program's name) and what it points to:
    /// `[/path/redis.conf] [--directive value ...]... [-]`, where `-`, first or last, is the standard input. Of
    /// several values for a directive the last counts, and the order is file, standard input, command line.
    ///
    /// Reads files but changes nothing of the process. The caller enters `Settings::dir`; relative paths of files
    /// that are included after a `dir` line already count from there.
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Result<Startup, StartError> {
        let args: Vec<OsString> = args.into_iter().collect();
        match args.first().map(|arg| arg.as_bytes()) {
            Some(b"-v" | b"--version") => return Ok(Startup::Print(version_text())),
            Some(b"-h" | b"--help") => return Ok(Startup::Print(help_text())),
            _ => {}
        }
        let line = CommandLine::parse(&args);
        let mut text = Vec::new();
        if let Some(file) = &line.file {
            text = read(file)?;
        }
        if line.stdin {
            let read = std::io::stdin().read_to_end(&mut text);
            read.map_err(|error| StartError::Open { path: "-".into(), reason: reason(&error) })?;
        }
        if !args.is_empty() {
            text.push(b'\n');
            text.extend(line.options);
        }
        let mut loader = Loader::default();
        loader.load(&text, None, 0)?;
        loader.finish(line.file)
    }

    /// Reads a configuration from text, as a file without a name.
    pub fn from_text(text: &[u8]) -> Result<Launch, StartError> {
        let mut loader = Loader::default();
        loader.load(text, None, 0)?;
        match loader.finish(None)? {
            Startup::Serve(launch) => Ok(*launch),
            Startup::Print(text) => Err(StartError::Whole { reason: text.into() }),
        }
    }
}

/// The command line, its options turned into lines of a file.
#[derive(Default)]
struct CommandLine {
    file: Option<PathBuf>,
    stdin: bool,
    options: Vec<u8>,
}

impl CommandLine {
    fn parse(args: &[OsString]) -> Self {
        let mut line = Self::default();
        let mut options = args;
        if let Some((first, rest)) = args.split_first()
            && !first.as_bytes().starts_with(b"-")
        {
            line.file = Some(std::path::absolute(first).unwrap_or_else(|_| first.into()));
            options = rest;
        }
        // An option's name is expected only after the previous one got a value: `--masterauth --x` sets `--x`.
        let mut named = true;
        for (index, arg) in options.iter().enumerate() {
            let arg = arg.as_bytes();
            let is_first = index == 0 && line.file.is_none();
            let next = options.get(index + 1).map(|next| next.as_bytes());
            if arg == b"-" && (is_first || next.is_none()) {
                line.stdin = true;
            } else if let Some(name) = arg.strip_prefix(b"--").filter(|_| named) {
                named = line.option(name, arg, next);
            } else {
                quote(arg, &mut line.options);
                line.options.push(b' ');
                named = true;
            }
        }
        line
    }

    /// Begins a line for an option; whether another option may follow at once.
    fn option(&mut self, name: &[u8], arg: &[u8], next: Option<&[u8]>) -> bool {
        if !self.options.is_empty() {
            self.options.push(b'\n');
        }
        self.options.extend(name);
        self.options.push(b' ');
        if split_args(arg).is_none_or(|words| words.len() != 1) {
            // The value is in the same argument, as in `"--port 6380"`.
            return true;
        }
        // `--save` without a value, as scripts write it from an empty list, is `--save ""`.
        let is_bare = next.is_none_or(|next| next.starts_with(b"--"));
        if arg.eq_ignore_ascii_case(b"--save") && is_bare {
            self.options.extend(b"\"\"");
            return true;
        }
        false
    }
}

/// Reads a file, or all files that match when its name is a pattern; then none is no error.
fn read(path: &Path) -> Result<Vec<u8>, StartError> {
    let open = |path: &Path| {
        std::fs::read(path)
            .map_err(|error| StartError::Open { path: path.to_owned(), reason: reason(&error) })
    };
    if !is_pattern(path.as_os_str()) {
        return open(path);
    }
    let mut text = Vec::new();
    for path in expand(path) {
        text.extend(open(&path)?);
    }
    Ok(text)
}

fn is_pattern(path: &OsStr) -> bool {
    path.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// The existing paths that match, sorted. Wildcards do not match a leading dot.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str();
        if !is_pattern(part) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let matching = entries.map(|entry| entry.file_name()).filter(|name| {
                let is_hidden = name.as_bytes().starts_with(b".") && !part.as_bytes().starts_with(b".");
                !is_hidden && glob::matches(part.as_bytes(), name.as_bytes(), false)
            });
            next.extend(matching.map(|name| folder.join(name)));
        }
        next.sort();
        found = next;
    }
    found.retain(|path| path.exists());
    found
}

/// The state between lines.
#[derive(Default)]
struct Loader {
    settings: Settings,
    /// Directives set so far.
    seen: HashSet<&'static str>,
    suspects: Suspects,
    users: Vec<DeclaredUser>,
}

impl Loader {
    fn load(&mut self, text: &[u8], file: Option<&Path>, depth: usize) -> Result<(), StartError> {
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = trim(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let refused = |reason: Refusal| StartError::Line {
                file: file.map(Path::to_owned),
                line: index + 1,
                text: String::from_utf8_lossy(line).into_owned(),
                reason,
            };
            let args =
                split_args(line).ok_or_else(|| refused("Unbalanced quotes in configuration line".into()))?;
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            let Some((name, values)) = args.split_first() else { continue };
            match (name.to_ascii_lowercase().as_slice(), values) {
                (b"include", [path]) => {
                    if depth == INCLUDE_DEPTH_MAX {
                        return Err(refused("Files include each other in a circle, or too deep".into()));
                    }
                    let path = self.settings.dir.0.join(path_from(path));
                    self.load(&read(&path)?, Some(&path), depth + 1)?;
                }
                (name, values) => {
                    self.directive(name, values).map_err(refused)?;
                    if let Some((directive, reason)) = suspicion(name) {
                        self.suspects.note(directive, refused(reason));
                    }
                }
            }
        }
        Ok(())
    }

    fn directive(&mut self, name: &[u8], values: &[&[u8]]) -> Taken {
        let Some(found) = find(name) else { return self.other(name, values) };
        let directive = found.directive;
        let again = !self.seen.insert(directive.name);
        if !directive.flags.contains(DirectiveFlags::MULTI_ARG) && values.len() != 1 {
            return Err("wrong number of arguments".into());
        }
        if let ([value], true) = (values, directive.flags.contains(DirectiveFlags::MULTI_ARG))
            && !value.is_empty()
        {
            // All of a list may stand in one pair of quotes.
            let split = split_args(value).unwrap_or_default();
            let split: Vec<&[u8]> = split.iter().map(Vec::as_slice).collect();
            return directive.set(&mut self.settings, &split, again);
        }
        directive.set(&mut self.settings, values, again)
    }

    /// Lines that are no directives.
    fn other(&mut self, name: &[u8], values: &[&[u8]]) -> Taken {
        match (name, values) {
            (_, [_]) if IGNORED.contains(&name) => Ok(()),
            // It is judged with the other suspects.
            (b"rename-command", [_, _]) => Ok(()),
            (b"user", [_, ..]) => {
                let user = DeclaredUser::parse(values, &self.users)?;
                self.users.push(user);
                Ok(())
            }
            (b"loadmodule", [_, ..]) => Err("Modules are not supported".into()),
            (b"sentinel", [_, ..]) => Err("sentinel directive while not in sentinel mode".into()),
            (b"sentinel", []) => Err("Sentinel mode is not supported".into()),
            (name, [_, ..]) if name.contains(&b'.') => {
                Err("Settings of modules are not supported, as modules are not".into())
            }
            (name, []) if name.contains(&b'.') => Err("Module config specified without value".into()),
            _ => Err("Bad directive or wrong number of arguments".into()),
        }
    }

    /// Looks at the whole.
    fn finish(self, file: Option<PathBuf>) -> Result<Startup, StartError> {
        let settings = self.settings;
        if !settings.logfile.is_empty() {
            let path = settings.dir.0.join(path_from(&settings.logfile));
            let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
            opened.map_err(|error| {
                let reason = format!("Can't open the log file: {}", reason(&error)).into();
                StartError::Whole { reason }
            })?;
        }
        if settings.cluster_enabled && settings.replicaof.0.is_some() {
            let reason = "replicaof directive not allowed in cluster mode".into();
            return Err(StartError::Whole { reason });
        }
        if !self.users.is_empty() && !settings.aclfile.is_empty() {
            return Err(StartError::Whole { reason: USERS_TWICE.into() });
        }
        let launch = Launch {
            users: self.users,
            unsupported: self.suspects.judge(&settings),
            config: Config::new(settings, file),
        };
        Ok(Startup::Serve(Box::new(launch)))
    }
}

/// The directive, if it is one that may turn out to be unsupported, and why.
fn suspicion(name: &[u8]) -> Option<(&'static str, Refusal)> {
    if name == b"rename-command" {
        return Some(("rename-command", unsupported::RENAME_COMMAND.into()));
    }
    Suspects::reason(find(name)?.directive.name)
}

/// Without blanks and line ends on both sides.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().position(|byte| !is_blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}
