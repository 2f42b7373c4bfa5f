//! The section `stats`.

use super::Report;
use crate::figures::ShardFigures;
use moonshard_engine::{Exchange, Reach};
use std::sync::atomic::Ordering::Relaxed;

pub(super) fn stats(report: &mut Report<'_>) {
    let server = report.server;
    let stats = &server.stats;
    let rates = server.figures.rates();
    let sum = |of: fn(&ShardFigures) -> u64| report.shards.iter().map(of).sum::<u64>();
    let (expired, evicted) = (sum(|shard| shard.stats.expired), sum(|shard| shard.stats.evicted));
    let expired_fields = sum(|shard| shard.stats.expired_fields);
    let (hits, misses) = (sum(|shard| shard.stats.hits), sum(|shard| shard.stats.misses));
    let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    report.section("Stats");
    report.field("total_connections_received", stats.connections.load(Relaxed));
    report.field("total_commands_processed", stats.commands.load(Relaxed));
    report.field("instantaneous_ops_per_sec", rates.commands);
    report.field("total_net_input_bytes", stats.input_bytes.load(Relaxed));
    report.field("total_net_output_bytes", stats.output_bytes.load(Relaxed));
    report.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    report.field("instantaneous_input_kbps", kilobytes(rates.input_bytes));
    report.field("instantaneous_output_kbps", kilobytes(rates.output_bytes));
    report.field("instantaneous_input_repl_kbps", "0.00");
    report.field("instantaneous_output_repl_kbps", "0.00");
    report.field("rejected_connections", stats.rejected_connections.load(Relaxed));
    report.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    report.field("expired_keys", expired);
    report.field("expired_subkeys", expired_fields);
    report.field("expired_stale_perc", "0.00");
    report.zeros(&["expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds"]);
    report.field("evicted_keys", evicted);
    report.zeros(&["evicted_clients", "total_eviction_exceeded_time", "current_eviction_exceeded_time"]);
    report.field("noscript_errors", server.error_counts().get(&b"NOSCRIPT"[..]).copied().unwrap_or(0));
    report.field("evicted_scripts", server.scripts.registry.evicted());
    report.field("keyspace_hits", hits);
    report.field("keyspace_misses", misses);
    report.field("pubsub_channels", server.pubsub.channel_count(Reach::Global));
    report.field("pubsub_patterns", server.pubsub.patterns());
    report.field("pubsubshard_channels", server.pubsub.channel_count(Reach::Shard));
    report.zeros(&[
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ]);
    report.field("tracking_total_keys", server.tracking.keys());
    report.field("tracking_total_items", server.tracking.items());
    report.field("tracking_total_prefixes", server.tracking.prefixes.len());
    report.field("unexpected_error_replies", 0);
    report.field("total_error_replies", stats.errors.load(Relaxed));
    report.field("dump_payload_sanitizations", 0);
    report.field("total_reads_processed", stats.reads.load(Relaxed));
    report.field("total_writes_processed", stats.writes.load(Relaxed));
    report.zeros(&[
        "io_threaded_reads_processed",
        "io_threaded_writes_processed",
        "reply_buffer_shrinks",
        "reply_buffer_expands",
    ]);
}
