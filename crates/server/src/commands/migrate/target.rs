//! The server that MIGRATE sends keys to.

use moonshard_engine::Error;
use moonshard_protocol::{Encoding, Reply};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Longest line of a reply; what is beyond makes no sense.
const LINE_MAX: u64 = 64 << 10;
/// Bytes that are written within one timeout.
const CHUNK: usize = 64 << 10;

/// The connection failed, or took too long.
pub(super) struct Failure;

impl Failure {
    pub(super) const fn writing(self) -> Error {
        Error::fixed("IOERR error or timeout writing to target instance")
    }

    pub(super) const fn reading(self) -> Error {
        Error::fixed("IOERR error or timeout reading to target instance")
    }
}

/// The answer to a client when the target refused something with this line.
pub(super) fn refused_with(line: &[u8]) -> Error {
    Error::bytes([b"ERR Target instance replied with error: ", line].concat())
}

/// Commands to be sent. A request has the form of a reply of strings.
pub(super) struct Request(Reply);

impl Request {
    pub(super) const fn new() -> Self {
        Self(Reply::new(Encoding::Resp2))
    }

    /// Adds a command.
    pub(super) fn command(&mut self, args: &[&[u8]]) {
        self.0.array(args.len());
        args.iter().for_each(|arg| self.0.bulk(arg));
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A connection to the server.
pub(super) struct Target {
    stream: BufReader<TcpStream>,
    timeout: Duration,
}

impl Target {
    /// Connects. `within` is also how long each later step may take.
    pub(super) async fn connect(host: &[u8], port: &[u8], within: Duration) -> Result<Self, Error> {
        const FAILED: Error = Error::fixed("IOERR error or timeout connecting to the client");
        let host = std::str::from_utf8(host).map_err(|_| FAILED)?;
        // What is no port is none that anybody listens on.
        let port: u16 = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok()).unwrap_or(0);
        let connecting = async {
            let addresses: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(|_| FAILED)?.collect();
            // As in Redis, a refused connection shows when it is written to.
            TcpStream::connect(&addresses[..]).await.map_err(|_| Failure.writing())
        };
        let stream = timeout(within, connecting).await.map_err(|_| FAILED)??;
        // A small last packet is not to wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        Ok(Self { stream: BufReader::new(stream), timeout: within })
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for chunk in bytes.chunks(CHUNK) {
            let written = timeout(self.timeout, self.stream.get_mut().write_all(chunk)).await;
            let Ok(Ok(())) = written else { return Err(Failure) };
        }
        Ok(())
    }

    /// Reads a reply of one line: the error's text, if it is one.
    pub(super) async fn refusal(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_MAX);
        let read = timeout(self.timeout, limited.read_until(b'\n', &mut line)).await;
        let Ok(Ok(_)) = read else { return Err(Failure) };
        let Some(line) = line.strip_suffix(b"\n") else { return Err(Failure) };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(line.strip_prefix(b"-").map(<[u8]>::to_vec))
    }
}
