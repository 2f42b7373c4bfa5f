//! Model checks: whatever two writers and a reader do at once, the reader gets every record once, in order.
#![cfg(feature = "loom")]

use loom::sync::Arc;
use loom::thread;
use moonshard_journal::{Collected, Journals};

#[test]
fn a_collection_has_no_gaps_and_nothing_comes_twice() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(|| {
        let journals = Arc::new(Journals::new(2));
        let writers: Vec<_> = (0..2u8)
            .map(|index| {
                let journals = journals.clone();
                thread::spawn(move || {
                    let first = journals.append(usize::from(index), |bytes| bytes.push(index)).number;
                    let second = journals.append(usize::from(index), |bytes| bytes.push(index + 10)).number;
                    assert!(first < second);
                })
            })
            .collect();
        let (mut collected, mut seen) = (Collected::default(), Vec::new());
        let mut read = |collected: &mut Collected| {
            let before = journals.last();
            journals.collect(collected);
            assert!(collected.last() >= before);
            for (number, bytes) in collected.iter() {
                seen.push(bytes.to_vec());
                assert_eq!(number, seen.len() as u64);
            }
        };
        read(&mut collected);
        for writer in writers {
            writer.join().ok();
        }
        read(&mut collected);
        assert_eq!(seen.len(), 4);
        for index in 0..2u8 {
            let place = |byte: u8| seen.iter().position(|record| record[..] == [byte]);
            assert!(place(index) < place(index + 10));
        }
    });
}
