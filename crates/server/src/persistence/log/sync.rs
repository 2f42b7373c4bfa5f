//! The thread that syncs the log every second, beside those who write: a slow disk is not in their way.

use super::writer::NextSync;
use crate::server::{Server, unix_ms};
use std::thread::{park, park_timeout};

/// Runs as long as the process does.
pub(super) fn run(server: &Server) {
    let log = &server.persistence.log;
    loop {
        let (begun, begun_ms) = (server.ticks.raw(), unix_ms());
        match log.with_writer(|writer| writer.next_sync(server)) {
            Some(NextSync::Begin(syncing)) => {
                let outcome = syncing.run();
                server.latency.note("aof-fsync", server.ticks.delta_as_nanos(begun, server.ticks.raw()));
                log.with_writer(|writer| writer.end_sync(server, &syncing, begun_ms, outcome));
            }
            Some(NextSync::After(time)) => park_timeout(time),
            Some(NextSync::Rest) => park(),
            None => return,
        }
    }
}
