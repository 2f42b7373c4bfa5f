//! Runs commands on shards without a server, for this crate's tests.

use crate::admission::Gate;
use crate::command::{CommandTable, Route};
use crate::effects::{Commands, Event};
use crate::keyspace::{ExpiryMode, Keyspace, Shard, Shards, View};
use crate::{Args, Caller, CmdResult, Ctx, Flow, Rng, Settings, Wait};
use moonshard_protocol::{Encoding, Limits, Reply, RequestParser};
use moonshard_store::Seed;

/// All shards of an engine, and the moment at which commands run.
pub struct Engine {
    pub shards: Vec<Shard>,
    pub now_ms: u64,
    pub db: usize,
    pub encoding: Encoding,
    pub settings: Settings,
    pub rng: Rng,
}

impl Engine {
    pub fn new(shards: usize) -> Self {
        let seed = Seed::new(1, 2);
        Self {
            shards: (0..shards).map(|index| Shard::new(index, shards, 16, seed, false)).collect(),
            now_ms: 1_700_000_000_000,
            db: 0,
            encoding: Encoding::Resp2,
            settings: Settings::new(seed),
            rng: Rng::new(3),
        }
    }

    /// An engine whose changes are heard, for [`Engine::told`] and [`Engine::replayed`].
    pub fn listening(shards: usize) -> Self {
        let mut engine = Self::new(shards);
        for shard in &mut engine.shards {
            shard.effects.audience.hear_events(true);
            shard.effects.audience.hear_commands(true);
        }
        engine
    }

    /// The events since the last call, as `name key` by shard in ascending order: `hdel k, del k`.
    pub fn told(&mut self) -> String {
        let events = self.shards.iter_mut().flat_map(|shard| shard.effects.take_events());
        let show = |event: Event| format!("{} {}", event.name, String::from_utf8_lossy(&event.key));
        events.map(show).collect::<Vec<_>>().join(", ")
    }

    /// The commands to replay since the last call, by shard in ascending order: `SREM k a, DEL k`.
    pub fn replayed(&mut self) -> String {
        let commands = self.commands();
        let show =
            |(_, args): &(usize, Vec<Vec<u8>>)| String::from_utf8_lossy(&args.join(&b' ')).into_owned();
        commands.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    /// The commands to replay since the last call, by shard in ascending order, with their databases.
    pub fn commands(&mut self) -> Vec<(usize, Vec<Vec<u8>>)> {
        let mut all = Commands::default();
        self.shards.iter_mut().for_each(|shard| all.append(shard.effects.commands_mut()));
        all.iter().map(|(db, request)| (db, words(request))).collect()
    }

    /// The raw reply to a command of these words.
    pub fn run(&mut self, words: &[&str]) -> String {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        String::from_utf8_lossy(&self.run_bytes(&words)).into_owned()
    }

    /// The raw reply to a command of these arguments.
    pub fn run_bytes(&mut self, words: &[&[u8]]) -> Vec<u8> {
        self.outcome(words).1
    }

    /// What a command of these words, which must not find anything, waits for.
    pub fn wait(&mut self, words: &[&str]) -> Wait {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        match self.outcome(&words) {
            (Ok(Flow::Block(wait)), reply) if reply.is_empty() => *wait,
            (_, reply) => panic!("it does not wait but answers {}", reply.escape_ascii()),
        }
    }

    /// Runs a command as it is run from the log. Returns the raw reply.
    pub fn again(&mut self, words: &[&str]) -> String {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        String::from_utf8_lossy(&self.outcome_for(Caller::Replay, &words).1).into_owned()
    }

    fn outcome(&mut self, words: &[&[u8]]) -> (CmdResult, Vec<u8>) {
        self.outcome_for(Caller::Client, words)
    }

    fn outcome_for(&mut self, caller: Caller, words: &[&[u8]]) -> (CmdResult, Vec<u8>) {
        let mut reply = Reply::new(self.encoding);
        let args = Args::new(words);
        let entry = match CommandTable::get().resolve(args) {
            Ok(entry) => entry,
            Err(error) => {
                error.write(&mut reply);
                return (Err(error), reply.into_bytes());
            }
        };
        let keyless =
            matches!(entry.command.meta.route, Route::Keys | Route::Any) && !entry.command.has_keys();
        let again = matches!(caller, Caller::Replay);
        let mode = if again { ExpiryMode::Ignore } else { ExpiryMode::DeleteWhenDue };
        let mut all: Vec<_> = self.shards.iter_mut().map(Some).collect();
        let shards = if keyless { Shards::None } else { Shards::Many(&mut all) };
        let mut cx = Ctx {
            keys: Keyspace::with_view(
                shards,
                View::new(self.db, self.now_ms, &self.settings).expiry_mode(mode),
                &self.settings,
            ),
            reply: &mut reply,
            caller,
            access: None,
            gate: Gate::empty(),
            settings: &self.settings,
            rng: &mut self.rng,
            exchange: &crate::NoSubscribers,
            scripts: None,
            server: None,
        };
        let outcome = cx.call(entry, args);
        (outcome, reply.into_bytes())
    }
}

/// The arguments of an encoded command.
fn words(request: &[u8]) -> Vec<Vec<u8>> {
    let mut parser = RequestParser::new();
    let limits = Limits { bulk_len_max: u64::MAX, unauthenticated: false };
    parser.parse(request, 1, limits).unwrap();
    let mut args = Vec::new();
    parser.collect(request, &mut args, &mut Vec::new());
    args.into_iter().map(<[u8]>::to_vec).collect()
}

#[test]
fn set_and_get() {
    let mut engine = Engine::new(4);
    assert_eq!(engine.run(&["SET", "k", "v", "PX", "100"]), "+OK\r\n");
    assert_eq!(engine.run(&["get", "k"]), "$1\r\nv\r\n");
    engine.now_ms += 100;
    assert_eq!(engine.run(&["GET", "k"]), "$-1\r\n");
    assert_eq!(engine.shards.iter().map(|shard| shard.stats.expired).sum::<u64>(), 1);
    assert_eq!(engine.run(&["GET"]), "-ERR wrong number of arguments for 'get' command\r\n");
}
