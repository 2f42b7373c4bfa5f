//! The expiry options that SET and GETEX share.

use crate::args::Args;
use crate::error::Error;

/// How an expiry is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum ExpiryUnit {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

impl ExpiryUnit {
    /// The unit that the argument at `index` names.
    pub(in crate::commands) fn of(args: Args<'_>, index: usize) -> Option<Self> {
        let words = [
            ("EX", Self::Seconds),
            ("PX", Self::Milliseconds),
            ("EXAT", Self::UnixSeconds),
            ("PXAT", Self::UnixMilliseconds),
        ];
        words.into_iter().find(|(word, _)| args.is(index, word)).map(|(_, unit)| unit)
    }

    /// Whether it counts from 1970 rather than from now.
    pub(in crate::commands) const fn is_absolute(self) -> bool {
        matches!(self, Self::UnixSeconds | Self::UnixMilliseconds)
    }
}

/// An expiry option: its unit, and the index of its value's argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpiryOption {
    pub(super) unit: ExpiryUnit,
    pub(super) value: usize,
}

impl ExpiryOption {
    /// The Unix time in milliseconds that the option means at `now_ms`, for the command `name`.
    pub(super) fn unix_ms(self, args: Args<'_>, now_ms: u64, name: &str) -> Result<u64, Error> {
        unix_ms(args.int(self.value)?, self.unit, now_ms).ok_or_else(|| Error::invalid_expire(name))
    }
}

/// `value` in `unit` as a Unix time in milliseconds; `None` when it is not positive or out of range.
pub(super) fn unix_ms(value: i64, unit: ExpiryUnit, now_ms: u64) -> Option<u64> {
    if value <= 0 {
        return None;
    }
    let in_ms = match unit {
        ExpiryUnit::Seconds | ExpiryUnit::UnixSeconds => value.checked_mul(1000)?,
        ExpiryUnit::Milliseconds | ExpiryUnit::UnixMilliseconds => value,
    };
    let at = match unit {
        ExpiryUnit::Seconds | ExpiryUnit::Milliseconds => in_ms.checked_add(i64::try_from(now_ms).ok()?)?,
        ExpiryUnit::UnixSeconds | ExpiryUnit::UnixMilliseconds => in_ms,
    };
    u64::try_from(at).ok()
}
