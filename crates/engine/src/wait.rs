//! What a command that cannot go on waits for.

use crate::args::Args;
use crate::error::Error;
use moonshard_protocol::Reply;
use moonshard_store::number::{LongDouble, parse_f64};
use moonshard_store::{Collection, Entry};

/// The type of value that a waiting command can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitKind {
    /// A list.
    List,
    /// A sorted set.
    SortedSet,
    /// A stream.
    Stream,
}

impl WaitKind {
    /// Whether `entry` holds such a value.
    pub fn fits(self, entry: &Entry) -> bool {
        match self {
            Self::List => matches!(entry.collection(), Some(Collection::List(_))),
            Self::SortedSet => matches!(entry.collection(), Some(Collection::SortedSet(_))),
            Self::Stream => matches!(entry.collection(), Some(Collection::Stream(_))),
        }
    }

    /// Whether a client may be served although one that came before it could not be: reading takes nothing away.
    pub const fn is_shared(self) -> bool {
        match self {
            Self::List | Self::SortedSet => false,
            Self::Stream => true,
        }
    }
}

/// The reply to a command that would wait, in a script or a transaction, where none waits. One that waited in vain
/// gets a null array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// A null bulk string.
    Null,
    /// A null array.
    NullArray,
}

impl Empty {
    /// Writes it.
    pub fn write(self, reply: &mut Reply) {
        match self {
            Self::Null => reply.null(),
            Self::NullArray => reply.null_array(),
        }
    }
}

/// A key that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitKey {
    /// The key.
    pub key: Box<[u8]>,
    /// The call that serves the client once this key is ready, its name first.
    pub call: Vec<Box<[u8]>>,
}

impl WaitKey {
    /// A key, and the call of these arguments.
    pub fn new(key: &[u8], call: &[&[u8]]) -> Self {
        Self { key: key.into(), call: call.iter().map(|&arg| arg.into()).collect() }
    }
}

/// What a command waits for that found nothing. The caller parks a client, and gives a script or a transaction the
/// empty reply at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Milliseconds after which it gets a null array; `None` for never.
    pub timeout_ms: Option<u64>,
    /// The keys, of which the first that is ready counts.
    pub keys: Vec<WaitKey>,
    /// What a key must hold to be ready.
    pub kind: WaitKind,
    /// The reply where nobody may wait.
    pub empty: Empty,
    /// The reply when a key goes, or holds another type, which else is no reason to wake up.
    pub gone: Option<Error>,
    /// The reply when the call fails that should serve it, if not what the call itself answers.
    pub failed: Option<Error>,
}

/// The timeout at `index` of a blocking command, in seconds, as milliseconds; `None` for one of zero, which is none.
///
/// # Errors
/// Redis' texts for what is no number, or is negative; what is beyond 63 bits of milliseconds counts as that.
pub fn timeout_ms(args: Args<'_>, index: usize) -> Result<Option<u64>, Error> {
    const MILLIS_MAX: f64 = i64::MAX as f64;
    let text = args.raw(index);
    let Some(seconds) = parse_f64(text) else {
        // A number that only the wider type of C that Redis uses can hold is far beyond all milliseconds.
        let wide = LongDouble::parse(text).is_some();
        return Err(if wide { Error::TIMEOUT_NEGATIVE } else { Error::TIMEOUT_NOT_FLOAT });
    };
    let millis = (seconds * 1000.0).ceil();
    if !(0.0..MILLIS_MAX).contains(&millis) {
        return Err(Error::TIMEOUT_NEGATIVE);
    }
    Ok((millis > 0.0).then_some(millis as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_seconds_rounded_up_to_milliseconds() {
        let parse = |text: &str| timeout_ms(Args::new(&[text.as_bytes()]), 0);
        assert_eq!(parse("0"), Ok(None));
        assert_eq!(parse("0.0001"), Ok(Some(1)));
        assert_eq!(parse("2.5"), Ok(Some(2500)));
        assert_eq!(parse("-1"), Err(Error::TIMEOUT_NEGATIVE));
        assert_eq!(parse("x"), Err(Error::TIMEOUT_NOT_FLOAT));
        for beyond in ["9223372036854775807", "inf", "1e400"] {
            assert_eq!(parse(beyond), Err(Error::TIMEOUT_NEGATIVE), "{beyond}");
        }
        assert_eq!(parse("1e4933"), Err(Error::TIMEOUT_NOT_FLOAT));
    }
}
