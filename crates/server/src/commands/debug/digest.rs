//! DEBUG DIGEST: a number for the content of the server, the same as in Redis. What has no order is combined by
//! exclusive or, what has one by hashing on.

use moonshard_engine::keyspace::Shard;
use moonshard_protocol::number::format_double;
use moonshard_store::{Collection, Element, Entry, ValueRef};
use sha1::{Digest as _, Sha1};
use std::fmt::Write;

/// A digest, of zeros where nothing was added.
pub(super) type Digest = [u8; 20];

/// In hexadecimal digits.
pub(super) fn hex(digest: Digest) -> String {
    digest.iter().fold(String::with_capacity(40), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Adds something without regard to order.
fn join(digest: &mut Digest, bytes: &[u8]) {
    let hash = Sha1::digest(bytes);
    digest.iter_mut().zip(hash).for_each(|(to, byte)| *to ^= byte);
}

/// Adds something with regard to order.
fn mix(digest: &mut Digest, bytes: &[u8]) {
    join(digest, bytes);
    *digest = Sha1::digest(*digest).into();
}

/// The bytes of an element, made in `memory` where it is a number.
fn bytes<'a>(element: Element<'a>, memory: &'a mut itoa::Buffer) -> &'a [u8] {
    match element {
        Element::Int(value) => memory.format(value).as_bytes(),
        Element::Bytes(bytes) => bytes,
    }
}

/// Adds an entry's value and expiry.
pub(super) fn mix_entry(digest: &mut Digest, entry: &Entry) {
    let mut memory = itoa::Buffer::new();
    let kind: u32 = match entry.value() {
        ValueRef::String(_) => 0,
        ValueRef::Collection(Collection::List(_)) => 1,
        ValueRef::Collection(Collection::Set(_)) => 2,
        ValueRef::Collection(Collection::SortedSet(_)) => 3,
        ValueRef::Collection(Collection::Hash(_)) => 4,
        ValueRef::Collection(Collection::Stream(_)) => 6,
    };
    mix(digest, &kind.to_be_bytes());
    match entry.value() {
        ValueRef::String(text) => mix(digest, text),
        ValueRef::Collection(Collection::List(list)) => {
            list.iter().for_each(|element| mix(digest, bytes(element, &mut memory)));
        }
        ValueRef::Collection(Collection::Set(set)) => {
            set.iter().for_each(|member| join(digest, bytes(member, &mut memory)));
        }
        ValueRef::Collection(Collection::SortedSet(sorted_set)) => {
            for (member, score) in sorted_set.iter() {
                let mut element = Digest::default();
                mix(&mut element, member);
                let mut text = Vec::new();
                format_double(score, &mut text);
                mix(&mut element, &text);
                join(digest, &element);
            }
        }
        ValueRef::Collection(Collection::Hash(hash)) => {
            for (field, value) in hash.iter() {
                let mut element = Digest::default();
                mix(&mut element, bytes(field, &mut memory));
                mix(&mut element, bytes(value, &mut memory));
                join(digest, &element);
            }
        }
        ValueRef::Collection(Collection::Stream(stream)) => {
            for entry in stream.iter() {
                let id = entry.id();
                mix(digest, format!("{}.{}", id.ms, id.seq).as_bytes());
                for (field, value) in entry.fields() {
                    mix(digest, bytes(field, &mut memory));
                    mix(digest, bytes(value, &mut memory));
                }
            }
        }
    }
    if entry.expiry_ms().is_some() {
        join(digest, b"!!expire!!");
    }
}

/// The digest of everything in the shards.
pub(super) fn of_all<'a>(shards: impl Iterator<Item = &'a Shard>) -> Digest {
    let shards: Vec<&Shard> = shards.collect();
    let databases = shards.iter().map(|shard| shard.databases.len()).max().unwrap_or(0);
    let mut all = Digest::default();
    for number in 0..databases {
        let parts = || shards.iter().filter_map(|shard| shard.databases.get(number));
        if parts().all(|database| database.is_empty()) {
            continue;
        }
        mix(&mut all, &(number as u32).to_be_bytes());
        for entry in parts().flat_map(|database| database.table().iter()) {
            let mut digest = Digest::default();
            mix(&mut digest, entry.key());
            mix_entry(&mut digest, entry);
            join(&mut all, &digest);
        }
    }
    all
}
