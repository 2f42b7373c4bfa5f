//! Commands whose outcome depends on chance or on the time, and what their replies say must be there.

use std::collections::BTreeSet;

use crate::random::Rng;
use crate::resp::{Client, Reply, Value};

/// Entries that the stream keeps.
const STREAM_MAX: usize = 40;
/// Milliseconds after which the counter is gone.
const COUNTER_MS: &str = "2";

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Increment,
    Expire,
    Persist,
    Add,
    Pop,
    Append,
}

/// A command with an outcome of its own.
pub struct Chance {
    kind: Kind,
    /// The arguments.
    pub command: Vec<Vec<u8>>,
}

/// The counter, which may expire at any time once it has a deadline.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    value: i64,
    expires: bool,
}

/// A counter that expires, a set from which any members are taken, and a stream whose ids are the server's times.
/// Each is unknown after a command that was done and whose reply did not come.
#[derive(Clone)]
pub struct Chances {
    counter_key: String,
    set_key: String,
    stream_key: String,
    next: u64,
    counter: Option<Counter>,
    set: Option<BTreeSet<Vec<u8>>>,
    stream: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Chances {
    /// Nothing yet.
    pub fn new(prefix: &str) -> Chances {
        Chances {
            counter_key: format!("{prefix}chance:counter"),
            set_key: format!("{prefix}chance:set"),
            stream_key: format!("{prefix}chance:stream"),
            next: 0,
            counter: Some(Counter::default()),
            set: Some(BTreeSet::new()),
            stream: Some(Vec::new()),
        }
    }

    /// A command to send.
    pub fn next(&mut self, rng: &mut Rng) -> Chance {
        self.next += 1;
        let number = self.next.to_string();
        let most = STREAM_MAX.to_string();
        let (kind, words) = match rng.below(8) {
            0 | 1 => (Kind::Increment, vec!["incr", &self.counter_key]),
            2 => (Kind::Expire, vec!["pexpire", &self.counter_key, COUNTER_MS]),
            3 => (Kind::Persist, vec!["persist", &self.counter_key]),
            4 | 5 => (Kind::Add, vec!["sadd", &self.set_key, &number]),
            6 => (Kind::Pop, vec!["spop", &self.set_key, "2"]),
            _ => (Kind::Append, vec!["xadd", &self.stream_key, "maxlen", "=", &most, "*", "number", &number]),
        };
        Chance { kind, command: words.into_iter().map(|word| word.as_bytes().to_vec()).collect() }
    }

    /// Takes note of what a command has done, as far as its reply tells.
    pub fn learn(&mut self, chance: &Chance, reply: Option<&Reply>) {
        let value = reply.map(|reply| &reply.value);
        match chance.kind {
            Kind::Increment => {
                self.counter = match (self.counter, value) {
                    (Some(old), Some(Value::Int(value))) => {
                        Some(Counter { value: *value, expires: old.expires && *value > 1 })
                    }
                    _ => None,
                }
            }
            Kind::Expire => {
                self.counter = match (self.counter, value) {
                    (Some(old), Some(Value::Int(1))) => Some(Counter { expires: true, ..old }),
                    (Some(_), Some(Value::Int(0))) => Some(Counter::default()),
                    _ => None,
                }
            }
            Kind::Persist => {
                self.counter = match (self.counter, value) {
                    (Some(old), Some(Value::Int(1))) => Some(Counter { expires: false, ..old }),
                    (Some(old), Some(Value::Int(0))) if old.expires => Some(Counter::default()),
                    (old, Some(Value::Int(0))) => old,
                    _ => None,
                }
            }
            Kind::Add => {
                // Whether or not the reply came, the member is there.
                if let Some(set) = &mut self.set {
                    set.extend(chance.command.last().cloned());
                }
            }
            Kind::Pop => match (value.and_then(Value::items), &mut self.set) {
                (Some(popped), Some(set)) => {
                    popped.iter().filter_map(Value::bytes).for_each(|member| {
                        set.remove(member);
                    });
                }
                _ => self.set = None,
            },
            Kind::Append => match (value, &mut self.stream) {
                (Some(Value::Bulk(id)), Some(stream)) => {
                    stream.push((id.clone(), chance.command.last().cloned().unwrap_or_default()));
                    stream.drain(..stream.len().saturating_sub(STREAM_MAX));
                }
                _ => self.stream = None,
            },
        }
    }

    /// Compares with what a server has, and takes over from it what is unknown.
    ///
    /// # Errors
    /// What differs.
    pub fn check(&mut self, client: &mut Client) -> Result<(), String> {
        let reply = client.ask(&format!("GET {}", self.counter_key));
        let found = reply.value.bytes().map_or(0, |text| String::from_utf8_lossy(text).parse().unwrap_or(-1));
        let deadline = client.ask(&format!("PTTL {}", self.counter_key)).value;
        let expires = deadline != Value::Int(-1) && found != 0;
        match self.counter {
            Some(known) if found != known.value && !(known.expires && found == 0) => {
                return Err(format!("{} is {found}, and was {known:?}", self.counter_key));
            }
            Some(known) if expires && !known.expires => {
                return Err(format!("{} expires, and did not", self.counter_key));
            }
            _ => self.counter = Some(Counter { value: found, expires }),
        }
        let members = client.ask(&format!("SMEMBERS {}", self.set_key)).value;
        let members: BTreeSet<Vec<u8>> = members
            .items()
            .unwrap_or_default()
            .iter()
            .filter_map(|m| m.bytes().map(<[u8]>::to_vec))
            .collect();
        if let Some(known) = &self.set
            && *known != members
        {
            let text = |all: &BTreeSet<Vec<u8>>, without: &BTreeSet<Vec<u8>>| {
                all.difference(without).map(|m| m.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
            };
            let (missing, more) = (text(known, &members), text(&members, known));
            return Err(format!("{}: missing {missing}; not to be there {more}", self.set_key));
        }
        self.set = Some(members);
        let entries = client.ask(&format!("XRANGE {} - +", self.stream_key)).value;
        let entries: Vec<(Vec<u8>, Vec<u8>)> = entries
            .items()
            .unwrap_or_default()
            .iter()
            .filter_map(|entry| match entry.items()? {
                [id, fields] => Some((id.bytes()?.to_vec(), fields.items()?.get(1)?.bytes()?.to_vec())),
                _ => None,
            })
            .collect();
        if let Some(known) = &self.stream
            && *known != entries
        {
            let numbers = |entries: &[(Vec<u8>, Vec<u8>)]| {
                entries
                    .iter()
                    .map(|(_, number)| number.escape_ascii().to_string())
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            return Err(format!("{} has {}, and had {}", self.stream_key, numbers(&entries), numbers(known)));
        }
        self.stream = Some(entries);
        Ok(())
    }
}
