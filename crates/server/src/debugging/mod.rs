//! Debugging sessions of scripts and functions: SCRIPT DEBUG.
//!
//! A session runs on a thread of its own, in a VM of its own, and its client's connection passes bytes between the two.
//! In copy mode (`YES`) it works on copies of the keys that it touches, and no shard is held but for the moment of
//! copying; what it writes is dropped. In sync mode (`SYNC`) it holds the shards of its script, as the script itself
//! would, and what it writes stays.

mod key_copies;
mod link;
mod session;

pub use link::Link;
pub use session::{Job, Mode};

use moonshard_scripting::{Kill, Kind};
use parking_lot::Mutex;
use std::sync::Arc;

/// The sessions that go on.
#[derive(Default)]
pub struct Debugging {
    links: Mutex<Vec<Arc<Link>>>,
}

impl Debugging {
    fn add(&self, link: Arc<Link>) {
        self.links.lock().push(link);
    }

    fn remove(&self, link: &Arc<Link>) {
        self.links.lock().retain(|other| !Arc::ptr_eq(other, link));
    }

    fn all(&self) -> Vec<Arc<Link>> {
        self.links.lock().clone()
    }

    /// Ends the sessions that work on copies. They are in nobody's way, so they are meant only where nothing else is.
    pub fn kill_copies(&self, kind: Kind) -> Kill {
        let links = self.all();
        let kill = |link: &Arc<Link>| {
            if link.kind() == kind { link.control().kill_even_if_written() } else { Kill::Other(link.kind()) }
        };
        links.iter().filter(|link| link.mode() == Mode::Copy).map(kill).max().unwrap_or(Kill::NotBusy)
    }

    /// Lets sessions that wait for their clients see that they were killed.
    pub fn wake(&self) {
        self.all().iter().for_each(|link| link.wake());
    }

    /// Ends all sessions: the server ends.
    pub fn end(&self) {
        for link in self.all() {
            link.control().kill_even_if_written();
            link.wake();
        }
    }
}
