//! Waiting for what has to come.

use std::time::{Duration, Instant};

/// How long a test waits for anything. It only keeps a test from hanging, on however slow a machine.
pub const WITHIN: Duration = Duration::from_secs(60);

/// Asks again until the answer is yes.
///
/// # Panics
/// When it is no for all of [`WITHIN`].
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
