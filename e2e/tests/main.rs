//! Every test that needs a Kubernetes API server; one file a behaviour, one cluster for all.
//!
//! Run by `cargo test -p evaljob-e2e` (as root), or with KUBECONFIG set to use a cluster you have. A name
//! given after `--` filters, as with any other test.

mod admission;
mod agent_tokens;
mod apply;
mod bad_manifests;
mod certificates;
mod chart;
mod cluster_limits;
mod control_plane;
mod cordon;
mod crd;
mod dispatch;
mod drain;
mod lifecycle;
mod monitoring;
mod namespaces;
mod older_crd;
mod races;
mod release;
mod restarts;
mod roles;
mod rules;
mod selectors;
mod selftest;
mod sizes;
mod status_rules;
mod wrong_tokens;

use std::process::ExitCode;

use evaljob_e2e::control_plane::Options;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options {
        audit: true,
        ..Options::default()
    };
    let trials = [
        admission::tests(),
        agent_tokens::tests(),
        apply::tests(),
        bad_manifests::tests(),
        certificates::tests(),
        chart::tests(),
        cluster_limits::tests(),
        control_plane::tests(),
        cordon::tests(),
        crd::tests(),
        dispatch::tests(),
        drain::tests(),
        lifecycle::tests(),
        monitoring::tests(),
        namespaces::tests(),
        older_crd::tests(),
        release::tests(),
        roles::tests(),
        rules::tests(),
        races::tests(),
        restarts::tests(),
        selectors::tests(),
        selftest::tests(),
        sizes::tests(),
        status_rules::tests(),
        wrong_tokens::tests(),
    ];
    evaljob_e2e::suite::run(options, trials)
}
