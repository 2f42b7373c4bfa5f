//! `cluster-config-file`: what a node is across restarts, in the format of Redis' `nodes.conf`.

use super::{Epochs, NodeId, Topology};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Why a node cannot be what its file says.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server is this node.
    #[error("the cluster configuration file {0} is already used by a different node")]
    InUse(PathBuf),
    /// The file is not in its format.
    #[error("the cluster configuration file {path} is corrupted: {line}")]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// The line that is not understood.
        line: String,
    },
    /// The file is one of a cluster of several nodes.
    #[error("the cluster configuration file {0} names other nodes: a cluster has one node so far")]
    OtherNodes(PathBuf),
}

/// What a file says of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The node's id.
    pub id: NodeId,
    /// Its shard's id; a file written by Redis 7.0 has none.
    pub shard_id: Option<NodeId>,
    /// Its epochs.
    pub epochs: Epochs,
}

/// The file, locked for as long as this lives, if it can be written.
pub struct ConfigFile {
    path: PathBuf,
    held: Option<File>,
}

impl ConfigFile {
    /// Opens and locks the file, and reads what it says, if it is there and says anything.
    ///
    /// # Errors
    /// [`OpenError`]; not when the file can be neither read nor made.
    pub fn open(path: &[u8]) -> Result<(Self, Option<Kept>), OpenError> {
        let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let Ok(mut file) = opened else { return Ok((Self { path, held: None }, None)) };
        if !try_lock(&file) {
            return Err(OpenError::InUse(path));
        }
        let mut bytes = Vec::new();
        let text = match file.read_to_end(&mut bytes) {
            Ok(_) => String::from_utf8_lossy(&bytes),
            Err(_) => return Ok((Self { path, held: None }, None)),
        };
        let kept = parse(&text, &path)?;
        Ok((Self { path, held: Some(file) }, kept))
    }

    /// Puts a new file in the place of the old.
    ///
    /// # Errors
    /// What the system says; the old file is then unchanged.
    pub fn write(&mut self, topology: &Topology, epochs: Epochs) -> io::Result<()> {
        let me = topology.me();
        let shard = format!(",shard-id={}", me.shard_id);
        let text = format!(
            "{}\nvars currentEpoch {} lastVoteEpoch {}\n",
            topology.line_with(me, &shard),
            epochs.current,
            epochs.last_vote
        );
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(format!(".tmp-{}", std::process::id()));
        let replace = || {
            let mut file = File::create(&temporary)?;
            // Locked before it has its name, so that there is no moment at which another server can take it.
            try_lock(&file);
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&temporary, &self.path)?;
            Ok(file)
        };
        let replaced: io::Result<File> = replace();
        if replaced.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        self.held = Some(replaced?);
        Ok(())
    }
}

/// Locks the file for this process, unless another has. Where files cannot be locked it counts as locked.
fn try_lock(file: &File) -> bool {
    // SAFETY: flock takes a descriptor, which `file` keeps open, and no memory.
    let failed = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0;
    !(failed && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock)
}

fn parse(text: &str, path: &Path) -> Result<Option<Kept>, OpenError> {
    let mut me = None;
    let mut epochs = Epochs::default();
    let corrupted = |line: &str| OpenError::Corrupted { path: path.to_owned(), line: line.to_owned() };
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words[0] == "vars" {
            for pair in words[1..].chunks(2) {
                let &[name, value] = pair else { return Err(corrupted(line)) };
                let value = value.parse().map_err(|_| corrupted(line))?;
                match name {
                    "currentEpoch" => epochs.current = value,
                    "lastVoteEpoch" => epochs.last_vote = value,
                    _ => {}
                }
            }
            continue;
        }
        let (Some(id), true) = (NodeId::parse(words[0].as_bytes()), words.len() >= 8) else {
            return Err(corrupted(line));
        };
        if !words[2].split(',').any(|flag| flag == "myself") {
            return Err(OpenError::OtherNodes(path.to_owned()));
        }
        let shard_id = match words[1].split(',').find_map(|part| part.strip_prefix("shard-id=")) {
            Some(id) => Some(NodeId::parse(id.as_bytes()).ok_or_else(|| corrupted(line))?),
            None => None,
        };
        epochs.config = words[6].parse().map_err(|_| corrupted(line))?;
        me = Some((id, shard_id));
    }
    Ok(me.map(|(id, shard_id)| Kept { id, shard_id, epochs }))
}
