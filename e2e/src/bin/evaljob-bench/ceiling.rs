//! The ceiling: what this API server does when nothing is run.
//!
//! One create and one status write for each job and nothing else, the status being the one that the operator stored for
//! a job that ran `true`. No operator runs meanwhile, so nobody watches. No system that keeps a job as an object with a
//! status of its own can be faster on the same server.

use std::sync::Arc;

use anyhow::Result;
use evaljob_e2e::Case;
use serde_json::Value;

use crate::requests::{self, Path};

/// Requests under way; the best counts.
pub(crate) const IN_FLIGHT: [usize; 3] = [1, 8, 32];

/// Jobs a second, for each of [`IN_FLIGHT`].
pub(crate) async fn measure(
    case: &Case,
    prefix: &str,
    jobs: u32,
    status: &Value,
) -> Result<[f64; 3]> {
    let mut rates = [0.0; 3];
    let (client, path) = (case.client(), Path::new(case.namespace()));
    let status = Arc::new(status.clone());
    for (rate, in_flight) in rates.iter_mut().zip(IN_FLIGHT) {
        let names = (0..jobs)
            .map(|number| format!("{prefix}-{in_flight}-{number}"))
            .collect();
        let took = requests::for_each(names, in_flight, |name| {
            let (client, path, status) = (client.clone(), path.clone(), status.clone());
            async move {
                let uid = requests::create(&client, &path, &name).await?;
                requests::store(&client, &path, &name, &uid, &status).await
            }
        })
        .await?;
        *rate = f64::from(jobs) / took.as_secs_f64();
    }
    Ok(rates)
}
