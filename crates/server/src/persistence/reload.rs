//! DEBUG RELOAD: what all shards hold goes through a snapshot's bytes and back.

use super::load::{Items, put};
use crate::server::unix_ms;
use moonshard_engine::Settings;
use moonshard_engine::keyspace::Shard;
use moonshard_rdb::{Opcode, Reader};

/// Writes every shard into a snapshot in memory, empties it, and reads it back. A key that is due is lost.
///
/// # Errors
/// What cannot be read back; the shard then holds what could.
pub fn reload(shards: &mut [&mut Shard], settings: &Settings) -> Result<(), String> {
    let now_ms = unix_ms();
    for shard in shards {
        shard.begin_snapshot(settings.compress_dumps);
        shard.snapshot_slice(usize::MAX / 2);
        let Some(mut snapshot) = shard.end_snapshot() else { continue };
        let mut bytes = snapshot.take(Vec::new());
        bytes.push(Opcode::End as u8);
        for db in 0..shard.databases.len() {
            shard.flush(db, false);
        }
        let mut items = Items::new(now_ms, settings.restore_limits());
        items.read(&mut Reader::new(&bytes[..]), |db, entry| put(shard, db, entry, now_ms, settings))?;
    }
    Ok(())
}
