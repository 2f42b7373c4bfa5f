//! A batch: the complete requests of a read buffer, looked up and located before any runs.

use crate::server::Server;
use moonshard_engine::command::{CommandTable, Entry, Handler, Route};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, ScriptCall};
use moonshard_protocol::RequestParser;
use moonshard_scripting::Plan as ScriptPlan;
use moonshard_store::hash_key;

/// Most requests that one batch takes.
pub const REQUESTS_MAX: usize = 64;

/// Where a request can run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the shard of its one key, whose hash this is.
    Shard {
        /// The shard.
        index: u32,
        /// The key's hash.
        hash: u64,
    },
    /// On the shard of its script's keys.
    Script {
        /// The shard.
        index: u32,
        /// The keys' slot.
        slot: u16,
        /// The first key's hash.
        hash: u64,
    },
    /// Anywhere: it has no keys and needs no shard.
    Anywhere,
    /// By the general path: several keys, a session's or the server's command, an error.
    General,
}

impl Place {
    /// The shard and the hash of the key that running it will look up first.
    #[inline]
    pub const fn key(self) -> Option<(u32, u64)> {
        match self {
            Self::Shard { index, hash } | Self::Script { index, hash, .. } => Some((index, hash)),
            Self::Anywhere | Self::General => None,
        }
    }
}

/// A request's command and place.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Its command; `None` when there is no such command or the number of arguments is wrong.
    pub entry: Option<&'static Entry>,
    /// Where it runs.
    pub place: Place,
}

/// The memory of a batch, kept between batches.
#[derive(Default)]
pub struct BatchMemory {
    args: Vec<&'static [u8]>,
    ends: Vec<usize>,
    plans: Vec<Plan>,
}

/// The complete requests of a read buffer.
pub struct Batch<'a> {
    args: Vec<&'a [u8]>,
    ends: Vec<usize>,
    plans: Vec<Plan>,
}

impl<'a> Batch<'a> {
    /// Looks up and locates the requests that `parser` found in `buffer`.
    pub fn new(memory: BatchMemory, parser: &'a RequestParser, buffer: &'a [u8], server: &Server) -> Self {
        let BatchMemory { args, mut ends, mut plans } = memory;
        let mut args = recycle(args);
        parser.collect(buffer, &mut args, &mut ends);
        let table = CommandTable::get();
        let mut start = 0;
        for &end in &ends {
            plans.push(plan(table, Args::new(&args[start..end]), server));
            start = end;
        }
        Self { args, ends, plans }
    }

    /// Gives the memory back.
    pub fn into_memory(self) -> BatchMemory {
        let Self { args, mut ends, mut plans } = self;
        ends.clear();
        plans.clear();
        BatchMemory { args: recycle(args), ends, plans }
    }

    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The arguments of request `at`.
    #[inline]
    pub fn args(&self, at: usize) -> Args<'_> {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        Args::new(&self.args[start..self.ends[at]])
    }

    /// The plan of request `at`.
    #[inline]
    pub fn plan(&self, at: usize) -> Plan {
        self.plans[at]
    }

    /// All plans.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }
}

#[inline]
fn plan(table: &'static CommandTable, args: Args<'_>, server: &Server) -> Plan {
    let Ok(entry) = table.resolve(args) else { return Plan { entry: None, place: Place::General } };
    let place = match (entry.command.handler, entry.single_key) {
        (Handler::Shard(_), Some(key)) => {
            let bytes = args.raw(key);
            let index = shard_of_slot(slot(bytes), server.shards.len()) as u32;
            Place::Shard { index, hash: hash_key(&server.seed, bytes) }
        }
        (Handler::Shard(_), None) if entry.command.meta.route == Route::Keys && !entry.command.has_keys() => {
            Place::Anywhere
        }
        (Handler::Shard(_), None) if entry.command.meta.route == Route::Script => {
            place_script(entry, args, server)
        }
        _ => Place::General,
    };
    Plan { entry: Some(entry), place }
}

/// Where a script runs: at once only if all its keys are of one slot.
fn place_script(entry: &Entry, args: Args<'_>, server: &Server) -> Place {
    let Ok(call) = ScriptCall::parse(entry.command, args) else { return Place::General };
    let flags = server.scripts.settings.default_flags();
    match moonshard_scripting::plan(&server.scripts.registry, call.script, call.keys, flags) {
        Ok(ScriptPlan::Slot(slot)) => {
            let hash = call.keys.first().map_or(0, |key| hash_key(&server.seed, key));
            Place::Script { index: shard_of_slot(slot, server.shards.len()) as u32, slot, hash }
        }
        _ => Place::General,
    }
}

/// An empty vector with the memory of another of the same layout.
fn recycle<'to>(mut from: Vec<&[u8]>) -> Vec<&'to [u8]> {
    from.clear();
    // Collecting a mapped `into_iter` of the same layout reuses the allocation.
    from.into_iter().map(|_| -> &'to [u8] { &[] }).collect()
}
