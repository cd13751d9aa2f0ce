//! Every test that needs a Kubernetes API server; one file a behaviour, one cluster for all.
//!
//! Run by `cargo test -p evaljob-e2e` (as root), or with KUBECONFIG set to use a cluster you have. A name
//! given after `--` filters, as with any other test.

mod admission;

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    evaljob_e2e::suite::run([admission::tests()])
}
