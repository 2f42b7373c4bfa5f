//! What has to be locked before a script runs.

use crate::flags::{ScriptFlags, Shebang};
use crate::registry::Registry;
use crate::settings::ScriptSettings;
use moonshard_engine::slot::slot;
use moonshard_engine::{Error, ScriptKeys, ScriptRef};

/// What a script may touch, so what has to be locked before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Keys of one slot: its shard.
    Slot(u16),
    /// Keys of several slots, in ascending order, none twice: the shards of all of them.
    Slots(Vec<u16>),
    /// Any key: all shards.
    AllShards,
    /// No key: any shard's VM, whose keys it does not see.
    NoKeys,
}

impl Plan {
    /// What the door lets the script touch.
    pub fn into_keys(self) -> ScriptKeys {
        match self {
            Self::Slot(slot) => ScriptKeys::Slot(slot),
            Self::Slots(slots) => ScriptKeys::Slots(slots),
            Self::AllShards => ScriptKeys::Any,
            Self::NoKeys => ScriptKeys::None,
        }
    }
}

/// What plans depend on besides their calls. One that was made before it moved may not hold any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    libraries: u64,
    default_flags: ScriptFlags,
}

impl Basis {
    /// As of now: libraries are published, and settings changed, at any time.
    #[inline]
    pub fn new(registry: &Registry, settings: &ScriptSettings) -> Self {
        Self { libraries: registry.libraries().generation(), default_flags: settings.default_flags() }
    }
}

/// Plans a call of EVAL, EVALSHA or FCALL, before anything is locked. `default_flags` are those of `lua-default-flags`.
/// Constant time and no allocation for keys of one slot.
///
/// # Errors
/// [`Error::NO_SCRIPT`] for a SHA1 that is not known, [`Error::NO_FUNCTION`] for a function that is not, [`Error::CROSS_SLOT`] for keys of several slots without the
/// flag that allows them.
pub fn plan(
    registry: &Registry,
    script: ScriptRef<'_>,
    keys: &[&[u8]],
    default_flags: ScriptFlags,
) -> Result<Plan, Error> {
    let declared = declared_flags(registry, script);
    if matches!(script, ScriptRef::Function(_)) {
        let declared = declared.ok_or(Error::NO_FUNCTION)?;
        return of_flags(declared.of_function(default_flags), keys);
    }
    let declared = declared.ok_or(Error::NO_SCRIPT)?;
    of_flags(declared.or_default(default_flags), keys)
}

/// What a script's first line declares, or what a function was registered with; `None` for one that is not known.
/// Constant time and no allocation.
pub fn declared_flags(registry: &Registry, script: ScriptRef<'_>) -> Option<ScriptFlags> {
    match script {
        // A shebang that is none is for the run to complain of; nothing will be touched.
        ScriptRef::Text(text) => Some(Shebang::parse(text).unwrap_or_default().flags),
        ScriptRef::Sha(sha) => registry.flags_of(sha),
        ScriptRef::Function(name) => registry.libraries().flags_of(name),
    }
}

/// Plans a call whose flags are known.
#[inline]
pub(crate) fn of_flags(flags: ScriptFlags, keys: &[&[u8]]) -> Result<Plan, Error> {
    if flags.contains(ScriptFlags::ALLOW_UNDECLARED_KEYS) {
        return Ok(Plan::AllShards);
    }
    let Some((first, rest)) = keys.split_first() else { return Ok(Plan::NoKeys) };
    let first = slot(first);
    if rest.iter().all(|key| slot(key) == first) {
        return Ok(Plan::Slot(first));
    }
    if !flags.contains(ScriptFlags::ALLOW_CROSS_SLOT_KEYS) {
        return Err(Error::CROSS_SLOT);
    }
    let mut slots: Vec<u16> = keys.iter().map(|key| slot(key)).collect();
    slots.sort_unstable();
    slots.dedup();
    Ok(Plan::Slots(slots))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(source: &str, keys: &[&[u8]], default_flags: ScriptFlags) -> Result<Plan, Error> {
        let registry = Registry::new();
        let by_text = plan(&registry, ScriptRef::Text(source.as_bytes()), keys, default_flags);
        let sha = registry.load(source.as_bytes()).unwrap();
        let by_sha =
            plan(&registry, ScriptRef::Sha(&sha.as_bytes().to_ascii_uppercase()), keys, default_flags);
        assert_eq!(by_text, by_sha);
        by_text
    }

    #[test]
    fn keys_decide() {
        let none = ScriptFlags::empty();
        assert_eq!(planned("return 1", &[], none), Ok(Plan::NoKeys));
        assert_eq!(planned("return 1", &[b"foo"], none), Ok(Plan::Slot(12182)));
        assert_eq!(planned("return 1", &[b"{foo}1", b"{foo}2"], none), Ok(Plan::Slot(12182)));
        assert_eq!(planned("return 1", &[b"foo", b"bar"], none), Err(Error::CROSS_SLOT));
    }

    #[test]
    fn flags_lift_the_rule() {
        let cross = "#!lua flags=allow-cross-slot-keys\nreturn 1";
        let none = ScriptFlags::empty();
        assert_eq!(planned(cross, &[b"foo", b"bar", b"foo"], none), Ok(Plan::Slots(vec![5061, 12182])));
        assert_eq!(planned(cross, &[b"foo"], none), Ok(Plan::Slot(12182)));
        let any = "#!lua flags=allow-undeclared-keys\nreturn 1";
        assert_eq!(planned(any, &[b"foo"], none), Ok(Plan::AllShards));
        assert_eq!(planned(any, &[], none), Ok(Plan::AllShards));
        let default = ScriptFlags::ALLOW_CROSS_SLOT_KEYS;
        assert_eq!(planned("return 1", &[b"foo", b"bar"], default), Ok(Plan::Slots(vec![5061, 12182])));
        assert_eq!(planned("#!lua\nreturn 1", &[b"foo", b"bar"], default), Err(Error::CROSS_SLOT));
    }

    #[test]
    fn an_unknown_sha_is_an_error() {
        let registry = Registry::new();
        let none = ScriptFlags::empty();
        assert_eq!(plan(&registry, ScriptRef::Sha(&[b'a'; 40]), &[], none), Err(Error::NO_SCRIPT));
        assert_eq!(plan(&registry, ScriptRef::Sha(b"short"), &[], none), Err(Error::NO_SCRIPT));
    }
}
