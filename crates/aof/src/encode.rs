//! The bytes of a log.

/// Appends a command in RESP, its name first. Linear in its bytes.
pub fn encode(args: &[&[u8]], out: &mut Vec<u8>) {
    /// Bytes of a line with a length, at most.
    const HEAD_MAX: usize = 23;
    out.reserve(HEAD_MAX + args.iter().map(|arg| arg.len() + HEAD_MAX).sum::<usize>());
    head(b'*', args.len(), out);
    for arg in args {
        head(b'$', arg.len(), out);
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the annotation that tells the Unix time in seconds of what follows it.
pub fn encode_timestamp(unix_seconds: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"#TS:");
    out.extend_from_slice(itoa::Buffer::new().format(unix_seconds).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn head(kind: u8, len: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_timestamps() {
        let mut out = Vec::new();
        encode(&[b"SELECT", b"0"], &mut out);
        encode(&[b"SET", b"", b"a\r\nb"], &mut out);
        encode_timestamp(1_700_000_000, &mut out);
        assert_eq!(
            out,
            b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n#TS:1700000000\r\n"
        );
    }
}
