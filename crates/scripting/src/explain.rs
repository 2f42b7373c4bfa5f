//! What can be said of a script without running it.

use crate::flags::{ScriptFlags, Shebang};
use crate::registry::{Keep, Registry};
use crate::settings::ScriptSettings;
use crate::sha::Sha;
use crate::vm::named_globals;
use moonshard_engine::Error;

/// A global and the first line on which a script uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalUse {
    /// Its name.
    pub name: Vec<u8>,
    /// The line, from 1.
    pub line: u32,
}

/// What [`explain`] says of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Its name.
    pub sha: Sha,
    /// How it is kept, if it is known.
    pub known: Option<Keep>,
    /// What is wrong with its first line, or what the compiler says.
    pub error: Option<Error>,
    /// Its flags, those of `lua-default-flags` if it declares none.
    pub flags: ScriptFlags,
    /// Globals that it reads and that do not exist: an error once it does.
    pub reads: Vec<GlobalUse>,
    /// Globals that it assigns to: an error once it does.
    pub assigns: Vec<GlobalUse>,
}

/// Explains a script. Takes as long as compiling it.
///
/// # Errors
/// When there is no memory for a Lua state.
pub fn explain(registry: &Registry, settings: &ScriptSettings, source: &[u8]) -> Result<Explanation, Error> {
    let sha = Sha::of(source);
    let mut explanation = Explanation {
        sha,
        known: registry.get(&sha).map(|script| script.keep()),
        error: None,
        flags: ScriptFlags::empty(),
        reads: Vec::new(),
        assigns: Vec::new(),
    };
    let shebang = match Shebang::parse(source) {
        Ok(shebang) => shebang,
        Err(error) => {
            explanation.error = Some(error);
            return Ok(explanation);
        }
    };
    explanation.flags = shebang.flags.or_default(settings.default_flags());
    match named_globals(&source[shebang.len..], settings)? {
        Ok((reads, assigns)) => (explanation.reads, explanation.assigns) = (reads, assigns),
        Err(error) => explanation.error = Some(error),
    }
    Ok(explanation)
}

/// Explains a function by its name in letters of any case; `None` if there is none. The globals are those of its whole
/// library, the SHA1 is that of the library's text.
///
/// # Errors
/// When there is no memory for a Lua state.
pub fn explain_function(
    registry: &Registry,
    settings: &ScriptSettings,
    name: &[u8],
) -> Result<Option<Explanation>, Error> {
    let set = registry.libraries().set();
    let (Some(library), Some(flags)) = (set.library_of(name), set.flags_of(name)) else { return Ok(None) };
    let (reads, assigns) = named_globals(library.body(), settings)?.unwrap_or_default();
    Ok(Some(Explanation {
        sha: Sha::of(library.code()),
        known: Some(Keep::Loaded),
        error: None,
        flags: flags.of_function(settings.default_flags()),
        reads,
        assigns,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(source: &str) -> Explanation {
        explain(&Registry::new(), &ScriptSettings::default(), source.as_bytes()).unwrap()
    }

    fn names(uses: &[GlobalUse]) -> Vec<(&str, u32)> {
        uses.iter().map(|global| (std::str::from_utf8(&global.name).unwrap(), global.line)).collect()
    }

    #[test]
    fn globals_that_do_not_exist_are_named() {
        let it = explained(
            "#!lua flags=no-writes\nlocal n = #KEYS + tonumber(ARGV[1])\nsum = n + cjson.x + nope\nreturn sum",
        );
        assert_eq!((it.error, it.known), (None, None));
        assert!(it.flags.contains(ScriptFlags::NO_WRITES));
        assert_eq!(names(&it.reads), [("nope", 3), ("sum", 4)]);
        assert_eq!(names(&it.assigns), [("sum", 3)]);
        let it =
            explained("return {server.call, redis.call, string, math, table, bit, struct, pcall, _VERSION}");
        assert_eq!(names(&it.reads), []);
    }

    #[test]
    fn what_does_not_compile_says_where() {
        let it = explained("local x\nreturn (");
        assert!(it.error.unwrap().to_string().contains("user_script:2:"));
        assert_eq!(
            explained("#!lua flags=x\nreturn 1").error.unwrap().to_string(),
            "ERR Unexpected flag in script shebang: x"
        );
    }

    #[test]
    fn known_scripts_are_known() {
        let registry = Registry::new();
        registry.load(b"return 1").unwrap();
        let it = explain(&registry, &ScriptSettings::default(), b"return 1").unwrap();
        assert_eq!(it.known, Some(Keep::Loaded));
    }
}
