//! Servers that are killed in the middle of their work, again and again, and what must be there when they start again.
//!
//! Several connections change keys of their own by commands, transactions and scripts, many at a time, and number what
//! they do; others share keys of which something must hold at every moment. After each crash every connection's keys must
//! be as they were after the first so many of its deeds: a redis-server to which the same deeds are done says how that
//! was. How many of the answered ones may be missing depends on what the settings promise.

mod chance;
mod witness;
mod worker;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::content::{Content, Same};
use crate::random::Rng;
use crate::resp::Client;
use crate::server::{Kind, Server, temp_dir, under_test_is_redis};
use crate::waiting::WITHIN;
use witness::Witnesses;
use worker::Worker;

/// Some rounds go on for so long, so that syncs go on beside the writes.
const LONG: Duration = Duration::from_secs(3);
/// A round is over by then, however little was done.
const ROUND_MAX: Duration = Duration::from_secs(4);
/// Databases with keys.
const DATABASES: &[usize] = &[0, 1, 2];

/// What the settings promise of answered writes when the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// `appendfsync always`: none is lost.
    Always,
    /// `appendfsync everysec`: none, since the system has them.
    EverySecond,
    /// `appendfsync no`: the same.
    NoSync,
    /// No log: none is lost that was answered before the last snapshot began.
    Snapshots,
}

impl Promise {
    fn args(self) -> &'static [&'static str] {
        match self {
            Promise::Always => &["--appendonly", "yes", "--appendfsync", "always"],
            Promise::EverySecond => &["--appendonly", "yes", "--appendfsync", "everysec"],
            Promise::NoSync => &["--appendonly", "yes", "--appendfsync", "no"],
            Promise::Snapshots => &["--appendonly", "no"],
        }
    }
}

/// What is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What must be kept.
    pub promise: Promise,
    /// The seed of all that is random, but for the moment of the crash in the server's work.
    pub seed: u64,
    /// Crashes.
    pub rounds: usize,
    /// Shards of the server.
    pub shards: usize,
    /// Connections with keys of their own.
    pub workers: usize,
    /// Bytes that are cut off the log's end after each crash, which must be noticed.
    pub cut: u64,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Crashes that were survived.
    pub rounds: usize,
    /// Deeds that were found.
    pub deeds: u64,
    /// Answered deeds that were lost.
    pub lost: u64,
    /// How long before its crash the oldest of them was answered.
    pub lost_age: Duration,
    /// Files that redis-server read as well.
    pub read_by_redis: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { rounds, deeds, lost, lost_age, read_by_redis } = self;
        write!(
            f,
            "{rounds} crashes, {deeds} deeds found, {lost} answered ones lost, the oldest {lost_age:?} before its \
             crash; {read_by_redis} times redis-server read the same"
        )
    }
}

/// The servers and connections of a run.
struct Run {
    plan: Plan,
    rng: Rng,
    server: Server,
    reference: Server,
    workers: Vec<Worker>,
    witnesses: Witnesses,
    report: Report,
}

/// Runs a plan.
///
/// # Errors
/// What is not as it must be, and the plan that repeats it.
///
/// # Panics
/// When a server cannot be started at all.
pub fn run(plan: &Plan) -> Result<Report, String> {
    let mut rng = Rng::new(plan.seed);
    let preamble = if rng.one_in(2) { "yes" } else { "no" };
    let rewrite_at = format!("{}kb", 64 << rng.below(6));
    let mut args = vec!["--save", "", "--aof-use-rdb-preamble", preamble, "--enable-debug-command", "yes"];
    args.extend(["--auto-aof-rewrite-min-size", &rewrite_at]);
    args.extend_from_slice(plan.promise.args());
    if !under_test_is_redis() {
        args.extend(["--lua-default-flags", "allow-undeclared-keys"]);
    }
    let mut run = Run {
        server: Server::moonshard(plan.shards, &args),
        reference: Server::redis(&[]),
        workers: (0..plan.workers).map(|number| Worker::new(rng.bits(), number)).collect(),
        witnesses: Witnesses::new(!under_test_is_redis()),
        report: Report::default(),
        plan: plan.clone(),
        rng,
    };
    run.fill();
    while run.report.rounds < plan.rounds {
        if let Err(why) = run.round() {
            return Err(format!(
                "{plan:?}, in round {}: {why}\nthe server's log ends with\n{}",
                run.report.rounds,
                end_of(&run.server.log())
            ));
        }
        run.report.rounds += 1;
    }
    Ok(run.report)
}

fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

impl Run {
    /// Some weight for snapshots to carry, which nobody changes.
    fn fill(&mut self) {
        let mut client = self.server.connect();
        client.ask("SELECT 2");
        let value = "filling ".repeat(20);
        for at in 0..3_000 {
            client.command(&["set", &format!("filling:{at}"), &value]).expect("no reply");
        }
        if self.plan.promise == Promise::Snapshots {
            client.ask("SAVE");
        }
    }

    /// Work, a crash in the middle of it, a start, and a look at everything.
    fn round(&mut self) -> Result<(), String> {
        let enough = 200 + self.rng.below(12_000) as u64;
        let longer = self.plan.promise == Promise::EverySecond && self.rng.one_in(3);
        let at_least = if longer { LONG } else { Duration::ZERO };
        let orderly = self.rng.one_in(6);
        let (crashed, snapshot) = self.work_and_crash(enough, at_least, orderly)?;
        cut_log(self.server.dir(), self.plan.cut);
        self.server.start_again()?;
        let logged = self.plan.promise != Promise::Snapshots;
        let kept_until = if logged { Some(crashed + 10 * ROUND_MAX) } else { snapshot };
        let (mut client, mut reference) = (self.server.connect(), self.reference.connect());
        self.report.deeds = 0;
        for worker in &mut self.workers {
            let outcome = worker.settle(&mut client, &mut reference, kept_until, crashed)?;
            self.report.deeds += outcome.there;
            self.report.lost += outcome.lost;
            self.report.lost_age = self.report.lost_age.max(outcome.lost_age);
        }
        self.witnesses.check(&mut client, logged)?;
        let filling = client.command(&["select", "2"]).and_then(|_| client.command(&["dbsize"]));
        if filling.map_err(|e| e.to_string())?.raw != b":3000\r\n" {
            return Err("the filling is not there".to_owned());
        }
        if logged && !self.server.is_redis() && self.rng.one_in(4) {
            self.read_by_redis(&mut client)?;
            self.report.read_by_redis += 1;
        }
        Ok(())
    }

    /// When the server was killed, or asked to end, and when the last snapshot was begun that was whole by then.
    fn work_and_crash(
        &mut self,
        enough: u64,
        at_least: Duration,
        orderly: bool,
    ) -> Result<(Instant, Option<Instant>), String> {
        let (stop, progress, fault) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(None));
        let snapshot = Mutex::new(None);
        let seed = self.rng.bits();
        let clients: Vec<Client> = self.workers.iter().map(|_| self.server.connect()).collect();
        let witnesses: Vec<_> =
            self.witnesses.all(seed).into_iter().map(|witness| (witness, self.server.connect())).collect();
        let mut admin = self.server.connect();
        let began = Instant::now();
        let server = &mut self.server;
        let crashed = std::thread::scope(|scope| {
            let (stop, progress, fault, snapshot) = (&stop, &progress, &fault, &snapshot);
            for (worker, mut client) in self.workers.iter_mut().zip(clients) {
                scope.spawn(move || worker.work(&mut client, stop, progress));
            }
            for (mut witness, mut client) in witnesses {
                scope.spawn(move || {
                    if let Err(error) = witness.work(&mut client, stop)
                        && error.kind() == io::ErrorKind::Other
                    {
                        fault.lock().unwrap().get_or_insert(error.to_string());
                    }
                });
            }
            scope.spawn(move || background(&mut admin, Rng::new(seed), stop, progress, snapshot));
            loop {
                let (past, done) = (began.elapsed(), progress.load(Ordering::Relaxed));
                if past > ROUND_MAX || (done >= enough && past >= at_least) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            let crashed = Instant::now();
            if orderly {
                server.signal(libc::SIGTERM);
                server.wait_for_exit(WITHIN);
            }
            server.kill();
            stop.store(true, Ordering::SeqCst);
            crashed
        });
        if let Some(fault) = fault.into_inner().unwrap() {
            return Err(fault);
        }
        Ok((crashed, snapshot.into_inner().unwrap()))
    }

    /// Lets redis-server read a copy of the files, which must be the same to it.
    fn read_by_redis(&self, client: &mut Client) -> Result<(), String> {
        let same = Same { encodings: false, deadlines_ms: 0, deliveries: false, seen: false };
        // What was trimmed after the start is to be in the files; with `appendfsync no` nothing is ever synced.
        client.ask("WAITAOF 1 0 1500");
        let copy = temp_dir();
        copy_folder(&self.server.dir().join("appendonlydir"), &copy.join("appendonlydir"));
        let manifest = copy.join("appendonlydir/appendonly.aof.manifest");
        let checked = Command::new("redis-check-aof").arg(&manifest).output().map_err(|e| e.to_string())?;
        if !checked.status.success() {
            return Err(format!("redis-check-aof: {}", String::from_utf8_lossy(&checked.stdout)));
        }
        let args = ["--dir", copy.to_str().unwrap_or_default(), "--appendonly", "yes"];
        let redis = Server::try_start(Kind::Redis, &args)?;
        let mut theirs = Content::read(&mut redis.connect(), DATABASES, same);
        let mut mine = Content::read(client, DATABASES, same);
        drop(redis);
        // What expires may have done so in between.
        for content in [&mut mine, &mut theirs] {
            content.retain(|key, _| !key.ends_with(b"chance:counter"));
        }
        let differences = mine.differences(&theirs, same);
        let _ = std::fs::remove_dir_all(&copy);
        if differences.is_empty() {
            return Ok(());
        }
        Err(format!("redis-server reads something else:\n{}", differences.join("\n")))
    }
}

/// Snapshots and rewrites, begun now and then.
fn background(
    client: &mut Client,
    mut rng: Rng,
    stop: &AtomicBool,
    progress: &AtomicU64,
    snapshot: &Mutex<Option<Instant>>,
) -> Option<()> {
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        if progress.load(Ordering::Relaxed) < next {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        next = progress.load(Ordering::Relaxed) + rng.below(1_500) as u64;
        let began = Instant::now();
        if rng.one_in(2) {
            client.command(&["bgrewriteaof"]).ok()?;
            continue;
        }
        if client.command(&["bgsave"]).ok()?.error().is_some() {
            continue;
        }
        while client.command(&["info", "persistence"]).ok()?.text().contains("rdb_bgsave_in_progress:1") {
            std::thread::sleep(Duration::from_millis(1));
        }
        *snapshot.lock().unwrap() = Some(began);
    }
    None
}

/// Cuts so many bytes off the newest increment.
fn cut_log(dir: &Path, bytes: u64) {
    let number = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".incr.aof")?.rsplit('.').next()?;
        name.parse::<u64>().ok()
    };
    let files = std::fs::read_dir(dir.join("appendonlydir")).into_iter().flatten().flatten();
    let newest = files.map(|entry| entry.path()).max_by_key(number);
    if let Some(path) = newest.filter(|path| bytes > 0 && number(path).is_some()) {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len().saturating_sub(bytes)).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).into_iter().flatten() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
