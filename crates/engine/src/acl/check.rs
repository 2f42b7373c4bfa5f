//! Whether a user may make a call.

use super::selector::Selector;
use super::user::User;
use crate::args::Args;
use crate::command::{Entry, Flags, KeyFlags, KeySpan};
use crate::glob;

/// Why a user may not make a call. The order matters: of several selectors' reasons the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// The command, or the subcommand, is not allowed.
    Command,
    /// The key at this position is not.
    Key(usize),
    /// The channel at this position is not.
    Channel(usize),
}

impl Denied {
    /// The position of the argument that is not allowed; 0 for the command itself.
    pub const fn position(self) -> usize {
        match self {
            Self::Command => 0,
            Self::Key(at) | Self::Channel(at) => at,
        }
    }
}

impl User {
    /// Whether the user may make this call.
    ///
    /// # Errors
    /// What is denied: the command if no selector has it, else the last key or channel that one refuses.
    pub fn check(&self, entry: &Entry, args: Args<'_>) -> Result<(), Denied> {
        let mut reason = Denied::Command;
        for selector in self.all_selectors() {
            match selector.check(entry, args) {
                Ok(()) => return Ok(()),
                Err(denied) => reason = reason.max(denied),
            }
        }
        Err(reason)
    }

    /// Whether the user may make this call and read any key besides: SORT looks at keys that its patterns tell.
    pub fn may_read_all(&self, entry: &Entry, args: Args<'_>) -> bool {
        self.all_selectors().any(|selector| selector.reads_all_keys() && selector.check(entry, args).is_ok())
    }
}

impl Selector {
    fn check(&self, entry: &Entry, args: Args<'_>) -> Result<(), Denied> {
        if !self.has_command(entry, args) {
            return Err(Denied::Command);
        }
        if !self.all_keys
            && let Some(at) = self.first_denied_key(entry, args)
        {
            return Err(Denied::Key(at));
        }
        if !self.all_channels
            && let Some(at) = self.first_denied_channel(entry, args)
        {
            return Err(Denied::Channel(at));
        }
        Ok(())
    }

    #[inline]
    fn has_command(&self, entry: &Entry, args: Args<'_>) -> bool {
        if self.all_commands
            || self.commands.has(entry.id)
            || entry.command.meta.flags.contains(Flags::NO_AUTH)
        {
            return true;
        }
        let (Some(allowed), Some(first)) = (self.first_args.get(&entry.id), args.get(1)) else {
            return false;
        };
        allowed.iter().any(|known| known.eq_ignore_ascii_case(first))
    }

    fn first_denied_key(&self, entry: &Entry, args: Args<'_>) -> Option<usize> {
        let mut denied = None;
        let found = entry.command.meta.each_key(args, &mut |span| {
            if denied.is_none() && !self.has_key(args.get(span.index).unwrap_or_default(), span) {
                denied = Some(span.index);
            }
        });
        // A call whose keys cannot be told touches none: the command refuses it.
        found.ok().and(denied)
    }

    fn has_key(&self, key: &[u8], span: KeySpan) -> bool {
        let read = span.flags.contains(KeyFlags::ACCESS);
        let write = span.flags.intersects(KeyFlags::UPDATE.union(KeyFlags::INSERT).union(KeyFlags::DELETE));
        self.keys.iter().any(|known| {
            (known.read || !read) && (known.write || !write) && glob::matches(&known.pattern, key, false)
        })
    }

    fn reads_all_keys(&self) -> bool {
        self.all_keys || self.keys.iter().any(|known| known.read && *known.pattern == *b"*")
    }

    fn first_denied_channel(&self, entry: &Entry, args: Args<'_>) -> Option<usize> {
        let channels = entry.command.meta.channels;
        channels.positions(args).find(|&at| !self.has_channel(args.raw(at), channels.are_patterns()))
    }

    /// Whether it has a channel, or a pattern of channels: that must be among its own literally.
    pub(super) fn has_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_channels
            || self.channels.iter().any(|known| {
                if is_pattern { **known == *channel } else { glob::matches(known, channel, false) }
            })
    }
}
