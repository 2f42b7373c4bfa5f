//! What a text or a switch must satisfy beyond its kind. The errors are those of Redis.

use super::directive::Taken;

/// Longest host name, with the NUL byte that C puts behind it.
const HOST_LEN_MAX: usize = 256;

pub(super) fn no_defragmentation(on: bool) -> Taken {
    if on {
        return Err(
            "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified \
                    Jemalloc like the one shipped by default with the Redis source distribution"
                .into(),
        );
    }
    Ok(())
}

pub(super) fn dbfilename(name: &[u8]) -> Taken {
    base_name(name, "dbfilename can't be a path, just a filename")
}

pub(super) fn appendfilename(name: &[u8]) -> Taken {
    not_empty(name, "appendfilename can't be empty")?;
    base_name(name, "appendfilename can't be a path, just a filename")
}

pub(super) fn appenddirname(name: &[u8]) -> Taken {
    not_empty(name, "appenddirname can't be empty")?;
    base_name(name, "appenddirname can't be a path, just a dirname")
}

pub(super) fn hostname(name: &[u8]) -> Taken {
    if name.len() >= HOST_LEN_MAX {
        return Err("Hostnames must be less than 256 characters".into());
    }
    if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into());
    }
    Ok(())
}

/// The template must not come out empty for a server without a title, and use known variables only.
pub(super) fn proc_title(template: &[u8]) -> Taken {
    let known: [&[u8]; 7] =
        [b"title", b"listen-addr", b"server-mode", b"port", b"tls-port", b"unixsocket", b"config-file"];
    let mut rest = template;
    let mut written = false;
    let refusal = || Err("template format is invalid or contains unknown variables".into());
    while let Some(open) = rest.iter().position(|&byte| byte == b'{') {
        written |= has_ink(&rest[..open]);
        rest = &rest[open + 1..];
        if let Some(tail) = rest.strip_prefix(b"{") {
            (rest, written) = (tail, true);
            continue;
        }
        let Some(close) = rest.iter().position(|&byte| byte == b'}') else { return refusal() };
        if !known.contains(&&rest[..close]) {
            return refusal();
        }
        // Of the variables only these are never empty.
        written |= matches!(&rest[..close], b"listen-addr" | b"port" | b"tls-port" | b"config-file");
        rest = &rest[close + 1..];
    }
    if written || has_ink(rest) { Ok(()) } else { refusal() }
}

/// Blanks at both ends of a title are cut off, so a template of blanks comes out empty.
fn has_ink(text: &[u8]) -> bool {
    text.iter().any(|&byte| byte != b' ')
}

fn not_empty(name: &[u8], error: &'static str) -> Taken {
    if name.is_empty() { Err(error.into()) } else { Ok(()) }
}

fn base_name(name: &[u8], error: &'static str) -> Taken {
    if name.iter().any(|byte| matches!(byte, b'/' | b'\\')) { Err(error.into()) } else { Ok(()) }
}
