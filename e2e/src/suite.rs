//! The test harness: every test of the crate in one process, on one cluster.
//!
//! In: the trials of each behaviour file, made by [`crate::trials!`]. Out: libtest's own output and exit
//! status. The cluster starts with the first test that runs, so listing or filtering starts
//! nothing. A test that must have the API server to itself is made by [`crate::trials_alone!`].

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::case::Case;
use crate::cluster::Cluster;
use crate::control_plane::Options;
use crate::namespaces::{self, Entered};
use crate::note::note;
use crate::programs;

struct Shared {
    entered: Entered,
    options: Options,
    runtime: Runtime,
    cluster: OnceCell<Arc<Cluster>>,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

/// Runs the trials that the command line selects, on a private cluster with these options or the one of KUBECONFIG.
///
/// # Errors
/// The namespaces cannot be entered or the programs under test cannot be built.
pub fn run(options: Options, trials: impl IntoIterator<Item = Vec<Trial>>) -> Result<ExitCode> {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = trials.into_iter().flatten().collect();
    let selected = trials.iter().any(|trial| !arguments.is_filtered_out(trial));
    let left_out: Vec<String> = trials
        .iter()
        .filter(|trial| trial.kind() == OWN_CLUSTER && !arguments.is_filtered_out(trial))
        .map(|trial| trial.name().to_owned())
        .collect();
    if !arguments.list && selected {
        let entered = match namespaces::enter(|| prepare(options))? {
            Entered::Outside(code) => return Ok(code),
            entered => entered,
        };
        let runtime = Runtime::new()?;
        let shared = Shared {
            entered,
            options,
            runtime,
            cluster: OnceCell::new(),
        };
        SHARED
            .set(shared)
            .map_err(|_| anyhow!("the suite runs once"))?;
    }
    let code = libtest_mimic::run(&arguments, trials).exit_code();
    if let Some(shared) = SHARED.get() {
        shared.leave()?;
    }
    if !left_out.is_empty() && !arguments.list && !arguments.ignored {
        note(&format!(
            "{} tests need a cluster of their own and did not run on that of KUBECONFIG (unset it to run them):\n  {}",
            left_out.len(),
            left_out.join("\n  ")
        ));
    }
    Ok(code)
}

/// What stands before the names of trials that [`on_own_cluster`] leaves out.
const OWN_CLUSTER: &str = "needs its own cluster";

/// Trials that kill or reconfigure a control plane or a node, or read its audit log or keys. On the cluster of
/// KUBECONFIG they are reported as ignored, by this reason, and named at the end.
#[must_use]
pub fn on_own_cluster(trials: Vec<Trial>) -> Vec<Trial> {
    if !namespaces::is_existing() {
        return trials;
    }
    let left_out = |trial: Trial| trial.with_kind(OWN_CLUSTER).with_ignored_flag(true);
    trials.into_iter().map(left_out).collect()
}

/// Everything that needs the machine's network.
fn prepare(options: Options) -> Result<()> {
    programs::build_product()?;
    if options.nodes > 0 {
        programs::build_toolbox()?;
    }
    Ok(())
}

impl Shared {
    async fn cluster(&self) -> Result<Arc<Cluster>> {
        let start = || async {
            let cluster = match &self.entered {
                Entered::Existing(directory) => Cluster::existing(directory.path()).await?,
                Entered::Private(directory) => Cluster::start(directory, self.options).await?,
                Entered::Outside(_) => return Err(anyhow!("the outer process runs no tests")),
            };
            // For tests with Pods the chart brings both.
            if self.options.nodes == 0 {
                cluster.apply_crd().await?;
                cluster.apply_roles().await?;
            }
            Ok(Arc::new(cluster))
        };
        self.cluster.get_or_try_init(start).await.cloned()
    }

    /// A cluster that is not the run's own is left as it was found.
    fn leave(&self) -> Result<()> {
        match self.cluster.get() {
            Some(cluster) => self.runtime.block_on(cluster.leave()),
            None => Ok(()),
        }
    }
}

/// How a test shares the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// Beside others.
    Shared,
    /// Alone: it counts requests of everybody, or kills what others need.
    Alone,
}

/// One test; use [`crate::trials!`] or [`crate::trials_alone!`].
pub fn trial<F>(module: &str, name: &'static str, company: Company, test: fn(Case) -> F) -> Trial
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let module = module.rsplit("::").next().unwrap_or(module);
    Trial::test(format!("{module}::{name}"), move || {
        let shared = SHARED
            .get()
            .context("the suite has not started")
            .map_err(report)?;
        shared
            .runtime
            .block_on(run_test(shared, name, company, test))
            .map_err(report)
    })
}

async fn run_test<F>(
    shared: &'static Shared,
    name: &str,
    company: Company,
    test: fn(Case) -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let cluster = shared
        .cluster()
        .await
        .context("the cluster does not start")?;
    let _shared = if company == Company::Shared {
        Some(cluster.turn.read().await)
    } else {
        None
    };
    let _alone = if company == Company::Alone {
        Some(cluster.turn.write().await)
    } else {
        None
    };
    let case = Case::new(cluster.clone(), name).await?;
    // A task of its own turns a panic into an error, so that the dump follows it too.
    let result = tokio::spawn(test(case.clone()))
        .await
        .unwrap_or_else(|panic| Err(panic.into()));
    let result = match result {
        Ok(()) => Ok(()),
        Err(error) => {
            let dump = case.dump().await;
            Err(error.context(dump))
        }
    };
    let ended = case.end().await;
    result.and(ended)
}

/// The whole chain; the dump, added last, would otherwise hide the cause.
fn report(error: anyhow::Error) -> Failed {
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    chain
        .into_iter()
        .rev()
        .collect::<Vec<_>>()
        .join("\n  in: ")
        .into()
}

/// The trials of a file: `trials![name_of_an_async_fn, ...]`, each `async fn(Case) -> anyhow::Result<()>`.
#[macro_export]
macro_rules! trials {
    ($($test:ident),+ $(,)?) => {
        vec![$($crate::suite::trial(module_path!(), stringify!($test), $crate::suite::Company::Shared, $test)),+]
    };
}

/// Like [`trials!`], for tests that run while no other does.
#[macro_export]
macro_rules! trials_alone {
    ($($test:ident),+ $(,)?) => {
        vec![$($crate::suite::trial(module_path!(), stringify!($test), $crate::suite::Company::Alone, $test)),+]
    };
}
