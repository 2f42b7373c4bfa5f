//! A client: asks one question at a time, or fills a server.

use super::error::Error;
use super::stop;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// Bytes of the values that fill a server.
pub const VALUE_LEN: usize = 64;
/// Requests sent before their replies are read, and about how many bytes of them: less than either side holds while
/// the other does not read.
const FILL_REQUESTS: u64 = 1000;
const FILL_BYTES: usize = 64 * 1024;
/// Longer than any answer takes that is not held up by something broken.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A reply, without the difference between texts and numbers, which nobody here needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status, a bulk string or a number.
    Text(String),
    /// An error.
    Error(String),
    /// Nothing.
    Null,
    /// Several.
    Array(Vec<Answer>),
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Client {
    /// Connects to a port of 127.0.0.1.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(port: u16) -> Result<Self, Error> {
        let connect = || {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(ANSWER_WITHIN))?;
            Ok(stream)
        };
        let stream = connect().map_err(|error| Error::io(format!("connect to port {port}"), error))?;
        Ok(Self { stream: BufReader::new(stream), request: Vec::new() })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the server has gone.
    pub fn send(&mut self, request: &[&[u8]]) -> Result<(), Error> {
        self.request.clear();
        write_request(&mut self.request, request);
        let sent = self.stream.get_mut().write_all(&self.request);
        sent.map_err(|error| Error::io("send a request", error))
    }

    /// The next reply.
    ///
    /// # Errors
    /// When none comes, or what comes is none.
    pub fn answer(&mut self) -> Result<Answer, Error> {
        read_answer(&mut self.stream).map_err(|error| Error::io("read a reply", error))
    }

    /// Whether a reply arrives within this time.
    ///
    /// # Errors
    /// When the server has gone.
    pub fn is_answered_within(&mut self, time: Duration) -> Result<bool, Error> {
        let mut wait = || {
            self.stream.get_ref().set_read_timeout(Some(time))?;
            let arrived = match self.stream.fill_buf() {
                Ok([]) => Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => Ok(true),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
                Err(error) => Err(error),
            };
            self.stream.get_ref().set_read_timeout(Some(ANSWER_WITHIN))?;
            arrived
        };
        wait().map_err(|error| Error::io("wait for a reply", error))
    }

    /// Asks and waits for the reply.
    ///
    /// # Errors
    /// When none comes.
    pub fn ask(&mut self, request: &[&[u8]]) -> Result<Answer, Error> {
        self.send(request)?;
        self.answer()
    }

    /// Asks for a status, a bulk string or a number.
    ///
    /// # Errors
    /// When something else comes, an error for example.
    pub fn text(&mut self, request: &[&[u8]]) -> Result<String, Error> {
        match self.ask(request)? {
            Answer::Text(text) => Ok(text),
            other => Err(unexpected(request, &other)),
        }
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn setting(&mut self, name: &str) -> Result<String, Error> {
        let request: [&[u8]; 3] = [b"CONFIG", b"GET", name.as_bytes()];
        match self.ask(&request)? {
            Answer::Array(pair) if pair.len() == 2 => match &pair[1] {
                Answer::Text(value) => Ok(value.clone()),
                other => Err(unexpected(&request, other)),
            },
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Sends `count` requests, by their number, without waiting for each.
    ///
    /// # Errors
    /// When one is answered by an error.
    pub fn fill(&mut self, count: u64, request: impl Fn(u64) -> Vec<String>) -> Result<(), Error> {
        let mut at = 0;
        while at < count {
            stop::check()?;
            self.request.clear();
            let mut sent = 0;
            while at + sent < count && sent < FILL_REQUESTS && self.request.len() < FILL_BYTES {
                write_request(&mut self.request, &request(at + sent));
                sent += 1;
            }
            let written = self.stream.get_mut().write_all(&self.request);
            written.map_err(|error| Error::io("fill a server", error))?;
            for number in at..at + sent {
                if let Answer::Error(answer) = self.answer()? {
                    let request = request(number).into_iter().take(2).collect::<Vec<_>>().join(" ");
                    return Err(Error::Answer { request, answer });
                }
            }
            at += sent;
        }
        Ok(())
    }

    /// The stream, with all that was read taken out of it.
    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }
}

/// The error of a reply of another kind than is wanted.
pub fn unexpected(request: &[&[u8]], answer: &Answer) -> Error {
    const SHOWN_MAX: usize = 80;
    let request = String::from_utf8_lossy(&request.join(&b' ')).chars().take(SHOWN_MAX).collect();
    Error::Answer { request, answer: format!("{answer:?}") }
}

/// Appends a request.
fn write_request(out: &mut Vec<u8>, args: &[impl AsRef<[u8]>]) {
    // Writing to memory does not fail.
    let _ = write!(out, "*{}\r\n", args.len());
    for arg in args.iter().map(AsRef::as_ref) {
        let _ = write!(out, "${}\r\n", arg.len());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

fn read_answer(stream: &mut BufReader<TcpStream>) -> std::io::Result<Answer> {
    let invalid = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1).ok_or_else(invalid)?;
    let len = || rest.parse::<i64>().map_err(|_| invalid());
    match kind {
        "+" | ":" => Ok(Answer::Text(rest.to_owned())),
        "-" => Ok(Answer::Error(rest.to_owned())),
        "$" | "*" if len()? < 0 => Ok(Answer::Null),
        "$" => {
            let mut bytes = vec![0; len()? as usize + 2];
            stream.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            Ok(Answer::Text(String::from_utf8_lossy(&bytes).into_owned()))
        }
        "*" => (0..len()?).map(|_| read_answer(stream)).collect::<std::io::Result<_>>().map(Answer::Array),
        _ => Err(invalid()),
    }
}
