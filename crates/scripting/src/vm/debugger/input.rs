//! The client's commands, from bytes: arrays of a few short strings.

/// Elements of a command.
const ARGS_MAX: i64 = 1024;
/// Bytes of an argument.
const ARG_LEN_MAX: i64 = 1024;
/// Bytes of what is no whole command yet.
const INPUT_LEN_MAX: usize = 1 << 20;

/// What is at the start of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A command, which was taken out.
    Command(Vec<Vec<u8>>),
    /// The beginning of one.
    Incomplete,
    /// Something else; the text says what is wrong.
    Invalid(&'static str),
}

const INVALID: Input = Input::Invalid("ERR protocol error");

/// Takes the first command. What is before its asterisk is passed over.
pub(super) fn take(input: &mut Vec<u8>) -> Input {
    if input.is_empty() {
        return Input::Incomplete;
    }
    let found = parse(input);
    match found {
        Ok((command, end)) => {
            input.drain(..end);
            Input::Command(command)
        }
        Err(Input::Incomplete) if input.len() > INPUT_LEN_MAX => {
            input.clear();
            Input::Invalid("ERR max client buffer reached")
        }
        Err(other) => other,
    }
}

/// The command, and where it ends.
fn parse(input: &[u8]) -> Result<(Vec<Vec<u8>>, usize), Input> {
    let start = memchr::memchr(b'*', input).ok_or(INVALID)?;
    let (count, mut at) = number(input, start + 1)?;
    if count <= 0 || count > ARGS_MAX {
        return Err(INVALID);
    }
    let mut command = Vec::new();
    for _ in 0..count {
        match input.get(at) {
            None => return Err(Input::Incomplete),
            Some(b'$') => {}
            Some(_) => return Err(INVALID),
        }
        let (len, from) = number(input, at + 1)?;
        if len <= 0 || len > ARG_LEN_MAX {
            return Err(INVALID);
        }
        let end = from + len as usize;
        let rest = input.get(end..end + 2).ok_or(Input::Incomplete)?;
        if rest != b"\r\n" {
            return Err(INVALID);
        }
        command.push(input[from..end].to_vec());
        at = end + 2;
    }
    Ok((command, at))
}

/// The number at `from`, and where the next line begins.
fn number(input: &[u8], from: usize) -> Result<(i64, usize), Input> {
    let len = memchr::memmem::find(&input[from..], b"\r\n").ok_or(Input::Incomplete)?;
    Ok((leading_number(&input[from..from + len]).into(), from + len + 2))
}

/// The number that a text begins with, as C's `atoi` reads it; 0 if there is none.
pub(super) fn leading_number(text: &[u8]) -> i32 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        digits => (false, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let value =
        digits.fold(0i64, |value, &digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    let value = if negative { -value } else { value };
    value.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Input {
        Input::Command(words.iter().map(|word| word.as_bytes().to_vec()).collect())
    }

    #[test]
    fn commands_are_taken_one_by_one() {
        let whole = b"xx*2\r\n$1\r\ne\r\n$3\r\n1+1\r\n*1\r\n$1\r\ns\r\n";
        let mut input = whole.to_vec();
        assert_eq!(take(&mut input), command(&["e", "1+1"]));
        assert_eq!(take(&mut input), command(&["s"]));
        assert_eq!(take(&mut input), Input::Incomplete);
        for end in 1..whole.len() - 11 {
            let mut part = whole[..end].to_vec();
            let expected = if end < 3 { INVALID } else { Input::Incomplete };
            assert_eq!(take(&mut part), expected, "after {end} bytes");
        }
    }

    #[test]
    fn what_is_no_command_is_said_so() {
        for wrong in ["step\r\n", "*0\r\n", "*-1\r\n", "*1025\r\n", "*1\r\n+s\r\n", "*1\r\n$0\r\n\r\n"] {
            assert_eq!(take(&mut wrong.as_bytes().to_vec()), INVALID, "{wrong:?}");
        }
        assert_eq!(take(&mut b"*1\r\n$1025\r\n".to_vec()), INVALID);
        assert_eq!(take(&mut b"*1\r\n$1\r\nsxx".to_vec()), INVALID);
        let mut long = b"*1\r\n".to_vec();
        long.resize(INPUT_LEN_MAX + 1, b'$');
        assert_eq!(take(&mut long), Input::Invalid("ERR max client buffer reached"));
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let read = |text: &str| leading_number(text.as_bytes());
        assert_eq!((read("12"), read(" -3x"), read("+4"), read("x"), read("")), (12, -3, 4, 0, 0));
        assert_eq!((read("99999999999"), read("-99999999999999999999")), (i32::MAX, i32::MIN));
    }
}
