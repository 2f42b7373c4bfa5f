//! A client's line of CLIENT LIST.

use crate::clients::{Client, flag};
use crate::output_limit::UNCOUNTED;
use moonshard_engine::command::CommandTable;
use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;

/// The kinds of clients that CLIENT LIST and CLIENT KILL tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientType {
    /// Any but the others.
    Normal,
    /// The primary that this server replicates.
    Master,
    /// A replica of this server.
    Replica,
    /// A client that has subscribed to something.
    Pubsub,
}

impl ClientType {
    /// The type of this name, in either case.
    pub(super) fn by_name(name: &[u8]) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_slice() {
            b"normal" => Self::Normal,
            b"slave" | b"replica" => Self::Replica,
            b"pubsub" => Self::Pubsub,
            b"master" => Self::Master,
            _ => return None,
        })
    }

    /// The client's type.
    pub(super) fn of(client: &Client) -> Self {
        if client.has_flag(flag::PUBSUB) { Self::Pubsub } else { Self::Normal }
    }
}

/// The states of a client by their letters, in Redis' order.
const LETTERS: &[(u32, u8)] = &[
    (flag::MONITOR, b'O'),
    (flag::PUBSUB, b'P'),
    (flag::MULTI, b'x'),
    (flag::BLOCKED, b'b'),
    (flag::TRACKING, b't'),
    (flag::BROKEN_REDIRECT, b'R'),
    (flag::BROADCAST, b'B'),
    (flag::CLOSE_AFTER_REPLY, b'c'),
    (flag::UNIX_SOCKET, b'U'),
    (flag::READONLY, b'r'),
    (flag::NO_EVICT, b'e'),
    (flag::NO_TOUCH, b'T'),
];

/// What a connection needs besides its buffers, in bytes; an estimate.
const CONNECTION_BYTES: u64 = 1024;

/// Memory that a client's buffers and its connection take, in bytes.
pub(super) fn memory(client: &Client) -> u64 {
    let of = |n: &std::sync::atomic::AtomicU64| n.load(Relaxed);
    CONNECTION_BYTES
        + of(&client.query_buffer)
        + of(&client.query_buffer_free)
        + of(&client.reply_buffer).max(client.unsent())
}

/// Appends the client's line, with its line end.
pub fn describe(client: &Client, now_ms: u64, out: &mut Vec<u8>) {
    let of = |n: &std::sync::atomic::AtomicU64| n.load(Relaxed);
    let seconds = |since_ms: u64| now_ms.saturating_sub(since_ms) / 1000;
    let flags = client.flags.load(Relaxed);
    let mut letters: Vec<u8> = LETTERS.iter().filter(|(bit, _)| flags & bit != 0).map(|l| l.1).collect();
    if letters.is_empty() {
        letters.push(b'N');
    }
    let command = match client.last_command.load(Relaxed) {
        0 => "NULL",
        id => &CommandTable::get().entry((id - 1) as u16).full_name,
    };
    let names = client.names.lock();
    let output = client.unsent();
    // Redis has a buffer for the first bytes, and a list of buffers for the others.
    let listed = output.saturating_sub(UNCOUNTED);
    // Writing into a Vec cannot fail.
    let _ = write!(
        out,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} qbuf={} \
         qbuf-free={} argv-mem=0 multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={} cmd={} user={} \
         redir={} resp={}",
        client.id,
        client.addr,
        client.laddr,
        client.fd,
        String::from_utf8_lossy(&names.name),
        seconds(client.created_ms),
        seconds(of(&client.last_interaction_ms)),
        String::from_utf8_lossy(&letters),
        client.db.load(Relaxed),
        client.subscriptions[0].load(Relaxed),
        client.subscriptions[1].load(Relaxed),
        client.subscriptions[2].load(Relaxed),
        if client.has_flag(flag::MULTI) { i64::from(client.queued.0.load(Relaxed)) } else { -1 },
        of(&client.query_buffer),
        of(&client.query_buffer_free),
        of(&client.queued.1),
        of(&client.reply_buffer),
        of(&client.reply_buffer),
        output - listed,
        listed.div_ceil(UNCOUNTED),
        listed,
        memory(client),
        if output > 0 { "rw" } else { "r" },
        command,
        String::from_utf8_lossy(&names.user),
        client.redirection(),
        client.resp.load(Relaxed),
    );
    out.push(b'\n');
}
