//! What was found, in words.

use super::{CommandFacts, Fault, FileReport, Report, Role, SnapshotDamage, SnapshotFacts};
use crate::reader::Damage;
use std::fmt::{self, Display, Formatter};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(manifest) = &self.manifest {
            writeln!(f, "{}: a valid manifest", manifest.display())?;
        }
        for file in &self.files {
            writeln!(f, "{file}")?;
        }
        if !self.strangers.is_empty() {
            let names: Vec<_> = self.strangers.iter().map(|name| name.to_string_lossy()).collect();
            writeln!(f, "not named by the manifest, and no part of the data: {}", names.join(", "))?;
        }
        Ok(())
    }
}

impl Display for FileReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let what = match (self.role, &self.snapshot) {
            (Role::Base, Some(_)) => "base in the RDB format",
            (Role::Base, None) => "base of commands",
            (Role::Increment, _) => "increment",
            (Role::Alone, Some(_)) if self.commands != CommandFacts::default() => "RDB format, then commands",
            (Role::Alone, Some(_)) => "RDB format",
            (Role::Alone, None) => "commands",
        };
        let verdict = match &self.fault {
            None if self.len == 0 => "valid, but empty",
            None => "valid",
            Some(Fault::Io(_)) => "CANNOT BE READ",
            Some(_) => "NOT VALID",
        };
        write!(f, "{}: {verdict} ({what}, {} bytes)", self.path.display(), self.len)?;
        if let Some(facts) = &self.snapshot {
            write!(f, "\n    {facts}")?;
        }
        if self.commands != CommandFacts::default() {
            write!(f, "\n    {}", self.commands)?;
        }
        match &self.fault {
            None => {}
            Some(Fault::Io(error)) => write!(f, "\n    {error}")?,
            Some(Fault::Snapshot(damage)) => write!(f, "\n    {damage}")?,
            Some(Fault::Commands(damage)) => write!(f, "\n    {damage}")?,
        }
        if let Some(Fault::Commands(Damage::Corrupt { valid_up_to, .. })) = &self.fault {
            write!(f, "\n    it is whole up to byte {valid_up_to}")?;
        }
        if let Some(at) = self.later {
            write!(f, "\n    a later timestamp stands at byte {at}")?;
        }
        Ok(())
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl Display for CommandFacts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (commands, transactions) =
            (counted(self.commands, "command"), counted(self.transactions, "transaction"));
        write!(f, "{commands}, {transactions}")?;
        if let Some((first, last)) = self.timestamps {
            write!(f, ", timestamps from {first} to {last}")?;
        }
        Ok(())
    }
}

impl Display for SnapshotFacts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "RDB version {}, {}", self.version, counted(self.keys, "key"))?;
        if !self.databases.is_empty() {
            write!(f, " in {}", counted(self.databases.len() as u64, "database"))?;
        }
        write!(f, ", {} expiring, {} of them due", self.expiring, self.due)?;
        if self.libraries > 0 {
            let plural = if self.libraries == 1 { "library" } else { "libraries" };
            write!(f, ", {} {plural} of functions", self.libraries)?;
        }
        f.write_str(if self.has_checksum { ", checksum right" } else { ", no checksum" })?;
        for (name, value) in &self.fields {
            write!(f, ", {}={}", name.escape_ascii(), value.escape_ascii())?;
        }
        Ok(())
    }
}

impl Display for SnapshotDamage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "what begins at byte {} is wrong, found at byte {}: {}",
            self.offset, self.read_up_to, self.reason
        )?;
        if let (Some(key), Some(value_type)) = (&self.key, self.value_type) {
            /// Bytes of a key that are shown.
            const SHOWN_MAX: usize = 200;
            let shown = key.get(..SHOWN_MAX).unwrap_or(key);
            write!(f, " (key \"{}\", {value_type:?})", shown.escape_ascii())?;
        }
        Ok(())
    }
}
