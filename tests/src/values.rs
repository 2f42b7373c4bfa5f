//! Random values of every type and encoding, as the commands that make them.

use crate::random::Rng;
use std::collections::HashSet;

/// The arguments of a command.
pub type Command = Vec<Vec<u8>>;

/// The words of a line, `KEY` being this key.
fn words(line: &str, key: &[u8]) -> Command {
    line.split(' ').map(|word| if word == "KEY" { key.to_vec() } else { word.as_bytes().to_vec() }).collect()
}

/// A text of one of the kinds that are encoded in ways of their own.
pub fn text(rng: &mut Rng) -> Vec<u8> {
    let number = match rng.below(6) {
        0 => rng.below(20) as i64 - 5,
        1 => rng.below(5000) as i64 - 2500,
        2 => rng.below(100_000) as i64 - 50_000,
        3 => rng.below(10_000_000_000) as i64 - 5_000_000_000,
        _ => rng.bits() as i64,
    };
    match rng.below(12) {
        0..4 => number.to_string().into_bytes(),
        4..8 => format!("v{}", rng.below(50)).into_bytes(),
        8 => format!("word{} ", rng.below(9)).repeat(rng.below(60)).into_bytes(),
        9 => (0..rng.below(80)).map(|_| rng.bits() as u8).collect(),
        10 => vec![b'a' + rng.below(26) as u8; *rng.pick(&[19, 20, 21, 63, 64, 65, 300])],
        _ => format!("0{number}").into_bytes(),
    }
}

fn score(rng: &mut Rng) -> String {
    match rng.below(6) {
        0 => (rng.below(40) as i64 - 20).to_string(),
        1 => format!("{}", rng.bits() as i64),
        2 => format!("{}", rng.below(1000) as f64 / 7.0),
        3 => rng
            .pick(&["inf", "-inf", "0", "-0", "1e300", "5e-324", "3.0", "1e17", "4611686018427387904"])
            .to_string(),
        4 => format!("{:e}", f64::from_bits(rng.bits() >> 2)),
        _ => (rng.below(100_000)).to_string(),
    }
}

fn sizes(rng: &mut Rng) -> usize {
    *rng.pick(&[1, 2, 3, 10, 60, 127, 128, 129, 300, 600])
}

/// A command that appends `len` groups of arguments.
fn filled(name: &str, key: &[u8], len: usize, mut more: impl FnMut(&mut Command)) -> Command {
    let mut command = vec![name.as_bytes().to_vec(), key.to_vec()];
    (0..len).for_each(|_| more(&mut command));
    command
}

/// Commands that make a value of any type at `key`, small or large, at the sides of every threshold between encodings.
pub fn value(rng: &mut Rng, key: &[u8]) -> Vec<Command> {
    let len = sizes(rng);
    match rng.below(9) {
        0 => vec![filled("set", key, 1, |command| command.push(text(rng)))],
        1 => {
            let long = |rng: &mut Rng| vec![b'l'; 4000 + rng.below(9000)];
            let push = |command: &mut Command| {
                command.push(if rng.one_in(60) { long(rng) } else { text(rng) });
            };
            vec![filled("rpush", key, len, push)]
        }
        2 => vec![filled("sadd", key, len, |command| {
            command.push((rng.bits() as i64 >> rng.below(60)).to_string().into_bytes());
        })],
        3 => vec![filled("sadd", key, len, |command| command.push(text(rng)))],
        4 | 5 => {
            let short = rng.one_in(2);
            vec![filled("hset", key, len, |command| {
                command.push(if short { format!("f{}", rng.below(999)).into_bytes() } else { text(rng) });
                command.push(if short { b"v".to_vec() } else { text(rng) });
            })]
        }
        6 | 7 => vec![filled("zadd", key, len, |command| {
            command.extend([score(rng).into_bytes(), text(rng)]);
        })],
        _ => stream(rng, key, len),
    }
}

fn stream(rng: &mut Rng, key: &[u8], len: usize) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut ids = Vec::new();
    let mut ms = 0;
    for at in 0..len {
        ms += rng.below(3);
        let id = format!("{ms}-{}", at + 1).into_bytes();
        let mut command = vec![b"xadd".to_vec(), key.to_vec(), id.clone()];
        command.extend(if rng.one_in(4) { vec![text(rng), text(rng)] } else { words("f 1 g 2", key) });
        commands.push(command);
        ids.push(id);
    }
    for group in 0..rng.below(3) {
        let id = String::from_utf8_lossy(&ids[rng.below(ids.len())]).into_owned();
        let known = if rng.one_in(2) { " entriesread 1" } else { "" };
        commands.push(words(&format!("xgroup create KEY g{group} {id}{known}"), key));
        for consumer in 0..rng.below(4) {
            let count = 1 + rng.below(9);
            let read = format!("xreadgroup group g{group} c{consumer} count {count} streams KEY >");
            commands.push(words(&read, key));
        }
        commands.push(words(&format!("xgroup createconsumer KEY g{group} idle"), key));
    }
    for id in ids.iter().skip(1) {
        if rng.one_in(5) {
            commands.push(vec![b"xdel".to_vec(), key.to_vec(), id.clone()]);
        }
    }
    commands
}

/// A key of one of many forms: short, long, of any bytes.
fn key(rng: &mut Rng, name: &str, at: usize) -> Vec<u8> {
    let at = format!("{name}{at}");
    match rng.below(8) {
        0 => (0..rng.below(30)).map(|_| rng.bits() as u8).chain(at.into_bytes()).collect(),
        1 => format!("long:{at}:{}", "k".repeat(*rng.pick(&[60, 250, 260, 20_000]))).into_bytes(),
        2 if name.is_empty() => at.into_bytes(),
        3 => format!("with blanks \r\n and {{tag}} {at}").into_bytes(),
        _ => format!("key:{at}").into_bytes(),
    }
}

/// Databases that [`keyspace`] fills.
pub const DATABASES: &[usize] = &[0, 1, 9, 15];

/// Commands that fill some databases with so many values of all kinds, a third of them with a deadline, with some very
/// large ones and a library of functions. Keys of different names are different.
pub fn keyspace(rng: &mut Rng, name: &str, values: usize) -> Vec<Command> {
    let mut commands = Vec::new();
    for (nth, db) in DATABASES.iter().enumerate() {
        commands.push(words(&format!("select {db}"), b""));
        let mut keys = HashSet::new();
        for at in 0..values / DATABASES.len() {
            let key = key(rng, name, at);
            if !keys.insert(key.clone()) {
                // Names that are drawn by chance may come twice.
                continue;
            }
            commands.extend(value(rng, &key));
            if rng.one_in(3) {
                let deadline = 4_102_444_800_000_u64 + rng.bits() % 100_000_000_000;
                commands.push(words(&format!("pexpireat KEY {deadline}"), &key));
            }
        }
        commands.extend(large(rng, name, nth));
    }
    commands.push(words("select 0", b""));
    let library =
        b"#!lua name=kept\nredis.register_function('kept', function(keys, args) return args[1] end)";
    commands.push(vec![b"function".to_vec(), b"load".to_vec(), b"replace".to_vec(), library.to_vec()]);
    commands
}

/// Values that are far beyond all thresholds, of one type each time.
fn large(rng: &mut Rng, prefix: &str, nth: usize) -> Vec<Command> {
    let many = |rng: &mut Rng, name: &str, pair: bool| {
        let key = format!("large:{prefix}{name}").into_bytes();
        let chunks = (0..20).map(|chunk| {
            let name = name.to_owned();
            filled(&name, &key, 1000, |command| {
                if pair {
                    command.push((rng.bits() >> 40).to_string().into_bytes());
                }
                command.push(format!("{chunk}:{}", rng.bits() >> rng.below(50)).into_bytes());
            })
        });
        chunks.collect::<Vec<_>>()
    };
    match nth {
        0 => {
            let compressible = b"the same words again and again, ".repeat(300_000);
            let random: Vec<u8> = (0..3_000_000).map(|_| rng.bits() as u8).collect();
            vec![
                vec![b"set".to_vec(), format!("large:{prefix}text").into_bytes(), compressible],
                vec![b"set".to_vec(), format!("large:{prefix}bytes").into_bytes(), random],
                words("setbit KEY 30000000 1", format!("large:{prefix}bits").as_bytes()),
            ]
        }
        1 => [many(rng, "rpush", false), many(rng, "sadd", false)].concat(),
        2 => [many(rng, "hset", true), many(rng, "zadd", true)].concat(),
        _ => stream(rng, format!("large:{prefix}stream").as_bytes(), 3_000),
    }
}
