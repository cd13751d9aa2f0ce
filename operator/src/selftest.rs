//! `evaljob-operator selftest`: one EvalJob and ten hostile programs, judged by the cluster it runs in.
//!
//! In: a namespace. Out: a line a job, and whether each ended as it must. Five programs try to get out and say so on
//! their output, five break a limit; the chart runs this as `helm test`. The programs lie beside this file.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use evaljob_crds::EvalJob;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::clock::Clock;

/// Time between two looks at a job.
const PAUSE: Duration = Duration::from_millis(500);

/// Flags of the subcommand.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Namespace in which the jobs are made, and removed
    #[arg(long, env = "EVALJOB_SELFTEST_NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// Image of the jobs; needs python3. Absent: the agents' own root file system
    #[arg(long, env = "EVALJOB_SELFTEST_IMAGE")]
    pub image: Option<String>,
    /// Seconds until every job must have a verdict
    #[arg(long, env = "EVALJOB_SELFTEST_TIMEOUT", default_value_t = 300)]
    pub timeout_seconds: u64,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum SelftestError {
    /// The API server refuses.
    #[error("cannot {verb} EvalJob {name}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// On which.
        name: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// A job could not be written down.
    #[error("cannot write the manifest of {0}")]
    Manifest(&'static str, #[source] serde_json::Error),
    /// The result cannot be shown.
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
}

/// A program and how it must end.
#[derive(Debug)]
struct Trial {
    name: &'static str,
    /// What it does, for people.
    what: &'static str,
    program: &'static str,
    limits: Value,
    /// Absent: judged by nothing but its end.
    answer: Option<&'static str>,
    verdict: &'static str,
}

fn trials() -> Vec<Trial> {
    let contained = |name, what, program| Trial {
        name,
        what,
        program,
        limits: json!({"cpuTimeMilliseconds": 20_000, "wallTimeMilliseconds": 60_000}),
        answer: Some("contained\n"),
        verdict: "Accepted",
    };
    let bounded = |name, what, program, limits, verdict| Trial {
        name,
        what,
        program,
        limits,
        answer: None,
        verdict,
    };
    vec![
        Trial {
            answer: Some("cba\n"),
            ..contained("hello", "is judged", "print('abc'[::-1])")
        },
        contained(
            "node-files",
            "reads and writes the node's files",
            include_str!("selftest/node_files.py"),
        ),
        contained(
            "network",
            "reaches for the network",
            include_str!("selftest/network.py"),
        ),
        contained(
            "privileges",
            "asks the kernel for privileges",
            include_str!("selftest/privileges.py"),
        ),
        contained(
            "neighbours",
            "looks for other processes",
            include_str!("selftest/neighbours.py"),
        ),
        Trial {
            answer: Some("the answer is 42\n"),
            verdict: "WrongAnswer",
            ..contained(
                "answers",
                "looks for the expected output",
                include_str!("selftest/answers.py"),
            )
        },
        bounded(
            "fork-bomb",
            "makes processes without end",
            "import os, time\nwhile True:\n    if os.fork() == 0:\n        time.sleep(60)\n",
            json!({"processes": 32}),
            "ProcessLimitExceeded",
        ),
        bounded(
            "memory",
            "takes memory without end",
            "held = []\nwhile True:\n    held.append(bytearray(1 << 20))\n",
            json!({"memory": "64Mi"}),
            "MemoryLimitExceeded",
        ),
        bounded(
            "cpu",
            "computes without end",
            "while True:\n    pass\n",
            // On a node that is busy it may wait long for its half second.
            json!({"cpuTimeMilliseconds": 500, "wallTimeMilliseconds": 60_000}),
            "TimeLimitExceeded",
        ),
        bounded(
            "output",
            "writes without end",
            "while True:\n    print('x' * 65536)\n",
            json!({"output": "1Mi"}),
            "OutputLimitExceeded",
        ),
        bounded(
            "disk",
            "fills its disk",
            "with open('fill', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))\n",
            json!({"workspace": "8Mi"}),
            "DiskLimitExceeded",
        ),
    ]
}

impl Trial {
    fn job(&self, image: Option<&str>) -> Result<EvalJob, SelftestError> {
        let mut spec = json!({
            "command": ["python3", "program.py"],
            "files": [{"path": "program.py", "content": self.program}],
            "limits": self.limits,
            "ttlSecondsAfterFinished": 600,
        });
        if let Some(answer) = self.answer {
            spec["tests"] = json!([{"name": "1", "expectedStdout": answer}]);
        }
        if let Some(image) = image {
            spec["image"] = image.into();
        }
        let job = json!({
            "apiVersion": "evaljob.dev/v1alpha1",
            "kind": "EvalJob",
            "metadata": {"generateName": format!("selftest-{}-", self.name)},
            "spec": spec,
        });
        serde_json::from_value(job).map_err(|error| SelftestError::Manifest(self.name, error))
    }

    /// What is wrong with its end; `None`: nothing.
    fn fault(&self, job: &EvalJob) -> Option<String> {
        let Some(status) = &job.status else {
            return Some("it has no status: is an operator running?".to_owned());
        };
        let message = status.message.as_deref().unwrap_or_default();
        let Some(verdict) = &status.verdict else {
            let reasons = status.conditions.iter();
            let reasons: Vec<&str> = reasons.map(|condition| condition.reason.as_str()).collect();
            return Some(format!("no verdict in time: {}", reasons.join(", ")));
        };
        let verdict = verdict.as_str();
        if verdict != self.verdict {
            return Some(format!("{verdict}, not {}: {message}", self.verdict));
        }
        let sandboxed = status
            .conditions
            .iter()
            .any(|condition| condition.type_ == "Sandboxed" && condition.status == "True");
        (!sandboxed).then(|| "it ran, but the status does not say Sandboxed=True".to_owned())
    }
}

/// Whether every job ended as it must; each is removed.
///
/// # Errors
/// [`SelftestError`] where that cannot be found out.
pub async fn run(
    options: &Options,
    client: Client,
    clock: &Clock,
    out: &mut impl Write,
) -> Result<bool, SelftestError> {
    let jobs = Api::<EvalJob>::namespaced(client, &options.namespace);
    let trials = trials();
    let mut made = Vec::new();
    for trial in &trials {
        let job = trial.job(options.image.as_deref())?;
        let job = jobs.create(&PostParams::default(), &job).await;
        made.push(job.map_err(failed("create", trial.name))?.name_any());
    }
    let end = clock.now().mono + Duration::from_secs(options.timeout_seconds);
    let mut good = true;
    for (trial, name) in trials.iter().zip(&made) {
        let job = loop {
            let job = jobs.get(name).await.map_err(failed("get", name))?;
            let finished = job
                .status
                .as_ref()
                .is_some_and(|status| status.verdict.is_some());
            if finished || clock.now().mono >= end {
                break job;
            }
            tokio::time::sleep(PAUSE).await;
        };
        let fault = trial.fault(&job);
        good &= fault.is_none();
        let (mark, text) = match &fault {
            None => ("ok  ", trial.verdict),
            Some(fault) => ("FAIL", fault.as_str()),
        };
        writeln!(out, "{mark} {:<12} {:<36} {text}", trial.name, trial.what)
            .map_err(SelftestError::Output)?;
        jobs.delete(name, &DeleteParams::default())
            .await
            .map_err(failed("delete", name))?;
    }
    let last = if good {
        "every program stayed inside"
    } else {
        "NOT every program ended as it must: do not run untrusted programs here"
    };
    writeln!(out, "{last}").map_err(SelftestError::Output)?;
    Ok(good)
}

fn failed(verb: &'static str, name: &str) -> impl FnOnce(kube::Error) -> SelftestError {
    let name = name.to_owned();
    move |source| SelftestError::Api {
        verb,
        name,
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(trial: &Trial, status: Value) -> Option<String> {
        let mut job = trial.job(None).unwrap();
        job.status = serde_json::from_value(status).unwrap();
        trial.fault(&job)
    }

    fn status(verdict: &str, sandboxed: &str) -> Value {
        let condition = json!({
            "type": "Sandboxed", "status": sandboxed, "reason": "X", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        json!({"verdict": verdict, "message": "why", "conditions": [condition]})
    }

    #[test]
    fn there_are_one_job_and_ten_hostile_ones() {
        let names: Vec<&str> = trials().iter().map(|trial| trial.name).collect();
        assert_eq!((names[0], names.len()), ("hello", 11));
    }

    #[test]
    fn a_program_that_gets_out_is_a_fault_whatever_else_holds() {
        for trial in trials() {
            assert_eq!(ended(&trial, status(trial.verdict, "True")), None);
            // What got out is printed, so the output is not the expected one; an answer that is found is accepted.
            let escaped = match trial.verdict {
                "Accepted" => "WrongAnswer",
                "WrongAnswer" => "Accepted",
                _ => "Completed",
            };
            for verdict in [escaped, "InfrastructureError", "DeadlineExceeded"] {
                let fault = ended(&trial, status(verdict, "True")).unwrap();
                assert!(fault.contains(verdict) && fault.contains("why"), "{fault}");
            }
            assert!(ended(&trial, status(trial.verdict, "False")).is_some());
            assert!(ended(&trial, json!({})).is_some());
            assert!(ended(&trial, Value::Null).is_some());
        }
    }

    #[test]
    fn an_image_is_that_of_every_job() {
        for trial in trials() {
            let job = trial.job(Some("python:3")).unwrap();
            assert_eq!(job.spec.image.as_deref(), Some("python:3"));
        }
    }
}
