//! The programs that are compared: where they are, and how each is started.

use super::error::Error;
use super::options::Options;
use super::process::Server;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a server keeps on disk: nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keeping<'a> {
    /// The snapshot that it finds.
    pub snapshot: Option<&'a Path>,
    /// The `appendfsync` of its log; `None` when it keeps none.
    pub log: Option<&'a str>,
}

impl Keeping<'_> {
    /// Puts the snapshot into the server's folder, and tells it the rest.
    fn told(&self, mut command: Command, dir: &Path) -> Command {
        if let Some(snapshot) = self.snapshot {
            // A server that does not find it has no keys, which is noticed.
            let _ = std::fs::hard_link(snapshot, dir.join("dump.rdb"));
        }
        let log = if self.log.is_some() { "yes" } else { "no" };
        command.args(["--save", "", "--appendonly", log]);
        command.args(["--appendfsync", self.log.unwrap_or("everysec")]);
        command
    }
}

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    moonshard: PathBuf,
    redis: PathBuf,
    bound: PathBuf,
}

impl Programs {
    /// Finds them, and builds those of this workspace as this program itself was built.
    ///
    /// # Errors
    /// When they cannot be built, or one that was named is not there.
    pub fn find(options: &Options) -> Result<Self, Error> {
        let own = std::env::current_exe().map_err(|error| Error::io("find this program", error))?;
        let dir = own.parent().unwrap_or(Path::new("."));
        build(dir, options.moonshard.is_none())?;
        let moonshard = match &options.moonshard {
            // It is started in a folder of its own.
            Some(path) => {
                path.canonicalize().map_err(|e| Error::io(format!("find {}", path.display()), e))?
            }
            None => dir.join("moonshard"),
        };
        let redis = match options.redis.canonicalize() {
            Ok(path) if options.redis.components().count() > 1 => path,
            _ => options.redis.clone(),
        };
        Ok(Self { moonshard, redis, bound: dir.join("bound") })
    }

    /// Starts redis-server, without persistence.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_redis(&self) -> Result<Server, Error> {
        self.start_redis_keeping(&Keeping::default())
    }

    /// Starts redis-server with what it is to keep on disk.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_redis_keeping(&self, keeping: &Keeping<'_>) -> Result<Server, Error> {
        Server::start(|port, dir| keeping.told(server(&self.redis, port, dir), dir))
    }

    /// Starts Moonshard without persistence, else with its default settings, or with so many I/O threads.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_moonshard(&self, io_threads: Option<u32>) -> Result<Server, Error> {
        self.start_moonshard_keeping(io_threads, &Keeping::default())
    }

    /// Starts Moonshard as [`Programs::start_moonshard`], with what it is to keep on disk.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_moonshard_keeping(
        &self,
        io_threads: Option<u32>,
        keeping: &Keeping<'_>,
    ) -> Result<Server, Error> {
        Server::start(|port, dir| {
            let mut command = keeping.told(server(&self.moonshard, port, dir), dir);
            if let Some(count) = io_threads {
                command.args(["--io-threads", &count.to_string()]);
            }
            command
        })
    }

    /// Starts the server that only parses, with so many I/O threads or one a core.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_bound(&self, io_threads: Option<u32>) -> Result<Server, Error> {
        Server::start(|port, _| {
            let mut command = Command::new(&self.bound);
            command.args([port.to_string(), io_threads.unwrap_or(0).to_string()]);
            command
        })
    }
}

fn server(program: &Path, port: u16, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(dir);
    command
}

/// Builds the servers into the folder of this program, with its profile. Without cargo, what lies there is taken.
fn build(dir: &Path, moonshard: bool) -> Result<(), Error> {
    let cargo = std::env::var_os("CARGO");
    let (Some(cargo), Some(target), Some(profile)) = (cargo, dir.parent(), dir.file_name()) else {
        return Ok(());
    };
    let profile = if profile == "debug" { "dev".into() } else { profile.to_owned() };
    let mut args: Vec<OsString> = ["build", "--quiet", "--profile"].map(OsString::from).into();
    args.extend([profile, "--target-dir".into(), target.into()]);
    args.extend(["-p", "moonshard-benches", "--bin", "bound"].map(OsString::from));
    if moonshard {
        args.extend(["-p", "moonshard-server", "--bin", "moonshard"].map(OsString::from));
    }
    eprintln!("building the servers");
    let status = Command::new(cargo).args(args).status();
    match status.map_err(|error| Error::io("run cargo", error))? {
        status if status.success() => Ok(()),
        status => Err(Error::Program(format!("building the servers failed ({status})"))),
    }
}
