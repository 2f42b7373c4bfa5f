//! What the server counts as a whole. A connection adds its numbers once a batch.

use crate::server::Server;
use moonshard_engine::keyspace::ShardStats;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counters of the whole server; `CONFIG RESETSTAT` clears them.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections refused for `maxclients` or protected mode.
    pub rejected_connections: AtomicU64,
    /// Commands run.
    pub commands: AtomicU64,
    /// Bytes read from clients.
    pub input_bytes: AtomicU64,
    /// Bytes written to clients.
    pub output_bytes: AtomicU64,
    /// Error replies.
    pub errors: AtomicU64,
    /// Read calls that returned data.
    pub reads: AtomicU64,
    /// Write calls.
    pub writes: AtomicU64,
    /// Connections closed for `client-query-buffer-limit`.
    pub query_buffer_disconnections: AtomicU64,
    /// Connections closed for `client-output-buffer-limit`.
    pub output_buffer_disconnections: AtomicU64,
    /// Values that were dropped off the request path.
    pub lazy_freed: AtomicU64,
}

impl Stats {
    fn reset(&self) {
        let all = [
            &self.connections,
            &self.rejected_connections,
            &self.commands,
            &self.input_bytes,
            &self.output_bytes,
            &self.errors,
            &self.reads,
            &self.writes,
            &self.query_buffer_disconnections,
            &self.output_buffer_disconnections,
            &self.lazy_freed,
        ];
        for counter in all {
            counter.store(0, Relaxed);
        }
    }
}

impl Server {
    /// `CONFIG RESETSTAT`: begins all counts anew, those of a busy shard as soon as it is free.
    pub fn reset_stats(self: &Arc<Self>) {
        self.stats.reset();
        self.figures.reset();
        self.script_figures.reset();
        self.latency.reset_calls();
        self.reset_error_counts();
        self.scripts.registry.reset_evicted();
        for (index, cell) in self.cells().enumerate() {
            if let Some(mut guard) = cell.lock.try_lock_for_spin() {
                guard.shard.stats = ShardStats::new();
                guard.vm.reset_stats();
                continue;
            }
            let server = self.clone();
            tokio::spawn(async move {
                if let Ok(mut guard) = server.cell(index).lock.lock_patient().await {
                    guard.shard.stats = ShardStats::new();
                    guard.vm.reset_stats();
                }
            });
        }
    }
}
