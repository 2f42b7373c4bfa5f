//! What the server counts as a whole. A connection adds its numbers once a batch.

use std::sync::atomic::AtomicU64;

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
    /// EVALSHA of scripts that were not known.
    pub noscript_errors: AtomicU64,
}
