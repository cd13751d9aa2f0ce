"""Runs manifests through `evaljob-agent run` and reads what it says; used by the suites under e2e/.

In: the agent's path and a text of EvalJob documents. Out: exit code, the JSON lines of stdout, stderr.
It never interprets a verdict. It fails when a process of a finished run is still alive: each status names the
host uid its run had, and no process of that uid that descends from here may be left when the agent has ended. Orphans
come here as to init (PR_SET_CHILD_SUBREAPER, prctl(2)), so that runs of another agent beside are told apart.
"""

import contextlib
import ctypes
import dataclasses
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

# What runs see on their PATH, which is where `needs` looks.
RUN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin"
PR_SET_CHILD_SUBREAPER = 36
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
    sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")


@dataclasses.dataclass
class Outcome:
    """What one call of `evaljob-agent run` gave."""

    exit_code: int
    stdout: str
    stderr: str
    agent_peak_bytes: int  # highest resident memory of the agent process itself that was seen
    leftovers: list  # processes of finished runs, which must be none

    def statuses(self):
        """Name and status of each document, in order."""
        return [(line["name"], line["status"]) for line in map(json.loads, self.stdout.splitlines())]


def require_agent(path):
    """Ends the program with clear words unless the suite can run here."""
    if not os.access(path, os.X_OK):
        sys.exit(f"{path} is no executable: build it with `make build`")
    if os.geteuid() != 0:
        sys.exit("these suites need root: the sandbox makes namespaces, mounts and cgroups")


def is_on_run_path(program):
    """Whether a run would find this program."""
    return shutil.which(program, path=RUN_PATH) is not None


@functools.cache
def rust_root():
    """The directory of the Rust toolchain that this checkout is built with, which no run finds by itself; None without."""
    if not shutil.which("rustc"):
        return None
    return subprocess.run(["rustc", "--print", "sysroot"], check=True, capture_output=True, text=True,
                          cwd=pathlib.Path(__file__).parent).stdout.strip()


def run(agent, manifests, output="json", timeout=600, extra_env=None, inherited=(), options=()):
    """Judges the documents of `manifests`; `inherited` descriptors stay open in the agent, `options` are its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file, \
            tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        file.write(manifests)
        file.flush()
        child = subprocess.Popen(
            [agent, "run", "-f", file.name, "-o", output, "--allow-cgroup-v1", *options], stdin=subprocess.DEVNULL,
            stdout=stdout, stderr=stderr, pass_fds=inherited, env={**os.environ, **(extra_env or {})},
        )
        peak = PeakMemory(child.pid)
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            stderr.write(f"\nkilled by the suite: no end after {timeout} s\n")
        finally:
            peak.stop()
        stdout.seek(0)
        stderr.seek(0)
        outcome = Outcome(child.returncode, stdout.read(), stderr.read(), peak.bytes, [])
    if output == "json" and outcome.exit_code in (0, 1, 3):
        uids = {status.get("enforcement", {}).get("uid") for _, status in outcome.statuses()} - {None}
        outcome.leftovers = processes_of(uids)
    return outcome


@contextlib.contextmanager
def load(per_cpu):
    """Keeps `per_cpu` spinning processes for each CPU."""
    # Each looks for its parent, so that none outlives a suite that was killed.
    spin = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
    spinners = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(per_cpu * os.cpu_count())]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


class PeakMemory:
    """Watches VmHWM of a process until stopped."""

    def __init__(self, pid):
        self.bytes, self.pid, self.done = 0, pid, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        """Reads the figure, which the kernel keeps as a maximum, again and again."""
        while not self.done.wait(0.02):
            try:
                with open(f"/proc/{self.pid}/status", encoding="utf-8") as status:
                    for line in status:
                        if line.startswith("VmHWM:"):
                            self.bytes = max(self.bytes, int(line.split()[1]) * 1024)
            except OSError:
                return

    def stop(self):
        """Ends the watch."""
        self.done.set()
        self.thread.join()


def processes_of(uids):
    """Living processes below this one whose real uid is one of these, as "pid name"."""
    processes = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/status", encoding="utf-8", errors="replace") as status:
                fields = dict(line.split(":", 1) for line in status if ":" in line)
        except OSError:
            continue
        processes[int(entry)] = int(fields["PPid"]), int(fields["Uid"].split()[0]), fields["Name"].strip()

    def is_ours(pid):
        while pid in processes:
            pid = processes[pid][0]
            if pid == os.getpid():
                return True
        return False

    return [f"{pid} {name}" for pid, (_, uid, name) in processes.items() if uid in uids and is_ours(pid)]
