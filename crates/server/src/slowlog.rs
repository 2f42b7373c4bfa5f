//! The slow log: the last commands that took long.

use crate::clients::Client;
use moonshard_engine::Args;
use moonshard_scripting::Sha;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};

/// Most arguments of a command that are kept; the last of them may say how many more there were.
const ARGS_MAX: usize = 32;
/// Most bytes of an argument that are kept.
const ARG_LEN_MAX: usize = 128;
/// With a limit below this many microseconds, any command may be slow.
const FAST_MICROS: i64 = 1000;

/// A command that took long.
#[derive(Clone, Debug)]
pub struct SlowCommand {
    /// Its number, from 0, never used again.
    pub id: u64,
    /// Unix time in seconds of its end.
    pub unix_seconds: u64,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// Its arguments, cut.
    pub args: Vec<Vec<u8>>,
    /// The client's address.
    pub addr: String,
    /// The client's name.
    pub name: Vec<u8>,
}

#[derive(Debug, Default)]
struct Entries {
    next_id: u64,
    /// The youngest first.
    entries: VecDeque<SlowCommand>,
}

/// The slow log. See the [module](self).
#[derive(Debug)]
pub struct Slowlog {
    /// From how many microseconds on a command is slow; below zero none is.
    slower_than: AtomicI64,
    len_max: AtomicUsize,
    entries: Mutex<Entries>,
}

impl Default for Slowlog {
    fn default() -> Self {
        Self { slower_than: AtomicI64::new(-1), len_max: AtomicUsize::new(0), entries: Mutex::default() }
    }
}

impl Slowlog {
    /// Sets from how many microseconds on a command is slow (none below zero), and how many are kept.
    pub fn configure(&self, slower_than: i64, len_max: usize) {
        self.slower_than.store(slower_than, Relaxed);
        self.len_max.store(len_max, Relaxed);
        self.entries.lock().entries.truncate(len_max);
    }

    /// Whether so little counts as slow that every command must be timed.
    #[inline]
    pub fn wants_all(&self) -> bool {
        (0..FAST_MICROS).contains(&self.slower_than.load(Relaxed))
    }

    /// The shortest time, in nanoseconds, that is slow.
    pub fn slow_nanos(&self) -> u64 {
        u64::try_from(self.slower_than.load(Relaxed)).map_or(u64::MAX, |micros| micros.saturating_mul(1000))
    }

    /// Whether a command that took so long was slow.
    pub fn is_slow(&self, nanos: u64) -> bool {
        nanos >= self.slow_nanos()
    }

    /// Keeps a command that was slow. Of a script's text that is too long to be kept, `script` tells the name.
    #[cold]
    pub fn keep(&self, args: Args<'_>, script: Option<Sha>, nanos: u64, client: &Client) {
        let mut args = cut(args);
        if let (Some(sha), Some(text)) = (script, args.get_mut(1))
            && text.len() > ARG_LEN_MAX
            && text.pop_if(|last| *last == b')').is_some()
        {
            text.extend_from_slice(format!(", sha1 {sha})").as_bytes());
        }
        let name = client.names.lock().name.clone();
        let mut log = self.entries.lock();
        let id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(SlowCommand {
            id,
            unix_seconds: crate::server::unix_ms() / 1000,
            micros: nanos / 1000,
            args,
            addr: client.addr.clone(),
            name,
        });
        log.entries.truncate(self.len_max.load(Relaxed));
    }

    /// The last `count` slow commands, the youngest first.
    pub fn last(&self, count: usize) -> Vec<SlowCommand> {
        self.entries.lock().entries.iter().take(count).cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.lock().entries.len()
    }

    /// Forgets them.
    pub fn reset(&self) {
        self.entries.lock().entries.clear();
    }
}

/// The arguments as they are kept.
fn cut(args: Args<'_>) -> Vec<Vec<u8>> {
    let kept = args.len().min(ARGS_MAX);
    let whole = if args.len() > ARGS_MAX { kept - 1 } else { kept };
    let mut cut: Vec<Vec<u8>> = args
        .iter()
        .take(whole)
        .map(|arg| match arg.len().checked_sub(ARG_LEN_MAX) {
            Some(more @ 1..) => [&arg[..ARG_LEN_MAX], format!("... ({more} more bytes)").as_bytes()].concat(),
            _ => arg.to_vec(),
        })
        .collect();
    if whole < args.len() {
        cut.push(format!("... ({} more arguments)", args.len() - whole).into_bytes());
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(args: &[&[u8]]) -> Vec<SlowCommand> {
        let log = Slowlog::default();
        log.configure(10, 2);
        let client = Client::new(1, "127.0.0.1:1".into(), "127.0.0.1:2".into(), 3, 0);
        assert!(!log.is_slow(9_999) && log.is_slow(10_000));
        for _ in 0..3 {
            log.keep(Args::new(args), Some(Sha::of(b"")), 10_000, &client);
        }
        log.last(10)
    }

    #[test]
    fn keeps_the_last_and_numbers_all() {
        let kept = log(&[b"get", b"k"]);
        assert_eq!(kept.iter().map(|entry| entry.id).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(kept[0].micros, 10);
    }

    #[test]
    fn a_script_that_is_cut_is_named() {
        let kept = log(&[b"eval", &[b'x'; 200], b"0"]);
        let text = String::from_utf8(kept[0].args[1].clone()).unwrap();
        assert!(
            text.ends_with("... (72 more bytes, sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709)"),
            "{text}"
        );
        assert_eq!(log(&[b"eval", b"f(x)", b"0"])[0].args[1], b"f(x)");
    }

    #[test]
    fn cuts_long_and_many_arguments() {
        let long = [b'x'; 130];
        let mut args: Vec<&[u8]> = vec![&long];
        args.extend([b"y".as_slice(); 40]);
        let kept = log(&args);
        assert_eq!(kept[0].args.len(), 32);
        assert_eq!(kept[0].args[0], [&long[..128], b"... (2 more bytes)"].concat());
        assert_eq!(kept[0].args[31], b"... (10 more arguments)");
    }
}
