//! Libraries from the files of a directory, as a ConfigMap of Kubernetes mounts them.

use super::libraries::ByName;
use super::set::taken;
use super::{Libraries, Library, LibrarySet};
use crate::settings::ScriptSettings;
use moonshard_engine::Error;
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

/// What came of a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LoadedDir {
    /// Libraries loaded.
    pub libraries: usize,
    /// Other libraries that are gone because they had functions of the same names.
    pub displaced: Vec<Box<str>>,
}

impl Libraries {
    /// Loads every file of a directory whose name ends in `.lua`, in the order of their names. Hidden files and
    /// directories are passed over; links are followed. What is there already makes room: the files say what is to be.
    ///
    /// # Errors
    /// The first file that cannot be read or loaded, or does not go with those before it. Then nothing is changed.
    pub fn load_dir(&self, dir: &Path, settings: &ScriptSettings) -> Result<LoadedDir, LoadDirError> {
        let failed = |path: &Path, reason: String| LoadDirError { path: path.into(), reason };
        let refused = |path: &Path, error: Error| {
            let text = error.to_string();
            failed(path, text.strip_prefix("ERR ").unwrap_or(&text).to_owned())
        };
        let mut loaded = ByName::new();
        for path in files(dir).map_err(|error| failed(dir, error.to_string()))? {
            let code = std::fs::read(&path).map_err(|error| failed(&path, error.to_string()))?;
            let library = Library::learn(&code, settings).map_err(|error| refused(&path, error))?;
            if let Some(twice) = loaded.insert(library.name().into(), library) {
                return Err(failed(&path, format!("Library '{}' already exists", twice.name())));
            }
            LibrarySet::new(0, loaded.clone()).map_err(|name| refused(&path, taken(&name)))?;
        }
        Ok(LoadedDir { libraries: loaded.len(), displaced: self.displace(loaded) })
    }
}

/// The files to load, in order.
fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "lua") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
