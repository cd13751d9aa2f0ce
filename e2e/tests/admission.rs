//! What the API server itself refuses.

use anyhow::Result;
use evaljob_e2e::{Case, trials};
use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    trials![hello]
}

async fn hello(case: Case) -> Result<()> {
    println!("{}", case.kubectl().ok(&["get", "nodes,namespaces"]).await?);
    Ok(())
}
