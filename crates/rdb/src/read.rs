//! Reads values of every encoding.

mod build;
mod intset;
mod listpack;
mod stream;
mod ziplist;
mod zipmap;

use crate::error::Error;
use crate::float::score_of;
use crate::format::{NODE_PACKED, NODE_PLAIN, ValueType};
use crate::reader::{Reader, Source};
use build::{HashBuilder, Pairs, SetBuilder, SortedSetBuilder};
use moonshard_store::{
    Collection, Element, End, HashLimits, List, ListLimits, Seed, SetLimits, SortedSetLimits, Value,
};

/// How collections are built.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When hashes leave their packed form.
    pub hash: HashLimits,
    /// How lists are packed.
    pub list: ListLimits,
    /// When sets leave their packed forms.
    pub set: SetLimits,
    /// When sorted sets leave their packed form.
    pub sorted_set: SortedSetLimits,
    /// The seed of all hash tables.
    pub seed: Seed,
}

/// Deadlines are kept as Redis keeps them, in 48 bits.
const DEADLINE_MAX: u64 = (1 << 48) - 2;
const DEADLINE: Error = Error::Corrupt("a deadline that is none");
const DUPLICATE: Error = Error::Corrupt("the same element twice");

/// Takes one element of a packed form after the other.
type Visit<'v, 'a> = &'v mut dyn FnMut(Element<'a>) -> Result<(), Error>;

/// A walk over a packed form, which checks it.
type Walk = for<'a> fn(&'a [u8], Visit<'_, 'a>) -> Result<(), Error>;

impl<S: Source> Reader<S> {
    /// Reads a value of this type. O(n), O(n log n) for sorted sets.
    ///
    /// # Errors
    /// For all that Redis with `sanitize-dump-payload yes` refuses, and [`Error::UnknownType`] for modules' values.
    pub fn value(&mut self, value_type: ValueType, limits: &Limits) -> Result<Value, Error> {
        let collection = match value_type {
            ValueType::String => return self.string().map(|bytes| Value::String(bytes.to_vec())),
            ValueType::List => self.list(limits)?,
            ValueType::ListZiplist => self.packed_list(ziplist::visit, limits)?,
            ValueType::ListQuicklist => self.list_of_ziplists(limits)?,
            ValueType::ListQuicklist2 => self.list_of_listpacks(limits)?,
            ValueType::Set => self.set(limits)?,
            ValueType::SetIntset => self.packed_set(intset::visit, limits)?,
            ValueType::SetListpack => self.packed_set(listpack::visit, limits)?,
            ValueType::SortedSetText => self.sorted_set(Self::f64_text, limits)?,
            ValueType::SortedSet => self.sorted_set(Self::f64, limits)?,
            ValueType::SortedSetZiplist => self.packed_sorted_set(ziplist::visit, limits)?,
            ValueType::SortedSetListpack => self.packed_sorted_set(listpack::visit, limits)?,
            ValueType::Hash => self.hash(limits)?,
            ValueType::HashZipmap => self.packed_hash(zipmap::visit, limits, false)?,
            ValueType::HashZiplist => self.packed_hash(ziplist::visit, limits, true)?,
            ValueType::HashListpack => self.packed_hash(listpack::visit, limits, true)?,
            ValueType::HashExpiringEarly => self.expiring_hash(limits, None)?,
            ValueType::HashExpiring => {
                let earliest = self.u64()?;
                self.expiring_hash(limits, Some(earliest))?
            }
            ValueType::HashListpackExpiringEarly => self.expiring_listpack(limits)?,
            ValueType::HashListpackExpiring => {
                // The earliest deadline of all, which the elements tell as well.
                self.u64()?;
                self.expiring_listpack(limits)?
            }
            ValueType::Stream1 | ValueType::Stream2 | ValueType::Stream3 => {
                return self.stream(value_type).map(Value::Collection);
            }
        };
        if collection.is_empty() { Err(Error::EmptyKey) } else { Ok(Value::Collection(collection)) }
    }

    fn list(&mut self, limits: &Limits) -> Result<Collection, Error> {
        let mut list = List::new();
        for _ in 0..self.length()? {
            list.push_element(End::Back, Element::Bytes(self.string()?), limits.list);
        }
        Ok(Collection::List(list))
    }

    fn packed_list(&mut self, walk: Walk, limits: &Limits) -> Result<Collection, Error> {
        let mut list = List::new();
        push_all(&mut list, self.string()?, walk, limits)?;
        Ok(Collection::List(list))
    }

    fn list_of_ziplists(&mut self, limits: &Limits) -> Result<Collection, Error> {
        let mut list = List::new();
        for _ in 0..self.length()? {
            push_all(&mut list, self.string()?, ziplist::visit, limits)?;
        }
        Ok(Collection::List(list))
    }

    fn list_of_listpacks(&mut self, limits: &Limits) -> Result<Collection, Error> {
        let mut list = List::new();
        for _ in 0..self.length()? {
            match self.length()? {
                NODE_PACKED => push_all(&mut list, self.string()?, listpack::visit, limits)?,
                NODE_PLAIN => {
                    let bytes = self.string()?;
                    if bytes.is_empty() {
                        return Err(Error::Corrupt("a list's node without an element"));
                    }
                    list.push_element(End::Back, Element::Bytes(bytes), limits.list);
                }
                _ => return Err(Error::Corrupt("a list's node of no known kind")),
            }
        }
        Ok(Collection::List(list))
    }

    fn set(&mut self, limits: &Limits) -> Result<Collection, Error> {
        let mut set = SetBuilder::new(limits);
        for _ in 0..self.length()? {
            set.add(Element::Bytes(self.string()?))?;
        }
        Ok(set.finish())
    }

    fn packed_set(&mut self, walk: Walk, limits: &Limits) -> Result<Collection, Error> {
        let mut set = SetBuilder::new(limits);
        walk(self.string()?, &mut |member| set.add(member))?;
        Ok(set.finish())
    }

    fn sorted_set(
        &mut self,
        score: fn(&mut Self) -> Result<f64, Error>,
        limits: &Limits,
    ) -> Result<Collection, Error> {
        let mut set = SortedSetBuilder::new(limits, false);
        let mut member = Vec::new();
        for _ in 0..self.length()? {
            member.clear();
            member.extend_from_slice(self.string()?);
            set.add(&member, score(self)?)?;
        }
        Ok(set.finish())
    }

    fn packed_sorted_set(&mut self, walk: Walk, limits: &Limits) -> Result<Collection, Error> {
        let mut set = SortedSetBuilder::new(limits, true);
        let mut pairs = Pairs::default();
        walk(self.string()?, &mut |element| {
            pairs.next(element).map_or(Ok(()), |(member, score)| {
                let score = score_of(score).ok_or(Error::Corrupt("a score that is no number"))?;
                set.add_element(member, score)
            })
        })?;
        pairs.finish()?;
        Ok(set.finish())
    }

    fn hash(&mut self, limits: &Limits) -> Result<Collection, Error> {
        let mut hash = HashBuilder::new(limits, false);
        let mut field = Vec::new();
        for _ in 0..self.length()? {
            field.clear();
            field.extend_from_slice(self.string()?);
            hash.add(Element::Bytes(&field), Element::Bytes(self.string()?))?;
        }
        hash.finish()
    }

    /// A hash in a packed form; one that `stays` so is not unpacked for the length of what is in it.
    fn packed_hash(&mut self, walk: Walk, limits: &Limits, stays: bool) -> Result<Collection, Error> {
        let mut hash = HashBuilder::new(limits, stays);
        let mut pairs = Pairs::default();
        walk(self.string()?, &mut |element| {
            pairs.next(element).map_or(Ok(()), |(field, value)| hash.add(field, value))
        })?;
        pairs.finish()?;
        hash.finish()
    }

    /// A hash with a deadline before each field, counted from one before `earliest` if there is such.
    fn expiring_hash(&mut self, limits: &Limits, earliest: Option<u64>) -> Result<Collection, Error> {
        let mut hash = HashBuilder::new(limits, false);
        let (mut deadlines, mut field) = (Vec::new(), Vec::new());
        for _ in 0..self.length()? {
            let deadline = match (self.length()?, earliest) {
                (0, _) => None,
                (at, None) => Some(at),
                (after, Some(earliest)) => Some((after - 1).checked_add(earliest).ok_or(DEADLINE)?),
            };
            field.clear();
            field.extend_from_slice(self.string()?);
            hash.add(Element::Bytes(&field), Element::Bytes(self.string()?))?;
            if let Some(at) = deadline {
                deadlines.push((field.clone(), at));
            }
        }
        hash.finish_expiring(&deadlines)
    }

    /// A listpack of fields, values and deadlines by turns.
    fn expiring_listpack(&mut self, limits: &Limits) -> Result<Collection, Error> {
        let mut hash = HashBuilder::new(limits, true);
        let (mut deadlines, mut pairs, mut pair) = (Vec::new(), Pairs::default(), None);
        listpack::visit(self.string()?, &mut |element| {
            let Some((field, value)) = pair.take() else {
                pair = pairs.next(element);
                return Ok(());
            };
            hash.add(field, value)?;
            match element.as_int().map(u64::try_from) {
                Some(Ok(0)) => {}
                Some(Ok(at)) => deadlines.push((field.to_vec(), at)),
                _ => return Err(DEADLINE),
            }
            Ok(())
        })?;
        pairs.finish()?;
        if pair.is_some() {
            return Err(DEADLINE);
        }
        hash.finish_expiring(&deadlines)
    }
}

fn push_all(list: &mut List, packed: &[u8], walk: Walk, limits: &Limits) -> Result<(), Error> {
    walk(packed, &mut |element| {
        list.push_element(End::Back, element, limits.list);
        Ok(())
    })
}

#[cfg(test)]
pub(crate) use ziplist::tests::ziplist as ziplist_of;
