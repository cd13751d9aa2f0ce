//! Two thousand short jobs on all slots at once, one in twenty hostile: afterwards everything is as before.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use evaljob_sandbox::facts::Breach;
use evaljob_sandbox::plan::Network;
use evaljob_sandbox::{Slot, Spawner};

use crate::harness::census::{Count, count, settled};
use crate::harness::ground::Ground;
use crate::harness::processes::{others, reap};
use crate::harness::program::{MIB, Program};
use crate::harness::{Case, isolated, pool, wait};

/// Role: counts, alone in its world.
pub(crate) const SOAK: &str = "soak";

pub(crate) const CASES: &[Case] = &[(
    "2,000 jobs at once on all slots, one in twenty hostile, leave nothing behind",
    || {
        // What it counted is worth reading when all is well, too.
        eprint!("{}", isolated::assert_role(SOAK));
    },
)];

const JOBS: usize = 2_000;
/// Jobs before the first count: whatever is made once has been made.
const WARM: usize = 500;
/// One job in so many is hostile.
const HOSTILE: usize = 20;

/// One place for the allocator to take from: with one for each thread, memory depends on which threads met.
#[expect(unsafe_code, reason = "mallopt has no wrapper")]
fn allocate_in_one_place() {
    // SAFETY: sets a number, while there is one thread.
    let set = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    assert_eq!(set, 1, "the allocator takes the setting");
}

/// In a thread of its own: what the allocator keeps for a thread counts as allocated, and goes with it.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().expect("it counts"))
}

pub(crate) fn be_soaked() {
    allocate_in_one_place();
    let ground = Ground::enter("soak");
    let begun = Instant::now();
    let spawner = Spawner::start(pool::host(pool::SLOTS)).unwrap_or_else(|error| panic!("{error}"));
    let mut slots: Vec<_> = (0..pool::SLOTS).map(|slot| spawner.slot(slot)).collect();
    run(&mut slots, WARM);
    let before = apart(|| settled(&ground));
    let (memory, pages) = (allocated(), resident());
    let hostile = run(&mut slots, JOBS);
    apart(|| as_before(&ground, &before));
    let after = allocated();
    eprintln!(
        "{JOBS} jobs, {hostile} hostile, in {:.1} s after {WARM} to warm up; memory {memory} bytes before, {after} after, resident {pages} KiB before, {} after; {before:?}",
        begun.elapsed().as_secs_f64(),
        resident()
    );
    assert_eq!(hostile, JOBS / HOSTILE);
    assert!(
        after <= memory + memory / 100,
        "{memory} bytes before, {after} after"
    );
    drop(slots);
    drop(spawner);
    wait::until("everything is gone", || {
        reap();
        others().is_empty().then_some(())
    });
    assert_eq!(ground.below(), Vec::<std::path::PathBuf>::new());
    ground.leave();
}

fn as_before(ground: &Ground, before: &Count) {
    wait::until("everything is as before", || {
        let now = count(ground);
        if now != *before {
            eprintln!("before {before:?}\nnow    {now:?}");
        }
        (now == *before).then_some(())
    });
}

/// Bytes that this process has allocated and not freed. Resident pages vary by more than a percent between two looks,
/// leak or none: among them are those of the program itself.
#[expect(unsafe_code, reason = "mallinfo2 has no wrapper")]
fn allocated() -> usize {
    // SAFETY: reads the allocator's own figures.
    let figures = unsafe { libc::mallinfo2() };
    figures.uordblks + figures.hblkhd
}

/// KiB of memory of this process, without what the allocator keeps for later.
#[expect(unsafe_code, reason = "malloc_trim has no wrapper")]
fn resident() -> u64 {
    // SAFETY: takes a number and gives back pages that nothing is in.
    unsafe { libc::malloc_trim(0) };
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    number.expect("VmRSS in KiB")
}

/// Runs so many jobs, whichever slot is free; returns how many were hostile.
fn run(slots: &mut [Slot], jobs: usize) -> usize {
    let (next, hostile) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for slot in slots {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= jobs {
                        break;
                    }
                    if number % HOSTILE == HOSTILE / 2 {
                        attack(slot, number / HOSTILE);
                        hostile.fetch_add(1, Ordering::Relaxed);
                    } else {
                        behave(slot, number);
                    }
                }
                // Whatever ran last, the worker then has both network namespaces that take turns.
                for _ in 0..3 {
                    Program::new(&["/bin/true"]).run_on(slot).passed();
                }
            });
        }
    });
    hostile.into_inner()
}

/// Every third job has a loopback device.
fn behave(slot: &mut Slot, number: usize) {
    let mut program = Program::new(&["/bin/true"]);
    if number.is_multiple_of(3) {
        program.job.plan.network = Network::Loopback;
    }
    program.run_on(slot).passed();
}

/// Each ends as it must.
fn attack(slot: &mut Slot, number: usize) {
    match number % 5 {
        0 => {
            // The shell gives up at the first fork that is refused, however busy the machine is.
            let forks = Program::shell("while :; do sleep 600 & done")
                .limit(|limits| limits.processes = 16);
            assert!(forks.run_on(slot).facts.pids_hits > 0);
        }
        1 => {
            let eats = Program::compiled("eat", &["private", "64"])
                .limit(|limits| limits.memory = 16 * MIB);
            assert!(eats.run_on(slot).facts.oom_kills > 0);
        }
        2 => {
            let floods = Program::shell("yes").limit(|limits| limits.output = 64 << 10);
            floods.run_on(slot).breached(Breach::Output);
        }
        3 => {
            let fills = Program::shell("dd if=/dev/zero of=x bs=1M 2>/dev/null")
                .job(|job| job.workspace(4 * MIB));
            assert!(fills.run_on(slot).facts.disk_full);
        }
        _ => drop(
            Program::shell("setsid sleep 600 & setsid sleep 600 & exit 0")
                .run_on(slot)
                .passed(),
        ),
    }
}
