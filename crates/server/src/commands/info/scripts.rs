//! The section `scripts`, which is our own.

use super::Report;

pub(super) fn scripts(report: &mut Report<'_>) {
    let server = report.server;
    let registry = &server.scripts.registry;
    let sums = server.script_sums();
    let sum = |of: fn(&crate::script_figures::ShardScripts) -> u64| sums.iter().map(of).sum::<u64>();
    let libraries = registry.libraries().set();
    report.section("Scripts");
    report.field("scripts_cached", registry.len());
    report.field("scripts_bytes", registry.bytes());
    report.field("scripts_evicted", registry.evicted());
    report.field("libraries", libraries.libraries().len());
    report.field("functions", libraries.function_count());
    report.field("script_calls", sum(|shard| shard.calls));
    report.field("script_errors", sum(|shard| shard.errors));
    report.field("script_noscript_errors", server.error_counts().get(&b"NOSCRIPT"[..]).copied().unwrap_or(0));
    report.field("script_commands", sum(|shard| shard.commands));
    report.field("script_usec", sum(|shard| shard.nanos) / 1000);
    report.field("script_usec_in_commands", sum(|shard| shard.command_nanos) / 1000);
    let shards = std::mem::take(&mut report.shards);
    for (number, (shard, sums)) in shards.iter().zip(&sums).enumerate() {
        let control = &server.cell(number).control;
        let Some(name) = super::name_of_cell(server, number) else { continue };
        let running = match control.slow_call() {
            Some(call) => String::from_utf8_lossy(&call.name).into_owned(),
            None => "none".to_owned(),
        };
        let busy = u8::from(control.is_busy());
        report.field(
            &format!("script_{name}"),
            format_args!(
                "calls={},errors={},usec={},compiled={},lua_bytes={},slow={running},busy={busy}",
                sums.calls,
                sums.errors,
                sums.nanos / 1000,
                shard.compiled,
                shard.lua_bytes,
            ),
        );
    }
    report.shards = shards;
}
