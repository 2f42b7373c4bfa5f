use super::*;
use crate::{encode, encode_timestamp};

/// Hands out a few bytes at a time.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(buffer.len()).min(self.0.len());
        let (now, rest) = self.0.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.0 = rest;
        Ok(len)
    }
}

/// Reads all of a file: its items as text, and how it ended.
fn read_all(reader: &mut Reader<impl Read>) -> (Vec<String>, Result<(), Damage>) {
    let mut items = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(Item::Command(command))) => {
                let args: Vec<_> = command.iter().map(|arg| String::from_utf8_lossy(arg)).collect();
                items.push(format!("{}:{}", command.offset(), args.join(" ")));
            }
            Ok(Some(Item::Annotation(text))) => items.push(String::from_utf8_lossy(text).into_owned()),
            Ok(None) => return (items, Ok(())),
            Err(damage) => return (items, Err(damage)),
        }
    }
}

/// A file with commands, transactions and annotations, and the lengths at which it is whole.
fn sample() -> (Vec<u8>, Vec<usize>) {
    let (mut file, mut whole) = (Vec::new(), vec![0]);
    let commands: [(&[&[u8]], bool); 7] = [
        (&[b"SELECT", b"0"], true),
        (&[b"SET", b"key", b"a\r\nvalue"], true),
        (&[b"MULTI"], false),
        (&[b"INCR", b"a"], false),
        (&[b"SET", b"", &[b'x'; 300]], false),
        (&[b"exec"], true),
        (&[b"DEL", b"key"], true),
    ];
    for (args, ends) in commands {
        encode(args, &mut file);
        if ends {
            whole.push(file.len());
            encode_timestamp(1_700_000_000, &mut file);
            whole.push(file.len());
        }
    }
    (file, whole)
}

#[test]
fn items_have_arguments_and_places() {
    let (file, _) = sample();
    let (items, outcome) = read_all(&mut Reader::new(&file[..]));
    outcome.unwrap();
    assert_eq!(items[..4], ["0:SELECT 0", "#TS:1700000000", "39:SET key a\r\nvalue", "#TS:1700000000"]);
    assert_eq!(items.len(), 11);
    let mut reader = Reader::starting_at(&file[..], 1000);
    let Some(Item::Command(command)) = reader.next().unwrap() else { panic!() };
    assert_eq!((command.len(), command.name(), command.offset()), (2, &b"SELECT"[..], 1000));
    assert!(command.is("select") && command.get(2).is_none());
    assert_eq!(command.raw(), b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n");
    assert_eq!((reader.offset(), reader.valid_up_to()), (1023, 1023));
}

#[test]
fn a_file_cut_anywhere_is_whole_up_to_its_last_whole_command() {
    let (file, whole) = sample();
    for len in 0..=file.len() {
        let expected = *whole.iter().rev().find(|&&at| at <= len).unwrap() as u64;
        for step in [1, 7, usize::MAX] {
            let mut reader = Reader::new(Dribble(&file[..len], step));
            let (_, outcome) = read_all(&mut reader);
            match outcome {
                Ok(()) => assert_eq!(expected, len as u64),
                Err(Damage::Torn { valid_up_to, len: seen }) => {
                    assert!(expected < len as u64, "{len} is whole");
                    assert_eq!((valid_up_to, seen), (expected, len as u64));
                }
                Err(other) => panic!("cut at {len}: {other}"),
            }
            assert_eq!(reader.valid_up_to(), expected, "cut at {len}");
        }
    }
}

#[test]
fn what_the_log_never_writes_is_corrupt() {
    let good = b"*1\r\n$4\r\nPING\r\n";
    let start = good.len() as u64;
    for (bad, at) in [
        (&b"PING\r\n"[..], 0),
        (b"\0\0\0\0", 0),
        (b"\r\n", 0),
        (b"*\r\n", 1),
        (b"*0\r\n", 1),
        (b"*-1\r\n", 1),
        (b"*x", 1),
        (b"*1\n$4\r\nPING\r\n", 2),
        (b"*1\r\r", 2),
        (b"*9999999999\r\n", 1),
        (b"*1\r\n:4\r\n", 4),
        (b"*1\r\n$-1\r\n", 5),
        (b"*1\r\n$99999999999999999\r\n", 5),
        (b"*1\r\n$9999999999999999999\r\n", 23),
        (b"*1\r\n$4\r\nPINGPONG", 12),
        (b"*1\r\n$4\r\nPINGx", 12),
        (b"*1\r\n$4\r\nPING\rx", 12),
        (b"*1\r\n$4\r\nEXEC\r\n", 0),
    ] {
        let file = [good, bad].concat();
        let (items, outcome) = read_all(&mut Reader::new(&file[..]));
        let Err(Damage::Corrupt { valid_up_to, offset, reason }) = outcome else {
            panic!("{:?}: {outcome:?}", String::from_utf8_lossy(bad));
        };
        assert_eq!((items.len(), valid_up_to, offset), (1, start, start + at), "{reason}");
    }
    let nested = b"*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nmulti\r\n";
    let (_, outcome) = read_all(&mut Reader::new(&nested[..]));
    assert!(matches!(outcome, Err(Damage::Corrupt { valid_up_to: 0, offset: 15, .. })), "{outcome:?}");
}

#[test]
fn annotations_are_as_long_as_redis_reads() {
    for (len, fits) in [(1023, true), (1024, false)] {
        let mut file = vec![b'#'; len - 1];
        file.push(b'\n');
        encode(&[b"PING"], &mut file);
        let (items, outcome) = read_all(&mut Reader::new(&file[..]));
        assert_eq!((items.len(), outcome.is_ok()), if fits { (2, true) } else { (0, false) });
    }
    let endless = vec![b'#'; 5 << 20];
    let mut reader = Reader::new(&endless[..]);
    assert!(matches!(reader.next(), Err(Damage::Corrupt { offset: 0, .. })));
    assert!(reader.buffer.capacity() <= 4 * CHUNK);
}

#[test]
fn a_length_that_lies_takes_no_memory() {
    for file in [&b"*1\r\n$1000000000000\r\nabc"[..], b"*2147483647\r\n$1\r\na\r\n"] {
        let mut reader = Reader::new(file);
        assert!(matches!(reader.next(), Err(Damage::Torn { valid_up_to: 0, .. })));
        assert!(reader.buffer.capacity() <= 4 * CHUNK, "{}", reader.buffer.capacity());
        assert!(reader.spans.capacity() <= 16);
    }
}

#[test]
fn memory_of_a_long_argument_is_given_back() {
    let mut file = Vec::new();
    encode(&[b"SET", b"k", &vec![b'v'; 20 << 20]], &mut file);
    encode(&[b"GET", b"k"], &mut file);
    let mut reader = Reader::new(&file[..]);
    for len in [3, 2] {
        let Some(Item::Command(command)) = reader.next().unwrap() else { panic!() };
        assert_eq!(command.len(), len);
    }
    assert!(reader.buffer.capacity() <= KEPT_MAX);
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn errors_of_the_source_are_told() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    assert!(matches!(Reader::new(Broken).next(), Err(Damage::Io(_))));
}

proptest::proptest! {
    #[test]
    fn commands_come_back(commands: Vec<Vec<Vec<u8>>>, step in 1usize..50) {
        let commands: Vec<_> = commands.into_iter().filter(|args| {
            args.first().is_some_and(|name| !name.eq_ignore_ascii_case(b"multi") && !name.eq_ignore_ascii_case(b"exec"))
        }).collect();
        let mut file = Vec::new();
        for args in &commands {
            encode(&args.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut file);
        }
        let mut reader = Reader::new(Dribble(&file, step));
        let mut seen = Vec::new();
        while let Some(Item::Command(command)) = reader.next().unwrap() {
            seen.push(command.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
        }
        proptest::prop_assert_eq!(seen, commands);
        proptest::prop_assert_eq!(reader.valid_up_to(), file.len() as u64);
    }

    #[test]
    fn any_bytes_end_well(bytes: Vec<u8>) {
        let mut reader = Reader::new(&bytes[..]);
        let _ = read_all(&mut reader);
        proptest::prop_assert!(reader.valid_up_to() <= bytes.len() as u64);
    }
}
