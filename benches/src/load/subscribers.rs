//! Clients that listen to a channel and throw away what they hear.

use super::client::{Client, VALUE_LEN};
use super::error::Error;
use super::stop;
use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the last message may take.
const WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(2);
const READ_LEN: usize = 256 * 1024;

/// Subscribers to one channel; they leave when this is dropped.
#[derive(Debug)]
pub struct Subscribers {
    channel: &'static str,
    heard: Arc<AtomicU64>,
    connections: Vec<(TcpStream, JoinHandle<()>)>,
}

impl Subscribers {
    /// Subscribes so many clients.
    ///
    /// # Errors
    /// When one cannot.
    pub fn new(port: u16, count: usize, channel: &'static str) -> Result<Self, Error> {
        let mut all = Self { channel, heard: Arc::default(), connections: Vec::new() };
        for _ in 0..count {
            let mut client = Client::connect(port)?;
            client.ask(&[b"SUBSCRIBE", channel.as_bytes()])?;
            let mut stream = client.into_stream();
            let ours = stream.try_clone().map_err(|error| Error::io("keep a subscriber", error))?;
            let heard = all.heard.clone();
            let listener = std::thread::spawn(move || {
                let mut buffer = vec![0; READ_LEN];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    heard.fetch_add(read as u64, Relaxed);
                }
            });
            all.connections.push((ours, listener));
        }
        Ok(all)
    }

    /// Waits until all of them have heard so many messages.
    ///
    /// # Errors
    /// When messages are missing.
    pub fn have_heard(&self, messages: u64) -> Result<(), Error> {
        let message = format!(
            "*3\r\n$7\r\nmessage\r\n${}\r\n{}\r\n${VALUE_LEN}\r\n{}\r\n",
            self.channel.len(),
            self.channel,
            "x".repeat(VALUE_LEN)
        );
        let due = messages * (message.len() * self.connections.len()) as u64;
        let deadline = Instant::now() + WITHIN;
        while self.heard.load(Relaxed) < due {
            stop::check()?;
            if Instant::now() > deadline {
                let heard = self.heard.load(Relaxed);
                return Err(Error::Program(format!("subscribers heard {heard} of {due} bytes")));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        for (stream, listener) in self.connections.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = listener.join();
        }
    }
}
