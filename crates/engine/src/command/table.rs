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
    /// The names of the commands that are no subcommands.
    names: Vec<Name>,
    /// For each hash of a name its position in `names`, or [`NOBODY`]. No two names have the same hash.
    homes: Box<[u16]>,
    /// What makes it so.
    multiplier: u64,
}

/// A name and whose it is.
#[derive(Clone, Copy, Debug)]
struct Name {
    folded: Folded,
    /// Whether a name with the same [`Folded`] is the same name.
    is_exact: bool,
    id: CommandId,
}

/// The position of no name.
const NOBODY: u16 = u16::MAX;
/// The hashes of names are below this power of two: so many that a multiplier for which all differ is soon found.
const HASH_BITS: u32 = 14;

static TABLE: LazyLock<CommandTable> = LazyLock::new(|| CommandTable::new(commands::GROUPS));

impl CommandTable {
    /// The one table of this program.
    #[inline]
    pub fn get() -> &'static Self {
        &TABLE
    }

    fn new(groups: &[&[&'static Command]]) -> Self {
        let (entries, names, homes) = (Vec::new(), Vec::new(), Box::default());
        let mut table = Self { entries, names, homes, multiplier: 1 };
        for command in groups.iter().copied().flatten() {
            let name = command.meta.name.as_bytes();
            let is_exact = name.len() <= FOLDED_LEN_MAX && name.iter().all(u8::is_ascii_alphabetic);
            let id = table.add(command, command.meta.name.to_owned());
            table.names.push(Name { folded: Folded::of(name), is_exact, id });
        }
        while !table.find_homes() {
            table.multiplier = table.multiplier.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(2);
        }
        table
    }

    /// Gives each name its home; false if two have the same one with this multiplier.
    fn find_homes(&mut self) -> bool {
        let mut homes = vec![NOBODY; 1 << HASH_BITS];
        for (position, name) in self.names.iter().enumerate() {
            let home = &mut homes[name.folded.hash(self.multiplier)];
            if let Some(other) = self.names.get(usize::from(*home)) {
                assert!(other.folded != name.folded, "two commands' names cannot be told apart");
                return false;
            }
            *home = position as u16;
        }
        self.homes = homes.into();
        true
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
    #[inline(always)]
    pub fn command(&self, name: &[u8]) -> Option<&Entry> {
        let folded = Folded::of(name);
        let home = *self.homes.get(folded.hash(self.multiplier))?;
        let known = self.names.get(usize::from(home))?;
        if known.folded != folded {
            return None;
        }
        let entry = &self.entries[usize::from(known.id)];
        (known.is_exact || entry.command.meta.name.as_bytes().eq_ignore_ascii_case(name)).then_some(entry)
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
    #[inline(always)]
    pub fn find(&self, args: Args<'_>) -> Option<&Entry> {
        let entry = self.command(args.get(0)?)?;
        if entry.subcommands.is_empty() { Some(entry) } else { self.find_in(entry, args) }
    }

    #[inline(never)]
    fn find_in<'t>(&'t self, container: &'t Entry, args: Args<'_>) -> Option<&'t Entry> {
        match args.get(1) {
            Some(name) => self.subcommand(container, name),
            None => Some(container),
        }
    }

    /// The command or subcommand of a request, if it can be called with so many arguments.
    #[inline(always)]
    pub fn callable(&self, args: Args<'_>) -> Option<&Entry> {
        let entry = self.find(args)?;
        let command = entry.command;
        let callable =
            command.meta.arity.accepts(args.len()) && !matches!(command.handler, Handler::Container);
        callable.then_some(entry)
    }

    /// The command or subcommand of a request with the right number of arguments.
    ///
    /// # Errors
    /// Redis' texts for an unknown command, an unknown subcommand and a wrong number of arguments.
    pub fn resolve(&self, args: Args<'_>) -> Result<&Entry, Error> {
        self.callable(args).ok_or_else(|| self.not_callable(args))
    }

    #[cold]
    fn not_callable(&self, args: Args<'_>) -> Error {
        match self.find(args) {
            Some(entry) => Error::wrong_arity(&entry.full_name),
            None => self.unknown(args),
        }
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
    const fn hash(self, multiplier: u64) -> usize {
        let mixed = (self.head ^ self.tail.rotate_left(29) ^ self.len as u64).wrapping_mul(multiplier);
        (mixed >> (u64::BITS - HASH_BITS)) as usize
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
