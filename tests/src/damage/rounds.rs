//! One changed file after the other.

use super::{Outcome, Sample, change, copy_dir, ended_well, our_check, our_load};
use crate::random::Rng;
use crate::server::temp_dir;
use std::fmt;
use std::fs;

/// What has been tried so far.
#[derive(Debug, Default)]
pub struct Rounds {
    changed: u64,
    valid: u64,
    loaded: u64,
    peak_bytes: u64,
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed, valid, loaded, peak_bytes } = self;
        let mebibytes = peak_bytes >> 20;
        write!(
            f,
            "{changed} changed files: {valid} still valid, {loaded} loaded, at most {mebibytes} MiB of memory"
        )
    }
}

/// What is to be said against these two about the same file.
fn disagreement(is_log: bool, verdict: &Outcome, load: &Outcome) -> Option<&'static str> {
    /// Why a server refuses what is whole: a library that is no Lua, a key that comes twice, a database that it has not.
    const REFUSED: &[&str] =
        &["a script in it: ", " comes twice in database ", "out of range", "see the setting databases"];
    /// Why a server takes what is not: it passes over an empty collection, as Redis does, ...
    const TAKEN: &[&str] = &["a collection without elements"];
    /// ... has cut off the torn end of a log, ...
    const LOG_TAKEN: &[&str] = &["(aof-load-truncated)"];
    /// ... or does not look at what follows a snapshot's end.
    const SNAPSHOT_TAKEN: &[&str] = &["it is whole up to byte", "before what begins at byte"];
    let any =
        |words: &[&str]| words.iter().any(|words| load.text.contains(words) || verdict.text.contains(words));
    let is_taken = || any(TAKEN) || any(if is_log { LOG_TAKEN } else { SNAPSHOT_TAKEN });
    match (verdict.code, load.code) {
        (Some(0), Some(1)) if !any(REFUSED) => Some("a valid file is not loaded"),
        (Some(1), Some(0)) if !is_taken() => Some("a file that is not valid is loaded"),
        _ => None,
    }
}

impl Rounds {
    /// Changes one of the sample's files, lets `moonshard check` and a server at its start have it, and, if it is one of
    /// a log, lets it be repaired.
    ///
    /// # Errors
    /// What went wrong, and where the changed files are kept.
    pub fn next(&mut self, rng: &mut Rng, sample: &Sample) -> Result<(), String> {
        let dir = temp_dir();
        let what = *rng.pick(&["log", "plain", "summed.rdb", "bare.rdb", "bare.rdb"]);
        let is_log = fs::metadata(sample.dir().join(what)).unwrap().is_dir();
        let (path, args): (_, &[&str]) = if is_log {
            copy_dir(&sample.dir().join(what), &dir.join("appendonlydir"));
            let names = fs::read_dir(dir.join("appendonlydir")).unwrap();
            let mut names: Vec<_> = names.map(|entry| entry.unwrap().path()).collect();
            names.sort();
            (rng.pick(&names).clone(), &["--appendonly", "yes"])
        } else {
            fs::copy(sample.dir().join(what), dir.join("dump.rdb")).unwrap();
            (dir.join("dump.rdb"), &[])
        };
        let changed = change(rng, &fs::read(&path).unwrap());
        fs::write(&path, &changed).unwrap();
        let checked = if is_log { dir.join("appendonlydir") } else { path.clone() };
        let kept = |step: &str, why: String| {
            let _ = fs::write(&path, &changed);
            format!("{step}, with the change in {}: {why}", path.display())
        };
        let verdict = our_check(&[], &checked);
        ended_well(&verdict).map_err(|why| kept("moonshard check", why))?;
        // A server may cut a torn end off.
        let load = our_load(&dir, args);
        ended_well(&load).map_err(|why| kept("loading", why))?;
        if let Some(why) = disagreement(is_log, &verdict, &load) {
            let texts = format!("{}\n--- and the server:\n{}", verdict.text, load.text);
            return Err(kept("moonshard check and loading", format!("{why}:\n{texts}")));
        }
        let repair = our_check(&["--fix", "--yes"], &checked);
        ended_well(&repair).map_err(|why| kept("moonshard check --fix", why))?;
        if repair.code == Some(0) && our_check(&[], &checked).code != Some(0) {
            return Err(kept("moonshard check --fix", "what was repaired is not valid".to_owned()));
        }
        self.changed += 1;
        self.valid += u64::from(verdict.code == Some(0));
        self.loaded += u64::from(load.code == Some(0));
        self.peak_bytes = self.peak_bytes.max(verdict.peak_bytes).max(load.peak_bytes);
        fs::remove_dir_all(&dir).unwrap();
        Ok(())
    }
}
