//! The pages on scripts: every script on them runs, and every call answers what the page says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use moonshard_tests::server::{Server, temp_dir, under_test_is_redis};

/// What a script's first line may say that Redis 7.0 does not know.
const OWN: &[&str] = &["allow-undeclared-keys", "max-ms", "memory-limit"];

const RECIPES: &str = "recipes.md";

/// One section of a page.
#[derive(Default)]
struct Recipe {
    title: String,
    /// Name and text of each script.
    scripts: Vec<(String, String)>,
    /// Each command with what it prints.
    calls: Vec<(String, String)>,
}

fn page(name: &str) -> Vec<Recipe> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let mut recipes = vec![Recipe::default()];
    let mut before = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            recipes.push(Recipe { title: title.to_owned(), ..Recipe::default() });
        } else if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let recipe = recipes.last_mut().expect("a block before the first title");
            match language {
                "lua" => recipe.scripts.push((before.trim_matches('`').to_owned(), block.join("\n") + "\n")),
                "console" => recipe.calls.extend(calls(&block)),
                other => panic!("{}: a block of {other:?}", recipe.title),
            }
        }
        before = line;
    }
    recipes
}

/// Commands begin with a dollar; what follows up to the next one is printed.
fn calls(block: &[&str]) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for line in block {
        match line.strip_prefix("$ ") {
            Some(command) => calls.push((command.to_owned(), String::new())),
            None => calls.last_mut().expect("a reply before the first command").1 += &format!("{line}\n"),
        }
    }
    calls
}

/// Runs a command line as it stands on the page, in the folder with the scripts.
fn shell(server: &Server, folder: &Path, command: &str) -> String {
    let port = server.port();
    let wrapped = format!("redis-cli() {{ command redis-cli -p {port} --no-raw \"$@\"; }}\n{command}");
    let mut shell = Command::new("timeout");
    shell.args(["20", "bash", "-c", &wrapped]).stdin(Stdio::null()).current_dir(folder);
    let output = shell.output().unwrap();
    // redis-cli tells an error by a line more than other replies.
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    text.trim_end().to_owned() + "\n"
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether this is what the page says, where dots stand for what is another thing each time.
fn is_as_told(printed: &str, told: &str) -> bool {
    let mut rest = printed;
    let mut parts = told.split("...").peekable();
    let Some(start) = parts.next() else { return false };
    // An error of Redis' own may have dots, too.
    if printed == told {
        return true;
    }
    let Some(after) = rest.strip_prefix(start) else { return false };
    rest = after;
    while let Some(part) = parts.next() {
        let at = if parts.peek().is_none() { rest.strip_suffix(part).map(str::len) } else { rest.find(part) };
        let Some(at) = at else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

fn run_page(server: &Server, page: &[Recipe], is_wanted: impl Fn(&Recipe) -> bool) -> usize {
    let mut ran = 0;
    for recipe in page.iter().filter(|recipe| is_wanted(recipe)) {
        server.connect().ask("FLUSHALL");
        let folder = Folder(temp_dir());
        for (name, text) in &recipe.scripts {
            assert!(
                name.ends_with(".lua"),
                "{}: no file's name before the script but {name:?}",
                recipe.title
            );
            std::fs::write(folder.0.join(name), text).unwrap();
            let used = recipe.calls.iter().any(|(command, _)| command.contains(name.as_str()));
            assert!(used, "{}: no call of {name}", recipe.title);
        }
        for (command, expected) in &recipe.calls {
            let printed = shell(server, &folder.0, command);
            let told = is_as_told(&printed, expected);
            assert!(told, "{}: {command}\nprinted:\n{printed}\ntold:\n{expected}", recipe.title);
            ran += 1;
        }
    }
    ran
}

#[test]
fn every_call_answers_what_its_page_says() {
    if under_test_is_redis() {
        return;
    }
    for (name, least) in [(RECIPES, 40), ("scripting.md", 15), ("script-insight.md", 8)] {
        let page = page(name);
        let calls: usize = page.iter().map(|recipe| recipe.calls.len()).sum();
        assert!(calls >= least, "{name} has lost its calls: {calls}");
        for shards in [1, 16] {
            assert_eq!(run_page(&Server::moonshard(shards, &[]), &page, |_| true), calls);
        }
    }
}

#[test]
fn what_is_in_redis_too_answers_the_same_there() {
    let server = Server::redis(&[]);
    let is_in_redis = |recipe: &Recipe| {
        recipe
            .scripts
            .iter()
            .all(|(_, text)| !OWN.iter().any(|own| text.lines().next().unwrap().contains(own)))
    };
    assert!(run_page(&server, &page(RECIPES), is_in_redis) > 40);
}

#[test]
fn dots_stand_for_anything() {
    assert!(is_as_told("a b c", "a ... c") && is_as_told("x\ny\n", "...y\n") && is_as_told("k...", "k..."));
    assert!(
        !is_as_told("a b d", "a ... c") && !is_as_told("a c", "b... c") && !is_as_told("a c e", "a...d...e")
    );
}
