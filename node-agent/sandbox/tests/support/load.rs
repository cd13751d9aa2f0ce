//! Things a run may do, for tests that measure or limit them. Each is called in a forked child.
#![expect(unsafe_code, reason = "fork until refused")]

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this process.
pub(crate) fn own_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("the clock is not negative")
}

/// Uses CPU until this process has used `amount`.
pub(crate) fn spin(amount: Duration) {
    while own_cpu() < amount {
        std::hint::black_box(0);
    }
}

/// Touches that many bytes of memory and keeps them until the end of the process.
pub(crate) fn eat(bytes: usize) {
    let mut memory = vec![0_u8; bytes];
    for page in memory.chunks_mut(4096) {
        page[0] = 1;
    }
    std::hint::black_box(&memory);
    std::mem::forget(memory);
}

/// Waits to be killed.
pub(crate) fn sleep_for_ever() {
    loop {
        std::thread::park();
    }
}

/// Makes the kernel choose this process before others in its cgroup.
pub(crate) fn be_the_victim() {
    std::fs::write("/proc/self/oom_score_adj", "1000")
        .expect("a process may always raise its own score");
}

/// Forks children that only wait, until fork is refused or `most` are made; kills them all and says how many.
pub(crate) fn fork_until_refused(most: usize) -> usize {
    let mut children = Vec::new();
    while children.len() < most {
        // SAFETY: this process has one thread; the child only waits to be killed.
        match unsafe { libc::fork() } {
            0 => loop {
                // SAFETY: waits for a signal.
                unsafe { libc::pause() };
            },
            -1 => break,
            pid => children.push(pid),
        }
    }
    for pid in &children {
        // SAFETY: a child of ours that has not been waited for.
        unsafe { libc::kill(*pid, libc::SIGKILL) };
        // SAFETY: as above; no status is asked for.
        unsafe { libc::waitpid(*pid, std::ptr::null_mut(), 0) };
    }
    children.len()
}
