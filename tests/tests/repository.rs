//! Rules that the repository keeps about itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Files may be this long.
const LINES_MAX: usize = 800;
/// Files that are longer, and how long each may be: a number here may become smaller, and a line may go.
const LONGER: &[(&str, usize)] = &[];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All files below a folder, without what is built or fetched.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let skip = [".git", "target", "node_modules", ".venv", "corpus", "artifacts"];
            if entry.file_type().unwrap().is_dir() {
                if !skip.iter().any(|s| name == *s) {
                    folders.push(entry.path());
                }
            } else {
                found.push(entry.path());
            }
        }
    }
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn sources() -> Vec<PathBuf> {
    let all = files(root()).into_iter();
    let found: Vec<_> = all.filter(|path| path.extension().is_some_and(|e| e == "rs")).collect();
    assert!(found.len() > 20, "only {} sources found", found.len());
    found
}

/// The workspace's crates that a crate depends on, tests aside.
fn dependencies(krate: &str) -> Vec<String> {
    let manifest = root().join("crates").join(krate).join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.to_owned();
        } else if section.ends_with("dependencies]")
            && section != "[dev-dependencies]"
            && let Some(rest) = line.strip_prefix("moonshard-")
        {
            found.push(rest.split(['.', ' ', '=']).next().unwrap().to_owned());
        }
    }
    found
}

/// The layers, lowest first: a crate depends only on crates of lower layers.
const LAYERS: &[&[&str]] = &[
    &["protocol", "store", "lock", "journal", "disk"],
    &["rdb"],
    &["engine", "aof"],
    &["scripting"],
    &["server"],
];

#[test]
fn dependencies_point_one_way() {
    let layer = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let mut crates: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    crates.sort();
    for krate in &crates {
        let own = layer(krate).unwrap_or_else(|| panic!("crates/{krate} is in no layer: add it to LAYERS"));
        for dependency in dependencies(krate) {
            let below = layer(&dependency).unwrap_or_else(|| panic!("moonshard-{dependency} is in no layer"));
            assert!(below < own, "moonshard-{krate} must not depend on moonshard-{dependency}");
        }
    }
    assert!(dependencies("server").contains(&"engine".to_owned()), "the test sees no dependencies at all");
}

#[test]
fn the_engine_knows_no_runtime() {
    for krate in ["protocol", "store", "disk", "rdb", "aof", "engine"] {
        let text = fs::read_to_string(root().join("crates").join(krate).join("Cargo.toml")).unwrap();
        let before_tests = text.split("[dev-dependencies]").next().unwrap();
        for name in ["tokio", "mlua", "socket2", "quanta"] {
            let found = before_tests.lines().any(|line| line.starts_with(name));
            assert!(!found, "moonshard-{krate} must not depend on {name}");
        }
    }
}

#[test]
fn no_crate_or_file_is_a_drawer() {
    let drawers = ["common", "util", "utils", "helper", "helpers", "misc"];
    let bad: Vec<String> = files(root())
        .iter()
        .map(|path| path.strip_prefix(root()).unwrap().to_owned())
        .filter(|path| {
            path.iter().any(|part| {
                let part = part.to_string_lossy();
                drawers.contains(&part.split('.').next().unwrap())
            })
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(bad.is_empty(), "name these after what is in them: {bad:?}");
}

#[test]
fn long_files_only_shrink() {
    let mut wrong = Vec::new();
    for path in sources() {
        let (name, lines) = (shown(&path), fs::read_to_string(&path).unwrap().lines().count());
        match LONGER.iter().find(|(long, _)| *long == name) {
            Some((_, most)) if lines > *most => wrong.push(format!("{name}: {lines} lines, was {most}")),
            Some((_, most)) if lines < *most => {
                wrong.push(format!("{name}: {lines} lines by now, lower its {most} in LONGER"));
            }
            None if lines > LINES_MAX => wrong.push(format!("{name}: {lines} lines, at most {LINES_MAX}")),
            _ => {}
        }
    }
    for (name, _) in LONGER {
        if !root().join(name).exists() {
            wrong.push(format!("{name} is gone: take it out of LONGER"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A source without its test module, which may spell what it wants.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

#[test]
fn nobody_outside_the_protocol_spells_resp() {
    let mut wrong = Vec::new();
    for krate in ["engine", "store"] {
        for path in files(&root().join("crates").join(krate).join("src")) {
            if path.file_name().is_some_and(|name| name == "tests.rs" || name == "testing.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for (index, line) in without_tests(&text).lines().enumerate() {
                let code = line.split("//").next().unwrap();
                if ["b\"+OK", "\"+OK", "\\r\\n", "b\"$-1", "b\"*-1"].iter().any(|resp| code.contains(resp)) {
                    wrong.push(format!("{}:{}: {}", shown(&path), index + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "write replies through the protocol's writer:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_open() {
    let words = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME")];
    let mut wrong = Vec::new();
    for path in sources() {
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}:{}: {}", shown(&path), index + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut links = 0;
    for page in
        ["README.md", "ARCHITECTURE.md", "docs/scripting.md", "docs/recipes.md", "docs/persistence.md"]
    {
        let page = root().join(page);
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, section) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            assert!(target.exists(), "{}: {link}", page.display());
            if !section.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|line| anchor(line.trim_start_matches('#').trim()) == section);
                assert!(is_there, "{}: {link}", page.display());
            }
            links += 1;
        }
    }
    assert!(links > 10, "only {links} links were found");
}
