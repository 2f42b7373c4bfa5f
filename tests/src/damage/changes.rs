//! Changes of bytes, as disks, programs and people make them.

use crate::random::Rng;

/// Makes one to three changes. The file stays about as long as it is.
pub fn change(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..*rng.pick(&[1, 1, 1, 2, 3]) {
        change_once(rng, &mut bytes);
    }
    bytes
}

fn change_once(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return bytes.push(rng.bits() as u8);
    }
    let at = rng.below(bytes.len());
    let len = (1 + rng.below(40)).min(bytes.len() - at);
    match rng.below(10) {
        0..3 => bytes[at] ^= 1 << rng.below(8),
        3 => bytes[at] = rng.bits() as u8,
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..at + len)),
        6 => {
            let more: Vec<u8> = (0..len).map(|_| rng.bits() as u8).collect();
            drop(bytes.splice(at..at, more));
        }
        7 => {
            let copy = bytes[at..at + len].to_vec();
            let to = rng.below(bytes.len());
            drop(bytes.splice(to..to, copy));
        }
        8 => bytes[at..at + len].fill(*rng.pick(&[0, 0xff])),
        _ => lie_about_a_length(rng, bytes, at),
    }
}

/// Changes a length: one of the commands' after `at`, or whatever begins there.
fn lie_about_a_length(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    let head = (at..bytes.len()).find(|&at| matches!(bytes[at], b'$' | b'*'));
    match head {
        Some(head) if rng.one_in(2) => {
            let digits = bytes[head + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let lie = rng.pick(&[
                "0",
                "-1",
                "",
                "7",
                "1000",
                "99999999",
                "999999999999999999",
                "18446744073709551616",
            ]);
            drop(bytes.splice(head + 1..head + 1 + digits, lie.bytes()));
        }
        _ => {
            let mut lie = vec![*rng.pick(&[0x80, 0x81, 0xc3, 0x7f, 0xbf])];
            lie.extend((0..8).map(|_| *rng.pick(&[0, 0xff, 0x7f, 1])));
            let end = (at + 1 + rng.below(9)).min(bytes.len());
            drop(bytes.splice(at..end, lie));
        }
    }
}

/// Changes a text of lines: words are taken out, doubled, replaced.
pub fn changed_text(rng: &mut Rng, text: &str, words: &[&str]) -> String {
    let mut parts: Vec<String> = text.split_inclusive([' ', '\n']).map(str::to_owned).collect();
    for _ in 0..1 + rng.below(3) {
        if parts.is_empty() {
            break;
        }
        let at = rng.below(parts.len());
        match rng.below(4) {
            0 => drop(parts.remove(at)),
            1 => parts.insert(at, parts[at].clone()),
            2 => parts[at] = (*rng.pick(words)).to_owned(),
            _ => parts.insert(at, (*rng.pick(words)).to_owned()),
        }
    }
    parts.concat()
}
