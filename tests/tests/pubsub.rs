//! Messages between many connections: none is lost, doubled or out of order, and who does not read is let go.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::Value;
use moonshard_tests::server::Server;

const SUBSCRIBERS: usize = 8;
const PUBLISHERS: usize = 3;
const MESSAGES: usize = 3000;

#[test]
fn messages_arrive_once_and_in_each_publishers_order() {
    let server = Server::moonshard(4, &[]);
    let subscribers: Vec<_> = (0..SUBSCRIBERS)
        .map(|number| {
            let mut client = server.connect();
            match number % 3 {
                0 => client.ask("SUBSCRIBE news"),
                1 => client.ask("PSUBSCRIBE n*"),
                _ => {
                    client.ask("HELLO 3");
                    client.ask("SUBSCRIBE news")
                }
            };
            client
        })
        .collect();
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for batch in 0..MESSAGES / 50 {
                    let mut requests = Vec::new();
                    for number in batch * 50..(batch + 1) * 50 {
                        // One long message now and then, which is shared and not copied.
                        let padding = if number % 97 == 0 { "x".repeat(5000) } else { String::new() };
                        let message = format!("{publisher} {number} {padding}");
                        requests.extend(moonshard_tests::resp::encode(&["PUBLISH", "news", &message]));
                    }
                    client.send_raw(&requests).unwrap();
                    for _ in 0..50 {
                        assert_eq!(client.read().unwrap().value, Value::Int(SUBSCRIBERS as i64));
                    }
                }
            });
        }
        for mut client in subscribers {
            scope.spawn(move || {
                let mut next = [0; PUBLISHERS];
                for _ in 0..PUBLISHERS * MESSAGES {
                    let message = client.read().unwrap().value;
                    let text = message.items().unwrap().last().unwrap().bytes().unwrap().to_vec();
                    let text = String::from_utf8(text).unwrap();
                    let mut words = text.split(' ').map(|word| word.parse::<usize>().unwrap_or(0));
                    let (publisher, number) = (words.next().unwrap(), words.next().unwrap());
                    assert_eq!(number, next[publisher], "of publisher {publisher}");
                    next[publisher] += 1;
                }
            });
        }
    });
}

#[test]
fn who_ends_a_connection_ends_its_subscriptions() {
    let server = Server::moonshard(4, &[]);
    let mut watcher = server.connect();
    let mut client = server.connect();
    for command in ["SUBSCRIBE a", "PSUBSCRIBE p*", "SSUBSCRIBE s"] {
        client.ask(command);
    }
    let list = watcher.ask("CLIENT LIST TYPE pubsub").text();
    assert!(list.contains(" flags=P ") && list.contains(" sub=1 psub=1 ssub=1 "), "{list}");
    let info = watcher.ask("INFO stats").text();
    for name in ["pubsub_channels:1\r\n", "pubsub_patterns:1\r\n", "pubsubshard_channels:1\r\n"] {
        assert!(info.contains(name), "{name}");
    }
    drop(client);
    while watcher.ask("PUBLISH a x").value != Value::Int(0)
        || watcher.ask("SPUBLISH s x").value != Value::Int(0)
        || watcher.ask("PUBSUB NUMPAT").value != Value::Int(0)
    {}
}

#[test]
fn a_subscriber_that_does_not_read_is_closed() {
    let server = Server::moonshard(4, &["--client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let (mut publisher, mut subscriber) = (server.connect(), server.connect());
    subscriber.ask("SUBSCRIBE news");
    let message = "x".repeat(100_000);
    let mut sent = 0;
    // The system's buffers take some of it.
    while publisher.command(&["PUBLISH", "news", &message]).unwrap().value == Value::Int(1) {
        sent += 1;
        assert!(sent < 10_000, "nothing limits what waits for a subscriber");
    }
    assert!(sent > 10);
    assert!(server.log().contains("output buffer limits"), "{}", server.log());
}

#[test]
fn channels_of_slots_are_those_of_a_cluster() {
    for server in
        [Server::moonshard(4, &["--cluster-enabled", "yes"]), Server::redis(&["--cluster-enabled", "yes"])]
    {
        let mut client = server.connect();
        // A new node of Moonshard has all slots already.
        client.ask("CLUSTER ADDSLOTSRANGE 0 16383");
        while !client.ask("CLUSTER INFO").text().contains("cluster_state:ok") {}
        let crossed = b"-CROSSSLOT Keys in request don't hash to the same slot\r\n";
        assert_eq!(client.ask("SSUBSCRIBE a b").raw, crossed);
        assert_eq!(
            client.ask("SSUBSCRIBE {a}1 {a}2").raw,
            b"*3\r\n$10\r\nssubscribe\r\n$4\r\n{a}1\r\n:1\r\n"
        );
        client.read().unwrap();
        assert_eq!(server.connect().ask("SPUBLISH {a}2 x").value, Value::Int(1));
        assert_eq!(client.read().unwrap().raw, b"*3\r\n$8\r\nsmessage\r\n$4\r\n{a}2\r\n$1\r\nx\r\n");
        assert_eq!(client.ask("SUNSUBSCRIBE {a}1 b").raw, crossed);
    }
}
