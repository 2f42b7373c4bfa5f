//! What is left of the log when the power fails, or the process ends, at any moment, with a disk that fails now and then.
//!
//! `MOONSHARD_SEED` repeats a run, `MOONSHARD_POWER_LOSSES` sets how many there are (400 without it).

use super::files::{Files, Rewrite};
use super::output::{Failure, Output, Syncing, push_command};
use moonshard_aof::{Damage, Item, Manifest, Reader, encode, manifest_path};
use moonshard_disk::{Disk, FaultyDisk, MemoryDisk, Operation, Rule, folder_of};
use moonshard_engine::Rng;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

const FOLDER: &str = "folder";
const LOG: &str = "log";
/// Steps between two losses of power.
const STEPS: usize = 80;

fn below(rng: &mut Rng, bound: usize) -> usize {
    (rng.next() % bound as u64) as usize
}

/// The log's threads and the rewriting, over a disk in memory. The data is a list of the records' numbers.
struct World {
    memory: MemoryDisk,
    disk: Arc<FaultyDisk>,
    files: Files,
    output: Output,
    /// A sync that goes on beside.
    syncing: Option<Syncing>,
    /// The last record.
    last: u64,
    /// A rewrite that is going on, and the last record that its base will hold.
    rewrite: Option<(Rewrite, u64)>,
    /// Whether what is synced counts: the first base is there.
    is_on: bool,
    wants_base: bool,
}

impl World {
    /// Starts over what is on the disk, whose last record was found to be `last`.
    fn start(memory: &MemoryDisk, last: u64) -> Self {
        let disk = Arc::new(FaultyDisk::new(Box::new(memory.clone())));
        let mut files = Files::read(disk.clone(), FOLDER.as_bytes(), LOG.as_bytes()).unwrap();
        let mut output = Output::new(last);
        let is_on = last > 0 || memory.exists(&manifest_path(Path::new(FOLDER), LOG.as_bytes()));
        if is_on {
            let (file, len) = files.open_last().unwrap();
            files.remove_history();
            output.switch(file, len);
        }
        let memory = memory.clone();
        Self { memory, disk, files, output, syncing: None, last, rewrite: None, is_on, wants_base: !is_on }
    }

    fn note(&mut self, outcome: Result<(), Failure>) {
        self.wants_base |= matches!(outcome, Err(Failure::Sync(_)));
    }

    /// Records are made once recording has begun.
    fn put(&mut self, is_transaction: bool) {
        if !self.is_on && self.rewrite.is_none() {
            return;
        }
        self.last += 1;
        let (mut record, mut command) = (Vec::new(), Vec::new());
        encode(&[b"RPUSH", b"list", self.last.to_string().as_bytes()], &mut command);
        push_command(&mut record, 0, &command);
        if is_transaction {
            command.clear();
            encode(&[b"INCR", b"other"], &mut command);
            push_command(&mut record, 1, &command);
        }
        let outcome = self.output.put(self.last, &record, None, true);
        self.note(outcome);
    }

    fn start_rewrite(&mut self) {
        if self.rewrite.is_none()
            && let Ok(mut rewrite) = self.files.start_rewrite(true, self.is_on, false)
        {
            self.output.switch(rewrite.increment.take().unwrap(), 0);
            self.rewrite = Some((rewrite, self.last));
        }
    }

    fn end_rewrite(&mut self) {
        let Some((rewrite, through)) = self.rewrite.take() else { return };
        let written = self.write_base(&rewrite.base, through);
        match written.and_then(|()| self.files.finish_rewrite(&rewrite, false)) {
            Ok(()) => {
                self.output.drop_earlier();
                (self.wants_base, self.is_on) = (false, true);
            }
            Err(_) => self.files.abandon_rewrite(&rewrite),
        }
    }

    /// As snapshots are written.
    fn write_base(&self, path: &Path, through: u64) -> io::Result<()> {
        let mut bytes = Vec::new();
        for number in 1..=through {
            encode(&[b"RPUSH", b"list", number.to_string().as_bytes()], &mut bytes);
        }
        let temporary = Path::new("temporary");
        let mut file = self.disk.create(temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        self.disk.rename(temporary, path)?;
        self.disk.sync_dir(folder_of(path))
    }

    fn fail_now_and_then(&mut self, rng: &mut Rng) {
        if below(rng, 2) == 0 {
            return self.disk.clear_rules();
        }
        let (_, operation) = Operation::NAMES[below(rng, Operation::NAMES.len())];
        self.disk.add_rule(Rule {
            after: rng.next() % 3,
            times: Some(1 + rng.next() % 3),
            short: Some(below(rng, 30)),
            ..Rule::new(operation, "", libc::EIO)
        });
    }

    fn begin_sync(&mut self) {
        if self.syncing.is_none() {
            self.syncing = self.output.begin_sync();
        }
    }

    fn end_sync(&mut self) {
        if let Some(syncing) = self.syncing.take() {
            let outcome = self.output.end_sync(&syncing, syncing.run());
            self.note(outcome);
        }
    }

    fn step(&mut self, rng: &mut Rng) {
        match below(rng, 20) {
            0..6 => self.put(below(rng, 3) == 0),
            6..9 => {
                let outcome = self.output.write();
                self.note(outcome);
            }
            9..12 => {
                let outcome = self.output.sync();
                self.note(outcome);
            }
            12 => self.start_rewrite(),
            13 => self.end_rewrite(),
            14 if self.wants_base => {
                self.start_rewrite();
                self.end_rewrite();
            }
            14..16 => self.fail_now_and_then(rng),
            16..18 => self.begin_sync(),
            _ => self.end_sync(),
        }
    }
}

/// Loads what is on the disk: the numbers in the list. A torn end of the last file is cut off.
fn load(disk: &MemoryDisk) -> Vec<u64> {
    let folder = Path::new(FOLDER);
    let manifest = Manifest::read(disk, &manifest_path(folder, LOG.as_bytes())).unwrap().unwrap_or_default();
    let files: Vec<_> = manifest.data().map(|entry| entry.path(folder)).collect();
    // An increment that a rewrite has begun may be named before it is written to.
    let last = files.iter().rposition(|path| disk.len(path).unwrap() > 0);
    let (mut numbers, mut db) = (Vec::new(), 0);
    for (index, path) in files.iter().enumerate() {
        let mut reader =
            Reader::new(disk.open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        // What a transaction has made counts with its end.
        let mut whole = numbers.len();
        loop {
            match reader.next() {
                Ok(Some(Item::Command(command))) if command.is("RPUSH") => {
                    assert_eq!(db, 0);
                    numbers.push(std::str::from_utf8(command.get(2).unwrap()).unwrap().parse().unwrap());
                }
                Ok(Some(Item::Command(command))) if command.is("SELECT") => {
                    db = std::str::from_utf8(command.get(1).unwrap()).unwrap().parse().unwrap();
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(Damage::Torn { valid_up_to, .. }) => {
                    assert_eq!(Some(index), last, "{} is torn, and not the last", path.display());
                    disk.truncate(path, valid_up_to).unwrap();
                    numbers.truncate(whole);
                    break;
                }
                Err(damage) => panic!("{}: {damage}", path.display()),
            }
            if !reader.in_transaction() {
                whole = numbers.len();
            }
        }
        // Every file begins with a SELECT of its own.
        db = 0;
    }
    numbers
}

#[test]
fn what_was_promised_is_there_after_the_power_fails() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("MOONSHARD_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 1000);
    println!("MOONSHARD_SEED={first}");
    let (mut promised_in_all, mut rewritten) = (0, 0);
    for seed in first..first + number("MOONSHARD_POWER_LOSSES").unwrap_or(400) {
        let rng = &mut Rng::new(seed);
        let memory = MemoryDisk::default();
        let mut last = 0;
        for life in 0..4 {
            let mut world = World::start(&memory, last);
            for _ in 0..below(rng, STEPS) {
                world.step(rng);
            }
            // Ended by a signal, it leaves what the system has; without power, only what was synced is certain.
            let is_power_lost = below(rng, 3) > 0;
            let promised = if is_power_lost { world.output.synced() } else { world.output.written() };
            let promised = if world.is_on && !world.wants_base { promised } else { 0 };
            rewritten += u32::from(world.files.base_len() > 0);
            let (memory, made) = (world.memory.clone(), world.last);
            drop(world);
            if is_power_lost {
                memory.lose_power(&mut |bound| below(rng, bound));
            }
            let found = load(&memory);
            let expected: Vec<u64> = (1..=found.len() as u64).collect();
            assert_eq!(found, expected, "seed {seed}, life {life}: records are missing or come twice");
            last = found.len() as u64;
            assert!(
                (promised..=made).contains(&last),
                "seed {seed}, life {life}: {last} of {made} records are there, and {promised} were promised"
            );
            promised_in_all += promised;
        }
    }
    assert!(promised_in_all > 1000 && rewritten > 100, "{promised_in_all} promised, {rewritten} rewritten");
}
