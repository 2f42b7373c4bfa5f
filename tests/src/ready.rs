//! Waiting until a server that was started is ready.

use std::io;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::resp::Client;
use crate::waiting::WITHIN;

/// Waits until a server answers a client's PING and has loaded its data.
///
/// # Errors
/// That it ended or does not answer in time.
pub fn wait_until_ready(child: &mut Child, connect: impl Fn() -> io::Result<Client>) -> Result<(), String> {
    wait_until_it_says(child, connect, |reply| !reply.starts_with(b"-LOADING"))
}

/// Waits until what a server answers to PING is as expected.
///
/// # Errors
/// That it ended or does not answer so in time.
pub fn wait_until_it_says(
    child: &mut Child,
    connect: impl Fn() -> io::Result<Client>,
    is_expected: impl Fn(&[u8]) -> bool,
) -> Result<(), String> {
    let deadline = Instant::now() + WITHIN;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("the server ended at once ({status})"));
        }
        if let Ok(mut client) = connect()
            && let Ok(reply) = client.command(&["PING"])
            && is_expected(&reply.raw)
        {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err("the server does not answer".to_owned())
}
