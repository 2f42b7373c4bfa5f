//! Turns the log on and off, and goes from one increment to the next.

use super::writer::{self, Writer};
use super::{Files, Order, Rewrite, State, sync};
use crate::server::Server;
use crate::shards::ShardGuards;
use moonshard_aof::Manifest;
use moonshard_disk::Disk;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

impl Server {
    /// Goes on with the log that was loaded, whose manifest is given; without one, with a new log, which begins with what
    /// is in the shards. Nobody else changes them yet.
    ///
    /// # Errors
    /// The system's.
    pub async fn open_log(self: &Arc<Self>, manifest: Manifest) -> io::Result<()> {
        let settings = self.config.load_full();
        let is_new = manifest.is_empty();
        let disk = self.disk.clone();
        let mut files = Files::new(disk, &settings.appenddirname, &settings.appendfilename, manifest);
        self.start_log_thread()?;
        if is_new {
            *self.persistence.log.files.lock() = Some(files);
            return self.rewrite_log().await.map_err(|error| io::Error::other(error.to_string()));
        }
        let (file, len) = files.open_last()?;
        files.remove_history();
        let log = &self.persistence.log;
        log.earlier_len.store(files.base_len() + files.earlier_len(), Relaxed);
        log.len.store(len, Relaxed);
        // How long the log was when this base was written is not known: as in Redis, the base's length stands for it.
        log.rewritten_len.store(files.base_len(), Relaxed);
        *log.files.lock() = Some(files);
        log.order(Order::Switch { after: log.last(), file, len });
        self.hear_commands();
        self.set_log_state(State::On);
        Ok(())
    }

    /// Turns the log on at run time: it counts as soon as a first base is written, which
    /// [`tend_log`](Server::tend_log) begins at the latest.
    ///
    /// # Errors
    /// The system's, and a manifest that cannot be read.
    pub fn start_log(self: &Arc<Self>, folder: &[u8], log_name: &[u8]) -> io::Result<()> {
        let files = Files::read(self.disk.clone(), folder, log_name).map_err(io::Error::other)?;
        self.disk.create_dir(files.folder())?;
        self.start_log_thread()?;
        *self.persistence.log.files.lock() = Some(files);
        self.persistence.log.wants_base.store(true, Relaxed);
        // What is being written holds nothing that was recorded.
        self.persistence.rewriting.give_up();
        Ok(())
    }

    /// Turns the log off. What was recorded is brought to the disk.
    pub fn stop_log(&self) {
        let log = &self.persistence.log;
        self.persistence.rewriting.give_up();
        if log.state() == State::Off {
            log.wants_base.store(false, Relaxed);
            return;
        }
        self.set_log_state(State::Off);
        self.shards.iter().for_each(|cell| cell.audience.hear_commands(false));
        log.wants_base.store(false, Relaxed);
        log.order(Order::Close { after: log.last() });
        log.earlier_len.store(0, Relaxed);
    }

    /// From this moment, when all shards are locked, what is recorded goes to the increment of `rewrite`. If the log was
    /// off, recording begins.
    pub fn cut_log(&self, _all: &ShardGuards<'_>, rewrite: &mut Rewrite) {
        let log = &self.persistence.log;
        if let Some(file) = rewrite.increment.take() {
            log.order(Order::Switch { after: log.last(), file, len: 0 });
        }
        if log.state() == State::Off {
            self.hear_commands();
            self.set_log_state(State::Waiting);
        }
    }

    /// The base of `rewrite` is in its place and on the disk: from now on the log is what the base and its increment hold.
    ///
    /// # Errors
    /// The system's. The log is then what it was before.
    pub fn finish_rewrite(&self, rewrite: &Rewrite) -> io::Result<()> {
        let log = &self.persistence.log;
        if rewrite.records && log.state() == State::Off {
            return Err(io::Error::other("the log was turned off meanwhile"));
        }
        let mut files = log.files.lock();
        let mut base_len = 0;
        if let Some(files) = &mut *files {
            files.finish_rewrite(rewrite, self.config.load().aof_disable_auto_gc)?;
            base_len = files.base_len();
        }
        drop(files);
        if log.state() == State::Off {
            return Ok(());
        }
        log.order(Order::DropEarlier);
        // So that nobody finds the old lengths after the rewrite, and has it rewritten once more.
        log.with_writer(|writer| writer.step(self));
        log.earlier_len.store(base_len, Relaxed);
        log.rewritten_len.store(log.current_len(), Relaxed);
        if log.state() == State::Waiting {
            self.set_log_state(State::On);
        }
        Ok(())
    }

    /// The base of `rewrite` could not be written, or is not wanted: the log is what it was before.
    pub fn abandon_rewrite(&self, rewrite: &Rewrite) {
        let log = &self.persistence.log;
        if let Some(files) = &mut *log.files.lock() {
            files.abandon_rewrite(rewrite);
        }
    }

    /// Brings everything that was recorded to the disk.
    ///
    /// # Errors
    /// The system's.
    pub async fn sync_log(&self) -> io::Result<()> {
        if self.persistence.log.state() == State::Off {
            return Ok(());
        }
        let (sender, done) = tokio::sync::oneshot::channel();
        self.persistence.log.order(Order::Sync(sender));
        done.await.unwrap_or_else(|_| Err(io::Error::other("the log's thread has ended")))
    }

    fn hear_commands(&self) {
        self.shards.iter().for_each(|cell| cell.audience.hear_commands(true));
    }

    fn set_log_state(&self, state: State) {
        let log = &self.persistence.log;
        log.state.store(state as u8, Relaxed);
        self.log_as(&self.config.load());
    }

    fn start_log_thread(self: &Arc<Self>) -> io::Result<()> {
        let log = &self.persistence.log;
        if log.thread.get().is_none() {
            *log.writer.lock() = Some(Writer::new(log.last()));
            let spawn = |name: &str, run: fn(&Self)| {
                let server = self.clone();
                std::thread::Builder::new().name(name.into()).spawn(move || run(&server))
            };
            let (started, syncs) = (spawn("log", writer::run)?, spawn("log-sync", sync::run)?);
            // Two at once would have to come from two CONFIG SETs, which run one after another.
            let _ = log.sync_thread.set(syncs.thread().clone());
            let _ = log.thread.set(started.thread().clone());
            // It may rest already, and have been called before it was known.
            log.wake();
        }
        Ok(())
    }
}
