//! Commands of Redis 7.2 and later, which the Redis that other tests compare with does not know: their documented
//! replies, from a server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::server::Server;

#[test]
fn waiting_for_a_log_that_nobody_writes() {
    let server = Server::moonshard(2, &[]);
    let mut client = server.connect();
    for (line, expected) in [
        ("WAITAOF 0 0 0", "*2\r\n:0\r\n:0\r\n"),
        ("WAITAOF 0 1 10", "*2\r\n:0\r\n:0\r\n"),
        (
            "WAITAOF 1 0 10",
            "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n",
        ),
        ("WAITAOF 2 0 10", "-ERR value is out of range, value must between 0 and 1\r\n"),
        ("WAITAOF 0 -1 10", "-ERR value is out of range, must be positive\r\n"),
        ("WAITAOF 0 0 -1", "-ERR timeout is negative\r\n"),
        ("WAITAOF 1 0 x", "-ERR timeout is not an integer or out of range\r\n"),
    ] {
        assert_eq!(String::from_utf8_lossy(&client.ask(line).raw), expected, "{line}");
    }
}
