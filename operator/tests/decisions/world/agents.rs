//! The agents of the world: they keep to the wire schema and to nothing else.

use super::*;

impl World {
    pub(super) fn agent_dials(&mut self, name: &NodeName) {
        let Some(operator) = &mut self.operator else {
            return;
        };
        let agent = self.agents.get_mut(name).unwrap();
        if agent.conn.is_some() {
            return;
        }
        self.conns += 1;
        let conn = Conn(self.conns);
        operator.conns.insert(conn, name.clone());
        agent.conn = Some(conn);
        let now = self.now.mono;
        let inventory = agent
            .held
            .iter()
            .map(|(run, stage)| Held {
                run: run.clone(),
                finished: matches!(stage, Stage::Finished { .. }),
                started: match stage {
                    Stage::Waiting => None,
                    Stage::Running(since) => Some(now - *since),
                    Stage::Finished { at, .. } => Some(now - *at),
                },
            })
            .collect();
        let facts = AgentFacts {
            node: name.clone(),
            pod_name: format!("agent-{name}"),
            pod_uid: format!("{name}-{}", agent.pod),
            capacity: Capacity {
                slots: 2,
                memory: 1 << 30,
                default_rootfs: true,
                landlock_abi: 7,
                credits: CREDITS,
                ..Capacity::default()
            },
            missing_layer: None,
            inventory,
        };
        agent.up.push_back(Event::Hello(conn, Box::new(facts)));
    }

    pub(super) fn stream_breaks(&mut self, name: &NodeName) {
        let agent = self.agents.get_mut(name).unwrap();
        if let Some(conn) = agent.conn {
            // What was sent before the break may still arrive, its end last; the agent hears nothing any more.
            let mut rest = std::mem::take(&mut agent.up);
            agent.hang_up();
            if self.operator.is_some() {
                rest.push_back(Event::Closed(conn));
                for event in rest {
                    self.tell(event);
                }
            }
        }
    }

    pub(super) fn agent_dies(&mut self, name: &NodeName) {
        self.stream_breaks(name);
        let agent = self.agents.get_mut(name).unwrap();
        agent.held.clear();
        agent.pod += 1;
    }

    pub(super) fn up(&mut self, name: &NodeName) {
        if let Some(event) = self.agents.get_mut(name).unwrap().up.pop_front() {
            self.tell(event);
        }
    }

    pub(super) fn down(&mut self, name: &NodeName) {
        let now = self.now.mono;
        let agent = self.agents.get_mut(name).unwrap();
        match agent.down.pop_front() {
            None => {}
            Some(Down::Welcome(keep)) => {
                agent.held.retain(|(run, _)| keep.contains(run));
                agent.welcomed = true;
                let held = agent.held.clone();
                for (run, stage) in held {
                    agent.report(&run, stage, now);
                }
            }
            Some(Down::Run(run)) => {
                assert!(agent.welcomed, "{run} before Welcome");
                assert!(
                    agent.held.len() < usize::try_from(CREDITS).unwrap(),
                    "more than the agent's credits"
                );
                assert!(
                    agent.held.iter().all(|(other, _)| *other != run),
                    "{run} twice"
                );
                agent.held.push((run, Stage::Waiting));
            }
            Some(Down::Cancel(run, None)) => agent.held.retain(|(other, _)| *other != run),
            Some(Down::Cancel(run, Some(verdict))) => {
                let done = Stage::Finished {
                    verdict,
                    infrastructure: false,
                    returned: false,
                    at: now,
                };
                if let Some((_, stage)) = agent.held.iter_mut().find(|(other, _)| *other == run)
                    && !matches!(stage, Stage::Finished { .. })
                {
                    *stage = done;
                    agent.report(&run, done, now);
                }
            }
            Some(Down::Ack(run)) => agent.held.retain(|(other, _)| *other != run),
        }
    }

    pub(super) fn agent_starts(&mut self, name: &NodeName) {
        let now = self.now.mono;
        let agent = self.agents.get_mut(name).unwrap();
        if let Some((run, stage)) = agent
            .held
            .iter_mut()
            .find(|(_, stage)| *stage == Stage::Waiting)
        {
            assert!(
                self.executed.insert(run.clone()),
                "{run} was executed twice"
            );
            *stage = Stage::Running(now);
            let (run, stage) = (run.clone(), *stage);
            agent.report(&run, stage, now);
        }
    }

    pub(super) fn agent_finishes(&mut self, name: &NodeName, how: u16) {
        let now = self.now.mono;
        let agent = self.agents.get_mut(name).unwrap();
        let infrastructure = how.is_multiple_of(5);
        let verdict = if infrastructure {
            Verdict::InfrastructureError
        } else {
            Verdict::Accepted
        };
        if let Some((run, stage)) = agent
            .held
            .iter_mut()
            .find(|(_, stage)| matches!(stage, Stage::Running(_)))
        {
            *stage = Stage::Finished {
                verdict,
                infrastructure,
                returned: how % 25 == 5,
                at: now,
            };
            let (run, stage) = (run.clone(), *stage);
            agent.report(&run, stage, now);
        }
    }
}

impl Agent {
    /// The agent's side of a broken stream.
    pub(super) fn hang_up(&mut self) {
        self.conn = None;
        self.welcomed = false;
        self.down.clear();
        self.up.clear();
    }

    /// Says where a run is, once the stream is open for it.
    pub(super) fn report(&mut self, run: &RunId, stage: Stage, now: Duration) {
        let Some(conn) = self.conn.filter(|_| self.welcomed) else {
            return;
        };
        self.up.push_back(match stage {
            Stage::Waiting => return,
            Stage::Running(since) => Event::Started(conn, run.clone(), now - since),
            Stage::Finished {
                verdict,
                infrastructure,
                returned,
                at,
            } => Event::Done(
                conn,
                Box::new(Done {
                    run: run.clone(),
                    status: Some(Box::new(EvalJobStatus {
                        verdict: Some(verdict.into()),
                        ..EvalJobStatus::default()
                    })),
                    infrastructure,
                    returned,
                    age: now - at,
                }),
            ),
        });
    }
}
