//! Requests, parsed in place.
//!
//! A [`RequestParser`] finds complete requests in a connection's read buffer and notes where their arguments
//! lie; nothing is copied. It remembers how far it got in a request that has only half arrived, so that no byte
//! is looked at twice however small the pieces are that a large request comes in.

use crate::split_args::split_args;
use memchr::memchr;

/// Longest inline request, and longest line with a count or a length, in bytes.
pub const INLINE_LEN_MAX: usize = 64 * 1024;
/// Most arguments and longest argument in bytes of a client that has not authenticated.
const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
const UNAUTHENTICATED_BULK_LEN_MAX: i64 = 16384;

/// What the parser accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest argument in bytes (`proto-max-bulk-len`).
    pub bulk_len_max: u64,
    /// Whether the client still has to authenticate, which makes the limits small.
    pub unauthenticated: bool,
}

/// A request that cannot be understood. The connection answers it with `ERR` and this text, and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline request without an end.
    InlineTooLong,
    /// An inline request whose quotes do not match.
    UnbalancedQuotes,
    /// A line with the number of arguments that does not end.
    MultibulkCountTooLong,
    /// A number of arguments that is none.
    InvalidMultibulkLength,
    /// Too many arguments for a client that has not authenticated.
    UnauthenticatedMultibulkLength,
    /// A line with the length of an argument that does not end.
    BulkCountTooLong,
    /// An argument that does not begin with a dollar sign.
    ExpectedBulk(u8),
    /// A length that is none, or above the limit.
    InvalidBulkLength,
    /// Too long an argument for a client that has not authenticated.
    UnauthenticatedBulkLength,
}

impl ProtocolError {
    /// The error line without its minus, as Redis words it.
    pub fn reply(&self) -> Vec<u8> {
        let what: &[u8] = match self {
            Self::InlineTooLong => b"too big inline request",
            Self::UnbalancedQuotes => b"unbalanced quotes in request",
            Self::MultibulkCountTooLong => b"too big mbulk count string",
            Self::InvalidMultibulkLength => b"invalid multibulk length",
            Self::UnauthenticatedMultibulkLength => b"unauthenticated multibulk length",
            Self::BulkCountTooLong => b"too big bulk count string",
            Self::ExpectedBulk(got) => {
                return [b"ERR Protocol error: expected '$', got '", &[*got][..], b"'"].concat();
            }
            Self::InvalidBulkLength => b"invalid bulk length",
            Self::UnauthenticatedBulkLength => b"unauthenticated bulk length",
        };
        [b"ERR Protocol error: ", what].concat()
    }
}

/// Where an argument lies: in the read buffer, or unquoted in the parser's own memory.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    len: u32,
    unquoted: bool,
}

impl Span {
    #[inline]
    fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..).and_then(|rest| rest.get(..self.len as usize)).unwrap_or_default()
    }
}

/// Finds requests in a read buffer. See the [module](self).
#[derive(Debug, Default)]
pub struct RequestParser {
    /// First byte of the buffer that was not parsed.
    pos: usize,
    /// End of the last complete request.
    complete: usize,
    /// Arguments still to come of the request that is being parsed.
    arguments_left: i64,
    /// The length of the argument whose bytes are awaited.
    bulk_len: Option<usize>,
    spans: Vec<Span>,
    /// End, in `spans`, of each complete request.
    ends: Vec<usize>,
    /// End, in the buffer, of each complete request.
    byte_ends: Vec<usize>,
    /// The arguments of inline requests, without quotes and escapes.
    unquoted: Vec<u8>,
}

impl RequestParser {
    /// A parser at the start of an empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Complete requests found and not yet consumed.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no complete request was found.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that the complete requests take from the buffer's start.
    pub const fn consumed(&self) -> usize {
        self.complete
    }

    /// Bytes that must still arrive before the argument that is awaited is whole; 0 when none is.
    pub fn missing(&self, buffer_len: usize) -> usize {
        self.bulk_len.map_or(0, |len| (self.pos + len + 2).saturating_sub(buffer_len))
    }

    /// Appends the arguments of the complete requests, in order, to `arguments`, and to `ends` the position after
    /// each request's last one. `buffer` is the one that was parsed.
    pub fn collect<'a>(&'a self, buffer: &'a [u8], arguments: &mut Vec<&'a [u8]>, ends: &mut Vec<usize>) {
        let complete = self.ends.last().copied().unwrap_or(0);
        let spans = &self.spans[..complete];
        if self.unquoted.is_empty() {
            arguments.extend(spans.iter().map(|span| span.of(buffer)));
        } else {
            let from = |span: &Span| if span.unquoted { &self.unquoted[..] } else { buffer };
            arguments.extend(spans.iter().map(|span| span.of(from(span))));
        }
        ends.extend_from_slice(&self.ends);
    }

    /// Forgets the complete requests, after the caller has dropped [`RequestParser::consumed`] bytes from the
    /// start of its buffer.
    pub fn consume(&mut self) {
        let spans = self.ends.last().copied().unwrap_or(0);
        self.ends.clear();
        self.byte_ends.clear();
        self.spans.drain(..spans);
        for span in &mut self.spans {
            span.start -= self.complete;
        }
        self.pos -= self.complete;
        self.complete = 0;
        self.unquoted.clear();
        if self.unquoted.capacity() > INLINE_LEN_MAX {
            self.unquoted = Vec::new();
        }
        if self.spans.is_empty() && self.spans.capacity() > 1024 {
            self.spans = Vec::new();
        }
    }

    /// Forgets everything but that the first `requests` of the complete requests were found. Returns the bytes that
    /// they take: the caller drops these, and what is behind them is parsed anew.
    pub fn consume_first(&mut self, requests: usize) -> usize {
        let bytes = requests.checked_sub(1).and_then(|last| self.byte_ends.get(last)).copied().unwrap_or(0);
        *self = Self::default();
        bytes
    }

    /// Parses `buffer` from where the last call ended, until it is used up or `requests_max` complete requests
    /// are there. After an error the connection is to be closed; the requests before it are complete.
    pub fn parse(&mut self, buffer: &[u8], requests_max: usize, limits: Limits) -> Result<(), ProtocolError> {
        while self.ends.len() < requests_max && self.pos < buffer.len() {
            let progressed = if self.arguments_left == 0 {
                if self.whole(buffer) {
                    true
                } else if buffer[self.pos] == b'*' {
                    self.multibulk_head(buffer, limits)?
                } else {
                    self.inline(buffer)?
                }
            } else {
                self.arguments(buffer, limits)?
            };
            if !progressed {
                break;
            }
        }
        Ok(())
    }

    fn finish_request(&mut self) {
        self.complete = self.pos;
        // An empty request (an empty line, `*0`) is no request.
        if self.spans.len() > self.ends.last().copied().unwrap_or(0) {
            self.ends.push(self.spans.len());
            self.byte_ends.push(self.pos);
        }
    }

    fn inline(&mut self, buffer: &[u8]) -> Result<bool, ProtocolError> {
        let rest = &buffer[self.pos..];
        let Some(newline) = memchr(b'\n', rest) else {
            return if rest.len() > INLINE_LEN_MAX { Err(ProtocolError::InlineTooLong) } else { Ok(false) };
        };
        let line = &rest[..newline];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let arguments = split_args(line).ok_or(ProtocolError::UnbalancedQuotes)?;
        self.pos += newline + 1;
        for argument in arguments {
            self.spans.push(Span { start: self.unquoted.len(), len: argument.len() as u32, unquoted: true });
            self.unquoted.extend_from_slice(&argument);
        }
        self.finish_request();
        Ok(true)
    }

    /// Parses a request that is there as a whole, of up to nine arguments of up to [`SHORT_LEN_MAX`] bytes, which is
    /// nearly all of the traffic and within any limits. False, and nothing has happened, if what comes is none.
    #[inline]
    fn whole(&mut self, buffer: &[u8]) -> bool {
        let Some(&[b'*', count @ b'1'..=b'9', b'\r', _]) = buffer.get(self.pos..self.pos + 4) else {
            return false;
        };
        let before = self.spans.len();
        let mut at = self.pos + 4;
        for _ in 0..count - b'0' {
            let argument = short_bulk(buffer, at);
            let Some((start, len)) = argument.filter(|(start, len)| start + len + 2 <= buffer.len()) else {
                self.spans.truncate(before);
                return false;
            };
            self.spans.push(Span { start, len: len as u32, unquoted: false });
            at = start + len + 2;
        }
        self.pos = at;
        self.finish_request();
        true
    }

    fn multibulk_head(&mut self, buffer: &[u8], limits: Limits) -> Result<bool, ProtocolError> {
        let Some((line, next)) = line_at(buffer, self.pos) else {
            let too_long = buffer.len() - self.pos > INLINE_LEN_MAX;
            return if too_long { Err(ProtocolError::MultibulkCountTooLong) } else { Ok(false) };
        };
        let count = length(&line[1..]).filter(|&n| n <= i64::from(i32::MAX));
        let count = count.ok_or(ProtocolError::InvalidMultibulkLength)?;
        if limits.unauthenticated && count > UNAUTHENTICATED_ARGUMENTS_MAX {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        self.pos = next;
        if count <= 0 {
            self.finish_request();
            return Ok(true);
        }
        self.arguments_left = count;
        self.arguments(buffer, limits)
    }

    /// Parses arguments until the request is complete (`true`) or the buffer used up (`false`).
    fn arguments(&mut self, buffer: &[u8], limits: Limits) -> Result<bool, ProtocolError> {
        while self.arguments_left > 0 {
            let len = match self.bulk_len {
                Some(len) => len,
                None => match self.bulk_head(buffer, limits)? {
                    Some(len) => len,
                    None => return Ok(false),
                },
            };
            if buffer.len() < self.pos + len + 2 {
                self.bulk_len = Some(len);
                return Ok(false);
            }
            self.spans.push(Span { start: self.pos, len: len as u32, unquoted: false });
            self.pos += len + 2;
            self.bulk_len = None;
            self.arguments_left -= 1;
        }
        self.finish_request();
        Ok(true)
    }

    fn bulk_head(&mut self, buffer: &[u8], limits: Limits) -> Result<Option<usize>, ProtocolError> {
        if let Some((start, len)) = short_bulk(buffer, self.pos) {
            self.pos = start;
            return Ok(Some(len));
        }
        let Some((line, next)) = line_at(buffer, self.pos) else {
            let too_long = buffer.len() - self.pos > INLINE_LEN_MAX;
            return if too_long { Err(ProtocolError::BulkCountTooLong) } else { Ok(None) };
        };
        match line.first() {
            Some(b'$') => {}
            other => return Err(ProtocolError::ExpectedBulk(other.copied().unwrap_or(b'\r'))),
        }
        let len = length(&line[1..]).filter(|&n| n >= 0 && n as u64 <= limits.bulk_len_max);
        // Spans count in 32 bits; no setting allows longer arguments than this.
        let len = len.filter(|&n| n <= i64::from(u32::MAX)).ok_or(ProtocolError::InvalidBulkLength)?;
        if limits.unauthenticated && len > UNAUTHENTICATED_BULK_LEN_MAX {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        self.pos = next;
        Ok(Some(len as usize))
    }
}

/// The longest argument whose length is read in one step, in bytes.
const SHORT_LEN_MAX: usize = 999;

/// Where the bytes of an argument begin whose head lies at `at`, and how many there are, if the head is there and they
/// are at most [`SHORT_LEN_MAX`] and at least one. Whether the bytes are there, the caller looks.
#[inline]
fn short_bulk(buffer: &[u8], at: usize) -> Option<(usize, usize)> {
    // The shortest argument takes as many bytes with its line end, so a head that is cut off is none here.
    let Some(&[b'$', first, second, third, fourth, _]) = buffer.get(at..at + 6) else { return None };
    let digit = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
    let (one, two, three) = (digit(first), digit(second), digit(third));
    if one == 0 || one > 9 {
        return None;
    }
    let (len, digits) = match () {
        () if second == b'\r' => (one, 1),
        () if two > 9 => return None,
        () if third == b'\r' => (one * 10 + two, 2),
        () if three > 9 || fourth != b'\r' => return None,
        () => ((one * 10 + two) * 10 + three, 3),
    };
    debug_assert!((1..=SHORT_LEN_MAX).contains(&len));
    Some((at + digits + 3, len))
}

/// The line at `pos` up to its CR, and the position after its LF, once both have arrived.
#[inline]
fn line_at(buffer: &[u8], pos: usize) -> Option<(&[u8], usize)> {
    let rest = &buffer[pos..];
    // Lengths are short; a search of a few bytes beats a call.
    let short = rest.len().min(16);
    let cr = match rest[..short].iter().position(|&b| b == b'\r') {
        Some(cr) => cr,
        None => memchr(b'\r', rest)?,
    };
    // Whatever follows the CR is taken for the LF, as Redis does.
    (cr + 1 < rest.len()).then(|| (&rest[..cr], pos + cr + 2))
}

/// A decimal integer in Redis' strict form: no plus, no leading zeros, no spaces.
fn length(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 18 => {}
        _ => return None,
    }
    let mut value = 0i64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bulk_len_max: 512 << 20, unauthenticated: false };

    fn requests(parser: &RequestParser, buffer: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let (mut arguments, mut ends) = (Vec::new(), Vec::new());
        parser.collect(buffer, &mut arguments, &mut ends);
        let mut start = 0;
        ends.iter()
            .map(|&end| {
                let request = arguments[start..end].iter().map(|a| a.to_vec()).collect();
                start = end;
                request
            })
            .collect()
    }

    fn words(request: &[&str]) -> Vec<Vec<u8>> {
        request.iter().map(|w| w.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_request_cut_at_any_byte_reads_the_same() {
        let stream = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nvalue\r\nvalue\r\n\r\nGET 'a b'\r\n*0\r\n*1\r\n$4\r\nPING\r\n";
        let expected = [words(&["SET", "k", "value\r\nvalue"]), words(&["GET", "a b"]), words(&["PING"])];
        for step in 1..stream.len() {
            let mut parser = RequestParser::new();
            let (mut buffer, mut seen) = (Vec::new(), Vec::new());
            for piece in stream.chunks(step) {
                buffer.extend_from_slice(piece);
                parser.parse(&buffer, 64, LIMITS).unwrap();
                seen.extend(requests(&parser, &buffer));
                buffer.drain(..parser.consumed());
                parser.consume();
            }
            assert_eq!(seen, expected, "in pieces of {step}");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_batch_ends_at_its_limit() {
        let buffer = b"PING\r\n".repeat(5);
        let mut parser = RequestParser::new();
        parser.parse(&buffer, 2, LIMITS).unwrap();
        assert_eq!((parser.len(), parser.consumed()), (2, 12));
    }

    #[test]
    fn missing_tells_what_a_large_argument_still_needs() {
        let buffer = b"*2\r\n$4\r\nECHO\r\n$1000\r\nabc";
        let mut parser = RequestParser::new();
        parser.parse(buffer, 64, LIMITS).unwrap();
        assert!(parser.is_empty());
        assert_eq!(parser.missing(buffer.len()), 1002 - 3);
    }

    #[test]
    fn malformed_requests_get_redis_words() {
        let unauthenticated = Limits { unauthenticated: true, ..LIMITS };
        let cases: &[(&[u8], Limits, &str)] = &[
            (b"*abc\r\n", LIMITS, "invalid multibulk length"),
            (b"*3000000000\r\n", LIMITS, "invalid multibulk length"),
            (b"*11\r\n", unauthenticated, "unauthenticated multibulk length"),
            (b"*1\r\n:1\r\n", LIMITS, "expected '$', got ':'"),
            (b"*1\r\n$-1\r\n", LIMITS, "invalid bulk length"),
            (b"*1\r\n$536870913\r\n", LIMITS, "invalid bulk length"),
            (b"*1\r\n$16385\r\n", unauthenticated, "unauthenticated bulk length"),
            (b"SET \"a\r\n", LIMITS, "unbalanced quotes in request"),
        ];
        for (bytes, limits, text) in cases {
            let error = RequestParser::new().parse(bytes, 64, *limits).unwrap_err();
            assert_eq!(error.reply(), format!("ERR Protocol error: {text}").into_bytes());
        }
        let endless = |head: &[u8]| {
            let mut bytes = head.to_vec();
            bytes.resize(head.len() + INLINE_LEN_MAX + 1, b'1');
            RequestParser::new().parse(&bytes, 64, LIMITS).unwrap_err()
        };
        assert_eq!(endless(b"*"), ProtocolError::MultibulkCountTooLong);
        assert_eq!(endless(b"*1\r\n$"), ProtocolError::BulkCountTooLong);
        assert_eq!(endless(b"GET "), ProtocolError::InlineTooLong);
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_never_panic(bytes: Vec<u8>) {
            let mut parser = RequestParser::new();
            let mut buffer = Vec::new();
            for piece in bytes.chunks(7) {
                buffer.extend_from_slice(piece);
                if parser.parse(&buffer, 4, LIMITS).is_err() {
                    break;
                }
                let _ = requests(&parser, &buffer);
                buffer.drain(..parser.consumed());
                parser.consume();
            }
        }
    }

    #[test]
    fn what_is_behind_the_first_requests_is_parsed_anew() {
        let buffer = b"*1\r\n$4\r\nPING\r\n\r\nECHO a\r\nECHO b\r\n*2\r\n$4\r\nEC";
        let mut parser = RequestParser::new();
        parser.parse(buffer, 10, Limits { bulk_len_max: 100, unauthenticated: false }).unwrap();
        assert_eq!(parser.len(), 3);
        let dropped = parser.consume_first(2);
        assert_eq!(&buffer[dropped..dropped + 8], b"ECHO b\r\n");
        parser.parse(&buffer[dropped..], 10, Limits { bulk_len_max: 100, unauthenticated: false }).unwrap();
        assert_eq!((parser.len(), parser.consumed()), (1, 8));
    }
}
