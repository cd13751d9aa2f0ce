//! The way of docs/install.md on a real node: images, helm install, the first program, helm test, uninstall.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use evaljob_e2e::note::note;
use evaljob_e2e::{Case, programs, release, trials_alone};
use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    trials_alone![a_release_judges_and_hostile_programs_stay_inside]
}

const PATIENCE: Duration = Duration::from_secs(180);

async fn a_release_judges_and_hostile_programs_stay_inside(case: Case) -> Result<()> {
    release::import_product(case.cluster()).await?;
    let start = Instant::now();
    release::install(&case, &[]).await?;
    let job = programs::checkout("examples/hello.yaml");
    let job = job.to_str().context("a path that is not text")?;
    case.kubectl().ok(&["create", "-f", job]).await?;
    let jobs = case.jobs().list(&kube::api::ListParams::default()).await?;
    let name = jobs.items.first().and_then(|job| job.metadata.name.clone());
    let name = name.context("no job")?;
    let judged = case.verdict(&name, PATIENCE).await;
    let seconds = start.elapsed().as_secs_f64();
    let state = release::said(&case).await;
    let job = judged.with_context(|| state.clone())?;
    ensure!(
        job.data["status"]["verdict"] == "Accepted",
        "{:?}\n{state}",
        job.data
    );
    note(&format!(
        "helm install to the first verdict: {seconds:.1} s"
    ));

    let test = release::helm(&case, "test", &["--logs"]).await?;
    ensure!(
        test.stdout.contains("every program stayed inside"),
        "{}",
        test.stdout
    );

    release::uninstall(&case).await?;
    // The CRD and the jobs stay.
    case.jobs().get(&name).await.map(drop).map_err(Into::into)
}
