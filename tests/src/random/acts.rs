//! Commands by themselves, in transactions and in scripts.

use std::fmt;

use super::{Generator, Step};
use crate::oracle::{Compare, Mismatch, Pair};
use crate::resp::Client;
use crate::server::Server;

/// Runs the commands that ARGV tells, each behind the number of its words, and returns their replies.
const RUN_ALL: &str = "local at, replies = 1, {}
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  replies[#replies + 1] = redis.pcall(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
return replies";

/// Copies a value as DUMP and RESTORE see it.
const RESTORE: &str = "local value = redis.call('dump', KEYS[1])
return value and redis.call('restore', KEYS[2], ARGV[1], value, 'replace', 'absttl')";

/// Something that a client does.
#[derive(Clone, Debug)]
pub enum Act {
    /// One command.
    One(Step),
    /// WATCH of these keys, if any, and the commands between MULTI and EXEC (or DISCARD).
    Transaction {
        /// Keys to watch; the first of them is changed before EXEC if `touches`.
        watched: Vec<Vec<u8>>,
        /// Whether a watched key is changed.
        touches: bool,
        /// What is queued.
        steps: Vec<Step>,
        /// DISCARD rather than EXEC.
        discarded: bool,
    },
    /// One script that runs the commands. Its first key tells the slot.
    Script(Vec<u8>, Vec<Step>),
}

impl Act {
    /// The commands it consists of.
    pub fn steps(&self) -> &[Step] {
        match self {
            Act::One(step) => std::slice::from_ref(step),
            Act::Transaction { steps, .. } | Act::Script(_, steps) => steps,
        }
    }

    /// The same with its commands changed.
    pub fn with_steps(&self, change: impl FnOnce(&mut Vec<Step>)) -> Act {
        let mut act = self.clone();
        match &mut act {
            Act::One(_) => {}
            Act::Transaction { steps, .. } | Act::Script(_, steps) => change(steps),
        }
        act
    }

    /// What a client sends for it; each command has one reply. Nothing of WATCH and DISCARD.
    pub fn commands(&self) -> Vec<Vec<Vec<u8>>> {
        match self {
            Act::One(step) => vec![step.command.clone()],
            Act::Script(key, steps) => vec![script_of(key, steps)],
            Act::Transaction { steps, .. } => {
                let word = |word: &str| vec![word.as_bytes().to_vec()];
                let queued = steps.iter().map(|step| step.command.clone());
                std::iter::once(word("multi")).chain(queued).chain([word("exec")]).collect()
            }
        }
    }

    fn check(&self, pair: &mut Pair) -> Result<(), Mismatch> {
        match self {
            Act::One(step) => pair.check(&step.command, &step.compare.clone().into()),
            Act::Script(key, steps) => pair.check(&script_of(key, steps), &each(steps).into()),
            Act::Transaction { watched, touches, steps, discarded } => {
                let exact = || Compare::Exact.into();
                if !watched.is_empty() {
                    let words: Vec<&[u8]> =
                        [&b"watch"[..]].into_iter().chain(watched.iter().map(Vec::as_slice)).collect();
                    pair.check(&words, &exact())?;
                    if *touches {
                        pair.check(&[&b"del"[..], &watched[0]], &exact())?;
                    }
                }
                pair.check(&["multi"], &exact())?;
                for step in steps {
                    pair.check(&step.command, &exact())?;
                }
                if *discarded {
                    return pair.check(&["discard"], &exact());
                }
                pair.check(&["exec"], &each(steps).into())
            }
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (begin, end) = match self {
            Act::One(step) => return step.fmt(f),
            Act::Transaction { watched, touches, discarded, .. } => {
                if !watched.is_empty() {
                    let words: Vec<_> = watched.iter().map(|key| key.escape_ascii().to_string()).collect();
                    write!(f, "watch {}\n  ", words.join(" "))?;
                    if *touches {
                        write!(f, "del {}\n  ", words[0])?;
                    }
                }
                ("multi", if *discarded { "discard" } else { "exec" })
            }
            Act::Script(..) => ("eval {", "}"),
        };
        f.write_str(begin)?;
        for step in self.steps() {
            write!(f, "\n    {step}")?;
        }
        write!(f, "\n  {end}")
    }
}

/// The call of a script that runs the commands.
pub fn script_of(key: &[u8], steps: &[Step]) -> Vec<Vec<u8>> {
    let mut words = vec![b"eval".to_vec(), RUN_ALL.as_bytes().to_vec(), b"1".to_vec(), key.to_vec()];
    for step in steps {
        words.push(step.command.len().to_string().into_bytes());
        words.extend_from_slice(&step.command);
    }
    words
}

/// How the replies of commands that came together are compared.
fn each(steps: &[Step]) -> Compare {
    let compares = steps.iter().map(|step| match step.compare {
        // Nobody follows the cursor here, and which keys are behind the first one is each server's own.
        Compare::FullScan if step.command[0] == b"scan" => Compare::TypeOnly,
        Compare::FullScan => Compare::Deep,
        ref other => other.clone(),
    });
    Compare::Each(compares.collect())
}

/// What looks at more keys than those of a script's slot, or waits for one.
fn fits_script(step: &Step) -> bool {
    let name = step.command[0].as_slice();
    let blocks = name.starts_with(b"b") && !name.starts_with(b"bit");
    !blocks && !["swapdb", "dbsize", "keys", "scan"].iter().any(|other| other.as_bytes() == name)
}

impl Generator {
    /// So many acts, with a look at all keys after every 500 of them and at the end.
    pub fn acts(&mut self, len: usize) -> Vec<Act> {
        let mut acts = Vec::with_capacity(len + len / 10);
        for i in 1..=len {
            let act = self.act();
            acts.push(act);
            if i % 500 == 0 || i == len {
                let mut looks = Vec::new();
                self.inspect(&mut looks);
                acts.extend(looks.into_iter().map(Act::One));
            }
        }
        acts
    }

    fn act(&mut self) -> Act {
        let one_slot = self.one_slot;
        match self.rng.below(24) {
            0 | 1 => {
                let count = self.rng.below(3);
                let watched = (0..count).map(|_| self.any_key()).collect();
                let touches = self.rng.one_in(3);
                let steps = (0..=self.rng.below(6)).map(|_| self.step()).collect();
                Act::Transaction { watched, touches, steps, discarded: self.rng.one_in(10) }
            }
            2 | 3 if one_slot => {
                let key = self.any_key();
                let steps = (0..=self.rng.below(6)).map(|_| self.plain_step()).filter(fits_script);
                Act::Script(key, steps.collect())
            }
            4 if one_slot => {
                let words = [&b"eval"[..], RESTORE.as_bytes(), b"2", &self.any_key(), &self.any_key(), b"0"];
                let command = words.iter().map(|word| word.to_vec()).collect();
                Act::One(Step { command, compare: Compare::Exact })
            }
            _ => Act::One(self.step()),
        }
    }

    /// Something that happens whole or not at all, and whose outcome depends on this generator's keys alone: a command,
    /// a transaction, or a script, over keys of any slots.
    pub fn whole(&mut self) -> Act {
        let key = self.any_key();
        let count = 1 + self.rng.below(6);
        let mut steps = std::iter::repeat_with(|| self.plain_step()).filter(|step| {
            let name = step.command[0].as_slice();
            !["swapdb", "dbsize", "keys", "scan"].iter().any(|other| other.as_bytes() == name)
        });
        let mut take = |count| steps.by_ref().take(count).collect::<Vec<_>>();
        let act = take(count);
        match self.rng.below(6) {
            0 => Act::Transaction { watched: Vec::new(), touches: false, steps: act, discarded: false },
            1 => Act::Script(key, act.into_iter().filter(fits_script).collect()),
            _ => Act::One(act.into_iter().next().expect("at least one")),
        }
    }

    /// So many commands, among them such as depend on time and chance, and such as set deadlines of hashes' fields if
    /// `deadlines`.
    pub fn unrepeatable(&mut self, len: usize, deadlines: bool) -> Vec<Step> {
        let all = std::iter::repeat_with(|| self.any_step(deadlines));
        all.filter(|step| fits_script(step) || step.command[0] == b"swapdb").take(len).collect()
    }

    /// So many commands that wait a moment for keys.
    pub fn waiting(&mut self, len: usize) -> Vec<Step> {
        let all = std::iter::repeat_with(|| self.plain_step());
        all.filter(|step| !fits_script(step) && step.command[0].starts_with(b"b")).take(len).collect()
    }

    /// So many commands that do the same wherever they run: by themselves, in a script, in a transaction.
    pub fn repeatable(&mut self, len: usize) -> Vec<Step> {
        let mut steps = Vec::with_capacity(len);
        while steps.len() < len {
            let step = self.plain_step();
            // Without a time of its own, an entry gets the server's.
            if fits_script(&step) || step.command[0] == b"swapdb" {
                steps.push(step);
            }
        }
        steps
    }
}

/// Runs a stream against both servers, from empty; the first act that differs.
pub fn run(ours: &Server, theirs: &Server, protocol: u8, acts: &[Act]) -> Option<(usize, Mismatch)> {
    let mut pair = Pair::connect(ours, theirs, protocol);
    pair.both(&["FLUSHALL"]);
    acts.iter().enumerate().find_map(|(i, act)| act.check(&mut pair).err().map(|mismatch| (i, mismatch)))
}

/// How a sequence of commands is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each by itself.
    Client,
    /// So many at a time in a script.
    Script(usize),
    /// So many at a time in a transaction.
    Transaction(usize),
}

/// The digest of all keys after these commands have run on an empty server.
///
/// # Panics
/// When the server does not answer.
pub fn keyspace_after(server: &Server, way: Way, steps: &[Step]) -> String {
    let mut client = server.connect();
    client.ask("FLUSHALL");
    run_in_way(&mut client, way, steps);
    client.ask("DEBUG DIGEST").text()
}

/// Runs commands in a way.
///
/// # Panics
/// When the server does not answer.
pub fn run_in_way(client: &mut Client, way: Way, steps: &[Step]) {
    let ask = |client: &mut Client, command: &[Vec<u8>]| {
        client
            .command(command)
            .unwrap_or_else(|e| panic!("no reply to {}: {e}", crate::oracle::show_command(command)))
    };
    match way {
        Way::Client => steps.iter().for_each(|step| drop(ask(client, &step.command))),
        Way::Script(at_once) => {
            for chunk in steps.chunks(at_once) {
                let reply = ask(client, &script_of(b"s0", chunk));
                assert!(reply.error().is_none(), "{}", reply.text());
            }
        }
        Way::Transaction(at_once) => {
            for chunk in steps.chunks(at_once) {
                client.ask("MULTI");
                for step in chunk {
                    let reply = ask(client, &step.command);
                    assert_eq!(reply.text(), "+QUEUED\r\n", "{step}");
                }
                let reply = client.ask("EXEC");
                assert!(reply.error().is_none(), "{}", reply.text());
            }
        }
    }
}
