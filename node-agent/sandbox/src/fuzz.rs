//! Mutated frames and reports against their decoders: none panics, what is decoded is no larger than what came, errors
//! are typed.
//!
//! On stable Rust there is no coverage to guide it. What a decoder made of an input guides instead: an input with an
//! outcome that was not there before joins the corpus. A short run with a fixed seed belongs to `cargo test`;
//! `make fuzz` runs each target for a time ([`SECONDS`]).

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rustix::net::SendFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::facts::Breach;
use crate::frame::{self, Found, FromSpawner, FromWorker, ToSpawner, ToWorker};
use crate::plan::{FilePlan, HostPlan, JobPlan, NodeDirectory, VolumePlan};
use crate::stage::{Failure, RECORD};
use crate::{Layer, SandboxError, init, launcher, probe};

/// Seconds for each target; without it a fixed number of inputs.
const SECONDS: &str = "EVALJOB_FUZZ_SECONDS";
const INPUTS: u64 = 20_000;
/// Longest mutated input.
const LONGEST: usize = 60 << 10;

/// A number below `end`.
fn below(random: &mut TestRng, end: usize) -> usize {
    random.random_range(0..end.max(1))
}

/// Changes a few places; lengths and variants are what it likes to set.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut TestRng) {
    for _ in 0..=below(random, 4) {
        let at = below(random, input.len() + 1);
        match below(random, 6) {
            0 if at < input.len() => input[at] = random.random(),
            1 if at < input.len() => input[at] ^= 1 << below(random, 8),
            2 => input.insert(at, random.random()),
            3 => input.truncate(at),
            // The longest numbers there are, where a length may stand.
            4 => drop(input.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f])),
            _ => {
                let from = below(random, other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
    input.truncate(LONGEST);
}

/// Feeds `decode` mutated inputs; it tells what it saw.
fn fuzz(name: &str, seeds: Vec<Vec<u8>>, mut decode: impl FnMut(&[u8]) -> String) {
    let seconds = std::env::var(SECONDS).ok();
    let limit = seconds.map(|text| Duration::from_secs(text.parse().expect("seconds")));
    let (begun, mut inputs) = (Instant::now(), 0);
    // The same inputs each time.
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut seen: BTreeSet<_> = seeds.iter().map(|seed| decode(seed)).collect();
    let mut corpus = seeds;
    while limit.map_or(inputs < INPUTS, |limit| begun.elapsed() < limit) {
        let mut input = corpus[below(&mut random, corpus.len())].clone();
        let other = below(&mut random, corpus.len());
        mutate(&mut input, &corpus[other], &mut random);
        inputs += 1;
        if seen.insert(decode(&input)) {
            corpus.push(input);
        }
    }
    eprintln!("fuzz {name}: {inputs} executions, corpus {}", corpus.len());
}

/// Through a socket, by the function that the processes use.
fn fuzz_frame<T: Serialize + DeserializeOwned + Debug>(name: &str, valid: &[T]) {
    let (theirs, ours) = launcher::pair().unwrap();
    let seeds = valid.iter().map(|frame| {
        let body = postcard::to_allocvec(frame).unwrap();
        [vec![0], body].concat()
    });
    fuzz(name, seeds.collect(), |input| {
        if input.is_empty() {
            return "empty".into();
        }
        rustix::net::send(&theirs, input, SendFlags::empty()).unwrap();
        match frame::receive::<T>(ours.as_fd()) {
            Ok(received) => {
                let text = format!("{:?}", received.frame);
                // What was decoded can be no larger than what came: it can be sent again, as the same.
                let again = postcard::to_allocvec(&received.frame).unwrap();
                assert!(again.len() <= input.len(), "{text}");
                let same: T = postcard::from_bytes(&again).unwrap();
                assert_eq!(format!("{same:?}"), text);
                // Its shape: texts and numbers do not make a new one.
                text.chars()
                    .filter(|c| "{}[](),".contains(*c))
                    .take(64)
                    .collect()
            }
            Err(error) => format!("{error:?}"),
        }
    });
}

fn error() -> SandboxError {
    SandboxError::new(Layer::Cgroup, "a cause").hint("a way out")
}

fn job() -> JobPlan {
    JobPlan {
        files: vec![FilePlan {
            path: "a/b".into(),
            executable: true,
            offset: 1,
            length: 300,
        }],
        volumes: vec![VolumePlan {
            node_directory: "data".into(),
            mount_path: "/data".into(),
            executable: false,
        }],
        ..JobPlan::default()
    }
}

#[test]
fn orders_to_the_spawner() {
    let plan = HostPlan {
        rootfs: Some("/toolbox".into()),
        node_directories: vec![NodeDirectory {
            name: "data".into(),
            path: "/srv".into(),
        }],
        allow_cgroup_v1: true,
        slots: 2,
    };
    let start = ToSpawner::Start { plan, agent_pid: 7 };
    fuzz_frame("ToSpawner", &[start, ToSpawner::Worker { slot: 300 }]);
}

#[test]
fn answers_of_the_spawner() {
    let valid = [FromSpawner::Worker, FromSpawner::Failed(error())];
    fuzz_frame("FromSpawner", &valid);
}

#[test]
fn orders_to_a_worker() {
    let valid = [
        ToWorker::Begin(job()),
        ToWorker::Run(Box::new(probe::program())),
        ToWorker::Share,
        ToWorker::Kill(Breach::Output),
        ToWorker::Collect(vec![("out".into(), 9), ("d/e".into(), 1 << 40)]),
        ToWorker::End,
    ];
    fuzz_frame("ToWorker", &valid);
}

#[test]
fn answers_of_a_worker() {
    let found = vec![Found::File { size: 300 }, Found::Nothing, Found::NotRegular];
    let valid = [
        FromWorker::Begun,
        FromWorker::Shared,
        FromWorker::Running,
        FromWorker::Collected(found),
        FromWorker::Ended,
        FromWorker::Failed(error()),
    ];
    fuzz_frame("FromWorker", &valid);
}

#[test]
fn records_of_a_failure() {
    fuzz(
        "Failure",
        vec![Failure::SEALED.encode().to_vec()],
        |input| {
            let mut record = [0; RECORD];
            input
                .iter()
                .zip(&mut record)
                .for_each(|(from, to)| *to = *from);
            match Failure::decode(record) {
                Some(failure) => {
                    assert_eq!(failure.encode(), record);
                    format!("{:?}", failure.stage)
                }
                None => "unknown".into(),
            }
        },
    );
}

#[test]
fn reports_of_a_run() {
    fuzz("run report", vec![vec![1; init::REPORT]], |input| {
        let mut report = [0; init::REPORT];
        input
            .iter()
            .zip(&mut report)
            .for_each(|(from, to)| *to = *from);
        assert_eq!(init::encode(init::decode(report)), report);
        String::new()
    });
}

#[test]
fn reports_of_the_probe() {
    let valid = b"failed 1\nkilled 31\nworked\nfailed 13\n".to_vec();
    fuzz("probe report", vec![valid], |input| {
        let findings = probe::findings(&String::from_utf8_lossy(input));
        let holds = findings.iter().map(|finding| u8::from(finding.holds));
        holds.fold(String::new(), |all, one| format!("{all}{one}"))
    });
}
