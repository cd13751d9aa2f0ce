//! What follows when the API server knows fewer fields of a spec than this operator: it prunes them from jobs, so a job
//! might run with less protection than its manifest asks for.
//!
//! While a field is missing nothing is sent. When all are there, jobs that were created before are read anew and go on;
//! one that was created meanwhile may have lost what its manifest said, which nobody can tell any more, so it is ended.
//! A job whose spec is not the one it was, because it was stored anew meanwhile, is ended too. Running jobs go on: they
//! were sent whole.

use std::collections::VecDeque;

use evaljob_crds::{Missing, Reason, Verdict};
use k8s_openapi::jiff::Timestamp;

use super::job::{Job, JobFacts, PARKED, Phase};
use super::{Decider, Step};
use crate::clock::Now;
use crate::names::Uid;
use crate::status;

/// Names in a message; the rest is a number.
const NAMES: usize = 8;
/// Times without a field that are remembered: jobs of each are seen as soon as it is over.
const REMEMBERED: usize = 16;

/// What the API server's schema is known to have.
#[derive(Debug, Default)]
enum Served {
    /// Not read yet.
    #[default]
    Unknown,
    /// Every field of a spec.
    Whole,
    /// Not these, since then.
    Lacking { fields: String, since: Timestamp },
}

/// The API server's schema, now and before.
#[derive(Debug, Default)]
pub(super) struct Schema {
    served: Served,
    /// When fields were missing, and which.
    lapses: VecDeque<Lapse>,
    /// Numbers of missing fields of spec and status.
    pub(super) missing: (usize, usize),
}

#[derive(Debug)]
struct Lapse {
    from: Timestamp,
    to: Timestamp,
    fields: String,
}

impl Schema {
    /// Whether specs arrive as their manifests say.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.served, Served::Whole)
    }

    /// Why a job that waits is not sent, and whether it will never be.
    pub(super) fn obstacle(&self, created: Timestamp) -> Option<(Reason, String)> {
        let Served::Lacking { fields, since } = &self.served else {
            return None;
        };
        let what = format!(
            "the CustomResourceDefinition is older than the operator and lacks {fields}; nothing is run until it is upgraded (hint: helm upgrade with crds.enabled=true)"
        );
        Some(if created >= *since {
            let lost = "what this job's manifest says there is lost: create it again after that";
            (Reason::FieldsLost, format!("{what}; {lost}"))
        } else {
            (Reason::CrdOutdated, what)
        })
    }

    /// Whether a job may have lost fields when it was created, and which.
    fn lost(&self, created: Timestamp) -> Option<&str> {
        let within = |lapse: &&Lapse| lapse.from <= created && created <= lapse.to;
        self.lapses
            .iter()
            .find(within)
            .map(|lapse| lapse.fields.as_str())
    }
}

/// Some names and how many more.
fn names(fields: &[String]) -> String {
    let named = fields[..fields.len().min(NAMES)].join(", ");
    match fields.len().saturating_sub(NAMES) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Creation times are whole seconds.
fn second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

impl Decider {
    /// The API server's schema was read, and is another one than before. A listing of all jobs follows.
    pub(super) fn schema_read(&mut self, missing: &Missing, now: Now) {
        self.schema.missing = (missing.spec.len(), missing.status.len());
        let next = if missing.spec.is_empty() {
            Served::Whole
        } else {
            let since = match &self.schema.served {
                Served::Lacking { since, .. } => *since,
                _ => second(now.wall),
            };
            let fields = names(&missing.spec);
            Served::Lacking { fields, since }
        };
        let before = std::mem::replace(&mut self.schema.served, next);
        self.read_again(now);
        if let Served::Lacking { fields, since } = before
            && self.schema.is_whole()
        {
            self.schema.lapses.truncate(REMEMBERED - 1);
            self.schema.lapses.push_front(Lapse {
                from: since,
                to: now.wall,
                fields,
            });
            self.park_all();
        }
        self.look_at_all(now);
        let all: Vec<String> = [&missing.spec[..], &missing.status[..]].concat();
        let lacks = (!all.is_empty()).then(|| names(&all));
        self.out
            .push(Step::CrdLacks(lacks, !missing.spec.is_empty()));
    }

    /// What is being read for jobs may be read with another schema: it is read again.
    fn read_again(&mut self, now: Now) {
        for (uid, node) in self.jobs_in(|phase| match phase {
            Phase::Loading { node, .. } => Some(node.clone()),
            _ => None,
        }) {
            self.vacate(&uid, &node);
            self.enqueue(&uid, now);
        }
    }

    /// Waiting jobs leave the queue until the listing tells what they are.
    fn park_all(&mut self) {
        let waits = |phase: &Phase| {
            let elsewhere = matches!(phase, Phase::Sent(_) | Phase::Ending);
            (!elsewhere).then_some(())
        };
        for (uid, ()) in self.jobs_in(waits) {
            if let Some(Phase::Queued { .. }) = self.jobs.get(&uid).map(|job| &job.phase) {
                self.dequeue(&uid);
            }
            if let Some(job) = self.job_mut(&uid) {
                job.stale = true;
                if matches!(job.phase, Phase::Queued { .. } | Phase::Held { .. }) {
                    job.phase = PARKED;
                }
            }
        }
    }

    fn look_at_all(&mut self, now: Now) {
        for (uid, ()) in self.jobs_in(|phase| matches!(phase, Phase::Queued { .. }).then_some(())) {
            if let Some(job) = self.job_mut(&uid)
                && let Phase::Queued { look_at, .. } = &mut job.phase
            {
                *look_at = now.mono;
            }
        }
    }

    fn jobs_in<T>(&self, which: impl Fn(&Phase) -> Option<T>) -> Vec<(Uid, T)> {
        self.jobs
            .iter()
            .filter_map(|(uid, job)| Some((uid.clone(), which(&job.phase)?)))
            .collect()
    }

    /// A listing says what a job is whose fields were read while some were missing.
    pub(super) fn refresh(&mut self, uid: &Uid, facts: JobFacts, now: Now) {
        self.job_changed(uid, facts.clone(), now);
        self.drop_spec(uid);
        let shape = self.intern(&facts.shape);
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        job.stale = false;
        if matches!(job.phase, Phase::Ending | Phase::Sent(_)) {
            return;
        }
        let altered = job.whole && job.facts.digest != facts.digest;
        let old = job.renew(facts, shape);
        self.spec_bytes += job_bytes(job);
        self.drop_shape(&old);
        if self.spec_bytes > self.rules.spec_cache {
            self.drop_spec(uid);
        }
        if altered {
            self.end_for(uid, "it was stored anew while fields were missing", now);
        } else if !self.gate(uid, now) && self.jobs.get(uid).is_some_and(|job| job.is_parked()) {
            self.enqueue(uid, now);
        }
    }

    /// Ends a job that may have lost what its manifest says; `true` when it did.
    pub(super) fn end_lost(&mut self, uid: &Uid, now: Now) -> bool {
        let Some(job) = self.jobs.get(uid).filter(|_| self.schema.is_whole()) else {
            return false;
        };
        // What was sent was whole.
        if job.used || job.ledger.attempt > 1 {
            return false;
        }
        let why = match self.schema.lost(job.facts.created) {
            Some(fields) => format!("it was created while {fields} was missing"),
            None if job.facts.recorded.fields_lost => {
                "it was created while fields were missing".to_owned()
            }
            None => return false,
        };
        self.end_for(uid, &why, now);
        true
    }

    fn end_for(&mut self, uid: &Uid, why: &str, now: Now) {
        let Some(job) = self.jobs.get(uid) else {
            return;
        };
        let message = format!(
            "not run: {why} in the CustomResourceDefinition, so what its manifest says may be lost (hint: create it again)"
        );
        let reason = Some(Reason::FieldsLost);
        let status = status::ended(
            &job.ledger,
            Verdict::InvalidSpec,
            &message,
            reason,
            now.wall,
        );
        self.conclude(uid, status, false);
    }
}

fn job_bytes(job: &Job) -> usize {
    job.spec.as_ref().map_or(0, Vec::len)
}
