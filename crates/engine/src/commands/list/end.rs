//! The ends of lists, as arguments and events name them.

use crate::args::Args;
use crate::error::Error;
use moonshard_store::End;

/// The end that the argument at `index` names.
pub(super) fn parse_end(args: Args<'_>, index: usize) -> Result<End, Error> {
    if args.is(index, "LEFT") {
        Ok(End::Front)
    } else if args.is(index, "RIGHT") {
        Ok(End::Back)
    } else {
        Err(Error::SYNTAX)
    }
}

pub(super) const fn event_of_pop(end: End) -> &'static str {
    match end {
        End::Front => "lpop",
        End::Back => "rpop",
    }
}

pub(super) const fn event_of_push(end: End) -> &'static str {
    match end {
        End::Front => "lpush",
        End::Back => "rpush",
    }
}
