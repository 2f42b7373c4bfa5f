//! `moonshard ping`: asks a running server how it is, for health probes in images that hold nothing but this binary.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
Usage: moonshard ping [--host HOST] [--port PORT] [--password-file FILE] [--ready] [--timeout-ms MILLISECONDS]

Sends PING to a server (127.0.0.1:6379 unless told otherwise) and exits with
  0  when it is alive: it says PONG, or why it cannot now (it is loading, busy,
     wants a password, ...); with --ready only when it says PONG
  1  when it is not
  2  when the arguments make no sense

FILE holds the password on its first line, or is a configuration file with a
line `requirepass PASSWORD`.";

const HOST: &str = "127.0.0.1";
const PORT: u16 = 6379;
const TIMEOUT: Duration = Duration::from_secs(3);
/// No reply to AUTH or PING is nearly as long; a longer one is not from a server of this protocol.
const REPLY_LEN_MAX: usize = 4096;

/// Errors of a server that lives and cannot serve everybody now. A restart would heal none of them, and cost the data
/// in memory.
const ALIVE: [&str; 6] =
    ["LOADING ", "BUSY ", "MASTERDOWN ", "MISCONF ", "NOAUTH ", "ERR max number of clients reached"];

/// Runs the subcommand with the arguments that follow its name. Prints the server's answer, or what is wrong.
pub fn run(args: impl Iterator<Item = String>) -> ExitCode {
    let probe = match Probe::from_args(args) {
        Ok(Some(probe)) => probe,
        Ok(None) => return finish(io::stdout(), USAGE, 0),
        Err(wrong) => return finish(io::stderr(), &format!("{wrong}\n{USAGE}"), 2),
    };
    match probe.ask() {
        Ok(answer) => finish(io::stdout(), &answer, 0),
        Err(failure) => finish(io::stderr(), &failure.to_string(), 1),
    }
}

/// The exit code counts, whether anybody reads the text or not.
fn finish(mut to: impl Write, text: &str, code: u8) -> ExitCode {
    let _ = writeln!(to, "{text}");
    ExitCode::from(code)
}

/// What to ask whom.
#[derive(Debug, PartialEq, Eq)]
struct Probe {
    host: String,
    port: u16,
    password_file: Option<String>,
    ready: bool,
    timeout: Duration,
}

/// Why a server counts as down.
#[derive(Debug)]
enum Failure {
    PasswordFile(String, io::Error),
    Unreachable(io::Error),
    NoReply(io::Error),
    Reply(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PasswordFile(file, error) => write!(f, "cannot read the password from {file}: {error}"),
            Self::Unreachable(error) => write!(f, "cannot connect: {error}"),
            Self::NoReply(error) => write!(f, "no reply: {error}"),
            Self::Reply(line) => f.write_str(line),
        }
    }
}

impl Probe {
    /// Reads the arguments; none when help is wanted.
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut probe =
            Self { host: HOST.to_owned(), port: PORT, password_file: None, ready: false, timeout: TIMEOUT };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--host" => probe.host = value()?,
                "--port" => probe.port = number(&arg, &value()?)?,
                "--password-file" => probe.password_file = Some(value()?),
                "--ready" => probe.ready = true,
                "--timeout-ms" => {
                    let timeout_ms: u32 = number(&arg, &value()?)?;
                    probe.timeout = Duration::from_millis(timeout_ms.max(1).into());
                }
                "--help" => return Ok(None),
                _ => return Err(format!("unknown argument {arg}")),
            }
        }
        Ok(Some(probe))
    }

    /// The server's answer, if it is good enough.
    fn ask(&self) -> Result<String, Failure> {
        let deadline = Instant::now() + self.timeout;
        let password = match &self.password_file {
            Some(file) => {
                Some(password_from(file).map_err(|error| Failure::PasswordFile(file.clone(), error))?)
            }
            None => None,
        };
        let stream = self.connect(deadline).map_err(Failure::Unreachable)?;
        let reply = exchange(stream, password.as_deref(), deadline).map_err(Failure::NoReply)?;
        match reply.strip_prefix('-') {
            _ if reply == "+PONG" => Ok("PONG".to_owned()),
            Some(error) if !self.ready && ALIVE.iter().any(|alive| error.starts_with(alive)) => {
                Ok(error.to_owned())
            }
            other => Err(Failure::Reply(other.unwrap_or(&reply).to_owned())),
        }
    }

    fn connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{name} takes a number, not {text}"))
}

/// The time until the deadline; an error when there is none.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Sends AUTH (with a password) and PING; the last line that comes back.
fn exchange(mut stream: TcpStream, password: Option<&[u8]>, deadline: Instant) -> io::Result<String> {
    let mut request = Vec::new();
    if let Some(password) = password {
        request.extend_from_slice(format!("*2\r\n$4\r\nAUTH\r\n${}\r\n", password.len()).as_bytes());
        request.extend_from_slice(password);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    stream.set_write_timeout(Some(left(deadline)?))?;
    // A server that is full answers and closes before it has read this: its answer counts.
    let sent = stream.write_all(&request);
    let lines = read_lines(&mut stream, 1 + usize::from(password.is_some()), deadline);
    match (lines, sent) {
        (Ok(line), _) => Ok(line),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

/// Reads so many lines, or fewer if the server closes or resets the connection after at least one. The last one.
fn read_lines(stream: &mut TcpStream, count: usize, deadline: Instant) -> io::Result<String> {
    let mut received = Vec::new();
    let mut chunk = [0; 512];
    while newlines(&received) < count {
        if received.len() > REPLY_LEN_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "that is no reply to PING"));
        }
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut chunk) {
            Ok(0) if newlines(&received) == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(read) => received.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(_) if newlines(&received) > 0 => break,
            Err(error) => return Err(error),
        }
    }
    let text = String::from_utf8_lossy(&received);
    Ok(text.trim_end().rsplit("\r\n").next().unwrap_or_default().to_owned())
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

/// The password in a file: the value of its line `requirepass`, or else its first line.
fn password_from(file: &str) -> io::Result<Vec<u8>> {
    let content = fs::read(file)?;
    let lines = || content.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let configured = lines().filter_map(requirepass).next_back();
    Ok(configured.unwrap_or_else(|| lines().next().unwrap_or_default().to_vec()))
}

/// The value of a line `requirepass VALUE` of a configuration file, where the value may stand in quotes.
fn requirepass(line: &[u8]) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"requirepass";
    let line = line.trim_ascii();
    let (name, rest) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) || !rest.first()?.is_ascii_whitespace() {
        return None;
    }
    let value = rest.trim_ascii_start();
    Some(match value {
        [b'"', inside @ .., b'"'] => unescape(inside),
        [b'\'', inside @ .., b'\''] => inside.to_vec(),
        _ => value.to_vec(),
    })
}

/// The escapes of a double-quoted argument: `\n`, `\r`, `\t`, `\b`, `\a`, `\xHH`; any other character stands for itself.
fn unescape(inside: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(inside.len());
    let mut rest = inside;
    loop {
        rest = match rest {
            [] => return value,
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                value.push(hex(*high) << 4 | hex(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                value.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                tail
            }
            [plain, tail @ ..] => {
                value.push(*plain);
                tail
            }
        };
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    fn probe(args: &[&str]) -> Result<Option<Probe>, String> {
        Probe::from_args(args.iter().map(|arg| (*arg).to_owned()))
    }

    /// A server for one connection: says this at once or after the request, and returns the request.
    fn server(reply: &'static str, at_once: bool) -> (u16, JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            if at_once {
                stream.write_all(reply.as_bytes()).unwrap();
                return Vec::new();
            }
            let mut request = Vec::new();
            let mut chunk = [0; 64];
            while !request.ends_with(b"PING\r\n") {
                let read = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..read]);
            }
            stream.write_all(reply.as_bytes()).unwrap();
            request
        });
        (port, serve)
    }

    fn ask(reply: &'static str, more: &[&str]) -> (Result<String, String>, Vec<u8>) {
        let (port, serve) = server(reply, false);
        let port = port.to_string();
        let args = [&["--port", &port], more].concat();
        let answer = probe(&args).unwrap().unwrap().ask().map_err(|failure| failure.to_string());
        (answer, serve.join().unwrap())
    }

    fn file_with(name: &str, content: &str) -> String {
        let path = std::env::temp_dir().join(format!("moonshard-ping-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn arguments_are_read_and_checked() {
        let default = probe(&[]).unwrap().unwrap();
        assert_eq!((default.host.as_str(), default.port, default.ready), ("127.0.0.1", 6379, false));
        let all =
            probe(&["--host", "::1", "--port", "7", "--ready", "--timeout-ms", "50", "--password-file", "f"]);
        let expected = Probe {
            host: "::1".to_owned(),
            port: 7,
            password_file: Some("f".to_owned()),
            ready: true,
            timeout: Duration::from_millis(50),
        };
        assert_eq!(all, Ok(Some(expected)));
        assert_eq!(probe(&["--help"]), Ok(None));
        assert_eq!(probe(&["--port"]), Err("--port needs a value".to_owned()));
        assert_eq!(probe(&["--port", "70000"]), Err("--port takes a number, not 70000".to_owned()));
        assert_eq!(probe(&["--live"]), Err("unknown argument --live".to_owned()));
    }

    #[test]
    fn only_pong_is_ready_and_known_errors_are_alive() {
        assert_eq!(ask("+PONG\r\n", &[]), (Ok("PONG".to_owned()), b"*1\r\n$4\r\nPING\r\n".to_vec()));
        assert_eq!(ask("+PONG\r\n", &["--ready"]).0, Ok("PONG".to_owned()));
        for error in [
            "-LOADING Redis is loading the dataset in memory\r\n",
            "-BUSY Redis is busy running a script.\r\n",
            "-MASTERDOWN Link with MASTER is down\r\n",
            "-MISCONF Errors writing to the AOF file\r\n",
            "-NOAUTH Authentication required.\r\n",
        ] {
            let text = error.trim_end().trim_start_matches('-').to_owned();
            assert_eq!(ask(error, &[]).0, Ok(text.clone()));
            assert_eq!(ask(error, &["--ready"]).0, Err(text));
        }
        assert_eq!(ask("-ERR unknown command\r\n", &[]).0, Err("ERR unknown command".to_owned()));
        assert_eq!(ask("HTTP/1.1 400 Bad Request\r\n", &[]).0, Err("HTTP/1.1 400 Bad Request".to_owned()));
    }

    #[test]
    fn the_password_is_sent_first_and_only_the_reply_to_ping_counts() {
        let file = file_with("plain", "s3 cret\n");
        let (answer, request) = ask("+OK\r\n+PONG\r\n", &["--ready", "--password-file", &file]);
        assert_eq!(answer, Ok("PONG".to_owned()));
        assert_eq!(request, b"*2\r\n$4\r\nAUTH\r\n$7\r\ns3 cret\r\n*1\r\n$4\r\nPING\r\n");
        let wrong = "-WRONGPASS invalid username-password pair\r\n-NOAUTH Authentication required.\r\n";
        assert!(ask(wrong, &["--password-file", &file]).0.is_ok());
        assert!(ask(wrong, &["--ready", "--password-file", &file]).0.is_err());
        fs::remove_file(&file).unwrap();
        assert!(probe(&["--password-file", &file]).unwrap().unwrap().ask().is_err());
    }

    #[test]
    fn the_password_may_stand_in_a_configuration_file() {
        for (content, password) in [
            ("plain", "plain"),
            ("plain\r\nmore", "plain"),
            ("# requirepass no\nrequirepass  yes \n", "yes"),
            ("RequirePass 'a b'\n", "a b"),
            ("requirepass old\nrequirepass \"a\\\"b\\x41\\n\"\n", "a\"bA\n"),
            ("requirepassword\n", "requirepassword"),
        ] {
            let file = file_with("conf", content);
            assert_eq!(password_from(&file).unwrap(), password.as_bytes(), "{content:?}");
            fs::remove_file(&file).unwrap();
        }
    }

    #[test]
    fn a_full_server_is_alive_and_not_ready() {
        for (ready, expected) in [(false, true), (true, false)] {
            let (port, serve) = server("-ERR max number of clients reached\r\n", true);
            let mut probe = probe(&["--port", &port.to_string()]).unwrap().unwrap();
            probe.ready = ready;
            assert_eq!(probe.ask().is_ok(), expected);
            serve.join().unwrap();
        }
    }

    #[test]
    fn a_silent_or_absent_server_is_down() {
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let silent = probe(&["--port", &port, "--timeout-ms", "30"]).unwrap().unwrap();
        assert!(matches!(silent.ask(), Err(Failure::NoReply(_))));
        // A port that no test is given, unlike one that was just free.
        let absent = probe(&["--port", "1", "--timeout-ms", "30"]).unwrap().unwrap();
        assert!(matches!(absent.ask(), Err(Failure::Unreachable(_))));
    }
}
