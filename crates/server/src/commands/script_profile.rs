//! SCRIPT PROFILE: how long each line of scripts and functions takes.

use super::Call;
use moonshard_engine::Error;
use moonshard_scripting::{Profile, ScriptName, Spent};

const NO_SUCH_SCRIPT: Error = Error::fixed("ERR No such script or function");
const USAGE: Error = Error::fixed("ERR Use SCRIPT PROFILE START [name ...], STOP, or GET [name] [FOLDED]");

impl Call<'_, '_> {
    pub(super) fn script_profile(&mut self) -> Result<(), Error> {
        let profiling = &self.server.scripts.settings.profiling;
        if self.args.is(2, "START") {
            let names = self.args.from(3).iter();
            let chosen: Option<Vec<_>> = names.map(|name| self.name_of(name)).collect();
            profiling.start(chosen.ok_or(NO_SUCH_SCRIPT)?);
            self.reply.ok();
            return Ok(());
        }
        if self.args.is(2, "STOP") && self.args.len() == 3 {
            profiling.stop();
            self.reply.ok();
            return Ok(());
        }
        if !self.args.is(2, "GET") {
            return Err(USAGE);
        }
        let (name, folded) = match self.args.from(3) {
            [] => (None, false),
            [word] if word.eq_ignore_ascii_case(b"folded") => (None, true),
            [name] => (Some(*name), false),
            [name, word] if word.eq_ignore_ascii_case(b"folded") => (Some(*name), true),
            _ => return Err(USAGE),
        };
        let mut profiles = profiling.profiles();
        if let Some(name) = name {
            let name = self.name_of(name).ok_or(NO_SUCH_SCRIPT)?;
            profiles.retain(|known, _| *known == name);
        }
        if folded {
            let text: String = profiles.iter().map(|(name, profile)| profile.folded(name)).collect();
            self.reply.bulk(text.as_bytes());
            return Ok(());
        }
        self.reply.array(profiles.len());
        for (name, profile) in &profiles {
            self.show_profile(name, profile);
        }
        Ok(())
    }

    fn show_profile(&mut self, name: &ScriptName, profile: &Profile) {
        let reply = &mut *self.reply;
        let total = profile.nanos();
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(name.as_bytes());
        reply.bulk(b"runs");
        reply.int(profile.runs as i64);
        reply.bulk(b"usec");
        reply.int((total / 1000) as i64);
        let mut lines: Vec<(u32, Spent)> = profile.lines().into_iter().collect();
        lines.sort_by_key(|(line, spent)| (std::cmp::Reverse(spent.nanos), *line));
        reply.bulk(b"lines");
        reply.array(lines.len());
        for (line, spent) in lines {
            reply.map(4);
            reply.bulk(b"line");
            reply.int(i64::from(line));
            reply.bulk(b"percent");
            // Two digits after the point.
            let share = u128::from(spent.nanos) * 10_000 / u128::from(total.max(1));
            reply.double(share as f64 / 100.0);
            reply.bulk(b"usec");
            reply.int((spent.nanos / 1000) as i64);
            reply.bulk(b"visits");
            reply.int(spent.visits as i64);
        }
    }
}
