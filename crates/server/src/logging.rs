//! The log: lines for people or JSON, to standard output or a file.

use crate::config::{LogFormat, LogLevel, Settings};
use std::fs::OpenOptions;
use std::io;
use std::sync::Mutex;
use std::sync::OnceLock;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// The way to the level of the log that was started.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
    }
}

/// Changes the least severity that is logged from now on.
pub fn set_level(level: LogLevel) {
    if let Some(Err(error)) = LEVEL.get().map(|handle| handle.reload(filter(level))) {
        tracing::warn!(%error, "the log level could not be changed");
    }
}

/// Starts the log as the configuration says. Called once.
///
/// # Errors
/// When the log file cannot be opened.
pub fn start(settings: &Settings) -> io::Result<()> {
    let to_file = !settings.logfile.is_empty();
    let writer = if to_file {
        let path = String::from_utf8_lossy(&settings.logfile).into_owned();
        BoxMakeWriter::new(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?))
    } else {
        BoxMakeWriter::new(io::stdout)
    };
    let (level, handle) = reload::Layer::new(filter(settings.loglevel));
    let lines = fmt::layer().with_target(false).with_writer(writer);
    let lines = match settings.log_format {
        LogFormat::Human => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(level).with(lines).try_init().map_err(io::Error::other)?;
    // There is one log in a process: `try_init` has seen to that.
    let _ = LEVEL.set(handle);
    Ok(())
}
