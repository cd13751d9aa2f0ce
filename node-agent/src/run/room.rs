//! Slots and memory of the machine, shared by jobs that run side by side.
//!
//! A job waits until its share is free, so that not the machine but its own limit ends a job that uses too much. Jobs
//! wait in their order. One that wants more memory than there is gets all of it; one that wants more slots than there
//! are is refused.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use evaljob_crds::job::Needs;

/// Kept free for this process and the machine.
const RESERVE: u64 = 128 << 20;

/// What is free.
#[derive(Debug)]
pub(super) struct Room {
    slots: u32,
    memory: u64,
    free: Mutex<Free>,
    changed: Condvar,
}

#[derive(Debug)]
struct Free {
    /// Numbers, lowest last.
    slots: Vec<u32>,
    memory: u64,
}

/// What one job holds; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    room: &'a Room,
    memory: u64,
    /// Numbers of its slots.
    pub(super) slots: Vec<u32>,
}

impl Room {
    /// So many slots, and all of `budget` but a reserve.
    pub(super) fn new(slots: u32, budget: u64) -> Self {
        let memory = budget.saturating_sub(RESERVE);
        Self {
            slots,
            memory,
            free: Mutex::new(Free {
                slots: (0..slots).rev().collect(),
                memory,
            }),
            changed: Condvar::new(),
        }
    }

    /// Takes what a job needs; blocks until it is free. Called by one thread, so that jobs start in order.
    ///
    /// # Errors
    /// What is missing, where it never will be.
    pub(super) fn take(&self, needs: Needs) -> Result<Share<'_>, String> {
        if needs.slots > self.slots {
            return Err(too_few_slots(needs.slots, self.slots));
        }
        let count = usize::try_from(needs.slots).unwrap_or(usize::MAX);
        let memory = needs.memory.min(self.memory);
        let mut free = self
            .changed
            .wait_while(self.lock(), |free| {
                free.memory < memory || free.slots.len() < count
            })
            .unwrap_or_else(PoisonError::into_inner);
        free.memory -= memory;
        let rest = free.slots.len() - count;
        let mut slots = free.slots.split_off(rest);
        slots.reverse();
        Ok(Share {
            room: self,
            memory,
            slots,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said of a job that is too large for a machine.
pub(crate) fn too_few_slots(needs: u32, has: u32) -> String {
    format!(
        "the job needs {needs} slots (limits.cpus times testPolicy.parallelism), this machine has {has} (hint: lower \
         them, or raise --slots where there are CPUs for it)"
    )
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut free = self.room.lock();
        free.memory += self.memory;
        free.slots.append(&mut self.slots);
        free.slots.sort_unstable_by(|a, b| b.cmp(a));
        drop(free);
        self.room.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    fn needs(slots: u32, memory: u64) -> Needs {
        Needs {
            slots,
            memory,
            lanes: 1,
        }
    }

    #[test]
    fn a_job_waits_for_what_another_holds_and_the_largest_gets_all_memory() {
        let rows = [
            ("memory", needs(1, 1000), needs(1, 1)),
            ("slots", needs(2, 0), needs(2, 0)),
        ];
        for (row, first, second) in rows {
            let room = Room::new(3, RESERVE + 100);
            let first = room.take(first).unwrap();
            assert!(first.memory <= 100, "{row}");
            std::thread::scope(|scope| {
                let (sender, receiver) = mpsc::channel();
                let room = &room;
                scope.spawn(move || {
                    let share = room.take(second).unwrap();
                    sender.send(share.slots.clone()).unwrap();
                });
                assert!(
                    receiver.recv_timeout(Duration::from_millis(50)).is_err(),
                    "{row}"
                );
                drop(first);
                let slots = receiver.recv_timeout(Duration::from_secs(10)).unwrap();
                assert_eq!(slots.first(), Some(&0), "{row}");
            });
            assert_eq!(room.lock().memory, 100, "{row}");
            assert_eq!(room.lock().slots, [2, 1, 0], "{row}");
        }
    }

    #[test]
    fn a_job_that_never_fits_is_told_what_is_missing() {
        let said = Room::new(3, RESERVE).take(needs(4, 0)).unwrap_err();
        assert!(said.starts_with("the job needs 4 slots"), "{said}");
        assert!(said.contains("this machine has 3"), "{said}");
    }
}
