//! What the suite's client and its test server say to each other: a length on a line of its own, then a Tcl list.

use std::io::{self, BufRead, Write};

/// One message of the suite's client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What happened: `ready`, `testing`, `ok`, `err`, `skip`, `ignore`, `exception`, `done`.
    pub status: String,
    /// To what: mostly the name of a test, for errors with all that is to be said about them.
    pub data: String,
}

impl Packet {
    /// Reads one.
    ///
    /// # Errors
    /// `UnexpectedEof` when the client is gone, a time-out as the stream has it, `InvalidData` for anything else.
    pub fn read(from: &mut impl BufRead) -> io::Result<Packet> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {line:?}"));
        let len = line.trim().parse().map_err(|_| wrong("no length of a packet"))?;
        let mut payload = vec![0; len];
        from.read_exact(&mut payload)?;
        let mut words = words(&String::from_utf8_lossy(&payload)).into_iter();
        match (words.next(), words.next()) {
            (Some(status), Some(data)) => Ok(Packet { status, data }),
            _ => Err(wrong("a packet without status and data")),
        }
    }
}

/// Tells the client to run a file of the suite, e.g. `unit/scan`.
///
/// # Errors
/// What the socket says.
pub fn send_run(to: &mut impl Write, file: &str) -> io::Result<()> {
    let payload = format!("run {file}");
    write!(to, "{}\n{payload}", payload.len())
}

/// The elements of a Tcl list.
fn words(list: &str) -> Vec<String> {
    let mut rest = list.chars().peekable();
    let mut found = Vec::new();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = rest.next() else { return found };
        let mut word = String::new();
        match first {
            '{' => {
                let mut depth = 1;
                while let Some(c) = rest.next() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        '\\' => {
                            word.push(c);
                            word.extend(rest.next());
                            continue;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                    word.push(c);
                }
            }
            '"' => {
                while let Some(c) = rest.next_if(|c| *c != '"') {
                    word.push(if c == '\\' { unescaped(rest.next()) } else { c });
                }
                rest.next();
            }
            first => {
                word.push(if first == '\\' { unescaped(rest.next()) } else { first });
                while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
                    word.push(if c == '\\' { unescaped(rest.next()) } else { c });
                }
            }
        }
        found.push(word);
    }
}

/// What a backslash and this character stand for.
fn unescaped(c: Option<char>) -> char {
    match c {
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\x0b',
        Some('f') => '\x0c',
        Some(c) => c,
        None => '\\',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_tcl_writes_them() {
        assert_eq!(words("ok {PING  me} 12"), ["ok", "PING  me", "12"]);
        assert_eq!(words(r"err {a {b} \{ c} 0"), ["err", r"a {b} \{ c", "0"]);
        assert_eq!(words(r"skip one\ brace\{\n {} "), ["skip", "one brace{\n", ""]);
        assert_eq!(words(r#"ok "a \" b" c"#), ["ok", "a \" b", "c"]);
        assert!(words(" \n").is_empty());
    }

    #[test]
    fn packets_come_one_after_the_other() {
        let mut bytes = &b"9\nok {a b}\n6\ndone c"[..];
        let packet = |status: &str, data: &str| Packet { status: status.into(), data: data.into() };
        assert_eq!(Packet::read(&mut bytes).unwrap(), packet("ok", "a b"));
        assert_eq!(Packet::read(&mut bytes).unwrap(), packet("done", "c"));
        assert_eq!(Packet::read(&mut bytes).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(Packet::read(&mut &b"x\n"[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(Packet::read(&mut &b"4\ndone"[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
