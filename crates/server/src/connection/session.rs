//! What a connection is at the moment: its protocol, database, user and modes.

use super::dependence::Dependence;
use crate::acl::{Acl, Identity};
use crate::clients::{Client, flag};
use crate::commands::Transaction;
use crate::debugging::{Link, Mode};
use crate::effects::{Waiter, Watched};
use crate::persistence::Place;
use crate::pubsub::Subscriptions;
use moonshard_engine::ScriptReads;
use moonshard_engine::command::CommandId;
use moonshard_engine::keyspace::CommandStats;
use moonshard_protocol::{Encoding, Mark, Reply};
use std::sync::Arc;

/// Which replies a client wants (`CLIENT REPLY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// All.
    On,
    /// None.
    Off,
    /// Not the next command's.
    SkipNext,
    /// Not this command's.
    Skip,
}

/// A connection's state, which only its own commands change.
pub struct Session {
    /// What others see of it.
    pub client: Arc<Client>,
    /// RESP2 or RESP3.
    pub protocol: Encoding,
    /// The selected database.
    pub db: usize,
    /// Who the client is.
    pub identity: Identity,
    /// Whether it has authenticated, or need not.
    pub authenticated: bool,
    /// Which replies it wants.
    pub reply_mode: ReplyMode,
    /// Whether its reads leave keys' access time alone.
    pub no_touch: bool,
    /// What was queued since MULTI.
    pub transaction: Option<Transaction>,
    /// The keys watched for the next EXEC.
    pub watched: Watched,
    /// The wait for a key, while it blocks.
    pub waiter: Option<Arc<Waiter>>,
    /// Whether scripts are debugged, and how.
    pub debug: Option<Mode>,
    /// The script that is being debugged.
    pub debugger: Option<Arc<Link>>,
    /// Unix time in milliseconds at which the wait is given up, if ever.
    pub wait_until_ms: Option<u64>,
    /// What it has subscribed to.
    pub subscriptions: Subscriptions,
    /// Whether what its own commands do may be told to it.
    pub listens: bool,
    /// Whether the keys that it reads are remembered.
    pub tracks: bool,
    /// What its last script has read.
    pub script_reads: ScriptReads,
    /// Whether CLIENT CACHING was sent for the next command.
    pub caching: bool,
    /// Closed once all replies are written.
    pub closing: bool,
    /// What its replies depend on.
    pub dependence: Dependence,
    /// What its next requests wait for: so many rounds of a snapshot's walk over the shards; 0 for none.
    pub awaits_walk: u64,
    /// Where it waits for that.
    pub walk_place: Place,
    /// Calls of this batch that no shard has counted.
    pub uncounted: Vec<(CommandId, CommandStats)>,
}

impl Session {
    /// A new connection's.
    pub fn new(client: Arc<Client>, acl: &Acl) -> Self {
        let session = Self::of_script(client, acl);
        session.show_user();
        session
    }

    /// A script's own, for one of its calls.
    pub fn of_script(client: Arc<Client>, acl: &Acl) -> Self {
        let identity = Identity::new(acl);
        Self {
            client,
            protocol: Encoding::Resp2,
            db: 0,
            authenticated: identity.is_logged_in(),
            identity,
            reply_mode: ReplyMode::On,
            no_touch: false,
            transaction: None,
            watched: Watched::default(),
            waiter: None,
            debug: None,
            debugger: None,
            wait_until_ms: None,
            subscriptions: Subscriptions::default(),
            listens: false,
            tracks: false,
            script_reads: ScriptReads::default(),
            caching: false,
            closing: false,
            dependence: Dependence::default(),
            awaits_walk: 0,
            walk_place: Place::default(),
            uncounted: Vec::new(),
        }
    }

    /// Notes what is to follow its commands, after its subscriptions or its tracking have changed.
    pub fn note_listening(&mut self) {
        let tracks = self.client.has_flag(flag::TRACKING);
        self.listens = tracks || !self.subscriptions.is_empty();
        self.tracks = tracks && !self.client.has_flag(flag::BROADCAST);
        self.caching &= tracks;
    }

    /// Whether its requests wait: for a key, or for the end of a script that is being debugged.
    #[inline]
    pub const fn is_held_up(&self) -> bool {
        self.waiter.is_some() || self.debugger.is_some()
    }

    /// Whether only the commands about subscriptions are allowed: RESP2 does not tell messages from replies.
    #[inline]
    pub fn is_confined(&self) -> bool {
        self.protocol == Encoding::Resp2 && !self.subscriptions.is_empty()
    }

    /// Puts what its command has told the client itself before the reply, which begins at `mark`, or after it.
    #[cold]
    pub fn hear(&self, reply: &mut Reply, mark: Mark) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        self.client.split_pushes(&mut before, &mut after);
        reply.insert(mark, &before);
        reply.buffer_mut().extend_from_slice(&after);
    }

    /// Notes that a command, whose call was counted here, ran for so many nanoseconds.
    pub fn ran(&mut self, id: CommandId, nanos: u64) {
        if let Some((_, sum)) = self.uncounted.iter_mut().find(|(of, _)| *of == id) {
            sum.nanos += nanos;
        }
    }

    /// Counts a call that no shard counts.
    pub fn count(&mut self, id: CommandId, failed: bool, nanos: u64) {
        let more = CommandStats { calls: 1, failed: u64::from(failed), rejected: 0, nanos };
        match self.uncounted.iter_mut().find(|(of, _)| *of == id) {
            Some((_, sum)) => sum.add(more),
            None => self.uncounted.push((id, more)),
        }
    }
}
