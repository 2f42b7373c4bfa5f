//! The rows of scripts and functions.

use super::data::{Amount, COLLECTIONS, Data, request};

/// A call of a script or a function.
#[derive(Debug)]
pub struct Script {
    /// The name of its row.
    pub name: &'static str,
    /// What a reader calls it.
    pub label: &'static str,
    /// How it is called.
    pub call: Call,
    /// Its key, with a random number in it.
    pub key: &'static str,
    /// Its arguments; `__value__` stands for a value of 64 bytes.
    pub args: &'static [&'static str],
    /// How many random numbers there are.
    pub keys: u64,
    /// What is there before, besides the keys of redis-benchmark's own tests.
    pub data: Option<&'static Data>,
    /// Requests of a round.
    pub requests: u64,
    /// Most CPU time a request, as a multiple of redis-server's.
    pub cpu_max: f64,
}

/// How a script is called.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// By the SHA1 of this text.
    Sha(&'static str),
    /// By this text.
    Text(&'static str),
    /// As this function of this library.
    Function(&'static str, &'static str),
}

const KEYS: u64 = 1_000_000;

impl Script {
    /// A script with one key out of a million and one value.
    const fn of_key(
        name: &'static str,
        label: &'static str,
        call: Call,
        requests: u64,
        cpu_max: f64,
    ) -> Self {
        Self {
            name,
            label,
            call,
            key: "key:__rand_int__",
            args: &["__value__"],
            keys: KEYS,
            data: None,
            requests,
            cpu_max,
        }
    }

    /// A script with one key out of a thousand, and this data there.
    const fn of_data(
        name: &'static str,
        label: &'static str,
        script: &'static str,
        data: &'static Data,
        key: &'static str,
    ) -> Self {
        Self {
            key,
            args: &[],
            keys: COLLECTIONS,
            data: Some(data),
            ..Self::of_key(name, label, Call::Sha(script), 60_000, 0.45)
        }
    }
}

const GET_AND_SET: &str =
    "local old = redis.call('GET', KEYS[1]); redis.call('SET', KEYS[1], ARGV[1]); return old";
const ADDITIONS: &str =
    "local sum = 0; for i = 1, 1000 do sum = sum + i end; return redis.call('SET', KEYS[1], sum)";
const FORMATS: &str = "local parts = {}; for i = 1, 100 do parts[i] = string.format('%d:%s', i, ARGV[1]) end; \
                       return #table.concat(parts, ',')";
const LIBRARY: &str = "#!lua name=load\n\
    redis.register_function('load_swap', function(keys, args)\n\
      local old = redis.call('GET', keys[1])\n\
      redis.call('SET', keys[1], args[1])\n\
      return old\n\
    end)\n";
const CALLS: &str = "for i = 1, 5 do redis.call('SET', KEYS[1], ARGV[1]); redis.call('GET', KEYS[1]); \
                     redis.call('STRLEN', KEYS[1]); redis.call('EXISTS', KEYS[1]) end";
const JSON: &str = "local doc = cjson.decode(redis.call('GET', KEYS[1])); doc.visits = doc.visits + 1; \
                    doc.tags[1] = 'changed'; redis.call('SET', KEYS[1], cjson.encode(doc))";
const MESSAGE_PACK: &str = "local doc = cmsgpack.unpack(redis.call('GET', KEYS[1])); \
                            doc.visits = doc.visits + 1; doc.tags[1] = 'changed'; \
                            redis.call('SET', KEYS[1], cmsgpack.pack(doc))";
const LIMITER: &str = "local time = redis.call('TIME'); local now = time[1] * 1000000 + time[2]; \
                       redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1]); \
                       if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end; \
                       redis.call('ZADD', KEYS[1], now, string.format('%.0f', now)); \
                       redis.call('PEXPIRE', KEYS[1], ARGV[1] / 1000); return 1";
/// A text of a kilobyte, most of it a comment, as texts of scripts have it.
const LONG: &str = "-- Takes a value over, and answers the one that was there before, or false.\n\
    -- A value longer than the limit is refused: whoever calls this has made a mistake, and a value of this\n\
    -- length would be in the way of others. The limit is far above what is ever sent by those who do not.\n\
    -- KEYS[1] is the key under which the value is kept, and ARGV[1] is the value, of any bytes.\n\
    local LIMIT = 100000\n\
    local function is_too_long(value)\n\
      return #value > LIMIT\n\
    end\n\
    -- What was there before is answered as it was. It may be missing, which is no error: then the answer is nil,\n\
    -- as it is for a reader of a key that is not there. Whoever wants to know whether the key was there asks.\n\
    local function swap(key, value)\n\
      local old = redis.call('GET', key)\n\
      redis.call('SET', key, value)\n\
      return old\n\
    end\n\
    -- The value is looked at before anything is changed, so that a mistake has no consequences at all.\n\
    if is_too_long(ARGV[1]) then\n\
      return redis.error_reply('the value is too long')\n\
    end\n\
    return swap(KEYS[1], ARGV[1])\n";

/// A document of a kilobyte: texts, numbers, a list of words, and fields within fields.
fn document(number: u64) -> String {
    let words: Vec<String> = (0..16).map(|n| format!("\"word-{n:02}\"")).collect();
    let counts: Vec<String> = (0..20).map(|n| format!("\"count{n:02}\":{}", n * number)).collect();
    format!(
        "{{\"id\":{number},\"visits\":0,\"name\":\"{}\",\"active\":true,\"score\":0.5,\"tags\":[{}],\"counts\":{{{}}},\
         \"address\":{{\"street\":\"{}\",\"city\":\"Springfield\",\"zip\":\"12345\"}},\"text\":\"{}\"}}",
        "n".repeat(24),
        words.join(","),
        counts.join(","),
        "s".repeat(30),
        "t".repeat(420),
    )
}

static JSON_DOCUMENTS: Data = Data {
    name: "JSON documents",
    amount: Amount::Fixed(COLLECTIONS),
    request: |at| request(["SET", &format!("json:{at:012}"), &document(at)], std::iter::empty()),
};

static MESSAGE_PACK_DOCUMENTS: Data = Data {
    name: "MessagePack documents",
    amount: Amount::Fixed(COLLECTIONS),
    request: |at| {
        let pack = "redis.call('SET', KEYS[1], cmsgpack.pack(cjson.decode(ARGV[1])))";
        request(["EVAL", pack, "1", &format!("packed:{at:012}"), &document(at)], std::iter::empty())
    },
};

/// The scripts of the base group.
pub static BASE: [Script; 3] = [
    Script::of_key("script-get-set", "EVALSHA: GET and SET", Call::Sha(GET_AND_SET), 500_000, 0.50),
    Script::of_key("script-additions", "EVALSHA: 1,000 additions, SET", Call::Sha(ADDITIONS), 150_000, 0.40),
    Script::of_key("script-formats", "EVALSHA: 100 formats, concat", Call::Sha(FORMATS), 80_000, 0.30),
];

/// The group of scripts.
pub static SCRIPTS: [Script; 6] = [
    Script::of_key("fcall-p16", "FCALL: GET and SET", Call::Function(LIBRARY, "load_swap"), 500_000, 0.55),
    Script::of_key("calls-p16", "EVALSHA: 20 calls", Call::Sha(CALLS), 150_000, 0.55),
    Script::of_data("cjson-p16", "EVALSHA: cjson, 1 KB", JSON, &JSON_DOCUMENTS, "json:__rand_int__"),
    Script::of_data(
        "cmsgpack-p16",
        "EVALSHA: cmsgpack, 1 KB",
        MESSAGE_PACK,
        &MESSAGE_PACK_DOCUMENTS,
        "packed:__rand_int__",
    ),
    Script {
        key: "limit:__rand_int__",
        // Microseconds of the window, and how many it lets pass.
        args: &["100000", "100"],
        keys: COLLECTIONS,
        ..Script::of_key("limiter-p16", "EVALSHA: sliding window", Call::Sha(LIMITER), 200_000, 0.60)
    },
    Script::of_key("eval-p16", "EVAL of 1 KB", Call::Text(LONG), 300_000, 0.50),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_documents_are_about_a_kilobyte() {
        assert!((950..1100).contains(&LONG.len()), "{}", LONG.len());
        for number in [0, 999] {
            assert!((1000..1200).contains(&document(number).len()), "{}", document(number).len());
        }
    }
}
