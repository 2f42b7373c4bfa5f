//! Programs that other people wrote, and the scripts in `clients/` that use their libraries.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::corpus::{self, NotYet};
use crate::server::Server;

/// Where the scripts are, and what `tests/run` has installed for them.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// Runs a program for four minutes at most.
///
/// # Panics
/// When it cannot be started.
pub fn run(program: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    let missing = NotYet::load(&corpus::folder().join("NOT_YET")).names().join(",");
    command.arg("240").arg(program).args(args).current_dir(folder()).env("MOONSHARD_NOT_YET", missing);
    command.output().unwrap_or_else(|e| panic!("{}: {e}; tests/run installs it", program.display()))
}

/// Runs a program to its end; what it printed.
///
/// # Panics
/// When it fails.
pub fn output(program: &Path, args: &[&str]) -> String {
    let output = run(program, args);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{} {args:?} failed ({}):\n{text}\n{}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Runs one of the scripts for Node, which print `ok` at their end.
///
/// # Panics
/// When it fails.
pub fn node(name: &str, server: &Server, more: &[&str]) {
    script(Path::new("node"), &folder().join("node_modules"), name, server, more);
}

/// Runs one of the scripts for Python, which print `ok` at their end.
///
/// # Panics
/// When it fails.
pub fn python(name: &str, server: &Server, more: &[&str]) {
    let installed = folder().join(".venv");
    script(&installed.join("bin/python"), &installed, name, server, more);
}

fn script(program: &Path, installed: &Path, name: &str, server: &Server, more: &[&str]) {
    assert!(installed.exists(), "{} is missing: tests/run installs it", installed.display());
    let port = server.port().to_string();
    let mut args = vec![name, port.as_str()];
    args.extend_from_slice(more);
    let text = output(program, &args);
    assert_eq!(text.lines().last(), Some("ok"), "{text}");
}
