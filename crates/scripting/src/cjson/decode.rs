//! `cjson.decode`.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

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
        opened: 0,
        sizes: Sizes::of(text),
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
    /// Containers begun so far.
    opened: usize,
    sizes: Sizes,
}

/// How many elements the first containers of a text have, in the order in which they begin: their tables are made as
/// large at once, instead of growing again and again. A guess, which a text that is no JSON may deceive.
struct Sizes {
    counts: [u16; Self::CONTAINERS_MAX],
}

impl Sizes {
    /// Containers that are counted; the others grow.
    const CONTAINERS_MAX: usize = 64;
    /// Depth to which they are counted.
    const DEPTH_MAX: usize = 16;
    /// Most elements that a table is made for.
    const ELEMENTS_MAX: u16 = 1024;
    /// Bytes of the text that are walked over: nothing ends a script meanwhile.
    const TEXT_MAX: usize = 64 << 10;

    /// Counts until there is nothing more to be counted: in one walk over the text.
    fn of(text: &[u8]) -> Self {
        let mut counts = [0_u16; Self::CONTAINERS_MAX];
        let (mut begun, mut depth) = (0, 0);
        let mut around = [0_u8; Self::DEPTH_MAX];
        let mut position = 0;
        let text = &text[..text.len().min(Self::TEXT_MAX)];
        while let Some(&byte) = text.get(position) {
            position += 1;
            match byte {
                b'"' => position = behind_string(text, position),
                b'{' | b'[' => {
                    if begun == Self::CONTAINERS_MAX || depth == Self::DEPTH_MAX {
                        break;
                    }
                    // Of an empty one too: a slot that is not used costs less than to look.
                    counts[begun] = 1;
                    around[depth] = begun as u8;
                    begun += 1;
                    depth += 1;
                }
                b'}' | b']' => match depth.checked_sub(1) {
                    Some(outer) => depth = outer,
                    None => break,
                },
                b',' if depth > 0 => {
                    let count = &mut counts[usize::from(around[depth - 1])];
                    *count = (*count + 1).min(Self::ELEMENTS_MAX);
                }
                _ => {}
            }
        }
        Self { counts }
    }

    fn get(&self, container: usize) -> c_int {
        self.counts.get(container).copied().map_or(0, c_int::from)
    }
}

/// The position behind the string whose text begins at this one.
fn behind_string(text: &[u8], mut position: usize) -> usize {
    while let Some(rest) = text.get(position..) {
        position += scan::plain_len(rest);
        match text.get(position) {
            Some(b'\\') => position += 2,
            _ => return position + 1,
        }
    }
    position
}

impl Decoder<'_> {
    /// Pushes the value of the whole text. A loop, for a text may nest deeper than a thread's stack can follow.
    fn run(&mut self) -> Result<(), DecodeError> {
        let mut token = self.lexer.next();
        loop {
            if let Some(first) = self.value(token)? {
                token = first;
                continue;
            }
            match self.close_value()? {
                Some(next) => token = next,
                None => break,
            }
        }
        match self.lexer.next() {
            Token::End => Ok(()),
            other => Err(self.expected(c"the end", other)),
        }
    }

    /// Pushes the value that begins with `token`. For a container that is not empty, only its table (and first key)
    /// is pushed, and the token of its first value returned.
    fn value(&mut self, token: Token) -> Result<Option<Token>, DecodeError> {
        let stack = self.stack;
        self.patience.spend(stack, 1);
        match token {
            Token::String(text) => stack.push_bytes(self.lexer.string(text)),
            Token::Number(value) => stack.push_number(value),
            Token::Boolean(value) => stack.push_boolean(value),
            Token::Null => stack.push_null(),
            Token::ObjectBegin => {
                self.descend(3)?;
                stack.push_table(0, self.reserved());
                let first = self.lexer.next();
                if first != Token::ObjectEnd {
                    self.open.push(Open::Object);
                    return self.key(first).map(Some);
                }
            }
            Token::ArrayBegin => {
                self.descend(2)?;
                stack.push_table(self.reserved(), 0);
                if self.settings.array_mt {
                    self.mark_array();
                }
                let first = self.lexer.next();
                if first != Token::ArrayEnd {
                    self.open.push(Open::Array { len: 0 });
                    return Ok(Some(first));
                }
            }
            other => return Err(self.expected(c"value", other)),
        }
        Ok(None)
    }

    /// Puts the value on top into its container, and closes those that end behind it. Returns the first token of
    /// the next value, nothing after the outermost.
    fn close_value(&mut self) -> Result<Option<Token>, DecodeError> {
        loop {
            let Some(innermost) = self.open.last_mut() else { return Ok(None) };
            let (end, wanted) = match innermost {
                Open::Array { len } => {
                    *len += 1;
                    self.stack.raw_set_element(*len);
                    (Token::ArrayEnd, c"comma or array end")
                }
                Open::Object => {
                    self.stack.raw_set();
                    (Token::ObjectEnd, c"comma or object end")
                }
            };
            let token = self.lexer.next();
            if token == end {
                self.open.pop();
                continue;
            }
            if token != Token::Comma {
                return Err(self.expected(wanted, token));
            }
            let token = self.lexer.next();
            return if end == Token::ObjectEnd { self.key(token).map(Some) } else { Ok(Some(token)) };
        }
    }

    /// Pushes the key in `token`, and returns the first token of its value.
    fn key(&mut self, token: Token) -> Result<Token, DecodeError> {
        let Token::String(text) = token else {
            return Err(self.expected(c"object key string", token));
        };
        self.stack.push_bytes(self.lexer.string(text));
        match self.lexer.next() {
            Token::Colon => Ok(self.lexer.next()),
            other => Err(self.expected(c"colon", other)),
        }
    }

    fn descend(&mut self, slots: c_int) -> Result<(), DecodeError> {
        let depth = self.open.len() as c_int + 1;
        if depth <= self.settings.decode_max_depth && self.stack.reserve(slots) {
            return Ok(());
        }
        Err(DecodeError::TooDeep { depth, offset: self.lexer.position })
    }

    /// Elements to make room for in the container that begins.
    fn reserved(&mut self) -> c_int {
        let container = self.opened;
        self.opened += 1;
        self.sizes.get(container)
    }

    fn mark_array(&self) {
        let state = self.stack.state();
        // SAFETY: a table is on top, `descend` reserved a slot, and the upvalue is a table.
        unsafe {
            ffi::lua_pushvalue(state, ARRAY_MT_UPVALUE);
            ffi::lua_setmetatable(state, -2);
        }
    }

    fn expected(&self, wanted: &'static CStr, found: Token) -> DecodeError {
        let (found, offset) = match found {
            Token::Error(text) => (text, self.lexer.position),
            other => (other.name(), self.lexer.start),
        };
        DecodeError::Expected { wanted, found, offset }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Text),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static CStr),
}

/// Where the bytes of a string token are, until the next token is read.
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
            Self::String(_) => c"T_STRING",
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
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.position + ahead).copied().unwrap_or(0)
    }

    fn string(&self, text: Text) -> &[u8] {
        match text {
            Text::Plain { start, end } => &self.text[start..end],
            Text::Unescaped => self.unescaped.as_slice(),
        }
    }

    fn next(&mut self) -> Token {
        while matches!(self.peek(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.position += 1;
        }
        self.start = self.position;
        let single = match self.peek(0) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Token::End,
            b'"' => return self.string_token(),
            b'-' | b'0'..=b'9' if !self.invalid_numbers && self.is_invalid_number() => {
                return Token::Error(c"invalid number");
            }
            b'-' | b'0'..=b'9' => return self.number_token(),
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
            return self.number_token();
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

    fn number_token(&mut self) -> Token {
        if let Some((value, len)) = simple_number(&self.text[self.position..]) {
            self.position += len;
            return Token::Number(value);
        }
        let mut end = std::ptr::null_mut();
        // SAFETY: `position` is within the text, and a NUL follows that. `strtod` sets `end` behind what it read,
        // at most to that NUL.
        let (value, len) = unsafe {
            let start = self.text.as_ptr().add(self.position).cast();
            let value = libc::strtod(start, &mut end);
            (value, end.offset_from(start))
        };
        if len == 0 {
            return Token::Error(c"invalid number");
        }
        self.position += len.unsigned_abs();
        Token::Number(value)
    }

    fn string_token(&mut self) -> Token {
        self.position += 1;
        let start = self.position;
        let mut plain = start;
        self.unescaped.clear();
        loop {
            self.position += scan::plain_len(&self.text[self.position..]);
            match self.peek(0) {
                b'"' => break,
                b'\\' => {
                    self.unescaped.extend(&self.text[plain..self.position]);
                    if let Err(problem) = self.escape() {
                        return Token::Error(problem);
                    }
                    plain = self.position;
                }
                _ => return Token::Error(c"unexpected end of string"),
            }
        }
        let end = self.position;
        self.position += 1;
        if plain == start {
            return Token::String(Text::Plain { start, end });
        }
        self.unescaped.extend(&self.text[plain..end]);
        Token::String(Text::Unescaped)
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
fn simple_number(text: &[u8]) -> Option<(f64, usize)> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let negative = text.first() == Some(&b'-');
    let mut position = usize::from(negative);
    let (mut mantissa, mut digits, mut fraction) = (0_u64, 0_usize, None::<usize>);
    loop {
        match text.get(position) {
            Some(&digit @ b'0'..=b'9') if digits < 15 => {
                mantissa = mantissa * 10 + u64::from(digit - b'0');
                digits += 1;
            }
            Some(b'.') if fraction.is_none() && digits > 0 => fraction = Some(digits),
            Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'x' | b'X') => return None,
            _ => break,
        }
        position += 1;
    }
    if digits == 0 {
        return None;
    }
    let value = mantissa as f64 / POWERS[fraction.map_or(0, |whole| digits - whole)];
    Some((if negative { -value } else { value }, position))
}
