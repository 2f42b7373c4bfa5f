//! What random commands are made from.
//!
//! A template is a line of words. A word in capitals stands for a random argument (`KEY`, `VAL`, `INT`, ...),
//! `(a|b c|)` for one of the alternatives, and a `+` at the end of a word for one to four of it; `A:B` makes both.
//! In front stands how the replies are compared.

/// Families whose keys hold a type of their own.
pub(super) const TYPES: usize = 9;

/// What random commands are made from: one family of commands for each type of value, and those for all.
pub(super) const FAMILIES: [(&str, &[&str]); TYPES + 3] = [
    ("s", STRINGS),
    ("l", LISTS),
    ("h", HASHES),
    ("set", SETS),
    ("z", SORTED_SETS),
    ("b", BITMAPS),
    ("p", HYPERLOGLOGS),
    ("g", PLACES),
    ("x", STREAMS),
    ("any", KEYS),
    ("lex", LEXICAL),
    ("o", SORTED),
];

/// What depends on time or chance, or is Moonshard's own, by the family whose keys it uses: nobody is asked for the same
/// replies, but what is recorded of it must make the same keys.
pub(super) const UNREPEATABLE: &[(usize, &[&str])] = &[
    (
        0,
        &[
            "= set KEY VAL (px 1|ex 1000|px 1000000|)",
            "= set KEY VAL (ifeq VAL|ifne VAL|) (keepttl|get|)",
            "= getex KEY (px 1|ex 1000|)",
            "= msetex 2 KEY VAL KEY VAL (nx|xx|) (ex 1000|keepttl|px 1|)",
            "= delex KEY (ifeq VAL|ifne VAL|)",
            "= increx KEY byint INT (ex 1000|persist|px 1|)",
            "= mget KEY+",
        ],
    ),
    (1, &["= pexpire KEY 1", "= (blpop|brpop) KEY+ 0.001", "= lmove KEY KEY left right"]),
    (2, &["= hgetdel KEY fields 2 FIELD FIELD", "= hsetex KEY (fnx|fxx|) fields 1 FIELD VAL"]),
    (3, &["= spop KEY", "= spop KEY COUNT", "= pexpire KEY 1", "= sadd KEY INT+"]),
    (
        8,
        &[
            "= xadd KEY * FIELD:VAL+",
            "= xadd KEY (maxlen ~ COUNT|maxlen ~ 3 limit 4|minid ~ ID) * FIELD:VAL",
            "= xtrim KEY (maxlen ~ COUNT|minid ~ ID limit 2)",
            "= xreadgroup group GROUP CONSUMER (count 2|) (block 1|) (noack|) streams KEY (>|0)",
            "= xclaim KEY GROUP CONSUMER 0 ID+ (idle 5|idle 100000|time 1600000000000) (lastid ID|)",
            "= xautoclaim KEY GROUP CONSUMER 0 FROM",
        ],
    ),
    (9, &["= pexpire KEY (1|1000000)", "= (expireat KEY 1|expire KEY 1000 nx)", "= del KEY"]),
];

/// Fields of hashes that expire, which Redis 7.0 does not know.
pub(super) const DEADLINES: &[(usize, &[&str])] = &[(
    2,
    &[
        "= (hexpire KEY 1000|hpexpire KEY 1|hpexpire KEY 100000) (nx|xx|gt|lt|) fields 2 FIELD FIELD",
        "= hpersist KEY fields 2 FIELD FIELD",
        "= hgetex KEY (ex 1000|px 1|persist|) fields 2 FIELD FIELD",
        "= hsetex KEY (fnx|fxx|) (ex 1000|px 1|keepttl|) fields 1 FIELD VAL",
        "= hincrbyfloat KEY FIELD FLOAT",
        "= hset KEY FIELD:VAL+",
    ],
)];

const STRINGS: &[&str] = &[
    "= set KEY VAL",
    "= set KEY VAL (nx|xx|) (get|) (ex 1000|px 1000000|exat 4102444800|keepttl|)",
    "= get KEY",
    "= getex KEY (ex 1000|persist|pxat 4102444800123|)",
    "= getdel KEY",
    "= getset KEY VAL",
    "= setnx KEY VAL",
    "= setex KEY 1000 VAL",
    "= append KEY VAL",
    "= strlen KEY",
    "= getrange KEY INDEX INDEX",
    "= setrange KEY OFFSET VAL",
    "= (incr|decr) KEY",
    "= (incrby|decrby) KEY INT",
    "= incrbyfloat KEY FLOAT",
    "= mget KEY+",
    "= mset KEY:VAL+",
    "= msetnx KEY:VAL+",
    "= lcs KEY KEY (len|idx|idx withmatchlen|idx minmatchlen 2|)",
];

const LISTS: &[&str] = &[
    "= (lpush|rpush) KEY VAL+",
    "= (lpush|rpush) KEY VAL+",
    "= (lpushx|rpushx) KEY VAL+",
    "= (lpop|rpop) KEY",
    "= (lpop|rpop) KEY COUNT",
    "= llen KEY",
    "= lrange KEY INDEX INDEX",
    "= lindex KEY INDEX",
    "= lset KEY INDEX VAL",
    "= linsert KEY (before|after) VAL VAL",
    "= lrem KEY INDEX VAL",
    "= ltrim KEY INDEX INDEX",
    "= lpos KEY VAL (rank 1|rank -1|rank 2|) (count 0|count 2|) (maxlen 3|)",
    "= lmove KEY KEY (left|right) (left|right)",
    "= rpoplpush KEY KEY",
    "= lmpop N:KEY (left|right) (count 1|count 3|)",
    "= (blpop|brpop) KEY+ 0.001",
    "= blmove KEY KEY (left|right) (left|right) 0.001",
    "= blmpop 0.001 N:KEY (left|right) (count 2|)",
];

const HASHES: &[&str] = &[
    "= hset KEY FIELD:VAL+",
    "= hset KEY FIELD:VAL+",
    "= hmset KEY FIELD:VAL+",
    "= hsetnx KEY FIELD VAL",
    "= hget KEY FIELD",
    "= hmget KEY FIELD+",
    "pairs hgetall KEY",
    "unordered hkeys KEY",
    "unordered hvals KEY",
    "= hlen KEY",
    "= hstrlen KEY FIELD",
    "= hdel KEY FIELD+",
    "= hexists KEY FIELD",
    "= hincrby KEY FIELD INT",
    "= hincrbyfloat KEY FIELD FLOAT",
    "shape hrandfield KEY INDEX",
    "unordered hrandfield KEY 1000",
    "scan hscan KEY 0 count 1000",
];

const SETS: &[&str] = &[
    "= sadd KEY MEMBER+",
    "= sadd KEY MEMBER+",
    "= sadd KEY INT+",
    "= srem KEY MEMBER+",
    "unordered smembers KEY",
    "= sismember KEY MEMBER",
    "= smismember KEY MEMBER+",
    "= scard KEY",
    "= smove KEY KEY MEMBER",
    "unordered (sinter|sunion|sdiff) KEY+",
    "= (sinterstore|sunionstore|sdiffstore) KEY KEY+",
    "= sintercard N:KEY (limit 2|limit 0|)",
    "unordered spop KEY 1000",
    "shape srandmember KEY INDEX",
    "unordered srandmember KEY 1000",
    "scan sscan KEY 0 count 1000",
];

const SORTED_SETS: &[&str] = &[
    "= zadd KEY SCORE:MEMBER+",
    "= zadd KEY SCORE:MEMBER+",
    "= zadd KEY (nx|xx|gt|lt|xx gt|xx lt|) (ch|) SCORE:MEMBER+",
    "= zadd KEY (nx|xx|gt|lt|) incr SCORE MEMBER",
    "= zrem KEY MEMBER+",
    "= zscore KEY MEMBER",
    "= zmscore KEY MEMBER+",
    "= zincrby KEY SCORE MEMBER",
    "= zcard KEY",
    "= zcount KEY BOUND BOUND",
    "= (zrank|zrevrank) KEY MEMBER",
    "= zrange KEY INDEX INDEX (rev|) (withscores|)",
    "= zrange KEY BOUND BOUND byscore (rev|) (limit 1 2|limit 0 -1|) (withscores|)",
    "= (zrangebyscore|zrevrangebyscore) KEY BOUND BOUND (withscores|) (limit 1 3|)",
    "= zrevrange KEY INDEX INDEX (withscores|)",
    "= zrangestore KEY KEY INDEX INDEX (rev|)",
    "= zremrangebyrank KEY INDEX INDEX",
    "= zremrangebyscore KEY BOUND BOUND",
    "= (zpopmin|zpopmax) KEY (COUNT|)",
    "= zmpop N:KEY (min|max) (count 3|)",
    "= (zunion|zinter) N:KEY (aggregate min|aggregate max|) (withscores|)",
    "= zdiff N:KEY (withscores|)",
    "= (zunionstore|zinterstore) KEY N:KEY (aggregate min|aggregate max|)",
    "= zdiffstore KEY N:KEY",
    "= zintercard N:KEY (limit 2|)",
    "= (bzpopmin|bzpopmax) KEY 0.001",
    "shape zrandmember KEY INDEX",
    "unordered zrandmember KEY 1000",
    "scan zscan KEY 0 count 1000",
];

/// Sorted sets whose scores are all the same: with others, Redis' own answers depend on the chance in its skip list.
/// Their keys are left alone by all other commands.
const LEXICAL: &[&str] = &[
    "= zadd OWNKEY 0:MEMBER+",
    "= zadd OWNKEY 0:MEMBER+",
    "= zrem OWNKEY MEMBER+",
    "= zlexcount OWNKEY LEX LEX",
    "= zrange OWNKEY LEX LEX bylex (rev|) (limit 1 2|)",
    "= (zrangebylex|zrevrangebylex) OWNKEY LEX LEX (limit 1 2|)",
    "= zremrangebylex OWNKEY LEX LEX",
    "= zrangestore OWNKEY OWNKEY LEX LEX bylex",
    "= (zpopmin|zpopmax) OWNKEY",
    "= (zrank|zrevrank) OWNKEY MEMBER",
];

const BITMAPS: &[&str] = &[
    "= setbit KEY OFFSET (0|1)",
    "= setbit KEY OFFSET 1",
    "= getbit KEY OFFSET",
    "= bitcount KEY (INDEX INDEX|INDEX INDEX bit|INDEX INDEX byte|)",
    "= bitpos KEY (0|1) (INDEX|INDEX INDEX|INDEX INDEX bit|)",
    "= bitop (and|or|xor) KEY KEY+",
    "= bitop not KEY KEY",
    "= bitfield KEY set u8 OFFSET INT (overflow sat|overflow fail|overflow wrap|) incrby i5 OFFSET INT",
    "= bitfield KEY get u63 OFFSET set i64 #1 INT",
    "= bitfield_ro KEY get i7 OFFSET",
    "= append KEY VAL",
    "= get KEY",
];

const HYPERLOGLOGS: &[&str] = &[
    "= pfadd KEY MEMBER+",
    "= pfadd KEY INT+",
    "= pfadd KEY",
    "= pfcount KEY+",
    "= pfmerge KEY KEY+",
    "= get KEY",
];

const PLACES: &[&str] = &[
    "= geoadd KEY LON:LAT:MEMBER+",
    "= geoadd KEY (nx|xx|) (ch|) LON:LAT:MEMBER+",
    "= geodist KEY MEMBER MEMBER (m|km|ft|mi|)",
    "= geohash KEY MEMBER+",
    "= geopos KEY MEMBER+",
    "unordered geosearch KEY fromlonlat LON LAT byradius RADIUS km (withdist|withhash withcoord|)",
    "unordered geosearch KEY frommember MEMBER bybox RADIUS RADIUS km (withdist|)",
    "unordered georadius KEY LON LAT RADIUS km (withdist|withcoord|)",
    "= geosearchstore KEY KEY frommember MEMBER byradius RADIUS km (storedist|)",
    "= zrange KEY INDEX INDEX withscores",
    "= zrem KEY MEMBER",
];

const STREAMS: &[&str] = &[
    "= xadd KEY ID FIELD:VAL+",
    "= xadd KEY ID FIELD:VAL+",
    "= xadd KEY (nomkstream|) (maxlen 5|maxlen = 3|minid 2|) ID FIELD:VAL",
    "= xlen KEY",
    "= (xrange|xrevrange) KEY IDBOUND IDBOUND (count 2|)",
    "= xdel KEY ID+",
    "= xtrim KEY (maxlen|maxlen =) COUNT",
    "= xtrim KEY minid ID",
    "= xsetid KEY ID (entriesadded 50 maxdeletedid 1-1|)",
    "= xread (count 2|) streams KEY FROM",
    "= xgroup create KEY GROUP FROM (mkstream|) (entriesread 2|)",
    "= xgroup create KEY GROUP 0 mkstream",
    "= xgroup setid KEY GROUP FROM",
    "= xgroup destroy KEY GROUP",
    "= xgroup (createconsumer|delconsumer) KEY GROUP CONSUMER",
    "= xreadgroup group GROUP CONSUMER (count 2|) (noack|) streams KEY (>|0|1-1)",
    "= xreadgroup group GROUP CONSUMER streams KEY >",
    "= xack KEY GROUP ID+",
    "= xpending KEY GROUP",
    "shape xpending KEY GROUP - + 10 (CONSUMER|)",
    "= xclaim KEY GROUP CONSUMER 0 ID+ (justid|force|retrycount 3|)",
    "= xautoclaim KEY GROUP CONSUMER 0 FROM (count 3|) (justid|)",
    "= xinfo groups KEY",
    "near xinfo consumers KEY GROUP",
];

/// SORT makes a large sorted set of a small one in Redis, and changes nothing here. So these keys hold no sorted sets,
/// and are left alone by all other commands.
const SORTED: &[&str] = &[
    "= rpush OWNKEY INT+",
    "= rpush OWNKEY MEMBER+",
    "= sadd OWNKEY INT+",
    "= del OWNKEY",
    "= sort OWNKEY (alpha|) (desc|) (limit 0 3|)",
    "= sort OWNKEY alpha (desc|) store OWNKEY",
    "= sort OWNKEY by nosort get # get s0 limit 0 1000 store OWNKEY",
    "= sort_ro OWNKEY alpha",
];

const KEYS: &[&str] = &[
    "= (del|unlink|exists|touch) KEY+",
    "= type KEY",
    "= (expire|pexpire) KEY (1000000|2000000|0|-1) (nx|xx|gt|lt|)",
    "= (expireat KEY 4102444800|pexpireat KEY 4102444800500|pexpireat KEY 1)",
    "near ttl KEY",
    "near (pttl|expiretime|pexpiretime) KEY",
    "= persist KEY",
    "= rename KEY KEY",
    "= renamenx KEY KEY",
    "= copy KEY KEY (replace|)",
    "= dbsize",
    "unordered keys (*|*0|[sl]*|*t*)",
    "scan scan 0 count 1000",
    "= object encoding KEY",
    "= move KEY 1",
    "= swapdb 0 1",
];
