//! A batch: the complete requests of a read buffer, looked up and located before any runs.

use crate::server::Server;
use moonshard_engine::command::{CommandTable, Entry, Handler, Route};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, ScriptCall};
use moonshard_protocol::RequestParser;
use moonshard_scripting::{Basis, Plan as ScriptPlan};
use moonshard_store::hash_key;

/// Most requests that one batch takes.
pub const REQUESTS_MAX: usize = 64;

/// Where a request can run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the shard of its keys.
    Shard {
        /// The shard.
        index: u32,
    },
    /// On several shards: this range of [`Batch::shards`].
    Shards {
        /// The begin of the range.
        from: u32,
        /// Its end.
        to: u32,
    },
    /// On the shard of its script's keys.
    Script {
        /// The shard.
        index: u32,
        /// The keys' slot.
        slot: u16,
    },
    /// Where scripts without keys run.
    Keyless,
    /// Anywhere: it has no keys and needs no shard.
    Anywhere,
    /// By the general path: any shard, a session's or the server's command, an error.
    General,
}

/// A key that running a request will look up.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its hash.
    pub hash: u64,
    /// Its shard.
    pub shard: u32,
    /// Whether the command looks into what it finds there.
    pub is_opened: bool,
}

/// Keys and shards of the requests of a batch.
#[derive(Default)]
struct Places {
    keys: Vec<Key>,
    shards: Vec<usize>,
}

/// A request's command and place.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Its command; `None` when there is no such command or the number of arguments is wrong.
    pub entry: Option<&'static Entry>,
    /// Where it runs.
    pub place: Place,
    /// The hash of its key, if it has one at a fixed place.
    pub hash: u64,
}

/// The memory of a batch, kept between batches.
#[derive(Default)]
pub struct BatchMemory {
    args: Vec<&'static [u8]>,
    ends: Vec<usize>,
    plans: Vec<Plan>,
    places: Places,
}

impl BatchMemory {
    /// Takes the arguments' memory back from a batch that is over.
    pub fn take_back(&mut self, args: Vec<&'static [u8]>) {
        self.args = args;
    }
}

/// The complete requests of a read buffer.
pub struct Batch<'a> {
    args: Vec<&'a [u8]>,
    ends: &'a [usize],
    plans: &'a [Plan],
    places: &'a Places,
    /// What the plans of scripts were made on.
    basis: Basis,
}

impl<'a> Batch<'a> {
    /// Looks up and locates the requests that `parser` found in `buffer`.
    pub fn new(
        memory: &'a mut BatchMemory,
        parser: &'a RequestParser,
        buffer: &'a [u8],
        server: &Server,
    ) -> Self {
        let BatchMemory { args, ends, plans, places } = memory;
        let mut args = recycle(std::mem::take(args));
        ends.clear();
        plans.clear();
        places.clear();
        parser.collect(buffer, &mut args, ends);
        let table = CommandTable::get();
        let basis = server.scripts.basis();
        let mut start = 0;
        for &end in &*ends {
            plans.push(plan(table, Args::new(&args[start..end]), server, places));
            start = end;
        }
        Self { args, ends, plans, places, basis }
    }

    /// The memory of the arguments, for [`BatchMemory::take_back`].
    pub fn into_args(self) -> Vec<&'static [u8]> {
        recycle(self.args)
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

    /// Whether request `at` calls a script and was planned with flags that have changed, by a request before it even.
    #[inline]
    pub fn is_outdated(&self, at: usize, server: &Server) -> bool {
        matches!(self.plans[at].place, Place::Script { .. } | Place::Keyless)
            && server.scripts.basis() != self.basis
    }

    /// The keys that its requests will look up, in their order.
    pub fn keys(&self) -> &[Key] {
        &self.places.keys
    }

    /// The shards of a request on several, ascending.
    pub fn shards(&self, from: u32, to: u32) -> &[usize] {
        &self.places.shards[from as usize..to as usize]
    }
}

#[inline]
fn plan(table: &'static CommandTable, args: Args<'_>, server: &Server, places: &mut Places) -> Plan {
    let Some(entry) = table.callable(args) else {
        return Plan { entry: None, place: Place::General, hash: 0 };
    };
    let mut hash = 0;
    let place = match (entry.command.handler, entry.single_key) {
        (Handler::Shard(_), Some(key)) => {
            let bytes = args.raw(key);
            let shard = shard_of_slot(slot(bytes), server.shards.len()) as u32;
            hash = places.note_key(server, shard, bytes, entry);
            Place::Shard { index: shard }
        }
        (Handler::Shard(_), None) => match entry.command.meta.route {
            Route::Keys if entry.command.has_keys() => places.place_keys(entry, args, server),
            Route::Any if server.is_busy() => Place::General,
            Route::Keys | Route::Any => Place::Anywhere,
            Route::Script => places.place_script(entry, args, server),
            Route::All | Route::Cursor => Place::General,
        },
        _ => Place::General,
    };
    Plan { entry: Some(entry), place, hash }
}

impl Places {
    fn clear(&mut self) {
        self.keys.clear();
        self.shards.clear();
    }

    /// Notes that a key will be looked up. Returns its hash.
    #[inline]
    fn note_key(&mut self, server: &Server, shard: u32, key: &[u8], entry: &Entry) -> u64 {
        let hash = hash_key(&server.seed, key);
        self.keys.push(Key { hash, shard, is_opened: entry.opens_collections });
        hash
    }

    /// Where a command with several keys, or keys at no fixed place, runs.
    fn place_keys(&mut self, entry: &Entry, args: Args<'_>, server: &Server) -> Place {
        let from = self.shards.len();
        let (mut first, mut one_slot) = (None, true);
        let found = entry.command.meta.each_key(args, &mut |span| {
            let bytes = args.raw(span.index);
            let slot = slot(bytes);
            one_slot &= *first.get_or_insert(slot) == slot;
            let shard = shard_of_slot(slot, server.shards.len());
            self.note_key(server, shard as u32, bytes, entry);
            if let Err(at) = self.shards[from..].binary_search(&shard) {
                self.shards.insert(from + at, shard);
            }
        });
        let crosses_slots = server.cluster.is_some() && !one_slot;
        match &self.shards[from..] {
            // What is wrong with its keys is told on the general path.
            _ if found.is_err() || crosses_slots || (entry.command.meta.widens)(args) => Place::General,
            [] => Place::General,
            [shard] => Place::Shard { index: *shard as u32 },
            _ => Place::Shards { from: from as u32, to: self.shards.len() as u32 },
        }
    }

    /// Where a script runs: at once only if all its keys are of one slot.
    fn place_script(&mut self, entry: &Entry, args: Args<'_>, server: &Server) -> Place {
        let Ok(call) = ScriptCall::parse(entry.command, args) else { return Place::General };
        let flags = server.scripts.settings.default_flags();
        match moonshard_scripting::plan(&server.scripts.registry, call.script, call.keys, flags) {
            Ok(ScriptPlan::NoKeys) => Place::Keyless,
            Ok(ScriptPlan::Slot(slot)) => {
                let index = shard_of_slot(slot, server.shards.len()) as u32;
                for key in call.keys {
                    self.note_key(server, index, key, entry);
                }
                Place::Script { index, slot }
            }
            _ => Place::General,
        }
    }
}

/// An empty vector with the memory of another of the same layout.
fn recycle<'to>(mut from: Vec<&[u8]>) -> Vec<&'to [u8]> {
    from.clear();
    // Collecting a mapped `into_iter` of the same layout reuses the allocation.
    from.into_iter().map(|_| -> &'to [u8] { &[] }).collect()
}
