//! MEMORY, but for USAGE, which asks a shard.

use super::Call;
use super::info::{resident_bytes, startup_and_overhead};
use crate::allocator;
use libmimalloc_sys as sys;
use moonshard_engine::Error;
use std::ffi::{CStr, c_char, c_void};

const NEARLY_EMPTY: &str = "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be \
used in these conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be \
back to our programming as soon as I finished rebooting.\n";
const HEALTHY: &str = "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on \
this base.\n";
const ISSUES: &str = "Sam, I detected a few issues in this Redis instance memory implants:\n\n";

/// With less than this in use, nothing can be said.
const LITTLE_BYTES: u64 = 5 << 20;
/// Unused memory below this is no issue.
const WASTE_BYTES: u64 = 10 << 20;

impl Call<'_, '_> {
    pub(super) fn memory_doctor(&mut self) -> Result<(), Error> {
        let (used, peak, resident) = (allocator::used(), allocator::peak(), resident_bytes());
        let mut issues = String::new();
        if peak > used + used / 2 {
            issues.push_str(
                " * Peak memory: In the past this instance used more than 150% the memory that is currently using. The \
                 allocator is normally not able to release memory after a peak, so you can expect to see a big \
                 fragmentation ratio, however this is actually harmless and is only due to the memory peak, and if the \
                 Redis instance Resident Set Size (RSS) is currently bigger than expected, the memory will be used as \
                 soon as you fill the Redis instance with more data. If the memory peak was only occasional and you \
                 want to try to reclaim memory, please try the MEMORY PURGE command, otherwise the only other option \
                 is to shutdown and restart the instance.\n\n",
            );
        }
        if resident > used + used / 5 * 2 && resident - used > WASTE_BYTES {
            issues.push_str(
                " * High total RSS: This instance has a memory fragmentation and RSS overhead greater than 1.4 (this \
                 means that the Resident Set Size of the Redis process is much larger than the sum of the logical \
                 allocations Redis performed). If there was a memory peak, this is harmless.\n\n",
            );
        }
        let text = match () {
            () if used < LITTLE_BYTES => NEARLY_EMPTY.to_owned(),
            () if issues.is_empty() => HEALTHY.to_owned(),
            () => format!("{ISSUES}{issues}I'm here to keep you safe, Sam. I want to help you.\n"),
        };
        self.reply.verbatim(b"txt", text.as_bytes());
        Ok(())
    }

    pub(super) fn memory_malloc_stats(&mut self) -> Result<(), Error> {
        let mut text: Vec<u8> = Vec::new();
        // SAFETY: `collect` gets the pointer to `text`, which outlives the call, and texts that end in a zero byte.
        unsafe { sys::mi_stats_print_out(Some(collect), (&raw mut text).cast()) };
        self.reply.verbatim(b"txt", &text);
        Ok(())
    }

    pub(super) fn memory_purge(&mut self) -> Result<(), Error> {
        // SAFETY: it may be called at any time.
        unsafe { sys::mi_collect(true) };
        self.reply.ok();
        Ok(())
    }

    pub(super) fn memory_stats(&mut self) -> Result<(), Error> {
        let shards = self.server.shard_figures();
        let (startup, overhead) = startup_and_overhead(self.server, &shards);
        let (used, peak, resident) = (allocator::used(), allocator::peak(), resident_bytes());
        let peak = peak.max(used);
        let databases = shards.iter().map(|shard| shard.databases.len()).max().unwrap_or(0);
        let keys_of =
            |db: usize| shards.iter().filter_map(|s| s.databases.get(db)).map(|d| d.keys).sum::<u64>();
        let filled: Vec<usize> = (0..databases).filter(|&db| keys_of(db) > 0).collect();
        let tables: u64 = shards.iter().map(|shard| shard.table_bytes).sum();
        let keys: u64 = filled.iter().map(|&db| keys_of(db)).sum();
        let dataset = used.saturating_sub(overhead);
        let net = used.saturating_sub(startup);
        let clients: u64 = self.server.clients.all().iter().map(|c| super::client_list::memory(c)).sum();
        let percent =
            |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
        let ratio = if used == 0 { 1.0 } else { resident as f64 / used as f64 };
        let extra = resident as i64 - used as i64;

        self.reply.map(27 + filled.len());
        self.stat("peak.allocated", peak as i64);
        self.stat("total.allocated", used as i64);
        self.stat("startup.allocated", startup as i64);
        self.stat("replication.backlog", 0);
        self.stat("clients.slaves", 0);
        self.stat("clients.normal", clients as i64);
        self.stat("cluster.links", 0);
        self.stat("aof.buffer", 0);
        self.stat("lua.caches", self.server.scripts.registry.bytes() as i64);
        self.stat("functions.caches", 0);
        for &db in &filled {
            // The tables are counted together; a database has its share by its keys.
            let share = (tables as f64 * keys_of(db) as f64 / keys.max(1) as f64) as i64;
            self.reply.bulk(format!("db.{db}").as_bytes());
            self.reply.map(3);
            self.stat("overhead.hashtable.main", share);
            self.stat("overhead.hashtable.expires", 0);
            self.stat("overhead.hashtable.slot-to-keys", 0);
        }
        self.stat("overhead.total", overhead as i64);
        self.stat("keys.count", keys as i64);
        self.stat("keys.bytes-per-key", net.checked_div(keys).unwrap_or(0) as i64);
        self.stat("dataset.bytes", dataset as i64);
        self.share("dataset.percentage", percent(dataset, net));
        self.share("peak.percentage", percent(used, peak));
        self.stat("allocator.allocated", used as i64);
        self.stat("allocator.active", resident as i64);
        self.stat("allocator.resident", resident as i64);
        self.share("allocator-fragmentation.ratio", ratio);
        self.stat("allocator-fragmentation.bytes", extra);
        self.share("allocator-rss.ratio", 1.0);
        self.stat("allocator-rss.bytes", 0);
        self.share("rss-overhead.ratio", 1.0);
        self.stat("rss-overhead.bytes", 0);
        self.share("fragmentation", ratio);
        self.stat("fragmentation.bytes", extra);
        Ok(())
    }

    fn stat(&mut self, name: &str, value: i64) {
        self.reply.bulk(name.as_bytes());
        self.reply.int(value);
    }

    fn share(&mut self, name: &str, value: f64) {
        self.reply.bulk(name.as_bytes());
        self.reply.double(value);
    }
}

/// Takes the allocator's statistics, piece by piece.
unsafe extern "C" fn collect(piece: *const c_char, text: *mut c_void) {
    // SAFETY: as the caller promises.
    let (piece, text) = unsafe { (CStr::from_ptr(piece), &mut *text.cast::<Vec<u8>>()) };
    text.extend_from_slice(piece.to_bytes());
}
