//! The area of a search, and the cells that cover it.

use super::cell::{Cell, STEP_MAX};
use super::position::{EARTH_RADIUS, Position, degrees, radians};

/// How far a search reaches from its middle; in units, each of `metres`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    pub(super) shape: Shape,
    pub(super) metres: f64,
}

/// The form of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// The least and greatest degrees that a search reaches.
struct Bounds {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

impl Extent {
    /// The distance of a position from the middle in metres, if it is not beyond.
    pub(super) fn reaches(self, center: Position, position: Position) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                let distance = center.distance(position);
                (!is_farther(distance, radius * self.metres)).then_some(distance)
            }
            Shape::Box { width, height } => {
                if is_farther(position.latitude_distance(center), height * self.metres / 2.0) {
                    return None;
                }
                let below = Position { longitude: center.longitude, ..position };
                if is_farther(position.distance(below), width * self.metres / 2.0) {
                    return None;
                }
                Some(center.distance(position))
            }
        }
    }

    /// The cells that all positions within reach are in, in the order in which Redis searches them; some of them may
    /// be the same.
    pub(super) fn cover(self, center: Position) -> [Option<Cell>; 9] {
        let bounds = self.bounds(center);
        let mut step = self.estimated_step(center.latitude);
        let mut cell = Cell::around(center, step);
        if step > 1 && is_beyond_neighbours(cell, &bounds) {
            step -= 1;
            cell = Cell::around(center, step);
        }
        let (latitudes, longitudes) = (cell.latitudes(), cell.longitudes());
        // Where the middle cell itself reaches over a bound, what lies beyond that side is of no use.
        let cut = |useless: bool| step >= 2 && useless;
        let (south, north) = (cut(latitudes.min < bounds.south), cut(latitudes.max > bounds.north));
        let (west, east) = (cut(longitudes.min < bounds.west), cut(longitudes.max > bounds.east));
        [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)].map(|(x, y)| {
            let useless = (x > 0 && east) || (x < 0 && west) || (y > 0 && north) || (y < 0 && south);
            (!useless).then(|| cell.neighbour(x, y))
        })
    }

    fn bounds(self, center: Position) -> Bounds {
        let (width, height) = match self.shape {
            Shape::Circle { radius } => (self.metres * radius, self.metres * radius),
            Shape::Box { width, height } => (self.metres * (width / 2.0), self.metres * (height / 2.0)),
        };
        let latitude_reach = degrees(height / EARTH_RADIUS);
        // Meridians are closest together at the end that is nearer to a pole.
        let nearest_pole = if center.latitude < 0.0 {
            center.latitude - latitude_reach
        } else {
            center.latitude + latitude_reach
        };
        let longitude_reach = degrees(width / EARTH_RADIUS / radians(nearest_pole).cos());
        Bounds {
            west: center.longitude - longitude_reach,
            east: center.longitude + longitude_reach,
            south: center.latitude - latitude_reach,
            north: center.latitude + latitude_reach,
        }
    }

    /// The steps after which a cell is about as large as the search.
    fn estimated_step(self, latitude: f64) -> u32 {
        const MERCATOR_MAX: f64 = 20_037_726.37;
        let reach = match self.shape {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        let mut reach = reach * self.metres;
        if reach == 0.0 {
            return STEP_MAX;
        }
        let mut step = -1;
        while reach < MERCATOR_MAX {
            reach *= 2.0;
            step += 1;
        }
        // Towards the poles more degrees of longitude are within reach.
        step -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
        step.clamp(1, STEP_MAX as i32).cast_unsigned()
    }
}

/// Whether a bound is beyond the cells next to this one. What is no number, as near a pole, is beyond nothing.
fn is_beyond_neighbours(cell: Cell, bounds: &Bounds) -> bool {
    cell.neighbour(0, 1).latitudes().max < bounds.north
        || cell.neighbour(0, -1).latitudes().min > bounds.south
        || cell.neighbour(1, 0).longitudes().max < bounds.east
        || cell.neighbour(-1, 0).longitudes().min > bounds.west
}

/// Whether a distance is greater; what rounding made no number, between antipodes, is not.
fn is_farther(distance: f64, than: f64) -> bool {
    distance > than
}
