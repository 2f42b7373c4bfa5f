//! Who sees the commands that scripts run: MONITOR.

use moonshard_engine::Args;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Gets the number of the database and the arguments of a command; tells whether it wants to see more.
type See = dyn Fn(usize, Args<'_>) -> bool + Send + Sync;

/// Somebody who may look at the commands of a shard's scripts. While nobody does, it costs a look at a flag.
#[derive(Default)]
pub struct Spectator {
    looks: AtomicBool,
    see: OnceLock<Box<See>>,
}

impl std::fmt::Debug for Spectator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spectator").field("looks", &self.looks).finish_non_exhaustive()
    }
}

impl Spectator {
    /// Says to whom commands are shown; only the first call counts.
    pub fn set(&self, see: impl Fn(usize, Args<'_>) -> bool + Send + Sync + 'static) {
        let _ = self.see.set(Box::new(see));
    }

    /// From now on commands are shown, until a call of what was [set](Spectator::set) wants no more.
    pub fn look(&self) {
        self.looks.store(true, Relaxed);
    }

    /// Shows a command that was run.
    #[inline]
    pub(crate) fn show(&self, db: usize, args: Args<'_>) {
        if self.looks.load(Relaxed) {
            self.show_now(db, args);
        }
    }

    #[cold]
    fn show_now(&self, db: usize, args: Args<'_>) {
        let wants_more = self.see.get().is_some_and(|see| see(db, args));
        self.looks.store(wants_more, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn shows_until_nobody_wants_more() {
        let (spectator, seen) = (Spectator::default(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&seen);
        spectator.set(move |_, _| count.fetch_add(1, Relaxed) < 1);
        let show = || spectator.show(0, Args::new(&[b"ping"]));
        show();
        assert_eq!(seen.load(Relaxed), 0);
        spectator.look();
        (0..5).for_each(|_| show());
        assert_eq!(seen.load(Relaxed), 2);
    }
}
