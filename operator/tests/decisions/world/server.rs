//! The API server of the world: jobs, the CRD's rules, and what is changed by hand.

use super::*;

impl World {
    pub(super) fn add(&mut self, slots: u32, namespace: u16) {
        let index = self.order.len();
        let uid = Uid(format!("job-{index}").into());
        let facts = JobFacts {
            uid: uid.clone(),
            key: JobKey {
                namespace: format!("ns{namespace}").into(),
                name: format!("j{index}").into(),
            },
            created: self.now.wall,
            shape: Shape {
                slots,
                memory: 1,
                ..Shape::default()
            },
            priority: 0,
            infra_retry_limit: RETRIES,
            max_queue: Duration::from_secs(600),
            active_deadline: Duration::from_secs(3_600),
            ttl: None,
            suspend: false,
            cancel: false,
            inputs: Vec::new(),
            invalid: None,
            spec: b"{}".to_vec(),
            digest: 0,
            recorded: gate::recorded(&EvalJobStatus::default()),
        };
        self.order.push(uid.clone());
        self.jobs.insert(
            uid.clone(),
            Stored {
                facts,
                status: EvalJobStatus::default(),
            },
        );
        self.notify(&uid);
    }

    pub(crate) fn create(&mut self) -> Uid {
        self.add(1, 0);
        self.order.last().unwrap().clone()
    }

    pub(super) fn live(&self, which: u16) -> Option<Uid> {
        let live: Vec<&Uid> = self
            .jobs
            .iter()
            .filter(|(_, job)| !job.status.is_final())
            .map(|(uid, _)| uid)
            .collect();
        live.get(usize::from(which) % live.len().max(1))
            .map(|uid| (*uid).clone())
    }

    pub(super) fn delete(&mut self, which: u16) {
        if let Some(uid) = self.live(which) {
            self.jobs.remove(&uid);
            self.send_watch(Event::JobDeleted(uid));
        }
    }

    pub(super) fn edit(&mut self, which: u16, change: impl FnOnce(&mut JobFacts)) {
        if let Some(uid) = self.live(which) {
            change(&mut self.jobs.get_mut(&uid).unwrap().facts);
            self.notify(&uid);
        }
    }

    pub(super) fn foreign(&mut self, which: u16) {
        if let Some(uid) = self.live(which) {
            let job = self.jobs.get_mut(&uid).unwrap();
            job.status.verdict = Some("Accepted".to_owned());
            job.status.message = Some("by hand".to_owned());
            self.send_watch(Event::JobDeleted(uid));
        }
    }

    pub(super) fn facts(&self, uid: &Uid) -> JobFacts {
        let job = &self.jobs[uid];
        JobFacts {
            recorded: gate::recorded(&job.status),
            ..job.facts.clone()
        }
    }

    pub(super) fn notify(&mut self, uid: &Uid) {
        let facts = self.facts(uid);
        self.send_watch(Event::JobApplied(Box::new(facts)));
    }

    pub(super) fn send_watch(&mut self, event: Event) {
        if let Some(operator) = &mut self.operator {
            operator.watch.push_back(event);
        }
    }

    /// The CRD's rules: a verdict is final, the attempt never falls.
    pub(super) fn store(&mut self, order: &WriteOrder) -> Outcome {
        let Some(job) = self.jobs.get_mut(&order.uid) else {
            return Outcome::Gone;
        };
        let fresh = &*order.status;
        let refused = |words: &str| Outcome::Refused {
            words: words.to_owned(),
            too_large: false,
        };
        if job.status.is_final() {
            return if job.status == *fresh {
                Outcome::Stored
            } else {
                refused("the first verdict is final")
            };
        }
        if fresh.attempt.unwrap_or(0) < job.status.attempt.unwrap_or(0) {
            return refused("attempt never falls");
        }
        let failures = fresh.infrastructure_failures.unwrap_or(0);
        assert!(
            failures <= i32::try_from(RETRIES).unwrap() + 1,
            "{}: {failures} failures",
            order.uid
        );
        let before = job.status.infrastructure_failures.unwrap_or(0);
        let overtaken = self.overtaken.contains(&order.uid);
        assert!(
            failures >= before || overtaken,
            "{}: failures fell",
            order.uid
        );
        job.status = fresh.clone();
        let label = match order.kind {
            WriteKind::Running => "Running",
            WriteKind::Advice => "Advice",
            WriteKind::Reserve => "Reserve",
            WriteKind::Suspended => "Suspended",
            WriteKind::Final => "Final",
        };
        self.stored
            .entry(order.uid.clone())
            .or_default()
            .push(label);
        if fresh.is_final() {
            self.send_watch(Event::JobDeleted(order.uid.clone()));
        } else {
            self.notify(&order.uid.clone());
        }
        Outcome::Stored
    }

    /// The job as it is stored.
    pub(crate) fn status_of(&self, uid: &Uid) -> EvalJobStatus {
        self.jobs[uid].status.clone()
    }

    /// Runs that agents have executed.
    pub(crate) fn executed(&self) -> usize {
        self.executed.len()
    }

    /// Runs that agents hold for a job, with their nodes.
    pub(crate) fn held(&self, uid: &Uid) -> Vec<(NodeName, RunId)> {
        self.agents
            .iter()
            .flat_map(|(node, agent)| {
                agent
                    .held
                    .iter()
                    .map(move |(run, _)| (node.clone(), run.clone()))
            })
            .filter(|(_, run)| run.uid == *uid)
            .collect()
    }

    /// Changes a job's spec; the watch tells the operator.
    pub(crate) fn change(&mut self, uid: &Uid, change: impl FnOnce(&mut JobFacts)) {
        change(&mut self.jobs.get_mut(uid).unwrap().facts);
        self.notify(uid);
    }

    /// The job's owner deletes it.
    pub(crate) fn remove(&mut self, uid: &Uid) {
        self.jobs.remove(uid);
        self.send_watch(Event::JobDeleted(uid.clone()));
    }

    /// Lets time pass in steps small enough for everything that waits for it.
    pub(crate) fn wait(&mut self, time: Duration) {
        let step = Duration::from_millis(500);
        let mut left = time;
        while !left.is_zero() {
            self.pass(step.min(left));
            left = left.saturating_sub(step);
            self.settle();
        }
    }

    /// Gives the operator an event of the scene's own.
    pub(crate) fn inject(&mut self, event: Event) {
        self.tell(event);
    }

    /// The facts of a job as a listing would have them.
    pub(crate) fn listed(&self, uid: &Uid) -> JobFacts {
        self.facts(uid)
    }

    /// The nodes that the Lease names.
    pub(crate) fn named(&self) -> Former {
        self.former.clone()
    }

    /// Whether agents dial by themselves when the world settles.
    pub(crate) fn agents_dial(&mut self, dial: bool) {
        self.dial = dial;
    }

    /// Whether what the watch says arrives when the world settles.
    pub(crate) fn watches(&mut self, watches: bool) {
        self.watches = watches;
    }

    pub(crate) fn writes_of(&self, uid: &Uid) -> Vec<&'static str> {
        self.stored.get(uid).cloned().unwrap_or_default()
    }
}
