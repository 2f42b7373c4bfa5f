//! Shards that a command of the server looks into.

use super::Call;
use crate::shards::{ShardGuards, ShardState};
use moonshard_engine::Error;
use moonshard_engine::keyspace::Shard;
use moonshard_lock::lock_all;

/// Shards that were locked before the call.
pub enum Held<'a, 'g> {
    /// By the transaction in which it runs.
    Transaction(&'a mut ShardGuards<'g>),
    /// By the script that makes it. The VM is at work, so the keyspace is all that there is to see.
    Script {
        /// In ascending order.
        shards: Vec<&'a mut Shard>,
        /// Whether the script may touch any key, and so has locked every shard.
        any_key: bool,
    },
}

impl Held<'_, '_> {
    /// What is locked, by ascending number of the shard; nothing in a script.
    pub(super) fn states(&mut self) -> Vec<(usize, &mut ShardState)> {
        match self {
            Self::Transaction(guards) => of_guards(guards),
            Self::Script { .. } => Vec::new(),
        }
    }
}

fn of_guards<'c>(guards: &'c mut ShardGuards<'_>) -> Vec<(usize, &'c mut ShardState)> {
    guards.iter_mut().map(|(index, guard)| (*index, &mut **guard)).collect()
}

/// Locked shards.
pub(super) enum Locked<'c, 'a, 'g> {
    /// By what the call runs in.
    Held(&'c mut Held<'a, 'g>),
    /// By the call.
    Own(ShardGuards<'a>),
}

impl Locked<'_, '_, '_> {
    /// What is locked, by ascending number of the shard; nothing in a script.
    pub(super) fn states(&mut self) -> Vec<(usize, &mut ShardState)> {
        match self {
            Self::Held(held) => held.states(),
            Self::Own(guards) => of_guards(guards),
        }
    }

    /// The keyspace of the locked shards.
    pub(super) fn shards(&mut self) -> Vec<&mut Shard> {
        match self {
            Self::Held(Held::Script { shards, .. }) => shards.iter_mut().map(|shard| &mut **shard).collect(),
            _ => self.states().into_iter().map(|(_, state)| &mut state.shard).collect(),
        }
    }

    /// One of the locked shards.
    pub(super) fn shard(&mut self, index: usize) -> Option<&mut Shard> {
        self.shards().into_iter().find(|shard| shard.index == index)
    }
}

impl<'a, 'g> Call<'a, 'g> {
    /// Locks shards, given in ascending order. In a transaction and in a script they are locked already.
    ///
    /// # Errors
    /// `BUSY`; and in a script that may not touch every key, what it is answered.
    pub(super) async fn lock(&mut self, shards: &[usize]) -> Result<Locked<'_, 'a, 'g>, Error> {
        match &mut self.held {
            Some(Held::Script { any_key: false, .. }) => Err(Error::ALL_KEYS_UNDECLARED),
            Some(held) => Ok(Locked::Held(held)),
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
