//! What is asked of random streams: that Moonshard answers them as Redis does, and that they leave the same keys whether
//! they come from a client, a script or a transaction. Every failure says how to repeat it.

use crate::corpus::{self, NotYet};
use crate::random::{self, Act, Generator, Step, Way};
use crate::server::{Server, under_test_is_redis};

/// Short streams begin anew from an empty keyspace, so that a difference is found with few commands before it.
pub const LEN: usize = 2_000;

/// The two servers, and what streams for them are made of.
pub struct Setup {
    ours: Server,
    theirs: Server,
    one_slot: bool,
    protocol: u8,
    left_out: LeftOut,
}

impl Setup {
    /// Starts both servers, Moonshard with so many shards. Keys share a slot, which scripts need, or do not.
    pub fn start(shards: usize, one_slot: bool, protocol: u8) -> Setup {
        let args = ["--enable-debug-command", "yes"];
        let (ours, theirs) = (Server::moonshard(shards, &args), Server::redis(&args));
        Setup { ours, theirs, one_slot, protocol, left_out: LeftOut::load() }
    }

    /// Runs the stream of a seed against both.
    ///
    /// # Errors
    /// How to repeat the failure, and the shortest stream found that fails.
    pub fn compare(&self, seed: u64) -> Result<(), String> {
        let mut acts = Generator::new(seed, self.one_slot).acts(LEN);
        acts.retain(|act| !act.steps().iter().any(|step| self.left_out.covers(step)));
        let fails = |acts: &[Act]| random::run(&self.ours, &self.theirs, self.protocol, acts);
        let Some((index, mismatch)) = fails(&acts) else { return Ok(()) };
        let shrunk = random::shrink_acts(acts, fails);
        Err(format!(
            "MOONSHARD_SEED={seed} repeats it: differs at {index}:\n{mismatch}\nthe shortest stream found that \
             fails:\n{shrunk}"
        ))
    }
}

/// A server on which scripts may touch any key.
pub fn server_for_ways(shards: usize) -> Server {
    let mut args = vec!["--enable-debug-command", "yes"];
    if !under_test_is_redis() {
        args.extend(["--lua-default-flags", "allow-undeclared-keys"]);
    }
    Server::moonshard(shards, &args)
}

/// Runs the commands of a seed on Moonshard as a client, in scripts and in transactions.
///
/// # Errors
/// How to repeat it when the keys differ afterwards, and the fewest commands found with which they do.
pub fn ways(server: &Server, seed: u64) -> Result<(), String> {
    let left_out = LeftOut::load();
    let mut steps = Generator::new(seed, false).repeatable(LEN);
    steps.retain(|step| !left_out.covers(step));
    for way in [Way::Script(1), Way::Script(20), Way::Transaction(1), Way::Transaction(20)] {
        let fails = |steps: &[Step]| {
            let (client, other) = (
                random::keyspace_after(server, Way::Client, steps),
                random::keyspace_after(server, way, steps),
            );
            (client != other)
                .then(|| (steps.len() - 1, format!("a client leaves {client}{way:?} leaves {other}")))
        };
        if fails(&steps).is_some() {
            return Err(format!("MOONSHARD_SEED={seed} repeats it:\n{}", random::shrink(steps, fails)));
        }
    }
    Ok(())
}

/// Commands that streams are not to have.
struct LeftOut {
    not_yet: NotYet,
    /// Beginnings of names, from `MOONSHARD_WITHOUT`.
    names: Vec<String>,
}

impl LeftOut {
    fn load() -> LeftOut {
        let names = std::env::var("MOONSHARD_WITHOUT").unwrap_or_default();
        let names = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        LeftOut { not_yet: NotYet::load(&corpus::folder().join("NOT_YET")), names }
    }

    fn covers(&self, step: &Step) -> bool {
        self.not_yet.covers(&step.command)
            || self.names.iter().any(|name| step.command[0].starts_with(name.as_bytes()))
    }
}
