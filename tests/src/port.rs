//! TCP ports that no other test has.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::fd::AsRawFd;

/// With the ports of the cluster bus above them, all below the range from which the kernel takes ports for outgoing
/// connections, so that none of those is in the way.
const PORTS: std::ops::Range<u16> = 12_000..22_000;
/// How far the port of the cluster bus lies above a server's own.
const BUS_ABOVE: u16 = 10_000;

/// A port on which nobody listens, and which no other test gets while this lives: a locked file guards it.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// A free one.
    ///
    /// # Panics
    /// When there is none.
    pub fn free() -> Port {
        let locks = std::env::temp_dir().join("moonshard-test-ports");
        fs::create_dir_all(&locks).unwrap();
        let span = u32::from(PORTS.end - PORTS.start);
        let first = std::process::id().wrapping_mul(61) % span;
        for step in 0..span {
            let number = PORTS.start + ((first + step) % span) as u16;
            let Ok(file) = File::create(locks.join(number.to_string())) else { continue };
            // SAFETY: flock takes a descriptor that `file` keeps open.
            let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
            let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
            if locked && is_free(number) && is_free(number + BUS_ABOVE) {
                return Port { number, _lock: file };
            }
        }
        panic!("no free port between {} and {}", PORTS.start, PORTS.end);
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}
