//! Values of every form written and read, and payloads that somebody has changed.

use crate::dump::{dump, unseal};
use crate::read::ziplist_of;
use crate::{Checksum, Error, Limits, Reader, ValueType, Writer};
use moonshard_store::{
    AddFlags, Collection, ConsumerRef, Element, End, Hash, HashLimits, List, ListLimits, Packed, Pending,
    Seed, Set, SetLimits, SortedSet, SortedSetLimits, Stream, StreamId, StreamLimits, Value, ValueRef,
};
use proptest::prelude::*;

const LIMITS: Limits = Limits {
    hash: HashLimits { entries: 8, value_len: 64 },
    list: ListLimits { max_listpack_size: -1 },
    set: SetLimits { intset_entries: 16, packed_entries: 8, packed_len: 64 },
    sorted_set: SortedSetLimits { entries_max: 8, member_max: 64 },
    seed: Seed::new(1, 2),
};

/// What [`crate::restore`] makes of a payload. Skipping ends where a value that can be read ends.
fn restore(payload: &[u8], limits: &Limits) -> Result<Value, Error> {
    let value = crate::restore(payload, limits)?;
    let (mut skipping, mut reading) = (Reader::new(unseal(payload)?), Reader::new(unseal(payload)?));
    skipping.byte()?;
    let value_type = ValueType::of(reading.byte()?).unwrap();
    reading.value(value_type, limits)?;
    skipping.skip(value_type).unwrap();
    assert_eq!(skipping.source().len(), reading.source().len());
    Ok(value)
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<i16>().prop_map(|value| value.to_string().into_bytes()),
        2 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        6 => "[a-d]{0,6}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..90),
        1 => ("[a-z]{1,30}", 1usize..200).prop_map(|(word, times)| word.repeat(times).into_bytes()),
    ]
}

fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(text(), 1..40)
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<i32>().prop_map(f64::from),
        any::<f64>().prop_filter("a score", |score| !score.is_nan()),
        prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, 0.1, 1e17, 1e300, 3.0, 4.6e18, -9.3e18]),
    ]
}

fn list_of(values: &[Vec<u8>]) -> Collection {
    let mut list = List::new();
    values.iter().for_each(|value| list.push(End::Back, value, LIMITS.list));
    Collection::List(list)
}

fn set_of(members: &[Vec<u8>]) -> Collection {
    let mut set = Set::new();
    members.iter().for_each(|member| {
        set.add(member, LIMITS.set, LIMITS.seed);
    });
    Collection::Set(set)
}

fn hash_of(pairs: &[(Vec<u8>, Vec<u8>)]) -> Collection {
    let mut hash = Hash::new();
    for (field, value) in pairs {
        hash.set(field, value, LIMITS.hash, LIMITS.seed);
    }
    Collection::Hash(hash)
}

fn sorted_set_of(members: &[(Vec<u8>, f64)]) -> Collection {
    let mut set = SortedSet::new();
    for (member, score) in members {
        set.add(member, *score, AddFlags::default(), LIMITS.sorted_set, LIMITS.seed);
    }
    Collection::SortedSet(set)
}

/// A stream of some entries, a few of them deleted, and groups that have read some.
fn stream() -> impl Strategy<Value = Collection> {
    let entries = prop::collection::vec((0u64..3, text(), text(), any::<bool>()), 0..60);
    let groups = prop::collection::vec((0usize..70, 0u8..3, prop::option::of(0u64..99)), 0..4);
    (entries, groups).prop_map(|(entries, groups)| {
        let (mut stream, mut ids) = (Stream::new(), Vec::new());
        let limits = StreamLimits { node_bytes: 300, node_entries: 20 };
        for (at, (ms, field, value, goes)) in entries.iter().enumerate() {
            let id =
                StreamId::new(ms + ids.last().map_or(0, |(id, _): &(StreamId, bool)| id.ms), at as u64 + 1);
            stream.append(id, &[field, value, b"same", b"1"], limits).unwrap();
            ids.push((id, *goes));
        }
        let deleted: Vec<StreamId> = ids.iter().filter(|(_, goes)| *goes).map(|(id, _)| *id).collect();
        stream.delete(&deleted);
        for (at, (read, consumers, entries_read)) in groups.into_iter().enumerate() {
            let read: Vec<StreamId> = ids.iter().take(read).map(|(id, _)| *id).collect();
            let last = read.last().copied().unwrap_or_default();
            let group = stream.create_group(format!("group-{at}").as_bytes(), last, entries_read).unwrap();
            let consumers: Vec<ConsumerRef> = (0..consumers)
                .map(|name| group.create_consumer(&[b'a' + name], 1000 + u64::from(name)).unwrap())
                .collect();
            for (id, consumer) in read.iter().step_by(2).zip(consumers.iter().cycle()) {
                let pending =
                    Pending { delivered_ms: id.seq + 5000, deliveries: id.seq, consumer: *consumer };
                group.assign(*id, pending);
            }
        }
        Collection::Stream(Box::new(stream))
    })
}

fn shown_stream(stream: &Stream) -> Pairs {
    let mut all = vec![(b"meta".to_vec(), format!("{:?}", stream.meta()).into_bytes())];
    for entry in stream.iter() {
        let fields: Vec<_> = entry.fields().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
        all.push((entry.id().to_string().into_bytes(), format!("{fields:?}").into_bytes()));
    }
    for (name, group) in stream.groups() {
        let pending = group.pending(StreamId::MIN, StreamId::MAX).map(|(id, pending)| {
            let name = group.consumer_name(pending.consumer).to_vec();
            (id, pending.delivered_ms, pending.deliveries, name)
        });
        let consumers = group.consumers().map(|consumer| {
            let pending: Vec<StreamId> = consumer.pending(StreamId::MIN, StreamId::MAX).collect();
            (consumer.name().to_vec(), consumer.seen_ms, pending)
        });
        let (pending, consumers): (Vec<_>, Vec<_>) = (pending.collect(), consumers.collect());
        let text = format!("{} {:?} {pending:?} {consumers:?}", group.last_id, group.entries_read);
        all.push((name.to_vec(), text.into_bytes()));
    }
    all
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::String),
        stream().prop_map(Value::Collection),
        texts().prop_map(|values| Value::Collection(list_of(&values))),
        texts().prop_map(|members| Value::Collection(set_of(&members))),
        prop::collection::vec(any::<i32>(), 1..40).prop_map(|members| {
            let members: Vec<Vec<u8>> =
                members.iter().map(|member| member.to_string().into_bytes()).collect();
            Value::Collection(set_of(&members))
        }),
        prop::collection::vec((text(), text()), 1..20).prop_map(|pairs| Value::Collection(hash_of(&pairs))),
        prop::collection::vec((text(), text(), prop::option::of(1u64..1 << 48)), 1..20).prop_map(|fields| {
            let mut hash = Hash::new();
            for (field, value, deadline) in &fields {
                hash.set(field, value, LIMITS.hash, LIMITS.seed);
                if let Some(at) = deadline {
                    hash.set_deadline(field, at - 1, LIMITS.seed);
                }
            }
            Value::Collection(Collection::Hash(hash))
        }),
        prop::collection::vec((text(), score()), 1..20)
            .prop_map(|members| Value::Collection(sorted_set_of(&members))),
    ]
}

fn view(value: &Value) -> ValueRef<'_> {
    match value {
        Value::String(bytes) => ValueRef::String(bytes),
        Value::Collection(collection) => ValueRef::Collection(collection),
    }
}

/// Names or elements, and what belongs to each.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// All that a value is, in one order.
fn shown(value: &Value) -> (&'static str, Pairs) {
    let collection = match value {
        Value::String(bytes) => return ("string", vec![(bytes.clone(), Vec::new())]),
        Value::Collection(collection) => collection,
    };
    let pair = |a: Element<'_>, b: &[u8]| (a.to_vec(), b.to_vec());
    let mut all: Vec<_> = match collection {
        Collection::List(list) => return ("list", list.iter().map(|element| pair(element, b"")).collect()),
        Collection::Set(set) => set.iter().map(|member| pair(member, b"")).collect(),
        Collection::Hash(hash) => {
            let deadline = |at: Option<u64>| at.map_or(Vec::new(), |at| format!(" until {at}").into_bytes());
            hash.iter_with_deadlines()
                .map(|(field, value, at)| pair(field, &[value.to_vec(), deadline(at)].concat()))
                .collect()
        }
        Collection::Stream(stream) => return ("stream", shown_stream(stream)),
        Collection::SortedSet(set) => {
            // A negative zero loses its sign in the small form.
            let all =
                set.iter().map(|(member, score)| (member.to_vec(), (score + 0.0).to_le_bytes().to_vec()));
            return ("zset", all.collect());
        }
    };
    all.sort();
    // Which form a hash has depends on what it held before, too.
    (if let Collection::Hash(_) = collection { "hash" } else { collection.encoding_name() }, all)
}

/// A payload with this body, whose version and checksum are right.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut payload = body.to_vec();
    payload.extend_from_slice(&11u16.to_le_bytes());
    payload.extend_from_slice(&Checksum::of(&payload).to_le_bytes());
    payload
}

fn written(value_type: u8, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(true);
    writer.byte(value_type);
    write(&mut writer);
    sealed(writer.written())
}

proptest! {
    #[test]
    fn what_is_dumped_comes_back(value in value(), compress: bool) {
        let payload = dump(view(&value), compress);
        let back = restore(&payload, &LIMITS).unwrap();
        prop_assert_eq!(shown(&back), shown(&value));
    }

    #[test]
    fn a_changed_payload_is_refused_or_is_another_value(
        value in value(),
        compress: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut body = dump(view(&value), compress);
        body.truncate(body.len() - 10);
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len() + 1));
        }
        if let Ok(value) = restore(&sealed(&body), &LIMITS) {
            // What was taken in is whole: it can be written and read again.
            let again = restore(&dump(view(&value), false), &LIMITS).unwrap();
            prop_assert_eq!(shown(&again).1, shown(&value).1);
        }
    }

    #[test]
    fn any_bytes_are_safe(body in prop::collection::vec(any::<u8>(), 0..200), value_type in 0u8..26) {
        let mut body = body;
        body.insert(0, value_type);
        let _ = restore(&sealed(&body), &LIMITS);
    }

    #[test]
    fn the_packed_forms_of_old_are_read(pairs in prop::collection::btree_map(text(), text(), 1..20)) {
        let elements: Vec<Element<'_>> =
            pairs.iter().flat_map(|(field, value)| [field, value]).map(|text| Element::Bytes(text)).collect();
        let numbered: Vec<Element<'_>> = elements.iter().map(|e| e.as_int().map_or(*e, Element::Int)).collect();
        let owned: Vec<(Vec<u8>, Vec<u8>)> = pairs.iter().map(|(a, b)| (a.clone(), b.clone())).collect();
        let flat: Vec<Vec<u8>> = elements.iter().map(|element| element.to_vec()).collect();
        let expected = shown(&Value::Collection(hash_of(&owned))).1;
        for elements in [&elements, &numbered] {
            let payload = written(13, |writer| writer.string(&ziplist_of(elements)));
            prop_assert_eq!(&shown(&restore(&payload, &LIMITS).unwrap()).1, &expected);
            let list = shown(&Value::Collection(list_of(&flat)));
            let payload = written(10, |writer| writer.string(&ziplist_of(elements)));
            prop_assert_eq!(&shown(&restore(&payload, &LIMITS).unwrap()), &list);
            let payload = written(14, |writer| {
                writer.length(2);
                writer.string(&ziplist_of(&elements[..1]));
                writer.string(&ziplist_of(&elements[1..]));
            });
            prop_assert_eq!(&shown(&restore(&payload, &LIMITS).unwrap()), &list);
        }
        let fields: Vec<Vec<u8>> = pairs.keys().cloned().collect();
        let mut packed = Packed::new();
        fields.iter().for_each(|field| packed.push_back(field));
        let payload = written(20, |writer| writer.listpack(&packed));
        prop_assert_eq!(shown(&restore(&payload, &LIMITS).unwrap()).1, shown(&Value::Collection(set_of(&fields))).1);
    }

    #[test]
    fn hashes_whose_fields_expire_in_every_form(
        fields in prop::collection::btree_map(text(), (text(), prop::option::of(1000u64..2000)), 1..20),
    ) {
        let mut hash = Hash::new();
        for (field, (value, deadline)) in &fields {
            hash.set(field, value, LIMITS.hash, LIMITS.seed);
            if let Some(at) = deadline {
                hash.set_deadline(field, *at, LIMITS.seed);
            }
        }
        let expected = shown(&Value::Collection(Collection::Hash(hash))).1;
        let early = written(22, |writer| {
            writer.length(fields.len() as u64);
            for (field, (value, deadline)) in &fields {
                writer.length(deadline.unwrap_or(0));
                writer.string(field);
                writer.string(value);
            }
        });
        let mut packed = Packed::new();
        for (field, (value, deadline)) in &fields {
            packed.push_back(field);
            packed.push_back(value);
            packed.push_back_element(Element::Int(deadline.unwrap_or(0) as i64));
        }
        let early_listpack = written(23, |writer| writer.listpack(&packed));
        let listpack = written(25, |writer| {
            writer.u64(0);
            writer.listpack(&packed);
        });
        for payload in [early, early_listpack, listpack] {
            prop_assert_eq!(&shown(&restore(&payload, &LIMITS).unwrap()).1, &expected);
        }
    }

    #[test]
    fn streams_of_the_other_versions(stream in stream()) {
        let Collection::Stream(stream) = stream else { unreachable!("a stream was made") };
        for value_type in [15, 21] {
            let payload = written(value_type, |writer| {
                let newest = value_type == 21;
                writer.length(stream.nodes().count() as u64);
                for node in stream.nodes() {
                    let master = node.master_id();
                    writer.string(&[master.ms.to_be_bytes(), master.seq.to_be_bytes()].concat());
                    let mut listpack = Vec::new();
                    node.write_listpack(&mut listpack);
                    writer.string(&listpack);
                }
                writer.length(stream.len() as u64);
                let meta = stream.meta();
                let ids = [meta.last_id, meta.first_id, meta.max_deleted_id];
                for id in &ids[..if newest { 3 } else { 1 }] {
                    writer.length(id.ms);
                    writer.length(id.seq);
                }
                if newest {
                    writer.length(meta.entries_added);
                }
                writer.length(stream.groups_len() as u64);
                for (name, group) in stream.groups() {
                    writer.string(name);
                    writer.length(group.last_id.ms);
                    writer.length(group.last_id.seq);
                    if newest {
                        writer.length(group.entries_read.unwrap_or(u64::MAX));
                    }
                    writer.length(group.pending_len() as u64);
                    for (id, pending) in group.pending(StreamId::MIN, StreamId::MAX) {
                        writer.raw(&[id.ms.to_be_bytes(), id.seq.to_be_bytes()].concat());
                        writer.u64(pending.delivered_ms);
                        writer.length(pending.deliveries);
                    }
                    writer.length(group.consumers_len() as u64);
                    for consumer in group.consumers() {
                        writer.string(consumer.name());
                        writer.u64(consumer.seen_ms);
                        if newest {
                            writer.u64(7);
                        }
                        writer.length(consumer.pending_len() as u64);
                        for id in consumer.pending(StreamId::MIN, StreamId::MAX) {
                            writer.raw(&[id.ms.to_be_bytes(), id.seq.to_be_bytes()].concat());
                        }
                    }
                }
            });
            let Value::Collection(Collection::Stream(back)) = restore(&payload, &LIMITS).unwrap() else {
                return Err(TestCaseError::fail("not a stream"));
            };
            if value_type == 21 {
                prop_assert_eq!(shown_stream(&back), shown_stream(&stream));
            } else {
                prop_assert_eq!(back.iter().count(), stream.len());
                prop_assert_eq!(back.meta().entries_added, stream.len() as u64);
                prop_assert_eq!(back.groups_len(), stream.groups_len());
            }
            let active = back.groups().flat_map(|(_, group)| group.consumers()).map(|c| (c.active_ms, c.seen_ms));
            for (active, seen) in active {
                prop_assert_eq!(active, Some(if value_type == 21 { 7 } else { seen }));
            }
        }
    }

    #[test]
    fn scores_in_every_form(members in prop::collection::btree_map(text(), score(), 1..20)) {
        let owned: Vec<(Vec<u8>, f64)> = members.iter().map(|(member, score)| (member.clone(), *score)).collect();
        let expected = shown(&Value::Collection(sorted_set_of(&owned)));
        let texts: Vec<String> = owned.iter().map(|(_, score)| format!("{score}").replace("inf", "INF")).collect();
        let elements: Vec<Element<'_>> = owned
            .iter()
            .zip(&texts)
            .flat_map(|((member, _), text)| [Element::Bytes(member), Element::Bytes(text.as_bytes())])
            .collect();
        let payload = written(12, |writer| writer.string(&ziplist_of(&elements)));
        prop_assert_eq!(&shown(&restore(&payload, &LIMITS).unwrap()), &expected);
        let payload = written(3, |writer| {
            writer.length(owned.len() as u64);
            for ((member, score), text) in owned.iter().zip(&texts) {
                writer.string(member);
                match *score {
                    f64::INFINITY => writer.byte(254),
                    f64::NEG_INFINITY => writer.byte(255),
                    _ if text.len() > 250 => {
                        let short = format!("{score:e}");
                        writer.byte(short.len() as u8);
                        writer.raw(short.as_bytes());
                    }
                    _ => {
                        writer.byte(text.len() as u8);
                        writer.raw(text.as_bytes());
                    }
                }
            }
        });
        prop_assert_eq!(&shown(&restore(&payload, &LIMITS).unwrap()), &expected);
    }
}

#[test]
fn payloads_as_redis_7_0_dumps_them() {
    for (payload, name, len) in [
        // SET k 10
        (&b"\x00\xc0\x0a\x0a\x00n\x9fWE\x0e\xaec\xbb"[..], "string", 1),
        // RPUSH k 1 -200 abc
        (&b"\x12\x01\x02\x11\x11\x00\x00\x00\x03\x00\x01\x01\xdf8\x02\x83abc\x04\xff\x0a\x00u\xc0\xee\x11\x07'\xa1\x8b"[..], "list", 3),
        // SADD k 1 2 70000
        (&b"\x0b\x14\x04\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00p\x11\x01\x00\x0a\x00\x85\xd5\xc1\x06[\x1d\xd0U"[..], "intset", 3),
        // SADD k a
        (&b"\x02\x01\x01a\x0a\x00b\x96\xe9~D\xd2\x1am"[..], "hashtable", 1),
        // HSET k f v n -5000
        (&b"\x10\x14\x14\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81n\x02\xf1x\xec\x03\xff\x0a\x00\xc6\xf8\xa7{.\xd4\x0a\xa1"[..], "hash", 2),
        // ZADD k 1 a 1.5 b 1e18 c 3.1 d inf e
        (&b"\x11@@@\x00\x00\x00\x0a\x00\x81a\x02\x01\x01\x81b\x02\x831.5\x04\x81d\x02\x923.1000000000000001\x13\x81c\x02\xf4\x00\x00d\xa7\xb3\xb6\xe0\x0d\x09\x81e\x02\x83inf\x04\xff\x0a\x00`\xdf\x8b,\xfa>O1"[..], "zset", 5),
    ] {
        let value = restore(payload, &LIMITS).unwrap();
        assert_eq!((shown(&value).0, shown(&value).1.len()), (name, len));
        assert_eq!(dump(view(&value), false), payload);
    }
}

#[test]
fn what_a_key_cannot_hold_is_refused() {
    let packed = |texts: &[&str]| {
        let mut packed = Packed::new();
        texts.iter().for_each(|text| packed.push_back(text.as_bytes()));
        packed
    };
    let no_number = f64::NAN.to_le_bytes();
    let cases: &[(&str, Vec<u8>)] = &[
        ("an empty list", written(1, |writer| writer.length(0))),
        ("an empty list of nodes", written(18, |writer| writer.length(0))),
        ("an empty hash", written(16, |writer| writer.listpack(&packed(&[])))),
        ("an odd number of elements", written(16, |writer| writer.listpack(&packed(&["a", "b", "c"])))),
        ("a field twice", written(16, |writer| writer.listpack(&packed(&["a", "1", "a", "2"])))),
        ("a deadline that is none", written(23, |writer| writer.listpack(&packed(&["a", "1", "-1"])))),
        (
            "a deadline too far",
            written(23, |writer| writer.listpack(&packed(&["a", "1", "281474976710655"]))),
        ),
        (
            "a field without a deadline",
            written(23, |writer| writer.listpack(&packed(&["a", "1", "0", "b", "2"]))),
        ),
        ("a member twice", written(20, |writer| writer.listpack(&packed(&["1", "1"])))),
        ("a member with two scores", written(17, |writer| writer.listpack(&packed(&["a", "1", "a", "2"])))),
        ("a score that is none", written(17, |writer| writer.listpack(&packed(&["a", "x"])))),
        ("a score that is no number", written(17, |writer| writer.listpack(&packed(&["a", "nan"])))),
        (
            "a binary score that is no number",
            written(5, |writer| {
                writer.length(1);
                writer.string(b"a");
                writer.raw(&no_number);
            }),
        ),
        (
            "a field twice in a large hash",
            written(4, |writer| {
                writer.length(20);
                (0..20).for_each(|at| {
                    writer.string(format!("{}", at % 19).as_bytes());
                    writer.string(b"v");
                });
            }),
        ),
        ("a node of no known kind", written(18, |writer| (0..3).for_each(|_| writer.length(1 + 2)))),
        ("a module's value", written(7, |writer| writer.length(1))),
        ("nothing", sealed(b"")),
    ];
    for (what, payload) in cases {
        let outcome = restore(payload, &LIMITS);
        assert!(
            matches!(&outcome, Err(error) if !matches!(error, Error::VersionOrChecksum)),
            "{what}: {outcome:?}"
        );
    }
    let mut late = dump(ValueRef::String(b"v"), true);
    let at = late.len() - 10;
    late[at] = 13;
    for payload in [&late[..], b"", b"123456789", &[1; 10]] {
        assert!(matches!(restore(payload, &LIMITS), Err(Error::VersionOrChecksum)), "{payload:?}");
    }
}
