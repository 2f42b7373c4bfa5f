//! Loading that is slowed down, for tests (`key-load-delay`).

use crate::config::Config;
use crate::server::Server;
use std::time::Duration;

/// How long to wait after each key, in microseconds; if it is negative, a microsecond after every so many keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delay {
    setting: i32,
    keys: u32,
}

impl Delay {
    /// The present setting's.
    pub(super) fn of(config: &Config) -> Self {
        Self { setting: config.load().key_load_delay, keys: 0 }
    }

    #[inline]
    pub(super) const fn is_set(&self) -> bool {
        self.setting != 0
    }

    /// Waits after a key, while clients are answered, and looks whether the setting has changed.
    #[cold]
    pub(super) fn wait(&mut self, server: &Server) {
        self.keys = self.keys.wrapping_add(1);
        let micros = match self.setting {
            setting @ 0.. => setting.unsigned_abs(),
            setting => u32::from(self.keys.is_multiple_of(setting.unsigned_abs())),
        };
        if micros > 0 {
            server.persistence.loading.note_long();
            std::thread::sleep(Duration::from_micros(micros.into()));
        }
        self.setting = server.config.load().key_load_delay;
    }
}
