//! Units of distances.

use crate::args::Args;
use crate::error::Error;
use moonshard_protocol::Reply;
use std::io::Write as _;

/// How many metres the unit named at `at` has.
///
/// # Errors
/// When it is no unit.
pub(super) fn parse_unit(args: Args<'_>, at: usize) -> Result<f64, Error> {
    const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = UNITS.iter().find(|(name, _)| args.is(at, name));
    let unknown = Error::fixed("ERR unsupported unit provided. please use M, KM, FT, MI");
    found.map(|&(_, metres)| metres).ok_or(unknown)
}

/// The number at `at`.
///
/// # Errors
/// That it is none.
pub(super) fn parse_length(args: Args<'_>, at: usize, error: &'static str) -> Result<f64, Error> {
    args.float(at).map_err(|_| Error::fixed(error))
}

/// Replies a distance, with four digits after the point in every unit.
pub(super) fn reply_distance(reply: &mut Reply, distance: f64) {
    let scaled = (distance * 10_000.0).round_ties_even();
    // What is no number becomes the least one, as the processors that Redis runs on have it.
    let scaled = if scaled.is_nan() { i64::MIN } else { scaled as i64 };
    let (sign, scaled) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
    let mut text = [0; 32];
    let mut rest = &mut text[..];
    // 32 bytes have room for every number of 64 bits.
    let _ = write!(rest, "{sign}{}.{:04}", scaled / 10_000, scaled % 10_000);
    let len = 32 - rest.len();
    reply.bulk(&text[..len]);
}
