//! The section `server`.

use super::Report;
use crate::server::unix_micros;
use std::ffi::CStr;

/// Seconds of a day.
const DAY: u64 = 24 * 3600;
/// Bits of Redis' clock of uses, which counts seconds.
const LRU_BITS: u32 = 24;

pub(super) fn server(report: &mut Report<'_>) {
    let settings = report.server.config.load_full();
    let uptime = report.now_ms.saturating_sub(report.server.started_ms) / 1000;
    report.section("Server");
    report.field("redis_version", crate::REDIS_VERSION);
    report.field("redis_git_sha1", "00000000");
    report.field("redis_git_dirty", 0);
    report.field("redis_build_id", env!("CARGO_PKG_VERSION"));
    report.field("redis_mode", if settings.cluster_enabled { "cluster" } else { "standalone" });
    report.field("os", system_name());
    report.field("arch_bits", usize::BITS);
    report.field("monotonic_clock", "POSIX clock_gettime");
    report.field("multiplexing_api", "epoll");
    report.field("atomicvar_api", "c11-builtin");
    report.field("gcc_version", "0.0.0");
    report.field("process_id", std::process::id());
    report.field("process_supervised", "no");
    report.field("run_id", &report.server.run_id);
    report.field("tcp_port", settings.port);
    report.field("server_time_usec", unix_micros());
    report.field("uptime_in_seconds", uptime);
    report.field("uptime_in_days", uptime / DAY);
    report.field("hz", settings.hz);
    report.field("configured_hz", settings.hz);
    report.field("lru_clock", (report.now_ms / 1000) & ((1 << LRU_BITS) - 1));
    let executable = std::env::current_exe().unwrap_or_default();
    report.field("executable", executable.display());
    let file = report.server.config.file().map(|file| file.display().to_string());
    report.field("config_file", file.unwrap_or_default());
    report.flag("io_threads_active", report.server.io_threads_in_use() > 1);
    report.field("moonshard_version", env!("CARGO_PKG_VERSION"));
    report.field("io_threads_in_use", report.server.io_threads_in_use());
}

/// The system's name, release and machine.
fn system_name() -> String {
    // SAFETY: a struct of byte arrays, for which zeros are valid.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local of the right type.
    if unsafe { libc::uname(&raw mut name) } != 0 {
        return std::env::consts::OS.to_owned();
    }
    // SAFETY: uname ends each field with a zero byte.
    let text =
        |field: &[libc::c_char]| unsafe { CStr::from_ptr(field.as_ptr()) }.to_string_lossy().into_owned();
    [text(&name.sysname), text(&name.release), text(&name.machine)].join(" ")
}
