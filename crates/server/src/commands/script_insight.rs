//! SCRIPT LIST, SHOW and STATS: what the server knows of scripts, and what it has counted of them and of functions.

use super::Call;
use moonshard_engine::Error;
use moonshard_protocol::Reply;
use moonshard_scripting::{Keep, Library, Script, ScriptFlags, ScriptName, ScriptStats, Sha};
use std::sync::Arc;

const NO_SUCH_SCRIPT: Error = Error::fixed("ERR No such script or function");

impl Call<'_, '_> {
    /// The scripts that are known, the one that was used last first.
    pub(super) fn script_list(&mut self) -> Result<(), Error> {
        let stats = self.server.script_stats();
        let of = |script: &Script| stats.get(&ScriptName::Script(script.sha));
        let mut scripts = self.server.scripts.registry.all();
        scripts.sort_by_key(|script| (of(script).map_or(0, |stats| stats.last_ms), script.sha));
        self.reply.array(scripts.len());
        for script in scripts.iter().rev() {
            let (calls, last_ms) = of(script).map_or((0, 0), |stats| (stats.calls, stats.last_ms));
            self.reply.map(6);
            named(self.reply, "sha1", script.sha.as_bytes());
            describe(self.reply, script);
            number(self.reply, "calls", calls);
            number(self.reply, "last_use_ms", last_ms);
        }
        Ok(())
    }

    /// The text of a script.
    pub(super) fn script_show(&mut self) -> Result<(), Error> {
        let script = self.known_script(self.args.raw(2)).ok_or(Error::NO_SCRIPT)?;
        self.reply.bulk(&script.source);
        Ok(())
    }

    /// What was counted of one script or function, or of all that were run, those first that took most time.
    pub(super) fn script_stats(&mut self) -> Result<(), Error> {
        let mut all = self.server.script_stats();
        match self.args.from(2) {
            [] => {
                let mut all: Vec<_> = all.into_values().filter(is_counted).collect();
                all.sort_by(|a, b| b.nanos.cmp(&a.nanos).then_with(|| a.name.cmp(&b.name)));
                self.reply.array(all.len());
                all.iter().for_each(|stats| self.show_stats(stats));
            }
            [name] => {
                let name = self.name_of(name).ok_or(NO_SUCH_SCRIPT)?;
                let stats = all.remove(&name).unwrap_or_else(|| ScriptStats::new(name));
                self.show_stats(&stats);
            }
            _ => return Err(Error::wrong_arity(&self.entry.full_name)),
        }
        Ok(())
    }

    fn known_script(&self, name: &[u8]) -> Option<Arc<Script>> {
        self.server.scripts.registry.get(&Sha::from_client(name)?)
    }

    /// What a script or function is counted as, if it is known.
    pub(super) fn name_of(&self, name: &[u8]) -> Option<ScriptName> {
        if let Some(script) = self.known_script(name) {
            return Some(ScriptName::Script(script.sha));
        }
        let set = self.server.scripts.registry.libraries().set();
        let mut functions = set.libraries().values().flat_map(|library| library.functions());
        let function = functions.find(|function| function.name.as_bytes().eq_ignore_ascii_case(name))?;
        Some(ScriptName::Function(function.name.clone()))
    }

    fn show_stats(&mut self, stats: &ScriptStats) {
        let reply = &mut *self.reply;
        let open = reply.open_map();
        let mut fields = 21;
        let set = self.server.scripts.registry.libraries().set();
        let mut library = None;
        let script = match &stats.name {
            ScriptName::Script(sha) => {
                named(reply, "name", sha.as_bytes());
                named(reply, "kind", b"script");
                self.server.scripts.registry.get(sha)
            }
            ScriptName::Function(name) => {
                named(reply, "name", name.as_bytes());
                named(reply, "kind", b"function");
                let has = |of: &&Arc<Library>| of.functions().iter().any(|function| function.name == *name);
                library = set.libraries().values().find(has);
                None
            }
        };
        number(reply, "calls", stats.calls);
        number(reply, "errors", stats.errors_total());
        reply.bulk(b"errors_by_kind");
        reply.map(stats.errors.len());
        for (code, count) in &stats.errors {
            reply.bulk(code);
            reply.int(*count as i64);
        }
        let command_micros = stats.command_nanos() / 1000;
        number(reply, "usec_total", stats.nanos / 1000);
        number(reply, "usec_in_commands", command_micros);
        number(reply, "usec_in_lua", (stats.nanos / 1000).saturating_sub(command_micros));
        number(reply, "usec_p50", stats.percentile_nanos(50.0) / 1000);
        number(reply, "usec_p99", stats.percentile_nanos(99.0) / 1000);
        number(reply, "usec_max", stats.nanos_max / 1000);
        reply.bulk(b"usec_per_call");
        reply.double((stats.nanos / 10).checked_div(stats.calls).unwrap_or(0) as f64 / 100.0);
        number(reply, "commands", stats.commands);
        number(reply, "keys_read", stats.keys_read);
        number(reply, "keys_written", stats.keys_written);
        number(reply, "bytes_returned", stats.bytes_returned);
        number(reply, "memory_max", stats.memory_max);
        number(reply, "first_use_ms", stats.first_ms);
        number(reply, "last_use_ms", stats.last_ms);
        let sender = match &script {
            Some(script) => script.sender(),
            None => library.and_then(|library| library.sender()),
        };
        named(reply, "client_name", sender.map_or(b"", |sender| &sender.name));
        named(reply, "client_addr", sender.map_or(b"", |sender| sender.addr.as_bytes()));
        if let Some(script) = script {
            describe(reply, &script);
            fields += 3;
        }
        reply.close(open, fields);
    }
}

fn is_counted(stats: &ScriptStats) -> bool {
    stats.calls > 0 || !stats.errors.is_empty()
}

/// Three fields about a script: how it is kept, its length and its flags.
fn describe(reply: &mut Reply, script: &Script) {
    let kept = if script.keep() == Keep::Loaded { "loaded" } else { "eval" };
    named(reply, "kept", kept.as_bytes());
    number(reply, "length", script.source.len() as u64);
    reply.bulk(b"flags");
    let names = || ScriptFlags::NAMES.iter().filter(|(flag, _)| script.flags().contains(*flag));
    reply.set(names().count());
    names().for_each(|(_, name)| reply.status(name));
}

fn named(reply: &mut Reply, name: &str, value: &[u8]) {
    reply.bulk(name.as_bytes());
    reply.bulk(value);
}

fn number(reply: &mut Reply, name: &str, value: u64) {
    reply.bulk(name.as_bytes());
    reply.int(i64::try_from(value).unwrap_or(i64::MAX));
}
