//! The append-only log: every change, in the files of Redis 7 ([`moonshard_aof`]).
//!
//! Whoever changes keys records the commands that make the change again, in its shard's journal
//! ([`moonshard_journal`]), while it holds the locks of all shards that it changed: so records are numbered as the
//! changes happened. A thread of its own ([`writer`]) puts the journals in order, writes and syncs them. Replies that
//! must not be sent before that wait at their connection ([`Progress`]).

mod files;
mod output;
mod progress;
mod scripts;
mod switch;
#[cfg(test)]
mod tests;
mod writer;

pub use files::{Files, Rewrite};
pub use progress::{Place, Progress};

use crate::config::AppendFsync;
use crate::server::{Server, unix_ms};
use moonshard_aof::encode;
use moonshard_disk::DiskFile;
use moonshard_engine::effects::Commands;
use moonshard_journal::Journals;
use output::{NO_DATABASE, push_command};
use parking_lot::Mutex;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst,
};
use std::thread::Thread;
use writer::Writer;

/// Bytes in one journal that make its writers wait until they are written.
const STALL_BYTES: usize = 8 << 20;
/// Bytes in one journal for which the thread is woken before its time.
const WAKE_BYTES: usize = 256 << 10;
/// Written, but not on the disk for this long, under `everysec`: replies wait from then on.
const OVERDUE_MS: u64 = 2_000;

/// How the log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nothing is recorded.
    Off,
    /// Changes are recorded; they count once the first base is there.
    Waiting,
    /// Changes are recorded, and count.
    On,
}

/// What the thread is asked to do.
enum Order {
    /// What has a higher number than `after` goes to `file`, of which `len` bytes are there.
    Switch { after: u64, file: Box<dyn DiskFile>, len: u64 },
    /// A base holds all that is in earlier files than the last.
    DropEarlier,
    /// Everything recorded so far is to be on the disk; tells how that went.
    Sync(tokio::sync::oneshot::Sender<io::Result<()>>),
    /// Everything up to the record `after` is to be on the disk, and the file closed.
    Close { after: u64 },
}

impl Order {
    /// The last record that is before it, if its place among them matters.
    const fn after(&self) -> Option<u64> {
        match self {
            Self::Switch { after, .. } | Self::Close { after } => Some(*after),
            Self::DropEarlier | Self::Sync(_) => None,
        }
    }
}

/// The log.
pub struct Log {
    journals: Journals,
    progress: Progress,
    state: AtomicU8,
    /// Whether replies wait for what they depend on.
    holds_replies: AtomicBool,
    /// Whether a journal was so full that its writers are to wait.
    is_stalled: AtomicBool,
    orders: Mutex<Vec<Order>>,
    has_orders: AtomicBool,
    /// What writes; `None` before the log was on for the first time.
    writer: Mutex<Option<Writer>>,
    thread: OnceLock<Thread>,
    /// Nanoseconds that a sync takes, averaged over some of them.
    sync_nanos: AtomicU64,
    /// Whether the thread sleeps until it is woken.
    sleeps: AtomicBool,
    /// The system's error number while the log cannot be written; 0 while it can.
    failure: AtomicI32,
    /// Whether only a new base helps.
    wants_base: AtomicBool,
    /// The files; `None` before the log was on for the first time.
    pub files: Mutex<Option<Files>>,
    /// Unix time in milliseconds since which something is not on the disk; 0 when everything is.
    unsynced_since_ms: AtomicU64,
    /// Bytes of the last increment, and of those that wait to be written.
    len: AtomicU64,
    pending: AtomicUsize,
    /// Bytes of the base and of the increments before the last.
    earlier_len: AtomicU64,
    /// Bytes of the whole log when it was rewritten last, or loaded.
    rewritten_len: AtomicU64,
    /// Unix time in milliseconds of the last attempt to write a base that was wanted.
    tried_ms: AtomicU64,
    /// Times that replies had to wait because the disk was too slow for `everysec`.
    pub delays: AtomicU64,
}

impl Log {
    /// A log of so many shards, which is off.
    pub fn new(shards: usize) -> Self {
        Self {
            journals: Journals::new(shards),
            progress: Progress::default(),
            state: AtomicU8::new(State::Off as u8),
            holds_replies: AtomicBool::new(false),
            is_stalled: AtomicBool::new(false),
            orders: Mutex::default(),
            has_orders: AtomicBool::new(false),
            writer: Mutex::new(None),
            thread: OnceLock::new(),
            sync_nanos: AtomicU64::new(0),
            sleeps: AtomicBool::new(false),
            failure: AtomicI32::new(0),
            wants_base: AtomicBool::new(false),
            files: Mutex::new(None),
            unsynced_since_ms: AtomicU64::new(0),
            len: AtomicU64::new(0),
            pending: AtomicUsize::new(0),
            earlier_len: AtomicU64::new(0),
            rewritten_len: AtomicU64::new(0),
            tried_ms: AtomicU64::new(0),
            delays: AtomicU64::new(0),
        }
    }

    /// How it stands.
    pub fn state(&self) -> State {
        match self.state.load(Relaxed) {
            0 => State::Off,
            1 => State::Waiting,
            _ => State::On,
        }
    }

    /// How far it has come.
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The number of the last record.
    #[inline]
    pub fn last(&self) -> u64 {
        self.journals.last()
    }

    /// Whether a reply waits until the records that it depends on are safe.
    #[inline]
    pub fn holds_replies(&self) -> bool {
        self.holds_replies.load(Relaxed)
    }

    /// The system's error number if the log cannot be written at the moment.
    #[inline]
    pub fn failure(&self) -> Option<i32> {
        Some(self.failure.load(Relaxed)).filter(|errno| *errno != 0)
    }

    /// Whether what the files hold is not known after a failed sync, so that a new base has to be written.
    pub fn wants_base(&self) -> bool {
        self.wants_base.load(Relaxed)
    }

    /// Bytes of all valid files.
    pub fn current_len(&self) -> u64 {
        self.earlier_len.load(Relaxed) + self.len.load(Relaxed)
    }

    /// Bytes of all valid files when the log was rewritten last, or loaded.
    pub fn rewritten_len(&self) -> u64 {
        self.rewritten_len.load(Relaxed)
    }

    /// Whether an attempt to write a base may begin now, at Unix time `now_ms`: at most one every so many milliseconds.
    pub fn may_try(&self, now_ms: u64, every_ms: u64) -> bool {
        let last = self.tried_ms.load(Relaxed);
        let may = now_ms.saturating_sub(last) >= every_ms;
        if may {
            self.tried_ms.store(now_ms, Relaxed);
        }
        may
    }

    /// Bytes that are recorded and not written.
    pub fn waiting(&self) -> usize {
        self.pending.load(Relaxed) + self.journals.waiting()
    }

    /// Whether a sync is due or going on.
    pub fn is_unsynced(&self) -> bool {
        self.unsynced_since_ms.load(Relaxed) != 0
    }

    /// Records the commands of one call, which are applied together or not at all, in the journal at `index`. Returns
    /// the record's number.
    fn record(&self, index: usize, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let appended = self.journals.append(index, write);
        if appended.waiting > WAKE_BYTES {
            self.wake();
        } else if !self.holds_replies() {
            self.hurry();
        }
        if appended.waiting > STALL_BYTES && !self.is_stalled.swap(true, Relaxed) {
            self.holds_replies.store(true, Relaxed);
        }
        appended.number
    }

    /// Wakes the thread if it sleeps. Whoever holds back a reply does so once its I/O thread has run what else was ready:
    /// so one sync covers all of that.
    #[inline]
    pub fn hurry(&self) {
        if self.sleeps.load(SeqCst) && self.sleeps.swap(false, SeqCst) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn order(&self, order: Order) {
        self.orders.lock().push(order);
        self.has_orders.store(true, SeqCst);
        self.wake();
    }

    /// Works out whether replies wait.
    fn judge_replies(&self, fsync: AppendFsync, now_ms: u64) {
        let is_on = self.state() == State::On;
        let since = self.unsynced_since_ms.load(Relaxed);
        let is_overdue = is_on
            && fsync == AppendFsync::EverySec
            && since != 0
            && now_ms.saturating_sub(since) > OVERDUE_MS;
        let holds = (is_on && fsync == AppendFsync::Always) || is_overdue || self.is_stalled.load(Relaxed);
        let held = self.holds_replies.swap(holds, Relaxed);
        if holds && !held {
            self.delays.fetch_add(u64::from(is_overdue), Relaxed);
            // From now on those who record do not wake the thread.
            self.wake();
        }
    }
}

impl Server {
    /// Records what a call has changed in the shard whose number is `journal`, and in others that are locked. Returns
    /// the record's number.
    pub fn log_record(&self, journal: usize, commands: &mut Commands) -> u64 {
        let log = &self.persistence.log;
        let number = if commands.belong_together() {
            log.record(journal, |record| {
                commands.iter().for_each(|(db, command)| push_command(record, db as u32, command));
            })
        } else {
            let each = commands.iter();
            each.map(|(db, command)| log.record(journal, |record| push_command(record, db as u32, command)))
                .last()
                .unwrap_or_default()
        };
        commands.clear();
        number
    }

    /// Records a command that is about no key, and so about no shard.
    pub fn log_record_apart(&self, args: &[&[u8]]) {
        self.log_annotated(b"", args);
    }

    /// The same, with a line before it that only Moonshard heeds: an annotation, which begins with `#`.
    pub fn log_annotated(&self, annotation: &[u8], args: &[&[u8]]) {
        if self.persistence.log.state() != State::Off {
            let mut command = annotation.to_vec();
            encode(args, &mut command);
            self.persistence.log.record(0, |record| push_command(record, NO_DATABASE, &command));
        }
    }

    /// Takes over what the configuration says about the log.
    pub fn log_as(&self, fsync: AppendFsync) {
        self.log_as_time_goes(fsync);
        self.persistence.log.wake();
    }

    /// Looks whether the disk is so late that replies have to wait for it.
    pub fn log_as_time_goes(&self, fsync: AppendFsync) {
        self.persistence.log.judge_replies(fsync, unix_ms());
    }
}
