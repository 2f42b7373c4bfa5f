//! The arguments of the programs that run for as long as one likes: `--name NUMBER`, and words.

use std::collections::HashMap;

/// What was given.
#[derive(Debug)]
pub struct Options {
    numbers: HashMap<String, u64>,
    /// In the order in which they were given.
    pub words: Vec<String>,
}

impl Options {
    /// Reads the arguments of this process: numbers by these names, without their `--`, and these words.
    ///
    /// # Panics
    /// At anything else, with what there is.
    pub fn read(names: &[&str], words: &[&str]) -> Options {
        let mut options = Options { numbers: HashMap::new(), words: Vec::new() };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.strip_prefix("--") {
                Some(name) if names.contains(&name) => {
                    let number = args.next().and_then(|text| text.parse().ok());
                    let number = number.unwrap_or_else(|| panic!("{arg} wants a number"));
                    options.numbers.insert(name.to_owned(), number);
                }
                None if words.contains(&arg.as_str()) => options.words.push(arg),
                _ => panic!(
                    "no option {arg}: there are {} and --{} NUMBER",
                    words.join(", "),
                    names.join(", --")
                ),
            }
        }
        options
    }

    /// The number that was given by this name.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.numbers.get(name).copied()
    }
}
