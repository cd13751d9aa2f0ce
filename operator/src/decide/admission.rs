//! What a job's appearance, change and end in the watch mean: the gate, cancel, suspend, deadlines.

use std::collections::BTreeSet;
use std::time::Duration;

use evaljob_crds::{Reason, Verdict};

use super::job::{Job, JobFacts, Phase};
use super::writing::WriteKind;
use super::{Decider, Step};
use crate::clock::Now;
use crate::names::Uid;
use crate::placement::Choice;
use crate::status;

/// What an agent does not report within this time after a cancel, the operator writes itself.
const CANCEL_PATIENCE: Duration = Duration::from_secs(5);

impl Decider {
    /// A job of a listing.
    pub(super) fn job_listed(&mut self, facts: JobFacts, now: Now) {
        if let Some(listing) = &mut self.listing {
            listing.insert(facts.uid.clone());
        }
        let stale = self.jobs.get(&facts.uid).is_some_and(|job| job.stale);
        if stale && self.schema.is_whole() {
            let uid = facts.uid.clone();
            return self.refresh(&uid, facts, now);
        }
        self.job_applied(facts, now);
    }

    /// A listing is complete: what is not in it is finished or gone.
    pub(super) fn jobs_listed(&mut self, now: Now) {
        let listing = self.listing.take().unwrap_or_default();
        self.tombs.listed(&listing, now.mono);
        let absent: Vec<Uid> = self
            .jobs
            .keys()
            .filter(|uid| !listing.contains(*uid))
            .cloned()
            .collect();
        for uid in absent {
            self.job_deleted(&uid, now);
        }
        if !self.jobs_synced {
            self.jobs_synced = true;
            self.first_sync(now);
        }
    }

    /// A job appeared or changed. Before the first sync it may have been sent by an earlier leader.
    pub(super) fn job_applied(&mut self, facts: JobFacts, now: Now) {
        let uid = facts.uid.clone();
        if self.tombs.has(&uid) {
            return;
        }
        if self.jobs.contains_key(&uid) {
            return self.job_changed(&uid, facts, now);
        }
        let shape = self.intern(&facts.shape);
        let mut job = Job::new(facts, shape, now);
        job.whole = self.schema.is_whole();
        self.spec_bytes += job.spec.as_ref().map_or(0, Vec::len);
        self.jobs.insert(uid.clone(), job);
        if self.spec_bytes > self.rules.spec_cache {
            self.drop_spec(&uid);
        }
        self.touched.push(uid.clone());
        if self.jobs_synced {
            self.admit(&uid, now);
        }
    }

    /// Settles a job that no agent holds.
    pub(super) fn admit(&mut self, uid: &Uid, now: Now) {
        if self.gate(uid, now) {
            return;
        }
        let Some(job) = self.jobs.get(uid) else {
            return;
        };
        let recorded = &job.facts.recorded;
        if recorded.running {
            let why = "the operator and its node's agent ended while it ran".to_owned();
            self.attempt_failed(uid, true, &why, None, now);
        } else if recorded.suspended {
            self.resume(uid, now);
        } else {
            self.enqueue(uid, now);
        }
    }

    /// Settles a job that may not run at all; `true` when it did.
    pub(super) fn gate(&mut self, uid: &Uid, now: Now) -> bool {
        let Some(job) = self.jobs.get(uid) else {
            return true;
        };
        let suspend = job.facts.suspend;
        // An error of a spec that is not all there may be an error of what is missing.
        if let Some(errors) = job
            .facts
            .invalid
            .as_ref()
            .filter(|_| self.schema.is_whole())
        {
            let status = status::ended(
                &job.ledger,
                Verdict::InvalidSpec,
                errors,
                Some(Reason::InvalidSpec),
                now.wall,
            );
            self.conclude(uid, status, false);
        } else if job.facts.cancel {
            self.cancel(uid, now);
        } else if self.end_lost(uid, now) {
            return true;
        } else if suspend {
            self.suspend(uid, now);
        } else {
            return false;
        }
        true
    }

    /// Only what may change in a spec is looked at; the status is what this process wrote itself.
    pub(super) fn job_changed(&mut self, uid: &Uid, facts: JobFacts, now: Now) {
        let shape = self.intern(&facts.shape);
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let before = (job.facts.cancel, job.facts.suspend);
        job.facts.cancel |= facts.cancel;
        job.facts.suspend = facts.suspend;
        job.facts.ttl = facts.ttl;
        if !std::sync::Arc::ptr_eq(&shape, &job.shape)
            && matches!(job.phase, Phase::Suspended | Phase::Inherited)
        {
            job.facts.shape = facts.shape;
            let old = std::mem::replace(&mut job.shape, shape);
            // The spec that was kept has the old selector; agents do not read it.
            self.drop_shape(&old);
        }
        let Some(job) = self.jobs.get(uid) else {
            return;
        };
        let after = (job.facts.cancel, job.facts.suspend);
        match job.phase {
            Phase::Ending => return,
            Phase::Inherited => {
                if self.jobs_synced {
                    self.gate(uid, now);
                }
                return;
            }
            _ if before == after => return,
            _ => {}
        }
        match after {
            (true, _) if !before.0 => self.cancel(uid, now),
            (false, true) => self.suspend(uid, now),
            (false, false) => self.resume(uid, now),
            (true, _) => {}
        }
    }

    /// The watch says that a job is finished or gone. While its verdict is on its way the answer decides.
    pub(super) fn job_deleted(&mut self, uid: &Uid, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return self.tombs.tell(uid, now.mono);
        };
        job.deleted = true;
        if !job.desk.writes_verdict() {
            self.forget(uid, true, now);
        }
    }

    /// Ends a job on the user's word. An agent that runs it reports what there is.
    fn cancel(&mut self, uid: &Uid, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        match &mut job.phase {
            Phase::Ending => {}
            Phase::Sent(sent) => {
                sent.cancelled = Some(now.mono + CANCEL_PATIENCE);
                let (node, run) = (sent.node.clone(), sent.run.clone());
                if let Some(conn) = self.conn_of(&node) {
                    self.out
                        .push(Step::Cancel(conn, run, Some(Verdict::Cancelled)));
                }
            }
            _ => self.conclude_cancelled(uid, now),
        }
    }

    /// `Cancelled` in the operator's own words.
    pub(super) fn conclude_cancelled(&mut self, uid: &Uid, now: Now) {
        let Some(job) = self.jobs.get(uid) else {
            return;
        };
        let status = status::ended(
            &job.ledger,
            Verdict::Cancelled,
            "spec.cancel was set",
            None,
            now.wall,
        );
        self.conclude(uid, status, true);
    }

    /// Takes a job out of the queue, or ends its run without a trace but the number of the attempt.
    fn suspend(&mut self, uid: &Uid, now: Now) {
        let Some(job) = self.jobs.get(uid) else {
            return;
        };
        if matches!(job.phase, Phase::Ending | Phase::Suspended) {
            return;
        }
        let known = matches!(job.phase, Phase::Inherited) && job.facts.recorded.suspended;
        self.leave(uid, true);
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        job.phase = Phase::Suspended;
        if !known {
            let status = status::suspended(&job.ledger, now.wall);
            self.want(uid, WriteKind::Suspended, status);
        }
    }

    /// Both clocks start again; an attempt that was killed gets the next number, uncounted.
    fn resume(&mut self, uid: &Uid, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        if !matches!(job.phase, Phase::Suspended | Phase::Inherited) {
            return;
        }
        job.queue_base = now.mono;
        job.active_base = now.mono;
        job.ledger.queued = Some(now.wall);
        if job.used {
            job.next_attempt();
        }
        job.phase = Phase::Reserving {
            pause: Duration::ZERO,
        };
        let status = status::queued(&job.ledger, now.wall);
        self.want(uid, WriteKind::Reserve, status);
    }

    /// Does what time alone brings about for one job.
    pub(super) fn job_due(&mut self, uid: &Uid, now: Now) {
        self.desk_due(uid, now);
        let Some(job) = self.jobs.get(uid) else {
            return;
        };
        match &job.phase {
            Phase::Inherited | Phase::Suspended | Phase::Ending => {}
            Phase::Sent(_) => self.sent_due(uid, now),
            _ if job.active_deadline() <= now.mono => self.deadline_over(uid, None, now),
            _ if job.queue_deadline() <= now.mono => {
                self.deadline_over(uid, Some(Reason::QueueTimeout), now)
            }
            Phase::Held { until } if *until <= now.mono => self.enqueue(uid, now),
            Phase::Queued { look_at, .. } if *look_at <= now.mono => self.look(uid, now),
            _ => {}
        }
    }

    /// A waiting job's time is over.
    fn deadline_over(&mut self, uid: &Uid, admitted: Option<Reason>, now: Now) {
        let Some(job) = self.jobs.get(uid) else {
            return;
        };
        let message = if admitted.is_some() {
            let waited = job.facts.max_queue.as_secs();
            let what = match self.choose(&job.shape, &BTreeSet::new(), now) {
                Choice::Never(obstacles) => format!(": {}", obstacles.message(&job.shape)),
                _ => " for a slot (hint: raise it, or add nodes)".to_owned(),
            };
            format!("waited longer than maxQueueSeconds ({waited} s){what}")
        } else {
            format!(
                "not over within {} s of its creation or resume (hint: raise activeDeadlineSeconds)",
                job.facts.active_deadline.as_secs()
            )
        };
        let status = status::ended(
            &job.ledger,
            Verdict::DeadlineExceeded,
            &message,
            admitted,
            now.wall,
        );
        self.conclude(uid, status, true);
    }

    /// Does what is due for a run at an agent.
    fn sent_due(&mut self, uid: &Uid, now: Now) {
        let Some(job) = self.jobs.get(uid) else {
            return;
        };
        let active_deadline = job.active_deadline();
        let Some(sent) = job.sent() else {
            return;
        };
        if sent.cancelled.is_some_and(|until| until <= now.mono) {
            self.conclude_cancelled(uid, now);
        } else if super::job::Sent::overdue(active_deadline) <= now.mono {
            self.deadline_over(uid, None, now);
        } else if sent.announce_at().is_some_and(|at| at <= now.mono) {
            self.announce(uid, now);
        }
    }

    /// Writes `Running`, once per attempt.
    fn announce(&mut self, uid: &Uid, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        if let Phase::Sent(sent) = &mut job.phase {
            sent.announced = true;
        }
        let status = status::running(&job.ledger, now.wall);
        self.want(uid, WriteKind::Running, status);
    }
}
