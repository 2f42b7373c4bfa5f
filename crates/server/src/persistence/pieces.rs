//! The pieces of a snapshot, on their way from the shards to the file.
//!
//! The shards are asked in turn, so what a shard had to write ahead of its turn does not wait for long. All pieces that
//! wait for the disk are bounded in bytes, and their memory is used again. A client whose writes make a shard write far
//! ahead waits until the walk has come by, with no lock in hand.

use super::commands::CommandWriter;
use super::file::{Header, SnapshotFile};
use super::log::{Place, Progress};
use crate::server::Server;
use moonshard_engine::keyspace::Snapshot;
use parking_lot::Mutex;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that a shard writes under one hold of its lock: some hundred microseconds.
const SLICE_BYTES: usize = 64 << 10;
/// Bytes that may wait for the disk, but for one piece.
const WAITING_BYTES: u32 = 4 << 20;
/// Memory of a piece that is kept for another, and how many.
const KEPT_BYTES: usize = 2 * SLICE_BYTES;
const KEPT_MAX: usize = 64;

/// Bytes that a shard has written ahead from which on clients that make it write more wait for the walk.
const AHEAD_MAX: usize = 1 << 20;

/// How often the walk has been at all shards, and who waits for that.
#[derive(Debug, Default)]
pub struct Walk {
    rounds: AtomicU64,
    progress: Progress,
}

impl Walk {
    /// What a client waits for after a call before which there were so many bytes that the shard had written ahead, and
    /// after it `after` bytes; `None` if it goes on.
    #[inline]
    pub fn to_wait_for(&self, before: usize, after: usize) -> Option<u64> {
        (after > before.max(AHEAD_MAX)).then(|| self.rounds.load(Relaxed) + 1)
    }

    /// Ready once the walk has been at all shards so many times.
    pub fn poll_rounds(&self, rounds: u64, place: &mut Place, cx: &Context<'_>) -> Poll<()> {
        self.progress.poll_acknowledged(rounds, place, cx)
    }

    fn end_round(&self) {
        let rounds = self.rounds.fetch_add(1, Relaxed) + 1;
        self.progress.publish(rounds, rounds);
    }
}

/// What a shard has written under one hold of its lock.
struct Piece {
    bytes: Vec<u8>,
    keys: u64,
    /// Its part of what may wait.
    _share: Option<OwnedSemaphorePermit>,
}

/// Memory of pieces that were written.
type Free = Arc<Mutex<Vec<Vec<u8>>>>;

impl Server {
    /// Writes a snapshot that has begun into the file at `path`, in the RDB format or as commands.
    ///
    /// # Errors
    /// The system's. There is no file then, or the one that was there before.
    pub(super) async fn write_pieces(
        self: &Arc<Self>,
        header: Header,
        path: PathBuf,
        rdb: bool,
    ) -> io::Result<()> {
        let settings = self.config.load_full();
        let (sender, receiver) = unbounded_channel();
        let free = Free::default();
        let (server, kept) = (self.clone(), free.clone());
        let writer = std::thread::Builder::new().name("snapshot".into()).spawn(move || {
            let commands = (!rdb).then(|| CommandWriter::new(&settings, server.seed));
            let file = SnapshotFile::create(server.disk.clone(), path, &settings, &header, commands)?;
            write_file(&server, file, receiver, &kept)
        })?;
        self.walk_shards(&sender, &free).await;
        drop(sender);
        tokio::task::spawn_blocking(move || {
            writer.join().unwrap_or_else(|_| Err(io::Error::other("the writer failed")))
        })
        .await
        .map_err(io::Error::other)?
    }

    /// Lets every shard write its part, slice by slice, each in turn, until all is written or the file cannot be.
    async fn walk_shards(&self, pieces: &UnboundedSender<Piece>, free: &Free) {
        let room = Arc::new(Semaphore::new(WAITING_BYTES as usize));
        let mut left: Vec<usize> = (0..self.shards.len()).collect();
        while !left.is_empty() {
            let mut next = Vec::with_capacity(left.len());
            for index in left {
                let Ok(mut guard) = self.shards[index].lock.lock_patient().await else { continue };
                let done = pieces.is_closed() || guard.shard.snapshot_slice(SLICE_BYTES);
                let Some(snapshot) = &mut guard.shard.snapshot else { continue };
                let (bytes, keys) = take(snapshot, free);
                if done {
                    drop(guard.shard.end_snapshot());
                } else {
                    next.push(index);
                }
                drop(guard);
                if !bytes.is_empty() {
                    let share =
                        u32::try_from(bytes.len()).map_or(WAITING_BYTES, |len| len.min(WAITING_BYTES));
                    let share = tokio::select! {
                        share = room.clone().acquire_many_owned(share) => share.ok(),
                        () = pieces.closed() => None,
                    };
                    // When the file cannot be written nobody takes it.
                    let _ = pieces.send(Piece { bytes, keys, _share: share });
                }
                tokio::task::yield_now().await;
            }
            left = next;
            self.persistence.walk.end_round();
        }
    }
}

/// Takes what a shard has written, and the number of keys in it.
fn take(snapshot: &mut Snapshot, free: &Free) -> (Vec<u8>, u64) {
    let next = free.lock().pop().unwrap_or_default();
    snapshot.take(next)
}

/// Writes pieces into the file as they come.
fn write_file(
    server: &Server,
    mut file: SnapshotFile,
    mut pieces: UnboundedReceiver<Piece>,
    free: &Free,
) -> io::Result<()> {
    let rewriting = &server.persistence.rewriting;
    while let Some(Piece { bytes, keys, _share }) = pieces.blocking_recv() {
        if file.is_base() && rewriting.is_given_up() {
            return Err(io::Error::other("it was given up"));
        }
        file.write(&bytes)?;
        server.persistence.keys.0.fetch_add(keys, Relaxed);
        delay(keys, server, file.is_base());
        let mut free = free.lock();
        if bytes.capacity() <= KEPT_BYTES && free.len() < KEPT_MAX {
            free.push(bytes);
        }
    }
    file.finish()
}

/// Waits for so many keys as long as `rdb-key-save-delay` says, in microseconds a key: for tests.
fn delay(keys: u64, server: &Server, is_base: bool) {
    const STEP: Duration = Duration::from_millis(5);
    let micros = || u64::try_from(server.config.load().rdb_key_save_delay).unwrap_or(0).saturating_mul(keys);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(micros())
        && !(is_base && server.persistence.rewriting.is_given_up())
    {
        std::thread::sleep(STEP);
    }
}
