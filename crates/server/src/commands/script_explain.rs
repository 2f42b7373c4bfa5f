//! SCRIPT EXPLAIN: what can be said of a script's call without running it.

use super::Call;
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Error, ScriptRef};
use moonshard_protocol::Reply;
use moonshard_scripting::{
    GlobalUse, Keep, Plan, ScriptFlags, Sha, common_hash_tag, explain, explain_function, plan,
};

impl Call<'_, '_> {
    /// Explains a call of a script, which is given by its text, or by its SHA1 if it is known; or of a function, given by
    /// its name.
    pub(super) fn script_explain(&mut self) -> Result<(), Error> {
        let number = self.args.int(3)?;
        let Ok(number) = usize::try_from(number) else {
            return Err(Error::fixed("ERR Number of keys can't be negative"));
        };
        let Some((keys, _)) = self.args.from(4).split_at_checked(number) else {
            return Err(Error::fixed("ERR Number of keys can't be greater than number of args"));
        };
        let scripts = &self.server.scripts;
        let given = self.args.raw(2);
        let known = Sha::from_client(given).and_then(|sha| scripts.registry.get(&sha));
        let source = known.as_ref().map_or(given, |script| &script.source);
        let function = match &known {
            Some(_) => None,
            None => explain_function(&scripts.registry, &scripts.settings, given)?,
        };
        let (explained, called) = match function {
            Some(explained) => (explained, ScriptRef::Function(given)),
            // A SHA1 is no Lua: whoever gives one means a script that is known.
            None if known.is_none() && given.len() == 40 && given.iter().all(u8::is_ascii_hexdigit) => {
                return Err(Error::NO_SCRIPT);
            }
            None => (explain(&scripts.registry, &scripts.settings, source)?, ScriptRef::Text(source)),
        };
        let planned = plan(&scripts.registry, called, keys, scripts.settings.default_flags());
        let reply = &mut *self.reply;
        reply.map(14);
        named(reply, "sha1", explained.sha.as_bytes());
        let kept: &[u8] = match explained.known {
            None => b"no",
            Some(Keep::Loaded) => b"loaded",
            Some(Keep::Evaluated) => b"eval",
        };
        named(reply, "known", kept);
        reply.bulk(b"compiles");
        reply.int(i64::from(explained.error.is_none()));
        reply.bulk(b"error");
        match &explained.error {
            Some(error) => reply.bulk(error.to_string().as_bytes()),
            None => reply.null(),
        }
        reply.bulk(b"flags");
        let names = || ScriptFlags::NAMES.iter().filter(|(flag, _)| explained.flags.contains(*flag));
        reply.set(names().count());
        names().for_each(|(_, name)| reply.status(name));
        globals(reply, "globals_missing", &explained.reads);
        globals(reply, "globals_assigned", &explained.assigns);
        self.show_keys(keys);
        self.show_plan(&planned, keys);
        Ok(())
    }

    /// The keys, each with its slot and shard.
    fn show_keys(&mut self, keys: &[&[u8]]) {
        let count = self.server.shards.len();
        self.reply.bulk(b"keys");
        self.reply.array(keys.len());
        for key in keys {
            let slot = slot(key);
            self.reply.map(3);
            named(self.reply, "key", key);
            number(self.reply, "slot", usize::from(slot));
            number(self.reply, "shard", shard_of_slot(slot, count));
        }
    }

    /// What the call would lock, or why it would be refused for its keys.
    fn show_plan(&mut self, planned: &Result<Plan, Error>, keys: &[&[u8]]) {
        let count = self.server.shards.len();
        let (touches, shards): (&str, Vec<usize>) = match planned {
            Ok(Plan::Slot(slot)) => ("one slot", vec![shard_of_slot(*slot, count)]),
            Ok(Plan::Slots(slots)) => {
                let mut shards: Vec<_> = slots.iter().map(|&slot| shard_of_slot(slot, count)).collect();
                shards.sort_unstable();
                shards.dedup();
                ("slots of its keys", shards)
            }
            Ok(Plan::AllShards) => ("any key", (0..count).collect()),
            Ok(Plan::NoKeys) => ("no key", Vec::new()),
            Err(_) => ("refused", Vec::new()),
        };
        let reply = &mut *self.reply;
        named(reply, "touches", touches.as_bytes());
        reply.bulk(b"shards_locked");
        reply.array(shards.len());
        shards.iter().for_each(|&shard| reply.int(shard as i64));
        let refused = planned.as_ref().err();
        reply.bulk(b"refused");
        match refused {
            Some(error) => reply.bulk(error.to_string().as_bytes()),
            None => reply.null(),
        }
        let others = |key: &&&[u8]| keys.first().is_some_and(|first| slot(first) != slot(key));
        let differing: Vec<_> = keys.iter().filter(others).collect();
        reply.bulk(b"keys_of_other_slots");
        reply.array(differing.len());
        differing.iter().for_each(|key| reply.bulk(key));
        let tag = if differing.is_empty() { None } else { common_hash_tag(keys) };
        reply.bulk(b"hash_tag");
        match &tag {
            Some(tag) => reply.bulk(&tag.tag),
            None => reply.null(),
        }
        let tagged = tag.map(|tag| tag.keys).unwrap_or_default();
        reply.bulk(b"keys_with_hash_tag");
        reply.array(tagged.len());
        tagged.iter().for_each(|key| reply.bulk(key));
    }
}

fn globals(reply: &mut Reply, name: &str, uses: &[GlobalUse]) {
    reply.bulk(name.as_bytes());
    reply.map(uses.len());
    for global in uses {
        reply.bulk(&global.name);
        reply.int(i64::from(global.line));
    }
}

fn named(reply: &mut Reply, name: &str, value: &[u8]) {
    reply.bulk(name.as_bytes());
    reply.bulk(value);
}

fn number(reply: &mut Reply, name: &str, value: usize) {
    reply.bulk(name.as_bytes());
    reply.int(value as i64);
}
