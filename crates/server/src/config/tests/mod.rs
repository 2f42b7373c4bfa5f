//! The configuration against the real Redis 7.0 where it is installed, and by itself.

mod by_itself;
mod files;
mod oracle;
mod values;

use super::{Caller, Config, Settings};

/// Values as a map's entries.
type Pairs = Vec<(String, Vec<u8>)>;

fn config(change: impl FnOnce(&mut Settings)) -> Config {
    let mut settings = Settings::default();
    change(&mut settings);
    Config::new(settings, None)
}

/// CONFIG SET with nothing to apply: the error's text, or OK.
fn set(config: &Config, pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    match config.set(pairs, Caller::default(), &|_, _| Ok(())) {
        Ok(()) => b"OK".to_vec(),
        Err(error) => error.text(),
    }
}

fn get(config: &Config, name: &str) -> String {
    let found = config.get(&[name.as_bytes()]);
    let [(_, value)] = found.as_slice() else { panic!("{name}: {found:?}") };
    String::from_utf8_lossy(value).into_owned()
}

/// A fresh directory below the system's temporary one, removed on drop.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("moonshard-config-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> std::path::PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
