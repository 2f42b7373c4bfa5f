//! Turns the log on and off, and goes from one increment to the next.

use super::writer::{Writer, run};
use super::{Files, Order, Rewrite, State};
use crate::server::{Server, unix_ms};
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
        log.rewritten_len.store(log.current_len(), Relaxed);
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
        if let Some(files) = &mut *files {
            files.finish_rewrite(rewrite, self.config.load().aof_disable_auto_gc)?;
            log.earlier_len.store(files.base_len(), Relaxed);
        }
        drop(files);
        if log.state() == State::Off {
            return Ok(());
        }
        log.order(Order::DropEarlier);
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
            log.earlier_len.store(files.base_len() + files.earlier_len(), Relaxed);
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
        log.judge_replies(self.config.load().appendfsync, unix_ms());
    }

    fn start_log_thread(self: &Arc<Self>) -> io::Result<()> {
        let log = &self.persistence.log;
        if log.thread.get().is_none() {
            *log.writer.lock() = Some(Writer::new(self.clone()));
            let server = self.clone();
            let started = std::thread::Builder::new().name("log".into()).spawn(move || run(&server))?;
            // Two at once would have to come from two CONFIG SETs, which run one after another.
            let _ = log.thread.set(started.thread().clone());
        }
        Ok(())
    }
}
