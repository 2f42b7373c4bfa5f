//! The threads that take in what was read: each has shards of its own, and does what it is given in order.

use super::batch::Batch;
use super::budget::{Budget, Share};
use super::records::{KeyRecord, build, put};
use super::replay::tell_error;
use super::{Context, LoadError};
use crate::effects::Moment;
use crate::server::unix_ms;
use crate::shards::ShardState;
use crossbeam_channel::{Receiver, Sender, unbounded};
use moonshard_engine::admission::Gate;
use moonshard_engine::keyspace::{ExpiryMode, Keyspace, Shards, Use, View};
use moonshard_engine::{Caller, Ctx};
use moonshard_lock::Guard;
use moonshard_protocol::{Encoding, Reply};
use moonshard_store::Entry;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, Scope};

/// Bytes that may wait for the workers.
const WAITING_MAX: usize = 32 << 20;

/// Bytes of a file, with whole records in it.
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// Where in the file they begin.
    pub(super) offset: u64,
    pub(super) _share: Share,
}

/// A key's record in a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) at: u32,
    pub(super) len: u32,
    pub(super) record: KeyRecord,
}

/// Keys that were put into a shard, and keys that were left out because they were due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    keys: u64,
    expired: u64,
}

/// What a worker is to do.
enum Job {
    /// Puts keys into their shards.
    Keys {
        chunk: Arc<Chunk>,
        /// Records by shard.
        parts: Vec<(usize, Vec<Piece>)>,
    },
    /// Runs commands on a shard.
    Replay { shard: usize, batch: Batch, file: Arc<str>, _share: Share },
}

/// What is wrong with a record, and where it begins.
struct Fault {
    offset: u64,
    reason: String,
}

/// What all of them share.
struct Shared {
    budget: Arc<Budget>,
    failed: AtomicBool,
    /// The first fault by offset.
    fault: Mutex<Option<Fault>>,
}

/// See the [module](self).
pub(super) struct Workers {
    jobs: Vec<Sender<Job>>,
    shared: Arc<Shared>,
}

impl Workers {
    /// Starts as many as there are cores.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start<'scope, 'c: 'scope>(
        scope: &'scope Scope<'scope, '_>,
        context: &'c Context<'_>,
    ) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shared = Arc::new(Shared {
            budget: Budget::new(WAITING_MAX),
            failed: AtomicBool::new(false),
            fault: Mutex::new(None),
        });
        let start = |index: usize| {
            let (sender, receiver) = unbounded();
            let shared = shared.clone();
            thread::Builder::new()
                .name(format!("load-{index}"))
                .spawn_scoped(scope, move || work(&receiver, context, &shared))?;
            Ok(sender)
        };
        let jobs = (0..cores.min(context.server.shards.len())).map(start).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { jobs, shared })
    }

    /// Waits until there is room for so many bytes more.
    pub(super) fn share(&self, bytes: usize) -> Share {
        self.shared.budget.take(bytes)
    }

    /// Gives the records of a chunk, by shard, to those whose shards they are for.
    pub(super) fn take_in(&self, chunk: Chunk, pieces: &mut [Vec<Piece>]) {
        let chunk = Arc::new(chunk);
        for (worker, jobs) in self.jobs.iter().enumerate() {
            let own = pieces.iter_mut().enumerate().skip(worker).step_by(self.jobs.len());
            let parts: Vec<_> = own
                .filter(|(_, pieces)| !pieces.is_empty())
                .map(|(shard, pieces)| {
                    let room = Vec::with_capacity(pieces.len());
                    (shard, std::mem::replace(pieces, room))
                })
                .collect();
            if !parts.is_empty() && jobs.send(Job::Keys { chunk: chunk.clone(), parts }).is_err() {
                self.shared.fail(chunk.offset, "a thread that loads it has failed".into());
            }
        }
    }

    /// Gives commands to the worker of their shard.
    pub(super) fn replay(&self, shard: usize, batch: Batch, file: &Arc<str>) {
        let share = self.share(batch.memory_bytes());
        let job = Job::Replay { shard, batch, file: file.clone(), _share: share };
        if self.jobs[shard % self.jobs.len()].send(job).is_err() {
            self.shared.fail(0, "a thread that loads it has failed".into());
        }
    }

    /// Waits until everything was done.
    pub(super) fn settle(&self) {
        self.shared.budget.wait_for_all();
    }

    /// Notes what is wrong with a record that the reader itself has taken in.
    pub(super) fn fail(&self, offset: u64, reason: String) {
        self.shared.fail(offset, reason);
    }

    /// Whether something was wrong: nothing more is worth reading.
    pub(super) fn have_failed(&self) -> bool {
        self.shared.failed.load(Relaxed)
    }

    /// Waits until everything was done of a file.
    ///
    /// # Errors
    /// What was wrong first.
    pub(super) fn wait(&self, file: &str) -> Result<(), LoadError> {
        self.settle();
        match self.shared.fault.lock().take() {
            None => Ok(()),
            Some(Fault { offset, reason }) => {
                Err(LoadError::Corrupt { file: file.to_owned(), offset, reason })
            }
        }
    }
}

impl Shared {
    fn fail(&self, offset: u64, reason: String) {
        let mut fault = self.fault.lock();
        if fault.as_ref().is_none_or(|first| offset < first.offset) {
            *fault = Some(Fault { offset, reason });
        }
        self.failed.store(true, Relaxed);
    }
}

/// Does what comes until nothing more will.
fn work(jobs: &Receiver<Job>, context: &Context<'_>, shared: &Shared) {
    for job in jobs {
        match job {
            Job::Keys { chunk, parts } => {
                parts.iter().for_each(|(shard, pieces)| context.take_in_all(*shard, &chunk, pieces, shared));
            }
            Job::Replay { shard, batch, file, .. } => context.replay(shard, &batch, &file),
        }
    }
}

impl Context<'_> {
    /// Takes in a chunk's records of one shard. What was read before a record that is wrong is looked at nevertheless: the
    /// first one is to be told.
    fn take_in_all(&self, shard: usize, chunk: &Chunk, pieces: &[Piece], shared: &Shared) {
        let mut guard = self.server.shards[shard].lock.blocking_lock();
        let (limits, mut counts) = (self.settings.restore_limits(), Counts::default());
        for &Piece { at, len, record: KeyRecord { db, expiry_ms, used, .. } } in pieces {
            let begin = at as usize;
            let record = &chunk.bytes[begin..begin + len as usize];
            let outcome = match build(record, expiry_ms, &limits) {
                Ok(Some(entry)) => self.put(&mut guard, db, (entry, used), &mut counts),
                Ok(None) => {
                    tracing::warn!("a collection without elements was left out");
                    Ok(())
                }
                Err(reason) => Err(reason),
            };
            if let Err(reason) = outcome {
                shared.fail(chunk.offset + u64::from(at), reason);
                break;
            }
        }
        self.count(counts);
    }

    /// Runs commands of the log on their shard.
    fn replay(&self, shard: usize, batch: &Batch, file: &str) {
        let mut guard = self.server.shards[shard].lock.blocking_lock();
        let (mut reply, now_ms) = (Reply::new(Encoding::Off), unix_ms());
        let arguments = batch.arguments();
        for (call, args) in batch.calls(&arguments) {
            let ShardState { shard: state, vm, rng, .. } = &mut *guard;
            let mut cx = Ctx {
                keys: Keyspace::with_view(
                    Shards::One(state),
                    View::new(call.db, now_ms, &self.settings).expiry_mode(ExpiryMode::Ignore),
                    &self.settings,
                ),
                reply: &mut reply,
                caller: Caller::Replay,
                access: None,
                gate: Gate::empty(),
                settings: &self.settings,
                rng,
                exchange: &self.server.pubsub,
                scripts: Some(vm),
                server: None,
            };
            if let Err(error) = cx.call(call.entry, args) {
                self.server.count_error(&error);
                tell_error(file, call.entry, call.offset, &error.to_string());
            }
            self.server.settle(shard, &mut guard, Moment { now_ms, settings: &self.settings, origin: 0 });
        }
    }

    /// Puts an entry, with what was told of its use, into its shard, unless it is due.
    pub(super) fn put(
        &self,
        guard: &mut Guard<'_, ShardState>,
        db: usize,
        entry: (Entry, Option<Use>),
        counts: &mut Counts,
    ) -> Result<(), String> {
        if !self.keep_expired && entry.0.expiry_ms().is_some_and(|at| at <= self.now_ms) {
            counts.expired += 1;
            return Ok(());
        }
        put(&mut guard.shard, db, entry, self.now_ms, &self.settings)?;
        counts.keys += 1;
        Ok(())
    }

    /// Adds what was counted to the figures that INFO shows.
    pub(super) fn count(&self, counts: Counts) {
        let (keys, expired) = &self.server.persistence.loaded;
        keys.fetch_add(counts.keys, Relaxed);
        expired.fetch_add(counts.expired, Relaxed);
    }
}
