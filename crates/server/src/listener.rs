//! Listens, and makes connections of what comes.

use crate::clients::{Client, flag};
use crate::config::Settings;
use crate::connection::launch;
use crate::runtime::{IoPool, IoThreads};
use crate::server::{Server, unix_ms};
use parking_lot::Mutex;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;

/// What is listened on.
pub struct Listeners {
    tcp: Vec<std::net::TcpListener>,
    unix: Option<std::os::unix::net::UnixListener>,
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address cannot be listened on.
    #[error("could not create server TCP listening socket {address}: {source}")]
    Tcp {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The Unix socket cannot be listened on.
    #[error("failed opening Unix socket {path}: {source}")]
    Unix {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Neither a port nor a Unix socket is configured.
    #[error("configured to not listen anywhere, exiting")]
    Nowhere,
}

impl Listeners {
    /// Listens on every address of the configuration. An address after a minus may fail; the others may not.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn bind(settings: &Settings) -> Result<Self, ListenError> {
        let tcp = bind_tcp(settings)?;
        let unix = match &settings.unixsocket {
            Some(path) => Some(listen_unix(&String::from_utf8_lossy(path), settings.unixsocketperm)?),
            None => None,
        };
        if tcp.is_empty() && unix.is_none() {
            return Err(ListenError::Nowhere);
        }
        Ok(Self { tcp, unix })
    }

    /// The TCP addresses that are listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Starts to accept, on the first I/O thread.
    pub fn accept(self, server: &Arc<Server>, threads: &Arc<IoThreads>) {
        let tcp = accept_all(self.tcp, server, threads);
        *server.listening.0.lock() = Some(Active { tcp, threads: Arc::downgrade(threads) });
        if let Some(listener) = self.unix {
            let (server, pool) = (server.clone(), threads.pool().clone());
            threads.spawn(async move { accept_unix(listener, server, pool).await });
        }
    }
}

/// Listens on every TCP address of the configuration.
fn bind_tcp(settings: &Settings) -> Result<Vec<std::net::TcpListener>, ListenError> {
    let mut tcp = Vec::new();
    if settings.port == 0 {
        return Ok(tcp);
    }
    for address in &settings.bind.0 {
        let (optional, host) = match address.strip_prefix('-') {
            Some(host) => (true, host),
            None => (false, address.as_str()),
        };
        match listen_tcp(host, settings.port, settings.tcp_backlog as i32) {
            Ok(listener) => tcp.push(listener),
            Err(error) if optional => {
                tracing::debug!(address, %error, "not listening on an optional address")
            }
            Err(source) => {
                let address = format!("{host}:{}", settings.port);
                return Err(ListenError::Tcp { address, source });
            }
        }
    }
    Ok(tcp)
}

/// A socket that is accepted on, and the task that does so.
struct Accepting {
    socket: Socket,
    task: AbortHandle,
}

struct Active {
    tcp: Vec<Accepting>,
    threads: Weak<IoThreads>,
}

/// The TCP sockets that are accepted on at present.
#[derive(Default)]
pub struct Listening(Mutex<Option<Active>>);

impl Listening {
    /// Listens on the addresses and the port of `settings` instead of the present ones; connections stay. When that
    /// fails the present ones go on.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn change(&self, server: &Arc<Server>, settings: &Settings) -> Result<(), ListenError> {
        let mut active = self.0.lock();
        let Some(active) = active.as_mut() else { return Ok(()) };
        let Some(threads) = active.threads.upgrade() else { return Ok(()) };
        // The new addresses may cover the old ones, so these have to be given up first.
        for old in &active.tcp {
            let _ = old.socket.shutdown(std::net::Shutdown::Both);
        }
        let tcp = match bind_tcp(settings) {
            Ok(tcp) => tcp,
            Err(error) => {
                for old in &active.tcp {
                    if let Err(error) = old.socket.listen(settings.tcp_backlog as i32) {
                        tracing::error!(%error, "cannot go on listening");
                    }
                }
                return Err(error);
            }
        };
        for old in &active.tcp {
            old.task.abort();
        }
        active.tcp = accept_all(tcp, server, &threads);
        Ok(())
    }
}

/// Starts to accept on the sockets.
fn accept_all(
    listeners: Vec<std::net::TcpListener>,
    server: &Arc<Server>,
    threads: &Arc<IoThreads>,
) -> Vec<Accepting> {
    let accept = |listener: std::net::TcpListener| {
        let socket = match listener.try_clone() {
            Ok(socket) => Socket::from(socket),
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                return None;
            }
        };
        let (server, pool) = (server.clone(), threads.pool().clone());
        let task = threads.spawn(async move { accept_tcp(listener, server, pool).await });
        Some(Accepting { socket, task })
    };
    listeners.into_iter().filter_map(accept).collect()
}

fn listen_tcp(host: &str, port: u16, backlog: i32) -> io::Result<std::net::TcpListener> {
    // `*` and `::*` are Redis' way to say all addresses.
    let host = match host {
        "*" => "0.0.0.0",
        "::*" => "::",
        other => other,
    };
    let address = (host, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn listen_unix(path: &str, permissions: u32) -> Result<std::os::unix::net::UnixListener, ListenError> {
    let bind = || {
        if Path::new(path).exists() {
            std::fs::remove_file(path)?;
        }
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        if permissions != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(permissions))?;
        }
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|source| ListenError::Unix { path: path.to_owned(), source })
}

/// How long the listener rests after an error, such as too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(50);

async fn accept_tcp(listener: std::net::TcpListener, server: Arc<Server>, pool: Arc<IoPool>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot accept connections"),
    };
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => greet_tcp(stream, &server, &pool),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

fn greet_tcp(stream: std::net::TcpStream, server: &Arc<Server>, pool: &Arc<IoPool>) {
    let settings = server.config.load_full();
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    if let Err(error) = admit(server, &settings, Some(peer.ip())) {
        return refuse(server, stream, error);
    }
    let _ = stream.set_nodelay(true);
    if settings.tcp_keepalive > 0 {
        let seconds = Duration::from_secs(u64::from(settings.tcp_keepalive));
        let keepalive =
            TcpKeepalive::new().with_time(seconds).with_interval((seconds / 3).max(Duration::from_secs(1)));
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive.with_retries(3));
    }
    let id = server.clients.next_id();
    let mut client = Client::new(id, peer.to_string(), local.to_string(), stream.as_raw_fd(), unix_ms());
    client.local_ip = Some(local);
    server.stats.connections.fetch_add(1, Relaxed);
    launch::<TcpStream>(server, pool, Arc::new(client), stream);
}

async fn accept_unix(listener: std::os::unix::net::UnixListener, server: Arc<Server>, pool: Arc<IoPool>) {
    let listener = match tokio::net::UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot accept connections"),
    };
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => greet_unix(stream, &server, &pool),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

fn greet_unix(stream: std::os::unix::net::UnixStream, server: &Arc<Server>, pool: &Arc<IoPool>) {
    let settings = server.config.load_full();
    if let Err(error) = admit(server, &settings, None) {
        return refuse(server, stream, error);
    }
    let path = settings.unixsocket.as_deref().map(|path| String::from_utf8_lossy(path).into_owned());
    let address = format!("{}:0", path.unwrap_or_default());
    let id = server.clients.next_id();
    let client = Client::new(id, address.clone(), address, stream.as_raw_fd(), unix_ms());
    client.set_flag(flag::UNIX_SOCKET, true);
    server.stats.connections.fetch_add(1, Relaxed);
    launch::<UnixStream>(server, pool, Arc::new(client), stream);
}

const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";
const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password \
is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to \
connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode \
sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same \
host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG \
REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis \
configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started \
the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication \
password for the default user. NOTE: You only need to do one of the above things in order for the server to start \
accepting connections from the outside.\r\n";

/// Whether another client may connect, from this address or over the Unix socket.
fn admit(server: &Server, settings: &Settings, peer: Option<IpAddr>) -> Result<(), &'static [u8]> {
    if server.clients.len() >= settings.maxclients as usize {
        return Err(TOO_MANY);
    }
    let local = peer.is_none_or(|ip| ip.to_canonical().is_loopback());
    if settings.protected_mode && !local && server.acl.default_account().user.needs_no_password() {
        return Err(PROTECTED);
    }
    Ok(())
}

/// Tells a client why it cannot connect. If it does not read at once, it is not told.
fn refuse(server: &Server, mut stream: impl io::Write, error: &[u8]) {
    server.stats.rejected_connections.fetch_add(1, Relaxed);
    let _ = stream.write(error);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use moonshard_engine::Rng;

    fn admitted(config: &str, peer: Option<&str>) -> Result<(), &'static [u8]> {
        let text = format!("shards 1\n{config}");
        let server = Server::new(Config::from_text(text.as_bytes()).unwrap().config, Rng::new(1));
        let settings = server.config.load_full();
        admit(&server, &settings, peer.map(|ip| ip.parse().unwrap()))
    }

    #[test]
    fn protected_mode_admits_this_host_only() {
        for local in [None, Some("127.0.0.1"), Some("127.8.8.8"), Some("::1"), Some("::ffff:127.0.0.1")] {
            assert_eq!(admitted("", local), Ok(()), "{local:?}");
        }
        for remote in ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "0.0.0.0"] {
            assert_eq!(admitted("", Some(remote)), Err(PROTECTED), "{remote}");
            assert_eq!(admitted("protected-mode no", Some(remote)), Ok(()), "{remote}");
            assert_eq!(admitted("requirepass secret", Some(remote)), Ok(()), "{remote}");
            assert_eq!(admitted("requirepass \"\"", Some(remote)), Err(PROTECTED), "{remote}");
        }
    }
}
