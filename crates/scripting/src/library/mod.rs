//! Libraries of functions, one published set for all shards.
//!
//! A [`Library`] is a text that registers functions when it runs. FUNCTION LOAD runs it once in a state of its own, to
//! learn what it registers, and publishes it in a new [`LibrarySet`]. A shard's VM runs it again when one of its
//! functions is first called there.

mod libraries;
mod load_dir;
mod metadata;
mod payload;
mod set;

pub use libraries::{Libraries, RestorePolicy};
pub use load_dir::{LoadDirError, LoadedDir};
pub use set::LibrarySet;
pub(crate) use set::{Entry, FunctionId};

use crate::flags::ScriptFlags;
use crate::limits::Limits;
use crate::registry::Sender;
use crate::settings::ScriptSettings;
use crate::vm::inspect;
use metadata::Metadata;
use moonshard_engine::Error;
use std::sync::{Arc, OnceLock};

/// Libraries are written for this engine, the only one.
pub const ENGINE: &str = "LUA";

const BAD_NAME: Error = Error::fixed(
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
);

/// Whether a library or function may be called so.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A function of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// What it was registered as. It is called so in letters of any case.
    pub name: Box<str>,
    /// What it is for, if the library says so.
    pub description: Option<Box<[u8]>>,
    /// Its flags. [`ScriptFlags::DECLARED`] is always among them.
    pub flags: ScriptFlags,
}

/// A text, and the functions that it registers.
#[derive(Debug)]
pub struct Library {
    name: Box<str>,
    limits: Limits,
    code: Box<[u8]>,
    /// Where the Lua text begins in `code`.
    body_at: usize,
    functions: Box<[Function]>,
    sender: OnceLock<Sender>,
}

impl Library {
    /// Runs the text of a library, with whatever name, and learns what it registers. Takes as long as the text runs,
    /// at most half a second.
    ///
    /// # Errors
    /// What is wrong with the first line, with the text, or with what it does, in Redis' words.
    pub(crate) fn learn(code: &[u8], settings: &ScriptSettings) -> Result<Arc<Self>, Error> {
        Self::learn_unless(code, settings, |_| Ok(()))
    }

    /// The same, unless `refuse` says of the name that there is no need to.
    fn learn_unless(
        code: &[u8],
        settings: &ScriptSettings,
        refuse: impl FnOnce(&str) -> Result<(), Error>,
    ) -> Result<Arc<Self>, Error> {
        let Metadata { name, limits, body_at } = Metadata::parse(code)?;
        refuse(&name)?;
        let functions = inspect(&code[body_at..], settings)?;
        if functions.is_empty() {
            return Err(Error::fixed("ERR No functions registered"));
        }
        Ok(Arc::new(Self {
            name,
            limits,
            code: code.into(),
            body_at,
            functions: functions.into(),
            sender: OnceLock::new(),
        }))
    }

    /// Its name; capital letters count.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The limits of each run of one of its functions.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Notes who has loaded it. Only the first counts.
    pub fn set_sender(&self, sender: Sender) {
        let _ = self.sender.set(sender);
    }

    /// Who has loaded it; `None` if it was read from a file.
    pub fn sender(&self) -> Option<&Sender> {
        self.sender.get()
    }

    /// Its text as it was loaded, with the first line.
    pub fn code(&self) -> &[u8] {
        &self.code
    }

    /// The Lua text: what follows the first line.
    pub(crate) fn body(&self) -> &[u8] {
        &self.code[self.body_at..]
    }

    /// Its functions in the order in which it registers them.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Bytes that it takes, about.
    fn bytes(&self) -> usize {
        let functions = self.functions.iter().map(|function| {
            size_of::<Function>()
                + function.name.len()
                + function.description.as_ref().map_or(0, |text| text.len())
        });
        size_of::<Self>() + self.name.len() + self.code.len() + functions.sum::<usize>()
    }
}
