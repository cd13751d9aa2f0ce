//! Every test that needs Pods that run: one file a behaviour, on real kubelets beside a control plane of its own.

mod pods;

use std::process::ExitCode;

use evaljob_e2e::control_plane::Options;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options {
        audit: false,
        nodes: 1,
    };
    evaljob_e2e::suite::run(options, [pods::tests()])
}
