//! The sections `persistence` and `replication`.

use super::Report;
use crate::persistence::{Activity, Progress};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(super) fn persistence(report: &mut Report<'_>) {
    let unsaved = report.server.unsaved_changes(&report.shards);
    report.section("Persistence");
    let loading = report.server.persistence.loading.progress(report.now_ms / 1000);
    report.flag("loading", loading.is_some());
    report.zeros(&["async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"]);
    report.field("current_fork_perc", "0.00");
    let state = &report.server.persistence;
    let activity = state.activity();
    let keys = |count: &AtomicU64| if activity == Activity::None { 0 } else { count.load(Relaxed) };
    report.field("current_save_keys_processed", keys(&state.keys.0));
    report.field("current_save_keys_total", keys(&state.keys.1));
    report.field("rdb_changes_since_last_save", unsaved);
    report.field("rdb_bgsave_in_progress", u8::from(state.is_saving()));
    report.field("rdb_last_save_time", state.last_save.load(Relaxed));
    report.field("rdb_last_bgsave_status", if state.has_failed() { "err" } else { "ok" });
    report.field("rdb_last_bgsave_time_sec", state.last_seconds.load(Relaxed));
    report.field("rdb_current_bgsave_time_sec", state.current_seconds());
    report.field("rdb_saves", state.saves.load(Relaxed));
    report.zeros(&["rdb_last_cow_size"]);
    report.field("rdb_last_load_keys_expired", state.loaded.1.load(Relaxed));
    report.field("rdb_last_load_keys_loaded", state.loaded.0.load(Relaxed));
    let settings = report.server.config.load_full();
    let log = &state.log;
    report.field("aof_enabled", u8::from(settings.appendonly));
    let (rewriting, is_rewriting) = (&state.rewriting, activity == Activity::Rewrite);
    let is_scheduled = rewriting.is_scheduled() || (log.wants_base() && !is_rewriting);
    report.flag("aof_rewrite_in_progress", is_rewriting);
    report.flag("aof_rewrite_scheduled", is_scheduled);
    report.field("aof_last_rewrite_time_sec", rewriting.last_seconds.load(Relaxed));
    let current = if is_rewriting { rewriting.current_seconds() as i64 } else { -1 };
    report.field("aof_current_rewrite_time_sec", current);
    report.field("aof_last_bgrewrite_status", if rewriting.has_failed() { "err" } else { "ok" });
    report.field("aof_rewrites", rewriting.count.load(Relaxed));
    report.field("aof_rewrites_consecutive_failures", rewriting.failures.load(Relaxed));
    report.field("aof_last_write_status", if log.failure().is_some() { "err" } else { "ok" });
    report.zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
    if settings.appendonly {
        report.field("aof_current_size", log.current_len());
        report.field("aof_base_size", log.rewritten_len());
        report.field("aof_pending_rewrite", u8::from(is_scheduled));
        report.field("aof_buffer_length", log.waiting());
        report.field("aof_pending_bio_fsync", u8::from(log.is_syncing()));
        report.field("aof_delayed_fsync", log.delays.load(Relaxed));
    }
    if let Some(progress) = loading {
        loading_fields(report, progress);
    }
}

/// How far loading is.
fn loading_fields(report: &mut Report<'_>, progress: Progress) {
    report.field("loading_start_time", progress.started);
    report.field("loading_total_bytes", progress.total_bytes);
    report.field("loading_rdb_used_mem", progress.used_memory);
    report.field("loading_loaded_bytes", progress.loaded_bytes);
    report.field("loading_loaded_perc", format_args!("{:.2}", progress.percent));
    report.field("loading_eta_seconds", progress.eta_seconds);
}

/// A replication id that stands for none.
const NO_REPLICATION_ID: &str = "0000000000000000000000000000000000000000";

pub(super) fn replication(report: &mut Report<'_>) {
    let settings = report.server.config.load_full();
    report.section("Replication");
    report.field("role", "master");
    report.field("connected_slaves", 0);
    if settings.min_replicas_to_write > 0 && settings.min_replicas_max_lag > 0 {
        report.field("min_slaves_good_slaves", 0);
    }
    report.field("master_failover_state", "no-failover");
    report.field("master_replid", report.server.replication_id());
    report.field("master_replid2", NO_REPLICATION_ID);
    report.field("master_repl_offset", 0);
    report.field("second_repl_offset", -1);
    report.field("repl_backlog_active", 0);
    report.field("repl_backlog_size", settings.repl_backlog_size);
    report.zeros(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}
