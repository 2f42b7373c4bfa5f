//! The settings of scripts, which change while the server runs.

use crate::flags::ScriptFlags;
use crate::profile::Profiling;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// Live settings, one for all shards.
#[derive(Debug)]
pub struct ScriptSettings {
    /// Milliseconds after which a script is busy (`busy-reply-threshold`); 0 for never.
    pub busy_threshold_ms: AtomicU64,
    /// Bytes that a VM's heap may take (`script-memory-limit`); 0 for as many as there are. A VM sees a change
    /// before its next script.
    pub memory_limit_bytes: AtomicUsize,
    /// Milliseconds that a script may run (`script-max-ms`); 0 for as many as it likes.
    pub max_ms: AtomicU64,
    /// Whether a script over its limit of time is ended if it has not written (`script-kill-over-limit`). One that is
    /// not ended is busy from then on.
    pub kill_over_limit: AtomicBool,
    /// Whether VMs are made without the functions that few scripts need and many attacks do (`lua-strict-sandbox`).
    pub strict_sandbox: AtomicBool,
    /// Whether scripts may call what they may not otherwise (`DEBUG SET-DISABLE-DENY-SCRIPTS`).
    pub unrestricted: AtomicBool,
    /// Whose profiles are taken (SCRIPT PROFILE).
    pub profiling: Profiling,
    default_flags: AtomicU8,
}

impl Default for ScriptSettings {
    fn default() -> Self {
        Self {
            busy_threshold_ms: AtomicU64::new(5000),
            memory_limit_bytes: AtomicUsize::new(0),
            max_ms: AtomicU64::new(0),
            kill_over_limit: AtomicBool::new(true),
            strict_sandbox: AtomicBool::new(false),
            unrestricted: AtomicBool::new(false),
            profiling: Profiling::default(),
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
