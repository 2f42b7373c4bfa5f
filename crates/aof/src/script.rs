//! How files say which scripts are known. Nothing here stops Redis 7 from reading them.

/// The field of a snapshot for a script that SCRIPT LOAD has made known, as Redis before 7 wrote it. Redis 7 passes over
/// it.
pub const LOADED_SCRIPT: &[u8] = b"lua";
/// The field for a script that only EVAL has made known.
pub const EVALUATED_SCRIPT: &[u8] = b"moonshard-eval";
/// The line in a log before the SCRIPT LOAD of a script that only EVAL has made known. Redis passes over it, and loads
/// the script.
pub const EVALUATED_ANNOTATION: &[u8] = b"#moonshard-eval\r\n";
