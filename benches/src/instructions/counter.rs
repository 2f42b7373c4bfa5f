//! The processor's counter of instructions, for the threads of another process.

use crate::load::error::Error;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;

/// The first version of what the system call is told: see perf_event_open(2).
#[repr(C)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_kind: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_kind: u32,
    breakpoint_address: u64,
}

/// `PERF_TYPE_HARDWARE`.
const HARDWARE: u32 = 0;
/// `PERF_COUNT_HW_INSTRUCTIONS`.
const INSTRUCTIONS: u64 = 1;
/// Threads that are started later count as well.
const INHERIT: u64 = 1 << 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;

/// Counts the instructions in user mode of a process, from its making on.
pub struct Counter(Vec<File>);

impl Counter {
    /// Begins to count.
    ///
    /// # Errors
    /// When there is no such process, or the system does not let us count.
    pub fn of_process(id: u32) -> Result<Self, Error> {
        let path = format!("/proc/{id}/task");
        let threads = fs::read_dir(&path).map_err(|error| Error::io(format!("read {path}"), error))?;
        let ids = threads.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.map(of_thread).collect::<Result<_, _>>().map(Self)
    }

    /// The instructions so far.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn read(&self) -> Result<u64, Error> {
        let mut sum = 0;
        for mut counter in &self.0 {
            let mut bytes = [0; 8];
            counter.read_exact(&mut bytes).map_err(|error| Error::io("read a counter", error))?;
            sum += u64::from_ne_bytes(bytes);
        }
        Ok(sum)
    }
}

fn of_thread(id: libc::pid_t) -> Result<File, Error> {
    let attributes = Attributes {
        kind: HARDWARE,
        size: size_of::<Attributes>() as u32,
        config: INSTRUCTIONS,
        sample_period: 0,
        sample_kind: 0,
        read_format: 0,
        flags: INHERIT | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR,
        wakeup_events: 0,
        breakpoint_kind: 0,
        breakpoint_address: 0,
    };
    let (any_cpu, no_group, no_flags): (libc::c_int, libc::c_int, libc::c_ulong) = (-1, -1, 0);
    let pointer = &raw const attributes;
    // SAFETY: the attributes are of the size that they tell, and outlive the call.
    let opened =
        unsafe { libc::syscall(libc::SYS_perf_event_open, pointer, id, any_cpu, no_group, no_flags) };
    if opened < 0 {
        let error = std::io::Error::last_os_error();
        return Err(Error::io("count instructions (see /proc/sys/kernel/perf_event_paranoid)", error));
    }
    // SAFETY: the system has just given us this descriptor, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(opened as libc::c_int) })
}
