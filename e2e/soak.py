#!/usr/bin/env python3
"""`make soak`: thousands of jobs through `evaljob-agent run`, then a look at what is left of them.

    soak.py AGENT_BINARY [JOBS]

Rounds of 500 jobs, one in twenty hostile (forks without end, memory, output, disk, processes that stay). After each
round: every verdict is the expected one, and mounts, cgroups, network namespaces and processes are what they were
before. While a round runs, the agent's descriptors and memory are watched: descriptors may not grow, memory is printed.
Prints progress; exits with 1 on any difference. Needs root. Run in PID, mount and network namespaces of its own, so that
it sees no other process; cgroups are the machine's, so nothing else may run EvalJobs meanwhile.
"""

import json
import os
import sys
import threading
import time

import local_run

ROUND = 500
# A program, the limits it gets, its verdict. `true` is what the others stand between.
HOSTILE = [
    (["sh", "-c", "f() { f | f & }; f; sleep 5"], {"processes": 16, "wallTimeMilliseconds": 1000},
     {"IdleLimitExceeded", "TimeLimitExceeded", "ProcessLimitExceeded", "Completed"}),
    (["python3", "-c", "x = bytearray(1 << 30)"], {"memory": "32Mi"}, {"MemoryLimitExceeded"}),
    (["yes"], {"output": "64Ki"}, {"OutputLimitExceeded"}),
    (["dd", "if=/dev/zero", "of=x", "bs=1M"], {"workspace": "4Mi"}, {"DiskLimitExceeded"}),
    (["sh", "-c", "setsid sleep 600 & setsid sleep 600 & exit 0"], {}, {"Completed"}),
]


def jobs(round_number):
    """The manifests of a round with the verdicts each may have."""
    for number in range(ROUND):
        command, limits, verdicts = ["true"], {}, {"Completed"}
        if number % 20 == 10:
            command, limits, verdicts = HOSTILE[number // 20 % len(HOSTILE)]
        yield {
            "apiVersion": "evaljob.dev/v1alpha1", "kind": "EvalJob",
            "metadata": {"name": f"soak-{round_number}-{number}"}, "spec": {"command": command, "limits": limits},
        }, verdicts


def machine():
    """What no run may add to, once the last agent has ended."""
    namespaces = set()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            namespaces.add(os.readlink(f"/proc/{entry}/ns/net"))
        except OSError:
            continue
    groups = (name for at, names, _ in os.walk("/sys/fs/cgroup") for name in names if "evaljob" in os.path.join(at, name))
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        return {"mounts": len(mounts.readlines()), "cgroups": sum(1 for _ in groups), "network namespaces": len(namespaces),
                "processes": sum(map(str.isdigit, os.listdir("/proc")))}


class Tree:
    """Watches the descriptors and the memory of the agent below this process while a round runs."""

    def __init__(self):
        self.samples, self.done = [], threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        """A sample ten times a second, of the agent alone: its runs come and go."""
        while not self.done.wait(0.1):
            for child in children(os.getpid()):
                try:
                    with open(f"/proc/{child}/statm", encoding="utf-8") as statm:
                        memory = int(statm.read().split()[1]) * 4
                    self.samples.append((len(os.listdir(f"/proc/{child}/fd")), memory))
                except (OSError, IndexError):
                    continue

    def stop(self):
        """Highest descriptors and KiB of memory in the second and the last quarter."""
        self.done.set()
        self.thread.join()
        quarter = len(self.samples) // 4
        parts = (self.samples[quarter:2 * quarter], self.samples[-quarter:]) if quarter else ([], [])
        return [[max(column) for column in zip(*part)] for part in parts]


def children(pid):
    """Direct children of a process."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="utf-8") as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


def main():
    """Command line."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: soak.py AGENT_BINARY [JOBS]")
    agent, total = sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 10_000
    local_run.require_agent(agent)
    rounds = max(2, total // ROUND)
    failures, baseline, begun = 0, machine(), time.monotonic()
    print(f"before: {baseline}", flush=True)
    for number in range(1, rounds + 1):
        pairs = list(jobs(number))
        tree = Tree()
        outcome = local_run.run(agent, "".join("---\n" + json.dumps(job) + "\n" for job, _ in pairs))
        early_late = tree.stop()
        problems = check(pairs, outcome, early_late) + left(baseline)
        failures += len(problems)
        for problem in problems:
            print(f"  {problem}")
        rate = number * ROUND / (time.monotonic() - begun)
        print(f"{number * ROUND:6} of {rounds * ROUND} jobs, {rate:.0f}/s, [descriptors, KiB] {early_late}", flush=True)
    print(f"{failures} differences")
    return 1 if failures else 0


def check(pairs, outcome, early_late):
    """Verdicts, processes and the agent's own growth."""
    if outcome.exit_code not in (0, 1):
        return [f"the agent ended with {outcome.exit_code}: {outcome.stderr[-2000:]}"]
    statuses = dict(outcome.statuses())
    problems = [f"process {process} is left" for process in outcome.leftovers]
    for job, verdicts in pairs:
        name = job["metadata"]["name"]
        verdict = statuses.get(name, {}).get("verdict")
        if verdict not in verdicts:
            problems.append(f"{name}: {verdict}, expected {sorted(verdicts)}: {statuses.get(name, {}).get('message')}")
    if len(early_late) == 2 and early_late[0] and early_late[1] and early_late[1][0] > early_late[0][0]:
        problems.append(f"the agent's descriptors grew from {early_late[0][0]} to {early_late[1][0]}")
    return problems


def left(baseline):
    """What is more than before, after the kernel had ten seconds for what it frees in the background."""
    for _ in range(100):
        now = machine()
        more = [f"{what}: {baseline[what]} before, {count} now" for what, count in now.items() if count > baseline[what]]
        if not more:
            return []
        time.sleep(0.1)
    return more


if __name__ == "__main__":
    sys.exit(main())
