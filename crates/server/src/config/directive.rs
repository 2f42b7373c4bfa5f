//! What a directive is, and how each kind of it is read, shown and written.

use std::borrow::Cow;
use std::fmt::Write as _;

use bitflags::bitflags;
use moonshard_protocol::split_args::quote;

use super::compound::Lines;
use super::number::{format_memory, integer, lenient, memory};
use super::table::{DIRECTIVES, Settings};

/// Why a value was refused, in Redis' words.
pub type Refusal = Cow<'static, str>;

/// Whether a value is taken.
pub type Taken = Result<(), Refusal>;

bitflags! {
    /// Properties of a directive.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct DirectiveFlags: u8 {
        /// Only the file and the command line may set it.
        const IMMUTABLE = 1;
        /// Its value must not show in logs.
        const SENSITIVE = 2;
        /// It takes several arguments.
        const MULTI_ARG = 4;
        /// CONFIG GET shows it by its exact name only.
        const HIDDEN = 8;
        /// CONFIG SET needs `enable-protected-configs`.
        const PROTECTED = 16;
        /// CONFIG SET refuses it while data is being loaded.
        const DENY_LOADING = 32;
    }
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberForm {
    /// Decimal.
    Plain,
    /// Bytes, with a unit if one likes.
    Memory,
    /// Bytes, or a percentage, which is held as a negative number.
    MemoryOrPercent,
    /// Octal.
    Octal,
}

/// The kind of a directive's value and the way to its field.
pub enum Kind {
    /// `yes` or `no`.
    Flag {
        /// Reads the field.
        get: fn(&Settings) -> bool,
        /// Writes it.
        set: fn(&mut Settings, bool),
        /// Refuses values that are not possible here.
        check: Option<fn(bool) -> Taken>,
    },
    /// An integer.
    Number {
        /// How it is written.
        form: NumberForm,
        /// Least value.
        low: i128,
        /// Greatest value.
        high: i128,
        /// Reads the field.
        get: fn(&Settings) -> i128,
        /// Writes it; the value is within the bounds.
        set: fn(&mut Settings, i128),
    },
    /// Bytes.
    Text {
        /// Whether it may hold NUL bytes, which end all other texts.
        binary: bool,
        /// Reads the field; `None` when there is no value.
        get: fn(&Settings) -> Option<&[u8]>,
        /// Writes it.
        set: fn(&mut Settings, &[u8]),
        /// Refuses values that are not possible here.
        check: Option<fn(&[u8]) -> Taken>,
    },
    /// One of a few words.
    Choice {
        /// The words.
        words: &'static [&'static str],
        /// Reads the field.
        get: fn(&Settings) -> &'static str,
        /// Writes it; `false` when the word is unknown.
        set: fn(&mut Settings, &[u8]) -> bool,
    },
    /// Anything else.
    Compound {
        /// Reads the field.
        get: fn(&Settings) -> String,
        /// Writes it; the last argument says that the file being read has set it before.
        set: fn(&mut Settings, &[&[u8]], bool) -> Taken,
        /// Its lines for the file, given the name, the settings and the defaults.
        lines: fn(&str, &Settings, &Settings) -> Lines,
    },
}

/// One directive of the configuration.
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Another name for it, that of older versions.
    pub alias: Option<&'static str>,
    /// The field of [`Settings`] that holds it.
    pub field: &'static str,
    /// Its properties.
    pub flags: DirectiveFlags,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// Its kind.
    pub kind: Kind,
}

/// A name of a directive as it was found.
#[derive(Clone, Copy)]
pub struct Found {
    /// The directive.
    pub directive: &'static Directive,
    /// The name or the alias, whichever was asked for.
    pub name: &'static str,
}

/// Finds a directive by its name or alias, in either case. Linear in the number of directives.
pub fn find(name: &[u8]) -> Option<Found> {
    DIRECTIVES.iter().find_map(|directive| {
        let mut names = std::iter::once(directive.name).chain(directive.alias);
        let name = names.find(|known| name.eq_ignore_ascii_case(known.as_bytes()))?;
        Some(Found { directive, name })
    })
}

/// Whether the value of the directive of this name must not show in logs, the slow log and MONITOR.
pub fn is_sensitive(name: &[u8]) -> bool {
    find(name).is_some_and(|found| found.directive.flags.contains(DirectiveFlags::SENSITIVE))
}

impl Directive {
    /// The value as CONFIG GET answers it.
    pub fn format(&self, settings: &Settings) -> Vec<u8> {
        match &self.kind {
            Kind::Flag { get, .. } => yes_no(get(settings)).into(),
            Kind::Number { form, get, .. } => match (form, get(settings)) {
                (NumberForm::MemoryOrPercent, value @ ..0) => format!("{}%", -value).into(),
                (NumberForm::Octal, value) => format!("{value:o}").into(),
                (_, value) => value.to_string().into(),
            },
            Kind::Text { get, .. } => get(settings).unwrap_or_default().into(),
            Kind::Choice { get, .. } => get(settings).into(),
            Kind::Compound { get, .. } => get(settings).into(),
        }
    }

    /// Takes a value from a command: arguments are separated by single spaces where there may be several.
    pub(super) fn set_text(&self, settings: &mut Settings, value: &[u8]) -> Taken {
        if !self.flags.contains(DirectiveFlags::MULTI_ARG) {
            return self.set(settings, &[value], false);
        }
        let args: Vec<&[u8]> =
            if value.is_empty() { Vec::new() } else { value.split(|&byte| byte == b' ').collect() };
        self.set(settings, &args, false)
    }

    /// Takes arguments; directives without [`DirectiveFlags::MULTI_ARG`] get exactly one.
    pub(super) fn set(&self, settings: &mut Settings, args: &[&[u8]], again: bool) -> Taken {
        if let Kind::Compound { set, .. } = &self.kind {
            return set(settings, args, again);
        }
        let [value] = *args else { return Err("wrong number of arguments".into()) };
        match &self.kind {
            Kind::Flag { set, check, .. } => {
                let on = match value.to_ascii_lowercase().as_slice() {
                    b"yes" => true,
                    b"no" => false,
                    _ => return Err("argument must be 'yes' or 'no'".into()),
                };
                check.map_or(Ok(()), |check| check(on))?;
                set(settings, on);
            }
            Kind::Number { form, low, high, set, .. } => set(settings, number(value, *form, *low, *high)?),
            Kind::Text { binary, set, check, .. } => {
                let end = value.iter().position(|&byte| byte == 0 && !binary).unwrap_or(value.len());
                let value = &value[..end];
                check.map_or(Ok(()), |check| check(value))?;
                set(settings, value);
            }
            Kind::Choice { words, set, .. } => {
                if !set(settings, value) {
                    let words = words.join(", ");
                    return Err(format!("argument(s) must be one of the following: {words}").into());
                }
            }
            Kind::Compound { .. } => {}
        }
        Ok(())
    }

    /// The lines that set this directive in a file.
    pub(super) fn lines(&self, settings: &Settings, defaults: &Settings) -> Lines {
        let forced = self.format(settings) != self.format(defaults);
        let mut line = format!("{} ", self.name).into_bytes();
        match &self.kind {
            Kind::Text { get, .. } => {
                let Some(text) = get(settings) else { return Lines::default() };
                quote(text, &mut line);
            }
            Kind::Number { form: NumberForm::Memory | NumberForm::MemoryOrPercent, get, .. }
                if get(settings) >= 0 =>
            {
                line.extend(format_memory(get(settings)).as_bytes());
            }
            Kind::Compound { lines, .. } => return lines(self.name, settings, defaults),
            _ => line.extend(self.format(settings)),
        }
        Lines::one(line, forced)
    }

    /// What may be given as value, for people.
    pub fn values(&self) -> String {
        match &self.kind {
            Kind::Flag { .. } => "yes, no".to_owned(),
            Kind::Number { form, low, high, .. } => number_values(*form, *low, *high),
            Kind::Text { .. } => "text".to_owned(),
            Kind::Choice { words, .. } => words.join(", "),
            Kind::Compound { .. } if self.flags.contains(DirectiveFlags::MULTI_ARG) => "list".to_owned(),
            Kind::Compound { .. } => "text".to_owned(),
        }
    }
}

fn yes_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

/// Bounds as a person reads them: the greatest values of a type are no bound.
fn number_values(form: NumberForm, low: i128, high: i128) -> String {
    let unbounded = [i128::from(i32::MAX), i128::from(u32::MAX), i128::from(i64::MAX), i128::from(u64::MAX)];
    let mut text = match form {
        NumberForm::Plain => "integer".to_owned(),
        NumberForm::Memory => "bytes".to_owned(),
        NumberForm::MemoryOrPercent => return "bytes or 0% to 100%".to_owned(),
        NumberForm::Octal => return format!("octal, {low:o} to {high:o}"),
    };
    if low != i128::from(i32::MIN) {
        // Writing into a String cannot fail.
        let _ = write!(text, " from {low}");
    }
    if !unbounded.contains(&high) {
        let _ = write!(text, " to {high}");
    }
    text
}

fn number(text: &[u8], form: NumberForm, low: i128, high: i128) -> Result<i128, Refusal> {
    let value = match form {
        NumberForm::Plain => {
            integer(text).map(i128::from).ok_or("argument couldn't be parsed into an integer")?
        }
        NumberForm::Memory => memory(text).map(i128::from).ok_or("argument must be a memory value")?,
        NumberForm::Octal => {
            lenient(text, 8).map(i128::from).ok_or("argument couldn't be parsed as an octal number")?
        }
        NumberForm::MemoryOrPercent => {
            let value = memory_or_percent(text).ok_or("argument must be a memory or percent value")?;
            if value < 0 && i128::from(value) < low {
                return Err(format!("percentage argument must be less or equal to {}", -low).into());
            }
            i128::from(value)
        }
    };
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(match form {
        NumberForm::Octal => format!("argument must be between {low:o} and {high:o} inclusive").into(),
        _ => format!("argument must be between {low} and {high} inclusive").into(),
    })
}

/// Bytes as they are, a percentage negated. As in Redis, bytes from 2^63 on come out negative as well.
fn memory_or_percent(text: &[u8]) -> Option<i64> {
    if let Some(bytes) = memory(text) {
        return Some(bytes as i64);
    }
    let percent = integer(text.strip_suffix(b"%")?)?;
    (percent >= 0).then_some(-percent)
}
