//! DEBUG DISK-FAULT: a disk that fails, in a running server.

use crate::commands::Call;
use moonshard_disk::{Operation, Rule, errno_of};
use moonshard_engine::Error;
use std::time::Duration;

const UNKNOWN_OPERATION: Error = Error::fixed("ERR Unknown operation on files: see DEBUG HELP");
const UNKNOWN_ERROR: Error = Error::fixed("ERR Unknown error of the system: use a name like ENOSPC, or NONE");

impl Call<'_, '_> {
    /// `DEBUG DISK-FAULT CLEAR`, or a rule.
    pub(super) fn debug_disk_fault(&mut self) -> Result<(), Error> {
        if self.args.len() == 3 && self.args.is(2, "CLEAR") {
            self.server.disk.clear_rules();
        } else {
            let rule = self.disk_rule()?;
            self.server.disk.add_rule(rule);
        }
        self.reply.ok();
        Ok(())
    }

    fn disk_rule(&self) -> Result<Rule, Error> {
        /// Arguments before the options: command, subcommand, operation, path part, error.
        const OPTIONS: usize = 5;
        let args = self.args;
        if args.len() < OPTIONS || !(args.len() - OPTIONS).is_multiple_of(2) {
            return Err(Error::SYNTAX);
        }
        let text = |index| String::from_utf8_lossy(args.raw(index)).into_owned();
        let operation = Operation::of(&text(2)).ok_or(UNKNOWN_OPERATION)?;
        let errno = match text(4) {
            none if none.eq_ignore_ascii_case("none") => None,
            name => Some(errno_of(&name).ok_or(UNKNOWN_ERROR)?),
        };
        let mut rule = Rule { errno, ..Rule::new(operation, &text(3), 0) };
        for index in (OPTIONS..args.len()).step_by(2) {
            let value = u64::try_from(args.int(index + 1)?).map_err(|_| Error::OUT_OF_RANGE_POSITIVE)?;
            match text(index).to_ascii_lowercase().as_str() {
                "after" => rule.after = value,
                "times" if value > 0 => rule.times = Some(value),
                "short" => rule.short = usize::try_from(value).ok(),
                "delay" => rule.delay = Duration::from_millis(value),
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(rule)
    }
}
