//! COMMAND LIST: the names of all commands and subcommands, or of some.

use crate::command::{CommandTable, Entry};
use crate::commands::prelude::*;
use crate::glob;

/// Which commands are wanted.
enum Filter<'a> {
    All,
    /// Those of no module, since there are none.
    Module,
    /// Those of an ACL category; none, when there is no such category.
    Category(Acl),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Error> {
        if args.len() == 2 {
            return Ok(Self::All);
        }
        if args.len() != 5 || !args.is(2, "FILTERBY") {
            return Err(Error::SYNTAX);
        }
        let value = args.raw(4);
        match () {
            () if args.is(3, "MODULE") => Ok(Self::Module),
            () if args.is(3, "ACLCAT") => Ok(Self::Category(Acl::by_name(value).unwrap_or(Acl::empty()))),
            () if args.is(3, "PATTERN") => Ok(Self::Pattern(value)),
            () => Err(Error::SYNTAX),
        }
    }

    fn takes(&self, entry: &Entry) -> bool {
        let meta = &entry.command.meta;
        match self {
            Self::All => true,
            Self::Module => false,
            Self::Category(category) => meta.acl.with_implied(meta.flags).intersects(*category),
            Self::Pattern(pattern) => glob::matches(pattern, entry.full_name.as_bytes(), true),
        }
    }
}

pub(super) fn command_list(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let filter = Filter::parse(args)?;
    let open = cx.reply.open_array();
    let mut found = 0;
    for entry in CommandTable::get().entries().iter().filter(|entry| filter.takes(entry)) {
        cx.reply.bulk(entry.full_name.as_bytes());
        found += 1;
    }
    cx.reply.close(open, found);
    DONE
}
