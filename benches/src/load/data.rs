//! What a server has to hold before the requests of a row.

/// Requests that put something into a server.
#[derive(Debug)]
pub struct Data {
    /// Its name: rows may share it.
    pub name: &'static str,
    /// How many requests it takes.
    pub amount: Amount,
    /// The words of a request, by its number.
    pub request: fn(u64) -> Vec<String>,
}

/// A number of requests.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// This many.
    Fixed(u64),
    /// This many, fewer in a quick run.
    Scaled(u64),
    /// As many as it takes to put an element there for each request of the row.
    ElementEach,
}

/// Elements that one request of [`Amount::ElementEach`] adds.
pub const ELEMENTS: u64 = 100;
/// Collections that reads choose among.
pub const COLLECTIONS: u64 = 1000;
/// Keys that spread loads choose among.
pub const SPREAD: u64 = 1_000_000;
/// Members of the sets of which intersections are made, and how many pairs there are.
pub const SET_LEN: u64 = 1000;
/// See [`SET_LEN`].
pub const SET_PAIRS: u64 = 10;

const TWENTY: u64 = 20;
const HUNDRED: u64 = 100;

/// The number as redis-benchmark writes it for `__rand_int__`.
fn padded(prefix: &str, number: u64) -> String {
    format!("{prefix}:{number:012}")
}

/// The words of a request, from a first few and more.
pub fn request<const N: usize>(first: [&str; N], more: impl Iterator<Item = String>) -> Vec<String> {
    first.into_iter().map(str::to_owned).chain(more).collect()
}

/// A value of 64 bytes.
fn value() -> String {
    "x".repeat(super::client::VALUE_LEN)
}

/// A million keys that get an expiry.
pub static EXPIRING: Data = Data {
    name: "expiring keys",
    amount: Amount::Scaled(SPREAD / HUNDRED),
    request: |at| {
        let keys = at * HUNDRED..(at + 1) * HUNDRED;
        request(["MSET"], keys.flat_map(|n| [padded("expiring", n), value()]))
    },
};

/// Elements for a list that is popped.
pub static POPPED_LIST: Data = Data {
    name: "popped list",
    amount: Amount::ElementEach,
    request: |_| request(["RPUSH", "mylist"], (0..ELEMENTS).map(|_| value())),
};

/// Members for a set that is popped.
pub static POPPED_SET: Data = Data {
    name: "popped set",
    amount: Amount::ElementEach,
    request: |at| {
        request(["SADD", "myset"], (at * ELEMENTS..(at + 1) * ELEMENTS).map(|n| padded("element", n)))
    },
};

/// A hash of a hundred thousand fields.
pub static HASH: Data = Data {
    name: "hash",
    amount: Amount::Fixed(COLLECTIONS),
    request: |at| {
        let fields = at * HUNDRED..(at + 1) * HUNDRED;
        request(["HSET", "readhash"], fields.flat_map(|n| [padded("element", n), value()]))
    },
};

/// Lists of 100 elements.
pub static LISTS: Data = Data {
    name: "lists",
    amount: Amount::Fixed(COLLECTIONS),
    request: |at| request(["RPUSH", &padded("list", at)], (0..HUNDRED).map(|_| value())),
};

/// Hashes of 20 fields.
pub static HASHES: Data = Data {
    name: "hashes",
    amount: Amount::Fixed(COLLECTIONS),
    request: |at| {
        let fields = (0..TWENTY).flat_map(|n| [format!("field:{n}"), value()]);
        request(["HSET", &padded("hash", at)], fields)
    },
};

/// Sorted sets of 1,000 members, whose scores are 0 to 999.
pub static SORTED_SETS: Data = Data {
    name: "sorted sets",
    amount: Amount::Fixed(COLLECTIONS),
    request: |at| {
        let members = (0..SET_LEN).flat_map(|n| [n.to_string(), padded("element", n)]);
        request(["ZADD", &padded("zset", at)], members)
    },
};

/// Streams of 100 entries.
pub static STREAMS: Data = Data {
    name: "streams",
    amount: Amount::Fixed(COLLECTIONS * HUNDRED),
    request: |at| {
        let id = format!("{}-1", at + 1);
        request(["XADD", &padded("stream", at % COLLECTIONS), &id, "field", &value()], std::iter::empty())
    },
};

/// Pairs of sets of 1,000 members, half of them in both.
pub static SETS: Data = Data {
    name: "sets",
    amount: Amount::Fixed(2 * SET_PAIRS),
    request: |at| {
        let (prefix, from) = if at < SET_PAIRS { ("left", 0) } else { ("right", SET_LEN / 2) };
        let members = (from..from + SET_LEN).map(|n| padded("element", n));
        request(["SADD", &padded(prefix, at % SET_PAIRS)], members)
    },
};

/// Lists of 100 numbers, in no order.
pub static NUMBERS: Data = Data {
    name: "numbers",
    amount: Amount::Fixed(COLLECTIONS),
    request: |at| {
        const STEP: u64 = 61;
        let numbers = (0..HUNDRED).map(|n| ((n * STEP + at) % HUNDRED * COLLECTIONS).to_string());
        request(["RPUSH", &padded("numbers", at)], numbers)
    },
};

/// A million hashes of five fields.
pub static SPREAD_HASHES: Data = Data {
    name: "spread hashes",
    amount: Amount::Scaled(SPREAD),
    request: |at| {
        const FIELDS: u64 = 5;
        let fields = (0..FIELDS).flat_map(|n| [format!("field:{n}"), "x".to_owned()]);
        request(["HSET", &padded("spreadhash", at)], fields)
    },
};

/// A million lists of five elements.
pub static SPREAD_LISTS: Data = Data {
    name: "spread lists",
    amount: Amount::Scaled(SPREAD),
    request: |at| {
        const LEN: u64 = 5;
        request(["RPUSH", &padded("spreadlist", at)], (0..LEN).map(|n| format!("element:{n}")))
    },
};

/// A million sorted sets of five members.
pub static SPREAD_SORTED_SETS: Data = Data {
    name: "spread sorted sets",
    amount: Amount::Scaled(SPREAD),
    request: |at| {
        const LEN: u64 = 5;
        let members = (0..LEN).flat_map(|n| [n.to_string(), format!("member:{n}")]);
        request(["ZADD", &padded("spreadzset", at)], members)
    },
};
