//! One shard of the engine with keys in it, for the benches.

use moonshard_engine::admission::Gate;
use moonshard_engine::command::{CommandTable, Entry};
use moonshard_engine::keyspace::{Expiry, Keyspace, Shard, Shards};
use moonshard_engine::{Args, Caller, Ctx, Rng, ScriptRunner, Settings};
use moonshard_protocol::{Encoding, Reply};
use moonshard_store::Seed;

/// The moment at which everything happens: Unix time in milliseconds.
const NOW_MS: u64 = 1_700_000_000_000;
/// The values of all keys.
pub const VALUE: [u8; 64] = [b'x'; 64];
/// Length of every key.
pub const KEY_LEN: usize = 16;
/// Makes runs alike.
const RANDOM_SEED: u64 = 3;

/// A key.
pub type Key = [u8; KEY_LEN];

/// A shard and what commands need beside it.
pub struct Engine {
    pub shard: Shard,
    pub seed: Seed,
    settings: Settings,
    rng: Rng,
    reply: Reply,
}

impl Engine {
    /// An engine of one shard with these keys.
    pub fn with_keys(keys: &[Key]) -> Self {
        let seed = Seed::new(1, 2);
        let mut engine = Self {
            shard: Shard::new(0, 1, 16, seed, false),
            seed,
            settings: Settings::new(seed),
            rng: Rng::new(RANDOM_SEED),
            reply: Reply::new(Encoding::Resp2),
        };
        let mut keyspace = Keyspace::new(Shards::One(&mut engine.shard), 0, NOW_MS, &engine.settings);
        for key in keys {
            keyspace.set_str(key, &VALUE, Expiry::Clear);
        }
        engine
    }

    /// What a command gets, with an empty reply buffer.
    pub fn context<'a>(&'a mut self, scripts: Option<&'a mut (dyn ScriptRunner + 'static)>) -> Ctx<'a> {
        self.reply.buffer_mut().clear();
        Ctx {
            keys: Keyspace::new(Shards::One(&mut self.shard), 0, NOW_MS, &self.settings),
            reply: &mut self.reply,
            caller: Caller::Client,
            access: None,
            gate: Gate::empty(),
            settings: &self.settings,
            rng: &mut self.rng,
            exchange: &moonshard_engine::NoSubscribers,
            scripts,
            server: None,
        }
    }
}

/// The keys of the numbers below `count`, in random order.
pub fn shuffled_keys(count: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = (0..count)
        .map(|number| {
            let mut key = *b"key:000000000000";
            let digits = number.to_string();
            key[KEY_LEN - digits.len()..].copy_from_slice(digits.as_bytes());
            key
        })
        .collect();
    let mut rng = Rng::new(RANDOM_SEED);
    for at in (1..keys.len()).rev() {
        keys.swap(at, rng.below(at as u64 + 1) as usize);
    }
    keys
}

/// The command of a request.
///
/// # Panics
/// When there is none.
pub fn command(request: &[&[u8]]) -> &'static Entry {
    match CommandTable::get().resolve(Args::new(request)) {
        Ok(entry) => entry,
        Err(error) => panic!("{error:?}"),
    }
}
