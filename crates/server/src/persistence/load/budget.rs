//! How many bytes may be on their way at once, and when all have arrived.

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

/// Bytes on their way from who reads them to who takes them in.
#[derive(Debug)]
pub(super) struct Budget {
    max: usize,
    used: Mutex<usize>,
    less: Condvar,
}

/// Some of them. They have arrived when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, used: Mutex::new(0), less: Condvar::new() })
    }

    /// Waits until there is room for so many more, or nothing is on its way.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Share {
        let mut used = self.used.lock();
        while *used > 0 && *used + bytes > self.max {
            self.less.wait(&mut used);
        }
        *used += bytes;
        Share { of: self.clone(), bytes }
    }

    /// Waits until nothing is on its way.
    pub(super) fn wait_for_all(&self) {
        let mut used = self.used.lock();
        while *used > 0 {
            self.less.wait(&mut used);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *self.of.used.lock() -= self.bytes;
        self.of.less.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    #[test]
    fn what_is_on_its_way_stays_below_the_limit() {
        let budget = Budget::new(100);
        let (first, second) = (budget.take(60), budget.take(40));
        let freed = Arc::new(AtomicBool::new(false));
        let waiting = std::thread::spawn({
            let (budget, freed) = (budget.clone(), freed.clone());
            move || {
                let _share = budget.take(30);
                assert!(freed.load(SeqCst), "more than the limit is on its way");
            }
        });
        freed.store(true, SeqCst);
        drop(first);
        waiting.join().unwrap();
        drop(second);
        budget.wait_for_all();
        // What is larger than the limit goes alone.
        drop(budget.take(1_000));
        budget.wait_for_all();
    }
}
