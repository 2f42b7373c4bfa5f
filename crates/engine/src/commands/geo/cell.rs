//! Geohashes: the world halved again and again, by longitude and by latitude in turn.

use super::position::{LATITUDE_MAX, LONGITUDE_MAX, Position};
use moonshard_store::{ScoreBound, ScoreRange};

/// The steps of a score: 26 bits each of longitude and latitude, which a double holds exactly.
pub(super) const STEP_MAX: u32 = 26;
const LATITUDE_BITS: u64 = 0x5555_5555_5555_5555;
const LONGITUDE_BITS: u64 = !LATITUDE_BITS;

/// From the least to the greatest value, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Span {
    const fn around_zero(max: f64) -> Self {
        Self { min: -max, max }
    }

    /// In which of `2^step` equal parts a value is.
    fn part_of(self, value: f64, step: u32) -> u32 {
        let offset = (value - self.min) / (self.max - self.min);
        (offset * (1_u64 << step) as f64) as u32
    }

    /// One of `2^step` equal parts.
    fn part(self, index: u32, step: u32) -> Self {
        let parts = (1_u64 << step) as f64;
        let at = |index: u32| self.min + (f64::from(index) / parts) * (self.max - self.min);
        Self { min: at(index), max: at(index.wrapping_add(1)) }
    }

    fn middle(self) -> f64 {
        (self.min + self.max) / 2.0
    }
}

const LONGITUDES: Span = Span::around_zero(LONGITUDE_MAX);
const LATITUDES: Span = Span::around_zero(LATITUDE_MAX);

/// A part of the world after some steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Latitude in the even bits, longitude in the odd ones.
    bits: u64,
    step: u32,
}

impl Cell {
    /// The cell that a position is in after 1 to 26 steps.
    pub(super) fn around(position: Position, step: u32) -> Self {
        Self::within(LONGITUDES, LATITUDES, position, step)
    }

    /// The same where latitudes reach to the poles, as geohashes outside of Redis have it.
    pub(super) fn around_in_whole_world(position: Position, step: u32) -> Self {
        Self::within(LONGITUDES, Span::around_zero(90.0), position, step)
    }

    fn within(longitudes: Span, latitudes: Span, position: Position, step: u32) -> Self {
        let longitude = longitudes.part_of(position.longitude, step);
        let latitude = latitudes.part_of(position.latitude, step);
        Self { bits: spread(latitude) | spread(longitude) << 1, step }
    }

    /// The cell of a score. What is no whole number of 52 bits is taken as the processors that Redis runs on do.
    pub(super) fn of_score(score: f64) -> Self {
        const TWO_TO_63: f64 = (1_u64 << 63) as f64;
        let bits = if score < TWO_TO_63 {
            (score as i64).cast_unsigned()
        } else if score < 2.0 * TWO_TO_63 {
            score as u64
        } else {
            0
        };
        Self { bits, step: STEP_MAX }
    }

    pub(super) fn bits(self) -> u64 {
        self.bits
    }

    pub(super) fn longitudes(self) -> Span {
        LONGITUDES.part(gather(self.bits >> 1), self.step)
    }

    pub(super) fn latitudes(self) -> Span {
        LATITUDES.part(gather(self.bits), self.step)
    }

    /// Its middle, within the world.
    pub(super) fn center(self) -> Position {
        Position {
            longitude: self.longitudes().middle().clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: self.latitudes().middle().clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }

    /// The scores of all positions in it.
    pub(super) fn scores(self) -> ScoreRange {
        let score = |bits: u64| (bits << (2 * (STEP_MAX - self.step))) as f64;
        ScoreRange {
            min: ScoreBound::Inclusive(score(self.bits)),
            max: ScoreBound::Exclusive(score(self.bits.wrapping_add(1))),
        }
    }

    /// The cell of this size so many to the east and to the north (-1, 0 or 1); the world's edges meet.
    pub(super) fn neighbour(self, east: i8, north: i8) -> Self {
        let unused = u64::BITS - 2 * self.step;
        let moved = |own: u64, others: u64, by: i8| {
            let (value, filled) = (self.bits & own, others >> unused);
            // The other coordinate's bits carry from one of this one's bits to the next.
            let moved = match by {
                0 => return value,
                1 => value.wrapping_add(filled + 1),
                _ => (value | filled).wrapping_sub(filled + 1),
            };
            moved & own >> unused
        };
        let longitude = moved(LONGITUDE_BITS, LATITUDE_BITS, east);
        let latitude = moved(LATITUDE_BITS, LONGITUDE_BITS, north);
        Self { bits: longitude | latitude, ..self }
    }
}

/// The bits of a number with a gap after each.
fn spread(value: u32) -> u64 {
    let mut bits = u64::from(value);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, LATITUDE_BITS),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Every second bit of a number, the lowest first.
fn gather(value: u64) -> u32 {
    let mut bits = value & LATITUDE_BITS;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_spread_and_gathered() {
        for value in [0, 1, 0b1011, 0x1234_5678, u32::MAX] {
            assert_eq!(
                (gather(spread(value)), gather(spread(value) << 1 | LATITUDE_BITS)),
                (value, u32::MAX)
            );
        }
        assert_eq!(spread(0b111), 0b10101);
    }

    #[test]
    fn a_cell_is_around_its_middle_and_its_neighbours_are_next_to_it() {
        for (longitude, latitude) in [(13.361389, 38.115556), (-122.4, 37.7), (0.0, 0.0), (179.9, -84.0)] {
            for step in 1..=STEP_MAX {
                let cell = Cell::around(Position { longitude, latitude }, step);
                assert_eq!(Cell::around(cell.center(), step), cell);
                assert!(cell.longitudes().min <= longitude && longitude <= cell.longitudes().max);
                assert!(cell.latitudes().min <= latitude && latitude <= cell.latitudes().max);
                assert_eq!(cell.neighbour(1, 1).neighbour(-1, 0).neighbour(0, -1), cell);
                assert_eq!(cell.neighbour(0, 1).longitudes(), cell.longitudes());
                assert_eq!(cell.neighbour(1, 0).latitudes(), cell.latitudes());
                if longitude < 100.0 && step > 2 {
                    assert_eq!(cell.neighbour(1, 0).longitudes().min, cell.longitudes().max);
                    assert_eq!(cell.neighbour(-1, 0).longitudes().max, cell.longitudes().min);
                }
            }
        }
    }
}
