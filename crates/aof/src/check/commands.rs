//! Examines the commands of a log.

use super::{FileReport, Options};
use crate::reader::{Damage, Item, Reader};
use std::io::Read;

/// What was found among commands, up to the first fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandFacts {
    /// Commands, without MULTI and EXEC.
    pub commands: u64,
    /// Transactions.
    pub transactions: u64,
    /// Annotations.
    pub annotations: u64,
    /// Unix time in seconds of the first and the last timestamp.
    pub timestamps: Option<(i64, i64)>,
}

/// The Unix time in seconds that an annotation tells.
fn timestamp(annotation: &[u8]) -> Option<i64> {
    std::str::from_utf8(annotation.strip_prefix(b"#TS:")?).ok()?.parse().ok()
}

/// Examines the commands that `source` reads, from byte `begin` of the file on.
pub(super) fn examine(
    source: impl Read,
    begin: u64,
    report: &mut FileReport,
    options: Options<'_>,
) -> Result<(), Damage> {
    let mut reader = Reader::starting_at(source, begin);
    loop {
        let whole_up_to = reader.valid_up_to();
        let facts = &mut report.commands;
        match reader.next()? {
            Some(Item::Command(command)) if command.is("EXEC") => facts.transactions += 1,
            Some(Item::Command(command)) => {
                if let Some(vet) = options.vet {
                    let args: Vec<&[u8]> = command.iter().collect();
                    let offset = command.offset();
                    vet(&args).map_err(|reason| Damage::Corrupt {
                        valid_up_to: whole_up_to,
                        offset,
                        reason,
                    })?;
                }
                facts.commands += u64::from(!command.is("MULTI"));
            }
            Some(Item::Annotation(text)) => {
                facts.annotations += 1;
                let Some(at) = timestamp(text) else { continue };
                if options.up_to_unix_seconds.is_some_and(|wanted| at > wanted) {
                    report.later = Some(whole_up_to);
                    return Ok(());
                }
                let first = facts.timestamps.map_or(at, |(first, _)| first);
                facts.timestamps = Some((first, at));
            }
            None => return Ok(()),
        }
    }
}
