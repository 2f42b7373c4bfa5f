//! Shards that a command of the server looks into.

use super::Call;
use crate::shards::{ShardGuards, ShardState};
use moonshard_engine::Error;
use moonshard_engine::keyspace::Shard;
use moonshard_lock::lock_all;

/// Locked shards.
pub(super) enum Locked<'c, 'a, 'g> {
    /// By the transaction in which the call runs.
    Held(&'c mut ShardGuards<'g>),
    /// By the call.
    Own(ShardGuards<'a>),
}

impl Locked<'_, '_, '_> {
    /// What is locked, by ascending number of the shard.
    pub(super) fn states(&mut self) -> Vec<(usize, &mut ShardState)> {
        match self {
            Self::Held(guards) => guards.iter_mut().map(|(index, guard)| (*index, &mut **guard)).collect(),
            Self::Own(guards) => guards.iter_mut().map(|(index, guard)| (*index, &mut **guard)).collect(),
        }
    }

    /// The keyspace of the locked shards.
    pub(super) fn shards(&mut self) -> Vec<&mut Shard> {
        self.states().into_iter().map(|(_, state)| &mut state.shard).collect()
    }

    /// One of the locked shards.
    pub(super) fn shard(&mut self, index: usize) -> Option<&mut Shard> {
        self.states().into_iter().find(|(of, _)| *of == index).map(|(_, state)| &mut state.shard)
    }
}

impl<'a, 'g> Call<'a, 'g> {
    /// Locks shards, given in ascending order. In a transaction they are locked already.
    ///
    /// # Errors
    /// `BUSY`.
    pub(super) async fn lock(&mut self, shards: &[usize]) -> Result<Locked<'_, 'a, 'g>, Error> {
        match &mut self.held {
            Some(guards) => Ok(Locked::Held(guards)),
            None => {
                let guards = lock_all(&self.server.shards, shards)
                    .await
                    .map_err(|_| self.server.busy_error(shards))?;
                Ok(Locked::Own(guards))
            }
        }
    }

    /// Locks every shard.
    ///
    /// # Errors
    /// `BUSY`.
    pub(super) async fn lock_every(&mut self) -> Result<Locked<'_, 'a, 'g>, Error> {
        let all: Vec<usize> = (0..self.server.shards.len()).collect();
        self.lock(&all).await
    }
}
