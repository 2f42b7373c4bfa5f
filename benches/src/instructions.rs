//! How many instructions of its own a server executes for a request, counted by the processor: unlike time, this is the
//! same on a busy machine and on a quiet one, so that builds can be compared to a tenth of a percent.

mod counter;

use crate::load::client::Client;
use crate::load::error::Error;
use crate::load::process::Server;
use crate::load::redis_benchmark::{self, Run, What};
use crate::load::stop;
use counter::Counter;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Counts the instructions that servers execute in user mode for a request, on one shard and one I/O thread.

Usage: instructions [--rows NAMES] [--shards N] SERVER...

SERVER is a build of moonshard, or redis-server. With several the first is what the others are compared with.
  --rows NAMES    only these rows, with commas between them
  --shards N      so many shards (1)

What the statistics cost tells a build without them beside one with them:
  cargo build --release -p moonshard-server
  RUSTFLAGS='--cfg moonshard_uncounted' cargo build --release -p moonshard-server --target-dir target/uncounted
  cargo run --release -p moonshard-benches --bin instructions -- \\
      target/uncounted/release/moonshard target/release/moonshard
";

/// Keys that there are, and that are asked for at random.
const KEYS: u64 = 100_000;
/// Requests that are counted, and those before them.
const REQUESTS: u64 = 200_000;
const REQUESTS_BEFORE: u64 = 20_000;
const VALUE_LEN: usize = 64;
const PIPELINES: [u32; 3] = [1, 16, 64];

/// A library of the functions that rows call.
const LIBRARY: &str = "#!lua name=instructions
redis.register_function('one', function() return 1 end)
redis.register_function('get', function(keys) return redis.call('get', keys[1]) end)";

/// What is sent.
enum Sent {
    /// This.
    Words(&'static [&'static str]),
    /// EVALSHA of this text with these arguments.
    Script(&'static str, &'static [&'static str]),
}

/// The rows by name.
const ROWS: &[(&str, Sent)] = &[
    ("ping", Sent::Words(&["PING"])),
    ("get", Sent::Words(&["GET", "key:__rand_int__"])),
    ("set", Sent::Words(&["SET", "key:__rand_int__", "__value__"])),
    ("incr", Sent::Words(&["INCR", "counter:__rand_int__"])),
    ("evalsha-get", Sent::Script("return redis.call('get', KEYS[1])", &["1", "key:__rand_int__"])),
    (
        "evalsha-get-set",
        Sent::Script(
            "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])",
            &["1", "key:__rand_int__", "__value__"],
        ),
    ),
    ("evalsha-one", Sent::Script("return 1", &["0"])),
    ("fcall-one", Sent::Words(&["FCALL", "one", "0"])),
    ("fcall-get", Sent::Words(&["FCALL", "get", "1", "key:__rand_int__"])),
];

/// What the arguments say.
struct Options {
    rows: Option<Vec<String>>,
    shards: String,
    servers: Vec<PathBuf>,
}

impl Options {
    /// `None` when help is asked for.
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, Error> {
        let mut options = Self { rows: None, shards: "1".into(), servers: Vec::new() };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| Error::Usage(format!("{arg} needs a value")));
            match arg.as_str() {
                "--help" => return Ok(None),
                "--rows" => options.rows = Some(value()?.split(',').map(str::to_owned).collect()),
                "--shards" => options.shards = value()?,
                _ if arg.starts_with("--") => return Err(Error::Usage(format!("no option {arg}"))),
                _ => options.servers.push(find(Path::new(&arg))?),
            }
        }
        if options.servers.is_empty() {
            return Err(Error::Usage("no server is named".into()));
        }
        Ok(Some(options))
    }

    fn wants(&self, row: &str) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows.iter().any(|name| name == row))
    }
}

/// A program by its path, from whatever folder it is started; one without a folder is searched for by the system. A link is
/// not followed: redis-server is one of those that look at what they are called.
fn find(path: &Path) -> Result<PathBuf, Error> {
    if path.components().count() == 1 {
        return Ok(path.to_owned());
    }
    std::path::absolute(path).map_err(|error| Error::io(format!("find {}", path.display()), error))
}

/// Runs the comparison as the arguments, without the program's name, say.
pub fn main(args: impl Iterator<Item = String>) -> ExitCode {
    stop::install();
    let outcome = match Options::parse(args) {
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Some(options)) => run(&options),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Error> {
    let mut servers = Vec::new();
    for program in &options.servers {
        servers.push(start(program, &options.shards)?);
        println!("{}: {}", servers.len(), program.display());
    }
    for (name, sent) in ROWS.iter().filter(|(name, _)| options.wants(name)) {
        for pipeline in PIPELINES {
            let mut line = format!("{name:<16} P={pipeline:<3}");
            let mut first = None;
            for server in &mut servers {
                let count = measure(server, sent, pipeline)?;
                let of_first = *first.get_or_insert(count);
                line += &format!(" {count:>8.0} {:>+6.1}%", (count / of_first - 1.0) * 100.0);
            }
            println!("{line}");
        }
    }
    Ok(())
}

/// Starts a server and fills it.
fn start(program: &Path, shards: &str) -> Result<Server, Error> {
    let is_redis = program.ends_with("redis-server");
    let server = Server::start(|port, dir| {
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(dir);
        if !is_redis {
            command.args(["--io-threads", "1", "--shards", shards]);
        }
        command
    })?;
    let mut client = Client::connect(server.port())?;
    client.text(&[b"FUNCTION", b"LOAD", LIBRARY.as_bytes()])?;
    let value = "x".repeat(VALUE_LEN);
    client.fill(KEYS, |number| vec!["SET".into(), format!("key:{number:012}"), value.clone()])?;
    client.fill(KEYS, |number| vec!["SET".into(), format!("counter:{number:012}"), "1000".into()])?;
    Ok(server)
}

/// Instructions a request.
fn measure(server: &mut Server, sent: &Sent, pipeline: u32) -> Result<f64, Error> {
    let value = "x".repeat(VALUE_LEN);
    let mut words: Vec<String> = Vec::new();
    let args = match sent {
        Sent::Words(words) => words,
        Sent::Script(text, args) => {
            let sha = Client::connect(server.port())?.text(&[b"SCRIPT", b"LOAD", text.as_bytes()])?;
            words.extend(["EVALSHA".into(), sha]);
            args
        }
    };
    words.extend(args.iter().map(|word| word.replace("__value__", &value)));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (id, port) = (server.id(), server.port());
    let what = |requests| Run {
        port,
        requests,
        pipeline,
        value_len: VALUE_LEN,
        keys: KEYS,
        what: What::Command(&words),
    };
    redis_benchmark::run(&what(REQUESTS_BEFORE))?;
    let run = what(REQUESTS);
    let counter = Counter::of_process(id)?;
    redis_benchmark::run(&run)?;
    Ok(counter.read()? as f64 / REQUESTS as f64)
}
