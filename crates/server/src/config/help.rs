//! Texts made from the table: help, version, documentation.

use std::fmt::Write as _;

use super::directive::{Directive, DirectiveFlags};
use super::table::{DIRECTIVES, Settings};

/// The text for `--version`, with a line end.
pub fn version_text() -> String {
    format!("Moonshard server v={} bits={}\n", env!("CARGO_PKG_VERSION"), usize::BITS)
}

/// The text for `--help`: how to call the server, and every directive with its default.
pub fn help_text() -> String {
    let mut text = String::from(
        "Usage: moonshard [/path/to/redis.conf] [--directive value ...]... [-]\n\
         \x20      moonshard - (read the configuration from the standard input)\n\
         \x20      moonshard -v or --version\n\
         \x20      moonshard -h or --help\n\
         \x20      moonshard ping (asks a running server how it is; --help tells more)\n\
         \x20      moonshard check PATH (examines files of a log or a snapshot; --help tells more)\n\
         \n\
         Examples:\n\
         \x20      moonshard (with the defaults)\n\
         \x20      echo 'maxmemory 128mb' | moonshard -\n\
         \x20      moonshard /etc/redis/redis.conf\n\
         \x20      moonshard --port 7777 --shards 16\n\
         \x20      moonshard /etc/redis/redis.conf --loglevel verbose\n\
         \n\
         Directives, in the file or as options, with their defaults:\n",
    );
    let defaults = Settings::default();
    for directive in shown() {
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "  {} {}\n      {} ({})",
            directive.name,
            default_text(directive, &defaults),
            directive.doc,
            directive.values()
        );
    }
    text
}

/// The documentation's table of directives, in Markdown.
pub fn docs_table() -> String {
    let mut text =
        String::from("| directive | values | default | CONFIG SET | meaning |\n|---|---|---|---|---|\n");
    let defaults = Settings::default();
    for directive in shown() {
        let alias = directive.alias.map(|alias| format!(", `{alias}`")).unwrap_or_default();
        let default = default_text(directive, &defaults);
        let settable = if directive.flags.contains(DirectiveFlags::IMMUTABLE) { "no" } else { "yes" };
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}`{alias} | {} | `{default}` | {settable} | {} |",
            directive.name,
            directive.values(),
            directive.doc
        );
    }
    text
}

fn shown() -> impl Iterator<Item = &'static Directive> {
    DIRECTIVES.iter().filter(|directive| !directive.flags.contains(DirectiveFlags::HIDDEN))
}

/// As one would write it in the file. Where the server was started from is no default worth showing.
fn default_text(directive: &Directive, defaults: &Settings) -> String {
    let value = if directive.name == "dir" { b"./".to_vec() } else { directive.format(defaults) };
    let value = String::from_utf8_lossy(&value).into_owned();
    if value.is_empty() { "\"\"".to_owned() } else { value }
}
