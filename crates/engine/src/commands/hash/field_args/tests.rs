//! Fields that expire: replies as they are documented, what is told, and that no command sees a field that is due.

use crate::testing::Engine;
use moonshard_protocol::Encoding;

fn run(engine: &mut Engine, line: &str) -> String {
    engine.run(&line.split(' ').collect::<Vec<_>>()).replace("\r\n", " ").trim_end().to_owned()
}

/// Runs commands and compares their replies without line ends.
fn check(engine: &mut Engine, steps: &[(&str, &str)]) {
    for (line, expected) in steps {
        assert_eq!(run(engine, line), *expected, "{line}");
    }
}

/// An engine whose hashes are packed, and one whose hashes are tables.
fn each_form() -> [Engine; 2] {
    [512, 0].map(|entries| {
        let mut engine = Engine::listening(3);
        engine.settings.hash.entries = entries;
        engine
    })
}

#[test]
fn conditions_and_outcomes_for_each_field() {
    for mut engine in each_form() {
        check(
            &mut engine,
            &[
                ("HEXPIRE absent 10 FIELDS 2 a b", "*2 :-2 :-2"),
                ("HSET h a 1 b 2 c 3 d 4", ":4"),
                ("HPEXPIRE h 1000 NX FIELDS 1 a", "*1 :1"),
                ("HPEXPIRE h 2000 nx FIELDS 2 a b", "*2 :0 :1"),
                ("HPEXPIRE h 1500 XX FIELDS 2 b c", "*2 :1 :0"),
                ("HPEXPIRE h 1200 GT FIELDS 3 a b c", "*3 :1 :0 :0"),
                ("HPEXPIRE h 1300 LT FIELDS 3 a b c", "*3 :0 :1 :1"),
                ("HPTTL h FIELDS 5 a b c d e", "*5 :1200 :1300 :1300 :-1 :-2"),
                ("HTTL h FIELDS 2 a d", "*2 :2 :-1"),
                ("HEXPIRETIME h FIELDS 1 a", "*1 :1700000002"),
                ("HPEXPIRETIME h FIELDS 1 a", "*1 :1700000001200"),
                ("HTTL absent FIELDS 1 a", "*1 :-2"),
                ("HPERSIST h FIELDS 4 a a d e", "*4 :1 :-1 :-1 :-2"),
                ("HPERSIST absent FIELDS 1 a", "*1 :-2"),
                ("HEXPIREAT h 1700000100 FIELDS 1 a", "*1 :1"),
                ("HTTL h FIELDS 1 a", "*1 :100"),
                ("HPEXPIREAT h 1 NX FIELDS 4 a d d x", "*4 :0 :2 :-2 :-2"),
                ("HEXPIRE h 0 FIELDS 1 c", "*1 :2"),
                ("HLEN h", ":2"),
                ("HPEXPIREAT h 5 FIELDS 2 a b", "*2 :2 :2"),
                ("EXISTS h", ":0"),
            ],
        );
    }
}

#[test]
fn wrong_calls() {
    let mut engine = Engine::new(1);
    run(&mut engine, "HSET h a 1");
    run(&mut engine, "LPUSH l a");
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let misplaced = "-ERR Mandatory argument FIELDS is missing or not at the right position";
    let unequal = "-ERR The `numfields` parameter must match the number of arguments";
    let not_positive = "-ERR Number of fields must be a positive integer";
    let one_expiry = "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
    let one_condition = "-ERR Only one of FXX or FNX arguments can be specified";
    check(
        &mut engine,
        &[
            ("HEXPIRE l x FIELDS 1 a", wrong_type),
            ("HEXPIRE h x FIELDS 1 a", "-ERR value is not an integer or out of range"),
            ("HEXPIRE h -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"),
            ("HEXPIRE h 281474976710 FIELDS 1 a", "-ERR invalid expire time in 'hexpire' command"),
            ("HPEXPIREAT h 70368744177664 FIELDS 1 a", "-ERR invalid expire time in 'hpexpireat' command"),
            ("HPEXPIREAT h 70368744177663 FIELDS 1 a", "*1 :1"),
            ("HEXPIRE h 1 1 FIELDS a", misplaced),
            ("HEXPIRE h 1 NX XX FIELDS 1 a", misplaced),
            ("HEXPIRE h 1 NX FIELDS 1", unequal),
            ("HEXPIRE h 1 FIELDS 0 a", "-ERR Parameter `numFields` should be greater than 0"),
            ("HEXPIRE h 1 FIELDS x a", "-ERR Parameter `numFields` should be greater than 0"),
            ("HEXPIRE h 1 FIELDS 2 a", unequal),
            ("HEXPIRE h 1 FIELDS 1 a b", unequal),
            ("HTTL l FIELDS 1 a", wrong_type),
            ("HTTL h FIELDS 0 a", not_positive),
            ("HTTL h FIELDS 2 a", unequal),
            ("HPERSIST h FIELD 1 a", misplaced),
            ("HPERSIST h FIELDS -1 a", not_positive),
            ("HGETDEL h FIELDS 1 a b", unequal),
            ("HGETDEL l FIELDS 1 a", wrong_type),
            ("HGETEX h PXAT 1 1", misplaced),
            ("HGETEX h EX 10 FIELDS", not_positive),
            ("HGETEX h PERSIST 1 FIELDS 1 a", misplaced),
            ("HGETEX h FIELDS 9223372036854775808 a", not_positive),
            ("HGETEX h PX -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"),
            ("HSETEX l FIELDS 1 a 1", wrong_type),
            ("HSETEX h FIELDS 2 a b c", "-ERR wrong number of arguments for 'hsetex' command"),
            ("HSETEX h FIELDS 2 a b", "-ERR wrong number of arguments for 'hsetex' command"),
            ("HSETEX h FIELDS 1 a b c d", "-ERR wrong number of arguments for 'hsetex' command"),
            ("HSETEX h FIELDS 0 a b", "-ERR invalid number of fields"),
            ("HSETEX h NX FIELDS 1 a b", "-ERR unknown argument: NX"),
            ("HSETEX h FNX FXX FIELDS 1 a b", one_condition),
            ("HSETEX h EX 1 KEEPTTL FIELDS 1 a b", one_expiry),
            ("HSETEX h KEEPTTL KEEPTTL FIELDS 1 a b", one_expiry),
            ("HSETEX h FNX KEEPTTL 1 a EX", "-ERR unknown argument: 1"),
            ("HSETEX h FNX KEEPTTL PX", "-ERR wrong number of arguments for 'hsetex' command"),
            ("HSETEX h FNX PX 1 KEEPTTL EX", one_expiry),
            ("HGET h a", "$1 1"),
        ],
    );
}

#[test]
fn fields_are_read_deleted_and_set_with_a_deadline() {
    for mut engine in each_form() {
        check(
            &mut engine,
            &[
                ("HSETEX h FXX FIELDS 1 a 1", ":0"),
                ("EXISTS h", ":0"),
                ("HSETEX h FNX EX 100 FIELDS 2 a 1 b 2", ":1"),
                ("HSETEX h FNX FIELDS 2 c 3 a 4", ":0"),
                ("HSETEX h FXX FIELDS 2 c 3 a 4", ":0"),
                ("HTTL h FIELDS 3 a b c", "*3 :100 :100 :-2"),
                ("HSETEX h FXX KEEPTTL FIELDS 1 a 5", ":1"),
                ("HSETEX h PX 50000 FIELDS 1 b 6", ":1"),
                ("HTTL h FIELDS 2 a b", "*2 :100 :50"),
                ("HSETEX h FIELDS 1 b 7", ":1"),
                ("HGETEX h FIELDS 3 a b c", "*3 $1 5 $1 7 $-1"),
                ("HGETEX absent EX 5 FIELDS 2 a b", "*2 $-1 $-1"),
                ("HTTL h FIELDS 2 a b", "*2 :100 :-1"),
                ("HGETEX h EXAT 1700000020 FIELDS 2 b c", "*2 $1 7 $-1"),
                ("HGETEX h persist FIELDS 2 a b", "*2 $1 5 $1 7"),
                ("HTTL h FIELDS 2 a b", "*2 :-1 :-1"),
                ("HSETEX h EX 100 FIELDS 1 c 8", ":1"),
                ("HGETDEL h FIELDS 3 c c x", "*3 $1 8 $-1 $-1"),
                ("HGETDEL absent FIELDS 1 a", "*1 $-1"),
                ("HGETEX h PXAT 1 FIELDS 1 a", "*1 $1 5"),
                ("HKEYS h", "*1 $1 b"),
                ("HSETEX h PXAT 1 FIELDS 2 b 1 d 2", ":1"),
                ("EXISTS h", ":0"),
            ],
        );
    }
}

#[test]
fn writing_a_field_takes_its_deadline_away_and_adding_to_it_does_not() {
    for mut engine in each_form() {
        run(&mut engine, "HSETEX h EX 100 FIELDS 5 a 1 b 2 c 3 d 4 e 5");
        for line in ["HINCRBY h a 1", "HINCRBYFLOAT h b 0.5", "HSETNX h c 9", "HSET h d 4", "HMSET h e 5"] {
            run(&mut engine, line);
        }
        check(
            &mut engine,
            &[
                ("HTTL h FIELDS 5 a b c d e", "*5 :100 :100 :100 :-1 :-1"),
                ("HMGET h a b c", "*3 $1 2 $3 2.5 $1 3"),
                ("HDEL h a", ":1"),
                ("HSET h a 1", ":1"),
                ("HTTL h FIELDS 1 a", "*1 :-1"),
            ],
        );
    }
}

#[test]
fn no_command_sees_a_field_that_is_due() {
    for line_and_reply in [
        ("HGET h a", "$-1"),
        ("HMGET h a c", "*2 $-1 $1 3"),
        ("HGETALL h", "*2 $1 c $1 3"),
        ("HKEYS h", "*1 $1 c"),
        ("HVALS h", "*1 $1 3"),
        ("HLEN h", ":1"),
        ("HEXISTS h a", ":0"),
        ("HSTRLEN h b", ":0"),
        ("HSCAN h 0", "*2 $1 0 *2 $1 c $1 3"),
        ("HRANDFIELD h 5", "*1 $1 c"),
        ("HINCRBY h a 5", ":5"),
        ("HINCRBYFLOAT h a 5", "$1 5"),
        ("HSETNX h a 1", ":1"),
        ("HSET h a 1", ":1"),
        ("HDEL h a b", ":0"),
        ("HTTL h FIELDS 1 a", "*1 :-2"),
        ("HPERSIST h FIELDS 1 a", "*1 :-2"),
        ("HGETDEL h FIELDS 1 a", "*1 $-1"),
        ("HGETEX h FIELDS 1 a", "*1 $-1"),
        ("HSETEX h FXX FIELDS 1 a 1", ":0"),
        ("HSETEX h FNX FIELDS 1 a 1", ":1"),
        ("HEXPIRE h 5 FIELDS 1 a", "*1 :-2"),
        ("OBJECT ENCODING h", ""),
    ] {
        for mut engine in each_form() {
            run(&mut engine, "HSET h a 1 b 2 c 3");
            run(&mut engine, "HPEXPIRE h 10 FIELDS 2 a b");
            run(&mut engine, "HPEXPIRE h 50 FIELDS 1 c");
            engine.now_ms += 10;
            engine.told();
            let (line, expected) = line_and_reply;
            let reply = run(&mut engine, line);
            assert!(expected.is_empty() || reply == expected, "{line}: {reply}");
            assert!(engine.told().starts_with("hexpired h"), "{line}");
            assert!(engine.replayed().contains("HDEL h a b"), "{line}");
            engine.now_ms += 40;
            run(&mut engine, "HDEL h a");
            assert_eq!(run(&mut engine, "EXISTS h"), ":0", "{line}");
        }
    }
}

#[test]
fn deadlines_go_where_their_hash_goes() {
    for mut engine in each_form() {
        let before = if engine.settings.hash.entries > 0 { "$8 listpack" } else { "$9 hashtable" };
        let timed = if engine.settings.hash.entries > 0 { "$10 listpackex" } else { before };
        check(
            &mut engine,
            &[
                ("HSET h a 1 b 2", ":2"),
                ("OBJECT ENCODING h", before),
                ("HPEXPIRE h 100 FIELDS 1 a", "*1 :1"),
                ("OBJECT ENCODING h", timed),
                ("COPY h copy", ":1"),
                ("RENAME h renamed", "+OK"),
                ("MOVE copy 3", ":1"),
                ("HPTTL renamed FIELDS 2 a b", "*2 :100 :-1"),
                ("SET gone x", "+OK"),
                ("HSETEX other PX 100 FIELDS 1 a 1", ":1"),
                ("SET other x", "+OK"),
                ("HSETEX deleted PX 100 FIELDS 1 a 1", ":1"),
                ("DEL deleted", ":1"),
            ],
        );
        engine.db = 3;
        check(&mut engine, &[("HPTTL copy FIELDS 1 a", "*1 :100"), ("SWAPDB 0 3", "+OK")]);
        check(&mut engine, &[("HPTTL renamed FIELDS 1 a", "*1 :100")]);
        let noted = |engine: &Engine| -> usize {
            let databases = engine.shards.iter().flat_map(|shard| &shard.databases);
            databases.map(crate::keyspace::Database::hashes_with_deadlines).sum()
        };
        assert_eq!(noted(&engine), 2);
        engine.told();
        let due = engine.now_ms + 100;
        let expired: usize =
            engine.shards.iter_mut().map(|shard| shard.expire_cycle(due, 1000, false).expired_fields).sum();
        let mut told: Vec<String> = engine.told().split(", ").map(str::to_owned).collect();
        told.sort();
        assert_eq!((expired, told.join(", ").as_str()), (2, "hexpired copy, hexpired renamed"));
        assert_eq!(noted(&engine), 0);
        check(&mut engine, &[("HKEYS renamed", "*1 $1 b"), ("OBJECT ENCODING renamed", before)]);
    }
}

/// What is replayed is the call itself.
const SAME: &str = "the call";

#[test]
fn every_change_is_told_and_can_be_replayed() {
    let mut engine = Engine::listening(1);
    for (line, told, replayed) in [
        ("HSET h a 1 b 2 c 3", "hset h", SAME),
        ("HEXPIRE h 10 FIELDS 3 a x b", "hexpire h", "HPEXPIREAT h 1700000010000 FIELDS 2 a b"),
        ("HEXPIRE h 10 XX FIELDS 1 c", "", ""),
        ("HTTL h FIELDS 1 a", "", ""),
        ("HPERSIST h FIELDS 2 b c", "hpersist h", SAME),
        ("HPERSIST h FIELDS 1 b", "", ""),
        ("HGETEX h FIELDS 1 a", "", ""),
        ("HGETEX h PX 5 FIELDS 2 c x", "hexpire h", "HPEXPIREAT h 1700000000005 FIELDS 1 c"),
        ("HGETEX h PERSIST FIELDS 2 b c", "hpersist h", "HPERSIST h FIELDS 1 c"),
        ("HINCRBYFLOAT h a 1", "hincrbyfloat h", "HSETEX h KEEPTTL FIELDS 1 a 2"),
        ("HINCRBYFLOAT h b 1", "hincrbyfloat h", "HSET h b 3"),
        ("HSETEX h EX 1 FIELDS 1 d 4", "hset h, hexpire h", "HSETEX h PXAT 1700000001000 FIELDS 1 d 4"),
        ("HSETEX h KEEPTTL FIELDS 1 d 5", "hset h", "HSETEX h KEEPTTL FIELDS 1 d 5"),
        ("HSETEX h FNX FIELDS 1 d 5", "", ""),
        ("HSETEX h EXAT 1 FIELDS 1 d 4", "hset h, hdel h", "HDEL h d"),
        ("HGETDEL h FIELDS 2 a x", "hdel h", "HDEL h a"),
        ("HPEXPIREAT h 1 FIELDS 1 b", "hdel h", "HDEL h b"),
        ("HGETEX h EXAT 0 FIELDS 1 c", "hdel h, del h", "HDEL h c"),
        ("HSETEX h EXAT 0 FIELDS 1 c 1", "hset h, hdel h, del h", "HDEL h c"),
    ] {
        run(&mut engine, line);
        let replayed = if replayed == SAME { line } else { replayed };
        assert_eq!((engine.told().as_str(), engine.replayed().as_str()), (told, replayed), "{line}");
    }
    engine.encoding = Encoding::Resp3;
    assert_eq!(run(&mut engine, "HGETEX absent FIELDS 1 a"), "*1 _");
}
