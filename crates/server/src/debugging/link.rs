//! What a session's thread and its client's connection share.

use super::Mode;
use crate::clients::Client;
use moonshard_scripting::{Console, Control, Kind};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

#[derive(Default)]
struct State {
    /// From the client.
    input: Vec<u8>,
    /// To the client.
    output: Vec<u8>,
    /// Whether the client has gone.
    gone: bool,
    /// Whether everything that the client gets is in `output`.
    ended: bool,
}

/// The two ends of a session: its thread waits for its client's bytes, and the client's connection takes what the
/// thread has written.
pub struct Link {
    state: Mutex<State>,
    changed: Condvar,
    client: Arc<Client>,
    control: Arc<Control>,
    mode: Mode,
    kind: Kind,
}

impl Link {
    /// The link of a session that begins. `control` is what its script is killed by.
    pub fn new(client: Arc<Client>, control: Arc<Control>, mode: Mode, kind: Kind) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), client, control, mode, kind }
    }

    /// What the script is killed by.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// On what the session works.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What it debugs.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Passes the client's bytes on.
    pub fn feed(&self, bytes: &[u8]) {
        self.state.lock().input.extend_from_slice(bytes);
        self.changed.notify_all();
    }

    /// Takes what is to be sent to the client. Returns whether that was all.
    pub fn take(&self, into: &mut Vec<u8>) -> bool {
        let mut state = self.state.lock();
        into.append(&mut state.output);
        state.ended
    }

    /// The client has gone. A session that works on copies is of no use without it; another script runs on by itself.
    pub fn hang_up(&self) {
        self.state.lock().gone = true;
        if self.mode == Mode::Copy {
            self.control.kill_even_if_written();
        }
        self.wake();
    }

    /// Lets the session look whether it was killed.
    pub fn wake(&self) {
        // Whoever is about to wait has looked before, or looks after this.
        drop(self.state.lock());
        self.changed.notify_all();
    }

    /// Adds the last bytes that the client gets.
    pub fn end(&self, bytes: &[u8]) {
        let mut state = self.state.lock();
        state.output.extend_from_slice(bytes);
        state.ended = true;
        drop(state);
        self.client.note_debugger();
    }
}

/// The session's end.
pub struct Terminal(pub Arc<Link>);

impl Console for Terminal {
    fn read(&self) -> Option<Vec<u8>> {
        let mut state = self.0.state.lock();
        loop {
            if self.0.control.is_killed() {
                return None;
            }
            if !state.input.is_empty() {
                return Some(std::mem::take(&mut state.input));
            }
            if state.gone {
                return None;
            }
            self.0.changed.wait(&mut state);
        }
    }

    fn write(&self, bytes: &[u8]) {
        self.0.state.lock().output.extend_from_slice(bytes);
        self.0.client.note_debugger();
    }

    fn is_gone(&self) -> bool {
        self.0.state.lock().gone
    }
}
