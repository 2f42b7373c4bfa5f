//! A set of libraries as it is published: it never changes.

use super::{Function, Library};
use crate::flags::ScriptFlags;
use crate::limits::Limits;
use moonshard_engine::Error;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A function's place in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FunctionId(u32);

impl FunctionId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A function and where it is from.
#[derive(Debug)]
pub(crate) struct Entry {
    hash: u64,
    pub(crate) name: Box<str>,
    pub(crate) flags: ScriptFlags,
    pub(crate) limits: Limits,
    pub(crate) library: Arc<Library>,
}

/// Libraries whose functions are called differently.
#[derive(Debug, Default)]
pub struct LibrarySet {
    generation: u64,
    libraries: BTreeMap<Box<str>, Arc<Library>>,
    functions: Vec<Entry>,
    /// A hash table of positions in `functions`, one above the position; 0 where there is none. A power of two of them,
    /// of which at least half are free.
    slots: Box<[u32]>,
    bytes: usize,
}

/// A hash of a name that does not tell small letters from capital ones.
#[inline]
fn hash_of(name: &[u8]) -> u64 {
    let mut hash = name.len() as u64;
    for &byte in name {
        hash = (hash.rotate_left(5) ^ u64::from(byte | 0x20)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    hash ^ (hash >> 32)
}

impl LibrarySet {
    /// A set of these libraries.
    ///
    /// # Errors
    /// The name of a function that two of them have.
    pub(super) fn new(
        generation: u64,
        libraries: BTreeMap<Box<str>, Arc<Library>>,
    ) -> Result<Self, Box<str>> {
        let count: usize = libraries.values().map(|library| library.functions().len()).sum();
        let mut set = Self {
            generation,
            functions: Vec::with_capacity(count),
            slots: vec![0; (count * 2).next_power_of_two()].into(),
            bytes: libraries.values().map(|library| library.bytes()).sum(),
            libraries: BTreeMap::new(),
        };
        for library in libraries.values() {
            for Function { name, flags, .. } in library.functions() {
                if set.find(name.as_bytes()).is_some() {
                    return Err(name.clone());
                }
                set.push(Entry {
                    hash: hash_of(name.as_bytes()),
                    name: name.clone(),
                    flags: *flags,
                    limits: library.limits(),
                    library: library.clone(),
                });
            }
        }
        set.libraries = libraries;
        Ok(set)
    }

    fn push(&mut self, entry: Entry) {
        let mask = self.slots.len() - 1;
        let mut at = entry.hash as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.functions.push(entry);
        self.slots[at] = self.functions.len() as u32;
    }

    /// Counts the changes before it; a set that was never published has none.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The function that is called so. Constant time, no allocation.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<FunctionId> {
        if self.functions.is_empty() {
            return None;
        }
        let (hash, mask) = (hash_of(name), self.slots.len() - 1);
        let mut at = hash as usize & mask;
        loop {
            let position = self.slots[at].checked_sub(1)?;
            let entry = &self.functions[position as usize];
            if entry.hash == hash && entry.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(FunctionId(position));
            }
            at = (at + 1) & mask;
        }
    }

    /// What [`LibrarySet::find`] found.
    #[inline]
    pub(crate) fn entry(&self, id: FunctionId) -> &Entry {
        &self.functions[id.index()]
    }

    /// All functions; the position is that of the id.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.functions
    }

    /// The flags of the function that is called so.
    #[inline]
    pub fn flags_of(&self, name: &[u8]) -> Option<ScriptFlags> {
        self.find(name).map(|id| self.entry(id).flags)
    }

    /// The library of the function that is called so.
    pub fn library_of(&self, function: &[u8]) -> Option<&Arc<Library>> {
        self.find(function).map(|id| &self.entry(id).library)
    }

    /// The library of this name.
    pub fn library(&self, name: &[u8]) -> Option<&Arc<Library>> {
        self.libraries.get(std::str::from_utf8(name).ok()?)
    }

    /// The libraries, by name.
    pub fn libraries(&self) -> &BTreeMap<Box<str>, Arc<Library>> {
        &self.libraries
    }

    /// How many functions there are.
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// Bytes that the libraries take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The error for a function that another library has already.
pub(super) fn taken(name: &str) -> Error {
    Error::text(format!("ERR Function {name} already exists"))
}
