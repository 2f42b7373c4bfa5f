//! The Kubernetes manifests: valid to the letter, consistent with each other, and what they start works: the very
//! command, arguments, configuration and probes run here as local processes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use moonshard_tests::port::Port;
use moonshard_tests::resp::Client;
use moonshard_tests::server::{moonshard_binary, temp_dir};
use saphyr::{LoadableYamlNode, YamlOwned};

/// How long the server may take until its startup probe succeeds. Less than the manifest allows.
const UP_WITHIN: Duration = Duration::from_secs(60);
/// The port in the manifests and in the image.
const PORT: &str = "6379";

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

fn base() -> PathBuf {
    deploy("kubernetes/base")
}

fn documents(file: &Path) -> Vec<YamlOwned> {
    let source = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    YamlOwned::load_from_str(&source).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The files that kustomize would read.
fn resource_files() -> Vec<PathBuf> {
    strings(&documents(&base().join("kustomization.yaml"))[0], "resources")
        .iter()
        .map(|f| base().join(f))
        .collect()
}

fn resources() -> Vec<YamlOwned> {
    resource_files().iter().flat_map(|file| documents(file)).collect()
}

fn resource(kind: &str, name: &str) -> YamlOwned {
    let found = resources().into_iter().find(|r| text(r, "kind") == kind && text(r, "metadata/name") == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} among the resources"))
}

/// What stands at a path of keys and positions, `a/b/0/c`.
fn at<'a>(node: &'a YamlOwned, path: &str) -> Option<&'a YamlOwned> {
    path.split('/').filter(|step| !step.is_empty()).try_fold(node, |node, step| match step.parse() {
        Ok(position) => node.as_sequence_get(position),
        Err(_) => node.as_mapping_get(step),
    })
}

fn text(node: &YamlOwned, path: &str) -> String {
    at(node, path).and_then(YamlOwned::as_str).unwrap_or_else(|| panic!("no text at {path}")).to_owned()
}

fn number(node: &YamlOwned, path: &str) -> i64 {
    at(node, path).and_then(YamlOwned::as_integer).unwrap_or_else(|| panic!("no number at {path}"))
}

fn truth(node: &YamlOwned, path: &str) -> bool {
    at(node, path).and_then(YamlOwned::as_bool).unwrap_or_else(|| panic!("no true or false at {path}"))
}

fn list(node: &YamlOwned, path: &str) -> Vec<YamlOwned> {
    at(node, path).map_or_else(Vec::new, |found| {
        found.as_sequence().unwrap_or_else(|| panic!("no list at {path}")).to_vec()
    })
}

fn strings(node: &YamlOwned, path: &str) -> Vec<String> {
    let items = list(node, path);
    items
        .iter()
        .map(|item| item.as_str().unwrap_or_else(|| panic!("not a text in {path}")).to_owned())
        .collect()
}

fn pairs(node: &YamlOwned, path: &str) -> BTreeSet<(String, String)> {
    let mapping =
        at(node, path).and_then(YamlOwned::as_mapping).unwrap_or_else(|| panic!("no mapping at {path}"));
    let word = |node: &YamlOwned| node.as_str().unwrap_or_else(|| panic!("not a text in {path}")).to_owned();
    mapping.iter().map(|(key, value)| (word(key), word(value))).collect()
}

fn pod_of(statefulset: &YamlOwned) -> &YamlOwned {
    at(statefulset, "spec/template/spec").expect("a pod template")
}

fn container_of(statefulset: &YamlOwned) -> &YamlOwned {
    at(pod_of(statefulset), "containers/0").expect("a container")
}

/// The arguments of an instruction of the Dockerfile that is written as a list.
fn instruction(name: &str) -> Vec<String> {
    let dockerfile = fs::read_to_string(deploy("Dockerfile")).unwrap();
    let line = dockerfile.lines().find(|line| line.starts_with(name)).expect("the instruction");
    strings(&YamlOwned::load_from_str(line[name.len()..].trim()).unwrap()[0], "")
}

/// Runs kubernetes-validate. Without it the test fails: a check that did not run has not passed.
fn validate(file: &Path) -> Output {
    let validator = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/.venv/bin/kubernetes-validate");
    assert!(
        validator.is_file(),
        "{} is missing, so the manifests cannot be checked. Make it with\n  \
         python3 -m venv tests/clients/.venv && tests/clients/.venv/bin/pip install kubernetes-validate",
        validator.display()
    );
    Command::new(validator).arg("--strict").arg(file).output().expect("kubernetes-validate runs")
}

#[test]
fn every_manifest_is_valid() {
    for file in resource_files() {
        let verdict = validate(&file);
        assert!(
            verdict.status.success(),
            "{}:\n{}{}",
            file.display(),
            String::from_utf8_lossy(&verdict.stdout),
            String::from_utf8_lossy(&verdict.stderr)
        );
    }
}

#[test]
fn the_validator_finds_a_wrong_type_and_an_unknown_field() {
    let dir = temp_dir();
    let good = fs::read_to_string(base().join("statefulset.yaml")).unwrap();
    for (name, bad) in [("type.yaml", "replicas: one"), ("field.yaml", "replicaz: 1")] {
        let file = dir.join(name);
        fs::write(&file, good.replace("replicas: 1", bad)).unwrap();
        assert!(!validate(&file).status.success(), "{bad} went through");
    }
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn kustomize_reads_every_manifest_that_is_there() {
    let listed: BTreeSet<PathBuf> = resource_files().into_iter().collect();
    let there = fs::read_dir(base()).unwrap().map(|entry| entry.unwrap().path());
    let there: BTreeSet<PathBuf> = there.filter(|file| !file.ends_with("kustomization.yaml")).collect();
    assert_eq!(listed, there);
}

#[test]
fn the_manifests_agree_with_each_other() {
    let set = resource("StatefulSet", "moonshard");
    let labels = pairs(&set, "spec/template/metadata/labels");
    assert!(pairs(&set, "spec/selector/matchLabels").is_subset(&labels));
    let budget = resource("PodDisruptionBudget", "moonshard");
    assert!(pairs(&budget, "spec/selector/matchLabels").is_subset(&labels));
    let policy = resource("NetworkPolicy", "moonshard");
    assert!(pairs(&policy, "spec/podSelector/matchLabels").is_subset(&labels));
    assert_eq!(text(&policy, "spec/ingress/0/ports/0/port"), "redis");
    assert!(!pairs(&policy, "spec/ingress/0/from/0/podSelector/matchLabels").is_empty());
    assert_eq!(list(&policy, "spec/ingress").len(), 1, "one way in");

    let container = container_of(&set);
    assert_eq!(text(container, "ports/0/name"), "redis");
    assert_eq!(number(container, "ports/0/containerPort").to_string(), PORT);
    for name in ["moonshard".to_owned(), text(&set, "spec/serviceName")] {
        let service = resource("Service", &name);
        assert!(pairs(&service, "spec/selector").is_subset(&labels));
        assert_eq!(text(&service, "spec/ports/0/targetPort"), "redis");
    }
    let headless = resource("Service", &text(&set, "spec/serviceName"));
    assert_eq!(text(&headless, "spec/clusterIP"), "None");
}

#[test]
fn the_pod_has_no_right_that_it_does_not_need() {
    let set = resource("StatefulSet", "moonshard");
    let (pod, container) = (pod_of(&set), container_of(&set));
    assert!(truth(pod, "securityContext/runAsNonRoot"));
    assert_eq!(text(pod, "securityContext/seccompProfile/type"), "RuntimeDefault");
    assert!(!truth(pod, "automountServiceAccountToken"));
    assert!(!truth(pod, "enableServiceLinks"));
    assert!(truth(container, "securityContext/readOnlyRootFilesystem"));
    assert!(!truth(container, "securityContext/allowPrivilegeEscalation"));
    assert_eq!(strings(container, "securityContext/capabilities/drop"), ["ALL"]);

    let (user, group) = (number(pod, "securityContext/runAsUser"), number(pod, "securityContext/runAsGroup"));
    assert_eq!(number(pod, "securityContext/fsGroup"), group, "so that the volume can be written");
    let dockerfile = fs::read_to_string(deploy("Dockerfile")).unwrap();
    assert!(dockerfile.lines().any(|line| line == format!("USER {user}:{group}")));
    assert_eq!(strings(container, "command"), instruction("ENTRYPOINT"));
}

/// Bytes of `4Gi` or `3gb`.
fn bytes(size: &str) -> u64 {
    let digits = size.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &size[digits.len()..] {
        "Gi" | "gb" => 1 << 30,
        "Mi" | "mb" => 1 << 20,
        other => panic!("a size in {other}"),
    };
    digits.parse::<u64>().unwrap() * unit
}

#[test]
fn the_memory_limit_leaves_room_beside_the_data() {
    let conf = text(&resource("ConfigMap", "moonshard"), "data/moonshard.conf");
    let maxmemory = conf.lines().find_map(|line| line.strip_prefix("maxmemory ")).expect("maxmemory is set");
    let set = resource("StatefulSet", "moonshard");
    let limit = bytes(&text(container_of(&set), "resources/limits/memory"));
    assert!(bytes(maxmemory) * 5 <= limit * 4, "{maxmemory} of data in {limit} bytes");
}

/// The StatefulSet's pod as a local process: its mounts are directories here, its port is a free one, and nothing else
/// differs from what the manifests say.
struct Pod {
    set: YamlOwned,
    root: PathBuf,
    port: Port,
    child: Option<Child>,
}

impl Pod {
    /// The pod with its volumes filled, not yet started.
    fn new() -> Pod {
        let set = resource("StatefulSet", "moonshard");
        let pod = Pod { set, root: temp_dir(), port: Port::free(), child: None };
        for (name, _) in pod.mounts() {
            pod.fill(&name);
        }
        pod
    }

    /// Each mount's volume and path, the longest path first, so that none hides what lies below it.
    fn mounts(&self) -> Vec<(String, String)> {
        let mounts = list(container_of(&self.set), "volumeMounts");
        let mut mounts: Vec<_> = mounts.iter().map(|m| (text(m, "name"), text(m, "mountPath"))).collect();
        mounts.sort_by_key(|(_, path)| std::cmp::Reverse(path.len()));
        mounts
    }

    /// Makes a volume's directory with what the ConfigMap or Secret behind it holds.
    fn fill(&self, name: &str) {
        let dir = self.root.join(name);
        fs::create_dir_all(&dir).unwrap();
        let volumes = list(pod_of(&self.set), "volumes");
        let Some(volume) = volumes.iter().find(|volume| text(volume, "name") == name) else {
            let claims = list(&self.set, "spec/volumeClaimTemplates");
            assert!(claims.iter().any(|claim| text(claim, "metadata/name") == name), "no volume {name}");
            return;
        };
        if at(volume, "configMap/optional").is_some() {
            return;
        }
        let files = match at(volume, "configMap") {
            Some(source) => pairs(&resource("ConfigMap", &text(source, "name")), "data"),
            None => pairs(&resource("Secret", &text(volume, "secret/secretName")), "stringData"),
        };
        for (file, content) in files {
            fs::write(dir.join(file), self.map(&content)).unwrap();
        }
    }

    /// A text of the manifests with the paths and the port of this machine.
    fn map(&self, text: &str) -> String {
        let mounts = self.mounts();
        let text = mounts.iter().fold(text.to_owned(), |text, (name, path)| {
            text.replace(path, self.root.join(name).to_str().unwrap())
        });
        text.replace(PORT, &self.port.number().to_string())
    }

    /// A command of the container, with its environment and no other.
    fn command(&self, words: &[String]) -> Command {
        let container = container_of(&self.set);
        assert_eq!(words[0], "/moonshard", "the image holds nothing else");
        let mut command = Command::new(moonshard_binary());
        command.args(words[1..].iter().map(|word| self.map(word))).env_clear();
        command.current_dir(self.map(&text(container, "workingDir")));
        for variable in list(container, "env") {
            command.env(text(&variable, "name"), self.map(&text(&variable, "value")));
        }
        command
    }

    fn start(&mut self) {
        let container = container_of(&self.set);
        let words = [strings(container, "command"), strings(container, "args")].concat();
        let mut command = self.command(&words);
        self.spawn(&mut command);
    }

    fn spawn(&mut self, command: &mut Command) {
        let log = fs::File::create(self.root.join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        // SAFETY: prctl is async-signal-safe and touches no memory; it ties the child's life to its parent's.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        self.child = Some(command.spawn().expect("the server starts"));
    }

    /// Runs a probe once.
    fn probe(&self, name: &str) -> Output {
        let words = strings(container_of(&self.set), &format!("{name}/exec/command"));
        self.command(&words).output().expect("the probe runs")
    }

    fn passes(&self, name: &str) -> bool {
        self.probe(name).status.success()
    }

    /// Probes as the kubelet does until the server is up.
    fn wait_until_up(&mut self) {
        let deadline = Instant::now() + UP_WITHIN;
        while !self.passes("startupProbe") {
            let ended = self.child.as_mut().expect("started").try_wait().unwrap();
            assert!(ended.is_none(), "the server ended ({ended:?}):\n{}", self.log());
            assert!(Instant::now() < deadline, "the startup probe does not succeed:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Probes as the kubelet does until clients are sent to it.
    fn wait_until_ready(&mut self) {
        self.wait_until_up();
        let deadline = Instant::now() + UP_WITHIN;
        loop {
            let probe = self.probe("readinessProbe");
            if probe.status.success() {
                return;
            }
            let answer = String::from_utf8_lossy(&probe.stderr).into_owned();
            assert!(Instant::now() < deadline, "not ready: {answer}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks the process to end, as the kubelet does; its exit code, or none if it outlives the grace period.
    fn stop(&mut self) -> Option<i32> {
        let grace = number(pod_of(&self.set), "terminationGracePeriodSeconds");
        let child = self.child.as_mut().expect("started");
        // SAFETY: kill only passes two integers; the child has not been waited for, so its pid is still its own.
        unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) };
        let deadline = Instant::now() + Duration::from_secs(grace as u64);
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.root.join("log")).unwrap_or_default()).into_owned()
    }

    fn connect(&self) -> Client {
        Client::tcp(self.port.number()).expect("a connection")
    }

    /// The password that the Secret gives to the server.
    fn password(&self) -> String {
        let secret = text(&resource("Secret", "moonshard-auth"), "stringData/auth.conf");
        let line = secret.lines().find_map(|line| line.strip_prefix("requirepass "));
        line.expect("the Secret sets a password").to_owned()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the log of the pod:\n{}", self.log());
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn reply(client: &mut Client, words: &[&str]) -> String {
    client.command(words).expect("a reply").text()
}

#[test]
fn the_pod_runs_as_written() {
    let mut pod = Pod::new();
    let library = "#!lua name=l\nredis.register_function('f', function() return 'from a file' end)";
    fs::write(pod.root.join("functions/l.lua"), library).unwrap();
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert!(!pod.passes(probe), "{probe} succeeds before anything runs");
    }
    pod.start();
    pod.wait_until_ready();
    assert!(pod.passes("livenessProbe"));

    let mut client = pod.connect();
    assert!(reply(&mut client, &["PING"]).contains("NOAUTH"), "it serves without the password");
    assert!(reply(&mut client, &["AUTH", &pod.password()]).contains("OK"));
    assert!(reply(&mut client, &["SET", "key", "value"]).contains("OK"));
    assert!(reply(&mut client, &["GET", "key"]).contains("value"));
    assert!(reply(&mut client, &["FCALL", "f", "0"]).contains("from a file"));
    let dir = fs::canonicalize(pod.root.join("data")).unwrap();
    assert!(reply(&mut client, &["CONFIG", "GET", "dir"]).contains(dir.to_str().unwrap()));

    fs::write(pod.root.join("auth/auth.conf"), "requirepass another\n").unwrap();
    assert!(!pod.passes("readinessProbe"), "ready for a wrong password");
    assert!(pod.passes("livenessProbe"), "a wrong password must not restart the server");

    assert_eq!(pod.stop(), Some(0), "the exit code after SIGTERM");
    assert!(!pod.passes("livenessProbe"), "alive after its end");
}

/// A setting of the configuration in the ConfigMap.
fn setting(name: &str) -> String {
    let conf = text(&resource("ConfigMap", "moonshard"), "data/moonshard.conf");
    let line = conf.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("{name} is not set")).to_owned()
}

#[test]
fn what_was_written_outlives_the_pod() {
    let mut pod = Pod::new();
    for round in 0..3 {
        pod.start();
        pod.wait_until_ready();
        let mut client = pod.connect();
        reply(&mut client, &["AUTH", &pod.password()]);
        for earlier in 0..round {
            assert!(
                reply(&mut client, &["GET", &format!("key:{earlier}")]).contains("value"),
                "round {round}"
            );
        }
        assert!(reply(&mut client, &["SET", &format!("key:{round}"), "value"]).contains("OK"));
        assert_eq!(pod.stop(), Some(0));
        // The log alone is enough.
        let _ = fs::remove_file(pod.root.join("data/dump.rdb"));
        assert!(pod.root.join("data/appendonlydir").is_dir());
    }
}

#[test]
fn a_pod_that_loads_is_alive_and_not_ready() {
    let mut pod = Pod::new();
    let folder = pod.root.join("data/appendonlydir");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("appendonly.aof.manifest"), "file appendonly.aof.1.incr.aof seq 1 type i\n")
        .unwrap();
    let commands: String =
        (0..200).map(|n| format!("*3\r\n$3\r\nSET\r\n$3\r\n{n:03}\r\n$1\r\nx\r\n")).collect();
    fs::write(folder.join("appendonly.aof.1.incr.aof"), commands).unwrap();
    let conf = pod.root.join("conf/moonshard.conf");
    fs::write(&conf, fs::read_to_string(&conf).unwrap() + "\nkey-load-delay 1000000\n").unwrap();
    pod.start();
    pod.wait_until_up();
    assert!(pod.passes("livenessProbe"));
    let probe = pod.probe("readinessProbe");
    assert!(
        !probe.status.success() && String::from_utf8_lossy(&probe.stderr).contains("LOADING"),
        "{probe:?}"
    );
    let mut client = pod.connect();
    reply(&mut client, &["AUTH", &pod.password()]);
    assert!(reply(&mut client, &["CONFIG", "SET", "key-load-delay", "0"]).contains("OK"));
    pod.wait_until_ready();
    assert!(reply(&mut client, &["DBSIZE"]).contains(":200"));
}

#[test]
fn there_is_room_and_time_for_what_is_written() {
    assert_eq!((setting("appendonly"), setting("appendfsync")), ("yes".to_owned(), "everysec".to_owned()));
    let set = resource("StatefulSet", "moonshard");
    let maxmemory = bytes(&setting("maxmemory"));
    let claim = text(&set, "spec/volumeClaimTemplates/0/spec/resources/requests/storage");
    assert!(bytes(&claim) >= 5 * maxmemory, "{claim} for {maxmemory} bytes");
    let grace = number(pod_of(&set), "terminationGracePeriodSeconds") as u64;
    assert!(grace * 20_000_000 >= maxmemory, "{grace} seconds for {maxmemory} bytes");
    let mount =
        list(container_of(&set), "volumeMounts").into_iter().find(|mount| text(mount, "name") == "data");
    assert_eq!(mount.map(|mount| text(&mount, "mountPath")), Some(setting("dir")));
}

#[test]
fn the_image_alone_answers_and_keeps_protected_mode() {
    let mut pod = Pod::new();
    let mut command = pod.command(&[instruction("ENTRYPOINT"), instruction("CMD")].concat());
    command.args(["--port", &pod.port.number().to_string()]);
    pod.spawn(&mut command);
    pod.wait_until_ready();
    assert!(reply(&mut pod.connect(), &["PING"]).contains("PONG"));
    assert!(reply(&mut pod.connect(), &["CONFIG", "GET", "protected-mode"]).contains("yes"));
    assert_eq!(pod.stop(), Some(0), "the exit code after SIGTERM");
}
