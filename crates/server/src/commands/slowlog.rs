//! SLOWLOG.

use super::Call;
use moonshard_engine::Error;

/// Entries that GET shows unless it is told how many.
const COUNT_DEFAULT: usize = 10;

impl Call<'_, '_> {
    pub(super) fn slowlog_get(&mut self) -> Result<(), Error> {
        const BAD_COUNT: Error = Error::fixed("ERR count should be greater than or equal to -1");
        let count = match self.args.len() {
            2 => COUNT_DEFAULT,
            3 => match self.args.int_or(2, BAD_COUNT)? {
                -1 => usize::MAX,
                count => usize::try_from(count).map_err(|_| BAD_COUNT)?,
            },
            _ => return Err(self.wrong_subcommand()),
        };
        let entries = self.server.slowlog.last(count);
        self.reply.array(entries.len());
        for entry in entries {
            self.reply.array(6);
            self.reply.int(entry.id as i64);
            self.reply.int(entry.unix_seconds as i64);
            self.reply.int(entry.micros as i64);
            self.reply.array(entry.args.len());
            for arg in &entry.args {
                self.reply.bulk(arg);
            }
            self.reply.bulk(entry.addr.as_bytes());
            self.reply.bulk(&entry.name);
        }
        Ok(())
    }

    pub(super) fn slowlog_len(&mut self) -> Result<(), Error> {
        self.reply.count(self.server.slowlog.len());
        Ok(())
    }

    pub(super) fn slowlog_reset(&mut self) -> Result<(), Error> {
        self.server.slowlog.reset();
        self.reply.ok();
        Ok(())
    }
}
