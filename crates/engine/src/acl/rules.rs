//! Rules as they are written, and what can be wrong with them.

/// Why a rule was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// No such command, subcommand or category.
    Unknown,
    /// No such rule, or a pattern with blanks.
    Syntax,
    /// A key pattern where all keys are allowed already.
    KeysAreAll,
    /// A channel pattern where all channels are allowed already.
    ChannelsAreAll,
    /// A password to remove that is not there.
    NoSuchPassword,
    /// A hash that is none.
    BadHash,
    /// A first argument for a subcommand.
    FirstArgOfSubcommand,
    /// A user that was declared before.
    DuplicateUser,
}

impl RuleError {
    /// Redis' words for it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown command or category name in ACL",
            Self::Syntax => "Syntax error",
            Self::KeysAreAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::ChannelsAreAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            Self::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            Self::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            Self::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
            Self::DuplicateUser => "Duplicate user found. A user can only be defined once in config files",
        }
    }
}

/// Whether a user's name or a pattern is free of blanks and zero bytes, so that it can be read back from a file.
pub fn is_plain_name(name: &[u8]) -> bool {
    !name.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0))
}

/// Joins the words of each selector that stands in several, from its opening parenthesis to its closing one.
///
/// # Errors
/// The position of an opening parenthesis that is not closed.
pub fn join_selectors(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, usize> {
    let mut joined = Vec::with_capacity(words.len());
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (at, word) in words.iter().enumerate() {
        if word.starts_with(b"(") && !word.ends_with(b")") {
            open = Some((at, word.to_vec()));
        } else if let Some((_, selector)) = &mut open {
            selector.push(b' ');
            selector.extend_from_slice(word);
            if word.ends_with(b")") {
                joined.extend(open.take().map(|(_, selector)| selector));
            }
        } else {
            joined.push(word.to_vec());
        }
    }
    match open {
        Some((at, _)) => Err(at),
        None => Ok(joined),
    }
}
