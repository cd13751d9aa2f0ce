//! The agents of a release: what their Pods hold against jobs that fill them, and against faults of their own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::node::Node;
use evaljob_e2e::note::note;
use evaljob_e2e::suite::on_own_cluster;
use evaljob_e2e::wait::{self, Seen};
use evaljob_e2e::{Case, processes, release, trials_alone};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::ListParams;
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::stolen_token;

pub(crate) fn tests() -> Vec<Trial> {
    on_own_cluster(trials_alone![
        agents_outlive_full_slots_and_a_killed_launcher_and_their_tokens_are_powerless
    ])
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Slots of each agent.
const SLOTS: usize = 4;
/// Memory of a job that fills it, in MiB: four of them and the reserve of 128 fit into the container's 576.
const MEMORY: usize = 96;
const CONTAINER: &str = "576Mi";
/// More than the container has for runs.
const TOO_MUCH: &str = "512Mi";

async fn agents_outlive_full_slots_and_a_killed_launcher_and_their_tokens_are_powerless(
    case: Case,
) -> Result<()> {
    release::import_product(case.cluster()).await?;
    let slots = format!("--set=agent.slots={SLOTS}");
    let memory = format!("--set=agent.resources.limits.memory={CONTAINER}");
    let request = format!("--set=agent.resources.requests.memory={CONTAINER}");
    release::install(&case, &[&slots, &memory, &request]).await?;
    release::ready(&case).await?;
    let seen = async {
        stolen_token::is_powerless(&case).await?;
        tokio::try_join!(
            full_slots_end_no_agent(&case),
            what_no_container_holds_is_refused(&case)
        )?;
        a_killed_launcher_restarts_its_agent(&case).await
    };
    if let Err(error) = seen.await {
        return Err(error.context(release::said(&case).await));
    }
    release::uninstall(&case).await
}

/// The agents' Pods.
pub(crate) async fn agents(case: &Case) -> Result<Vec<Pod>> {
    let pods = Api::<Pod>::namespaced(case.client(), SYSTEM_NAMESPACE);
    let selected = ListParams::default().labels("app.kubernetes.io/component=agent");
    Ok(pods.list(&selected).await?.items)
}

/// The agent's Pod on a node, and the state of its container.
async fn agent_on(case: &Case, node: &str) -> Result<(Pod, ContainerStatus)> {
    let all = agents(case).await?;
    let here = |pod: &Pod| {
        pod.spec
            .as_ref()?
            .node_name
            .as_deref()
            .map(|name| name == node)
    };
    let pod = all.into_iter().find(|pod| here(pod) == Some(true));
    let pod = pod.with_context(|| format!("no agent on {node}"))?;
    let status = pod.status.clone().unwrap_or_default();
    let container = status.container_statuses.unwrap_or_default().pop();
    Ok((pod, container.context("no container")?))
}

/// Every slot of every node comes to its limit in the same second, and beyond it, three times.
async fn full_slots_end_no_agent(case: &Case) -> Result<()> {
    let nodes = case.cluster().nodes();
    let program = format!(
        "import time; x = [b'x' * (1 << 20) for _ in range({})]; time.sleep(1)\nwhile True: x.append(b'x' * (1 << 20))",
        MEMORY - 16
    );
    for round in 0..3 {
        let names: Vec<String> = (0..SLOTS * nodes.len())
            .map(|number| format!("full-{round}-{number}"))
            .collect();
        for name in &names {
            let limits = json!({"memory": format!("{MEMORY}Mi")});
            let spec = json!({"command": ["python3", "-c", program], "limits": limits});
            case.create(name, spec).await?;
        }
        for name in &names {
            let job = case.verdict(name, PATIENCE).await?;
            let status = &job.data["status"];
            ensure!(
                status["verdict"] == "MemoryLimitExceeded",
                "{name}: {status}"
            );
            ensure!(status["attempt"] == 1, "{name}: {status}");
        }
    }
    for node in nodes {
        let (pod, container) = agent_on(case, node.name()).await?;
        let peak = peak(node, &pod)?;
        note(&format!(
            "{}: {} MiB at most",
            pod.metadata.name.unwrap_or_default(),
            peak >> 20
        ));
        // Less where not all of them were there at once: then nothing is shown.
        ensure!(
            peak >> 20 >= SLOTS * (MEMORY - 16),
            "only {} MiB were used",
            peak >> 20
        );
        ensure!(
            container.restart_count == 0
                && container
                    .last_state
                    .is_none_or(|state| state.terminated.is_none()),
            "the agent was restarted"
        );
        accepted_on(case, &format!("after-full-{}", node.name()), node.name()).await?;
    }
    Ok(())
}

async fn what_no_container_holds_is_refused(case: &Case) -> Result<()> {
    let spec = json!({"command": ["true"], "limits": {"memory": TOO_MUCH}});
    not_placed(
        case,
        "too-big",
        spec,
        "2 are too small for 1 CPUs and 512 MiB",
    )
    .await
}

/// It is told why no node takes a job while it waits, and again when it ends with its time in the queue.
pub(crate) async fn not_placed(case: &Case, name: &str, mut spec: Value, why: &str) -> Result<()> {
    // The first look whether a node could take it is after five seconds.
    spec["maxQueueSeconds"] = 12.into();
    case.create(name, spec).await?;
    let jobs = case.jobs();
    wait::until("word of the obstacle", PATIENCE, || async {
        let job = jobs.get(name).await?;
        let status = &job.data["status"];
        ensure!(status["verdict"].is_null(), "{status}");
        let admitted = condition(status, "Admitted").cloned().unwrap_or_default();
        let said = admitted["message"].as_str().unwrap_or_default();
        let found = admitted["status"] == "False"
            && admitted["reason"] == "NoCapableNode"
            && said.contains(why);
        Ok(Seen::some(found.then_some(()), status))
    })
    .await?;
    let job = case.verdict(name, PATIENCE).await?;
    let status = &job.data["status"];
    ensure!(status["verdict"] == "DeadlineExceeded", "{status}");
    let admitted = condition(status, "Admitted").with_context(|| status.to_string())?;
    ensure!(admitted["reason"] == "QueueTimeout", "{status}");
    let message = status["message"].as_str().unwrap_or_default();
    ensure!(message.contains(why), "{message}");
    Ok(())
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = status["conditions"].as_array()?;
    all.iter().find(|condition| condition["type"] == kind)
}

/// The agent says so and ends; the kubelet starts it again, and its node is fit.
async fn a_killed_launcher_restarts_its_agent(case: &Case) -> Result<()> {
    let node = &case.cluster().nodes()[0];
    let agent = agent_process(node)?;
    let launcher = processes::children(agent);
    ensure!(launcher.len() == 1, "children of the agent: {launcher:?}");
    let pid = Pid::from_raw(launcher[0].try_into()?).context("not a PID")?;
    kill_process(pid, Signal::KILL)?;
    let container = wait::until("the agent to be started again", PATIENCE, || async {
        let (_, container) = agent_on(case, node.name()).await?;
        let again = container.restart_count == 1 && container.ready;
        let state = format!("{:?}", container.state);
        Ok(Seen::some(again.then_some(container), state))
    })
    .await?;
    let last = container.last_state.and_then(|state| state.terminated);
    let last = last.context("no last state")?;
    let message = last.message.unwrap_or_default();
    ensure!(
        last.exit_code == 1 && message.contains("the launcher is gone"),
        "{message}"
    );
    accepted_on(case, "after-launcher", node.name()).await
}

async fn accepted_on(case: &Case, name: &str, node: &str) -> Result<()> {
    let test = json!([{"name": "1", "expectedStdout": "1\n"}]);
    let spec = json!({
        "command": ["python3", "-c", "print(1)"],
        "tests": test,
        "nodeSelector": {"kubernetes.io/hostname": node},
    });
    case.create(name, spec).await?;
    let job = case.verdict(name, PATIENCE).await?;
    let status = &job.data["status"];
    ensure!(status["verdict"] == "Accepted", "{status}");
    ensure!(status["nodeName"] == node, "{status}");
    Ok(())
}

/// The agent itself, as this machine numbers it.
fn agent_process(node: &Node) -> Result<u32> {
    let all = node.processes()?.into_iter();
    let found = all.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.starts_with(b"/evaljob-agent\0serve\0")
    });
    let found: Vec<i32> = found.collect();
    ensure!(found.len() == 1, "agents on {}: {found:?}", node.name());
    Ok(found[0].try_into()?)
}

/// Most bytes that a Pod has used.
fn peak(node: &Node, pod: &Pod) -> Result<usize> {
    let pid = agent_process(node)?;
    let uid = pod.metadata.uid.as_deref().context("no uid")?;
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let controllers = |line: &str| line.split(':').nth(1).map(str::to_owned);
    let of_memory = |line: &&str| {
        controllers(line).is_some_and(|all| all.split(',').any(|one| one == "memory"))
    };
    let (root, line, file) = match text.lines().find(of_memory) {
        Some(line) => ("/sys/fs/cgroup/memory", line, "memory.max_usage_in_bytes"),
        None => ("/sys/fs/cgroup", text.trim(), "memory.peak"),
    };
    let path = line.splitn(3, ':').nth(2).context("no path")?;
    let (above, _) = path
        .split_once(uid)
        .context("a cgroup that is not the Pod's")?;
    let directory = Path::new(root).join(format!("{above}{uid}").trim_start_matches('/'));
    let bytes = fs::read_to_string(directory.join(file))?;
    Ok(bytes.trim().parse()?)
}
