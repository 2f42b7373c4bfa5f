//! CPU-bound scripts on keys of different shards: one after another, and at the same time.

use super::client::Client;
use super::error::Error;
use super::options::Options;
use super::programs::Programs;
use super::statistics::median;
use super::stop;
use moonshard_engine::slot::{shard_of_slot, slot};
use std::time::{Duration, Instant};

/// Scripts at the same time.
const SCRIPTS: usize = 4;
/// Times as fast, at least, on two cores.
pub const SPEEDUP_MIN: f64 = 1.8;
const SCRIPT: &str =
    "local sum = 0; for i = 1, tonumber(ARGV[1]) do sum = (sum * 31 + i) % 1000003 end; return sum";
/// Rounds of the script's loop: about a fifth of a second, long beside what it takes to spread scripts over threads.
const ROUNDS: u64 = 60_000_000;

/// How long the scripts took, one after another and at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Parallel {
    /// One after another.
    pub in_turn: Duration,
    /// At the same time.
    pub together: Duration,
}

impl Parallel {
    /// How many times as fast they are at the same time.
    pub fn speedup(&self) -> f64 {
        self.in_turn.as_secs_f64() / self.together.as_secs_f64()
    }

    /// Whether the bound is reached.
    pub fn passes(&self) -> bool {
        self.speedup() >= SPEEDUP_MIN
    }
}

/// Measures a fresh server; the round in the middle counts.
///
/// # Errors
/// When it does not start, or a script fails.
pub fn measure(options: &Options, programs: &Programs, io_threads: Option<u32>) -> Result<Parallel, Error> {
    eprintln!("scripts of different shards");
    let server = programs.start_moonshard(io_threads)?;
    let mut control = Client::connect(server.port())?;
    let shards = control.setting("shards")?;
    let shards = shards.parse().ok().filter(|&shards| shards >= SCRIPTS);
    let shards = shards.ok_or_else(|| Error::Program("it takes four shards or more".into()))?;
    let key_of = |shard| {
        let mut keys = (0..).map(|number| format!("key:{number}"));
        keys.find(|key| shard_of_slot(slot(key.as_bytes()), shards) == shard).unwrap_or_default()
    };
    let keys: Vec<String> = (0..SCRIPTS).map(key_of).collect();
    let mut clients = keys.iter().map(|_| Client::connect(server.port())).collect::<Result<Vec<_>, _>>()?;
    let rounds = options.scaled(ROUNDS).to_string();
    let call = |key: &str| -> [Vec<u8>; 5] {
        ["EVAL", SCRIPT, "1", key, &rounds].map(|word| word.as_bytes().to_vec())
    };
    let mut run = |together: bool| -> Result<Duration, Error> {
        stop::check()?;
        let begun = Instant::now();
        for (client, key) in clients.iter_mut().zip(&keys) {
            let words = call(key);
            client.send(&words.each_ref().map(Vec::as_slice))?;
            if !together {
                client.answer()?;
            }
        }
        if together {
            for client in &mut clients {
                client.answer()?;
            }
        }
        Ok(begun.elapsed())
    };
    // Compiled first.
    run(false)?;
    let mut measured = Vec::new();
    for _ in 0..options.rounds {
        measured.push(Parallel { in_turn: run(false)?, together: run(true)? });
    }
    let middle = |of: fn(&Parallel) -> Duration| {
        Duration::from_secs_f64(median(measured.iter().map(|round| of(round).as_secs_f64())))
    };
    Ok(Parallel { in_turn: middle(|round| round.in_turn), together: middle(|round| round.together) })
}
