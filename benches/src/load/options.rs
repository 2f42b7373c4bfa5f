//! The command line.

use super::data::{Amount, ELEMENTS};
use super::error::Error;
use super::rows::{self, Group};
use std::path::PathBuf;
use std::str::FromStr;

/// What `--help` prints.
pub const HELP: &str = "\
Compares Moonshard with redis-server under the same load, in turn and in rounds.

    cargo run --release -p moonshard-benches --bin load -- [OPTIONS]

  --rounds N        rounds (3); medians are shown
  --only NAMES      rows whose name contains one of these words, separated by commas (see --list)
  --group NAMES     rows of these groups: base, scripts, types (in pipelines), single (the same commands one at a time), spread
                    (over a million small collections), memory, persistence
  --requests N      requests of each row and round, instead of each row's own number
  --quick           one round, a tenth of the requests and of the keys: whether everything works, not how fast
  --moonshard PATH  the server, instead of building it as this program was built
  --redis PATH      redis-server (redis-server)
  --io-threads N    Moonshard's I/O threads, instead of its own choice; give it again to compare several
  --json FILE       the figures, in a file as well
  --list            the names of all rows, with their groups
";

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// The comparison.
    Run(Options),
    /// How to use this.
    Help,
    /// The names of the rows.
    List,
}

/// How to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How often each row is measured.
    pub rounds: usize,
    /// Parts of names of rows; empty for all rows.
    pub only: Vec<String>,
    /// Groups of rows; empty for all of them.
    pub groups: Vec<Group>,
    /// Requests a row, where not the row's own number.
    pub requests: Option<u64>,
    /// Whether this is only to see that everything works.
    pub quick: bool,
    /// The server, if it is not to be built.
    pub moonshard: Option<PathBuf>,
    /// The server to compare with.
    pub redis: PathBuf,
    /// Moonshard's I/O threads, one entry for each configuration; `None` for its own choice.
    pub io_threads: Vec<Option<u32>>,
    /// Where the figures go as JSON.
    pub json: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 3,
            only: Vec::new(),
            groups: Vec::new(),
            requests: None,
            quick: false,
            moonshard: None,
            redis: "redis-server".into(),
            io_threads: vec![None],
            json: None,
        }
    }
}

impl Invocation {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn parse(args: impl Iterator<Item = String>) -> Result<Self, Error> {
        let mut options = Options::default();
        let (mut rounds, mut io_threads) = (None, Vec::new());
        let mut args = args;
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| Error::Usage(format!("{name} needs a value")));
            match name.as_str() {
                "--rounds" => rounds = Some(number(&name, &value()?)?),
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--group" => options.groups = value()?.split(',').map(group).collect::<Result<_, _>>()?,
                "--requests" => options.requests = Some(number(&name, &value()?)?),
                "--quick" => options.quick = true,
                "--moonshard" => options.moonshard = Some(value()?.into()),
                "--redis" => options.redis = value()?.into(),
                "--io-threads" => io_threads.push(Some(number(&name, &value()?)?)),
                "--json" => options.json = Some(value()?.into()),
                "--help" | "-h" => return Ok(Self::Help),
                "--list" => return Ok(Self::List),
                _ => return Err(Error::Usage(format!("unknown option {name}"))),
            }
        }
        options.rounds = rounds.unwrap_or(if options.quick { 1 } else { options.rounds });
        if !io_threads.is_empty() {
            options.io_threads = io_threads;
        }
        let unknown =
            options.only.iter().find(|word| !rows::names().any(|(name, _)| name.contains(word.as_str())));
        if let Some(word) = unknown {
            return Err(Error::Usage(format!("no row's name contains {word:?}")));
        }
        Ok(Self::Run(options))
    }
}

impl Options {
    /// Whether the row of this name and group is to be measured.
    pub fn wants(&self, name: &str, group: Group) -> bool {
        (self.only.is_empty() || self.only.iter().any(|word| name.contains(word.as_str())))
            && (self.groups.is_empty() || self.groups.contains(&group))
    }

    /// A number of keys or requests, less in a quick run.
    pub fn scaled(&self, number: u64) -> u64 {
        const QUICK_DIVISOR: u64 = 10;
        if self.quick { number / QUICK_DIVISOR } else { number }
    }

    /// The requests of an amount, for a row that sends so many.
    pub fn amount(&self, amount: Amount, requests: u64) -> u64 {
        match amount {
            Amount::Fixed(number) => number,
            Amount::Scaled(number) => self.scaled(number),
            Amount::ElementEach => requests.div_ceil(ELEMENTS),
        }
    }
}

fn group(name: &str) -> Result<Group, Error> {
    let found = Group::ALL.into_iter().find(|group| group.name() == name);
    found.ok_or_else(|| Error::Usage(format!("no group is called {name:?}")))
}

fn number<T: FromStr + PartialOrd + From<u8>>(name: &str, text: &str) -> Result<T, Error> {
    let parsed = text.parse().ok().filter(|number| *number >= T::from(1));
    parsed.ok_or_else(|| Error::Usage(format!("{name} needs a number of at least 1, not {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        match Invocation::parse(line.split_whitespace().map(str::to_owned)) {
            Ok(Invocation::Run(options)) => Ok(options),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn options_are_read() {
        let options = parse("--io-threads 1 --io-threads 2 --only p64,memory --requests 10 --quick").unwrap();
        assert_eq!(options.io_threads, [Some(1), Some(2)]);
        assert_eq!((options.rounds, options.requests, options.scaled(50)), (1, Some(10), 5));
        let wants = |options: &Options, name| options.wants(name, Group::Base);
        assert!(wants(&options, "get-p64") && wants(&options, "memory") && !wants(&options, "get-p1"));
        let grouped = parse("--group types,memory --only xadd").unwrap();
        assert!(grouped.wants("xadd-p64", Group::Types) && !grouped.wants("xadd-p1", Group::Single));
        assert_eq!(parse("--quick --rounds 2").unwrap().rounds, 2);
        assert_eq!(parse("").unwrap(), Options::default());
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(parse("--rounds").unwrap_err(), "--rounds needs a value (see --help)");
        assert_eq!(
            parse("--rounds 0").unwrap_err(),
            "--rounds needs a number of at least 1, not \"0\" (see --help)"
        );
        assert_eq!(parse("--only p17").unwrap_err(), "no row's name contains \"p17\" (see --help)");
        assert_eq!(parse("--group all").unwrap_err(), "no group is called \"all\" (see --help)");
        assert_eq!(parse("--fast").unwrap_err(), "unknown option --fast (see --help)");
    }
}
