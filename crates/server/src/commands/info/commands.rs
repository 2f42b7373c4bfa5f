//! The sections about commands and errors.

use super::Report;
use moonshard_engine::command::CommandTable;
use std::fmt::Write;

pub(super) fn command_stats(report: &mut Report<'_>) {
    report.section("Commandstats");
    let all = report.server.command_stats(&report.shards);
    for (entry, stats) in CommandTable::get().entries().iter().zip(all) {
        if stats.calls == 0 && stats.rejected == 0 && stats.failed == 0 {
            continue;
        }
        let usec = stats.nanos / 1000;
        let each = if stats.calls == 0 { 0.0 } else { usec as f64 / stats.calls as f64 };
        report.field(
            &format!("cmdstat_{}", entry.full_name),
            format_args!(
                "calls={},usec={usec},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
                stats.calls, stats.rejected, stats.failed
            ),
        );
    }
}

pub(super) fn error_stats(report: &mut Report<'_>) {
    report.section("Errorstats");
    for (code, count) in report.server.error_counts() {
        let code: String = code.iter().map(|&byte| safe(byte)).collect();
        report.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

/// A byte of a name as it is shown: what would end the name or the line is not.
fn safe(byte: u8) -> char {
    match byte {
        b'#' | b':' | b'\n' | b'\r' => '_',
        byte => char::from(byte),
    }
}

pub(super) fn latency_stats(report: &mut Report<'_>) {
    report.section("Latencystats");
    let settings = report.server.config.load_full();
    let table = CommandTable::get();
    if !report.server.latency.tracks() {
        return;
    }
    for (id, latencies) in report.server.command_latencies(&report.shards) {
        let mut line = String::new();
        for (at, &percentile) in settings.latency_tracking_info_percentiles.0.iter().enumerate() {
            let micros = latencies.percentile(percentile) as f64 / 1000.0;
            let comma = if at == 0 { "" } else { "," };
            // Writing into a String cannot fail.
            let _ = write!(line, "{comma}p{percentile}={micros:.3}");
        }
        report.field(&format!("latency_percentiles_usec_{}", table.entry(id).full_name), line);
    }
}
