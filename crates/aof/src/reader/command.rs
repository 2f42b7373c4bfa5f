//! A command in a file of the log.

/// A command as it stands in the file. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    bytes: &'a [u8],
    /// Begin and end of each argument in the bytes; there is at least one.
    spans: &'a [(usize, usize)],
    offset: u64,
}

impl<'a> Command<'a> {
    pub(super) const fn new(bytes: &'a [u8], spans: &'a [(usize, usize)], offset: u64) -> Self {
        Self { bytes, spans, offset }
    }

    /// How many arguments there are, the name included.
    pub const fn len(self) -> usize {
        self.spans.len()
    }

    /// Never: there is a name.
    pub const fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, the name being the first.
    #[inline]
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).and_then(|&(start, end)| self.bytes.get(start..end))
    }

    /// The command's name, in the case in which it stands there.
    pub fn name(self) -> &'a [u8] {
        self.get(0).unwrap_or_default()
    }

    /// Whether its name is this one, in any case.
    pub fn is(self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// The arguments in order, the name included.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.spans.iter().map(move |&(start, end)| self.bytes.get(start..end).unwrap_or_default())
    }

    /// The command in RESP, as it stands in the file.
    pub const fn raw(self) -> &'a [u8] {
        self.bytes
    }

    /// Where it begins in the file.
    pub const fn offset(self) -> u64 {
        self.offset
    }
}
