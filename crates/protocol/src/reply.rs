//! The one writer of replies.
//!
//! A command writes typed calls (`int`, `bulk`, `array`, ...) into an append-only buffer that knows how its
//! reader wants them: RESP2 or RESP3 for a connection, a [tape](crate::tape) for a script, or nothing at all
//! for the replay of a log. Nobody else spells RESP or asks for its version.

use crate::number::{FIXED_DOUBLE_MAX, format_double, format_fixed};

/// How a [`Reply`] encodes what is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The protocol of Redis before version 6, and of every connection before `HELLO 3`.
    Resp2,
    /// The protocol with maps, sets, doubles, booleans and pushes.
    Resp3,
    /// A script's view of a RESP2 reply: the types RESP2 knows, in a form that is cheap to read back.
    Tape2,
    /// A script's view of a RESP3 reply, after `redis.setresp(3)`.
    Tape3,
    /// Replies are dropped.
    Off,
}

/// Tags of the tape's items. They are RESP's own where it has one.
pub(crate) mod tag {
    pub const INT: u8 = b':';
    pub const BULK: u8 = b'$';
    pub const STATUS: u8 = b'+';
    pub const ERROR: u8 = b'-';
    pub const NULL2: u8 = b'n';
    pub const NULL3: u8 = b'_';
    pub const ARRAY: u8 = b'*';
    pub const MAP: u8 = b'%';
    pub const SET: u8 = b'~';
    pub const PUSH: u8 = b'>';
    pub const DOUBLE: u8 = b',';
    pub const BOOL: u8 = b'#';
    pub const VERBATIM: u8 = b'=';
    pub const BIG_NUMBER: u8 = b'(';
}

/// A position to return to, taken before a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

/// An aggregate whose length is not known until its last element was written.
#[derive(Debug)]
#[must_use = "an open aggregate has no header until it is closed"]
pub struct Open {
    at: usize,
    kind: u8,
}

/// The append-only reply buffer. See the [module](self).
#[derive(Debug)]
pub struct Reply {
    out: Vec<u8>,
    encoding: Encoding,
}

impl Reply {
    /// An empty buffer; it allocates on the first write.
    pub const fn new(encoding: Encoding) -> Self {
        Self { out: Vec::new(), encoding }
    }

    /// A buffer that reuses `out`'s memory, whose content is dropped.
    pub fn reusing(mut out: Vec<u8>, encoding: Encoding) -> Self {
        out.clear();
        Self { out, encoding }
    }

    /// How this buffer encodes.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Changes the encoding of what is written from now on (`HELLO`, `CLIENT REPLY`, `setresp`).
    pub const fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    /// What was written and not yet taken.
    pub fn as_bytes(&self) -> &[u8] {
        &self.out
    }

    /// The buffer itself, for the one who sends it.
    pub const fn buffer_mut(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Gives the buffer away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Bytes written and not yet taken.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Bytes that fit into the buffer.
    pub const fn capacity(&self) -> usize {
        self.out.capacity()
    }

    /// Whether nothing is waiting to be taken.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The present position.
    pub fn mark(&self) -> Mark {
        Mark(self.out.len())
    }

    /// Drops all that was written after `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    /// Puts bytes, already encoded, before what was written after `mark`.
    pub fn insert(&mut self, mark: Mark, bytes: &[u8]) {
        let Mark(at) = mark;
        self.out.extend_from_slice(bytes);
        if let Some(part) = self.out.get_mut(at..) {
            part.rotate_right(bytes.len());
        }
    }

    /// The bytes written after `mark`.
    pub fn since(&self, mark: Mark) -> &[u8] {
        self.out.get(mark.0..).unwrap_or_default()
    }

    const fn is_tape(&self) -> bool {
        matches!(self.encoding, Encoding::Tape2 | Encoding::Tape3)
    }

    const fn is_v3(&self) -> bool {
        matches!(self.encoding, Encoding::Resp3 | Encoding::Tape3)
    }

    /// `<kind><n>\r\n`, the head of most of RESP's types.
    #[inline]
    fn head(&mut self, kind: u8, n: i64) {
        // Most lengths have one or two digits, and a head of a known length takes no call to copy it.
        let digit = |value: i64| b'0' + value as u8;
        match n {
            0..10 => self.out.extend_from_slice(&[kind, digit(n), b'\r', b'\n']),
            10..100 => self.out.extend_from_slice(&[kind, digit(n / 10), digit(n % 10), b'\r', b'\n']),
            _ => self.long_head(kind, n),
        }
    }

    #[inline(never)]
    fn long_head(&mut self, kind: u8, n: i64) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(n).as_bytes();
        self.out.reserve(digits.len() + 3);
        self.out.push(kind);
        self.out.extend_from_slice(digits);
        self.out.extend_from_slice(b"\r\n");
    }

    /// `<kind><text>\r\n`.
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.reserve(text.len() + 3);
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }

    fn tape_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 5);
        self.out.push(kind);
        self.out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.out.extend_from_slice(bytes);
    }

    fn tape_count(&mut self, kind: u8, n: usize) {
        self.out.push(kind);
        self.out.extend_from_slice(&(n as u32).to_le_bytes());
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        match self.encoding {
            Encoding::Resp2 | Encoding::Resp3 => self.head(b':', value),
            Encoding::Tape2 | Encoding::Tape3 => {
                self.out.push(tag::INT);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Encoding::Off => {}
        }
    }

    /// A count or a length as an integer.
    #[inline]
    pub fn count(&mut self, value: usize) {
        self.int(value as i64);
    }

    /// A binary-safe string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        match self.encoding {
            Encoding::Resp2 | Encoding::Resp3 => {
                self.out.reserve(bytes.len() + 24);
                self.head(b'$', bytes.len() as i64);
                self.out.extend_from_slice(bytes);
                self.out.extend_from_slice(b"\r\n");
            }
            Encoding::Tape2 | Encoding::Tape3 => self.tape_bytes(tag::BULK, bytes),
            Encoding::Off => {}
        }
    }

    /// An integer as a binary-safe string.
    pub fn bulk_int(&mut self, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(value).as_bytes());
    }

    /// A status line such as `OK`. It holds neither CR nor LF.
    #[inline]
    pub fn status(&mut self, text: &str) {
        match self.encoding {
            Encoding::Resp2 | Encoding::Resp3 => self.line(b'+', text.as_bytes()),
            Encoding::Tape2 | Encoding::Tape3 => self.tape_bytes(tag::STATUS, text.as_bytes()),
            Encoding::Off => {}
        }
    }

    /// An array of status lines, as HELP answers.
    pub fn lines(&mut self, lines: &[&str]) {
        self.array(lines.len());
        for line in lines {
            self.status(line);
        }
    }

    /// A status line of bytes that come from outside; CR and LF become spaces.
    pub fn status_bytes(&mut self, text: &[u8]) {
        match self.encoding {
            Encoding::Resp2 | Encoding::Resp3 => self.cleaned_line(b'+', text),
            Encoding::Tape2 | Encoding::Tape3 => self.tape_bytes(tag::STATUS, text),
            Encoding::Off => {}
        }
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        match self.encoding {
            Encoding::Resp2 | Encoding::Resp3 => self.out.extend_from_slice(b"+OK\r\n"),
            _ => self.status("OK"),
        }
    }

    /// An error line, starting with its code (`ERR`, `WRONGTYPE`, ...) and without the leading minus. CR and LF
    /// become spaces, since they would end the line.
    pub fn error(&mut self, text: &[u8]) {
        match self.encoding {
            Encoding::Resp2 | Encoding::Resp3 => self.cleaned_line(b'-', text),
            Encoding::Tape2 | Encoding::Tape3 => self.tape_bytes(tag::ERROR, text),
            Encoding::Off => {}
        }
    }

    fn cleaned_line(&mut self, kind: u8, text: &[u8]) {
        let start = self.out.len() + 1;
        self.line(kind, text);
        let end = self.out.len() - 2;
        self.clean(start..end);
    }

    /// Makes spaces of the line ends in a part of what was written.
    fn clean(&mut self, part: std::ops::Range<usize>) {
        for byte in &mut self.out[part] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }

    /// The absent value.
    #[inline]
    pub fn null(&mut self) {
        match self.encoding {
            Encoding::Resp2 => self.out.extend_from_slice(b"$-1\r\n"),
            Encoding::Resp3 => self.out.extend_from_slice(b"_\r\n"),
            Encoding::Tape2 => self.out.push(tag::NULL2),
            Encoding::Tape3 => self.out.push(tag::NULL3),
            Encoding::Off => {}
        }
    }

    /// The absent value where an array was expected; RESP2 tells the two apart.
    pub fn null_array(&mut self) {
        match self.encoding {
            Encoding::Resp2 => self.out.extend_from_slice(b"*-1\r\n"),
            _ => self.null(),
        }
    }

    /// The head of an array: `n` elements must follow.
    #[inline]
    pub fn array(&mut self, n: usize) {
        self.aggregate(tag::ARRAY, n);
    }

    /// The head of a map: `n` pairs must follow. RESP2 shows an array of twice as many elements.
    pub fn map(&mut self, n: usize) {
        self.aggregate(tag::MAP, n);
    }

    /// The head of a set: `n` elements must follow. RESP2 shows an array.
    pub fn set(&mut self, n: usize) {
        self.aggregate(tag::SET, n);
    }

    /// The head of an out-of-band message: `n` elements must follow. RESP2 shows an array.
    pub fn push(&mut self, n: usize) {
        self.aggregate(tag::PUSH, n);
    }

    /// The head of an attribute of the reply that comes next: `n` pairs must follow. RESP2 has none: nothing may be
    /// written where this returns `false`.
    pub fn attribute(&mut self, n: usize) -> bool {
        let known = self.encoding == Encoding::Resp3;
        if known {
            self.head(b'|', n as i64);
        }
        known
    }

    /// Whether out-of-band messages reach the reader.
    pub const fn takes_pushes(&self) -> bool {
        self.is_v3()
    }

    /// The head of a list of `n` pairs whose order matters; [`Reply::pair`] goes before each. RESP2 shows an array of
    /// twice as many elements.
    pub fn pairs(&mut self, n: usize) {
        self.array(if self.is_v3() { n } else { n * 2 });
    }

    /// The head of a pair: two elements must follow. RESP2 shows nothing.
    #[inline]
    pub fn pair(&mut self) {
        if self.is_v3() {
            self.array(2);
        }
    }

    fn aggregate(&mut self, kind: u8, n: usize) {
        let (kind, n) = if self.is_v3() { (kind, n) } else { as_array(kind, n) };
        match self.encoding {
            Encoding::Resp2 | Encoding::Resp3 => self.head(kind, n as i64),
            Encoding::Tape2 | Encoding::Tape3 => self.tape_count(kind, n),
            Encoding::Off => {}
        }
    }

    /// Begins an array whose length [`Reply::close`] will tell.
    pub fn open_array(&mut self) -> Open {
        self.open(tag::ARRAY)
    }

    /// Begins a map whose length [`Reply::close`] will tell.
    pub fn open_map(&mut self) -> Open {
        self.open(tag::MAP)
    }

    /// Begins a set whose length [`Reply::close`] will tell.
    pub fn open_set(&mut self) -> Open {
        self.open(tag::SET)
    }

    /// Begins a list of named parts whose length [`Reply::close`] will tell: a map, of which RESP2 shows an array of
    /// pairs. [`Reply::named`] goes before each name and its part.
    pub fn open_named(&mut self) -> Open {
        self.open(if self.is_v3() { tag::MAP } else { tag::ARRAY })
    }

    /// The head of a named part: its name and the part itself must follow. RESP3 shows nothing.
    pub fn named(&mut self) {
        if !self.is_v3() {
            self.array(2);
        }
    }

    fn open(&mut self, kind: u8) -> Open {
        let at = self.out.len();
        if self.is_tape() {
            self.tape_count(kind, 0);
        }
        Open { at, kind }
    }

    /// Ends an aggregate of `n` elements (pairs, for a map). Costs a move of what was written since.
    pub fn close(&mut self, open: Open, n: usize) {
        let Open { at, kind } = open;
        let (kind, n) = if self.is_v3() { (kind, n) } else { as_array(kind, n) };
        match self.encoding {
            Encoding::Resp2 | Encoding::Resp3 => {
                let end = self.out.len();
                self.head(kind, n as i64);
                let head = self.out.len() - end;
                self.out[at..].rotate_right(head);
            }
            Encoding::Tape2 | Encoding::Tape3 => {
                self.out[at] = kind;
                self.out[at + 1..at + 5].copy_from_slice(&(n as u32).to_le_bytes());
            }
            Encoding::Off => {}
        }
    }

    /// A floating point number. RESP2 shows a bulk string of 17 significant digits.
    pub fn double(&mut self, value: f64) {
        match self.encoding {
            Encoding::Resp2 => {
                // The text's length goes before it and is known after it; turning the two is cheaper than a buffer.
                let at = self.out.len();
                format_double(value, &mut self.out);
                let len = self.out.len() - at;
                self.head(b'$', len as i64);
                let head_len = self.out.len() - at - len;
                self.out[at..].rotate_right(head_len);
                self.out.extend_from_slice(b"\r\n");
            }
            Encoding::Tape2 => {
                let mut text = Vec::with_capacity(24);
                format_double(value, &mut text);
                self.bulk(&text);
            }
            Encoding::Resp3 => {
                self.out.push(b',');
                format_double(value, &mut self.out);
                self.out.extend_from_slice(b"\r\n");
            }
            Encoding::Tape3 => {
                self.out.push(tag::DOUBLE);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Encoding::Off => {}
        }
    }

    /// A floating point number of more digits than an `f64` has, as its decimal text. RESP2 shows a bulk string.
    pub fn decimal(&mut self, text: &[u8]) {
        match self.encoding {
            Encoding::Resp2 | Encoding::Tape2 => self.bulk(text),
            Encoding::Resp3 => {
                self.out.push(b',');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
            Encoding::Tape3 => {
                let value = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                self.double(value.unwrap_or(f64::NAN));
            }
            Encoding::Off => {}
        }
    }

    /// A floating point number with at most 17 digits after the point and never an exponent. RESP2 shows a bulk string.
    pub fn fixed_double(&mut self, value: f64) {
        let mut buffer = [0; FIXED_DOUBLE_MAX];
        let text = format_fixed(value, &mut buffer);
        match self.encoding {
            Encoding::Resp2 | Encoding::Tape2 => self.bulk(text),
            Encoding::Resp3 => self.line(b',', text),
            // A script gets the number that the text says, which is less exact near zero.
            Encoding::Tape3 => {
                let said = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                self.double(said.unwrap_or(value));
            }
            Encoding::Off => {}
        }
    }

    /// A boolean. RESP2 shows 1 or 0.
    pub fn bool(&mut self, value: bool) {
        match self.encoding {
            Encoding::Resp3 => self.out.extend_from_slice(if value { b"#t\r\n" } else { b"#f\r\n" }),
            Encoding::Tape3 => self.out.extend_from_slice(&[tag::BOOL, u8::from(value)]),
            _ => self.int(i64::from(value)),
        }
    }

    /// A text with a three-letter format (`txt` or `mkd`). RESP2 shows a bulk string.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        match self.encoding {
            Encoding::Resp3 => {
                self.head(b'=', text.len() as i64 + 4);
                self.out.extend_from_slice(format);
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
            Encoding::Tape3 => {
                self.out.push(tag::VERBATIM);
                self.out.extend_from_slice(format);
                self.out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                self.out.extend_from_slice(text);
            }
            _ => self.bulk(text),
        }
    }

    /// An integer of any size, as decimal digits. RESP2 shows a bulk string. CR and LF become spaces.
    pub fn big_number(&mut self, digits: &[u8]) {
        match self.encoding {
            Encoding::Resp3 => self.cleaned_line(b'(', digits),
            Encoding::Tape3 => self.tape_bytes(tag::BIG_NUMBER, digits),
            _ => {
                self.bulk(digits);
                let end = self.out.len();
                if self.encoding == Encoding::Resp2 {
                    self.clean(end - 2 - digits.len()..end - 2);
                }
            }
        }
    }

    /// Appends a reply that was already encoded for this very buffer's encoding.
    pub fn raw(&mut self, encoded: &[u8]) {
        if self.encoding != Encoding::Off {
            self.out.extend_from_slice(encoded);
        }
    }
}

/// What RESP2 makes of an aggregate.
const fn as_array(kind: u8, n: usize) -> (u8, usize) {
    if kind == tag::MAP { (tag::ARRAY, n * 2) } else { (tag::ARRAY, n) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(encoding: Encoding, write: impl Fn(&mut Reply)) -> Vec<u8> {
        let mut reply = Reply::new(encoding);
        write(&mut reply);
        reply.into_bytes()
    }

    /// What is written, and what that is in RESP2 and RESP3.
    type Case = (fn(&mut Reply), &'static [u8], &'static [u8]);

    #[test]
    fn each_type_in_both_versions() {
        let cases: &[Case] = &[
            (|r| r.int(-42), b":-42\r\n", b":-42\r\n"),
            (|r| r.int(7), b":7\r\n", b":7\r\n"),
            (|r| r.bulk(b"a\r\nb"), b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
            (|r| r.bulk(&[b'x'; 12]), b"$12\r\nxxxxxxxxxxxx\r\n", b"$12\r\nxxxxxxxxxxxx\r\n"),
            (|r| r.ok(), b"+OK\r\n", b"+OK\r\n"),
            (|r| r.error(b"ERR a\r\nb"), b"-ERR a  b\r\n", b"-ERR a  b\r\n"),
            (|r| r.null(), b"$-1\r\n", b"_\r\n"),
            (|r| r.null_array(), b"*-1\r\n", b"_\r\n"),
            (|r| r.array(2), b"*2\r\n", b"*2\r\n"),
            (|r| r.map(2), b"*4\r\n", b"%2\r\n"),
            (|r| r.set(2), b"*2\r\n", b"~2\r\n"),
            (|r| r.push(2), b"*2\r\n", b">2\r\n"),
            (|r| r.pairs(3), b"*6\r\n", b"*3\r\n"),
            (|r| r.pair(), b"", b"*2\r\n"),
            (|r| r.double(1.5), b"$3\r\n1.5\r\n", b",1.5\r\n"),
            (|r| r.double(-1.0 / 3.0), b"$20\r\n-0.33333333333333331\r\n", b",-0.33333333333333331\r\n"),
            (|r| r.fixed_double(1e-5), b"$7\r\n0.00001\r\n", b",0.00001\r\n"),
            (|r| r.fixed_double(-0.0), b"$1\r\n0\r\n", b",0\r\n"),
            (|r| r.fixed_double(-120.5), b"$6\r\n-120.5\r\n", b",-120.5\r\n"),
            (|r| r.bool(true), b":1\r\n", b"#t\r\n"),
            (|r| r.bool(false), b":0\r\n", b"#f\r\n"),
            (|r| r.verbatim(b"txt", b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
            (|r| r.big_number(b"1\r3"), b"$3\r\n1 3\r\n", b"(1 3\r\n"),
        ];
        for (write, resp2, resp3) in cases {
            assert_eq!(written(Encoding::Resp2, write), *resp2);
            assert_eq!(written(Encoding::Resp3, write), *resp3);
            assert_eq!(written(Encoding::Off, write), b"");
        }
    }

    #[test]
    fn an_open_aggregate_gets_its_head_when_closed() {
        let write = |r: &mut Reply| {
            r.ok();
            let open = r.open_map();
            for n in 0..12 {
                r.int(n);
                r.null();
            }
            r.close(open, 12);
        };
        assert!(written(Encoding::Resp2, write).starts_with(b"+OK\r\n*24\r\n:0\r\n$-1\r\n:1\r\n"));
        assert!(written(Encoding::Resp3, write).starts_with(b"+OK\r\n%12\r\n:0\r\n_\r\n:1\r\n"));
    }

    #[test]
    fn named_parts_are_a_map_or_pairs() {
        let write = |r: &mut Reply| {
            let open = r.open_named();
            for name in [b"a", b"b"] {
                r.named();
                r.bulk(name);
                r.int(1);
            }
            r.close(open, 2);
        };
        let pairs = b"*2\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n:1\r\n";
        assert_eq!(written(Encoding::Resp2, write), pairs);
        assert_eq!(written(Encoding::Resp3, write), b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:1\r\n");
        assert_eq!(written(Encoding::Tape3, write)[0], b'%');
    }

    #[test]
    fn rewind_drops_what_a_failed_command_wrote() {
        let mut reply = Reply::new(Encoding::Resp2);
        reply.ok();
        let mark = reply.mark();
        reply.array(3);
        reply.rewind(mark);
        reply.error(b"ERR no");
        assert_eq!(reply.as_bytes(), b"+OK\r\n-ERR no\r\n");
    }
}
