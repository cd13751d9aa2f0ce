//! Memory of the machine, shared by jobs that run side by side.
//!
//! A job waits until its share is free, so that not the machine but its own limit ends a job that uses too much.
//! One that wants more than there is gets all of it.

use std::sync::{Condvar, Mutex, PoisonError};

/// Kept free for this process and the machine.
const RESERVE: u64 = 128 << 20;

/// What is free.
#[derive(Debug)]
pub(super) struct Memory {
    whole: u64,
    free: Mutex<u64>,
    changed: Condvar,
}

/// Memory of one job; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    memory: &'a Memory,
    bytes: u64,
}

impl Memory {
    /// All of `budget` but a reserve.
    pub(super) fn new(budget: u64) -> Self {
        let whole = budget.saturating_sub(RESERVE);
        Self {
            whole,
            free: Mutex::new(whole),
            changed: Condvar::new(),
        }
    }

    /// Takes `bytes`, or all there is where that is less; blocks until they are free.
    pub(super) fn take(&self, bytes: u64) -> Share<'_> {
        let bytes = bytes.min(self.whole);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .changed
            .wait_while(free, |free| *free < bytes)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= bytes;
        Share {
            memory: self,
            bytes,
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self
            .memory
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.memory.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_job_waits_for_the_memory_of_another_and_the_largest_gets_all() {
        let memory = Memory::new(RESERVE + 100);
        let first = memory.take(1000);
        assert_eq!(first.bytes, 100);
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let memory = &memory;
            scope.spawn(move || {
                let _share = memory.take(1);
                sender.send(()).unwrap();
            });
            assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err());
            drop(first);
            receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        });
        assert_eq!(*memory.free.lock().unwrap(), 100);
    }
}
