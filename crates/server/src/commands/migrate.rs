//! MIGRATE: sends keys to another server, and deletes here what has arrived there.
//!
//! Redis stands still until the other server has answered. Here the shards are locked while the keys are read and again
//! while they are deleted, and free in between. A key that is changed meanwhile stays, and the answer says so.

mod target;

use super::Call;
use crate::effects::{Moment, Watched};
use crate::server::{Server, unix_ms};
use crate::shards::in_their_places;
use moonshard_engine::effects::EventClass;
use moonshard_engine::keyspace::{Keyspace, Shards};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, Error};
use moonshard_lock::lock_all;
use std::time::Duration;
use target::{Failure, Request, Target};

const IN_TRANSACTION: Error =
    Error::fixed("ERR MIGRATE waits for another server, which nothing does inside a transaction or a script");
const CHANGED: Error =
    Error::fixed("TRYAGAIN Keys were changed while they were sent: the target has them as they were before");
const KEY_AND_KEYS: Error =
    Error::fixed("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");

/// How long the other server may take for each step when the call does not say.
const TIMEOUT_MS: u64 = 1000;

/// What a call asks for.
struct Migration<'a> {
    host: &'a [u8],
    port: &'a [u8],
    db: i64,
    timeout: Duration,
    keys: &'a [&'a [u8]],
    copies: bool,
    replaces: bool,
    /// AUTH's arguments.
    credentials: &'a [&'a [u8]],
}

impl<'a> Migration<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Error> {
        let all = args.all();
        let part = |from: usize, to: usize| all.get(from..to).ok_or(Error::SYNTAX);
        let (mut copies, mut replaces) = (false, false);
        let (mut credentials, mut keys): (&[&[u8]], _) = (&[], part(3, 4)?);
        let mut at = 6;
        while at < args.len() {
            if args.is(at, "COPY") {
                copies = true;
            } else if args.is(at, "REPLACE") {
                replaces = true;
            } else if args.is(at, "AUTH") {
                credentials = part(at + 1, at + 2)?;
                at += 1;
            } else if args.is(at, "AUTH2") {
                credentials = part(at + 1, at + 3)?;
                at += 2;
            } else if !args.is(at, "KEYS") {
                return Err(Error::SYNTAX);
            } else if !args.raw(3).is_empty() {
                return Err(KEY_AND_KEYS);
            } else {
                keys = args.from(at + 1);
                break;
            }
            at += 1;
        }
        let timeout = u64::try_from(args.int(5)?).ok().filter(|&ms| ms > 0).unwrap_or(TIMEOUT_MS);
        let (host, port, db) = (args.raw(1), args.raw(2), args.int(4)?);
        let timeout = Duration::from_millis(timeout);
        Ok(Self { host, port, db, timeout, keys, copies, replaces, credentials })
    }

    /// Sends the keys and notes which have arrived.
    async fn send(&self, parcels: &mut [Parcel<'_>], cluster: bool) -> Result<(), Error> {
        let mut target = Target::connect(self.host, self.port, self.timeout).await?;
        let mut request = Request::new();
        if !self.credentials.is_empty() {
            request.command(&[&[&b"AUTH"[..]], self.credentials].concat());
        }
        request.command(&[b"SELECT", self.db.to_string().as_bytes()]);
        let restore: &[u8] = if cluster { b"RESTORE-ASKING" } else { b"RESTORE" };
        let now_ms = unix_ms();
        let mut sent = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let ttl = match parcel.expires_ms.map(|at| at.checked_sub(now_ms)) {
                None => 0,
                Some(Some(left)) => left.max(1),
                // It has expired on the way.
                Some(None) => continue,
            };
            let ttl = ttl.to_string();
            let replace: &[&[u8]] = if self.replaces { &[b"REPLACE"] } else { &[] };
            let command = [&[restore, parcel.key, ttl.as_bytes(), &parcel.payload], replace].concat();
            request.command(&command);
            parcel.payload = Vec::new();
            sent.push(parcel);
        }
        target.write(request.bytes()).await.map_err(Failure::writing)?;
        let mut refused = None;
        if !self.credentials.is_empty() {
            refused = target.refusal().await.map_err(Failure::reading)?;
        }
        let wrong_db = target.refusal().await.map_err(Failure::reading)?;
        let before = refused.or(wrong_db);
        let mut first = before.clone();
        for parcel in sent {
            let refused = target.refusal().await.map_err(|failure| match &first {
                // What the target has said before tells more.
                Some(line) => target::refused_with(line),
                None => Failure::reading(failure),
            })?;
            parcel.arrived = before.is_none() && refused.is_none();
            first = first.or(refused);
        }
        first.map_or(Ok(()), |line| Err(target::refused_with(&line)))
    }
}

/// A key that is to be sent.
struct Parcel<'a> {
    key: &'a [u8],
    expires_ms: Option<u64>,
    payload: Vec<u8>,
    /// Tells whether the key has changed since.
    watched: Watched,
    /// Whether the other server has taken it.
    arrived: bool,
}

/// All of them. Nothing is watched any more when this goes, however the call ends.
struct Parcels<'a> {
    server: &'a Server,
    all: Vec<Parcel<'a>>,
}

impl Drop for Parcels<'_> {
    fn drop(&mut self) {
        self.all.iter_mut().for_each(|parcel| parcel.watched.clear(self.server));
    }
}

impl Call<'_, '_> {
    pub(super) async fn migrate(&mut self) -> Result<(), Error> {
        let migration = Migration::parse(self.args)?;
        if self.held.is_some() {
            return Err(IN_TRANSACTION);
        }
        let server = self.server.clone();
        let shards = self.needs(self.entry, self.args)?.shards;
        let mut parcels = Parcels { server: &server, all: Vec::new() };
        self.pack(&migration, &shards, &mut parcels).await?;
        if parcels.all.is_empty() {
            self.reply.status("NOKEY");
            return Ok(());
        }
        let sent = migration.send(&mut parcels.all, self.engine.cluster).await;
        let left = if migration.copies { 0 } else { self.delete_arrived(&shards, &parcels.all).await? };
        sent?;
        if left > 0 {
            return Err(CHANGED);
        }
        self.reply.ok();
        Ok(())
    }

    /// Reads the keys that are there, and begins to watch them.
    async fn pack<'k>(
        &mut self,
        migration: &Migration<'k>,
        shards: &[usize],
        parcels: &mut Parcels<'k>,
    ) -> Result<(), Error> {
        let (server, db) = (parcels.server, self.session.db);
        let mut guards = lock_all(&server.shards, shards).await.map_err(|_| server.busy_error(shards))?;
        for &key in migration.keys {
            let index = shard_of_slot(slot(key), server.shards.len());
            let Some((_, guard)) = guards.iter_mut().find(|(of, _)| *of == index) else { continue };
            let mut keys = Keyspace::new(Shards::One(&mut guard.shard), db, self.now_ms, self.engine);
            let Some(entry) = keys.read(key) else { continue };
            let payload = moonshard_rdb::dump(entry.value(), self.engine.compress_dumps);
            let mut watched = Watched::default();
            let expires_ms = entry.expiry_ms();
            if !migration.copies {
                watched.add(server, db, key, true);
            }
            parcels.all.push(Parcel { key, expires_ms, payload, watched, arrived: false });
        }
        server.settle_all(&mut guards, self.moment());
        Ok(())
    }

    /// Deletes what has arrived, unless it has changed since it was read; returns how much is left for that.
    async fn delete_arrived(&mut self, shards: &[usize], parcels: &[Parcel<'_>]) -> Result<usize, Error> {
        let (server, db) = (self.server.clone(), self.session.db);
        let arrived = || parcels.iter().filter(|parcel| parcel.arrived);
        if arrived().next().is_none() {
            return Ok(0);
        }
        let now_ms = unix_ms();
        let mut guards = lock_all(&server.shards, shards).await.map_err(|_| server.busy_error(shards))?;
        let (mut left, mut deleted) = (0, vec![&b"DEL"[..]]);
        {
            let locked = guards.iter_mut().map(|(index, guard)| (*index, &mut guard.shard));
            let mut locked = in_their_places(locked, server.shards.len());
            let mut keys = Keyspace::new(Shards::Many(&mut locked), db, now_ms, self.engine);
            for parcel in arrived() {
                if parcel.watched.is_touched() {
                    left += usize::from(keys.peek(parcel.key).is_some());
                } else if keys.remove(parcel.key) {
                    keys.changed(EventClass::GENERIC, "del", parcel.key);
                    deleted.push(parcel.key);
                }
            }
            if deleted.len() > 1 {
                keys.replay_as(&deleted);
            }
        }
        server.settle_all(
            &mut guards,
            Moment { now_ms, settings: self.engine, origin: self.session.client.id },
        );
        Ok(left)
    }
}
