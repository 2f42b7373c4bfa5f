//! The append-only log: every change, in the files of Redis 7 ([`moonshard_aof`]).
//!
//! Whoever changes keys records the commands that make the change again, in its shard's journal
//! ([`moonshard_journal`]), while it holds the locks of all shards that it changed: so records are numbered as the
//! changes happened. The [`writer`] puts the journals in order and writes them, a step at a time: the thread that has
//! replies to send takes it before it sends them, and a thread of the log's own where that would take long. Replies wait
//! at their connection until what they depend on is written or synced, as the settings say ([`Progress`]).

mod files;
mod output;
mod progress;
mod scripts;
mod switch;
mod sync;
#[cfg(test)]
mod tests;
mod writer;

pub use files::{Files, Rewrite};
pub use progress::{Place, Progress};

use crate::config::{AppendFsync, Settings};
use crate::persistence::Activity;
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
    AtomicBool, AtomicI32, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst, fence,
};
use std::thread::Thread;
use writer::Writer;

/// Bytes in one journal for which the log's thread is woken, before somebody's replies wait for them.
const WAKE_BYTES: usize = 256 << 10;
/// A step that takes less than this is not worth waking another thread for.
const QUICK_STEP_NANOS: u64 = 250_000;
/// Steps that a thread takes in a row because others ask for them.
const STEPS_MAX: usize = 3;
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

/// What the writer is asked to do.
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
    /// Whether replies wait until the disk has what they depend on, and not only the system: by the setting, and because
    /// too much would be lost.
    is_strict: AtomicBool,
    is_overdue: AtomicBool,
    orders: Mutex<Vec<Order>>,
    has_orders: AtomicBool,
    /// What writes; `None` before the log was on for the first time.
    writer: Mutex<Option<Writer>>,
    /// Whether somebody has asked for a step since the last one began.
    is_asked: AtomicBool,
    /// The log's thread, and whether it is to take a step.
    thread: OnceLock<Thread>,
    is_called: AtomicBool,
    /// The thread that syncs while others write.
    sync_thread: OnceLock<Thread>,
    is_syncing: AtomicBool,
    /// Whether it is to sync at once.
    is_sync_asked: AtomicBool,
    /// Nanoseconds that the disk takes in a step, averaged over some of them: when nothing is synced beside, and when
    /// something is.
    step_nanos: [AtomicU64; 2],
    /// The system's error number while the log cannot be written; 0 while it can.
    failure: AtomicI32,
    /// Whether only a new base helps.
    wants_base: AtomicBool,
    /// The files; `None` before the log was on for the first time.
    pub files: Mutex<Option<Files>>,
    /// Unix time in milliseconds since which something is not on the disk; 0 when everything is.
    unsynced_since_ms: AtomicU64,
    /// The last record that the system has.
    written: AtomicU64,
    /// Bytes of the increments since the base, and of those that wait to be written.
    len: AtomicU64,
    pending: AtomicUsize,
    /// Bytes of the base, and of the increments that were there at the start but for the last.
    earlier_len: AtomicU64,
    /// Bytes of the whole log when it was rewritten last; of its base, if that was before the start.
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
            is_strict: AtomicBool::new(false),
            is_overdue: AtomicBool::new(false),
            orders: Mutex::default(),
            has_orders: AtomicBool::new(false),
            writer: Mutex::new(None),
            is_asked: AtomicBool::new(false),
            thread: OnceLock::new(),
            is_called: AtomicBool::new(false),
            sync_thread: OnceLock::new(),
            is_syncing: AtomicBool::new(false),
            is_sync_asked: AtomicBool::new(false),
            step_nanos: [AtomicU64::new(0), AtomicU64::new(0)],
            failure: AtomicI32::new(0),
            wants_base: AtomicBool::new(false),
            files: Mutex::new(None),
            unsynced_since_ms: AtomicU64::new(0),
            written: AtomicU64::new(0),
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

    /// Whether a reply waits until the records that it depends on are safe: written, or synced.
    #[inline]
    pub fn holds_replies(&self) -> bool {
        self.state() != State::Off
    }

    /// Whether replies are promised to wait for the disk, however long it fails.
    #[inline]
    pub fn is_strict(&self) -> bool {
        self.is_strict.load(Relaxed)
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

    /// Bytes of all valid files when the log was rewritten last; of its base, if that was before the start.
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

    /// Whether a sync is going on beside the writing.
    pub fn is_syncing(&self) -> bool {
        self.is_syncing.load(Relaxed)
    }

    /// Records the commands of one call, which are applied together or not at all, in the journal at `index`. Returns
    /// the record's number.
    fn record(&self, index: usize, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let appended = self.journals.append(index, write);
        if appended.before <= WAKE_BYTES && appended.waiting > WAKE_BYTES {
            self.hurry();
        }
        appended.number
    }

    /// Lets the log's thread take a step.
    #[inline]
    fn hurry(&self) {
        if !self.is_called.swap(true, SeqCst) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Does something with the writer, once nobody else does. `None` before the log was on for the first time.
    fn with_writer<T>(&self, act: impl FnOnce(&mut Writer) -> T) -> Option<T> {
        let outcome = self.writer.lock().as_mut().map(act);
        // As in `Server::hasten_log`, which has found the writer taken.
        fence(SeqCst);
        if self.is_asked.load(Relaxed) {
            self.hurry();
        }
        outcome
    }

    /// Whether a step takes so little time that whoever waits for it takes it.
    fn is_quick(&self) -> bool {
        let nanos = self.step_nanos[usize::from(self.is_syncing())].load(Relaxed);
        nanos < QUICK_STEP_NANOS && !self.has_orders.load(Relaxed) && self.failure().is_none()
    }

    fn order(&self, order: Order) {
        self.orders.lock().push(order);
        self.has_orders.store(true, SeqCst);
        self.is_called.store(true, SeqCst);
        self.wake();
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
    pub fn log_as(&self, settings: &Settings) {
        self.log_as_time_goes(settings);
        self.persistence.log.hurry();
    }

    /// Looks whether the disk is so late that replies have to wait for it, and sees to what nobody waits for.
    pub fn log_as_time_goes(&self, settings: &Settings) {
        let log = &self.persistence.log;
        let (is_on, now_ms) = (log.state() == State::On, unix_ms());
        let mut since = log.unsynced_since_ms.load(Relaxed);
        log.is_strict.store(is_on && settings.appendfsync == AppendFsync::Always, Relaxed);
        if since != 0 && !self.may_sync_log(settings) {
            // What may not be synced is not late.
            log.unsynced_since_ms.store(now_ms, Relaxed);
            since = now_ms;
        }
        let is_overdue = is_on
            && settings.appendfsync == AppendFsync::EverySec
            && since != 0
            && now_ms.saturating_sub(since) > OVERDUE_MS;
        if log.is_overdue.swap(is_overdue, Relaxed) != is_overdue {
            log.delays.fetch_add(u64::from(is_overdue), Relaxed);
            log.hurry();
        }
        let is_behind = since != 0 && settings.appendfsync != AppendFsync::No;
        if is_behind || log.written.load(Relaxed) < log.last() {
            log.hurry();
        }
    }

    /// Whether the log may be synced now: `no-appendfsync-on-rewrite` leaves the disk to what is being written.
    fn may_sync_log(&self, settings: &Settings) -> bool {
        !settings.no_appendfsync_on_rewrite || self.persistence.activity() == Activity::None
    }

    /// Brings to safety what replies wait for, once what was ready beside them has run: one step for all of it. Where the
    /// disk is quick, this thread takes it, which is cheaper than waking another; else the log's thread does, and this one
    /// goes on with other connections.
    pub fn hasten_log(&self) {
        let log = &self.persistence.log;
        if !log.is_quick() {
            return log.hurry();
        }
        log.is_asked.store(true, SeqCst);
        for _ in 0..STEPS_MAX {
            // Whoever asks says so before it looks whether the writer is free, and whoever has it lets go before it looks
            // whether somebody has asked: one of the two takes the step.
            fence(SeqCst);
            if !log.is_asked.load(Relaxed) {
                return;
            }
            let Some(mut writer) = log.writer.try_lock() else { return };
            let Some(writer) = &mut *writer else { return };
            writer.step(self);
        }
        if log.is_asked.load(Relaxed) {
            log.hurry();
        }
    }
}
