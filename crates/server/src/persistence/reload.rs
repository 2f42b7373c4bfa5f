//! DEBUG RELOAD: what all shards hold goes through a snapshot's bytes and back.

use super::load::{KeyRecord, Records, Step, build, put};
use crate::server::unix_ms;
use moonshard_engine::Settings;
use moonshard_engine::keyspace::{AccessClock, Shard};
use moonshard_rdb::Opcode;

/// Writes every shard into a snapshot in memory, empties it, and reads it back. A key that is due is lost.
///
/// # Errors
/// What cannot be read back; the shard then holds what could.
pub fn reload(shards: &mut [&mut Shard], settings: &Settings) -> Result<(), String> {
    let now_ms = unix_ms();
    for shard in shards {
        let mut bytes = shard.image(settings.compress_dumps, AccessClock::of_snapshot(now_ms, settings));
        bytes.push(Opcode::End as u8);
        for db in 0..shard.databases.len() {
            shard.flush(db, false);
        }
        read(&bytes, shard, now_ms, settings)?;
    }
    Ok(())
}

/// Reads what a shard has written back into it.
fn read(mut bytes: &[u8], shard: &mut Shard, now_ms: u64, settings: &Settings) -> Result<(), String> {
    let mut records = Records::default();
    loop {
        let (len, step) = records.next(bytes).map_err(|error| error.to_string())?;
        let (record, rest) = bytes.split_at(len);
        match step {
            Step::Note => {}
            Step::Key(KeyRecord { expiry_ms: Some(at), .. }) if at <= now_ms => {}
            Step::Key(KeyRecord { db, expiry_ms, used, .. }) => {
                if let Some(entry) = build(record, expiry_ms, &settings.restore_limits())? {
                    put(shard, db, (entry, used), now_ms, settings)?;
                }
            }
            Step::End => return Ok(()),
        }
        bytes = rest;
    }
}
