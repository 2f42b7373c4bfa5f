//! Keyspace notifications: what happens to keys is published, to channels named after the key and after the event.

use crate::config::NotifyClasses;
use crate::server::Server;
use moonshard_engine::effects::{Event, EventClass};
use moonshard_engine::{Exchange, Reach};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// The classes that `notify-keyspace-events` names, as far as they have an effect: none without one of `K` and `E`, or
/// without a class of events.
#[derive(Debug, Default)]
pub struct Notified(AtomicU16);

impl Notified {
    fn classes(&self) -> NotifyClasses {
        NotifyClasses::from_bits_truncate(self.0.load(Relaxed))
    }
}

const FORMS: NotifyClasses = NotifyClasses::KEYSPACE.union(NotifyClasses::KEYEVENT);

/// The class of an event in the setting; none for what is not notified.
const fn class_of(class: EventClass) -> NotifyClasses {
    match class {
        EventClass::GENERIC => NotifyClasses::GENERIC,
        EventClass::STRING => NotifyClasses::STRING,
        EventClass::LIST => NotifyClasses::LIST,
        EventClass::SET => NotifyClasses::SET,
        EventClass::HASH => NotifyClasses::HASH,
        EventClass::SORTED_SET => NotifyClasses::ZSET,
        EventClass::EXPIRED => NotifyClasses::EXPIRED,
        EventClass::EVICTED => NotifyClasses::EVICTED,
        EventClass::STREAM => NotifyClasses::STREAM,
        EventClass::NEW => NotifyClasses::NEW,
        EventClass::MISS => NotifyClasses::KEY_MISS,
        _ => NotifyClasses::empty(),
    }
}

impl Server {
    /// Takes over which events are notified. Shards note events only while somebody wants any.
    pub fn notify_as(&self, classes: NotifyClasses) {
        let has_effect = classes.intersects(FORMS) && !classes.difference(FORMS).is_empty();
        let classes = if has_effect { classes } else { NotifyClasses::empty() };
        let before = self.notified.0.swap(classes.bits(), Relaxed);
        let mut also = EventClass::empty();
        also.set(EventClass::NEW, classes.contains(NotifyClasses::NEW));
        also.set(EventClass::MISS, classes.contains(NotifyClasses::KEY_MISS));
        for cell in &self.shards {
            cell.audience.hear_also(also);
            if (before != 0) != has_effect {
                cell.audience.hear_events(has_effect);
            }
        }
    }

    /// Publishes an event, if its class is asked for.
    #[inline]
    pub(super) fn notify(&self, event: &Event) {
        let classes = self.notified.classes();
        if classes.intersects(class_of(event.class)) && !self.pubsub.is_empty() {
            self.publish_event(classes, event);
        }
    }

    #[cold]
    fn publish_event(&self, classes: NotifyClasses, event: &Event) {
        let mut digits = itoa::Buffer::new();
        let db = digits.format(event.db).as_bytes();
        let (key, name) = (&*event.key, event.name.as_bytes());
        if classes.contains(NotifyClasses::KEYSPACE) {
            self.pubsub.publish(Reach::Global, &[b"__keyspace@", db, b"__:", key].concat(), name);
        }
        if classes.contains(NotifyClasses::KEYEVENT) {
            self.pubsub.publish(Reach::Global, &[b"__keyevent@", db, b"__:", name].concat(), key);
        }
    }
}
