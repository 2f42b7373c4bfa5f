//! Commands that make changes again, as they are written to the log and sent to replicas.

use moonshard_protocol::{Encoding, Reply};
use std::fmt;

/// What the buffer keeps for the next commands once it is emptied, in bytes.
const KEPT_BYTES: usize = 64 << 10;

/// Commands encoded one after another as a client sends them, each with its database. The buffers are used again and
/// again, so that a command costs no allocation.
pub struct Commands {
    /// A request has the form of a reply of strings.
    requests: Reply,
    /// Each command's database, and where it ends in `requests`.
    ends: Vec<(usize, usize)>,
    /// Whether some of them are what a call did, rather than what was due or was evicted.
    has_calls: bool,
}

impl Default for Commands {
    fn default() -> Self {
        Self { requests: Reply::new(Encoding::Resp2), ends: Vec::new(), has_calls: false }
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(db, request)| (db, request.escape_ascii().to_string()));
        out.debug_list().entries(shown).finish()
    }
}

impl Commands {
    /// Adds a command of these arguments, its name first, to be run in database `db`. O(bytes).
    pub fn push(&mut self, db: usize, args: &[&[u8]]) {
        self.push_each(db, args.len(), args.iter().copied());
    }

    /// Adds a command of these `len` arguments. O(bytes).
    pub fn push_each<'a>(&mut self, db: usize, len: usize, args: impl Iterator<Item = &'a [u8]>) {
        self.has_calls = true;
        self.append_each(db, len, args);
    }

    /// Adds a command that need not be run together with the others: it deletes what was due or was evicted. O(bytes).
    pub fn push_besides(&mut self, db: usize, args: &[&[u8]]) {
        self.append_each(db, args.len(), args.iter().copied());
    }

    fn append_each<'a>(&mut self, db: usize, len: usize, args: impl Iterator<Item = &'a [u8]>) {
        self.requests.array(len);
        args.for_each(|arg| self.requests.bulk(arg));
        self.ends.push((db, self.requests.len()));
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether they must be run all or none, and nothing between them.
    pub fn belong_together(&self) -> bool {
        self.has_calls && self.len() > 1
    }

    /// Bytes of all of them together.
    pub fn bytes_len(&self) -> usize {
        self.requests.len()
    }

    /// Each command's database and its encoded bytes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let bytes = self.requests.as_bytes();
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        starts.zip(&self.ends).map(|(start, &(db, end))| (db, bytes.get(start..end).unwrap_or_default()))
    }

    /// Takes over all of `other`'s commands, which come after those that are here.
    pub fn append(&mut self, other: &mut Self) {
        let start = self.requests.len();
        self.requests.raw(other.requests.as_bytes());
        self.has_calls |= other.has_calls;
        self.ends.extend(other.ends.iter().map(|(db, end)| (*db, start + end)));
        other.clear();
    }

    /// Forgets all commands, and gives back what memory uncommonly long ones took.
    pub fn clear(&mut self) {
        let bytes = self.requests.buffer_mut();
        bytes.clear();
        bytes.shrink_to(KEPT_BYTES);
        self.has_calls = false;
        self.ends.clear();
        self.ends.shrink_to(KEPT_BYTES / size_of::<(usize, usize)>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_keep_their_order_and_their_databases() {
        let (mut first, mut second) = (Commands::default(), Commands::default());
        assert!(first.is_empty() && first.iter().next().is_none());
        first.push(3, &[b"SET", b"k", b"a\r\n"]);
        second.push(0, &[b"FLUSHALL"]);
        second.push(7, &[b"DEL", b""]);
        first.append(&mut second);
        assert!(first.belong_together());
        assert!(second.is_empty() && second.bytes_len() == 0);
        let all: Vec<_> = first.iter().collect();
        let expected: [(usize, &[u8]); 3] = [
            (3, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\r\n\r\n"),
            (0, b"*1\r\n$8\r\nFLUSHALL\r\n"),
            (7, b"*2\r\n$3\r\nDEL\r\n$0\r\n\r\n"),
        ];
        assert_eq!((all.as_slice(), first.len()), (&expected[..], 3));
        first.clear();
        assert!(first.is_empty() && first.iter().next().is_none() && !first.belong_together());
        first.push(1, &[b"PING"]);
        assert_eq!(first.iter().collect::<Vec<_>>(), [(1, &b"*1\r\n$4\r\nPING\r\n"[..])]);
    }

    #[test]
    fn what_was_due_need_not_go_together() {
        let mut commands = Commands::default();
        commands.push_besides(0, &[b"DEL", b"a"]);
        commands.push_besides(0, &[b"DEL", b"b"]);
        assert!(!commands.belong_together());
        commands.push(0, &[b"SET", b"a", b"1"]);
        assert!(commands.belong_together());
        commands.clear();
        commands.push(0, &[b"SET", b"a", b"1"]);
        assert!(!commands.belong_together());
    }
}
