//! How the main process ended, as init saw it, and the caller's interrupt.

use std::time::Duration;

use evaljob_sandbox::Interrupt;
use evaljob_sandbox::facts::{Breach, Ending};
use libc::{SIGABRT, SIGFPE, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGSEGV, SIGTERM, SIGUSR1};

use crate::harness::Case;
use crate::harness::pool;
use crate::harness::program::Program;

pub(crate) const CASES: &[Case] = &[
    (
        "an exit status is the program's own, also one that looks like a signal",
        exit_statuses,
    ),
    ("a signal is told as a signal", signals),
    (
        "an interrupt ends a run that is under way",
        interrupt_under_way,
    ),
    (
        "an interrupt that has fired ends the next run at once",
        interrupt_before,
    ),
];

fn exit_statuses() {
    let mut slot = pool::slot();
    for status in [0, 1, 2, 42, 126, 127, 128, 137, 139, 143, 255] {
        let report = Program::shell(&format!("exit {status}")).run_on(&mut slot);
        assert_eq!(
            report.facts.ending,
            Ending::Exited(status),
            "{}",
            report.all()
        );
        assert_eq!(
            (report.facts.breach, report.facts.oom_kills),
            (None, 0),
            "{}",
            report.all()
        );
    }
}

fn signals() {
    let mut slot = pool::slot();
    for signal in [
        SIGHUP, SIGINT, SIGABRT, SIGFPE, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM, SIGUSR1,
    ] {
        let report = Program::shell(&format!("kill -{signal} $$"))
            .run_on(&mut slot)
            .signaled(signal);
        assert_eq!(report.facts.oom_kills, 0, "{}", report.all());
    }
}

fn interrupt_under_way() {
    let mut slot = pool::slot();
    let program = Program::shell("echo begun; sleep 1000");
    program.job.begin(&mut slot);
    let interrupt = Interrupt::new().expect("a descriptor");
    let report = program
        .watch_in(&mut slot, &interrupt, &mut |_| interrupt.fire())
        .expect("it runs");
    report.breached(Breach::Interrupted).printed("begun\n");
}

fn interrupt_before() {
    let mut slot = pool::slot();
    let program = Program::new(&["/bin/sleep", "1000"])
        .limit(|limits| limits.wall_time = Duration::from_secs(30));
    program.job.begin(&mut slot);
    let interrupt = Interrupt::new().expect("a descriptor");
    interrupt.fire();
    let report = program
        .watch_in(&mut slot, &interrupt, &mut |_| ())
        .expect("it runs");
    report.breached(Breach::Interrupted);
    Program::new(&["/bin/true"]).run_in(&mut slot).passed();
}
