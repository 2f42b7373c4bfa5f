//! Active expiry: keys that are due go although nobody asks for them.
//!
//! The server calls [`Shard::expire_cycle`] about every 100 ms for each shard, with the shard locked only for one
//! slice, and again at once while [`ExpireSlice::is_worthwhile`]. There is no second index of the keys that expire:
//! a slice goes on through the table where the last one stopped, so a whole round costs a look at every key. Hashes with
//! fields that expire are known by their deadlines, so due fields are found at once.

use crate::keyspace::Shard;

/// Of the expiring keys looked at, the share that is due, in percent, above which another slice pays at once.
const WORTHWHILE_PERCENT: usize = 10;
/// How much of the mean time to live one slice decides, as a divisor.
const AVERAGE_WEIGHT: u64 = 50;

/// What a slice of active expiry did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpireSlice {
    /// Keys looked at, whether they expire or not.
    pub looked_at: usize,
    /// Those of them that have an expiry.
    pub expiring: usize,
    /// Those of them that were due, and are gone.
    pub expired: usize,
    /// Fields of hashes that were due, and are gone.
    pub expired_fields: usize,
    /// Whether more fields are due.
    pub fields_left: bool,
}

impl ExpireSlice {
    /// Whether more fields are due, or so many of the keys were that another slice should follow at once.
    pub const fn is_worthwhile(&self) -> bool {
        self.fields_left || self.expired > 0 && self.expired * 100 > self.expiring * WORTHWHILE_PERCENT
    }
}

impl Shard {
    /// Looks at about `budget` keys, and deletes and tells those that are due at Unix time `now_ms` in milliseconds, and
    /// as many due fields at most; large values are dropped off the request path if `lazy`. O(budget), or O(databases)
    /// when nothing expires.
    pub fn expire_cycle(&mut self, now_ms: u64, budget: usize, lazy: bool) -> ExpireSlice {
        let mut slice = ExpireSlice::default();
        for db in 0..self.databases.len() {
            let left = budget - slice.expired_fields;
            let (expired, more) = self.expire_fields_of(db, now_ms, left, lazy);
            slice.expired_fields += expired;
            slice.fields_left |= more;
        }
        for _ in 0..self.databases.len() {
            self.expire_db %= self.databases.len();
            let db = self.expire_db;
            if self.databases[db].expiring > 0 {
                self.expire_database(db, now_ms, budget, lazy, &mut slice);
                if slice.looked_at >= budget && self.databases[db].expire_cursor != 0 {
                    break;
                }
            }
            self.expire_db += 1;
        }
        slice
    }

    /// Goes on in a database until the budget is spent or its end is reached.
    fn expire_database(
        &mut self,
        db: usize,
        now_ms: u64,
        budget: usize,
        lazy: bool,
        slice: &mut ExpireSlice,
    ) {
        let mut due: Vec<Box<[u8]>> = Vec::new();
        let (mut left_ms, mut alive) = (0u64, 0u64);
        loop {
            let database = &mut self.databases[db];
            database.expire_cursor = database.table.scan(database.expire_cursor, |entry| {
                slice.looked_at += 1;
                let Some(at) = entry.expiry_ms() else { return };
                slice.expiring += 1;
                if at <= now_ms {
                    due.push(entry.key().into());
                } else {
                    left_ms = left_ms.saturating_add(at - now_ms);
                    alive += 1;
                }
            });
            slice.expired += due.len();
            for key in due.drain(..) {
                self.expire(db, self.databases[db].table.hash(&key), &key, lazy);
            }
            let database = &mut self.databases[db];
            let done = database.expire_cursor == 0 || database.expiring == 0;
            if done {
                database.expire_cursor = 0;
            }
            if done || slice.looked_at >= budget {
                break;
            }
        }
        if let Some(mean) = left_ms.checked_div(alive) {
            let average = &mut self.databases[db].ttl_average_ms;
            *average = match *average {
                0 => mean,
                before => before / AVERAGE_WEIGHT * (AVERAGE_WEIGHT - 1) + mean / AVERAGE_WEIGHT,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Engine;

    fn engine() -> Engine {
        let engine = Engine::new(1);
        engine.shards[0].effects.audience.hear_events(true);
        engine.shards[0].effects.audience.hear_commands(true);
        engine
    }

    #[test]
    fn nothing_is_looked_at_when_no_key_expires() {
        let mut engine = engine();
        for n in 0..100 {
            engine.run(&["SET", &n.to_string(), "v"]);
        }
        assert_eq!(engine.shards[0].expire_cycle(u64::MAX, 1000, false), ExpireSlice::default());
    }

    #[test]
    fn keys_that_are_due_go_in_slices_and_are_told() {
        let mut engine = engine();
        for n in 0..600 {
            let (db, key) = (n % 3, n.to_string());
            engine.db = db * 5;
            match n % 2 {
                0 => engine.run(&["SET", &key, "v", "PX", "10"]),
                _ => engine.run(&["SET", &key, "v", "PX", "100000"]),
            };
        }
        let now_ms = engine.now_ms + 10;
        let shard = &mut engine.shards[0];
        shard.effects.take_events();
        shard.effects.commands_mut().clear();
        let (mut expired, mut slices) = (0, 0);
        while expired < 300 {
            let slice = shard.expire_cycle(now_ms, 20, false);
            assert!(slice.looked_at < 20 + 50 && slices < 200, "{slice:?}");
            assert!(slice.expired * 2 >= slice.expiring / 4, "{slice:?}");
            expired += slice.expired;
            slices += 1;
        }
        assert!(slices >= 10);
        assert_eq!((shard.len(), shard.stats.expired), (300, 300));
        let events = shard.effects.take_events();
        assert!(events.len() == 300 && events.iter().all(|event| event.name == "expired"));
        assert_eq!(shard.effects.commands_mut().len(), 300);
        for db in [0, 5, 10] {
            assert_eq!(shard.databases[db].expiring(), 100);
            assert!((90_000..100_000).contains(&shard.databases[db].ttl_average_ms()));
        }
        let rest = shard.expire_cycle(now_ms, 10_000, false);
        assert_eq!((rest.expired, rest.is_worthwhile()), (0, false));
    }

    #[test]
    fn due_fields_go_in_slices_without_a_look_at_other_keys() {
        let mut engine = engine();
        for n in 0..500 {
            engine.run(&["SET", &n.to_string(), "v"]);
        }
        for (n, count) in [(0, 3), (1, 40), (2, 1)] {
            engine.db = n * 2;
            let hash = ["h".to_owned(), n.to_string()].concat();
            for field in 0..count {
                let field = field.to_string();
                engine.run(&["HSET", &hash, &field, "v"]);
                engine.run(&[
                    "HPEXPIRE",
                    &hash,
                    if field == "2" { "99" } else { "10" },
                    "FIELDS",
                    "1",
                    &field,
                ]);
            }
        }
        engine.told();
        engine.replayed();
        let now_ms = engine.now_ms;
        let cycle = |engine: &mut Engine, after| engine.shards[0].expire_cycle(now_ms + after, 15, false);
        assert_eq!(cycle(&mut engine, 9), ExpireSlice::default());
        let slices = std::array::from_fn(|_| cycle(&mut engine, 10));
        let counts = slices.map(|slice| (slice.expired_fields, slice.fields_left, slice.looked_at));
        assert_eq!(counts, [(15, true, 0), (15, true, 0), (12, false, 0)]);
        assert!(slices[0].is_worthwhile() && !slices[2].is_worthwhile());
        assert_eq!(engine.told(), "hexpired h0, hexpired h1, hexpired h1, hexpired h1, hexpired h2, del h2");
        assert!(engine.replayed().starts_with("HDEL h0 0 1, HDEL h1 "));
        assert_eq!(engine.shards[0].stats.expired_fields, 42);
        assert_eq!(cycle(&mut engine, 98), ExpireSlice::default());
        assert_eq!(cycle(&mut engine, 99).expired_fields, 2);
        assert_eq!(engine.told(), "hexpired h0, del h0, hexpired h1, del h1");
        assert!(engine.shards[0].databases.iter().all(|database| database.hashes_with_deadlines() == 0));
        assert_eq!(engine.shards[0].len(), 500);
    }

    #[test]
    fn a_few_that_are_due_among_many_are_no_reason_to_go_on() {
        let slice = |expired| ExpireSlice { looked_at: 100, expiring: 20, expired, ..ExpireSlice::default() };
        assert!(slice(3).is_worthwhile());
        assert!(!slice(2).is_worthwhile());
        assert!(!ExpireSlice::default().is_worthwhile());
    }
}
