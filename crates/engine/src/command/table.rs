//! The command table: from a name to its declaration.

use super::{Acl, Command, Handler};
use crate::args::Args;
use crate::commands;
use crate::error::Error;
use std::sync::LazyLock;

/// A command's index in the table, for statistics and permissions.
pub type CommandId = u16;

/// A command in the table.
#[derive(Debug)]
pub struct Entry {
    /// Its declaration.
    pub command: &'static Command,
    /// Its index.
    pub id: CommandId,
    /// `get`, or `client|kill` for a subcommand.
    pub full_name: String,
    /// Ids of a container's commands, in the declaration's order.
    pub subcommands: Vec<CommandId>,
    /// Position of the one key of a command that has exactly one at a fixed place.
    pub single_key: Option<usize>,
    /// Whether it looks into collections, by its categories.
    pub opens_collections: bool,
}

/// The categories of commands on collections.
const COLLECTIONS: Acl =
    Acl::LIST.union(Acl::SET).union(Acl::HASH).union(Acl::SORTEDSET).union(Acl::STREAM).union(Acl::GEO);

/// All commands. See the [module](self).
#[derive(Debug)]
pub struct CommandTable {
    entries: Vec<Entry>,
    /// Ids of the commands that are no subcommands, by the hash of their name; open addressing.
    buckets: Box<[Option<Bucket>]>,
}

/// A place in the table: all that a look-up needs, so that it touches nothing else.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    folded: Folded,
    /// Whether a name with the same [`Folded`] is the same name.
    is_exact: bool,
    id: CommandId,
}

static TABLE: LazyLock<CommandTable> = LazyLock::new(|| CommandTable::new(commands::GROUPS));

impl CommandTable {
    /// The one table of this program.
    #[inline]
    pub fn get() -> &'static Self {
        &TABLE
    }

    fn new(groups: &[&[&'static Command]]) -> Self {
        let mut table = Self { entries: Vec::new(), buckets: Box::default() };
        let mut top = Vec::new();
        for command in groups.iter().copied().flatten() {
            top.push(table.add(command, command.meta.name.to_owned()));
        }
        let mut buckets = vec![None; (top.len() * 4).next_power_of_two()].into_boxed_slice();
        let mask = buckets.len() - 1;
        for id in top {
            let name = table.entries[usize::from(id)].command.meta.name.as_bytes();
            let folded = Folded::of(name);
            let is_exact = name.len() <= FOLDED_LEN_MAX && name.iter().all(u8::is_ascii_alphabetic);
            let mut at = folded.hash() & mask;
            while buckets[at].is_some() {
                at = (at + 1) & mask;
            }
            buckets[at] = Some(Bucket { folded, is_exact, id });
        }
        table.buckets = buckets;
        table
    }

    fn add(&mut self, command: &'static Command, full_name: String) -> CommandId {
        let id = self.entries.len() as CommandId;
        let single_key = command.meta.single_key();
        let opens_collections = command.meta.acl.intersects(COLLECTIONS);
        let subcommands = Vec::new();
        self.entries.push(Entry { command, id, full_name, subcommands, single_key, opens_collections });
        for sub in command.meta.subcommands {
            let full_name = format!("{}|{}", command.meta.name, sub.meta.name);
            let sub = self.add(sub, full_name);
            self.entries[usize::from(id)].subcommands.push(sub);
        }
        id
    }

    /// All commands and subcommands; the position of each is its id.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry with this id.
    pub fn entry(&self, id: CommandId) -> &Entry {
        &self.entries[usize::from(id)]
    }

    /// All commands that are no subcommands.
    pub fn commands(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.full_name.contains('|'))
    }

    /// The command, not a subcommand, of this name in any case.
    #[inline]
    pub fn command(&self, name: &[u8]) -> Option<&Entry> {
        let mask = self.buckets.len() - 1;
        let folded = Folded::of(name);
        let mut at = folded.hash() & mask;
        while let Some(bucket) = &self.buckets[at] {
            if bucket.folded == folded {
                let entry = &self.entries[usize::from(bucket.id)];
                if bucket.is_exact || entry.command.meta.name.as_bytes().eq_ignore_ascii_case(name) {
                    return Some(entry);
                }
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn subcommand(&self, container: &Entry, name: &[u8]) -> Option<&Entry> {
        let of = |id: &CommandId| &self.entries[usize::from(*id)];
        container
            .subcommands
            .iter()
            .map(of)
            .find(|e| e.command.meta.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The command or subcommand of a name such as `get` or `client|kill`, in any case.
    pub fn by_full_name(&self, name: &[u8]) -> Option<&Entry> {
        match name.iter().position(|&b| b == b'|') {
            Some(bar) => self.subcommand(self.command(&name[..bar])?, &name[bar + 1..]),
            None => self.command(name),
        }
    }

    /// The command or subcommand that a request names, whatever the number of its arguments.
    #[inline]
    pub fn find(&self, args: Args<'_>) -> Option<&Entry> {
        let entry = self.command(args.get(0)?)?;
        if !entry.subcommands.is_empty() {
            return match args.get(1) {
                Some(name) => self.subcommand(entry, name),
                None => Some(entry),
            };
        }
        Some(entry)
    }

    /// The command or subcommand of a request with the right number of arguments.
    ///
    /// # Errors
    /// Redis' texts for an unknown command, an unknown subcommand and a wrong number of arguments.
    #[inline]
    pub fn resolve(&self, args: Args<'_>) -> Result<&Entry, Error> {
        let Some(entry) = self.find(args) else { return Err(self.unknown(args)) };
        let container = matches!(entry.command.handler, Handler::Container);
        if container || !entry.command.meta.arity.accepts(args.len()) {
            return Err(Error::wrong_arity(&entry.full_name));
        }
        Ok(entry)
    }

    #[cold]
    fn unknown(&self, args: Args<'_>) -> Error {
        const QUOTED_LEN_MAX: usize = 128;
        let name = args.get(0).unwrap_or_default();
        let mut line = b"ERR unknown ".to_vec();
        if self.command(name).is_some() {
            line.extend_from_slice(b"subcommand '");
            line.extend_from_slice(c_string(args.get(1).unwrap_or_default(), QUOTED_LEN_MAX));
            line.extend_from_slice(b"'. Try ");
            line.extend(name.to_ascii_uppercase());
            line.extend_from_slice(b" HELP.");
            return Error::bytes(line);
        }
        line.extend_from_slice(b"command '");
        line.extend_from_slice(c_string(name, QUOTED_LEN_MAX));
        line.extend_from_slice(b"', with args beginning with: ");
        let start = line.len();
        for argument in args.iter().skip(1) {
            let quoted = line.len() - start;
            if quoted >= QUOTED_LEN_MAX {
                break;
            }
            line.push(b'\'');
            line.extend_from_slice(c_string(argument, QUOTED_LEN_MAX - quoted));
            line.extend_from_slice(b"' ");
        }
        Error::bytes(line)
    }
}

/// What C's `%.*s` prints of `bytes`.
fn c_string(bytes: &[u8], len_max: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(len_max)];
    bytes.split(|&b| b == 0).next().unwrap_or_default()
}

/// A name without regard to case, as three words that tell names of up to [`FOLDED_LEN_MAX`] letters apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Folded {
    head: u64,
    tail: u64,
    len: usize,
}

/// The longest name of which [`Folded`] holds every byte.
const FOLDED_LEN_MAX: usize = 16;
/// Makes letters lowercase; it changes other bytes too, but never turns one into a letter of the wrong name.
const LOWERCASE: u64 = 0x2020_2020_2020_2020;

impl Folded {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let (head, tail) = match name.len() {
            len @ 8.. => (word(&name[..8]), word(&name[len - 8..])),
            len @ 4.. => (half_word(&name[..4]), half_word(&name[len - 4..])),
            len @ 1.. => (u64::from(name[0]), u64::from(name[len / 2]) << 8 | u64::from(name[len - 1])),
            0 => (0, 0),
        };
        Self { head: head | LOWERCASE, tail: tail | LOWERCASE, len: name.len() }
    }

    #[inline]
    const fn hash(self) -> usize {
        let mixed =
            (self.head ^ self.tail.rotate_left(29) ^ self.len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 40) as usize
    }
}

fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn half_word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_in_any_case_and_nothing_else() {
        let table = CommandTable::get();
        for entry in table.commands() {
            let name = entry.command.meta.name;
            let found = |name: &str| table.command(name.as_bytes()).map(|entry| entry.id);
            assert_eq!(found(name), Some(entry.id));
            assert_eq!(found(&name.to_uppercase()), Some(entry.id));
            assert_ne!(found(&format!("{name}x")), Some(entry.id));
            assert_ne!(found(&name[1..]), Some(entry.id));
            // Bytes that only differ from the right ones in the bit that makes letters lowercase.
            for at in 0..name.len() {
                let mut other = name.as_bytes().to_vec();
                other[at] ^= 0x20;
                let same = other.eq_ignore_ascii_case(name.as_bytes());
                assert_eq!(table.command(&other).is_some_and(|found| found.id == entry.id), same);
            }
        }
    }
}
