//! A client that hides nothing: it sends what it is told and keeps the exact bytes of every reply beside the tree
//! they stand for.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::waiting::WITHIN;

/// One reply, in RESP2 or RESP3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// `+`
    Simple(Vec<u8>),
    /// `-`
    Error(Vec<u8>),
    /// `:`
    Int(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `$-1`
    NullBulk,
    /// `*-1`
    NullArray,
    /// `_`
    Null,
    /// `#`
    Bool(bool),
    /// `,` with the digits as they came
    Double(Vec<u8>),
    /// `(`
    BigNumber(Vec<u8>),
    /// `!`
    BulkError(Vec<u8>),
    /// `=` with its three-letter format in front
    Verbatim(Vec<u8>),
    /// `*`
    Array(Vec<Value>),
    /// `~`
    Set(Vec<Value>),
    /// `>`
    Push(Vec<Value>),
    /// `%`
    Map(Vec<(Value, Value)>),
    /// `|` and the reply that it belongs to
    Attribute(Vec<(Value, Value)>, Box<Value>),
}

impl Value {
    /// The byte that introduces this type on the wire.
    pub fn tag(&self) -> char {
        match self {
            Value::Simple(_) => '+',
            Value::Error(_) => '-',
            Value::Int(_) => ':',
            Value::Bulk(_) | Value::NullBulk => '$',
            Value::NullArray | Value::Array(_) => '*',
            Value::Null => '_',
            Value::Bool(_) => '#',
            Value::Double(_) => ',',
            Value::BigNumber(_) => '(',
            Value::BulkError(_) => '!',
            Value::Verbatim(_) => '=',
            Value::Set(_) => '~',
            Value::Push(_) => '>',
            Value::Map(_) => '%',
            Value::Attribute(..) => '|',
        }
    }

    /// The bytes of a string of any kind.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(b) | Value::Error(b) | Value::Bulk(b) | Value::Double(b) => Some(b),
            Value::BigNumber(b) | Value::BulkError(b) | Value::Verbatim(b) => Some(b),
            _ => None,
        }
    }

    /// The elements of an array, set or push.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => Some(items),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list(f: &mut fmt::Formatter<'_>, open: &str, items: &[Value]) -> fmt::Result {
            f.write_str(open)?;
            for (i, item) in items.iter().enumerate() {
                write!(f, "{}{item}", if i == 0 { "" } else { " " })?;
            }
            f.write_str("]")
        }
        fn pairs(f: &mut fmt::Formatter<'_>, open: &str, pairs: &[(Value, Value)]) -> fmt::Result {
            f.write_str(open)?;
            for (i, (k, v)) in pairs.iter().enumerate() {
                write!(f, "{}{k}={v}", if i == 0 { "" } else { " " })?;
            }
            f.write_str("}")
        }
        match self {
            Value::Int(n) => write!(f, ":{n}"),
            Value::NullBulk => f.write_str("(nil $)"),
            Value::NullArray => f.write_str("(nil *)"),
            Value::Null => f.write_str("(nil _)"),
            Value::Bool(b) => write!(f, "#{b}"),
            Value::Array(items) => list(f, "[", items),
            Value::Set(items) => list(f, "~[", items),
            Value::Push(items) => list(f, ">[", items),
            Value::Map(m) => pairs(f, "%{", m),
            Value::Attribute(m, value) => pairs(f, "|{", m).and_then(|()| write!(f, " {value}")),
            Value::Bulk(b) => write!(f, "\"{}\"", b.escape_ascii()),
            other => write!(f, "{}{}", other.tag(), other.bytes().unwrap_or_default().escape_ascii()),
        }
    }
}

/// A reply: its exact bytes, and what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The bytes as they arrived.
    pub raw: Vec<u8>,
    /// The tree they stand for.
    pub value: Value,
}

impl Reply {
    /// The error's text, when the reply is an error.
    pub fn error(&self) -> Option<String> {
        match &self.value {
            Value::Error(text) | Value::BulkError(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    /// The reply's bytes as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

trait Stream: Read + Write + Send {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    fn close_write(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }
    fn close_write(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl Stream for UnixStream {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }
    fn close_write(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

/// A connection.
pub struct Client {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects to a port of 127.0.0.1.
    ///
    /// # Errors
    /// What the connection attempt says.
    pub fn tcp(port: u16) -> io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Client::new(Box::new(stream))
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// What the connection attempt says.
    pub fn unix(path: &Path) -> io::Result<Client> {
        Client::new(Box::new(UnixStream::connect(path)?))
    }

    fn new(stream: Box<dyn Stream>) -> io::Result<Client> {
        stream.set_timeout(Some(WITHIN))?;
        Ok(Client { stream, buffer: Vec::new() })
    }

    /// How long to wait for a reply, at least a millisecond.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.stream.set_timeout(Some(timeout)).unwrap();
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the socket says.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends one command as an array of bulk strings.
    ///
    /// # Errors
    /// What the socket says.
    pub fn send<A: AsRef<[u8]>>(&mut self, command: &[A]) -> io::Result<()> {
        let request = encode(command);
        self.stream.write_all(&request)
    }

    /// Sends a command and reads its reply.
    ///
    /// # Errors
    /// What the socket says, or that the reply is no RESP.
    pub fn command<A: AsRef<[u8]>>(&mut self, command: &[A]) -> io::Result<Reply> {
        self.send(command)?;
        self.read()
    }

    /// Sends a command whose words are separated by blanks and reads its reply.
    ///
    /// # Panics
    /// When there is no reply.
    pub fn ask(&mut self, words: &str) -> Reply {
        let command: Vec<&str> = words.split_ascii_whitespace().collect();
        self.command(&command).unwrap_or_else(|e| panic!("no reply to {words}: {e}"))
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// What the socket says.
    pub fn close_write(&mut self) -> io::Result<()> {
        self.stream.close_write()
    }

    /// Reads one reply (a push is one as well).
    ///
    /// # Errors
    /// `UnexpectedEof` when the server closed the connection, `WouldBlock` when nothing came in time, `InvalidData`
    /// when what came is no RESP.
    pub fn read(&mut self) -> io::Result<Reply> {
        loop {
            if let Some((value, len)) = parse(&self.buffer)? {
                let raw: Vec<u8> = self.buffer.drain(..len).collect();
                return Ok(Reply { raw, value });
            }
            self.fill()?;
        }
    }

    /// Reads all that comes until the server closes the connection.
    ///
    /// # Errors
    /// `WouldBlock` when the connection stays open.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(e),
                Err(_) => return Ok(std::mem::take(&mut self.buffer)),
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.buffer.extend_from_slice(&chunk[..n]);
                    return Ok(());
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// A command as an array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(command: &[A]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", command.len()).into_bytes();
    for arg in command {
        let arg = arg.as_ref();
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The first reply in `bytes` and its length, or none while it is incomplete.
///
/// # Errors
/// `InvalidData` when the bytes are no RESP.
pub fn parse(bytes: &[u8]) -> io::Result<Option<(Value, usize)>> {
    let mut cursor = Cursor { bytes, at: 0 };
    match cursor.value() {
        Ok(value) => Ok(Some((value, cursor.at))),
        Err(Stop::Incomplete) => Ok(None),
        Err(Stop::Malformed(why)) => {
            let shown = bytes[..bytes.len().min(200)].escape_ascii();
            Err(io::Error::new(io::ErrorKind::InvalidData, format!("{why} in \"{shown}\"")))
        }
    }
}

enum Stop {
    Incomplete,
    Malformed(&'static str),
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn line(&mut self) -> Result<Vec<u8>, Stop> {
        let rest = &self.bytes[self.at..];
        let end = rest.windows(2).position(|w| w == b"\r\n").ok_or(Stop::Incomplete)?;
        self.at += end + 2;
        Ok(rest[..end].to_vec())
    }

    fn number(&mut self) -> Result<i64, Stop> {
        let line = self.line()?;
        let text = std::str::from_utf8(&line).map_err(|_| Stop::Malformed("a length that is no number"))?;
        text.parse().map_err(|_| Stop::Malformed("a length that is no number"))
    }

    fn blob(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        let Ok(len) = usize::try_from(self.number()?) else { return Ok(None) };
        if self.bytes.len() < self.at + len + 2 {
            return Err(Stop::Incomplete);
        }
        let blob = self.bytes[self.at..self.at + len].to_vec();
        if &self.bytes[self.at + len..self.at + len + 2] != b"\r\n" {
            return Err(Stop::Malformed("no CR LF after a bulk string"));
        }
        self.at += len + 2;
        Ok(Some(blob))
    }

    fn values(&mut self, count: i64) -> Result<Vec<Value>, Stop> {
        (0..count).map(|_| self.value()).collect()
    }

    fn pairs(&mut self) -> Result<Vec<(Value, Value)>, Stop> {
        let count = self.number()?;
        (0..count).map(|_| Ok((self.value()?, self.value()?))).collect()
    }

    fn value(&mut self) -> Result<Value, Stop> {
        let tag = *self.bytes.get(self.at).ok_or(Stop::Incomplete)?;
        self.at += 1;
        Ok(match tag {
            b'+' => Value::Simple(self.line()?),
            b'-' => Value::Error(self.line()?),
            b':' => Value::Int(self.number()?),
            b'$' => self.blob()?.map_or(Value::NullBulk, Value::Bulk),
            b'_' => {
                self.line()?;
                Value::Null
            }
            b'#' => Value::Bool(self.line()? == b"t"),
            b',' => Value::Double(self.line()?),
            b'(' => Value::BigNumber(self.line()?),
            b'!' => Value::BulkError(self.blob()?.unwrap_or_default()),
            b'=' => Value::Verbatim(self.blob()?.unwrap_or_default()),
            b'*' => match self.number()? {
                count if count < 0 => Value::NullArray,
                count => Value::Array(self.values(count)?),
            },
            b'~' => {
                let count = self.number()?;
                Value::Set(self.values(count)?)
            }
            b'>' => {
                let count = self.number()?;
                Value::Push(self.values(count)?)
            }
            b'%' => Value::Map(self.pairs()?),
            b'|' => Value::Attribute(self.pairs()?, Box::new(self.value()?)),
            _ => return Err(Stop::Malformed("an unknown type")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        let (value, len) = parse(bytes).unwrap().unwrap();
        assert_eq!(len, bytes.len());
        value.to_string()
    }

    #[test]
    fn parses_every_type() {
        assert_eq!(shown(b"*3\r\n+a\r\n:-1\r\n$-1\r\n"), "[+a :-1 (nil $)]");
        assert_eq!(shown(b"*-1\r\n"), "(nil *)");
        assert_eq!(shown(b"%1\r\n$1\r\nk\r\n,1.5\r\n"), "%{\"k\"=,1.5}");
        assert_eq!(shown(b"|1\r\n+a\r\n#t\r\n~1\r\n_\r\n"), "|{+a=#true} ~[(nil _)]");
        assert_eq!(shown(b">2\r\n=5\r\ntxt:x\r\n(99\r\n"), ">[=txt:x (99]");
    }

    #[test]
    fn every_prefix_is_incomplete() {
        let whole = b"*2\r\n$3\r\na\r\n\r\n%1\r\n:1\r\n-E x\r\n";
        for len in 0..whole.len() {
            assert!(parse(&whole[..len]).unwrap().is_none(), "{len}");
        }
    }

    #[test]
    fn refuses_what_is_no_resp() {
        assert!(parse(b"?\r\n").is_err());
        assert!(parse(b"$x\r\n").is_err());
        assert!(parse(b"$1\r\nabc").is_err());
    }
}
