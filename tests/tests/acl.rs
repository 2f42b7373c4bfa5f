//! What the corpus cannot show of users: their file, the configuration's lines, what a rewrite leaves, and the commands
//! of categories that both servers have.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use moonshard_tests::corpus::{self, Action, Corpus};
use moonshard_tests::ready::wait_until_ready;
use moonshard_tests::resp::{Client, encode};
use moonshard_tests::server::{Server, moonshard_binary, temp_dir, under_test_is_redis};

/// A directory that is removed with everything in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(temp_dir())
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ok(client: &mut Client, words: &str) {
    assert_eq!(client.ask(words).raw, b"+OK\r\n", "{words}");
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_file_holds_the_users() {
    let folder = Folder::new();
    let file = folder.file("users.acl", "user alice on nopass ~a:* +@all\n\n\tuser bob on >b +ping  \n");
    let server = Server::moonshard(4, &["--aclfile", &file]);
    let (mut admin, mut alice, mut bob) = (server.connect(), server.connect(), server.connect());
    ok(&mut alice, "AUTH alice x");
    ok(&mut bob, "AUTH bob b");
    ok(&mut alice, "SET a:1 v");
    assert!(alice.ask("SET b v").text().contains("NOPERM"));
    assert_eq!(bob.ask("PING").raw, b"+PONG\r\n");
    ok(&mut admin, "ACL SETUSER carol on >c %R~c (+get ~d)");
    ok(&mut admin, "ACL SAVE");
    let saved = lines(Path::new(&file));
    assert_eq!(saved.len(), 4);
    assert_eq!(saved[0], "user alice on nopass ~a:* resetchannels +@all");
    assert!(saved[2].starts_with("user carol on #") && saved[2].ends_with("(~d resetchannels -@all +get)"));
    assert_eq!(saved[3], "user default on nopass ~* &* +@all");
    drop(server);

    let again = Server::moonshard(1, &["--aclfile", &file]);
    let mut admin = again.connect();
    ok(&mut again.connect(), "AUTH carol c");
    let listed = admin.ask("ACL LIST").text();
    assert!(saved.iter().all(|line| listed.contains(line)), "{listed}");
}

#[test]
fn what_a_file_no_longer_has_is_gone() {
    let folder = Folder::new();
    let file = folder.file("users.acl", "user alice on nopass +@all ~*\nuser bob on nopass +@all ~*\n");
    let server = Server::moonshard(4, &["--aclfile", &file]);
    let (mut admin, mut alice, mut bob) = (server.connect(), server.connect(), server.connect());
    ok(&mut alice, "AUTH alice x");
    ok(&mut bob, "AUTH bob x");
    folder.file("users.acl", "user alice on nopass +@all ~*\nuser default on nopass ~* +@all -keys\n");
    ok(&mut admin, "ACL LOAD");
    // Whoever was in the file before has to log in again, as in Redis 7.0; the default user stays.
    assert_eq!(alice.read_to_end().unwrap(), b"");
    assert_eq!(bob.read_to_end().unwrap(), b"");
    assert!(admin.ask("KEYS *").text().contains("NOPERM"));
    assert!(server.connect().ask("AUTH bob x").text().contains("WRONGPASS"));
    ok(&mut server.connect(), "AUTH alice x");
    folder.file("users.acl", "");
    ok(&mut admin, "ACL LOAD");
    assert_eq!(admin.ask("KEYS *").raw, b"*0\r\n");
}

#[test]
fn a_file_with_errors_changes_nothing_and_is_told_as_by_redis() {
    let folder = Folder::new();
    let file = folder.file("users.acl", "user alice on nopass ~* +@all\n");
    let servers = [Server::moonshard(1, &["--aclfile", &file]), Server::redis(&["--aclfile", &file])];
    let mut clients = servers.each_ref().map(Server::connect);
    let mut compare = |text: Option<&str>| {
        match text {
            Some(text) => drop(folder.file("users.acl", text)),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let [ours, theirs] = clients.each_mut().map(|client| client.ask("ACL LOAD").text());
        assert_eq!(ours, theirs, "{text:?}");
        let [ours, theirs] = clients.each_mut().map(|client| client.ask("ACL USERS").text());
        assert_eq!(ours, theirs, "{text:?}");
        ours
    };
    for text in [
        "# a comment\n",
        "use x\nuser\nuser b on\n",
        "user a on\nuser a off\n",
        "user a +nosuch -@nosuch ~* ~x &y z\nuser b ~* ~x\n",
        "user b on\nuser a #x",
        "user a\tb on\n",
        "user a  on   nopass\nuser c\r\n",
        "user b on\n\n   \nnonsense",
    ] {
        compare(Some(text));
    }
    compare(None);
}

/// A server that was started with a file of its configuration, over a socket beside the file.
struct FromFile(std::process::Child, PathBuf);

impl FromFile {
    fn start(file: &str) -> Self {
        let socket = Path::new(file).with_extension("sock");
        let child = std::process::Command::new(moonshard_binary())
            .args([file, "--port", "0", "--shards", "2", "--unixsocket"])
            .arg(&socket)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self(child, socket);
        wait_until_ready(&mut server.0, || Client::unix(&server.1)).unwrap();
        server
    }

    fn connect(&self) -> Client {
        Client::unix(&self.1).unwrap()
    }
}

impl Drop for FromFile {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_file(&self.1);
    }
}

#[test]
fn users_of_the_configuration_outlive_a_rewrite() {
    if under_test_is_redis() {
        return;
    }
    let folder = Folder::new();
    let text = "# Mine.\nuser alice on >a ~a* +@read\nuser gone off\nhz 11\nuser bob on nopass (+get ~b)\n";
    let file = folder.file("m.conf", text);
    {
        let server = FromFile::start(&file);
        let mut admin = server.connect();
        ok(&mut server.connect(), "AUTH alice a");
        let mut bob = server.connect();
        ok(&mut bob, "AUTH bob x");
        assert_eq!(bob.ask("GET b").raw, b"$-1\r\n");
        assert!(bob.ask("GET a").text().contains("NOPERM"));
        assert_eq!(admin.ask("ACL DELUSER gone").raw, b":1\r\n");
        ok(&mut admin, "ACL SETUSER carol on >c +@all ~*");
        ok(&mut admin, "CONFIG REWRITE");
    }
    let rewritten = lines(Path::new(&file));
    assert_eq!(rewritten[0], "# Mine.");
    let users: Vec<&str> = rewritten.iter().filter_map(|line| line.strip_prefix("user ")).collect();
    let names: Vec<&str> = users.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["alice", "bob", "carol", "default"]);
    assert!(users[1].ends_with("on nopass resetchannels -@all (~b resetchannels -@all +get)"), "{users:?}");
    let server = FromFile::start(&file);
    ok(&mut server.connect(), "AUTH alice a");
    ok(&mut server.connect(), "AUTH carol c");
    assert!(server.connect().ask("AUTH gone x").text().contains("WRONGPASS"));
}

#[test]
fn categories_have_the_same_commands() {
    let (ours, theirs) = (Server::moonshard(1, &[]), Server::redis(&[]));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    fn names(client: &mut Client, words: &str) -> BTreeSet<String> {
        client.ask(words).value.items().unwrap().iter().map(|item| item.bytes().unwrap()).map(text).collect()
    }
    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }
    let both: BTreeSet<String> =
        names(&mut ours, "COMMAND LIST").intersection(&names(&mut theirs, "COMMAND LIST")).cloned().collect();
    assert!(both.len() > 150 && both.contains("get"));
    let of = |name: &String| both.contains(name.split('|').next().unwrap_or_default());
    for category in names(&mut theirs, "ACL CAT") {
        let words = format!("ACL CAT {category}");
        let (mut ours, mut theirs) = (names(&mut ours, &words), names(&mut theirs, &words));
        // Subcommands of either that the other does not know are no concern of the category.
        ours.retain(of);
        theirs.retain(of);
        let differ: Vec<&String> =
            ours.symmetric_difference(&theirs).filter(|name| !name.contains('|')).collect();
        assert!(differ.is_empty(), "{category}: {differ:?}");
        let missing: Vec<&String> = theirs.difference(&ours).collect();
        assert!(missing.is_empty(), "{category}: {missing:?}");
    }
}

#[test]
fn denials_name_the_client_and_its_command() {
    let server = Server::moonshard(4, &[]);
    let (mut admin, mut user) = (server.connect(), server.connect());
    ok(&mut admin, "ACL SETUSER u on nopass +get +eval +client|setname ~a*");
    ok(&mut user, "AUTH u x");
    ok(&mut user, "CLIENT SETNAME me");
    // In one batch, by the short way.
    user.send_raw(&[encode(&["GET", "a"]), encode(&["GET", "b"]), encode(&["DEL", "a"])].concat()).unwrap();
    let replies: Vec<String> = (0..3).map(|_| user.read().unwrap().text()).collect();
    assert!(replies[1].contains("one of the keys") && replies[2].contains("'del' command"), "{replies:?}");
    let log = admin.ask("ACL LOG").text();
    assert!(
        log.contains("cmd=del user=u") && log.contains("cmd=get user=u") && log.contains("name=me"),
        "{log}"
    );
    ok(&mut admin, "ACL LOG RESET");
    user.command(&["EVAL", "return redis.call('get', 'c')", "1", "a"]).unwrap();
    let log = admin.ask("ACL LOG").text();
    assert!(log.contains("cmd=eval user=u") && log.contains("lua"), "{log}");
    let shown = admin.ask("CLIENT LIST").text();
    assert!(shown.contains("user=u ") && shown.contains("user=default "), "{shown}");
}

#[test]
fn whoever_deletes_itself_can_do_nothing_more() {
    if under_test_is_redis() {
        // There, the rest of the transaction runs as the default user.
        return;
    }
    let server = Server::moonshard(4, &[]);
    let (mut admin, mut user) = (server.connect(), server.connect());
    ok(&mut admin, "ACL SETUSER u on nopass +@all ~*");
    ok(&mut user, "AUTH u x");
    let requests = ["MULTI", "SET a 1", "ACL DELUSER u", "ACL SETUSER other", "SET b 1", "EXEC", "SET c 1"];
    let requests: Vec<Vec<u8>> =
        requests.iter().map(|words| encode(&words.split(' ').collect::<Vec<_>>())).collect();
    user.send_raw(&requests.concat()).unwrap();
    let replies = String::from_utf8(user.read_to_end().unwrap()).unwrap();
    assert!(
        replies.contains("*4\r\n+OK\r\n:1\r\n-NOPERM") && replies.ends_with("subcommand\r\n"),
        "{replies}"
    );
    assert_eq!(admin.ask("EXISTS a b c").raw, b":1\r\n");
    assert_eq!(admin.ask("ACL USERS").raw, b"*1\r\n$7\r\ndefault\r\n");
}

#[test]
fn passwords_stay_out_of_the_slow_log() {
    let server = Server::moonshard(1, &["--slowlog-log-slower-than", "0"]);
    let mut client = server.connect();
    ok(&mut client, "ACL SETUSER u on >hidden");
    client.ask("AUTH u hidden");
    let log = server.connect().ask("SLOWLOG GET 10").text();
    assert!(log.contains("SETUSER") && log.contains("(redacted)") && !log.contains("hidden"), "{log}");
}

/// Begins of calls about whose keys both servers differ on purpose. Most are not well-formed, and refused by either when
/// they run.
const DIFFER: [(&str, &str); 12] = [
    ("SCRIPT KILL ", "it takes the script's SHA1 here"),
    ("MIGRATE 127.0.0.1 1  0 100 KEYS", "no key after KEYS"),
    (
        "PFMERGE empty",
        "Redis finds no key at all where no source follows, and so lets anybody create any key",
    ),
    ("XREAD COUNT STREAMS", "not well-formed"),
    ("XREAD nonsense", "not well-formed"),
    ("XREADGROUP GROUP g c nonsense", "not well-formed"),
    ("XREADGROUP NOACK COUNT 1 GROUP streams streams", "Redis takes the group's name for the word STREAMS"),
    ("ZDIFFSTORE d 0", "no source"),
    ("ZINTERSTORE d 0", "no source"),
    ("ZUNIONSTORE d 0", "no source"),
    ("ZUNIONSTORE to 0", "no source"),
    ("Z", "ranks may come with scores since Redis 7.2"),
];

fn differs(call: &[Vec<u8>], replies: &[String]) -> bool {
    let text = String::from_utf8_lossy(&call.join(&b' ')).into_owned();
    DIFFER.iter().any(|(begin, _)| match *begin {
        "Z" => text.starts_with('Z') && replies[1].contains("rank' command"),
        begin => text.starts_with(begin),
    })
}

/// Every call of the corpus is tried as users who may do little with keys of a few letters: so what each command does
/// with each of its keys and channels is compared.
#[test]
fn calls_of_the_corpus_want_the_same_permissions() {
    const USERS: [&str; 4] = [
        "reader on nopass +@all %R~*a* %R~*b* %R~*k* %W~*x* &*a*",
        "writer on nopass +@all %W~*a* %W~*b* %W~*k* %R~*x* &*b*",
        "mixed on nopass +@all ~*a* %R~*b* %W~*c* %R~*s* %W~*k* (+@read %R~*) (+@write -@read %W~*) &x",
        "few on nopass +@read +@write -@string -@hash +get +hset +eval +config|get +select|1 ~* &*",
    ];
    let (ours, theirs) = (Server::moonshard(1, &[]), Server::redis(&[]));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    for user in USERS {
        ok(&mut ours, &format!("ACL SETUSER {user}"));
        ok(&mut theirs, &format!("ACL SETUSER {user}"));
    }
    let mut calls = BTreeSet::new();
    for file in std::fs::read_dir(corpus::folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            calls.extend(Corpus::load(&path).entries.into_iter().filter_map(|entry| match entry.action {
                Action::Command(words) => Some(words),
                _ => None,
            }));
        }
    }
    assert!(calls.len() > 2000);
    let mut differences = Vec::new();
    for user in USERS {
        let name = user.split(' ').next().unwrap_or_default();
        for call in &calls {
            let mut words: Vec<&[u8]> = vec![b"ACL", b"DRYRUN", name.as_bytes()];
            words.extend(call.iter().map(Vec::as_slice));
            let replies = [ours.command(&words).unwrap().text(), theirs.command(&words).unwrap().text()];
            let missing = replies.iter().any(|reply| reply.starts_with("-ERR Command '"));
            if replies[0] != replies[1] && !missing && !differs(call, &replies) {
                differences.push(format!("{}: {replies:?}", String::from_utf8_lossy(&words.join(&b' '))));
            }
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
