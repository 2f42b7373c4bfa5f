//! Client-side caching (CLIENT TRACKING): clients are told when keys change that they have read, or that begin with a
//! prefix.

mod prefixes;
mod table;

pub use prefixes::Prefixes;

use crate::clients::{Client, flag};
use crate::connection::Session;
use crate::server::Server;
use moonshard_engine::command::{Entry, Flags, Route};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, Rng};
use moonshard_protocol::{Encoding, Reply};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use table::Table;

/// How a client wants to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The client to tell instead; 0 for itself.
    pub redirect: u64,
    /// The modes that were asked for, as [`flag`]s.
    pub flags: u32,
    /// What the keys begin with, in `BCAST` mode; without any, all keys are meant.
    pub prefixes: Vec<Box<[u8]>>,
}

/// Everything about tracking that a client's flags tell.
const FLAGS: u32 = flag::TRACKING
    | flag::BROKEN_REDIRECT
    | flag::BROADCAST
    | flag::OPT_IN
    | flag::OPT_OUT
    | flag::CACHING
    | flag::NO_LOOP;

/// Who has read which keys, and who wants to hear of which prefixes.
#[derive(Debug)]
pub struct Tracking {
    /// By shard.
    tables: Box<[Mutex<Table>]>,
    keys: AtomicUsize,
    items: AtomicUsize,
    /// Most keys in all tables; 0 for any number.
    keys_max: AtomicUsize,
    /// The clients that track, by id.
    clients: RwLock<HashMap<u64, Arc<Client>>>,
    /// Prefixes of clients in `BCAST` mode.
    pub prefixes: Prefixes,
    /// Decides which keys are forgotten when there are too many.
    random: Mutex<Rng>,
}

impl Tracking {
    /// Nobody tracks yet.
    pub fn new(shards: usize, random: Rng) -> Self {
        Self {
            tables: (0..shards).map(|_| Mutex::default()).collect(),
            keys: AtomicUsize::new(0),
            items: AtomicUsize::new(0),
            keys_max: AtomicUsize::new(0),
            clients: RwLock::default(),
            prefixes: Prefixes::default(),
            random: Mutex::new(random),
        }
    }

    /// Keys that somebody has read.
    pub fn keys(&self) -> usize {
        self.keys.load(Relaxed)
    }

    /// Keys that somebody has read, each counted once for every reader.
    pub fn items(&self) -> usize {
        self.items.load(Relaxed)
    }

    /// How many clients track.
    pub fn clients(&self) -> usize {
        self.clients.read().len()
    }

    fn shard(&self, key: &[u8]) -> usize {
        shard_of_slot(slot(key), self.tables.len())
    }

    fn remember(&self, key: &[u8], id: u64) {
        let growth = self.tables[self.shard(key)].lock().remember(key, id);
        self.keys.fetch_add(usize::from(growth.key), Relaxed);
        self.items.fetch_add(usize::from(growth.item), Relaxed);
    }

    /// Forgets a key, and gives its readers that still track by reading.
    fn forget(&self, key: &[u8]) -> Vec<Arc<Client>> {
        if self.keys() == 0 {
            return Vec::new();
        }
        let Some(ids) = self.tables[self.shard(key)].lock().forget(key) else { return Vec::new() };
        self.keys.fetch_sub(1, Relaxed);
        self.items.fetch_sub(ids.len(), Relaxed);
        let clients = self.clients.read();
        let tracking = ids.iter().filter_map(|id| clients.get(id));
        tracking.filter(|client| !client.has_flag(flag::BROADCAST)).cloned().collect()
    }

    fn forget_all(&self) {
        for table in &self.tables {
            let mut table = table.lock();
            self.keys.fetch_sub(table.len(), Relaxed);
            table.clear();
        }
        self.items.store(0, Relaxed);
    }

    /// A key to forget when there are too many.
    fn any_key(&self) -> Option<Arc<[u8]>> {
        let mut random = self.random.lock();
        let first = random.below(self.tables.len() as u64) as usize;
        (0..self.tables.len()).find_map(|at| {
            let table = self.tables[(first + at) % self.tables.len()].lock();
            let len = table.len() as u64;
            if len == 0 { None } else { table.key(random.below(len) as usize) }
        })
    }
}

impl Server {
    /// Lets a client track, or track in another way.
    pub fn track(&self, client: &Arc<Client>, options: &Options) {
        let mut clients = self.tracking.clients.write();
        if clients.is_empty() {
            self.shards.iter().for_each(|cell| cell.audience.hear_events(true));
        }
        clients.insert(client.id, client.clone());
        client.set_flag(FLAGS, false);
        client.redirect.store(options.redirect, Relaxed);
        client.set_flag(flag::TRACKING | options.flags, true);
        drop(clients);
        if options.flags & flag::BROADCAST != 0 {
            let all: [Box<[u8]>; 1] = [Box::default()];
            let prefixes = if options.prefixes.is_empty() { &all[..] } else { &options.prefixes };
            prefixes.iter().for_each(|prefix| self.tracking.prefixes.add(prefix, client));
        }
    }

    /// Ends a client's tracking. What it has read is forgotten as it changes, or with the last client that tracks.
    pub fn untrack(&self, client: &Client) {
        if !client.has_flag(flag::TRACKING) {
            return;
        }
        if client.has_flag(flag::BROADCAST) {
            self.tracking.prefixes.remove(client.id);
        }
        let mut clients = self.tracking.clients.write();
        clients.remove(&client.id);
        client.set_flag(FLAGS, false);
        if clients.is_empty() {
            self.shards.iter().for_each(|cell| cell.audience.hear_events(false));
            self.tracking.forget_all();
        }
    }

    /// Takes over how many keys may be remembered.
    pub fn limit_tracking(&self, keys_max: usize) {
        self.tracking.keys_max.store(keys_max, Relaxed);
        self.forget_surplus();
    }

    fn forget_surplus(&self) {
        let tracking = &self.tracking;
        let keys_max = tracking.keys_max.load(Relaxed);
        while keys_max > 0 && tracking.keys() > keys_max {
            let Some(key) = tracking.any_key() else { return };
            for reader in tracking.forget(&key) {
                self.send_invalidation(&reader, &array_of(std::iter::once(&*key)));
            }
        }
    }

    /// Remembers what a script has read before it wrote, so that its own changes are told as well: before they are. A
    /// script counts as a reader of its KEYS if it has called a command that reads.
    #[cold]
    pub fn remember_script_reads(&self, session: &Session, entry: &Entry, args: Args<'_>) {
        if entry.command.meta.route == Route::Script && session.script_reads.before_writes {
            self.remember_keys(&session.client, entry, args);
        }
    }

    /// Remembers what a client that tracks has just read. The shards are still locked, and what the command has changed
    /// was told.
    #[cold]
    pub fn remember_reads(&self, session: &Session, entry: &Entry, args: Args<'_>) {
        let meta = &entry.command.meta;
        let reads = match meta.route {
            Route::Script => session.script_reads.after_writes,
            _ => meta.flags.contains(Flags::READONLY) && !meta.flags.contains(Flags::PUBSUB),
        };
        if reads {
            self.remember_keys(&session.client, entry, args);
        }
    }

    fn remember_keys(&self, client: &Client, entry: &Entry, args: Args<'_>) {
        let caching = client.has_flag(flag::CACHING);
        if (client.has_flag(flag::OPT_IN) && !caching) || (client.has_flag(flag::OPT_OUT) && caching) {
            return;
        }
        // A call whose keys cannot be found has read none.
        let _ = entry.command.meta.each_key(args, &mut |span| {
            self.tracking.remember(args.raw(span.index), client.id);
        });
        self.forget_surplus();
    }

    /// Tells whoever has read a key, or wants to hear of its prefix, that it has changed. `origin` is the id of the
    /// client that changed it, if one did.
    pub fn invalidate(&self, key: &[u8], origin: u64) {
        if self.tracking.prefixes.len() > 0 {
            self.tracking.prefixes.note(key, origin);
        }
        for reader in self.tracking.forget(key) {
            if reader.id != origin || !reader.has_flag(flag::NO_LOOP) {
                self.send_invalidation(&reader, &array_of(std::iter::once(key)));
            }
        }
    }

    /// Tells all clients that track that no key is what it was.
    pub fn invalidate_all(&self) {
        let clients: Vec<_> = self.tracking.clients.read().values().cloned().collect();
        self.tracking.forget_all();
        for client in clients {
            let encoding = if client.resp.load(Relaxed) == 3 { Encoding::Resp3 } else { Encoding::Resp2 };
            let mut null = Reply::new(encoding);
            null.null();
            self.send_invalidation(&client, null.as_bytes());
        }
    }

    /// Sends what has changed under the prefixes that clients want to hear of, and wakes all who were sent anything.
    /// Whoever runs commands calls it before it waits for anything.
    #[inline]
    pub fn deliver(&self) {
        if self.tracking.prefixes.is_pending() {
            self.broadcast();
        }
        self.pubsub.wakes.flush();
    }

    #[cold]
    fn broadcast(&self) {
        self.tracking.prefixes.broadcast(|client, changed| {
            let own = if client.has_flag(flag::NO_LOOP) { client.id } else { 0 };
            let keys =
                || changed.iter().filter(|(_, origin)| own == 0 || **origin != own).map(|(key, _)| &**key);
            if keys().next().is_some() {
                self.send_invalidation(client, &array_of(keys()));
            }
        });
    }

    /// Sends the encoded `keys` to a client, or to whom it has redirected them.
    fn send_invalidation(&self, client: &Arc<Client>, keys: &[u8]) {
        let redirect = client.redirect.load(Relaxed);
        let target = match redirect {
            0 => Some(client.clone()),
            id => self.clients.get(id),
        };
        let Some(target) = target else {
            client.set_flag(flag::BROKEN_REDIRECT, true);
            if client.resp.load(Relaxed) == 3 {
                let mut message = Reply::new(Encoding::Resp3);
                message.push(2);
                message.bulk(b"tracking-redir-broken");
                message.int(redirect as i64);
                self.pubsub.wakes.invalidate(client, message.as_bytes());
            }
            return;
        };
        let mut message;
        if target.resp.load(Relaxed) == 3 {
            message = Reply::new(Encoding::Resp3);
            message.push(2);
            message.bulk(b"invalidate");
        } else if redirect != 0 && target.has_flag(flag::PUBSUB) {
            message = Reply::new(Encoding::Resp2);
            message.push(3);
            message.bulk(b"message");
            message.bulk(b"__redis__:invalidate");
        } else {
            // RESP2 tells nothing between replies.
            return;
        }
        message.buffer_mut().extend_from_slice(keys);
        self.pubsub.wakes.invalidate(&target, message.as_bytes());
    }
}

/// An array of keys, encoded.
fn array_of<'a>(keys: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut reply = Reply::new(Encoding::Resp3);
    let open = reply.open_array();
    let mut len = 0;
    for key in keys {
        reply.bulk(key);
        len += 1;
    }
    reply.close(open, len);
    reply.into_bytes()
}
