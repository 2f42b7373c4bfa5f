//! The shortest stream that still fails.

use std::fmt;
use std::time::{Duration, Instant};

use super::Act;

/// How long is looked for a shorter one.
const WITHIN: Duration = Duration::from_secs(40);

/// Drops items from a failing stream for as long as it still fails, within a bounded time; the shortest that was
/// found, and how it fails. `fails` tells the place of the failure, and what it is.
pub fn shrink<T: Clone, M>(
    mut items: Vec<T>,
    mut fails: impl FnMut(&[T]) -> Option<(usize, M)>,
) -> Shrunk<T, M> {
    let deadline = Instant::now() + WITHIN;
    let Some((last, mut mismatch)) = fails(&items) else {
        return Shrunk { items, mismatch: None };
    };
    items.truncate(last + 1);
    let mut chunk = items.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < items.len() && Instant::now() < deadline {
            let mut shorter = items.clone();
            shorter.drain(at..(at + chunk).min(items.len()));
            match fails(&shorter) {
                Some((last, found)) => {
                    mismatch = found;
                    shorter.truncate(last + 1);
                    items = shorter;
                }
                None => at += chunk,
            }
        }
        chunk /= 2;
    }
    Shrunk { items, mismatch: Some(mismatch) }
}

/// The same for acts, of which those that hold several commands get shorter too.
pub fn shrink_acts<M>(acts: Vec<Act>, mut fails: impl FnMut(&[Act]) -> Option<(usize, M)>) -> Shrunk<Act, M> {
    let mut shrunk = shrink(acts, &mut fails);
    let deadline = Instant::now() + WITHIN;
    for at in 0..shrunk.items.len() {
        let mut step = 0;
        while shrunk.items.get(at).is_some_and(|act| act.steps().len() > 1 && step < act.steps().len())
            && Instant::now() < deadline
        {
            let mut shorter = shrunk.items.clone();
            shorter[at] = shorter[at].with_steps(|steps| drop(steps.remove(step)));
            match fails(&shorter) {
                Some((last, found)) => {
                    shorter.truncate(last + 1);
                    shrunk = Shrunk { items: shorter, mismatch: Some(found) };
                }
                None => step += 1,
            }
        }
    }
    shrunk
}

/// A stream that still fails.
pub struct Shrunk<T, M> {
    /// What it consists of.
    pub items: Vec<T>,
    /// The failure at its end; none when it did not come again.
    pub mismatch: Option<M>,
}

impl<T: fmt::Display, M: fmt::Display> fmt::Display for Shrunk<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in self.items.iter().take(60) {
            writeln!(f, "  {item}")?;
        }
        match &self.mismatch {
            Some(mismatch) => write!(f, "of {}, the last fails:\n{mismatch}", self.items.len()),
            None => write!(f, "of {}, but it did not fail again", self.items.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_finds_the_two_items_that_matter() {
        let fails = |numbers: &[u32]| {
            let first = numbers.iter().position(|n| *n == 17)?;
            let second = numbers.iter().position(|n| *n == 61).filter(|second| *second > first)?;
            Some((second, "61 after 17"))
        };
        let shrunk = shrink((0..100).collect(), fails);
        assert_eq!((shrunk.items, shrunk.mismatch), (vec![17, 61], Some("61 after 17")));
    }

    #[test]
    fn a_transaction_gets_shorter_inside() {
        use super::super::Generator;
        let mut generator = Generator::new(1, true);
        let act = Act::Script(b"k".to_vec(), (0..9).map(|_| generator.step()).collect());
        let needed = act.steps()[4].to_string();
        let fails = |acts: &[Act]| {
            let found =
                acts.iter().position(|act| act.steps().iter().any(|step| step.to_string() == needed))?;
            Some((found, "it is there"))
        };
        let shrunk = shrink_acts(vec![act.clone(), act], fails);
        assert_eq!((shrunk.items.len(), shrunk.items[0].steps().len()), (1, 1));
    }
}
