//! `cjson.decode`.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

use super::cursor::Cursor;
use super::sizes::Sizes;
use super::{ARRAY_MT_UPVALUE, KEY_TEXTS_UPVALUE, KEYS_UPVALUE, Settings, settings};
use crate::key_cache::KeyCache;
use crate::lua_stack::{LuaStack, SpillVec};
use crate::patience::Patience;

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
    // SAFETY: the upvalue is the userdata that `push_cache` made, which the closure keeps alive; finalizers that run in
    // between may use it too, but no reference to it lives as long.
    let keys = unsafe { ffi::lua_touserdata(stack.state(), KEYS_UPVALUE) }.cast::<KeyCache>();
    let lexer = Lexer {
        text,
        // SAFETY: a NUL follows the strings of Lua's.
        cursor: unsafe { Cursor::new(text) },
        start: 0,
        invalid_numbers: settings.decode_invalid_numbers,
        unescaped: SpillVec::new(stack),
    };
    let (open, sizes, patience) = (SpillVec::new(stack), Sizes::default(), Patience::new());
    Decoder { stack, keys, lexer, settings, open, patience, sizes }.run();
    1
}

/// What is around a value: the whole text, or an array or object whose end was not read yet. Its table is on the Lua
/// stack, an object's last key above it.
#[derive(Clone, Copy)]
enum Around {
    Text,
    Array { len: c_int },
    Object,
}

/// Leaves by raising where the text is not the JSON that `decode` reads.
struct Decoder<'t> {
    stack: LuaStack,
    keys: *mut KeyCache,
    lexer: Lexer<'t>,
    settings: Settings,
    /// What is around the innermost array or object, from outside.
    open: SpillVec<Around, 32>,
    patience: Patience,
    sizes: Sizes,
}

impl Decoder<'_> {
    /// Pushes the value of the whole text. A loop, for a text may nest deeper than a thread's stack can follow.
    fn run(&mut self) {
        let mut around = Around::Text;
        loop {
            if let Some(begun) = self.value() {
                self.open.push(around);
                around = begun;
                continue;
            }
            loop {
                let ended = match &mut around {
                    Around::Text => return self.end(),
                    Around::Array { len } => {
                        *len += 1;
                        self.stack.raw_set_element(*len);
                        self.ends(b']', c"comma or array end")
                    }
                    Around::Object => {
                        self.stack.raw_set();
                        let ended = self.ends(b'}', c"comma or object end");
                        if !ended {
                            self.key();
                        }
                        ended
                    }
                };
                if !ended {
                    break;
                }
                around = self.open.take_last().unwrap_or(Around::Text);
            }
        }
    }

    /// Pushes the next value. Of a container that is not empty, only its table (and first key) is pushed; its first value
    /// comes next.
    #[inline(always)]
    fn value(&mut self) -> Option<Around> {
        self.patience.spend(self.stack, 1);
        match self.lexer.cursor.skip_space() {
            b'"' => match self.lexer.string() {
                Ok(text) => self.stack.push_bytes(self.lexer.bytes(text)),
                Err(problem) => self.expected(c"value", Token::Error(problem)),
            },
            b'{' => return self.begin_object(),
            b'[' => return self.begin_array(),
            b'-' | b'0'..=b'9' if self.lexer.invalid_numbers => match self.lexer.number() {
                Some(value) => self.stack.push_number(value),
                None => self.expected(c"value", INVALID_NUMBER),
            },
            _ => self.other_value(),
        }
        None
    }

    /// Pushes the value of a token that is more than a byte and no string.
    #[inline(never)]
    fn other_value(&mut self) {
        match self.lexer.next() {
            Token::Number(value) => self.stack.push_number(value),
            Token::Boolean(value) => self.stack.push_boolean(value),
            Token::Null => self.stack.push_null(),
            other => self.expected(c"value", other),
        }
    }

    #[inline]
    fn begin_object(&mut self) -> Option<Around> {
        let pairs = self.descend(3);
        self.stack.push_table(0, pairs);
        if self.lexer.cursor.skip_space() == b'}' {
            self.lexer.cursor.step();
            return None;
        }
        self.key();
        Some(Around::Object)
    }

    #[inline]
    fn begin_array(&mut self) -> Option<Around> {
        let elements = self.descend(2);
        self.stack.push_table(elements, 0);
        if self.settings.array_mt {
            self.mark_array();
        }
        if self.lexer.cursor.skip_space() == b']' {
            self.lexer.cursor.step();
            return None;
        }
        Some(Around::Array { len: 0 })
    }

    /// Whether a container ends, or goes on behind a comma.
    #[inline(always)]
    fn ends(&mut self, end: u8, wanted: &'static CStr) -> bool {
        let byte = self.lexer.cursor.skip_space();
        if byte != b',' && byte != end {
            self.unexpected(wanted);
        }
        self.lexer.cursor.step();
        byte == end
    }

    /// Pushes the next key, and goes behind its colon.
    #[inline]
    fn key(&mut self) {
        if self.lexer.cursor.skip_space() != b'"' {
            self.unexpected(c"object key string");
        }
        match self.lexer.string() {
            // SAFETY: the cache and the table are those of the state, and `descend` reserved slots.
            Ok(text) => unsafe {
                KeyCache::push(self.keys, self.stack, KEY_TEXTS_UPVALUE, self.lexer.bytes(text))
            },
            Err(problem) => self.expected(c"object key string", Token::Error(problem)),
        }
        if self.lexer.cursor.skip_space() != b':' {
            self.unexpected(c"colon");
        }
        self.lexer.cursor.step();
    }

    /// Goes behind the first byte of a container. Returns how many elements it has.
    fn descend(&mut self, slots: c_int) -> c_int {
        let elements = self.sizes.next(self.lexer.cursor.rest());
        self.lexer.cursor.step();
        let depth = self.open.len() as c_int + 1;
        if depth > self.settings.decode_max_depth || !self.stack.reserve(slots) {
            self.too_deep(depth);
        }
        elements
    }

    fn mark_array(&self) {
        let state = self.stack.state();
        // SAFETY: a table is on top, `descend` reserved a slot, and the upvalue is a table.
        unsafe {
            ffi::lua_pushvalue(state, ARRAY_MT_UPVALUE);
            ffi::lua_setmetatable(state, -2);
        }
    }

    fn end(&mut self) {
        if self.lexer.cursor.skip_space() != 0 {
            self.unexpected(c"the end");
        }
    }

    /// Raises that another token than this one comes next.
    #[cold]
    #[inline(never)]
    fn unexpected(&mut self, wanted: &'static CStr) -> ! {
        let found = self.lexer.next();
        self.expected(wanted, found)
    }

    #[cold]
    #[inline(never)]
    fn expected(&self, wanted: &'static CStr, found: Token) -> ! {
        let (found, offset) = match found {
            Token::Error(text) => (text, self.lexer.position()),
            other => (other.name(), self.lexer.start),
        };
        let (format, character) = (c"Expected %s but found %s at character %d".as_ptr(), offset as c_int + 1);
        // SAFETY: the format takes what is passed, and no frame on the way owns anything.
        unsafe { ffi::luaL_error(self.stack.state(), format, wanted.as_ptr(), found.as_ptr(), character) };
        unreachable!("luaL_error does not return")
    }

    /// Arrays and objects are nested deeper than the setting or the Lua stack allows.
    #[cold]
    #[inline(never)]
    fn too_deep(&self, depth: c_int) -> ! {
        let (format, offset) =
            (c"Found too many nested data structures (%d) at character %d".as_ptr(), self.lexer.position());
        // SAFETY: as in `expected`.
        unsafe { ffi::luaL_error(self.stack.state(), format, depth, offset as c_int) };
        unreachable!("luaL_error does not return")
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

/// The bytes of a string, until the next one is read.
#[derive(Clone, Copy)]
enum Text<'t> {
    /// In the text itself, for it had no escapes.
    Plain(&'t [u8]),
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
    /// At the first byte that was not read; after an error, at the byte it is about.
    cursor: Cursor<'t>,
    /// Where the last token began, if it was read as one.
    start: usize,
    invalid_numbers: bool,
    unescaped: SpillVec<u8, 512>,
}

impl<'t> Lexer<'t> {
    fn position(&self) -> usize {
        self.text.len() - self.cursor.rest().len()
    }

    /// The byte so far ahead of the position, NUL behind the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.cursor.rest().get(ahead).copied().unwrap_or(0)
    }

    /// The bytes of the string that was read last.
    #[inline(always)]
    fn bytes<'a>(&'a self, text: Text<'a>) -> &'a [u8] {
        match text {
            Text::Plain(text) => text,
            Text::Unescaped => self.unescaped.as_slice(),
        }
    }

    /// The next token, whatever it is.
    #[inline(never)]
    fn next(&mut self) -> Token {
        let first = self.cursor.skip_space();
        self.start = self.position();
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
        self.cursor.step();
        single
    }

    fn word_token(&mut self) -> Token {
        let words: [(&[u8], Token); 3] =
            [(b"true", Token::Boolean(true)), (b"false", Token::Boolean(false)), (b"null", Token::Null)];
        let rest = self.cursor.rest();
        for (word, token) in words {
            if rest.starts_with(word) {
                self.cursor.skip(word.len());
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
        let start = self.cursor;
        let value = simple_number(&mut self.cursor);
        if value.is_some() {
            return value;
        }
        self.cursor = start;
        self.any_number()
    }

    /// Reads what C takes for a number.
    #[inline(never)]
    fn any_number(&mut self) -> Option<f64> {
        let mut end = std::ptr::null_mut();
        // SAFETY: a NUL follows the text. `strtod` sets `end` behind what it read, at most to that NUL.
        let (value, len) = unsafe {
            let start = self.cursor.rest().as_ptr().cast();
            let value = libc::strtod(start, &mut end);
            (value, end.offset_from(start))
        };
        self.cursor.skip(len.unsigned_abs());
        (len != 0).then_some(value)
    }

    /// Reads the string at whose first quote the position is. After an error the position is where it is.
    #[inline(always)]
    fn string(&mut self) -> Result<Text<'t>, &'static CStr> {
        self.cursor.step();
        let plain = self.cursor.skip_plain();
        if self.cursor.byte() != b'"' {
            return self.unusual_string(plain);
        }
        self.cursor.step();
        Ok(Text::Plain(plain))
    }

    /// Reads the rest of a string that begins with these bytes, from the first on that does not stand for itself.
    #[inline(never)]
    fn unusual_string(&mut self, mut plain: &'t [u8]) -> Result<Text<'t>, &'static CStr> {
        self.unescaped.clear();
        loop {
            self.unescaped.extend(plain);
            match self.cursor.byte() {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return Err(c"unexpected end of string"),
            }
            plain = self.cursor.skip_plain();
        }
        self.cursor.step();
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
        self.cursor.skip(2);
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
        self.cursor.skip(len);
        Some(())
    }

    fn hex4(&self, ahead: usize) -> Option<u32> {
        (ahead..ahead + 4).try_fold(0, |code, at| {
            let digit = char::from(self.peek(at)).to_digit(16)?;
            Some(code << 4 | digit)
        })
    }
}

/// Reads a decimal number of up to 15 digits, with or without a fraction. Such a number is exact, or one correctly
/// rounded division away from it; for all others, and all that C reads beyond JSON, there is `strtod`.
#[inline(always)]
fn simple_number(cursor: &mut Cursor<'_>) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    const DIGITS_MAX: usize = 15;
    let mut here = *cursor;
    let negative = here.byte() == b'-';
    if negative {
        here.step();
    }
    let mut mantissa = 0;
    let whole = here.skip_digits(&mut mantissa);
    let mut fraction = 0;
    if here.byte() == b'.' {
        here.step();
        fraction = here.skip_digits(&mut mantissa);
    }
    if whole == 0 || whole + fraction > DIGITS_MAX || matches!(here.byte(), b'e' | b'E' | b'x' | b'X' | b'.')
    {
        return None;
    }
    *cursor = here;
    let value = mantissa as i64 as f64;
    let value = if fraction == 0 { value } else { value / POWERS[fraction] };
    Some(if negative { -value } else { value })
}
