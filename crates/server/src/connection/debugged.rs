//! A connection whose client debugs a script.

use super::Connection;
use crate::server::unix_ms;
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::{AsyncRead, AsyncWrite};

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Passes on to the debugger what the client has sent.
    pub(super) fn feed_debugger(&mut self) {
        if let Some(link) = &self.session.debugger
            && let Some(buffers) = &mut self.buffers
            && !buffers.input.is_empty()
        {
            self.session.client.last_interaction_ms.store(unix_ms(), Relaxed);
            link.feed(&buffers.input);
            buffers.drop_input(buffers.input.len());
        }
    }

    /// Takes over what the debugger has to say. After its last word the connection ends, as Redis' does.
    pub(super) fn hear_debugger(&mut self) {
        if !self.session.client.take_debugger_news() {
            return;
        }
        if let Some(link) = &self.session.debugger
            && link.take(self.reply.buffer_mut())
        {
            self.session.debugger = None;
            self.session.closing = true;
        }
    }
}
