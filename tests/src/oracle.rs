//! The same command to both servers, and what may differ between the replies: nothing, unless a [`Check`] says so.

use std::fmt;
use std::io;

use crate::resp::{Client, Reply, Value};
use crate::server::Server;

/// How two replies are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compare {
    /// Byte for byte.
    #[default]
    Exact,
    /// The elements of an array, set or map in any order.
    Unordered,
    /// An array of name, value, name, value (or a map) with its pairs in any order.
    Pairs,
    /// The elements at every level in any order.
    Deep,
    /// The same type of reply.
    TypeOnly,
    /// The same tree of types and lengths, whatever the strings and numbers in it.
    Shape,
    /// Numbers may be this far apart; all else byte for byte.
    Near(i64),
    /// Errors with the same first word.
    ErrorCode,
    /// SCAN and its kin from cursor 0 to the end: the same elements, however they are spread over the calls.
    FullScan,
    /// An array, each of whose elements is compared in its own way.
    Each(Vec<Compare>),
    /// Text of `name=value` or `name:value`: the same names in the same order.
    FieldNames,
}

/// What is expected of a pair of replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// How they are compared.
    pub compare: Compare,
    /// Names whose values, in maps and in arrays of pairs, are left out.
    pub mask: Vec<Vec<u8>>,
    /// Where Moonshard differs on purpose: its exact reply, and nothing is asked of Redis' one.
    pub ours: Option<Vec<u8>>,
}

impl From<Compare> for Check {
    fn from(compare: Compare) -> Check {
        Check { compare, ..Check::default() }
    }
}

/// Two replies that are not the same.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// What was sent.
    pub sent: String,
    /// Moonshard's reply.
    pub ours: String,
    /// What was expected.
    pub theirs: String,
    /// How they were compared.
    pub compare: Compare,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.sent)?;
        writeln!(f, "    Moonshard: {}", self.ours)?;
        write!(f, "    expected:  {}", self.theirs)?;
        if self.compare != Compare::Exact {
            write!(f, "    ({:?})", self.compare)?;
        }
        Ok(())
    }
}

/// A connection to each of the two servers.
pub struct Pair {
    /// To Moonshard.
    pub ours: Client,
    /// To the oracle.
    pub theirs: Client,
    /// Whether the first is Redis too, whose answers are never Moonshard's own.
    ours_is_redis: bool,
}

impl Pair {
    /// Connects to both, and speaks this version of RESP with them.
    pub fn connect(ours: &Server, theirs: &Server, protocol: u8) -> Pair {
        let mut pair =
            Pair { ours: ours.connect(), theirs: theirs.connect(), ours_is_redis: ours.is_redis() };
        if protocol == 3 {
            pair.both(&["HELLO", "3"]);
        }
        pair
    }

    /// Sends a command to both without comparing the replies.
    ///
    /// # Panics
    /// When one of them does not answer.
    pub fn both<A: AsRef<[u8]>>(&mut self, command: &[A]) {
        self.ours.command(command).expect("Moonshard does not answer");
        self.theirs.command(command).expect("Redis does not answer");
    }

    /// Sends a command to both and compares.
    ///
    /// # Errors
    /// The two replies, when they are not the same; a connection that ended counts as a reply.
    pub fn check<A: AsRef<[u8]>>(&mut self, command: &[A], check: &Check) -> Result<(), Mismatch> {
        if check.compare == Compare::FullScan {
            let command: Vec<Vec<u8>> = command.iter().map(|arg| arg.as_ref().to_vec()).collect();
            let (ours, theirs) = (scan_all(&mut self.ours, &command), scan_all(&mut self.theirs, &command));
            return self.compare_read(&ours, &theirs, check).map_err(|mut mismatch| {
                mismatch.sent = show_command(&command);
                mismatch
            });
        }
        // Both are asked before either is waited for: the two servers work at the same time.
        let sent = self.ours.send(command).and(self.theirs.send(command));
        let (ours, theirs) = match sent {
            Ok(()) => (self.ours.read(), self.theirs.read()),
            Err(e) => (Err(io::Error::new(e.kind(), e.to_string())), Err(e)),
        };
        self.compare_read(&ours, &theirs, check).map_err(|mut mismatch| {
            mismatch.sent = show_command(command);
            mismatch
        })
    }

    fn compare_read(
        &self,
        ours: &io::Result<Reply>,
        theirs: &io::Result<Reply>,
        check: &Check,
    ) -> Result<(), Mismatch> {
        let same = match (ours, theirs) {
            (Ok(ours), _) if check.ours.is_some() && !self.ours_is_redis => {
                check.ours.as_ref() == Some(&ours.raw)
            }
            (Ok(ours), Ok(theirs)) => same(&ours.value, &theirs.value, check),
            // Also when neither answers: no command may end a connection or a server unnoticed.
            _ => false,
        };
        if same {
            return Ok(());
        }
        let expected = match &check.ours {
            Some(literal) => format!("{} (Moonshard's own)", literal.escape_ascii()),
            None => show_read(theirs),
        };
        Err(Mismatch {
            sent: String::new(),
            ours: show_read(ours),
            theirs: expected,
            compare: check.compare.clone(),
        })
    }

    /// Reads one more reply (or push) from both and compares.
    ///
    /// # Errors
    /// As [`Pair::check`].
    pub fn read(&mut self, check: &Check) -> Result<(), Mismatch> {
        let (ours, theirs) = (self.ours.read(), self.theirs.read());
        self.compare_read(&ours, &theirs, check)
    }
}

/// Follows the cursor to its end; the reply is that of one call with all elements, sorted and each once.
fn scan_all(client: &mut Client, command: &[Vec<u8>]) -> io::Result<Reply> {
    let by_pairs = matches!(command[0].to_ascii_lowercase().as_slice(), b"hscan" | b"zscan");
    let at = if command[0].eq_ignore_ascii_case(b"scan") { 1 } else { 2 };
    let mut command = command.to_vec();
    let mut found = Vec::new();
    loop {
        let reply = client.command(&command)?;
        let Some([Value::Bulk(cursor), Value::Array(items)]) = reply.value.items() else {
            return Ok(reply);
        };
        let each = if by_pairs { 2 } else { 1 };
        found.extend(items.chunks(each).map(|element| Value::Array(element.to_vec())));
        if cursor == b"0" {
            found.sort();
            found.dedup();
            return Ok(Reply { raw: Vec::new(), value: Value::Array(found) });
        }
        if found.len() > 1_000_000 {
            return Err(io::Error::other("the scan does not end"));
        }
        command[at].clone_from(cursor);
    }
}

fn show_read(reply: &io::Result<Reply>) -> String {
    let text = match reply {
        Ok(reply) => reply.value.to_string(),
        Err(e) => format!("no reply: {e}"),
    };
    if text.len() > 1500 { format!("{}... ({} bytes)", &text[..1500], text.len()) } else { text }
}

/// A command as one could type it.
pub fn show_command<A: AsRef<[u8]>>(command: &[A]) -> String {
    let word = |arg: &A| {
        let escaped = arg.as_ref().escape_ascii().to_string();
        let plain = !escaped.is_empty() && !escaped.contains([' ', '\\', '"', '\'', '#', '@']);
        let shown = if plain { escaped } else { format!("\"{}\"", arg.as_ref().escape_ascii()) };
        if shown.len() > 400 { format!("{}... ({} bytes)", &shown[..400], shown.len()) } else { shown }
    };
    command.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Whether two values are the same as far as `check` asks.
pub fn same(ours: &Value, theirs: &Value, check: &Check) -> bool {
    let (ours, theirs) = (masked(ours, &check.mask), masked(theirs, &check.mask));
    match &check.compare {
        Compare::Exact | Compare::FullScan => ours == theirs,
        Compare::Unordered => sorted(ours) == sorted(theirs),
        Compare::Pairs => paired(ours) == paired(theirs),
        Compare::Deep => deep(ours) == deep(theirs),
        Compare::TypeOnly => ours.tag() == theirs.tag(),
        Compare::Shape => shape(&ours) == shape(&theirs),
        Compare::Near(far) => near(&ours, &theirs, *far),
        Compare::ErrorCode => error_code(&ours).is_some() && error_code(&ours) == error_code(&theirs),
        Compare::Each(compares) => match (&ours, &theirs) {
            (Value::Array(ours), Value::Array(theirs)) => {
                let all = || ours.iter().zip(theirs).zip(compares);
                ours.len() == theirs.len()
                    && ours.len() == compares.len()
                    && all().all(|((ours, theirs), compare)| same(ours, theirs, &compare.clone().into()))
            }
            _ => ours == theirs,
        },
        Compare::FieldNames => ours.tag() == theirs.tag() && field_names(&ours) == field_names(&theirs),
    }
}

fn masked(value: &Value, mask: &[Vec<u8>]) -> Value {
    let hidden = || Value::Simple(b"(masked)".to_vec());
    let is_masked = |name: &Value| name.bytes().is_some_and(|b| mask.iter().any(|m| m == b));
    let list = |items: &[Value]| -> Vec<Value> {
        let mut out: Vec<Value> = items.iter().map(|item| masked(item, mask)).collect();
        for i in 1..items.len() {
            if is_masked(&items[i - 1]) {
                out[i] = hidden();
            }
        }
        out
    };
    match value {
        _ if mask.is_empty() => value.clone(),
        Value::Array(items) => Value::Array(list(items)),
        Value::Set(items) => Value::Set(list(items)),
        Value::Push(items) => Value::Push(list(items)),
        Value::Map(pairs) => Value::Map(
            pairs
                .iter()
                .map(|(k, v)| (k.clone(), if is_masked(k) { hidden() } else { masked(v, mask) }))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(mut items) => {
            items.sort();
            Value::Array(items)
        }
        Value::Set(mut items) => {
            items.sort();
            Value::Set(items)
        }
        Value::Map(mut pairs) => {
            pairs.sort();
            Value::Map(pairs)
        }
        other => other,
    }
}

fn paired(value: Value) -> Value {
    match value {
        Value::Array(items) if items.len() % 2 == 0 && !items.iter().all(|i| i.tag() == '*') => {
            let pairs = items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
            sorted(Value::Array(pairs.map(|(k, v)| Value::Array(vec![k, v])).collect()))
        }
        other => sorted(other),
    }
}

fn deep(value: Value) -> Value {
    match value {
        Value::Array(items) => sorted(Value::Array(items.into_iter().map(deep).collect())),
        Value::Set(items) => sorted(Value::Set(items.into_iter().map(deep).collect())),
        Value::Map(pairs) => sorted(Value::Map(pairs.into_iter().map(|(k, v)| (k, deep(v))).collect())),
        other => other,
    }
}

fn shape(value: &Value) -> String {
    match value {
        Value::Map(pairs) => {
            let inner: Vec<_> = pairs.iter().map(|(k, v)| format!("{}={}", shape(k), shape(v))).collect();
            format!("%{{{}}}", inner.join(" "))
        }
        Value::NullBulk | Value::NullArray => format!("{}-1", value.tag()),
        other => match other.items() {
            Some(items) => {
                format!("{}[{}]", other.tag(), items.iter().map(shape).collect::<Vec<_>>().join(" "))
            }
            None => other.tag().to_string(),
        },
    }
}

fn near(ours: &Value, theirs: &Value, far: i64) -> bool {
    let number = |value: &Value| match value {
        Value::Int(n) => Some(*n),
        other => std::str::from_utf8(other.bytes()?).ok()?.parse().ok(),
    };
    if ours.tag() != theirs.tag() {
        return false;
    }
    if let (Some(a), Some(b)) = (ours.items(), theirs.items()) {
        return a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b, far));
    }
    if let (Value::Map(a), Value::Map(b)) = (ours, theirs) {
        let same = |(a, b): (&(Value, Value), &(Value, Value))| a.0 == b.0 && near(&a.1, &b.1, far);
        return a.len() == b.len() && a.iter().zip(b).all(same);
    }
    match (number(ours), number(theirs)) {
        // The signs tell "no key" and "no expiry" from a time that is left.
        (Some(a), Some(b)) => (a < 0) == (b < 0) && a.abs_diff(b) <= far.unsigned_abs(),
        _ => ours == theirs,
    }
}

fn error_code(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Error(text) | Value::BulkError(text) => {
            Some(text.split(|b| *b == b' ').next().unwrap_or_default().to_vec())
        }
        _ => None,
    }
}

fn field_names(value: &Value) -> Vec<String> {
    let text = String::from_utf8_lossy(value.bytes().unwrap_or_default()).into_owned();
    let name =
        |word: &str| word.find(['=', ':']).map_or_else(|| word.to_owned(), |end| word[..end].to_owned());
    text.split_whitespace().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        crate::resp::parse(text.as_bytes()).unwrap().unwrap().0
    }

    fn agree(ours: &str, theirs: &str, compare: Compare) -> bool {
        same(&value(ours), &value(theirs), &compare.into())
    }

    #[test]
    fn each_comparison_accepts_and_refuses() {
        let (ab, ba) = ("*2\r\n+a\r\n+b\r\n", "*2\r\n+b\r\n+a\r\n");
        assert!(!agree(ab, ba, Compare::Exact));
        assert!(agree(ab, ba, Compare::Unordered));
        assert!(!agree(ab, "*2\r\n+a\r\n+c\r\n", Compare::Unordered));
        assert!(!agree(ab, ba, Compare::Pairs));
        let (abcd, cdab) = ("*4\r\n+a\r\n+b\r\n+c\r\n+d\r\n", "*4\r\n+c\r\n+d\r\n+a\r\n+b\r\n");
        assert!(agree(abcd, cdab, Compare::Pairs));
        assert!(agree(":5\r\n", ":6\r\n", Compare::Near(1)));
        assert!(!agree(":5\r\n", ":7\r\n", Compare::Near(1)));
        assert!(!agree(":0\r\n", ":-1\r\n", Compare::Near(1)));
        assert!(agree("-ERR a\r\n", "-ERR b\r\n", Compare::ErrorCode));
        assert!(!agree("-ERR a\r\n", "-NOGO a\r\n", Compare::ErrorCode));
        assert!(agree("*1\r\n+a\r\n", "*1\r\n+b\r\n", Compare::Shape));
        assert!(!agree("$-1\r\n", "$1\r\na\r\n", Compare::Shape));
        assert!(agree("$7\r\na=1 b=2\r\n", "$7\r\na=3 b=4\r\n", Compare::FieldNames));
        assert!(!agree("$7\r\na=1 b=2\r\n", "$7\r\na=3 c=4\r\n", Compare::FieldNames));
    }

    #[test]
    fn a_masked_value_may_differ_and_its_neighbours_may_not() {
        let check = Check { mask: vec![b"id".to_vec()], ..Check::default() };
        let reply = |id: &str, v: &str| value(&format!("*4\r\n+id\r\n:{id}\r\n+v\r\n:{v}\r\n"));
        assert!(same(&reply("1", "7"), &reply("2", "7"), &check));
        assert!(!same(&reply("1", "7"), &reply("1", "8"), &check));
    }
}
