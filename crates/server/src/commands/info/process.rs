//! What the system says of this process: memory and time.

use super::Report;
use std::time::Duration;

/// Bytes of this process that are in memory; 0 where the system does not say.
pub(in crate::commands) fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * page_bytes()
}

fn page_bytes() -> u64 {
    // SAFETY: sysconf only reads its argument.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Bytes of memory that the system has.
pub(super) fn system_bytes() -> u64 {
    // SAFETY: sysconf only reads its argument.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    u64::try_from(pages).unwrap_or(0) * page_bytes()
}

/// Time that `who` (`RUSAGE_SELF` and the like) has spent in the system and in itself.
fn cpu_time(who: libc::c_int) -> (Duration, Duration) {
    // SAFETY: a struct of numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local of the right type.
    if unsafe { libc::getrusage(who, &raw mut usage) } != 0 {
        return (Duration::ZERO, Duration::ZERO);
    }
    let of = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    (of(usage.ru_stime), of(usage.ru_utime))
}

/// The section `cpu`.
pub(super) fn cpu(report: &mut Report<'_>) {
    let seconds = |time: Duration| format!("{:.6}", time.as_secs_f64());
    let (own, children) = (cpu_time(libc::RUSAGE_SELF), cpu_time(libc::RUSAGE_CHILDREN));
    let thread = cpu_time(libc::RUSAGE_THREAD);
    report.section("CPU");
    report.field("used_cpu_sys", seconds(own.0));
    report.field("used_cpu_user", seconds(own.1));
    report.field("used_cpu_sys_children", seconds(children.0));
    report.field("used_cpu_user_children", seconds(children.1));
    report.field("used_cpu_sys_main_thread", seconds(thread.0));
    report.field("used_cpu_user_main_thread", seconds(thread.1));
}
