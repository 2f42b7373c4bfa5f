//! Writes values.

mod stream;

use crate::float::push_score;
use crate::format::{COUNT_UNKNOWN, LISTPACK_HEADER, NODE_PACKED, NODE_PLAIN, PACKED_END, ValueType};
use crate::writer::Writer;
use moonshard_store::{Collection, Element, Hash, IntSet, List, ListNode, Packed, Set, SortedSet, ValueRef};

/// Redis keeps longer elements of lists outside of listpacks, which cannot hold them.
const PACKED_ELEMENT_MAX: usize = (1 << 30) - 1;

impl Writer {
    /// Writes a value's type.
    pub fn value_type(&mut self, value: ValueRef<'_>) {
        self.byte(type_of(value) as u8);
    }

    /// Writes a value, without its type. O(n).
    pub fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::String(bytes) => self.string(bytes),
            ValueRef::Collection(Collection::List(list)) => self.list(list),
            ValueRef::Collection(Collection::Set(set)) => self.set(set),
            ValueRef::Collection(Collection::Hash(hash)) => self.hash(hash),
            ValueRef::Collection(Collection::SortedSet(set)) => self.sorted_set(set),
            ValueRef::Collection(Collection::Stream(stream)) => self.stream(stream),
        }
    }

    fn list(&mut self, list: &List) {
        self.length(list.node_count() as u64);
        for node in list.nodes() {
            match node {
                ListNode::Packed(packed) => {
                    self.length(NODE_PACKED);
                    self.listpack(packed);
                }
                ListNode::Plain(bytes) if bytes.len() > PACKED_ELEMENT_MAX => {
                    self.length(NODE_PLAIN);
                    self.length(bytes.len() as u64);
                    self.raw(bytes);
                }
                ListNode::Plain(bytes) => {
                    let mut packed = Packed::new();
                    packed.push_back(bytes);
                    self.length(NODE_PACKED);
                    self.listpack(&packed);
                }
            }
        }
    }

    fn set(&mut self, set: &Set) {
        if let Some(ints) = set.ints() {
            return self.intset(ints);
        }
        self.length(set.len() as u64);
        set.iter().for_each(|member| self.element(member));
    }

    fn hash(&mut self, hash: &Hash) {
        if let Some(earliest) = hash.earliest_deadline() {
            return self.expiring_hash(hash, earliest);
        }
        if let Some(packed) = hash.packed() {
            return self.listpack(packed);
        }
        self.length(hash.len() as u64);
        for (field, value) in hash.iter() {
            self.element(field);
            self.element(value);
        }
    }

    fn expiring_hash(&mut self, hash: &Hash, earliest: u64) {
        self.u64(earliest);
        self.length(hash.len() as u64);
        for (field, value, deadline) in hash.iter_with_deadlines() {
            // From the earliest on, one up, as 0 says that there is none.
            self.length(deadline.map_or(0, |deadline| deadline - earliest + 1));
            self.element(field);
            self.element(value);
        }
    }

    fn sorted_set(&mut self, set: &SortedSet) {
        if !set.is_small() {
            self.length(set.len() as u64);
            // From the highest score down, so that each one goes in front of those before.
            for (member, score) in set.iter_ranks(0..set.len(), true) {
                self.string(member);
                self.f64(score);
            }
            return;
        }
        let (mut packed, mut text) = (Packed::new(), Vec::new());
        for (member, score) in set.iter() {
            packed.push_back_element(Element::Bytes(member));
            push_score(&mut packed, score, &mut text);
        }
        self.listpack(&packed);
    }

    /// Writes a packed sequence as a listpack within a string.
    pub(crate) fn listpack(&mut self, packed: &Packed) {
        let elements = packed.raw();
        let mut blob = std::mem::take(&mut self.blob);
        blob.clear();
        let size = LISTPACK_HEADER + elements.len() + 1;
        blob.extend_from_slice(&(size as u32).to_le_bytes());
        blob.extend_from_slice(&u16::try_from(packed.len()).unwrap_or(COUNT_UNKNOWN).to_le_bytes());
        blob.extend_from_slice(elements);
        blob.push(PACKED_END);
        self.string(&blob);
        self.blob = blob;
    }

    fn intset(&mut self, ints: &IntSet) {
        let mut blob = std::mem::take(&mut self.blob);
        blob.clear();
        let width = ints.width();
        blob.extend_from_slice(&(width as u32).to_le_bytes());
        blob.extend_from_slice(&(ints.len() as u32).to_le_bytes());
        ints.iter().for_each(|value| blob.extend_from_slice(&value.to_le_bytes()[..width]));
        self.string(&blob);
        self.blob = blob;
    }
}

/// The type as which a value is written. O(1).
pub(crate) fn type_of(value: ValueRef<'_>) -> ValueType {
    match value {
        ValueRef::String(_) => ValueType::String,
        ValueRef::Collection(Collection::List(_)) => ValueType::ListQuicklist2,
        ValueRef::Collection(Collection::Set(set)) if set.ints().is_some() => ValueType::SetIntset,
        ValueRef::Collection(Collection::Set(_)) => ValueType::Set,
        ValueRef::Collection(Collection::Hash(hash)) if hash.expiring_len() > 0 => ValueType::HashExpiring,
        ValueRef::Collection(Collection::Hash(hash)) if hash.packed().is_some() => ValueType::HashListpack,
        ValueRef::Collection(Collection::Hash(_)) => ValueType::Hash,
        ValueRef::Collection(Collection::SortedSet(set)) if set.is_small() => ValueType::SortedSetListpack,
        ValueRef::Collection(Collection::SortedSet(_)) => ValueType::SortedSet,
        ValueRef::Collection(Collection::Stream(_)) => ValueType::Stream2,
    }
}
