//! The section `memory`.

use super::{Report, human, process};
use crate::allocator;
use crate::commands::client_list;
use crate::figures::ShardFigures;
use crate::server::Server;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes in use when the server had started, and bytes in use now for other things than keys and values.
pub(in crate::commands) fn startup_and_overhead(server: &Server, shards: &[ShardFigures]) -> (u64, u64) {
    let startup = server.figures.startup_bytes.load(Relaxed);
    let tables: u64 = shards.iter().map(|shard| shard.table_bytes).sum();
    let clients: u64 = server.clients.all().iter().map(|client| client_list::memory(client)).sum();
    let registry = &server.scripts.registry;
    let texts = (registry.bytes() + registry.libraries().set().bytes()) as u64;
    (startup, startup + tables + clients + texts)
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 })
}

fn ratio(one: u64, other: u64) -> String {
    format!("{:.2}", if other == 0 { 1.0 } else { one as f64 / other as f64 })
}

pub(super) fn memory(report: &mut Report<'_>) {
    let used = allocator::used();
    let peak = allocator::peak().max(used);
    let resident = process::resident_bytes();
    let (startup, overhead) = startup_and_overhead(report.server, &report.shards);
    let dataset = used.saturating_sub(overhead);
    let system = process::system_bytes();
    report.section("Memory");
    report.bytes("used_memory", used);
    report.bytes("used_memory_rss", resident);
    report.bytes("used_memory_peak", peak);
    report.field("used_memory_peak_perc", percent(used, peak));
    report.field("used_memory_overhead", overhead);
    report.field("used_memory_startup", startup);
    report.field("used_memory_dataset", dataset);
    report.field("used_memory_dataset_perc", percent(dataset, used.saturating_sub(startup)));
    report.field("allocator_allocated", used);
    report.field("allocator_active", resident);
    report.field("allocator_resident", resident);
    report.bytes("total_system_memory", system);
    scripts(report);
    let settings = report.server.config.load_full();
    report.bytes("maxmemory", settings.maxmemory);
    report.field("maxmemory_policy", settings.maxmemory_policy.word());
    let extra = resident as i64 - used as i64;
    report.field("allocator_frag_ratio", ratio(resident, used));
    report.field("allocator_frag_bytes", extra.max(0));
    report.field("allocator_rss_ratio", "1.00");
    report.field("allocator_rss_bytes", 0);
    report.field("rss_overhead_ratio", "1.00");
    report.field("rss_overhead_bytes", 0);
    report.field("mem_fragmentation_ratio", ratio(resident, used));
    report.field("mem_fragmentation_bytes", extra);
    report.zeros(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ]);
    let clients: u64 = report.server.clients.all().iter().map(|client| client_list::memory(client)).sum();
    report.field("mem_clients_normal", clients);
    report.zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    report.field("mem_allocator", "mimalloc");
    report.field("active_defrag_running", 0);
    report.field("lazyfree_pending_objects", report.server.lazy_free_pending());
    report.field("lazyfreed_objects", report.server.stats.lazy_freed.load(Relaxed));
}

/// The fields about scripts.
fn scripts(report: &mut Report<'_>) {
    let lua: u64 = report.shards.iter().map(|shard| shard.lua_bytes).sum();
    let registry = &report.server.scripts.registry;
    let texts = registry.bytes() as u64;
    let count = registry.len();
    report.field("used_memory_lua", lua);
    report.field("used_memory_vm_eval", lua);
    report.field("used_memory_lua_human", human(lua));
    report.field("used_memory_scripts_eval", texts);
    report.field("number_of_cached_scripts", count);
    let libraries = registry.libraries().set();
    report.field("number_of_functions", libraries.function_count());
    report.field("number_of_libraries", libraries.libraries().len());
    // Functions run in the same VMs.
    report.field("used_memory_vm_functions", 0);
    report.bytes("used_memory_vm_total", lua);
    report.field("used_memory_functions", libraries.bytes());
    report.bytes("used_memory_scripts", texts + libraries.bytes() as u64);
}
