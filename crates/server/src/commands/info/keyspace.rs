//! The sections about keys: `cluster`, `keyspace`, and our own, `shards`.

use super::Report;
use crate::figures::DatabaseFigures;

pub(super) fn cluster(report: &mut Report<'_>) {
    report.section("Cluster");
    report.flag("cluster_enabled", report.server.config.load().cluster_enabled);
}

pub(super) fn keyspace(report: &mut Report<'_>) {
    report.section("Keyspace");
    let databases = report.shards.iter().map(|shard| shard.databases.len()).max().unwrap_or(0);
    for number in 0..databases {
        let mut sum = DatabaseFigures::default();
        // The mean of the shards' means, weighted by their keys that expire.
        let mut weighed = 0u128;
        for part in report.shards.iter().filter_map(|shard| shard.databases.get(number)) {
            sum.keys += part.keys;
            sum.expires += part.expires;
            weighed += u128::from(part.ttl_average_ms) * u128::from(part.expires);
        }
        if sum.keys == 0 && sum.expires == 0 {
            continue;
        }
        let average = weighed.checked_div(u128::from(sum.expires)).unwrap_or(0);
        report.field(
            &format!("db{number}"),
            format_args!("keys={},expires={},avg_ttl={average}", sum.keys, sum.expires),
        );
    }
}

pub(super) fn shards(report: &mut Report<'_>) {
    report.section("Shards");
    report.field("shards", report.server.shards.len());
    report.field("io_threads", report.server.config.load().io_threads);
    let shards = std::mem::take(&mut report.shards);
    for (number, (shard, cell)) in shards.iter().zip(report.server.cells()).enumerate() {
        let Some(name) = super::name_of_cell(report.server, number) else { continue };
        let control = &cell.control;
        let keys: u64 = shard.databases.iter().map(|database| database.keys).sum();
        let expires: u64 = shard.databases.iter().map(|database| database.expires).sum();
        let commands: u64 = shard.stats.commands.iter().map(|counted| counted.total().calls).sum();
        let script = match () {
            () if control.is_busy() => "busy",
            () if control.is_running() => "running",
            () => "none",
        };
        report.field(
            &name,
            format_args!(
                "keys={keys},expires={expires},commands={commands},scripts={},script={script},lua_bytes={},\
                 lua_compiled={}",
                control.scripts(),
                shard.lua_bytes,
                shard.compiled
            ),
        );
    }
    report.shards = shards;
}
