//! One spawner for most tests, and its slots, lent to one test at a time.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use evaljob_sandbox::plan::{HostPlan, NodeDirectory};
use evaljob_sandbox::{HostFacts, Slot, Spawner};

use super::isolated;

/// Slots of the shared spawner: more than CPUs, since many runs only wait.
pub(crate) const SLOTS: u32 = 4;

/// Root file system of runs, where they do not see the machine's own.
const ROOTFS: &str = "EVALJOB_TEST_ROOTFS";

/// A machine plan that this machine can meet.
pub(crate) fn host(slots: u32) -> HostPlan {
    HostPlan {
        rootfs: std::env::var(ROOTFS).ok(),
        node_directories: Vec::new(),
        allow_cgroup_v1: true,
        slots,
    }
}

/// A directory below the scratch directory under the name jobs use.
pub(crate) fn node_directory(name: &str) -> NodeDirectory {
    let path = isolated::scratch()
        .join(name)
        .to_string_lossy()
        .into_owned();
    NodeDirectory {
        name: name.to_owned(),
        path,
    }
}

/// A slot of the shared spawner; goes back when dropped, with its job ended.
#[derive(Debug)]
pub(crate) struct Lent {
    slot: Option<Slot>,
}

#[derive(Debug)]
struct Pool {
    free: Mutex<Vec<Slot>>,
    returned: Condvar,
}

static SPAWNER: Mutex<Option<Spawner>> = Mutex::new(None);
static POOL: OnceLock<Pool> = OnceLock::new();

fn spawner() -> MutexGuard<'static, Option<Spawner>> {
    SPAWNER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pool() -> &'static Pool {
    POOL.get_or_init(|| {
        let started = Spawner::start(host(SLOTS)).unwrap_or_else(|error| panic!("{error}"));
        let free = (0..SLOTS).map(|number| started.slot(number)).collect();
        *spawner() = Some(started);
        Pool {
            free: Mutex::new(free),
            returned: Condvar::new(),
        }
    })
}

/// A free slot; waits for one.
pub(crate) fn slot() -> Lent {
    let [slot] = slots();
    slot
}

/// Several free slots, taken at once, so that two tests cannot wait for each other's.
pub(crate) fn slots<const COUNT: usize>() -> [Lent; COUNT] {
    let pool = pool();
    let mut free = pool.free.lock().unwrap_or_else(PoisonError::into_inner);
    while free.len() < COUNT {
        free = pool
            .returned
            .wait(free)
            .unwrap_or_else(PoisonError::into_inner);
    }
    std::array::from_fn(|_| Lent { slot: free.pop() })
}

/// What the shared spawner found.
pub(crate) fn facts() -> HostFacts {
    pool();
    spawner().as_ref().expect("not closed yet").facts().clone()
}

/// Ends the shared spawner.
pub(crate) fn close() {
    spawner().take();
}

impl Deref for Lent {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        self.slot.as_ref().expect("taken by drop only")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Slot {
        self.slot.as_mut().expect("taken by drop only")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take() else {
            return;
        };
        // After a failed test its job is still open; what it says then adds nothing.
        let _ = slot.end();
        let pool = pool();
        pool.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(slot);
        pool.returned.notify_all();
    }
}
