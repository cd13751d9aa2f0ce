//! The binary as it runs on a node: the real sandbox, signals, the end of the process.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use evaljob_crds::EvalJobStatus;
use evaljob_crds::wire::{Run, agent_message};
use evaljob_sandbox::needed_capabilities;

use crate::support::operator::{Authority, NAME, Operator, Stream, identity, result_of, run};
use crate::support::until;

/// The agent's process. Killed when the test ends before it.
struct Agent(Child);

impl Agent {
    /// `drain`: seconds for what runs at the end.
    fn start(authority: &Authority, operator: &Operator, drain: &str) -> Self {
        let child = serve(&[], authority, operator)
            .args(["--drain-seconds", drain])
            .spawn();
        Self(child.unwrap())
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    async fn ended(mut self) -> ExitStatus {
        let mut status = None;
        until("the process to end", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command of an agent with two slots; `under`: a program and its arguments that start it.
fn serve(under: &[&str], authority: &Authority, operator: &Operator) -> Command {
    let token = authority.directory().join("token");
    std::fs::write(&token, "token").unwrap();
    let words = under
        .iter()
        .copied()
        .chain([env!("CARGO_BIN_EXE_evaljob-agent"), "serve"]);
    let words: Vec<&str> = words.collect();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .args(["--operator", &operator.address.to_string()])
        .args(["--operator-name", NAME, "--slots", "2"])
        .arg("--operator-ca")
        .arg(authority.file())
        .arg("--token-file")
        .arg(token)
        .args(["--node-name", "n1", "--allow-cgroup-v1"])
        .env_clear();
    command
}

/// Welcomes an agent, which must be able to enforce every layer here.
async fn welcomed(operator: &mut Operator) -> Stream {
    let stream = operator.welcomed(1).await;
    let health = stream.hello.health.clone().unwrap();
    assert!(
        health.ready,
        "this test needs root and a machine that enforces every layer: {health:?}"
    );
    stream
}

/// A run of a shell script.
fn script(uid: &str, text: &str) -> Run {
    let spec = serde_json::json!({"command": ["/bin/sh", "-c", text], "outputs": [{"path": "out", "maxSize": "1Ki"}]});
    Run {
        spec: serde_json::to_vec(&spec).unwrap(),
        ..run("", uid, 1)
    }
}

async fn status_of(stream: &mut Stream) -> EvalJobStatus {
    let pick = |message| match message {
        agent_message::Message::Done(done) => serde_json::from_slice(&done.status).ok(),
        _ => None,
    };
    stream.find(pick).await
}

/// Children of a process, of whatever thread.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task");
    let tasks = std::fs::read_dir(path).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| {
            let pids: Vec<u32> = text
                .split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect();
            pids
        })
        .collect()
}

/// Its command line; empty where it is gone.
fn command_line(pid: u32) -> String {
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
    line.unwrap_or_default().replace('\0', " ")
}

/// Processes below this one, by their command lines.
fn descendants() -> Vec<String> {
    let mut open = children(std::process::id());
    let mut found = Vec::new();
    while let Some(pid) = open.pop() {
        open.extend(children(pid));
        found.push(command_line(pid));
    }
    found
}

/// The processes of an agent that keep rights.
#[derive(Debug, Clone, Copy)]
struct Privileged {
    launcher: u32,
    spawner: u32,
}

impl Privileged {
    /// `None` while one of the two is missing.
    fn of(agent: &Agent) -> Option<Self> {
        let only = |parent: u32| match children(parent)[..] {
            [one] if command_line(one).starts_with("evaljob-launcher") => Some(one),
            _ => None,
        };
        let launcher = only(agent.0.id())?;
        let spawner = only(launcher)?;
        Some(Self { launcher, spawner })
    }
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::KILL).unwrap();
}

/// A field of /proc/PID/status of a process or of one of its threads.
fn status_field(directory: &Path, field: &str) -> String {
    let text = std::fs::read_to_string(directory.join("status")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{field} in {text}"))
        .trim()
        .to_owned()
}

/// CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID, SYS_ADMIN.
const SIX: &str = "00000000002000cb";
const NONE: &str = "0000000000000000";

/// The agent has no right over the node, in any thread; what makes sandboxes has exactly six capabilities.
fn rights_are_where_they_belong(agent: &Agent) {
    let process = Path::new("/proc").join(agent.0.id().to_string());
    let threads: Vec<_> = std::fs::read_dir(process.join("task"))
        .unwrap()
        .map(|thread| thread.unwrap().path())
        .collect();
    assert!(threads.len() > 3, "{threads:?}");
    for thread in &threads {
        for (field, wanted) in [
            ("Uid", "65532\t65532\t65532\t65532"),
            ("Gid", "65532\t65532\t65532\t65532"),
            ("Groups", ""),
            ("CapInh", NONE),
            ("CapPrm", NONE),
            ("CapEff", NONE),
            ("CapBnd", NONE),
            ("CapAmb", NONE),
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
        ] {
            assert_eq!(status_field(thread, field), wanted, "{field} of {thread:?}");
        }
    }
    let privileged = Privileged::of(agent).expect("launcher and spawner, and nobody else");
    for pid in [privileged.launcher, privileged.spawner] {
        let path = &Path::new("/proc").join(pid.to_string());
        for (field, wanted) in [
            ("CapInh", NONE),
            ("CapPrm", SIX),
            ("CapEff", SIX),
            ("CapBnd", SIX),
            ("CapAmb", NONE),
        ] {
            assert_eq!(status_field(path, field), wanted, "{field} of {path:?}");
        }
    }
}

/// Held by each test: what a process leaves behind is only told apart while no other one runs.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn a_real_run_ends_in_its_verdict_and_a_terminated_agent_leaves_nothing() {
    let _alone = ALONE.lock().await;
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(&authority, &operator, "1");
    let mut stream = welcomed(&mut operator).await;
    assert!(stream.hello.memory > 0 && stream.hello.landlock_abi > 0);
    rights_are_where_they_belong(&agent);
    stream.run(script("a", "echo hello; printf exact > out"));
    let status = status_of(&mut stream).await;
    assert_eq!(status.verdict.as_deref(), Some("Completed"), "{status:?}");
    assert!(status.enforcement.is_some(), "{status:?}");
    assert_eq!(
        status.outputs[0].content_base64.as_deref(),
        Some("ZXhhY3Q=")
    );
    stream.ack(identity("a", 1));
    stream.run(script("b", "exit 3"));
    assert_eq!(stream.find(result_of("b")).await, "RuntimeError");
    stream.ack(identity("b", 1));
    // Both slots are taken; one job is cancelled, the other one outlives the drain time.
    let sleeper = "sleep 987654 & sleep 987654";
    stream.run(script("c", sleeper));
    stream.run(script("d", sleeper));
    let sleeping = |count: usize| {
        let lines = descendants();
        lines
            .iter()
            .filter(|line| line.starts_with("sleep 987654"))
            .count()
            == count
    };
    until("both jobs to run", || sleeping(4)).await;
    stream.cancel(identity("c", 1), Some("Cancelled"));
    assert_eq!(stream.find(result_of("c")).await, "Cancelled");
    stream.ack(identity("c", 1));
    until("its processes to be gone", || sleeping(2)).await;
    agent.terminate();
    stream.ended().await;
    let mut stream = operator.stream().await;
    assert!(!stream.hello.health.as_ref().unwrap().ready);
    stream.welcome(1, &[identity("d", 1)]);
    assert_eq!(stream.find(result_of("d")).await, "InfrastructureError");
    stream.ack(identity("d", 1));
    assert!(agent.ended().await.success());
    assert_eq!(descendants(), [""; 0], "processes are left");
}

#[tokio::test]
async fn a_killed_spawner_is_replaced_and_an_agent_whose_launcher_was_killed_ends() {
    let _alone = ALONE.lock().await;
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(&authority, &operator, "30");
    let mut stream = welcomed(&mut operator).await;
    let first = Privileged::of(&agent).unwrap();
    // Nothing runs, so no run fails that would tell of it.
    kill(first.spawner);
    until("another spawner", || {
        Privileged::of(&agent).is_some_and(|now| now.spawner != first.spawner)
    })
    .await;
    stream.run(script("a", "exit 3"));
    assert_eq!(stream.find(result_of("a")).await, "RuntimeError");
    stream.ack(identity("a", 1));
    stream.run(script("b", "sleep 2"));
    until("a job that runs", || {
        descendants().iter().any(|line| line.starts_with("sleep 2"))
    })
    .await;
    kill(first.launcher);
    stream.ended().await;
    let mut stream = operator.stream().await;
    assert!(!stream.hello.health.as_ref().unwrap().ready);
    stream.welcome(1, &[identity("b", 1)]);
    assert_eq!(
        stream.find(result_of("b")).await,
        "Completed",
        "what runs has its time"
    );
    stream.ack(identity("b", 1));
    assert_eq!(agent.ended().await.code(), Some(1));
    until("its processes to be gone", || descendants().is_empty()).await;
}

/// Starts a program as root without one capability.
fn without(capability: &str) -> [String; 2] {
    let bound = format!("--bounding-set=-{}", capability.to_lowercase());
    ["/usr/bin/setpriv".to_owned(), bound]
}

#[tokio::test]
async fn an_agent_names_the_capability_that_it_lacks_before_any_run() {
    let _alone = ALONE.lock().await;
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    // What misses each is shown by the container tests of the sandbox.
    for capability in needed_capabilities() {
        let under = without(capability);
        let under = under.each_ref().map(String::as_str);
        let lacks = |text: &str| {
            let named = text.contains(&format!(" lacks {capability}"));
            assert!(named, "without {capability}: {text}");
        };
        let mut doctor = Command::new(under[0]);
        let doctor = doctor
            .args(&under[1..])
            .arg(env!("CARGO_BIN_EXE_evaljob-agent"));
        let said = doctor
            .args(["doctor", "--allow-cgroup-v1"])
            .output()
            .unwrap();
        assert_eq!(said.status.code(), Some(1), "without {capability}");
        let said = String::from_utf8(said.stdout).unwrap();
        let failed: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("FAIL"))
            .collect();
        assert_eq!(failed.len(), 1, "without {capability}: {said}");
        assert!(failed[0].starts_with("FAIL Capabilities "), "{said}");
        lacks(failed[0]);
        let mut command = serve(&under, &authority, &operator);
        if matches!(capability, "SETUID" | "SETGID") {
            // It would have to go on as root.
            let ended = command.output().unwrap();
            assert!(!ended.status.success(), "without {capability}");
            lacks(&String::from_utf8(ended.stderr).unwrap());
            continue;
        }
        let agent = Agent(command.args(["--drain-seconds", "0"]).spawn().unwrap());
        let stream = operator.welcomed(1).await;
        let health = stream.hello.health.clone().unwrap();
        assert_eq!(
            (health.ready, health.layer.as_str()),
            (false, "Capabilities")
        );
        lacks(&health.message);
        agent.terminate();
        stream.ended().await;
        assert!(agent.ended().await.success());
    }
    until("every process to be gone", || descendants().is_empty()).await;
}
