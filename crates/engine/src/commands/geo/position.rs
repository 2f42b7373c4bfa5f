//! Positions, and how far apart they are. Every operation is done in Redis' order: the last digits are compared.

use super::cell::{Cell, STEP_MAX};
use crate::args::Args;
use crate::error::Error;

/// The greatest longitude, in degrees.
pub(super) const LONGITUDE_MAX: f64 = 180.0;
/// The greatest latitude that Mercator's projection of the web has, in degrees.
pub(super) const LATITUDE_MAX: f64 = 85.05112878;
const DEGREE: f64 = std::f64::consts::PI / 180.0;
/// In metres.
pub(super) const EARTH_RADIUS: f64 = 6_372_797.560856;

/// A position in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Position {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

pub(super) fn radians(degrees: f64) -> f64 {
    degrees * DEGREE
}

pub(super) fn degrees(radians: f64) -> f64 {
    radians / DEGREE
}

impl Position {
    /// The longitude at `at` and the latitude after it.
    ///
    /// # Errors
    /// When they are no numbers or out of range.
    pub(super) fn parse(args: Args<'_>, at: usize) -> Result<Self, Error> {
        let (longitude, latitude) = (args.float(at)?, args.float(at + 1)?);
        if longitude.abs() > LONGITUDE_MAX || latitude.abs() > LATITUDE_MAX {
            return Err(Error::text(format!(
                "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
            )));
        }
        Ok(Self { longitude, latitude })
    }

    /// The position as a score.
    pub(super) fn score(self) -> f64 {
        Cell::around(self, STEP_MAX).bits() as f64
    }

    /// The position that a score stands for; any score stands for one.
    pub(super) fn of_score(score: f64) -> Self {
        Cell::of_score(score).center()
    }

    /// Metres to another position with the same longitude.
    pub(super) fn latitude_distance(self, to: Self) -> f64 {
        EARTH_RADIUS * (radians(to.latitude) - radians(self.latitude)).abs()
    }

    /// Metres to another position on the great circle.
    pub(super) fn distance(self, to: Self) -> f64 {
        let v = ((radians(to.longitude) - radians(self.longitude)) / 2.0).sin();
        if v == 0.0 {
            return self.latitude_distance(to);
        }
        let (from_latitude, to_latitude) = (radians(self.latitude), radians(to.latitude));
        let u = ((to_latitude - from_latitude) / 2.0).sin();
        let a = u * u + from_latitude.cos() * to_latitude.cos() * v * v;
        2.0 * EARTH_RADIUS * a.sqrt().asin()
    }
}
