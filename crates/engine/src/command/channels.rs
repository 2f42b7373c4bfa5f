//! Which of a command's arguments are channels.

use crate::args::Args;

/// The channels among a command's arguments that its caller must be allowed to use. Leaving a channel is allowed to
/// everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// There are none.
    None,
    /// The first argument.
    First,
    /// All arguments.
    All,
    /// All arguments, which are patterns of channels.
    Patterns,
}

impl Channels {
    /// Their positions, the command's name being at 0.
    pub fn positions(self, args: Args<'_>) -> std::ops::Range<usize> {
        match self {
            Self::None => 1..1,
            Self::First => 1..args.len().min(2),
            Self::All | Self::Patterns => 1..args.len(),
        }
    }

    /// Whether they are patterns.
    pub const fn are_patterns(self) -> bool {
        matches!(self, Self::Patterns)
    }
}
