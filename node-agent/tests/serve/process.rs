//! The binary as it runs on a node: the real sandbox, signals, the end of the process.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use evaljob_crds::EvalJobStatus;
use evaljob_crds::wire::{Run, agent_message};

use crate::support::operator::{Authority, NAME, Operator, Stream, identity, result_of, run};
use crate::support::until;

/// The agent's process. Killed when the test ends before it.
struct Agent(Child);

impl Agent {
    fn start(authority: &Authority, operator: &Operator) -> Self {
        let token = authority.directory().join("token");
        std::fs::write(&token, "token").unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_evaljob-agent"))
            .arg("serve")
            .args(["--operator", &operator.address.to_string()])
            .args([
                "--operator-name",
                NAME,
                "--slots",
                "2",
                "--drain-seconds",
                "1",
            ])
            .arg("--operator-ca")
            .arg(authority.file())
            .arg("--token-file")
            .arg(token)
            .args(["--node-name", "n1", "--allow-cgroup-v1"])
            .env_clear()
            .stderr(Stdio::inherit())
            .stdout(Stdio::inherit())
            .spawn()
            .unwrap();
        Self(child)
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

/// Processes below this one, by their command lines.
fn descendants() -> Vec<String> {
    let children = |pid: u32| -> Vec<u32> {
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
    };
    let mut open = children(std::process::id());
    let mut found = Vec::new();
    while let Some(pid) = open.pop() {
        open.extend(children(pid));
        let mut line = String::new();
        let file = std::fs::File::open(Path::new("/proc").join(pid.to_string()).join("cmdline"));
        if let Ok(mut file) = file {
            let _ = file.read_to_string(&mut line);
        }
        found.push(line.replace('\0', " "));
    }
    found
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
    let privileged: Vec<_> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let line = std::fs::read_to_string(path.join("cmdline")).ok()?;
            let parent = std::fs::read_to_string(path.join("stat")).ok()?;
            let parent = parent.rsplit_once(") ")?.1.split(' ').nth(1)?.to_owned();
            line.starts_with("evaljob-launcher")
                .then_some((path, parent))
        })
        .collect();
    let id = agent.0.id().to_string();
    let launcher = privileged.iter().find(|(_, parent)| *parent == id);
    let launcher = launcher.map(|(path, _)| path.file_name().unwrap().to_owned());
    let launcher = launcher.expect("a launcher").into_string().unwrap();
    let ours = |(path, parent): &&(std::path::PathBuf, String)| {
        *parent == launcher || path.ends_with(&launcher)
    };
    let ours: Vec<_> = privileged.iter().filter(ours).collect();
    assert_eq!(ours.len(), 2, "launcher and spawner: {privileged:?}");
    for (path, _) in ours {
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

/// One test: what the process leaves behind is only told apart while no other one runs.
#[tokio::test]
async fn a_real_run_ends_in_its_verdict_and_a_terminated_agent_leaves_nothing() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(&authority, &operator);
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
