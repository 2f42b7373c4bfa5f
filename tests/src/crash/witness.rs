//! What several connections do with the same keys, and what must hold of these at every moment.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::random::Rng;
use crate::resp::{Client, Reply, Value};

const ACCOUNTS: usize = 20;
const BALANCE: i64 = 1000;
const CHAIN: usize = 3;

/// Adds a number to the queue, as the next of its counter; both are somewhere.
const PUSH: &str = "#!lua flags=allow-cross-slot-keys
local number = redis.call('incr', KEYS[1])
redis.call('rpush', KEYS[2], number)
return number";

/// What a connection does with keys that others change too.
pub enum Witness {
    /// Moves amounts between accounts on all shards, by transactions.
    Transfers(Rng),
    /// Writes into the link of this number what it has read in the one before; the first counts.
    Chain(usize, Arc<AtomicU64>),
    /// Adds numbers to the queue.
    Producer(Arc<AtomicU64>),
    /// Moves them on, waiting for each.
    Mover,
    /// Replaces a library and a script, and says which version is there.
    Libraries(Arc<AtomicU64>),
}

/// The witnesses of a run, and what was answered to them.
pub struct Witnesses {
    chain: Arc<AtomicU64>,
    pushed: Arc<AtomicU64>,
    version: Arc<AtomicU64>,
    /// Scripts outlive the process here; in Redis they do not.
    scripts_stay: bool,
}

impl Witnesses {
    /// None has done anything.
    pub fn new(scripts_stay: bool) -> Witnesses {
        Witnesses { chain: Arc::default(), pushed: Arc::default(), version: Arc::default(), scripts_stay }
    }

    /// A round's witnesses.
    pub fn all(&self, seed: u64) -> Vec<Witness> {
        let chain = (0..CHAIN).map(|link| Witness::Chain(link, self.chain.clone()));
        let others = [
            Witness::Transfers(Rng::new(seed)),
            Witness::Producer(self.pushed.clone()),
            Witness::Mover,
            Witness::Libraries(self.version.clone()),
        ];
        chain.chain(others).collect()
    }

    /// Looks at a server that was started again; whether all that was answered must be there.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&mut self, client: &mut Client, all_kept: bool) -> Result<(), String> {
        check_accounts(client)?;
        let links: Vec<i64> =
            (0..CHAIN).map(|link| number(&client.ask(&format!("GET chain:{link}")))).collect();
        if links.windows(2).any(|two| two[0] < two[1]) {
            return Err(format!("a link was written before what it was read from: {links:?}"));
        }
        kept("chain:0", links[0], &self.chain, all_kept)?;
        let next = number(&client.ask("GET queue:next"));
        kept("queue:next", next, &self.pushed, all_kept)?;
        check_queue(client, next)?;
        self.check_code(client, all_kept)
    }

    fn check_code(&self, client: &mut Client, all_kept: bool) -> Result<(), String> {
        let noted = number(&client.ask("GET code:version"));
        kept("code:version", noted, &self.version, all_kept)?;
        if noted == 0 {
            return Ok(());
        }
        let loaded = number(&client.ask("FCALL version 0"));
        if loaded < noted {
            return Err(format!(
                "the library is of version {loaded}, and {noted} was noted after it was loaded"
            ));
        }
        let sha = client.ask("GET code:sha").value;
        let reply = client
            .command(&[b"evalsha", sha.bytes().unwrap_or_default(), b"0"])
            .map_err(|e| e.to_string())?;
        if self.scripts_stay && reply.error().is_some() {
            return Err(format!("a script is gone that was loaded: {}", reply.text()));
        }
        Ok(())
    }
}

/// Compares a counter with what was answered, from which the next round goes on.
fn kept(name: &str, found: i64, answered: &AtomicU64, all_kept: bool) -> Result<(), String> {
    let found = found.unsigned_abs();
    let answered = answered.swap(found, Ordering::SeqCst);
    if all_kept && found < answered {
        return Err(format!("{name} is {found}, and {answered} was answered"));
    }
    Ok(())
}

fn number(reply: &Reply) -> i64 {
    match &reply.value {
        Value::Int(number) => *number,
        other => other.bytes().and_then(|text| String::from_utf8_lossy(text).parse().ok()).unwrap_or(0),
    }
}

fn account(number: usize) -> String {
    format!("account:{number}")
}

fn check_accounts(client: &mut Client) -> Result<(), String> {
    let mut balances = Vec::new();
    for at in 0..ACCOUNTS {
        let reply = client.ask(&format!("GET {}", account(at)));
        balances.extend(reply.value.bytes().is_some().then(|| number(&reply)));
    }
    let sum: i64 = balances.iter().sum();
    match balances.len() {
        0 => Ok(()),
        ACCOUNTS if sum == BALANCE * ACCOUNTS as i64 => Ok(()),
        count => {
            Err(format!("a transaction is half there: {count} accounts with {sum} in all: {balances:?}"))
        }
    }
}

/// Each number is in one of the two lists, in its order. What was moved is removed from time to time.
fn check_queue(client: &mut Client, next: i64) -> Result<(), String> {
    let mut numbers: Vec<i64> = Vec::new();
    for list in ["queue:moved", "queue:waiting"] {
        let items = client.ask(&format!("LRANGE {list} 0 -1")).value;
        let items = items.items().unwrap_or_default().iter().filter_map(Value::bytes);
        numbers.extend(items.map(|text| String::from_utf8_lossy(text).parse().unwrap_or(-1)));
    }
    if numbers.windows(2).any(|two| two[0] + 1 != two[1]) || numbers.last().is_some_and(|last| *last != next)
    {
        return Err(format!("numbers are missing or twice there, up to {next}: {numbers:?}"));
    }
    if numbers.is_empty() && next > 0 {
        return Err(format!("all numbers up to {next} are gone"));
    }
    client.ask("LTRIM queue:moved -3 -1");
    Ok(())
}

impl Witness {
    /// Goes on until the connection breaks or `stop` is set.
    ///
    /// # Errors
    /// That of the connection, or what was answered to a command that must not fail.
    pub fn work(&mut self, client: &mut Client, stop: &AtomicBool) -> io::Result<()> {
        if let Witness::Transfers(_) = self {
            let mut words = vec!["msetnx".to_owned()];
            (0..ACCOUNTS).for_each(|at| words.extend([account(at), BALANCE.to_string()]));
            client.command(&words)?;
        }
        while !stop.load(Ordering::Relaxed) {
            self.step(client)?;
        }
        Ok(())
    }

    fn step(&mut self, client: &mut Client) -> io::Result<()> {
        match self {
            Witness::Transfers(rng) => {
                let (from, to) = (account(rng.below(ACCOUNTS)), account(rng.below(ACCOUNTS)));
                let amount = rng.below(100).to_string();
                client.command(&["multi"])?;
                client.command(&["decrby", &from, &amount])?;
                client.command(&["incrby", &to, &amount])?;
                right(client.command(&["exec"])?)?;
            }
            Witness::Chain(0, answered) => {
                let reply = right(client.command(&["incr", "chain:0"])?)?;
                answered.store(number(&reply).unsigned_abs(), Ordering::SeqCst);
            }
            Witness::Chain(link, _) => {
                let read = client.command(&["get".to_owned(), format!("chain:{}", *link - 1)])?;
                let read = number(&read).to_string();
                right(client.command(&["set".to_owned(), format!("chain:{link}"), read])?)?;
            }
            Witness::Producer(answered) => {
                let reply = client.command(&["eval", PUSH, "2", "queue:next", "queue:waiting"])?;
                answered.store(number(&right(reply)?).unsigned_abs(), Ordering::SeqCst);
            }
            Witness::Mover => {
                let words = ["blmove", "queue:waiting", "queue:moved", "left", "right", "0.05"];
                right(client.command(&words)?)?;
            }
            Witness::Libraries(answered) => {
                let version = answered.load(Ordering::SeqCst) + 1;
                let text = format!(
                    "#!lua name=versions\nredis.register_function('version', function() return {version} end)"
                );
                right(client.command(&["function", "load", "replace", &text])?)?;
                let sha = right(client.command(&["script", "load", &format!("return {version}")])?)?;
                let sha = String::from_utf8_lossy(sha.value.bytes().unwrap_or_default()).into_owned();
                right(client.command(&["mset", "code:version", &version.to_string(), "code:sha", &sha])?)?;
                answered.store(version, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        Ok(())
    }
}

/// The reply, if it is no error.
fn right(reply: Reply) -> io::Result<Reply> {
    match reply.error() {
        None => Ok(reply),
        Some(error) => Err(io::Error::other(error)),
    }
}
