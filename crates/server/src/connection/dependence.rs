//! What a client's replies depend on: records of the log that are to be safe before it hears of them.

use crate::persistence::{Log, Place};
use crate::shards::ShardGuards;
use std::task::{Context, Poll};

/// Numbers of records, where there is a log; 0 for none.
#[derive(Debug, Default)]
pub struct Dependence {
    /// The last that the client has made.
    written: u64,
    /// The last whose change it may have seen.
    seen: u64,
    place: Place,
}

impl Dependence {
    /// Takes note of a call on shards whose last record was `before` and is `after` it.
    #[inline]
    pub fn note(&mut self, log: &Log, before: u64, after: u64) {
        if log.holds_replies() {
            let number = if after > before { &mut self.written } else { &mut self.seen };
            *number = after.max(*number);
        }
    }

    /// Takes note of a call that may have made any of the records so far.
    pub fn note_last(&mut self, log: &Log) {
        self.note(log, 0, log.last());
    }

    /// Takes note of something that may tell of any of the records so far.
    pub fn note_seen(&mut self, log: &Log) {
        let last = log.last();
        self.note(log, last, last);
    }

    /// Whether a reply may have to wait.
    #[inline]
    pub const fn is_any(&self) -> bool {
        self.written > 0 || self.seen > 0
    }

    /// Its task is another one from now on.
    pub fn move_away(&mut self) {
        self.place = Place::default();
    }

    /// The record that has to be safe. While the log cannot be written, those who only read do not wait, and others only
    /// where they are promised so: what they wrote is done, and what they write now is refused.
    fn number(&self, log: &Log) -> u64 {
        match log.failure() {
            None => self.written.max(self.seen),
            Some(_) if log.is_strict() => self.written,
            Some(_) => 0,
        }
    }

    /// Whether the replies may be sent.
    #[inline]
    pub fn is_met(&self, log: &Log) -> bool {
        log.progress().has_acknowledged(self.number(log))
    }

    /// Ready once the replies may be sent.
    pub fn poll(&mut self, log: &Log, cx: &Context<'_>) -> Poll<()> {
        let number = self.number(log);
        log.progress().poll_acknowledged(number, &mut self.place, cx)
    }

    /// The replies may be sent: nothing depends on anything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The last record of a change in any of the shards.
pub fn last_record(guards: &ShardGuards<'_>) -> u64 {
    guards.iter().map(|(_, guard)| guard.logged).max().unwrap_or(0)
}
