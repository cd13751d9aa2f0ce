//! Every test that needs Pods that run: one file a behaviour, on real kubelets beside a control plane of its own.

mod agent;
mod bare;
mod cleanup;
mod images;
mod install;
mod pods;
mod replicas;
mod stolen_token;
mod two_nodes;
mod upgrade;

use std::process::ExitCode;

use evaljob_e2e::control_plane::Options;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options {
        nodes: 2,
        ..Options::default()
    };
    evaljob_e2e::suite::run(
        options,
        [
            images::tests(),
            install::tests(),
            upgrade::tests(),
            replicas::tests(),
            pods::tests(),
            cleanup::tests(),
            agent::tests(),
            bare::tests(),
            two_nodes::tests(),
        ],
    )
}
