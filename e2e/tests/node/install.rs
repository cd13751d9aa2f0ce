//! The way of docs/install.md on a real node: images, helm install, the first program, helm test, uninstall.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use evaljob_e2e::cluster::SYSTEM_NAMESPACE;
use evaljob_e2e::kubectl::Output;
use evaljob_e2e::note::note;
use evaljob_e2e::{Case, chart, product_images, programs, trials_alone};
use libtest_mimic::Trial;

use crate::pods::import;

pub(crate) fn tests() -> Vec<Trial> {
    trials_alone![a_release_judges_and_hostile_programs_stay_inside]
}

const PATIENCE: Duration = Duration::from_secs(180);

async fn a_release_judges_and_hostile_programs_stay_inside(case: Case) -> Result<()> {
    import(&case, &product_images::operator()?).await?;
    let toolbox = programs::build_toolbox()?;
    import(&case, &product_images::agent_toolbox(&toolbox)?).await?;
    let start = Instant::now();
    accepted(install(&case).await?)?;
    let job = programs::checkout("examples/hello.yaml");
    let job = job.to_str().context("a path that is not text")?;
    case.kubectl().ok(&["create", "-f", job]).await?;
    let jobs = case.jobs().list(&kube::api::ListParams::default()).await?;
    let name = jobs.items.first().and_then(|job| job.metadata.name.clone());
    let name = name.context("no job")?;
    let judged = case.verdict(&name, PATIENCE).await;
    let seconds = start.elapsed().as_secs_f64();
    let state = dump(&case).await;
    let job = judged.with_context(|| state.clone())?;
    ensure!(
        job.data["status"]["verdict"] == "Accepted",
        "{:?}\n{state}",
        job.data
    );
    note(&format!(
        "helm install to the first verdict: {seconds:.1} s"
    ));

    let test = chart::helm_in(
        &case,
        &[
            "test",
            chart::RELEASE,
            "--namespace",
            SYSTEM_NAMESPACE,
            "--logs",
        ],
    )
    .await?;
    let state = dump(&case).await;
    ensure!(
        test.status.success(),
        "{} {}\n{state}",
        test.stdout,
        test.stderr
    );
    ensure!(
        test.stdout.contains("every program stayed inside"),
        "{}",
        test.stdout
    );

    accepted(
        chart::helm_in(
            &case,
            &[
                "uninstall",
                chart::RELEASE,
                "-n",
                SYSTEM_NAMESPACE,
                "--wait",
            ],
        )
        .await?,
    )?;
    // The CRD and the jobs stay.
    case.jobs().get(&name).await.map(drop).map_err(Into::into)
}

async fn install(case: &Case) -> Result<Output> {
    let chart = chart::path("").display().to_string();
    let registry = product_images::REGISTRY;
    let images = [
        format!("--set=operator.image.repository={registry}/evaljob-operator"),
        format!("--set=operator.image.tag={}", product_images::TAG),
        format!("--set=agent.image.repository={registry}/evaljob-agent"),
        format!("--set=agent.image.tag={}", product_images::TOOLBOX_TAG),
    ];
    let mut arguments = vec![
        "install",
        chart::RELEASE,
        &chart,
        "--namespace",
        SYSTEM_NAMESPACE,
        "--create-namespace",
        "--set=agent.allowCgroupV1=true",
        "--set=agent.resources.requests.cpu=100m",
    ];
    arguments.extend(images.iter().map(String::as_str));
    chart::helm_in(case, &arguments).await
}

/// What the release's Pods say.
async fn dump(case: &Case) -> String {
    let kubectl = case.cluster().kubectl();
    let mut text = String::new();
    for arguments in [
        &["get", "pods", "-o", "wide"][..],
        &["get", "events", "--sort-by=.lastTimestamp"],
        &["logs", "deployment/evaljob-operator", "--tail=20"],
        &["logs", "daemonset/evaljob-agent", "--tail=20"],
        &["logs", "pod/evaljob-selftest", "--tail=20"],
    ] {
        let mut all = vec!["--namespace", SYSTEM_NAMESPACE];
        all.extend(arguments);
        let said = kubectl.ok(&all).await;
        text += &said.unwrap_or_else(|error| error.to_string());
    }
    text
}

fn accepted(output: Output) -> Result<()> {
    ensure!(output.status.success(), "helm: {}", output.stderr);
    Ok(())
}
