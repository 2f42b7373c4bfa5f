//! Libraries from the files of a directory, as a ConfigMap of Kubernetes mounts them.

use super::Libraries;
use crate::settings::ScriptSettings;
use std::path::{Path, PathBuf};

/// Why the libraries of a directory could not be loaded.
#[derive(Debug)]
pub struct LoadDirError {
    /// The file, or the directory itself.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for LoadDirError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for LoadDirError {}

impl Libraries {
    /// Loads every file of a directory whose name ends in `.lua`, in the order of their names, and returns how many
    /// those were. Hidden files and directories are passed over; links are followed.
    ///
    /// # Errors
    /// The first file that cannot be read or loaded. Those before it are loaded.
    pub fn load_dir(&self, dir: &Path, settings: &ScriptSettings) -> Result<usize, LoadDirError> {
        let failed = |path: &Path, reason: String| LoadDirError { path: path.into(), reason };
        let entries = std::fs::read_dir(dir).map_err(|error| failed(dir, error.to_string()))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| failed(dir, error.to_string()))?.path();
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !hidden && path.extension().is_some_and(|extension| extension == "lua") && !path.is_dir() {
                paths.push(path);
            }
        }
        paths.sort();
        for path in &paths {
            let code = std::fs::read(path).map_err(|error| failed(path, error.to_string()))?;
            self.load(&code, false, settings).map_err(|error| {
                let text = error.to_string();
                failed(path, text.strip_prefix("ERR ").unwrap_or(&text).to_owned())
            })?;
        }
        Ok(paths.len())
    }
}
