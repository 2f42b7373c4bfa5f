//! Random calls of commands whose results are exact to the last bit: HyperLogLogs, bitmaps and places.
//!
//! `MOONSHARD_SEED` repeats a run, `MOONSHARD_EXACT` sets the number of rounds of each test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::oracle::{Check, Compare, Pair};
use moonshard_tests::random::{Rng, env_or, seed};
use moonshard_tests::server::Server;

/// Runs rounds of random commands on both servers, each from an empty keyspace.
fn rounds(default: usize, round: impl Fn(&mut Rng, &mut dyn FnMut(Vec<String>))) {
    let seed = seed();
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let check = Check::from(Compare::Exact);
    for number in 0..env_or("MOONSHARD_EXACT", default) as u64 {
        let seed = seed.wrapping_add(number);
        let mut pair = Pair::connect(&ours, &theirs, if number % 2 == 0 { 2 } else { 3 });
        pair.both(&["FLUSHALL"]);
        round(&mut Rng::new(seed), &mut |command| {
            if let Err(mismatch) = pair.check(&command, &check) {
                panic!("MOONSHARD_SEED={seed} repeats it:\n{mismatch}");
            }
        });
    }
}

fn words(command: &str) -> Vec<String> {
    command.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Elements of all lengths, few enough different ones that some come again.
fn element(rng: &mut Rng, range: usize) -> String {
    let n = rng.below(range);
    format!("{n}{}", "x".repeat(n % 19))
}

#[test]
fn hyperloglogs_are_the_same_strings() {
    rounds(30, |rng, send| {
        let range = *rng.pick(&[50, 1000, 30_000]);
        let limit = *rng.pick(&[0, 40, 300, 3000, 3000, 15_000]);
        send(words(&format!("CONFIG SET hll-sparse-max-bytes {limit}")));
        for _ in 0..60 {
            let (key, other) = (rng.below(4), rng.below(4));
            match rng.below(12) {
                0 => send(words(&format!("PFCOUNT h{key}"))),
                1 => send(words(&format!("PFCOUNT h{key} h{other}"))),
                2 => send(words(&format!("PFMERGE h{key} h{other}"))),
                3 if rng.one_in(5) => send(words(&format!("PFDEBUG TODENSE h{key}"))),
                _ => {
                    let count = rng.below(200);
                    let mut command = words(&format!("PFADD h{key}"));
                    command.extend((0..count).map(|_| element(rng, range)));
                    send(command);
                }
            }
            send(words(&format!("GET h{key}")));
        }
    });
}

#[test]
fn bitmaps_have_the_same_bits() {
    rounds(30, |rng, send| {
        for _ in 0..150 {
            let (key, other, third) = (rng.below(4), rng.below(4), rng.below(4));
            let len = *rng.pick(&[40, 600, 3000]);
            let (offset, end) = (rng.below(len), rng.below(len));
            let sign = |rng: &mut Rng| if rng.one_in(3) { "-" } else { "" };
            let (a, b) = (sign(rng), sign(rng));
            let unit = rng.pick(&["BIT", "BYTE"]);
            let bit = rng.below(2);
            match rng.below(8) {
                0 | 1 => send(words(&format!("SETBIT b{key} {offset} {bit}"))),
                2 => send(words(&format!("BITCOUNT b{key} {a}{offset} {b}{end} {unit}"))),
                3 => send(words(&format!("BITPOS b{key} {bit} {a}{offset} {b}{end} {unit}"))),
                4 => send(words(&format!("BITPOS b{key} {bit} {a}{offset}"))),
                5 => {
                    let operation = rng.pick(&["AND", "OR", "XOR"]);
                    send(words(&format!("BITOP {operation} b{key} b{other} b{third}")));
                }
                6 => send(words(&format!("BITOP NOT b{key} b{other}"))),
                _ => send(bitfield(rng, key)),
            }
            send(words(&format!("GET b{key}")));
        }
    });
}

fn bitfield(rng: &mut Rng, key: usize) -> Vec<String> {
    let mut command = words(&format!("BITFIELD b{key}"));
    for _ in 0..1 + rng.below(4) {
        if rng.one_in(2) {
            let overflow = *rng.pick(&["SAT", "FAIL", "wrap"]);
            command.extend(words(&format!("OVERFLOW {overflow}")));
        }
        let field = match rng.below(2) {
            0 => format!("u{}", 1 + rng.below(63)),
            _ => format!("i{}", 1 + rng.below(64)),
        };
        let offset = format!("{}{}", rng.pick(&["", "#"]), rng.below(100));
        let shift = rng.below(64);
        let number = (rng.bits() as i64) >> shift;
        match rng.below(3) {
            0 => command.extend(words(&format!("GET {field} {offset}"))),
            1 => command.extend(words(&format!("SET {field} {offset} {number}"))),
            _ => command.extend(words(&format!("INCRBY {field} {offset} {number}"))),
        }
    }
    command
}

/// A number in a range, with as many digits as people write or as computers do.
fn degrees(rng: &mut Rng, max: f64) -> String {
    let value = (rng.below(2_000_001) as f64 / 1e6 - 1.0) * max;
    match rng.below(3) {
        0 => format!("{value:.1}"),
        1 => format!("{value:.6}"),
        _ => format!("{value}"),
    }
}

#[test]
fn places_are_found_in_the_same_order_at_the_same_distances() {
    rounds(30, |rng, send| {
        // Some worlds are small and full, some are empty but for a few places at the edges.
        let (width, height) = *rng.pick(&[(180.0, 85.0), (2.0, 2.0), (0.01, 0.01)]);
        let places = *rng.pick(&[10, 100, 400]);
        for chunk in 0..places / 10 {
            let mut command = words("GEOADD g");
            for n in 0..10 {
                command.extend([degrees(rng, width), degrees(rng, height), format!("m{}", chunk * 10 + n)]);
            }
            send(command);
        }
        for _ in 0..60 {
            send(search(rng, width, height, places));
        }
        let (a, b) = (rng.below(places), rng.below(places));
        send(words(&format!("GEODIST g m{a} m{b} mi")));
        send(words(&format!("GEOHASH g m{a} m{b}")));
        send(words(&format!("GEOPOS g m{a} m{b}")));
        send(words("ZRANGE g 0 -1 WITHSCORES"));
        send(words("ZRANGE t 0 -1 WITHSCORES"));
    });
}

fn search(rng: &mut Rng, width: f64, height: f64, places: usize) -> Vec<String> {
    let from = if rng.one_in(3) {
        format!("FROMMEMBER m{}", rng.below(places))
    } else {
        format!("FROMLONLAT {} {}", degrees(rng, width), degrees(rng, height))
    };
    let unit = *rng.pick(&["m", "km", "ft", "mi"]);
    let power = rng.below(8) as i32;
    let mut length = || rng.below(1000) as f64 / 7.0 * 10_f64.powi(power - 3);
    let (a, b) = (length(), length());
    let by = match rng.below(2) {
        0 => format!("BYRADIUS {a} {unit}"),
        _ => format!("BYBOX {a} {b} {unit}"),
    };
    let order = *rng.pick(&["", "ASC", "DESC"]);
    let any = if rng.one_in(3) { " ANY" } else { "" };
    let count = if rng.one_in(2) { format!("COUNT {}{any}", 1 + rng.below(30)) } else { String::new() };
    if rng.one_in(5) {
        let store = *rng.pick(&["", "STOREDIST"]);
        return words(&format!("GEOSEARCHSTORE t g {from} {by} {order} {count} {store}"));
    }
    let with = *rng.pick(&["", "WITHDIST", "WITHCOORD WITHHASH WITHDIST"]);
    words(&format!("GEOSEARCH g {from} {by} {order} {count} {with}"))
}
