//! What others send to a client between its replies.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Most bytes pushed to a client that wait for its connection to take them.
pub const PUSHES_MAX: u64 = 64 << 20;
/// Messages of this size and more are not copied for each of their receivers until these take them.
const SHARED_MIN: usize = 4 * 1024;

/// A message, encoded once for any number of clients but for its first byte, in which RESP2 and RESP3 differ.
#[derive(Debug)]
pub enum Message {
    /// A short one is copied for each client.
    Short(Vec<u8>),
    /// A long one is shared.
    Long(Arc<[u8]>),
}

impl From<Vec<u8>> for Message {
    fn from(rest: Vec<u8>) -> Self {
        if rest.len() < SHARED_MIN { Self::Short(rest) } else { Self::Long(rest.into()) }
    }
}

/// A piece of what waits.
#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Arc<[u8]>),
}

#[derive(Debug, Default)]
struct Queue {
    /// Messages, which may go before the reply of the command during which they came.
    messages: Vec<Piece>,
    /// What must not go before any reply that was written when it came: that keys which were read have changed.
    invalidations: Vec<u8>,
    len: u64,
}

impl Queue {
    /// The bytes at the end that are copied.
    fn own(&mut self) -> &mut Vec<u8> {
        if !matches!(self.messages.last(), Some(Piece::Own(_))) {
            self.messages.push(Piece::Own(Vec::new()));
        }
        match self.messages.last_mut() {
            Some(Piece::Own(bytes)) => bytes,
            _ => unreachable!("the piece was just added"),
        }
    }
}

/// What waits to be sent to a client between its replies.
#[derive(Debug, Default)]
pub struct Pushes {
    any: AtomicBool,
    len: AtomicU64,
    queue: Mutex<Queue>,
}

/// What became of something that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits, and the client's task has to be woken for it.
    First,
    /// It waits, as does something else for which the client's task was or will be woken.
    More,
    /// Too much would wait: all that did is dropped.
    TooMuch,
}

impl Pushes {
    /// Whether anything waits.
    #[inline]
    pub fn any(&self) -> bool {
        self.any.load(Relaxed)
    }

    /// Bytes that wait.
    pub fn len(&self) -> u64 {
        self.len.load(Relaxed)
    }

    /// Adds a message that begins with the byte `first`.
    pub fn add_message(&self, first: u8, message: &Message) -> Pushed {
        match message {
            Message::Short(rest) => self.add(rest.len() + 1, |queue| {
                let own = queue.own();
                own.push(first);
                own.extend_from_slice(rest);
            }),
            Message::Long(rest) => self.add(rest.len() + 1, |queue| {
                queue.own().push(first);
                queue.messages.push(Piece::Shared(rest.clone()));
            }),
        }
    }

    /// Adds what must come after every reply that is there already.
    pub fn add_invalidation(&self, bytes: &[u8]) -> Pushed {
        self.add(bytes.len(), |queue| queue.invalidations.extend_from_slice(bytes))
    }

    fn add(&self, len: usize, put: impl FnOnce(&mut Queue)) -> Pushed {
        let mut queue = self.queue.lock();
        if queue.len + len as u64 > PUSHES_MAX {
            *queue = Queue::default();
            self.len.store(0, Relaxed);
            return Pushed::TooMuch;
        }
        put(&mut queue);
        queue.len += len as u64;
        self.len.store(queue.len, Relaxed);
        drop(queue);
        // Who takes clears this before it locks the queue, so that nothing is in the queue unseen.
        if self.any.load(Relaxed) || self.any.swap(true, Relaxed) { Pushed::More } else { Pushed::First }
    }

    /// Takes all that waits: what may be shown before a reply goes into `before`, what must follow it into `after`.
    pub fn take(&self, before: &mut Vec<u8>, after: &mut Vec<u8>) {
        if !self.any.swap(false, Relaxed) {
            return;
        }
        let Queue { messages, invalidations, .. } = {
            let mut queue = self.queue.lock();
            self.len.store(0, Relaxed);
            std::mem::take(&mut *queue)
        };
        for piece in messages {
            match piece {
                Piece::Own(bytes) if before.is_empty() && before.capacity() < bytes.len() => *before = bytes,
                Piece::Own(bytes) => before.extend_from_slice(&bytes),
                Piece::Shared(bytes) => before.extend_from_slice(&bytes),
            }
        }
        after.extend_from_slice(&invalidations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pushes: &Pushes) -> (Vec<u8>, Vec<u8>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        pushes.take(&mut before, &mut after);
        (before, after)
    }

    #[test]
    fn messages_keep_their_order_and_only_the_first_wakes() {
        let pushes = Pushes::default();
        let long = vec![b'x'; SHARED_MIN];
        assert_eq!(pushes.add_message(b'>', &vec![b'1'].into()), Pushed::First);
        assert_eq!(pushes.add_message(b'*', &long.clone().into()), Pushed::More);
        assert_eq!(pushes.add_invalidation(b"gone"), Pushed::More);
        assert_eq!(pushes.add_message(b'>', &vec![b'2'].into()), Pushed::More);
        assert_eq!(pushes.len(), 2 + 1 + SHARED_MIN as u64 + 4 + 2);
        assert_eq!(taken(&pushes), ([b">1*", &long[..], b">2"].concat(), b"gone".to_vec()));
        assert!(!pushes.any() && pushes.len() == 0 && taken(&pushes) == Default::default());
        assert_eq!(pushes.add_invalidation(b"x"), Pushed::First);
    }

    #[test]
    fn too_much_is_dropped_as_a_whole() {
        let pushes = Pushes::default();
        let half: Message = vec![b'x'; PUSHES_MAX as usize / 2].into();
        assert_eq!(pushes.add_message(b'>', &half), Pushed::First);
        assert_eq!(pushes.add_message(b'>', &half), Pushed::TooMuch);
        assert_eq!((pushes.len(), taken(&pushes)), (0, Default::default()));
    }
}
