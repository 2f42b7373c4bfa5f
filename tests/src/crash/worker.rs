//! A connection that changes keys of its own, numbers what it does, and knows afterwards what must be there.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::chance::{Chance, Chances};
use crate::content::{Content, Same};
use crate::random::{Act, Generator, Rng};
use crate::resp::{Client, Reply, encode};
use crate::server::under_test_is_redis;

/// Acts that are sent before the first reply is read, at most.
const PIPELINE_MAX: usize = 12;
/// The databases that a worker's keys are in.
const DATABASES: &[usize] = &[0, 1];
/// What the server under test and the reference agree on: one has run the commands later than the other.
const SAME: Same = Same { encodings: false, deadlines_ms: 300_000, deliveries: false, seen: false };

/// What a worker does in one step, which is there afterwards as a whole or not at all.
enum Deed {
    /// Its outcome follows from what was there.
    Sure(Act),
    /// Its outcome depends on chance or on the time, and is known from its reply.
    Chance(Chance, Option<Reply>),
}

/// A connection's keys, what was done with them since they were last looked at, and how much of that was answered.
pub struct Worker {
    prefix: String,
    rng: Rng,
    generator: Generator,
    chances: Chances,
    /// The deeds that are known to be there, from earlier rounds.
    settled: u64,
    /// What was sent since.
    deeds: Vec<Deed>,
    /// When each of them was answered, in their order.
    answered: Vec<Instant>,
    /// A reply that must not come.
    refused: Option<String>,
}

/// What became of a worker's deeds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Deeds that are there, of all rounds.
    pub there: u64,
    /// Answered deeds that are not.
    pub lost: u64,
    /// How long before the crash the oldest lost one was answered.
    pub lost_age: Duration,
}

impl Worker {
    /// The worker of this number.
    pub fn new(seed: u64, number: usize) -> Worker {
        let prefix = format!("c{number}:");
        Worker {
            rng: Rng::new(seed ^ 0x5eed),
            generator: Generator::with_prefix(seed, &prefix),
            chances: Chances::new(&prefix),
            prefix,
            settled: 0,
            deeds: Vec::new(),
            answered: Vec::new(),
            refused: None,
        }
    }

    fn position(&self) -> Vec<u8> {
        format!("{}position", self.prefix).into_bytes()
    }

    /// Does things until the connection breaks or `stop` is set, and counts the answered ones in `progress`.
    ///
    /// # Errors
    /// That of the connection.
    pub fn work(&mut self, client: &mut Client, stop: &AtomicBool, progress: &AtomicU64) -> io::Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let first = self.deeds.len();
            let mut bytes = Vec::new();
            for _ in 0..=self.rng.below(PIPELINE_MAX) {
                let deed = if self.rng.one_in(5) {
                    Deed::Chance(self.chances.next(&mut self.rng), None)
                } else {
                    Deed::Sure(self.generator.whole())
                };
                commands(&deed).iter().for_each(|command| bytes.extend(encode(command)));
                self.deeds.push(deed);
                let number = self.settled + self.deeds.len() as u64;
                bytes.extend(encode(&[b"set".to_vec(), self.position(), number.to_string().into_bytes()]));
            }
            client.send_raw(&bytes)?;
            for at in first..self.deeds.len() {
                self.hear(client, at)?;
                progress.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Reads what is answered to the deed at this place and to the note of its number.
    fn hear(&mut self, client: &mut Client, at: usize) -> io::Result<()> {
        let count = commands(&self.deeds[at]).len();
        for _ in 0..count {
            let reply = client.read()?;
            if let Some(error) = reply.error().filter(|error| must_not_come(error)) {
                self.refused.get_or_insert(error);
            }
            if let Deed::Chance(_, known) = &mut self.deeds[at] {
                *known = Some(reply);
            }
        }
        self.answered.push(Instant::now());
        let noted = client.read()?;
        if let Some(error) = noted.error() {
            self.refused.get_or_insert(error);
        }
        Ok(())
    }

    /// Looks at what a server that was started again has of this worker's keys, and makes the reference the same.
    ///
    /// # Errors
    /// When it is not what was there after the first so many deeds, or when deeds are lost that the promise covers:
    /// those that were answered before `kept_until`.
    pub fn settle(
        &mut self,
        client: &mut Client,
        reference: &mut Client,
        kept_until: Option<Instant>,
        crashed: Instant,
    ) -> Result<Outcome, String> {
        if let Some(refused) = self.refused.take() {
            return Err(format!("{} was answered {refused}", self.prefix));
        }
        let reply = client.command(&[b"get".to_vec(), self.position()]).map_err(|e| e.to_string())?;
        let found = reply.value.bytes().map_or(Ok(0), |text| String::from_utf8_lossy(text).parse::<u64>());
        let found = found.map_err(|_| format!("{}position is {}", self.prefix, reply.text()))?;
        // The last deed of the round before may have been there without its number.
        let found = if found + 1 == self.settled { self.settled } else { found };
        let sent = self.settled + self.deeds.len() as u64;
        if found < self.settled || found > sent {
            return Err(format!(
                "{} is at {found}, and not between {} and {sent}",
                self.prefix, self.settled
            ));
        }
        let noted = (found - self.settled) as usize;
        let mine = self.content(client);
        let mut wrong = Vec::new();
        self.replay(reference, 0, noted);
        // A number is noted after its deed: the next deed may be there without its number.
        for count in noted..=(noted + 1).min(self.deeds.len()) {
            self.replay(reference, noted, count);
            let mut differences = mine.differences(&self.content(reference), SAME);
            differences.extend(self.lost_promise(count, kept_until, crashed));
            match self.checked_chances(client, count) {
                Ok(chances) if differences.is_empty() => {
                    self.chances = chances;
                    return Ok(self.settled_at(count, crashed));
                }
                outcome => differences.extend(outcome.err()),
            }
            wrong.push(format!("after {}:\n{}", self.settled + count as u64, differences.join("\n")));
        }
        let deed = |at: usize| self.deeds.get(at).map_or_else(|| "none".to_owned(), shown);
        let last = noted.checked_sub(1).map_or_else(|| "of an earlier round".to_owned(), deed);
        Err(format!(
            "{} is in no state that was ever there: {}\nthe last deed: {last}\nthe next deed: {}",
            self.prefix,
            wrong.join("\n"),
            deed(noted)
        ))
    }

    fn content(&self, client: &mut Client) -> Content {
        let mut content = Content::matching(client, DATABASES, format!("{}*", self.prefix).as_bytes(), SAME);
        let chance = format!("{}chance:", self.prefix);
        let position = self.position();
        // Redis' log forgets consumers without entries, and how often entries were read again.
        let streams = !under_test_is_redis();
        content.retain(|key, described| {
            key != position && !key.starts_with(chance.as_bytes()) && (streams || described.kind != "stream")
        });
        content
    }

    fn replay(&self, reference: &mut Client, from: usize, to: usize) {
        for deed in &self.deeds[from..to] {
            let Deed::Sure(act) = deed else { continue };
            for command in act.commands() {
                reference.command(&command).expect("the reference does not answer");
            }
        }
    }

    /// Checks what only replies tell, after so many deeds; what is known of it then.
    fn checked_chances(&self, client: &mut Client, count: usize) -> Result<Chances, String> {
        let mut chances = self.chances.clone();
        for deed in &self.deeds[..count] {
            if let Deed::Chance(chance, reply) = deed {
                chances.learn(chance, reply.as_ref());
            }
        }
        chances.check(client)?;
        Ok(chances)
    }

    /// What is broken if only so many deeds are there. (A deed that changes nothing is there, too, as it seems.)
    fn lost_promise(&self, count: usize, kept_until: Option<Instant>, crashed: Instant) -> Option<String> {
        let first = *self.answered.get(count)?;
        let (lost, age) = (self.answered.len() - count, crashed.saturating_duration_since(first));
        let is_broken = kept_until.is_some_and(|until| first < until);
        is_broken.then(|| {
            format!("{lost} answered deeds are not there, the first answered {age:?} before the crash")
        })
    }

    fn settled_at(&mut self, count: usize, crashed: Instant) -> Outcome {
        let lost = &self.answered[count.min(self.answered.len())..];
        let lost_age = lost.first().map_or(Duration::ZERO, |at| crashed.saturating_duration_since(*at));
        self.settled += count as u64;
        let outcome = Outcome { there: self.settled, lost: lost.len() as u64, lost_age };
        self.deeds.clear();
        self.answered.clear();
        outcome
    }
}

fn commands(deed: &Deed) -> Vec<Vec<Vec<u8>>> {
    match deed {
        Deed::Sure(act) => act.commands(),
        Deed::Chance(chance, _) => vec![chance.command.clone()],
    }
}

fn shown(deed: &Deed) -> String {
    match deed {
        Deed::Sure(act) => act.to_string(),
        Deed::Chance(chance, _) => crate::oracle::show_command(&chance.command),
    }
}

/// Whether an error says that the server does not do its work.
fn must_not_come(error: &str) -> bool {
    ["MISCONF", "LOADING", "BUSY ", "OOM", "READONLY", "NOAUTH"].iter().any(|code| error.starts_with(code))
}
