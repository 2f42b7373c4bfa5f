//! INFO.

mod clients;
mod commands;
mod keyspace;
mod memory;
mod persistence;
mod process;
mod scripts;
mod server;
mod stats;

use super::Call;
use crate::figures::ShardFigures;
use crate::server::Server;
use moonshard_engine::Error;
use std::fmt::{Display, Write};

pub(super) use memory::startup_and_overhead;
pub(super) use process::resident_bytes;

/// A section's name, whether INFO shows it by itself, and what writes it.
type Section = (&'static str, bool, fn(&mut Report<'_>));

/// Sections in the order in which they are shown; with `true`, those that INFO shows by itself.
const SECTIONS: &[Section] = &[
    ("server", true, server::server),
    ("clients", true, clients::clients),
    ("memory", true, memory::memory),
    ("persistence", true, persistence::persistence),
    ("stats", true, stats::stats),
    ("replication", true, persistence::replication),
    ("cpu", true, process::cpu),
    ("module_list", true, modules),
    ("commandstats", false, commands::command_stats),
    ("errorstats", true, commands::error_stats),
    ("latencystats", false, commands::latency_stats),
    ("cluster", true, keyspace::cluster),
    ("keyspace", true, keyspace::keyspace),
    ("shards", false, keyspace::shards),
    ("scripts", false, scripts::scripts),
];

/// The text of INFO as it is written, and what it is about.
struct Report<'a> {
    server: &'a Server,
    /// Unix time in milliseconds.
    now_ms: u64,
    /// The shards' figures, all of one moment.
    shards: Vec<ShardFigures>,
    text: String,
}

impl Report<'_> {
    fn section(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        // Writing into a String cannot fail.
        let _ = write!(self.text, "# {title}\r\n");
    }

    fn field(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.text, "{name}:{value}\r\n");
    }

    /// A field that is a truth: 1 or 0.
    fn flag(&mut self, name: &str, value: bool) {
        self.field(name, u8::from(value));
    }

    fn zeros(&mut self, names: &[&str]) {
        for name in names {
            self.field(name, 0);
        }
    }

    /// A field of bytes, and one that says the same for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human(bytes));
    }
}

/// Bytes with a unit.
fn human(bytes: u64) -> String {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    let mut unit = None;
    let mut value = bytes as f64;
    for name in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = Some(name);
    }
    unit.map_or(format!("{bytes}B"), |unit| format!("{value:.2}{unit}"))
}

fn modules(report: &mut Report<'_>) {
    report.section("Modules");
}

/// How fields name a shard; one without slots only once a script has run there.
fn name_of_cell(server: &Server, number: usize) -> Option<String> {
    match number.checked_sub(server.shards.len()) {
        None => Some(format!("shard{number}")),
        Some(keyless) => (server.cell(number).control.scripts() > 0).then(|| format!("keyless{keyless}")),
    }
}

/// Which sections the arguments ask for, by position.
fn wanted(args: &[&[u8]]) -> Vec<bool> {
    let mut wanted: Vec<bool> = SECTIONS.iter().map(|section| args.is_empty() && section.1).collect();
    for arg in args {
        let arg = arg.to_ascii_lowercase();
        for (wanted, (name, is_default, _)) in wanted.iter_mut().zip(SECTIONS) {
            *wanted |= match arg.as_slice() {
                b"all" | b"everything" => true,
                b"default" => *is_default,
                b"modules" => *name == "module_list",
                section => section == name.as_bytes(),
            };
        }
    }
    wanted
}

impl Call<'_, '_> {
    pub(super) fn info(&mut self) -> Result<(), Error> {
        let mut report = Report {
            server: self.server,
            now_ms: self.now_ms,
            shards: self.server.shard_figures(),
            text: String::with_capacity(8 * 1024),
        };
        for (wanted, (.., write)) in wanted(self.args.from(1)).into_iter().zip(SECTIONS) {
            if wanted {
                write(&mut report);
            }
        }
        let text = report.text;
        self.reply.verbatim(b"txt", text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&[u8]]) -> Vec<&'static str> {
        wanted(args).into_iter().zip(SECTIONS).filter(|(wanted, _)| *wanted).map(|(_, s)| s.0).collect()
    }

    #[test]
    fn sections_are_chosen_as_in_redis() {
        assert!(!names(&[]).contains(&"commandstats"));
        assert_eq!(names(&[b"CPU", b"server", b"nope"]), ["server", "cpu"]);
        assert_eq!(names(&[b"all"]).len(), SECTIONS.len());
        assert_eq!(names(&[b"default", b"commandstats"]).len(), names(&[]).len() + 1);
        assert!(names(&[b"nope"]).is_empty());
    }

    #[test]
    fn bytes_for_people() {
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(1024), "1.00K");
        assert_eq!(human(1_089_168), "1.04M");
        assert_eq!(human(25_276_514_304), "23.54G");
    }
}
