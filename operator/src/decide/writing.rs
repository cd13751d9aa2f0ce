//! One status write at a time per job, and what the answers mean.
//!
//! Invariants 2 to 4: each write is the whole status; the next one starts only after the one before was answered;
//! a refusal is looked into before anything is concluded from it; an Ack goes out only after the status is stored
//! or known to be wanted by nobody. The shell sends and classifies; waiting and repeating are decided here.

use std::sync::Arc;
use std::time::Duration;

use evaljob_crds::EvalJobStatus;

use super::desk::{Draft, Stage};
use super::job::{Phase, Recorded};
use super::{Count, Decider, Step, WriteOrder};
use crate::clock::Now;
use crate::names::Uid;
use crate::status;

/// First wait after the API server could not be reached; doubled up to [`LONGEST_REST`].
const FIRST_REST: Duration = Duration::from_millis(200);
/// Longest wait between two tries of a write.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// What a write says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteKind {
    /// It runs.
    Running,
    /// Why it waits; nobody depends on it.
    Advice,
    /// The number of the next attempt, or the time of the resume: the job is not sent before it is stored.
    Reserve,
    /// It is suspended.
    Suspended,
    /// The verdict.
    Final,
}

/// How the API server answered a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored.
    Stored,
    /// 404: there is no such job.
    Gone,
    /// Refused for good (422, 400, 413): its words.
    Refused {
        /// The server's message.
        words: String,
        /// The object would be too large.
        too_large: bool,
    },
    /// Not decided: no answer, 429, 5xx, 401, 403, 409.
    Unavailable {
        /// The server's wish.
        retry_after: Option<Duration>,
    },
}

/// What a read after a refusal found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBack {
    /// No such job, or another uid under the name.
    Gone,
    /// A verdict stands.
    Finished,
    /// No verdict; what the status says.
    Live(Recorded),
    /// Not decided.
    Unavailable,
}

impl Decider {
    /// Writes a status as soon as the one before it was answered. A verdict is never replaced.
    pub(super) fn want(&mut self, uid: &Uid, kind: WriteKind, status: EvalJobStatus) {
        // Any other status takes the place of the advice that stands there.
        if kind != WriteKind::Advice
            && let Some(job) = self.job_mut(uid)
        {
            job.advice = None;
        }
        let draft = Draft {
            kind,
            status: Arc::new(status),
            trimmed: false,
            minimal: false,
        };
        self.want_draft(uid, draft);
    }

    fn want_draft(&mut self, uid: &Uid, draft: Draft) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let desk = &mut job.desk;
        match &desk.stage {
            Some(Stage::Resting { draft: old, .. }) if old.kind != WriteKind::Final => {
                desk.stage = None;
            }
            Some(_) => {
                if desk
                    .next
                    .as_ref()
                    .is_none_or(|next| next.kind != WriteKind::Final)
                {
                    desk.next = Some(draft);
                }
                return;
            }
            None => {}
        }
        self.start_write(uid, draft, 0);
    }

    fn start_write(&mut self, uid: &Uid, draft: Draft, tries: u32) {
        let id = self.serial();
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let order = WriteOrder {
            uid: uid.clone(),
            key: job.facts.key.clone(),
            id,
            kind: draft.kind,
            status: draft.status.clone(),
        };
        job.desk.stage = Some(Stage::Writing { id, draft, tries });
        self.out.push(Step::Write(Box::new(order)));
    }

    fn start_read(&mut self, uid: &Uid, draft: Draft, words: String, tries: u32) {
        let id = self.serial();
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let key = job.facts.key.clone();
        job.desk.stage = Some(Stage::Reading {
            id,
            draft,
            words,
            tries,
        });
        self.out.push(Step::Read(uid.clone(), key, id));
    }

    /// Repeats a write or read whose time has come.
    pub(super) fn desk_due(&mut self, uid: &Uid, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        if job.desk.due().is_none_or(|due| due > now.mono) {
            return;
        }
        let Some(Stage::Resting {
            draft,
            words,
            tries,
            ..
        }) = job.desk.stage.take()
        else {
            return;
        };
        match words {
            Some(words) => self.start_read(uid, draft, words, tries),
            None => self.start_write(uid, draft, tries),
        }
    }

    /// An answer to a write.
    pub(super) fn written(&mut self, uid: &Uid, id: u64, outcome: Outcome, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let deleted = job.deleted;
        let Some((mut draft, tries)) = job.desk.take_writing(id) else {
            return;
        };
        match outcome {
            Outcome::Stored => self.stored(uid, &draft, now),
            Outcome::Gone => self.forget(uid, false, now),
            Outcome::Refused {
                too_large: true, ..
            } if draft.kind == WriteKind::Final && !draft.trimmed => {
                draft.status = Arc::new(status::trimmed(&draft.status));
                draft.trimmed = true;
                self.start_write(uid, draft, 0);
            }
            Outcome::Refused { words, .. } => self.start_read(uid, draft, words, 0),
            Outcome::Unavailable { .. } if deleted => self.forget(uid, true, now),
            Outcome::Unavailable { retry_after } => {
                self.rest(uid, draft, None, tries, retry_after, now)
            }
        }
    }

    /// Waits before the next try, unless something else is to be written by now.
    fn rest(
        &mut self,
        uid: &Uid,
        draft: Draft,
        words: Option<String>,
        tries: u32,
        retry_after: Option<Duration>,
        now: Now,
    ) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        if draft.kind != WriteKind::Final
            && let Some(next) = job.desk.next.take()
        {
            self.start_write(uid, next, 0);
            return;
        }
        let pause = FIRST_REST
            .saturating_mul(1 << tries.min(16))
            .max(retry_after.unwrap_or_default())
            .min(LONGEST_REST);
        job.desk.stage = Some(Stage::Resting {
            until: now.mono + pause,
            draft,
            words,
            tries: tries + 1,
        });
    }

    fn stored(&mut self, uid: &Uid, draft: &Draft, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let attempt = draft.status.attempt.unwrap_or_default();
        job.ledger.recorded = u32::try_from(attempt).unwrap_or_default();
        match draft.kind {
            WriteKind::Running | WriteKind::Advice => {}
            WriteKind::Suspended => self.acknowledge(uid),
            WriteKind::Reserve => {
                self.acknowledge(uid);
                self.reserved(uid, now);
            }
            WriteKind::Final => {
                self.out
                    .push(Step::Count(Count::Stored(draft.status.verdict())));
                return self.finish(uid, now);
            }
        }
        self.start_next(uid);
    }

    fn start_next(&mut self, uid: &Uid) {
        if let Some(next) = self.job_mut(uid).and_then(|job| job.desk.next.take()) {
            self.start_write(uid, next, 0);
        }
    }

    /// What the job looked like after a refusal (invariant 4).
    pub(super) fn read_back(&mut self, uid: &Uid, id: u64, read: ReadBack, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let Some((draft, words, tries)) = job.desk.take_reading(id) else {
            return;
        };
        match read {
            ReadBack::Gone => self.forget(uid, false, now),
            ReadBack::Finished => self.forget(uid, true, now),
            ReadBack::Unavailable => self.rest(uid, draft, Some(words), tries, None, now),
            ReadBack::Live(_) if matches!(draft.kind, WriteKind::Running | WriteKind::Advice) => {
                self.out
                    .push(Step::Count(Count::StatusRefused(uid.clone(), words)));
                self.start_next(uid);
            }
            ReadBack::Live(recorded) => {
                job.ledger.recorded = recorded.attempt;
                job.ledger.attempt = job.ledger.attempt.max(recorded.attempt);
                job.ledger.infra_failures = job.ledger.infra_failures.max(recorded.infra_failures);
                if let Some(raised) = draft.raised(&recorded) {
                    self.start_write(uid, raised, 0);
                } else if draft.minimal {
                    self.rest(uid, draft, None, tries + 1, None, now);
                } else {
                    self.refused(uid, words, now);
                }
            }
        }
    }

    /// The server will never take what the job came to: that is the end of it, in its own words.
    fn refused(&mut self, uid: &Uid, words: String, now: Now) {
        let Some(job) = self.job_mut(uid) else {
            return;
        };
        let status = status::refused(&job.ledger, &words, now.wall);
        job.desk.next = None;
        if !matches!(job.phase, Phase::Ending) {
            self.leave(uid, true);
            self.end(uid);
        }
        self.out
            .push(Step::Count(Count::StatusRefused(uid.clone(), words)));
        let draft = Draft {
            kind: WriteKind::Final,
            status: Arc::new(status),
            trimmed: true,
            minimal: true,
        };
        self.want_draft(uid, draft);
    }

    /// Sends the Ack that waited for the status to be stored.
    pub(super) fn acknowledge(&mut self, uid: &Uid) {
        let Some((node, run)) = self.job_mut(uid).and_then(|job| job.owed.take()) else {
            return;
        };
        if let Some(agent) = self.agents.get_mut(&node) {
            agent.settled(uid);
            if let Some(conn) = agent.conn {
                self.out.push(Step::Ack(conn, run));
            }
        }
    }

    /// Gives a job its verdict: it leaves wherever it was and is forgotten when the status is stored.
    pub(super) fn conclude(&mut self, uid: &Uid, status: EvalJobStatus, cancel: bool) {
        self.leave(uid, cancel);
        self.end(uid);
        self.want(uid, WriteKind::Final, status);
    }

    fn end(&mut self, uid: &Uid) {
        if let Some(job) = self.job_mut(uid) {
            job.phase = Phase::Ending;
            self.unstored += 1;
        }
    }

    /// The verdict is stored.
    fn finish(&mut self, uid: &Uid, now: Now) {
        self.acknowledge(uid);
        let default = self.rules.default_ttl;
        if let Some(job) = self.jobs.get(uid) {
            let ttl = job.facts.ttl.unwrap_or(default);
            self.out
                .push(Step::Finished(uid.clone(), job.facts.key.clone(), ttl));
        }
        self.remove(uid, now);
    }

    /// The job is gone, or somebody else gave it a verdict: nobody needs its run or its result. `look`: it may
    /// still exist, and has to be deleted in its time.
    pub(super) fn forget(&mut self, uid: &Uid, look: bool, now: Now) {
        self.leave(uid, true);
        self.acknowledge(uid);
        if look && let Some(job) = self.jobs.get(uid) {
            self.out
                .push(Step::Lost(uid.clone(), job.facts.key.clone()));
        }
        self.remove(uid, now);
    }

    fn remove(&mut self, uid: &Uid, now: Now) {
        self.drop_spec(uid);
        let mut told = false;
        if let Some(job) = self.jobs.remove(uid) {
            told = job.deleted;
            if matches!(job.phase, Phase::Ending) {
                self.unstored = self.unstored.saturating_sub(1);
            }
            self.drop_shape(&job.shape);
        }
        self.touched.push(uid.clone());
        self.tombs.add(uid, told, now.mono);
    }
}
