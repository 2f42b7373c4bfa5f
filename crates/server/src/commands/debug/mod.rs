//! DEBUG: for tests.

mod digest;
mod disk_fault;

use super::Call;
use crate::effects::Moment;
use crate::persistence::{LogState, load_log_again, reload};
use moonshard_engine::effects::EventClass;
use moonshard_engine::keyspace::{Expiry, ExpiryMode, Keyspace, Shard, Shards, View};
use moonshard_engine::{Error, Rng, glob, sample_reply};
use moonshard_store::{Collection, Entry, ValueRef};
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const NOT_ALLOWED: Error = Error::fixed(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
     local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);

/// Keys that DEBUG POPULATE makes before it hands on what is said of them.
const POPULATED_AT_ONCE: usize = 1000;

const HELP: &[&str] = &[
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANGE-REPL-ID",
    "    Change the replication IDs of the instance.",
    "    Dangerous: should be used only for testing the replication subsystem.",
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "DISK-FAULT <operation> <path part> <error|NONE> [AFTER <count>] [TIMES <count>] [SHORT <bytes>]",
    "           [DELAY <milliseconds>]",
    "    Let operations on files whose path contains <path part> fail with this error of",
    "    the system (ENOSPC, EIO, ...), or only be slow. <operation> can be: create,",
    "    append, open, read, write, sync, truncate, len, rename, remove, create-dir,",
    "    sync-dir, list. After <count> of them that pass, for <count> of them, with as",
    "    many <bytes> written of the first write that fails.",
    "DISK-FAULT CLEAR",
    "    Let no operation on files fail any more.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "LOADAOF",
    "    Flush the AOF buffers on disk and reload the AOF in memory.",
    "LOG <message>",
    "    Write <message> to the server log.",
    "HTSTATS <dbid>",
    "    Return hash table statistics of the specified Redis database.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>. If <prefix> is specified then",
    "    it is used instead of the 'key' prefix.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "RELOAD [option ...]",
    "    Let every key go through the bytes of a snapshot and back, in memory.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Accepted and without effect: large elements have nodes of their own.",
    "IO-THREADS <count>",
    "    Use so many of the I/O threads from now on, until the load asks for more or fewer.",
    "PANIC",
    "    Fail as an error in the program would: ends the connection, and only it.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STRINGMATCH-LEN <pattern> <string>",
    "    Tell whether the pattern matches the string.",
    "PAUSE-CRON <0|1>",
    "    Stop periodic cron job processing.",
    "REPLYBUFFER PEAK-RESET-TIME <NEVER||RESET|time>",
    "    Accepted and without effect.",
    "REPLYBUFFER RESIZING <0|1>",
    "    Accepted and without effect.",
    "HELP",
    "    Prints this help.",
];

impl Call<'_, '_> {
    pub(in crate::commands) async fn debug(&mut self) -> Result<(), Error> {
        if !self.is_allowed(self.settings.enable_debug_command) {
            return Err(NOT_ALLOWED);
        }
        let args = self.args;
        let word = args.raw(1).to_ascii_lowercase();
        match (word.as_slice(), args.len()) {
            (b"help", 2) => self.reply.lines(HELP),
            (b"reload", _) => return self.debug_reload().await,
            (b"loadaof", 2) => return self.debug_load_aof().await,
            (b"sleep", 3) => return self.debug_sleep().await,
            (b"object", 3) => return self.debug_object().await,
            (b"populate", 3..=5) => return self.debug_populate().await,
            (b"digest", 2) => return self.debug_digest().await,
            (b"digest-value", _) => return self.debug_digest_value().await,
            (b"disk-fault", 3..) => return self.debug_disk_fault(),
            (b"htstats", 3) => return self.debug_table_stats(),
            (b"protocol", 3) => return sample_reply(self.reply, args.raw(2)),
            (b"error", 3) => {
                // Written as it is, so that tests can make any error.
                self.reply.error(args.raw(2));
            }
            (b"log", 3) => {
                tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(args.raw(2)));
                self.reply.ok();
            }
            (b"set-active-expire", 3) => {
                self.server.active_expire.store(leading_int(args.raw(2)) != 0, Relaxed);
                self.reply.ok();
            }
            (b"pause-cron", 3) => {
                self.server.cron_paused.store(leading_int(args.raw(2)) != 0, Relaxed);
                self.reply.ok();
            }
            (b"io-threads", 3) => {
                let count = usize::try_from(args.int(2)?).map_err(|_| Error::OUT_OF_RANGE_POSITIVE)?;
                self.server.use_io_threads(count);
                self.reply.ok();
            }
            (b"quicklist-packed-threshold", 3) => return self.debug_packed_threshold(),
            (b"stringmatch-len", 4) => {
                self.reply.int(i64::from(glob::matches(args.raw(2), args.raw(3), false)));
            }
            (b"change-repl-id", 2) => {
                tracing::warn!("changing the replication ID after DEBUG CHANGE-REPL-ID");
                self.server.change_replication_id(&mut Rng::new(crate::server::unix_micros()));
                self.reply.ok();
            }
            (b"panic", 2) => return self.debug_panic().await,
            (b"replybuffer", 4) => return self.debug_reply_buffer(),
            (b"set-disable-deny-scripts", 3) => {
                let scripts = &self.server.scripts.settings;
                scripts.unrestricted.store(leading_int(args.raw(2)) != 0, Relaxed);
                self.reply.ok();
            }
            (b"set-skip-checksum-validation" | b"aof-flush-sleep", 3) => {
                self.reply.ok();
            }
            _ => return Err(self.wrong_subcommand()),
        }
        Ok(())
    }

    /// Lets every shard's keys go through a snapshot in memory, whether Redis would read a file or write it first.
    async fn debug_reload(&mut self) -> Result<(), Error> {
        const OPTIONS: [&[u8]; 3] = [b"NOSAVE", b"NOFLUSH", b"MERGE"];
        let options = self.args.from(2);
        let has = |word: &[u8]| options.iter().any(|option| option.eq_ignore_ascii_case(word));
        if !options.iter().all(|option| OPTIONS.iter().any(|word| word.eq_ignore_ascii_case(option))) {
            return Err(Error::fixed(
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ));
        }
        let engine = self.engine;
        let libraries = self.server.scripts.registry.libraries().set().function_count();
        let mut guards = self.lock_every().await?;
        let there = libraries > 0 || guards.shards().iter().any(|shard| !shard.is_empty());
        if has(b"NOFLUSH") && !has(b"MERGE") && there {
            // Everything would be there twice.
            return Err(Error::fixed("ERR Error trying to load the RDB dump, check server logs."));
        }
        let outcome = reload(&mut guards.shards(), engine);
        drop(guards);
        outcome.map_err(|error| Error::text(format!("ERR Error trying to load the RDB dump: {error}")))?;
        self.reply.ok();
        Ok(())
    }

    /// Empties all shards and loads the append-only log into them.
    async fn debug_load_aof(&mut self) -> Result<(), Error> {
        let server = self.server.clone();
        let failed = |error: &dyn std::fmt::Display| {
            tracing::warn!(%error, "DEBUG LOADAOF");
            Error::fixed("ERR Error trying to load the AOF files, check server logs.")
        };
        // A log that was just turned on counts from its first base on.
        while server.config.load().appendonly && server.persistence.log.state() != LogState::On {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.sync_log().await.map_err(|error| failed(&error))?;
        let runtime = tokio::runtime::Handle::current();
        let (done, loaded) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("loader".into())
            .stack_size(moonshard_scripting::THREAD_STACK_BYTES)
            .spawn(move || {
                // The client may have gone.
                let _ = done.send(load_log_again(&server, &runtime));
            })
            .map_err(|error| failed(&error))?;
        loaded.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        self.reply.ok();
        Ok(())
    }

    /// Holds every shard for a while, as if the whole server slept.
    async fn debug_sleep(&mut self) -> Result<(), Error> {
        const SECONDS_MAX: f64 = 1e9;
        let text = String::from_utf8_lossy(self.args.raw(2)).into_owned();
        let seconds = text.trim().parse::<f64>().unwrap_or(0.0);
        let seconds = if seconds.is_nan() { 0.0 } else { seconds.clamp(0.0, SECONDS_MAX) };
        let guards = self.lock_every().await?;
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        drop(guards);
        self.reply.ok();
        Ok(())
    }

    /// Fails inside a command with every shard in hand, as an error in the program would. In Redis this ends the
    /// server; here it must end this connection only.
    async fn debug_panic(&mut self) -> Result<(), Error> {
        let _guards = self.lock_every().await?;
        panic!("DEBUG PANIC called");
    }

    async fn debug_object(&mut self) -> Result<(), Error> {
        let (db, now_ms, engine, key) = (self.session.db, self.now_ms, self.engine, self.args.raw(2));
        let mut guards = self.lock_every().await?;
        let mut shards: Vec<_> = guards.shards().into_iter().map(Some).collect();
        let view = View::new(db, now_ms, engine).expiry_mode(ExpiryMode::Ignore);
        let keys = Keyspace::with_view(Shards::Many(&mut shards), view, engine);
        let entry = keys.get(key).ok_or(Error::NO_SUCH_KEY)?;
        let idle = keys.clock().idle_seconds(entry.access());
        let text = describe(entry, idle);
        drop(guards);
        self.reply.status(&text);
        Ok(())
    }

    async fn debug_populate(&mut self) -> Result<(), Error> {
        let args = self.args;
        let count = positive(args.raw(2))?;
        let prefix = if args.len() > 3 { args.raw(3) } else { b"key" };
        let size = if args.len() == 5 { positive(args.raw(4))? } else { 0 };
        let server = self.server;
        let (db, now_ms, engine) = (self.session.db, self.now_ms, self.engine);
        let mut guards = self.lock_every().await?;
        // What is said of them is taken between, so that it stays small.
        for from in (0..count).step_by(POPULATED_AT_ONCE) {
            let mut shards: Vec<_> = guards.shards().into_iter().map(Some).collect();
            let mut keys = Keyspace::new(Shards::Many(&mut shards), db, now_ms, engine);
            for number in from..count.min(from + POPULATED_AT_ONCE as u64) {
                let key = [prefix, format!(":{number}").as_bytes()].concat();
                if keys.exists(&key) {
                    continue;
                }
                let mut value = format!("value:{number}").into_bytes();
                if size > 0 {
                    value.resize(size as usize, 0);
                }
                keys.set_str(&key, &value, Expiry::Clear);
                keys.changed(EventClass::STRING, "set", &key);
                keys.replay_as(&[b"SET", &key, &value]);
            }
            for (index, state) in guards.states() {
                server.settle(index, state, Moment { now_ms, settings: engine, origin: 0 });
            }
        }
        drop(guards);
        self.reply.ok();
        Ok(())
    }

    async fn debug_digest(&mut self) -> Result<(), Error> {
        let mut guards = self.lock_every().await?;
        let digest = digest::of_all(guards.shards().into_iter().map(|shard| &*shard));
        drop(guards);
        self.reply.status(&digest::hex(digest));
        Ok(())
    }

    async fn debug_digest_value(&mut self) -> Result<(), Error> {
        let (db, keys) = (self.session.db, self.args.from(2));
        let mut guards = self.lock_every().await?;
        let shards = guards.shards();
        let digests: Vec<digest::Digest> = keys
            .iter()
            .map(|key| {
                let mut digest = digest::Digest::default();
                let found = shards.iter().find_map(|shard| {
                    let table = shard.databases.get(db)?.table();
                    table.get(table.hash(key), key)
                });
                if let Some(entry) = found {
                    digest::mix_entry(&mut digest, entry);
                }
                digest
            })
            .collect();
        drop(guards);
        self.reply.array(digests.len());
        for digest in digests {
            self.reply.status(&digest::hex(digest));
        }
        Ok(())
    }

    /// How full the tables of a database are.
    fn debug_table_stats(&mut self) -> Result<(), Error> {
        let db = self.args.int(2)?;
        let db = usize::try_from(db).ok().filter(|&db| db < self.engine.databases);
        let db = db.ok_or(Error::fixed("ERR Out of range database"))?;
        let mut text = String::from("[Dictionary HT]\n");
        for (number, shard) in self.server.shard_figures().iter().enumerate() {
            let Some(database) = shard.databases.get(db) else { continue };
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "Shard {number}: number of elements: {}, of them expiring: {}",
                database.keys, database.expires
            );
        }
        self.reply.verbatim(b"txt", text.as_bytes());
        Ok(())
    }

    fn debug_packed_threshold(&mut self) -> Result<(), Error> {
        const LIMIT: u64 = 1 << 32;
        let size = crate::config::memory_value(self.args.raw(2));
        if size.is_none_or(|size| size >= LIMIT) {
            return Err(Error::fixed(
                "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
            ));
        }
        self.reply.ok();
        Ok(())
    }

    fn debug_reply_buffer(&mut self) -> Result<(), Error> {
        if self.args.is(2, "PEAK-RESET-TIME") {
            if !self.args.is(3, "NEVER") && !self.args.is(3, "RESET") {
                self.args.int(3)?;
            }
        } else if !self.args.is(2, "RESIZING") {
            return Err(self.wrong_subcommand());
        }
        self.reply.ok();
        Ok(())
    }
}

/// What C's `atoi` makes of a text.
fn leading_int(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let digits = text.iter().skip(usize::from(matches!(text.first(), Some(b'-' | b'+'))));
    let value = digits
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0i64, |sum, byte| sum.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    if text.first() == Some(&b'-') { -value } else { value }
}

/// A count that may not be negative.
fn positive(text: &[u8]) -> Result<u64, Error> {
    let value = moonshard_store::number::parse_i64(text).ok_or(Error::OUT_OF_RANGE_POSITIVE)?;
    u64::try_from(value).map_err(|_| Error::OUT_OF_RANGE_POSITIVE)
}

/// What DEBUG OBJECT says of an entry.
fn describe(entry: &Entry, idle_seconds: u64) -> String {
    let len = match entry.value() {
        ValueRef::String(text) => serialized_len(text),
        ValueRef::Collection(collection) => collection.memory_bytes(),
    };
    let mut text = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{len} lru:{} lru_seconds_idle:{idle_seconds}",
        std::ptr::from_ref(entry),
        Shard::encoding_name(entry),
        entry.access(),
    );
    if let Some(Collection::List(list)) = entry.collection() {
        let (nodes, bytes) = (list.node_count().max(1), list.memory_bytes());
        let mean = list.len() as f64 / nodes as f64;
        // Writing into a String cannot fail.
        let _ = write!(text, " ql_nodes:{nodes} ql_avg_node:{mean:.2} ql_uncompressed_size:{bytes}");
    }
    text
}

/// The length of a string in an RDB file, without compression.
fn serialized_len(text: &[u8]) -> usize {
    match moonshard_store::number::parse_i64(text) {
        Some(-128..=127) => 2,
        Some(-32_768..=32_767) => 3,
        Some(-2_147_483_648..=2_147_483_647) => 5,
        _ => {
            let head = match text.len() {
                0..64 => 1,
                64..16_384 => 2,
                _ => 5,
            };
            head + text.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_does() {
        let texts = ["0", "1", " -12x", "x", "", "99999999999999999999"];
        let values = texts.map(|text| leading_int(text.as_bytes()));
        assert_eq!(values, [0, 1, -12, 0, 0, i64::MAX]);
    }

    #[test]
    fn strings_have_the_length_of_a_file() {
        assert_eq!([b"5".as_slice(), b"300", b"70000", b"abc"].map(serialized_len), [2, 3, 5, 4]);
        assert_eq!(serialized_len(&[b'x'; 100]), 102);
    }
}
