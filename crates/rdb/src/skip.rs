//! Passes over values without building them: only lengths are looked at.

use crate::error::Error;
use crate::format::{ENCODED_I8, ENCODED_I16, ENCODED_I32, ENCODED_LZF, NODE_PACKED, NODE_PLAIN, ValueType};
use crate::reader::{Head, Reader, Source};

impl<S: Source> Reader<S> {
    /// Passes over a value of this type. What is wrong inside of it is found by [`Reader::value`]; it ends where that
    /// ends. O(1) for strings and packed forms, else O(elements).
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it cannot be told how long the value is, and as [`Source::take`].
    pub fn skip(&mut self, value_type: ValueType) -> Result<(), Error> {
        match value_type {
            ValueType::String
            | ValueType::ListZiplist
            | ValueType::SetIntset
            | ValueType::SetListpack
            | ValueType::SortedSetZiplist
            | ValueType::SortedSetListpack
            | ValueType::HashZipmap
            | ValueType::HashZiplist
            | ValueType::HashListpack
            | ValueType::HashListpackExpiringEarly => self.skip_string(),
            ValueType::HashListpackExpiring => {
                self.bytes(8)?;
                self.skip_string()
            }
            ValueType::List | ValueType::ListQuicklist | ValueType::Set => self.skip_each(Self::skip_string),
            ValueType::ListQuicklist2 => self.skip_each(|reader| match reader.length()? {
                NODE_PLAIN | NODE_PACKED => reader.skip_string(),
                _ => Err(Error::Corrupt("a list's node of no known kind")),
            }),
            ValueType::SortedSetText => self.skip_each(|reader| {
                reader.skip_string()?;
                reader.f64_text().map(drop)
            }),
            ValueType::SortedSet => self.skip_each(|reader| {
                reader.skip_string()?;
                reader.bytes(8).map(drop)
            }),
            ValueType::Hash => self.skip_each(|reader| {
                reader.skip_string()?;
                reader.skip_string()
            }),
            ValueType::HashExpiringEarly => self.skip_expiring_hash(),
            ValueType::HashExpiring => {
                self.bytes(8)?;
                self.skip_expiring_hash()
            }
            ValueType::Stream1 | ValueType::Stream2 | ValueType::Stream3 => self.skip_stream(value_type),
        }
    }

    /// Passes over a string, whatever its encoding.
    ///
    /// # Errors
    /// As [`Reader::skip`].
    pub fn skip_string(&mut self) -> Result<(), Error> {
        let len = match self.head()? {
            Head::Len(len) => len,
            Head::Encoded(ENCODED_I8) => 1,
            Head::Encoded(ENCODED_I16) => 2,
            Head::Encoded(ENCODED_I32) => 4,
            Head::Encoded(ENCODED_LZF) => {
                let packed = self.length()?;
                self.length()?;
                packed
            }
            Head::Encoded(_) => return Err(Error::Corrupt("a string of no known encoding")),
        };
        self.bytes(usize::try_from(len).map_err(|_| Error::Truncated)?).map(drop)
    }

    /// Passes over as many items as the number says that comes first.
    fn skip_each(&mut self, skip: impl Fn(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        for _ in 0..self.length()? {
            skip(self)?;
        }
        Ok(())
    }

    fn skip_expiring_hash(&mut self) -> Result<(), Error> {
        self.skip_each(|reader| {
            reader.length()?;
            reader.skip_string()?;
            reader.skip_string()
        })
    }

    fn skip_lengths(&mut self, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            self.length()?;
        }
        Ok(())
    }

    fn skip_stream(&mut self, value_type: ValueType) -> Result<(), Error> {
        let first = value_type == ValueType::Stream1;
        self.skip_each(|reader| {
            reader.skip_string()?;
            reader.skip_string()
        })?;
        // The number of entries and the last id, and from the second version on two ids more and what was ever added.
        self.skip_lengths(if first { 3 } else { 8 })?;
        self.skip_each(|reader| {
            reader.skip_string()?;
            reader.skip_lengths(if first { 2 } else { 3 })?;
            reader.skip_each(|reader| {
                reader.bytes(24)?;
                reader.length().map(drop)
            })?;
            reader.skip_each(|reader| {
                reader.skip_string()?;
                reader.bytes(if value_type == ValueType::Stream3 { 16 } else { 8 })?;
                reader.skip_each(|reader| reader.bytes(16).map(drop))
            })
        })
    }
}
