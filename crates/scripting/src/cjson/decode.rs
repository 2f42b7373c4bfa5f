//! `cjson.decode`.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

use super::sizes::Sizes;
use super::{ARRAY_MT_UPVALUE, Settings, scan, settings};
use crate::lua_stack::{LuaStack, SpillVec};
use crate::patience::Patience;

/// Why a text is not the JSON that `decode` reads.
enum DecodeError {
    /// Another token than this one was needed at a byte of the text, counted from 0.
    Expected { wanted: &'static CStr, found: &'static CStr, offset: usize },
    /// Arrays and objects are nested deeper than the setting or the Lua stack allows.
    TooDeep { depth: c_int, offset: usize },
}

impl DecodeError {
    fn raise(self, stack: LuaStack) -> ! {
        let state = stack.state();
        // SAFETY: each format takes what is passed, and no frame on the way owns anything.
        unsafe {
            match self {
                Self::Expected { wanted, found, offset } => {
                    let format = c"Expected %s but found %s at character %d".as_ptr();
                    let character = offset as c_int + 1;
                    ffi::luaL_error(state, format, wanted.as_ptr(), found.as_ptr(), character);
                }
                Self::TooDeep { depth, offset } => {
                    let format = c"Found too many nested data structures (%d) at character %d".as_ptr();
                    ffi::luaL_error(state, format, depth, offset as c_int);
                }
            }
        }
        unreachable!("luaL_error does not return")
    }
}

pub(super) unsafe extern "C-unwind" fn decode(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    if stack.top() != 1 {
        stack.raise_argument(1, c"expected 1 argument");
    }
    // SAFETY: the argument stays in its slot, and this is one of cjson's functions.
    let (text, settings) = unsafe { (stack.check_bytes(1), *settings(stack)) };
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        stack.raise(c"JSON parser does not support UTF-16 or UTF-32");
    }
    let mut decoder = Decoder {
        stack,
        lexer: Lexer {
            text,
            position: 0,
            start: 0,
            invalid_numbers: settings.decode_invalid_numbers,
            unescaped: SpillVec::new(stack),
        },
        settings,
        open: SpillVec::new(stack),
        patience: Patience::new(),
        sizes: Sizes::default(),
    };
    match decoder.run() {
        Ok(()) => 1,
        Err(error) => error.raise(stack),
    }
}

/// An array or object whose end was not read yet. Its table is on the Lua stack, an object's last key above it.
#[derive(Clone, Copy)]
enum Open {
    Array { len: c_int },
    Object,
}

struct Decoder<'t> {
    stack: LuaStack,
    lexer: Lexer<'t>,
    settings: Settings,
    open: SpillVec<Open, 32>,
    patience: Patience,
    sizes: Sizes,
}

impl Decoder<'_> {
    /// Pushes the value of the whole text. A loop, for a text may nest deeper than a thread's stack can follow.
    fn run(&mut self) -> Result<(), DecodeError> {
        loop {
            let begun = self.value()?;
            if !begun && !self.close_value()? {
                break;
            }
        }
        match self.lexer.next() {
            Token::End => Ok(()),
            other => Err(self.expected(c"the end", other)),
        }
    }

    /// Pushes the next value. For a container that is not empty, only its table (and first key) is pushed, and the answer
    /// is true.
    #[inline(always)]
    fn value(&mut self) -> Result<bool, DecodeError> {
        self.patience.spend(self.stack, 1);
        match self.lexer.skip_space() {
            b'"' => {
                let text = self.lexer.string();
                self.push_string(text, c"value")?;
            }
            b'{' => return self.begin_object(),
            b'[' => return self.begin_array(),
            b'-' | b'0'..=b'9' if self.lexer.invalid_numbers => match self.lexer.number() {
                Some(value) => self.stack.push_number(value),
                None => return Err(self.expected(c"value", INVALID_NUMBER)),
            },
            _ => self.other_value()?,
        }
        Ok(false)
    }

    /// Pushes the value of a token that is more than a byte and no string.
    #[inline(never)]
    fn other_value(&mut self) -> Result<(), DecodeError> {
        match self.lexer.next() {
            Token::Number(value) => self.stack.push_number(value),
            Token::Boolean(value) => self.stack.push_boolean(value),
            Token::Null => self.stack.push_null(),
            other => return Err(self.expected(c"value", other)),
        }
        Ok(())
    }

    #[inline]
    fn begin_object(&mut self) -> Result<bool, DecodeError> {
        self.lexer.position += 1;
        self.descend(3)?;
        let pairs = self.reserved();
        self.stack.push_table(0, pairs);
        if self.lexer.skip_space() == b'}' {
            self.lexer.position += 1;
            return Ok(false);
        }
        self.open.push(Open::Object);
        self.key()?;
        Ok(true)
    }

    #[inline]
    fn begin_array(&mut self) -> Result<bool, DecodeError> {
        self.lexer.position += 1;
        self.descend(2)?;
        let elements = self.reserved();
        self.stack.push_table(elements, 0);
        if self.settings.array_mt {
            self.mark_array();
        }
        if self.lexer.skip_space() == b']' {
            self.lexer.position += 1;
            return Ok(false);
        }
        self.open.push(Open::Array { len: 0 });
        Ok(true)
    }

    /// Puts the value on top into its container, and closes those that end behind it. False when the outermost value is
    /// complete; otherwise the next value follows, whose key was pushed if it is to have one.
    #[inline(always)]
    fn close_value(&mut self) -> Result<bool, DecodeError> {
        loop {
            let Some(innermost) = self.open.last_mut() else { return Ok(false) };
            if let Open::Array { len } = innermost {
                *len += 1;
                self.stack.raw_set_element(*len);
                match self.lexer.skip_space() {
                    b',' => {
                        self.lexer.position += 1;
                        return Ok(true);
                    }
                    b']' => self.lexer.position += 1,
                    _ => return Err(self.unexpected(c"comma or array end")),
                }
            } else {
                self.stack.raw_set();
                match self.lexer.skip_space() {
                    b',' => {
                        self.lexer.position += 1;
                        self.key()?;
                        return Ok(true);
                    }
                    b'}' => self.lexer.position += 1,
                    _ => return Err(self.unexpected(c"comma or object end")),
                }
            }
            self.open.pop();
        }
    }

    /// Pushes the next key, and goes behind its colon.
    #[inline]
    fn key(&mut self) -> Result<(), DecodeError> {
        if self.lexer.skip_space() != b'"' {
            return Err(self.unexpected(c"object key string"));
        }
        let text = self.lexer.string();
        self.push_string(text, c"object key string")?;
        if self.lexer.skip_space() != b':' {
            return Err(self.unexpected(c"colon"));
        }
        self.lexer.position += 1;
        Ok(())
    }

    #[inline(always)]
    fn push_string(
        &mut self,
        text: Result<Text, &'static CStr>,
        wanted: &'static CStr,
    ) -> Result<(), DecodeError> {
        match text {
            Ok(text) => self.stack.push_bytes(self.lexer.bytes(text)),
            Err(problem) => return Err(self.expected(wanted, Token::Error(problem))),
        }
        Ok(())
    }

    fn descend(&mut self, slots: c_int) -> Result<(), DecodeError> {
        let depth = self.open.len() as c_int + 1;
        if depth <= self.settings.decode_max_depth && self.stack.reserve(slots) {
            return Ok(());
        }
        Err(DecodeError::TooDeep { depth, offset: self.lexer.position })
    }

    /// Elements to make room for in the container whose first byte was just read.
    #[inline]
    fn reserved(&mut self) -> c_int {
        let begin = self.lexer.position - 1;
        self.sizes.next(&self.lexer.text[begin..])
    }

    fn mark_array(&self) {
        let state = self.stack.state();
        // SAFETY: a table is on top, `descend` reserved a slot, and the upvalue is a table.
        unsafe {
            ffi::lua_pushvalue(state, ARRAY_MT_UPVALUE);
            ffi::lua_setmetatable(state, -2);
        }
    }

    /// The error that another token than this one comes next.
    #[cold]
    fn unexpected(&mut self, wanted: &'static CStr) -> DecodeError {
        let found = self.lexer.next();
        self.expected(wanted, found)
    }

    #[cold]
    fn expected(&self, wanted: &'static CStr, found: Token) -> DecodeError {
        let (found, offset) = match found {
            Token::Error(text) => (text, self.lexer.position),
            other => (other.name(), self.lexer.start),
        };
        DecodeError::Expected { wanted, found, offset }
    }
}

/// What a number is that C does not read.
const INVALID_NUMBER: Token = Token::Error(c"invalid number");

#[derive(Clone, Copy, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static CStr),
}

/// Where the bytes of a string are, until the next one is read.
#[derive(Clone, Copy, PartialEq)]
enum Text {
    /// In the text itself, for it had no escapes.
    Plain { start: usize, end: usize },
    /// In the lexer's buffer.
    Unescaped,
}

impl Token {
    /// What error messages call it.
    fn name(self) -> &'static CStr {
        match self {
            Self::ObjectBegin => c"T_OBJ_BEGIN",
            Self::ObjectEnd => c"T_OBJ_END",
            Self::ArrayBegin => c"T_ARR_BEGIN",
            Self::ArrayEnd => c"T_ARR_END",
            Self::String => c"T_STRING",
            Self::Number(_) => c"T_NUMBER",
            Self::Boolean(_) => c"T_BOOLEAN",
            Self::Null => c"T_NULL",
            Self::Colon => c"T_COLON",
            Self::Comma => c"T_COMMA",
            Self::End => c"T_END",
            Self::Error(text) => text,
        }
    }
}

struct Lexer<'t> {
    /// A Lua string: a NUL follows it, and one inside ends the JSON as well.
    text: &'t [u8],
    /// The first byte that was not read; after an error, the byte it is about.
    position: usize,
    /// Where the last token began.
    start: usize,
    invalid_numbers: bool,
    unescaped: SpillVec<u8, 512>,
}

impl Lexer<'_> {
    /// The byte so far ahead of the position, NUL behind the end.
    #[inline(always)]
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.position + ahead).copied().unwrap_or(0)
    }

    /// The bytes of the string that was read last.
    #[inline(always)]
    fn bytes(&self, text: Text) -> &[u8] {
        match text {
            Text::Plain { start, end } => &self.text[start..end],
            Text::Unescaped => self.unescaped.as_slice(),
        }
    }

    /// Goes to the next byte that is no space, and looks at it.
    #[inline(always)]
    fn skip_space(&mut self) -> u8 {
        loop {
            let byte = self.peek(0);
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return byte;
            }
            self.position += 1;
        }
    }

    /// The next token, whatever it is.
    #[inline(never)]
    fn next(&mut self) -> Token {
        let first = self.skip_space();
        self.start = self.position;
        let single = match first {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Token::End,
            b'"' => return self.string().map_or_else(Token::Error, |_| Token::String),
            b'-' | b'0'..=b'9' if !self.invalid_numbers && self.is_invalid_number() => {
                return INVALID_NUMBER;
            }
            b'-' | b'0'..=b'9' => return self.number().map_or(INVALID_NUMBER, Token::Number),
            _ => return self.word_token(),
        };
        self.position += 1;
        single
    }

    fn word_token(&mut self) -> Token {
        let words: [(&[u8], Token); 3] =
            [(b"true", Token::Boolean(true)), (b"false", Token::Boolean(false)), (b"null", Token::Null)];
        let rest = &self.text[self.position..];
        for (word, token) in words {
            if rest.starts_with(word) {
                self.position += word.len();
                return token;
            }
        }
        let number_like = matches!(self.peek(0), b'i' | b'I' | b'n' | b'N' | b'+');
        if number_like && self.invalid_numbers && self.is_invalid_number() {
            return self.number().map_or(INVALID_NUMBER, Token::Number);
        }
        Token::Error(c"invalid token")
    }

    /// Whether what C reads as a number here is none in JSON: a leading plus or zero, hexadecimal, inf, nan.
    fn is_invalid_number(&self) -> bool {
        if self.peek(0) == b'+' {
            return true;
        }
        let sign = usize::from(self.peek(0) == b'-');
        let first = self.peek(sign);
        if first == b'0' {
            let second = self.peek(sign + 1);
            return second | 0x20 == b'x' || second.is_ascii_digit();
        }
        let begins = |word: &[u8; 3]| {
            (0..3).all(|position| self.peek(sign + position).eq_ignore_ascii_case(&word[position]))
        };
        begins(b"inf") || begins(b"nan")
    }

    /// Reads the number at the position.
    #[inline(always)]
    fn number(&mut self) -> Option<f64> {
        if let Some((value, len)) = simple_number(&self.text[self.position..]) {
            self.position += len;
            return Some(value);
        }
        self.any_number()
    }

    /// Reads what C takes for a number.
    #[inline(never)]
    fn any_number(&mut self) -> Option<f64> {
        let mut end = std::ptr::null_mut();
        // SAFETY: `position` is within the text, and a NUL follows that. `strtod` sets `end` behind what it read,
        // at most to that NUL.
        let (value, len) = unsafe {
            let start = self.text.as_ptr().add(self.position).cast();
            let value = libc::strtod(start, &mut end);
            (value, end.offset_from(start))
        };
        self.position += len.unsigned_abs();
        (len != 0).then_some(value)
    }

    /// Reads the string at whose first quote the position is. After an error the position is where it is.
    #[inline(always)]
    fn string(&mut self) -> Result<Text, &'static CStr> {
        let start = self.position + 1;
        let end = start + scan::plain_len(&self.text[start..]);
        self.position = end;
        if self.peek(0) != b'"' {
            return self.unusual_string(start);
        }
        self.position += 1;
        Ok(Text::Plain { start, end })
    }

    /// Reads the rest of a string from the first byte on that does not stand for itself.
    #[inline(never)]
    fn unusual_string(&mut self, start: usize) -> Result<Text, &'static CStr> {
        let mut plain = start;
        self.unescaped.clear();
        loop {
            self.unescaped.extend(&self.text[plain..self.position]);
            match self.peek(0) {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return Err(c"unexpected end of string"),
            }
            plain = self.position;
            self.position += scan::plain_len(&self.text[plain..]);
        }
        self.position += 1;
        Ok(Text::Unescaped)
    }

    /// Reads the escape at the position into the buffer. After an error the position is still at the backslash.
    fn escape(&mut self) -> Result<(), &'static CStr> {
        let byte = match self.peek(1) {
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 12,
            b'r' => b'\r',
            same @ (b'"' | b'\\' | b'/') => same,
            b'u' => return self.unicode_escape().ok_or(c"invalid unicode escape code"),
            _ => return Err(c"invalid escape code"),
        };
        self.unescaped.push(byte);
        self.position += 2;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Option<()> {
        let mut code = self.hex4(2)?;
        let mut len = 6;
        if code & 0xf800 == 0xd800 {
            let paired = code & 0x400 == 0 && self.peek(6) == b'\\' && self.peek(7) == b'u';
            let low = if paired { self.hex4(8)? } else { return None };
            if low & 0xfc00 != 0xdc00 {
                return None;
            }
            code = ((code & 0x3ff) << 10 | low & 0x3ff) + 0x10000;
            len = 12;
        }
        let mut utf8 = [0; 4];
        self.unescaped.extend(char::from_u32(code)?.encode_utf8(&mut utf8).as_bytes());
        self.position += len;
        Some(())
    }

    fn hex4(&self, ahead: usize) -> Option<u32> {
        (ahead..ahead + 4).try_fold(0, |code, at| {
            let digit = char::from(self.peek(at)).to_digit(16)?;
            Some(code << 4 | digit)
        })
    }
}

/// Reads a decimal number of up to 15 digits, with or without a fraction, and its length. Such a number is exact, or
/// one correctly rounded division away from it; for all others, and all that C reads beyond JSON, there is `strtod`.
#[inline(always)]
fn simple_number(text: &[u8]) -> Option<(f64, usize)> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    const DIGITS_MAX: usize = 15;
    let at = |position: usize| text.get(position).copied().unwrap_or(0);
    let digits = |mut position: usize, mut mantissa: u64| loop {
        let digit = at(position).wrapping_sub(b'0');
        if digit > 9 {
            return (position, mantissa);
        }
        mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        position += 1;
    };
    let negative = at(0) == b'-';
    let begin = usize::from(negative);
    let (mut position, mut mantissa) = digits(begin, 0);
    let whole = position - begin;
    let mut fraction = 0;
    if at(position) == b'.' {
        let point = position;
        (position, mantissa) = digits(point + 1, mantissa);
        fraction = position - point - 1;
    }
    if whole == 0 || whole + fraction > DIGITS_MAX || matches!(at(position), b'e' | b'E' | b'x' | b'X' | b'.')
    {
        return None;
    }
    let value = mantissa as i64 as f64;
    let value = if fraction == 0 { value } else { value / POWERS[fraction] };
    Some((if negative { -value } else { value }, position))
}
