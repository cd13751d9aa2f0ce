//! The operator of the world: the core, and what it has under way.

use super::*;

impl World {
    pub(super) fn operator_starts(&mut self) {
        if self.operator.is_some() {
            return;
        }
        self.term += 1;
        let rules = Rules {
            agent_grace: Duration::from_secs(20),
            spec_cache: 4,
            default_ttl: Duration::from_secs(60),
        };
        let watch = self.schema_and_listing();
        self.operator = Some(Operator {
            core: Decider::new(rules),
            watch,
            writes: Vec::new(),
            reads: Vec::new(),
            enlist: None,
            conns: HashMap::new(),
            current: HashMap::new(),
        });
        let nodes = (0..NODES)
            .map(|index| (node(index), NodeFacts::default()))
            .collect();
        self.tell(Event::NodesListed(nodes));
        self.tell(Event::Leading(self.epoch(), self.former.clone()));
    }

    /// What a watch begins with.
    fn schema_and_listing(&self) -> VecDeque<Event> {
        let missing = Missing {
            spec: self.missing.clone(),
            status: Vec::new(),
        };
        let mut events = VecDeque::from([Event::SchemaRead(missing), Event::JobsRelist]);
        for (uid, job) in &self.jobs {
            if !job.status.is_final() {
                events.push_back(Event::JobListed(Box::new(self.facts(uid))));
            }
        }
        events.push_back(Event::JobsListed);
        events
    }

    /// The CRD becomes one that lacks these fields of a spec.
    pub(crate) fn replace_crd(&mut self, missing: &[&str]) {
        self.missing = missing.iter().map(|field| (*field).to_owned()).collect();
        let events = self.schema_and_listing();
        if let Some(operator) = &mut self.operator {
            operator.watch.extend(events);
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        Epoch {
            lease_uid: "lease".into(),
            transitions: self.term,
        }
    }

    pub(super) fn operator_dies(&mut self) {
        if let Some(operator) = self.operator.take() {
            self.late.extend(operator.writes);
            for agent in self.agents.values_mut() {
                agent.hang_up();
            }
        }
    }

    pub(super) fn watch(&mut self) {
        if let Some(event) = self
            .operator
            .as_mut()
            .and_then(|operator| operator.watch.pop_front())
        {
            self.tell(event);
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall = self.now.wall.checked_add(time).unwrap();
        let due = |world: &Self| {
            let operator = world.operator.as_ref()?;
            operator
                .core
                .next_due()
                .filter(|due| *due <= world.now.mono)
        };
        let mut rounds = 0;
        while due(self).is_some() {
            self.tell(Event::Tick);
            rounds += 1;
            assert!(rounds < 100, "ticks lead nowhere");
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        let now = self.now;
        let Some(operator) = &mut self.operator else {
            return;
        };
        let steps = operator.core.handle(event, now);
        for step in steps {
            self.carry_out(step);
        }
    }

    pub(super) fn carry_out(&mut self, step: Step) {
        let operator = self.operator.as_mut().unwrap();
        let to = |conn: Conn| operator.conns.get(&conn).cloned();
        match step {
            Step::Run(order) => {
                let run = order.run.clone();
                let stored = self
                    .jobs
                    .get(&run.uid)
                    .and_then(|job| job.status.attempt)
                    .unwrap_or(0);
                if run.attempt > 1 && self.jobs.contains_key(&run.uid) {
                    assert!(
                        stored >= i32::try_from(run.attempt).unwrap(),
                        "{run} was sent before it was written"
                    );
                }
                assert_eq!(run.epoch.transitions, self.term);
                let node = to(order.conn);
                operator.current.insert(run.uid.clone(), run.clone());
                self.push_down(node, order.conn, Down::Run(run));
            }
            Step::Cancel(conn, run, verdict) => {
                let node = to(conn);
                if verdict.is_none() && operator.current.get(&run.uid) == Some(&run) {
                    operator.current.remove(&run.uid);
                }
                self.push_down(node, conn, Down::Cancel(run, verdict));
            }
            Step::Ack(conn, run) => {
                let node = to(conn);
                let believed = operator.current.get(&run.uid) == Some(&run);
                self.check_ack(&run, believed);
                self.push_down(node, conn, Down::Ack(run));
            }
            Step::Welcome(conn, _, keep) => {
                for run in &keep {
                    operator.current.insert(run.uid.clone(), run.clone());
                }
                let node = to(conn);
                self.push_down(node, conn, Down::Welcome(keep));
            }
            Step::Close(conn, _) => {
                let node = operator.conns.remove(&conn);
                if let Some(agent) = node.and_then(|node| self.agents.get_mut(&node))
                    && agent.conn == Some(conn)
                {
                    agent.hang_up();
                }
            }
            Step::Write(order) => {
                assert!(
                    operator.writes.iter().all(|other| other.uid != order.uid),
                    "two writes of {} at once",
                    order.uid
                );
                operator.writes.push(*order);
            }
            Step::Read(uid, key, id) => {
                self.reads += 1;
                operator.reads.push((uid, key, id));
            }
            Step::Load(order) => {
                self.loads += 1;
                let ready = evaljob_operator::decide::Loaded::Ready {
                    spec: b"{}".to_vec(),
                    inputs: Vec::new(),
                };
                operator
                    .watch
                    .push_back(Event::Loaded(order.uid.clone(), order.load, ready));
            }
            Step::Enlist(nodes) => operator.enlist = Some(nodes),
            Step::Finished(uid, ..) => {
                if let Some(job) = self.jobs.get(&uid) {
                    assert!(job.status.is_final(), "{uid} is thought finished");
                }
            }
            Step::Lost(..) | Step::Warn(_) | Step::CrdLacks(..) | Step::Count(_) => {}
        }
    }

    /// Ack only for what is stored, or wanted by nobody.
    pub(super) fn check_ack(&self, run: &RunId, believed: bool) {
        let Some(job) = self.jobs.get(&run.uid) else {
            return;
        };
        let suspended = gate::recorded(&job.status).suspended;
        let attempt = u32::try_from(job.status.attempt.unwrap_or(0)).unwrap();
        let settled = job.status.is_final() || attempt > run.attempt || suspended || !believed;
        assert!(
            settled,
            "Ack for {run}, but nothing of it is stored: {:?}",
            job.status
        );
    }

    pub(super) fn push_down(&mut self, node: Option<NodeName>, conn: Conn, message: Down) {
        if let Some(agent) = node.and_then(|node| self.agents.get_mut(&node))
            && agent.conn == Some(conn)
        {
            agent.down.push_back(message);
        }
    }

    pub(super) fn answer(&mut self, which: u16, how: u16) {
        let Some(operator) = &mut self.operator else {
            return;
        };
        if let Some(nodes) = operator.enlist.take() {
            self.former = nodes.clone();
            return self.tell(Event::Enlisted(nodes));
        }
        if !operator.reads.is_empty() && (which.is_multiple_of(2) || operator.writes.is_empty()) {
            let (uid, _, id) = operator.reads.remove(0);
            let read = match self.jobs.get(&uid) {
                _ if how.is_multiple_of(5) => ReadBack::Unavailable,
                None => ReadBack::Gone,
                Some(job) if job.status.is_final() => ReadBack::Finished,
                Some(job) => ReadBack::Live(gate::recorded(&job.status)),
            };
            return self.tell(Event::Read(uid, id, read));
        }
        if operator.writes.is_empty() {
            return;
        }
        let order = operator
            .writes
            .remove(usize::from(which) % operator.writes.len());
        let unavailable = Outcome::Unavailable { retry_after: None };
        let outcome = match how % 8 {
            0 => unavailable,
            1 => {
                self.store(&order);
                unavailable
            }
            2 if how % 64 == 2 => Outcome::Refused {
                words: "request is too large".into(),
                too_large: true,
            },
            _ => self.store(&order),
        };
        self.tell(Event::Written(order.uid, order.id, outcome));
    }
}
