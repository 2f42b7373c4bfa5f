//! The settings of scripts, which change while the server runs.

use crate::flags::ScriptFlags;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// Live settings, one for all shards.
#[derive(Debug)]
pub struct ScriptSettings {
    /// Milliseconds after which a script is busy (`busy-reply-threshold`); 0 for never.
    pub busy_threshold_ms: AtomicU64,
    /// Bytes that a VM's heap may take (`script-memory-limit`); 0 for as many as there are. A VM sees a change
    /// before its next script.
    pub memory_limit_bytes: AtomicUsize,
    default_flags: AtomicU8,
}

impl Default for ScriptSettings {
    fn default() -> Self {
        Self {
            busy_threshold_ms: AtomicU64::new(5000),
            memory_limit_bytes: AtomicUsize::new(0),
            default_flags: AtomicU8::new(0),
        }
    }
}

impl ScriptSettings {
    /// The flags of scripts without a shebang (`lua-default-flags`).
    #[inline]
    pub fn default_flags(&self) -> ScriptFlags {
        ScriptFlags::from_bits_truncate(self.default_flags.load(Ordering::Relaxed))
    }

    /// Changes the flags of scripts without a shebang.
    pub fn set_default_flags(&self, flags: ScriptFlags) {
        self.default_flags.store(flags.bits(), Ordering::Relaxed);
    }
}
