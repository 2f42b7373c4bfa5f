//! SUBSCRIBE, UNSUBSCRIBE and their kin.

use super::Call;
use moonshard_engine::Error;
use moonshard_engine::command::Subscription;
use moonshard_engine::slot::slot;

/// The first element of a confirmation.
const fn word(what: Subscription, begins: bool) -> &'static [u8] {
    match (what, begins) {
        (Subscription::Channel, true) => b"subscribe",
        (Subscription::Channel, false) => b"unsubscribe",
        (Subscription::Pattern, true) => b"psubscribe",
        (Subscription::Pattern, false) => b"punsubscribe",
        (Subscription::ShardChannel, true) => b"ssubscribe",
        (Subscription::ShardChannel, false) => b"sunsubscribe",
    }
}

impl Call<'_, '_> {
    pub(super) fn subscribe(&mut self, what: Subscription) -> Result<(), Error> {
        if what == Subscription::ShardChannel && self.held.is_some() {
            return Err(Error::fixed("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
        }
        self.check_slots(what)?;
        for &name in self.args.from(1) {
            let session = &mut *self.session;
            session.subscriptions.add(&self.server.pubsub, &session.client, what, name);
            session.note_listening();
            self.confirm(what, true, Some(name));
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, what: Subscription) -> Result<(), Error> {
        self.check_slots(what)?;
        if self.args.len() == 1 {
            let names = self.session.subscriptions.names(what);
            if names.is_empty() {
                self.confirm(what, false, None);
            }
            for name in names {
                self.unsubscribe_from(what, &name);
            }
        } else {
            for &name in self.args.from(1) {
                self.unsubscribe_from(what, name);
            }
        }
        Ok(())
    }

    fn unsubscribe_from(&mut self, what: Subscription, name: &[u8]) {
        let session = &mut *self.session;
        session.subscriptions.remove(&self.server.pubsub, &session.client, what, name);
        // No message comes after the confirmation.
        session.client.take_pushes(self.reply.buffer_mut());
        session.note_listening();
        self.confirm(what, false, Some(name));
    }

    /// In a cluster, channels of different slots cannot be named together.
    fn check_slots(&self, what: Subscription) -> Result<(), Error> {
        let of_slots = self.engine.cluster && what == Subscription::ShardChannel;
        let differ = |pair: &[&[u8]]| slot(pair[0]) != slot(pair[1]);
        if of_slots && self.args.from(1).windows(2).any(differ) { Err(Error::CROSS_SLOT) } else { Ok(()) }
    }

    /// Confirms a subscription or its end, even to a client that wants no replies.
    fn confirm(&mut self, what: Subscription, begins: bool, name: Option<&[u8]>) {
        let reply = &mut *self.reply;
        let encoding = reply.encoding();
        reply.set_encoding(self.session.protocol);
        reply.push(3);
        reply.bulk(word(what, begins));
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.count(self.session.subscriptions.count(what));
        reply.set_encoding(encoding);
    }
}
