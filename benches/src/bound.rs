//! A server that parses requests, answers each with `+OK`, and does nothing else: what any server of this shape costs
//! at least.
//!
//! The shape is Moonshard's: I/O threads that are runtimes of one worker each, requests parsed in place and in batches,
//! one write for all replies to what one read brought.

use moonshard_protocol::{Encoding, Limits, Reply, RequestParser};
use std::io;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Bytes that a read buffer has room for, at least.
const READ_LEN: usize = 16 * 1024;
/// Requests parsed before they are answered.
const REQUESTS_MAX: usize = 64;
const LIMITS: Limits = Limits { bulk_len_max: 512 << 20, unauthenticated: false };

/// Serves on this port of 127.0.0.1, with so many I/O threads (0 for one a core), until the process is ended.
///
/// # Errors
/// When the port is taken, or the system has no thread or event queue to give.
pub fn serve(port: u16, io_threads: usize) -> io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = if io_threads == 0 { cores } else { io_threads };
    let threads = (0..count).map(io_thread).collect::<io::Result<Vec<_>>>()?;
    let Some(first) = threads.first() else { return Ok(()) };
    first.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        for thread in threads.iter().cycle() {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let stream = stream.into_std()?;
            thread.spawn(async move {
                // A client that goes away ends its connection and nothing else.
                if let Ok(stream) = TcpStream::from_std(stream) {
                    let _ = answer(stream).await;
                }
            });
        }
        Ok(())
    })
}

fn io_thread(index: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(format!("io-{index}"))
        .event_interval(31)
        .enable_all()
        .build()
}

/// Answers one client's requests until it goes.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut input = Vec::new();
    let mut parser = RequestParser::new();
    let mut reply = Reply::new(Encoding::Resp2);
    loop {
        input.reserve(READ_LEN);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        loop {
            parser.parse(&input, REQUESTS_MAX, LIMITS).map_err(|_| io::ErrorKind::InvalidData)?;
            let found = parser.len();
            for _ in 0..found {
                reply.ok();
            }
            let consumed = parser.consumed();
            parser.consume();
            if consumed == input.len() {
                input.clear();
            } else {
                input.drain(..consumed);
            }
            if found < REQUESTS_MAX {
                break;
            }
        }
        stream.write_all(reply.as_bytes()).await?;
        reply.buffer_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_answered_however_it_is_cut() {
        let runtime = io_thread(0).unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (served, _) = listener.accept().await.unwrap();
            let server = tokio::spawn(answer(served));
            let requests = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n".repeat(100);
            for piece in requests.chunks(999) {
                client.write_all(piece).await.unwrap();
            }
            let mut replies = vec![0; 200 * 5];
            client.read_exact(&mut replies).await.unwrap();
            assert_eq!(replies, b"+OK\r\n".repeat(200));
            drop(client);
            server.await.unwrap().unwrap();
        });
    }
}
