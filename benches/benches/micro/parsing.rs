//! Requests parsed in place, and their arguments collected.

use criterion::{BenchmarkId, Criterion, Throughput};
use moonshard_protocol::{Limits, RequestParser};
use std::hint::black_box;

const LIMITS: Limits = Limits { bulk_len_max: 512 << 20, unauthenticated: false };

pub fn benches(criterion: &mut Criterion) {
    let get = b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000123\r\n".to_vec();
    let set = [&b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000123\r\n$64\r\n"[..], &[b'x'; 64], b"\r\n"].concat();
    let large =
        [&b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1000000\r\n"[..], &vec![b'x'; 1_000_000], b"\r\n"].concat();
    let cases = [
        ("64 GET", get.repeat(64), 64),
        ("64 SET of 64 bytes", set.repeat(64), 64),
        ("inline", b"SET key:000000000123 'a value'\r\n".to_vec(), 1),
        ("SET of 1,000,000 bytes", large, 1),
    ];
    let mut group = criterion.benchmark_group("parse");
    for (name, buffer, requests) in &cases {
        group.throughput(Throughput::Elements(*requests));
        let mut parser = RequestParser::new();
        let (mut ends, mut spare) = (Vec::new(), Vec::new());
        group.bench_with_input(BenchmarkId::from_parameter(name), buffer, |bencher, buffer| {
            bencher.iter(|| {
                let parsed = parser.parse(black_box(buffer), 64, LIMITS);
                assert!(parsed.is_ok() && parser.len() as u64 == *requests);
                let mut arguments = std::mem::take(&mut spare);
                parser.collect(buffer, &mut arguments, &mut ends);
                black_box((&arguments, &ends));
                arguments.clear();
                ends.clear();
                // Collecting nothing of the same layout keeps the allocation.
                spare = arguments.into_iter().map(|_| -> &[u8] { &[] }).collect();
                parser.consume();
            });
        });
    }
    group.finish();
}
