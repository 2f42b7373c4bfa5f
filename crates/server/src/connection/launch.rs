//! Starts a connection on an I/O thread, and moves it to another when it is dealt anew.

use super::{Connection, End};
use crate::clients::Client;
use crate::runtime::IoPool;
use crate::server::Server;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A stream that can leave one event loop for another.
pub trait Movable: AsyncRead + AsyncWrite + Unpin + Send + Sized + 'static {
    /// The stream between two event loops.
    type Plain: Send + 'static;

    /// Leaves the event loop.
    ///
    /// # Errors
    /// The system's.
    fn leave(self) -> io::Result<Self::Plain>;

    /// Joins the event loop of the calling task.
    ///
    /// # Errors
    /// The system's.
    fn join(plain: Self::Plain) -> io::Result<Self>;
}

impl Movable for TcpStream {
    type Plain = std::net::TcpStream;

    fn leave(self) -> io::Result<Self::Plain> {
        self.into_std()
    }

    fn join(plain: Self::Plain) -> io::Result<Self> {
        Self::from_std(plain)
    }
}

impl Movable for UnixStream {
    type Plain = std::os::unix::net::UnixStream;

    fn leave(self) -> io::Result<Self::Plain> {
        self.into_std()
    }

    fn join(plain: Self::Plain) -> io::Result<Self> {
        Self::from_std(plain)
    }
}

/// Takes the client out of the server's lists when its connection ends, however it ends.
pub struct Registration {
    server: Arc<Server>,
    id: u64,
}

impl Registration {
    fn new(server: &Arc<Server>, client: &Arc<Client>) -> Self {
        server.clients.add(client.clone());
        Self { server: server.clone(), id: client.id }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.server.monitors.remove(self.id);
        self.server.clients.remove(self.id);
    }
}

/// Starts the connection of a new client over a stream that is in no event loop yet.
pub fn launch<S: Movable>(server: &Arc<Server>, pool: &Arc<IoPool>, client: Arc<Client>, stream: S::Plain) {
    let registration = Registration::new(server, &client);
    let connection = Connection::new(server.clone(), stream, client, registration);
    land::<S>(pool.clone(), pool.roomiest(), connection);
}

/// Goes on with a connection on an I/O thread, until it ends or moves on.
fn land<S: Movable>(pool: Arc<IoPool>, thread: usize, connection: Connection<S::Plain>) {
    connection.session.client.io_thread.store(thread, Relaxed);
    pool.clone().spawn_connection(thread, move || async move {
        let outcome = match connection.with_stream(S::join) {
            Ok(connection) => connection.serve(thread).await,
            Err(error) => return tracing::warn!(%error, "a connection could not be served"),
        };
        let End::Moving(connection) = outcome else { return };
        let target = connection.session.client.io_thread.load(Relaxed).min(pool.len() - 1);
        match connection.with_stream(S::leave) {
            Ok(connection) => land::<S>(pool, target, connection),
            Err(error) => tracing::warn!(%error, "a connection could not move to another I/O thread"),
        }
    });
}
