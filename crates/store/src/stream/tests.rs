use proptest::prelude::*;

use super::*;

const TINY: StreamLimits = StreamLimits { node_bytes: 90, node_entries: 5 };

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
type Model = Vec<(StreamId, Pairs)>;

fn texts(entry: &StreamEntry<'_>) -> (StreamId, Pairs) {
    assert_eq!(entry.len(), entry.fields().len());
    (entry.id(), entry.fields().map(|(field, value)| (field.to_vec(), value.to_vec())).collect())
}

fn flat(pairs: &Pairs) -> Vec<&[u8]> {
    pairs.iter().flat_map(|(field, value)| [&field[..], &value[..]]).collect()
}

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

/// A stream of `len` entries `<n>-0` with one field, five in a node.
fn numbered(len: u64) -> Stream {
    let mut stream = Stream::new();
    for n in 1..=len {
        let limits = StreamLimits { node_bytes: 0, node_entries: 5 };
        stream.append(id(n, 0), &[b"f", n.to_string().as_bytes()], limits).unwrap();
    }
    stream
}

fn ids(stream: &Stream) -> Vec<u64> {
    stream.iter().map(|entry| entry.id().ms).collect()
}

fn trim(to: TrimTo, approximate: bool, limit: u64) -> Trim {
    Trim { to, approximate, limit }
}

#[derive(Clone, Debug)]
enum Step {
    Append(u8, Pairs),
    Delete(Vec<u8>),
    Trim { by_len: bool, at: u8, approximate: bool, limit: u64 },
    Range(u8, u8),
    Reread,
}

fn pairs() -> impl Strategy<Value = Pairs> {
    let field = prop::sample::select(vec![&b"a"[..], b"bb", b"7", b""]).prop_map(<[u8]>::to_vec);
    let value = prop_oneof![
        3 => (-200i64..9000).prop_map(|n| n.to_string().into_bytes()),
        2 => prop::collection::vec(any::<u8>(), 0..70),
        1 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
    ];
    prop_oneof![
        4 => value.clone().prop_map(|value| vec![(b"temperature".to_vec(), value)]),
        1 => prop::collection::vec((field, value), 1..4),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0u8..4, pairs()).prop_map(|(gap, pairs)| Step::Append(gap, pairs)),
        4 => prop::collection::vec(any::<u8>(), 1..5).prop_map(Step::Delete),
        1 => (any::<bool>(), any::<u8>(), any::<bool>(), 0u64..9)
            .prop_map(|(by_len, at, approximate, limit)| Step::Trim { by_len, at, approximate, limit }),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(first, last)| Step::Range(first, last)),
        1 => Just(Step::Reread),
    ]
}

/// The id that a byte stands for: around those that are there.
fn picked(model: &Model, at: u8) -> StreamId {
    let Some(index) = usize::from(at).checked_rem(model.len() + 2) else { return StreamId::MIN };
    match model.get(index.saturating_sub(1)) {
        Some((found, _)) if at.is_multiple_of(3) => found.successor().unwrap_or(*found),
        Some((found, _)) if at % 3 == 1 => found.predecessor().unwrap_or(*found),
        Some((found, _)) => *found,
        None => StreamId::MAX,
    }
}

/// Through the form of a dump and back.
fn reread(stream: &Stream) -> Stream {
    let nodes = stream.nodes().map(|node| {
        let mut bytes = Vec::new();
        node.write_listpack(&mut bytes);
        assert_eq!(bytes.len(), node.listpack_len());
        assert_eq!(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize, bytes.len());
        assert_eq!(usize::from(u16::from_le_bytes([bytes[4], bytes[5]])), node.listpack_elements());
        StreamNode::from_listpack(node.master_id(), &bytes[6..bytes.len() - 1]).unwrap()
    });
    Stream::from_nodes(nodes, *stream.meta()).unwrap()
}

fn check(stream: &Stream, model: &Model) {
    assert_eq!(stream.len(), model.len());
    assert_eq!(&stream.iter().map(|entry| texts(&entry)).collect::<Model>(), model);
    let mut back: Model =
        stream.range(StreamId::MIN, StreamId::MAX, Direction::Backward).map(|entry| texts(&entry)).collect();
    back.reverse();
    assert_eq!(&back, model);
    assert_eq!(stream.meta().first_id, model.first().map_or(StreamId::MIN, |entry| entry.0));
    assert_eq!(stream.last_entry_id(), model.last().map(|entry| entry.0));
    assert_eq!(stream.nodes().count(), stream.nodes_len());
    assert_eq!(stream.nodes().map(StreamNode::live).sum::<usize>(), model.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

    #[test]
    fn behaves_as_a_list_of_entries(steps in prop::collection::vec(step(), 0..120), tiny: bool) {
        let limits = if tiny { TINY } else { StreamLimits::DEFAULT };
        let (mut stream, mut model) = (Stream::new(), Model::new());
        let (mut added, mut max_deleted) = (0, StreamId::MIN);
        for step in steps {
            match step {
                Step::Append(gap, pairs) => {
                    let last = stream.last_id();
                    let id = id(last.ms + u64::from(gap), last.seq * u64::from(gap == 0) + 1);
                    prop_assert_eq!(stream.append(id, &flat(&pairs), limits), Ok(()));
                    prop_assert_eq!(stream.append(id, &flat(&pairs), limits), Err(AppendError::IdTooSmall));
                    model.push((id, pairs));
                    added += 1;
                }
                Step::Delete(picks) => {
                    let ids: Vec<StreamId> = picks.iter().map(|&at| picked(&model, at)).collect();
                    let before = model.len();
                    for id in &ids {
                        if model.iter().any(|entry| entry.0 == *id) {
                            max_deleted = max_deleted.max(*id);
                        }
                        model.retain(|entry| entry.0 != *id);
                    }
                    prop_assert_eq!(stream.delete(&ids), before - model.len());
                }
                Step::Trim { by_len, at, approximate, limit } => {
                    let to = if by_len { TrimTo::Len(at.into()) } else { TrimTo::Id(picked(&model, at)) };
                    let limit = if approximate { limit } else { 0 };
                    let surplus = match to {
                        TrimTo::Len(len) => model.len().saturating_sub(len as usize),
                        TrimTo::Id(id) => model.iter().filter(|entry| entry.0 < id).count(),
                    };
                    let removed = stream.trim(&trim(to, approximate, limit));
                    prop_assert!(removed <= surplus && (limit == 0 || removed as u64 <= limit));
                    prop_assert!(approximate || removed == surplus);
                    model.drain(..removed);
                }
                Step::Range(first, last) => {
                    let (first, last) = (picked(&model, first), picked(&model, last));
                    let expected: Model =
                        model.iter().filter(|entry| entry.0 >= first && entry.0 <= last).cloned().collect();
                    for direction in [Direction::Forward, Direction::Backward] {
                        let mut found: Model =
                            stream.range(first, last, direction).map(|entry| texts(&entry)).collect();
                        if direction == Direction::Backward {
                            found.reverse();
                        }
                        prop_assert_eq!(&found, &expected);
                    }
                    prop_assert_eq!(stream.get(first).is_some(), model.iter().any(|entry| entry.0 == first));
                }
                Step::Reread => stream = reread(&stream),
            }
            check(&stream, &model);
            prop_assert_eq!((stream.meta().entries_added, stream.meta().max_deleted_id), (added, max_deleted));
        }
    }

    #[test]
    fn foreign_bytes_are_no_danger(mut bytes in prop::collection::vec(any::<u8>(), 0..60), at: u8, byte: u8) {
        let _ = StreamNode::from_listpack(id(5, 5), &bytes);
        bytes.clear();
        let stream = numbered(4);
        stream.nodes().for_each(|node| node.write_listpack(&mut bytes));
        let len = bytes.len();
        let elements = &mut bytes[6..len - 1];
        elements[usize::from(at) % (len - 7)] = byte;
        if let Some(node) = StreamNode::from_listpack(id(1, 0), elements) {
            let stream = Stream::from_nodes([node], StreamMeta { last_id: StreamId::MAX, ..*stream.meta() });
            let stream = stream.unwrap();
            prop_assert_eq!(stream.iter().map(|entry| texts(&entry)).collect::<Model>().len(), stream.len());
        }
    }
}

#[test]
fn nodes_fill_as_in_redis() {
    let mut stream = Stream::new();
    for n in 1..=250 {
        stream.append(id(n, 0), &[b"item", b"1"], StreamLimits::DEFAULT).unwrap();
    }
    assert_eq!(stream.nodes().map(StreamNode::live).collect::<Vec<_>>(), [100, 100, 50]);
    // Deleted entries count until their node is gone; then the one before is appended to if it still has room.
    assert_eq!(stream.delete(&[id(250, 0), id(249, 0)]), 2);
    assert_eq!(stream.nodes().map(StreamNode::entries_ever).collect::<Vec<_>>(), [100, 100, 50]);
    let mut stream = Stream::new();
    for (n, len) in [(1, 10), (2, 4000), (3, 4000), (4, 10)] {
        stream.append(id(n, 0), &[b"f", &vec![b'x'; len]], StreamLimits::DEFAULT).unwrap();
    }
    assert_eq!(stream.nodes().map(StreamNode::live).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(stream.delete(&[id(3, 0), id(4, 0)]), 2);
    stream.append(id(5, 0), &[b"f", b"x"], StreamLimits::DEFAULT).unwrap();
    assert_eq!(stream.nodes().map(StreamNode::live).collect::<Vec<_>>(), [3]);
}

#[test]
fn approximate_trimming_takes_whole_nodes() {
    let mut stream = numbered(23);
    assert_eq!(stream.trim(&trim(TrimTo::Len(9), true, 0)), 10);
    assert_eq!(stream.trim(&trim(TrimTo::Len(0), true, 4)), 0);
    assert_eq!(stream.trim(&trim(TrimTo::Len(0), true, 9)), 5);
    assert_eq!(ids(&stream), [16, 17, 18, 19, 20, 21, 22, 23]);
    assert_eq!(stream.trim(&trim(TrimTo::Id(id(20, 1)), true, 0)), 5);
    assert_eq!(stream.trim(&trim(TrimTo::Id(id(23, 0)), true, 0)), 0);
    assert_eq!(stream.trim(&trim(TrimTo::Id(id(23, 0)), false, 0)), 2);
    assert_eq!((stream.meta().first_id, stream.first_id_ever_kept()), (id(23, 0), id(21, 0)));
    assert_eq!(stream.trim(&trim(TrimTo::Len(0), false, 0)), 1);
    assert_eq!(
        (stream.nodes_len(), stream.meta().first_id, stream.first_id_ever_kept()),
        (0, StreamId::MIN, StreamId::MAX)
    );
}

#[test]
fn a_long_stream_is_found_through_its_chunks() {
    let mut stream = numbered(5000);
    for start in [0, 1, 4, 1279, 1280, 1281, 2559, 4999, 5000] {
        let found = stream.range(id(start, 1), StreamId::MAX, Direction::Forward).next();
        assert_eq!(found.map(|entry| entry.id().ms), (start < 5000).then_some(start + 1));
        let found = stream.range(StreamId::MIN, id(start, 1), Direction::Backward).next();
        assert_eq!(found.map(|entry| entry.id().ms), (start > 0).then_some(start));
    }
    let middle: Vec<StreamId> = (11..=4990).map(|ms| id(ms, 0)).collect();
    assert_eq!(stream.delete(&middle), 4980);
    assert_eq!(ids(&stream), [(1..=10).collect::<Vec<_>>(), (4991..=5000).collect()].concat());
    assert_eq!(stream.nodes_len(), 4);
    assert!(stream.memory_bytes() > 0);
}

#[test]
fn nodes_out_of_order_are_refused() {
    let stream = numbered(12);
    let nodes: Vec<StreamNode> = stream.nodes().cloned().collect();
    let meta = *stream.meta();
    assert!(Stream::from_nodes(nodes.iter().cloned(), meta).is_some());
    assert!(Stream::from_nodes(nodes.iter().rev().cloned(), meta).is_none());
    assert!(Stream::from_nodes(nodes, StreamMeta { last_id: id(11, 9), ..meta }).is_none());
}

#[test]
fn pending_entries_change_hands() {
    let mut stream = numbered(6);
    assert!(stream.create_group(b"g", StreamId::MIN, None).is_some());
    assert!(stream.create_group(b"g", StreamId::MAX, None).is_none());
    let Some((view, group)) = stream.with_group(b"g") else { panic!("no group") };
    let (alice, bob) =
        (group.create_consumer(b"alice", 1).unwrap(), group.create_consumer(b"bob", 1).unwrap());
    assert_eq!(group.create_consumer(b"bob", 2), None);
    for entry in view.range(id(1, 0), id(4, 0), Direction::Forward) {
        view.advance(group, entry.id());
        group.deliver(entry.id(), alice, 10);
    }
    assert_eq!((group.entries_read, view.lag(group)), (Some(4), Some(2)));
    let claim = Claim { consumer: bob, delivered_ms: 20, deliveries: None, counts: true };
    assert_eq!(group.claim(id(2, 0), &claim, 20).deliveries, 2);
    assert_eq!(group.claim(id(9, 0), &claim, 20).deliveries, 2);
    group.deliver(id(3, 0), bob, 30);
    let of = |group: &Group, consumer| -> Vec<u64> {
        let consumer = group.consumer(consumer).unwrap();
        consumer.pending(StreamId::MIN, StreamId::MAX).map(|id| id.ms).collect()
    };
    assert_eq!((of(group, alice), of(group, bob)), (vec![1, 4], vec![2, 3, 9]));
    assert_eq!(group.find_pending(id(3, 0)).map(|pending| pending.deliveries), Some(1));
    assert!(group.acknowledge(id(9, 0)) && !group.acknowledge(id(9, 0)));
    group.redeliver(id(2, 0), 40);
    assert_eq!(
        group.find_pending(id(2, 0)).map(|pending| (pending.deliveries, pending.delivered_ms)),
        Some((3, 40))
    );
    assert_eq!(group.remove_consumer(b"bob"), Some(2));
    assert_eq!(group.remove_consumer(b"bob"), None);
    assert_eq!(group.pending(StreamId::MIN, StreamId::MAX).map(|(id, _)| id.ms).collect::<Vec<_>>(), [1, 4]);
    // A new consumer takes the place of the one that went.
    let carol = group.create_consumer(b"carol", 5).unwrap();
    assert_eq!((carol, group.consumers_len(), of(group, carol)), (bob, 2, vec![]));
    assert!(stream.remove_group(b"g") && !stream.remove_group(b"g"));
}

#[test]
fn the_lag_is_told_only_when_it_is_known() {
    let mut stream = numbered(5);
    stream.create_group(b"g", id(2, 0), None).unwrap();
    stream.create_group(b"start", StreamId::MIN, None).unwrap();
    let lag =
        |stream: &mut Stream, name: &[u8]| stream.with_group(name).and_then(|(view, group)| view.lag(group));
    assert_eq!((lag(&mut stream, b"g"), lag(&mut stream, b"start")), (None, Some(5)));
    stream.with_group(b"g").unwrap().1.entries_read = Some(2);
    assert_eq!(lag(&mut stream, b"g"), Some(3));
    stream.delete(&[id(4, 0)]);
    assert_eq!((lag(&mut stream, b"g"), lag(&mut stream, b"start")), (None, None));
    stream.trim(&trim(TrimTo::Id(id(5, 0)), false, 0));
    assert_eq!((lag(&mut stream, b"g"), lag(&mut stream, b"start")), (Some(3), Some(1)));
}
