//! The log: lines for people or JSON, to standard output or a file.

use crate::config::{LogFormat, LogLevel, Settings};
use std::fs::OpenOptions;
use std::io;
use std::sync::Mutex;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// Starts the log as the configuration says. Called once.
///
/// # Errors
/// When the log file cannot be opened.
pub fn start(settings: &Settings) -> io::Result<()> {
    let level = match settings.loglevel {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
    };
    let to_file = !settings.logfile.is_empty();
    let writer = if to_file {
        let path = String::from_utf8_lossy(&settings.logfile).into_owned();
        BoxMakeWriter::new(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?))
    } else {
        BoxMakeWriter::new(io::stdout)
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(writer);
    let started = match settings.log_format {
        LogFormat::Human => subscriber.with_ansi(false).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    started.map_err(io::Error::other)
}
