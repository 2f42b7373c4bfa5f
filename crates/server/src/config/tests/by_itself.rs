//! What has no counterpart in Redis, and the parts by themselves.

use std::cell::Cell;
use std::collections::HashSet;

use super::{Folder, config, get, set};
use crate::config::*;

#[test]
fn names_and_fields_agree() {
    let mut names = HashSet::new();
    for directive in DIRECTIVES {
        assert_eq!(directive.name.replace('-', "_"), directive.field);
        assert!(!directive.doc.is_empty() && directive.doc.ends_with('.'), "{}", directive.name);
        for name in std::iter::once(directive.name).chain(directive.alias) {
            assert!(names.insert(name), "{name} twice");
            assert_eq!(find(name.to_ascii_uppercase().as_bytes()).unwrap().directive.name, directive.name);
        }
    }
    assert!(find(b"nothing").is_none());
    assert!(is_sensitive(b"RequirePass") && is_sensitive(b"masterauth"));
    assert!(!is_sensitive(b"port") && !is_sensitive(b"nothing"));
}

#[test]
fn defaults_are_values_that_may_be_set() {
    let defaults = Settings::default();
    for directive in DIRECTIVES.iter().filter(|d| d.name != "replicaof") {
        let mut settings = Settings::default();
        directive.set_text(&mut settings, &directive.format(&defaults)).unwrap();
        assert_eq!(directive.format(&settings), directive.format(&defaults), "{}", directive.name);
    }
}

#[test]
fn our_own_directives() {
    let config = config(|_| {});
    assert_eq!(get(&config, "lua-default-flags"), "");
    for (flags, shown) in [
        ("allow-cross-slot-keys", "allow-cross-slot-keys"),
        ("allow-undeclared-keys,no-writes", "no-writes allow-undeclared-keys"),
        ("ALLOW-OOM, allow-stale  no-cluster,", "allow-oom allow-stale no-cluster"),
        ("", ""),
    ] {
        assert_eq!(set(&config, &[(b"lua-default-flags", flags.as_bytes())]), b"OK");
        assert_eq!(get(&config, "lua-default-flags"), shown);
    }
    let error = set(&config, &[(b"lua-default-flags", b"allow-oom x")]);
    let error = String::from_utf8(error).unwrap();
    assert!(error.contains("must be one of the following: no-writes, allow-oom, allow-stale"), "{error}");
    assert_eq!(set(&config, &[(b"script-memory-limit", b"1gb")]), b"OK");
    assert_eq!(config.load().script_memory_limit, 1 << 30);
    assert!(set(&config, &[(b"shards", b"4")]).ends_with(b"can't set immutable config"));
    let launch =
        Config::from_text(b"shards 8\nlua-default-flags allow-oom no-writes\nlog-format JSON\n").unwrap();
    let settings = launch.config.load_full();
    assert_eq!((settings.shards, settings.log_format), (8, LogFormat::Json));
    assert_eq!(settings.lua_default_flags, ScriptFlags::ALLOW_OOM | ScriptFlags::NO_WRITES);
}

#[test]
fn automatic_numbers_show_but_are_not_written() {
    let folder = Folder::new();
    let file = folder.file("x.conf", "hz 10\n");
    let launch = Config::from_args([file.clone().into_os_string()]).unwrap();
    let Startup::Serve(launch) = launch else { panic!("nothing to serve") };
    launch.config.resolve_automatic(16, 4);
    assert_eq!((get(&launch.config, "shards"), get(&launch.config, "io-threads")), ("16".into(), "4".into()));
    launch.config.rewrite(&[]).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("shards") && !text.contains("io-threads"), "{text}");

    let fixed = config(|settings| settings.shards = 3);
    fixed.resolve_automatic(16, 4);
    assert_eq!(fixed.load().shards, 3);
}

#[test]
fn readers_see_generations() {
    let config = config(|_| {});
    let (before, kept) = (config.generation(), config.load_full());
    assert_ne!(set(&config, &[(b"hz", b"20"), (b"maxmemory", b"x")]), b"OK");
    assert_eq!((config.generation(), config.load().hz), (before, 10));
    assert_eq!(set(&config, &[(b"hz", b"20")]), b"OK");
    assert!(config.generation() > before);
    assert_eq!((kept.hz, config.load().hz), (10, 20));
    config.update(|settings| settings.hz = 9999);
    assert_eq!(config.load().hz, 500);
}

#[test]
fn what_cannot_be_applied_changes_nothing() {
    let config = config(|_| {});
    let generation = config.generation();
    let calls = Cell::new(0);
    let apply = |old: &Settings, new: &Settings| {
        calls.set(calls.get() + 1);
        assert_eq!((old.port, new.port), (6379, 7000));
        Err(ApplyError {
            directive: "port",
            reason: "Unable to listen on this port. Check server logs.".into(),
        })
    };
    let error = config.set(&[(b"hz", b"20"), (b"port", b"7000")], Caller::default(), &apply).unwrap_err();
    assert_eq!(
        String::from_utf8(error.text()).unwrap(),
        "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
    );
    assert_eq!((calls.get(), config.generation(), config.load().hz), (1, generation, 10));
    // What is refused earlier is not applied at all.
    config.set(&[(b"port", b"x")], Caller::default(), &apply).unwrap_err();
    assert_eq!(calls.get(), 1);
}

#[test]
fn who_may_set_what() {
    let config = config(|settings| settings.enable_protected_configs = AllowedFor::Local);
    let set = |caller| config.set(&[(b"dbfilename", b"x.rdb")], caller, &|_, _| Ok(()));
    assert!(set(Caller::default()).unwrap_err().text().ends_with(b"can't set protected config"));
    assert_eq!(set(Caller { local: true, loading: true }), Ok(()));
    let loading = Caller { local: true, loading: true };
    let error = config.set(&[(b"appendonly", b"yes")], loading, &|_, _| Ok(())).unwrap_err();
    assert_eq!(error.text(), b"LOADING Redis is loading the dataset in memory");
}

#[test]
fn help_and_documentation_name_everything() {
    let (help, docs) = (help_text(), docs_table());
    for directive in DIRECTIVES {
        let hidden = directive.flags.contains(DirectiveFlags::HIDDEN);
        assert_eq!(help.contains(&format!("\n  {} ", directive.name)), !hidden, "{}", directive.name);
        assert_eq!(docs.contains(&format!("\n| `{}`", directive.name)), !hidden, "{}", directive.name);
    }
    assert!(version_text().starts_with("Moonshard server v="));
    for arg in ["-h", "--help", "-v", "--version"] {
        assert!(matches!(Config::from_args([arg.into()]), Ok(Startup::Print(_))));
    }
}

#[test]
fn what_is_not_supported_is_refused_with_its_line() {
    let refusal = |text: &str| Config::from_text(text.as_bytes()).unwrap().unsupported.map(|e| e.to_string());
    for (text, line, reason) in [
        (
            "hz 10\nRENAME-command FLUSHALL \"\"\n",
            ">>> 'RENAME-command FLUSHALL \"\"'",
            "rename-command is not",
        ),
        ("port 0\ntls-port 6380", ">>> 'tls-port 6380'", "TLS is not supported"),
        ("port 1\nslaveof 10.0.0.1 6379", ">>> 'slaveof 10.0.0.1 6379'", "replication is not supported"),
        ("port 1\nreplicaof a 1\nreplicaof b 2", ">>> 'replicaof b 2'", "replication is not supported"),
    ] {
        let error = refusal(text).expect(text);
        assert!(error.contains(line) && error.contains(reason) && error.contains("at line "), "{error}");
    }
    for text in ["tls-port 6380\ntls-port 0", "replicaof a 1\nreplicaof no one", "appendonly yes", ""] {
        assert_eq!(refusal(text), None, "{text}");
    }
}

#[test]
fn changes_to_what_is_not_supported_are_refused() {
    let with = |pairs: &[(&[u8], &[u8])]| {
        let config = config(|_| {});
        config.set(pairs, Caller::default(), &check_change).map_err(|error| error.text())
    };
    assert_eq!(with(&[(b"appendonly", b"yes")]), Ok(()));
    let error = with(&[(b"hz", b"9"), (b"tls-port", b"1234")]).unwrap_err();
    assert!(error.starts_with(b"ERR CONFIG SET failed (possibly related to argument 'tls-port') - "));
    assert!(String::from_utf8(error).unwrap().contains("TLS is not supported"));
}

#[test]
fn lines_that_are_no_directives() {
    for text in ["user default nosuch", "loadmodule /x.so", "a.b c", "sentinel"] {
        assert!(Config::from_text(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn declared_users_are_checked() {
    let refusal = |text: &str| Config::from_text(text.as_bytes()).err().map(|error| error.to_string());
    for (text, reason) in [
        ("user a on\nuser a off", "Error in user declaration 'a': Duplicate user found."),
        ("user a ~* ~b", "Error in user declaration '~b': Adding a pattern after the * pattern"),
        ("user a #x", "Error in user declaration '(redacted)': The password hash must be exactly"),
        ("user a +nosuch", "Error in user declaration '+nosuch': Unknown command or category name in ACL"),
        ("user a (+get", "Error in user declaration '(+get': "),
        ("user \"a b\" on", "Spaces not allowed in ACL usernames"),
        ("user a on\naclfile /x", "please define either an ACL file or declare users directly"),
    ] {
        let error = refusal(text).expect(text);
        assert!(error.contains(reason), "{error}");
    }
    let launch = Config::from_text(b"user a on (+get ~x)\nUSER b off").unwrap();
    assert_eq!(launch.users.iter().map(|user| user.name.as_slice()).collect::<Vec<_>>(), [b"a", b"b"]);
}

#[test]
fn includes_end() {
    let folder = Folder::new();
    let file = folder.0.join("self.conf");
    let text = format!("include {}\n", file.display());
    std::fs::write(&file, text).unwrap();
    let error = Config::from_args([file.clone().into_os_string()]).err().unwrap();
    assert!(error.to_string().contains("include each other"), "{error}");

    let missing = Config::from_text(b"include /nowhere/at-all.conf").err().unwrap();
    let text = "Fatal error, can't open config file '/nowhere/at-all.conf': No such file or directory";
    assert_eq!(missing.to_string(), text);
    // After a `dir` line, relative paths count from there.
    folder.file("part.conf", "hz 77\n");
    let text = format!("dir {}\ninclude part.conf\ninclude p[a-b]rt.con?\n", folder.0.display());
    assert_eq!(Config::from_text(text.as_bytes()).unwrap().config.load().hz, 77);
}

#[test]
fn the_log_file_must_open() {
    let folder = Folder::new();
    let text = format!("logfile {}/no/where.log\n", folder.0.display());
    let error = Config::from_text(text.as_bytes()).err().unwrap();
    assert!(error.to_string().ends_with("Can't open the log file: No such file or directory"), "{error}");
    let text = format!("dir {}\nlogfile a.log\n", folder.0.display());
    Config::from_text(text.as_bytes()).unwrap();
    assert!(folder.0.join("a.log").exists());
}

#[test]
fn rewriting_needs_a_file_and_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let none = config(|_| {}).rewrite(&[]).unwrap_err();
    assert_eq!(none.to_string(), "ERR The server is running without a config file");

    let folder = Folder::new();
    let file = folder.file("x.conf", "nonsense here\nuser x on\nuser y on\nhz 20\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let config = Config::new(Settings::default(), Some(file.clone()));
    config.rewrite(&[b"user x off".to_vec()]).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# ??? nonsense here\nuser x off\n\nhz 10\n"), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "a temporary file was left");

    std::fs::remove_file(&file).unwrap();
    config.rewrite(&[]).unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("# Generated by CONFIG REWRITE\n"));

    let lost = Config::new(Settings::default(), Some(folder.0.join("no/where.conf")));
    assert_eq!(
        lost.rewrite(&[]).unwrap_err().to_string(),
        "ERR Rewriting config file: No such file or directory"
    );
}
