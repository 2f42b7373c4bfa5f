//! Splits a line of text into arguments, and quotes them: inline commands, lines of the configuration file, of the
//! append-only log's manifest, `redis.conf` values.

/// The arguments of `line`, or `None` when its quotes are unbalanced or a closing quote is not followed by a blank.
///
/// Blanks separate arguments. In `"double quotes"` the escapes `\n \r \t \b \a \xhh` stand for their bytes and `\`
/// before anything else for that byte; in `'single quotes'` only `\'` is special. A NUL byte ends the line. A blank
/// line has no arguments. Linear in the length of the line; one allocation an argument.
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut args = Vec::new();
    let mut at = 0;
    loop {
        while at < line.len() && is_space(line[at]) {
            at += 1;
        }
        if at == line.len() {
            return Some(args);
        }
        let (arg, end) = argument(line, at)?;
        args.push(arg);
        at = end;
    }
}

/// Writes `text` in double quotes, so that [`split_args`] reads it back. Linear in its length.
pub fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

/// Whether `text` has to be [quoted](quote) to come back as one argument. Redis decides it likewise, but for single
/// quotes, which it leaves bare and then cannot read.
pub fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty()
        || text.iter().any(|byte| matches!(byte, b'\\' | b'"' | b'\'') || !byte.is_ascii_graphic())
}

/// Takes one argument from `at` on, and says where it ends.
fn argument(line: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut arg = Vec::new();
    while let Some(&byte) = line.get(at) {
        match byte {
            // Vertical tabs and form feeds are blanks between arguments but not inside one, as in Redis.
            b' ' | b'\n' | b'\r' | b'\t' => break,
            // A closing quote ends the argument: `a"b"` is one, and `"a"b` is an error.
            b'"' => return double_quoted(line, at + 1, arg),
            b'\'' => return single_quoted(line, at + 1, arg),
            _ => arg.push(byte),
        }
        at += 1;
    }
    Some((arg, at))
}

fn double_quoted(line: &[u8], mut at: usize, mut arg: Vec<u8>) -> Option<(Vec<u8>, usize)> {
    loop {
        match *line.get(at..)? {
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                arg.push(hex(high) * 16 + hex(low));
                at += 4;
            }
            [b'\\', escaped, ..] => {
                arg.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
                at += 2;
            }
            [b'"', ..] => return closed(line, at + 1, arg),
            [byte, ..] => {
                arg.push(byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, mut arg: Vec<u8>) -> Option<(Vec<u8>, usize)> {
    loop {
        match *line.get(at..)? {
            [b'\\', b'\'', ..] => {
                arg.push(b'\'');
                at += 2;
            }
            [b'\'', ..] => return closed(line, at + 1, arg),
            [byte, ..] => {
                arg.push(byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

/// After a closing quote there must be a blank or nothing.
fn closed(line: &[u8], at: usize, arg: Vec<u8>) -> Option<(Vec<u8>, usize)> {
    line.get(at).is_none_or(|&byte| is_space(byte)).then_some((arg, at))
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::{needs_quotes, quote, split_args};
    use proptest::prelude::*;

    fn split(line: &str) -> Option<Vec<String>> {
        let args = split_args(line.as_bytes())?;
        Some(args.into_iter().map(|arg| arg.iter().map(|&byte| char::from(byte)).collect()).collect())
    }

    #[test]
    fn splits_at_blanks() {
        for (line, args) in [
            ("", &[][..]),
            ("  \t\r\n\x0b", &[]),
            ("get foo", &["get", "foo"]),
            ("  set\tk  v \r\n", &["set", "k", "v"]),
            ("a\x0bb c", &["a\x0bb", "c"]),
            ("one\0two", &["one"]),
        ] {
            assert_eq!(split(line).unwrap(), args, "{line:?}");
        }
    }

    #[test]
    fn quotes_and_escapes() {
        for (line, args) in [
            (r#"set k "a b""#, &["set", "k", "a b"][..]),
            (r#""" ''"#, &["", ""]),
            (r#"a"b c""#, &["ab c"]),
            (r#""\n\r\t\b\a\\\"\q""#, &["\n\r\t\x08\x07\\\"q"]),
            (r#""\x41\xfF\xg1""#, &["A\u{ff}xg1"]),
            (r#"'a\'b\n'"#, &["a'b\\n"]),
            (r"a\ b", &["a\\", "b"]),
            ("\"a\"\x0b'b'", &["a", "b"]),
        ] {
            assert_eq!(split(line).unwrap(), args, "{line:?}");
        }
    }

    #[test]
    fn unbalanced_quotes() {
        for line in [r#""a"#, "'a", r#""a"b"#, "'a'b", r#"x "a\"#, r#"x "a\""#, "a \"b\0\"", "'a''b'"] {
            assert_eq!(split(line), None, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn quoted_bytes_come_back(args in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6)) {
            let escaped = |arg: &Vec<u8>| {
                let body: String = arg.iter().map(|byte| format!("\\x{byte:02x}")).collect();
                format!("\"{body}\"")
            };
            let line = args.iter().map(escaped).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(split_args(line.as_bytes()), Some(args.clone()));
            let mut line = Vec::new();
            for arg in &args {
                if needs_quotes(arg) { quote(arg, &mut line) } else { line.extend(arg) }
                line.push(b' ');
            }
            prop_assert_eq!(split_args(&line), Some(args));
        }

        #[test]
        fn never_panics(line in proptest::collection::vec(any::<u8>(), 0..40)) {
            split_args(&line);
        }
    }
}
