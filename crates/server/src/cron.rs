//! What happens by itself: keys expire, idle clients are closed, memory is looked at.

use crate::clients::flag;
use crate::effects::Moment;
use crate::server::{Server, engine_settings, unix_ms};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Keys looked at in one slice of active expiry, under one hold of a shard's lock.
const EXPIRE_SLICE: usize = 200;
/// Slices of one shard in one round, while many of the keys were due.
const EXPIRE_SLICES_MAX: usize = 25;

/// Runs until the server ends.
pub async fn run(server: Arc<Server>) {
    let mut rounds = 0u64;
    while !server.shutdown.is_requested() {
        let hz = u64::from(server.config.load().hz.clamp(1, 500));
        tokio::time::sleep(Duration::from_millis(1000 / hz)).await;
        server.read_rates();
        server.tend_log().await;
        if server.cron_paused.load(Relaxed) {
            continue;
        }
        server.evict_by_itself(Duration::from_millis(1000 / hz / 4)).await;
        if server.active_expire.load(Relaxed) {
            expire_round(&server).await;
        }
        server.deliver();
        rounds += 1;
        if rounds.is_multiple_of(hz) {
            close_idle_clients(&server);
            close_slow_readers(&server);
            server.refresh_figures();
            server.save_by_itself().await;
        }
    }
}

async fn expire_round(server: &Server) {
    let settings = server.config.load_full();
    let (lazy, engine) = (settings.lazyfree_lazy_expire, engine_settings(&settings, server.seed));
    let mut held = Duration::ZERO;
    for (index, cell) in server.shards.iter().enumerate() {
        for _ in 0..EXPIRE_SLICES_MAX {
            let again = match cell.lock.try_lock() {
                Some(mut guard) => {
                    let (now_ms, begun) = (unix_ms(), Instant::now());
                    let outcome = guard.shard.expire_cycle(now_ms, EXPIRE_SLICE, lazy);
                    server.settle(index, &mut guard, Moment { now_ms, settings: &engine, origin: 0 });
                    held += begun.elapsed();
                    outcome.is_worthwhile()
                }
                None => false,
            };
            if !again {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    server.latency.note("expire-cycle", held.as_nanos() as u64);
}

/// Closes clients that were idle for longer than `timeout` allows.
fn close_idle_clients(server: &Server) {
    let timeout_ms = u64::from(server.config.load().timeout) * 1000;
    if timeout_ms == 0 {
        return;
    }
    let now_ms = unix_ms();
    for client in server.clients.all() {
        let exempt = flag::MONITOR | flag::BLOCKED | flag::PUBSUB;
        if !client.has_flag(exempt)
            && now_ms.saturating_sub(client.last_interaction_ms.load(Relaxed)) > timeout_ms
        {
            tracing::debug!(client = client.addr, "closing idle client");
            client.kill();
        }
    }
}

/// Closes clients to which too much waits to be sent: those that read nothing make no progress that would be noticed.
fn close_slow_readers(server: &Server) {
    let settings = server.config.load_full();
    for client in server.clients.all() {
        if !client.is_killed() && client.exceeds_output_limit(&settings) {
            server.note_output_overrun(&client);
            client.kill();
        }
    }
}
