//! The sandbox slots of this machine, lent to jobs.
//!
//! In: the numbers of the slots that a job holds. Out: its status. Each slot has two sandboxes: one for programs and
//! one, with ids of its own, for what checks them; the second costs nothing before it is used. Who holds which slot is
//! decided elsewhere (`executor::book`, `run::room`); a slot that is not here is a fault of this program.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use evaljob_crds::EvalJobStatus;
use evaljob_crds::job::Job;
use evaljob_sandbox::Spawner;
use k8s_openapi::jiff::Timestamp;

use crate::judge::{self, Lane, Place, Stop};
use crate::report;

/// Slots of the sandbox for so many slots of the machine.
pub fn sandbox_slots(slots: u32) -> u32 {
    slots.saturating_mul(2)
}

/// All slots, each as a lane of its own.
#[derive(Debug)]
pub struct Lanes {
    /// Those that nobody holds.
    parked: Mutex<BTreeMap<u32, Lane>>,
}

impl Lanes {
    /// The first `slots` slots of a spawner that was started with [`sandbox_slots`] of them.
    pub fn new(spawner: &Spawner, slots: u32) -> Self {
        let place = |number| Place {
            number,
            sandbox: Box::new(spawner.slot(number)),
        };
        let lane = |number| Lane {
            program: place(number),
            checker: place(slots + number),
            cpus: Vec::new(),
        };
        let parked = (0..slots).map(|number| (number, lane(number)));
        Self {
            parked: Mutex::new(parked.collect()),
        }
    }

    /// Takes a job to its end on the slots it holds. Blocks.
    pub fn judge(&self, held: &[u32], job: &Job, stop: &Stop, started: Timestamp) -> EvalJobStatus {
        let mut lanes = self.take(shares(held, job.needs().lanes));
        if lanes.is_empty() {
            return report::infrastructure(job, None, "the job holds no slot".to_owned());
        }
        let status = judge::judge(&mut lanes, job, stop, started);
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        parked.extend(lanes.into_iter().map(|lane| (lane.program.number, lane)));
        status
    }

    fn take(&self, shares: Vec<Vec<u32>>) -> Vec<Lane> {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = shares.into_iter().filter_map(|cpus| {
            let lane = parked.remove(cpus.first()?)?;
            Some(Lane { cpus, ..lane })
        });
        taken.collect()
    }
}

/// For each lane the slots whose CPUs its runs use: first those that are its alone, then, for steps, all others.
fn shares(held: &[u32], lanes: u32) -> Vec<Vec<u32>> {
    let lanes = usize::try_from(lanes)
        .unwrap_or(1)
        .clamp(1, held.len().max(1));
    let each = (held.len() / lanes).max(1);
    let turned = |lane: usize| {
        let (before, from) = held.split_at((lane * each).min(held.len()));
        from.iter().chain(before).copied().collect()
    };
    (0..lanes).map(turned).collect()
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn each_lane_begins_with_the_slots_that_are_its_alone() {
        type Row = (&'static str, &'static [u32], u32, Vec<Vec<u32>>);
        let rows: [Row; 4] = [
            ("one", &[3], 1, vec![vec![3]]),
            ("one with several CPUs", &[1, 4], 1, vec![vec![1, 4]]),
            (
                "two with two each",
                &[0, 2, 5, 6],
                2,
                vec![vec![0, 2, 5, 6], vec![5, 6, 0, 2]],
            ),
            (
                "more slots than tests need",
                &[0, 1, 2],
                2,
                vec![vec![0, 1, 2], vec![1, 2, 0]],
            ),
        ];
        for (row, held, lanes, expected) in rows {
            assert_eq!(shares(held, lanes), expected, "{row}");
        }
    }
}
