//! The options of XADD and XTRIM that say how the stream is trimmed.

use super::id::{self, NewId};
use crate::args::Args;
use crate::error::Error;
use crate::settings::Settings;
use moonshard_store::number::parse_i64;
use moonshard_store::{Stream, Trim, TrimTo};

/// What XADD or XTRIM was asked for.
pub(super) struct Options {
    /// How to trim, if at all.
    pub(super) trim: Option<Trim>,
    /// The argument that is the threshold to trim to.
    pub(super) threshold: usize,
    /// The options were read up to this argument; for XADD it is the entry's id.
    pub(super) end: usize,
    /// The new entry's id (XADD).
    pub(super) id: NewId,
    /// Whether a stream that does not exist stays so (XADD).
    pub(super) no_create: bool,
}

/// An argument that must be an integer.
fn int(args: Args<'_>, at: usize) -> Result<i64, Error> {
    parse_i64(args.raw(at)).ok_or(Error::NOT_AN_INTEGER)
}

impl Options {
    /// Reads the options of XADD, up to the id. A call that is run `again`, from a log, was limited when it ran first,
    /// and its threshold says by how much.
    ///
    /// # Errors
    /// Redis' texts, in its order of checks.
    pub(super) fn of_xadd(args: Args<'_>, settings: &Settings, again: bool) -> Result<Self, Error> {
        Self::parse(args, settings, true, again)
    }

    /// Reads the options of XTRIM, which have a trim; `again` as for XADD.
    ///
    /// # Errors
    /// Redis' texts, in its order of checks.
    pub(super) fn of_xtrim(args: Args<'_>, settings: &Settings, again: bool) -> Result<(Self, Trim), Error> {
        let options = Self::parse(args, settings, false, again)?;
        let trim = options.trim.ok_or(NO_STRATEGY)?;
        Ok((options, trim))
    }

    fn parse(args: Args<'_>, settings: &Settings, xadd: bool, again: bool) -> Result<Self, Error> {
        let mut options = Self { trim: None, threshold: 0, end: 2, id: NewId::Auto, no_create: false };
        let mut limit = None;
        while options.end < args.len() {
            let at = options.end;
            let more = at + 1 < args.len();
            if xadd && args.raw(at) == b"*" {
                break;
            } else if more && args.is(at, "MAXLEN") {
                options.strategy(args, |args, at| match int(args, at)? {
                    len @ 0.. => Ok(TrimTo::Len(len as u64)),
                    _ => Err(Error::fixed("ERR The MAXLEN argument must be >= 0.")),
                })?;
            } else if more && args.is(at, "MINID") {
                options.strategy(args, |args, at| id::strict(args.raw(at), 0).map(TrimTo::Id))?;
            } else if more && args.is(at, "LIMIT") {
                let given = int(args, at + 1)?;
                let given =
                    u64::try_from(given).map_err(|_| Error::fixed("ERR The LIMIT argument must be >= 0."))?;
                limit = Some(given);
                options.end += 1;
            } else if xadd && args.is(at, "NOMKSTREAM") {
                options.no_create = true;
            } else if xadd {
                options.id = id::new(args.raw(at))?;
                break;
            } else {
                return Err(Error::SYNTAX);
            }
            options.end += 1;
        }
        options.settle_limit(limit, settings, xadd, again)?;
        Ok(options)
    }

    /// Reads `MAXLEN [~|=] threshold` or its kin.
    fn strategy(
        &mut self,
        args: Args<'_>,
        threshold: impl Fn(Args<'_>, usize) -> Result<TrimTo, Error>,
    ) -> Result<(), Error> {
        if self.trim.is_some() {
            return Err(Error::fixed(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let mut at = self.end + 1;
        let approximate = at + 1 < args.len() && args.raw(at) == b"~";
        at += usize::from(approximate || at + 1 < args.len() && args.raw(at) == b"=");
        self.trim = Some(Trim { to: threshold(args, at)?, approximate, limit: 0 });
        (self.threshold, self.end) = (at, at);
        Ok(())
    }

    /// LIMIT, or what stands for it: approximate trimming does not do too much at once.
    fn settle_limit(
        &mut self,
        limit: Option<u64>,
        settings: &Settings,
        xadd: bool,
        again: bool,
    ) -> Result<(), Error> {
        const LIMIT_NODES: u64 = 100;
        const LIMIT_WITHOUT_NODES: u64 = 10_000;
        const LIMIT_MAX: u64 = 1_000_000;
        let Some(trim) = &mut self.trim else {
            return match limit {
                Some(1..) => Err(Error::fixed(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
                )),
                _ if !xadd => Err(NO_STRATEGY),
                Some(0) => Err(LIMIT_WITHOUT_TILDE),
                None => Ok(()),
            };
        };
        match limit {
            _ if again => {}
            Some(_) if !trim.approximate => return Err(LIMIT_WITHOUT_TILDE),
            Some(limit) => trim.limit = limit,
            None if trim.approximate => {
                trim.limit = match settings.stream.node_entries.saturating_mul(LIMIT_NODES) {
                    0 => LIMIT_WITHOUT_NODES,
                    limit => limit.min(LIMIT_MAX),
                };
            }
            None => {}
        }
        Ok(())
    }
}

const NO_STRATEGY: Error = Error::fixed("ERR syntax error, XTRIM must be called with a trimming strategy");
const LIMIT_WITHOUT_TILDE: Error =
    Error::fixed("ERR syntax error, LIMIT cannot be used without the special ~ option");

impl Options {
    /// The threshold by which the trimming that was just done can be repeated exactly, if it was approximate.
    pub(super) fn exact_threshold(&self, stream: &Stream) -> Option<Vec<u8>> {
        let trim = self.trim.filter(|trim| trim.approximate)?;
        Some(match trim.to {
            TrimTo::Len(_) => stream.len().to_string().into_bytes(),
            TrimTo::Id(_) => stream.first_id_ever_kept().text().to_vec(),
        })
    }

    /// What stands for the argument `at` of a call when its approximate threshold is replaced by an exact one.
    pub(super) fn exact<'a>(&self, at: usize, threshold: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match self.threshold.checked_sub(at)? {
            0 => threshold,
            1 => threshold.map(|_| &b"="[..]),
            _ => None,
        }
    }
}
