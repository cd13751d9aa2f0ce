#!/usr/bin/env python3
"""Judges manifests under other kernels, with cgroup v2 as the only hierarchy, in virtual machines.

    check.py AGENT_BINARY CGROUP_TEST_BINARY SANDBOX_TEST_BINARY [--arch ARCH] [--only BOOT] [--rows TEXT]

Linux 6.1 and 6.12 of Debian: `doctor` with the node's own test, every job of manifests.yaml, the cgroup tests of the
sandbox, and the starred programs of the hostile corpus, one boot each; with --rows these kernels only, and the programs
whose names hold that text (all of them: ""); with --arch arm64 these kernels on that architecture, with binaries of it.
Then boots with a seeded fault, where doctor must turn red and no job may run: Landlock left out of lsm=, the memory
controller left out, no /proc. Prints a line a case and last "N passed, N failed"; exits with 1 on any difference. Needs
what node-agent/sandbox/tests/vm/run needs, and gcc with a static C library, for arm64 gcc-aarch64-linux-gnu and qemu-user.
"""

import argparse
import dataclasses
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SANDBOX = HERE.parents[1] / "node-agent/sandbox"
PROGRAMS = ("eat", "many", "spin")
# As they are named in the machine.
BINARIES = ("agent", "cgroup_v2", "sandbox")
# What manifests and the corpus use of busybox.
APPLETS = "sh cat cmp dd echo mkdir chmod mv sleep true yes env".split()
# Of Python's library, large and of no interest to the corpus.
UNUSED = shutil.ignore_patterns("test", "idlelib", "tkinter", "lib2to3", "ensurepip", "dist-packages", "__pycache__", "config-*")
# Part of the names of the corpus' rows that `make test` shows: those with a star.
STARRED = "*"

# `own NAME PROGRAM`: in a cgroup of its own, as a container's first process starts.
OWN = """own() { mkdir -p /sys/fs/cgroup/$1; (echo 0 >/sys/fs/cgroup/$1/cgroup.procs; shift; exec "$@"); }
cd /; echo +cpu +memory +pids >/sys/fs/cgroup/cgroup.subtree_control"""
EXAMINE = "own agent /agent doctor --rootfs /image; echo doctor $?"
# The console is a terminal, on which progress would be drawn.
JUDGE = "own agent /agent run --rootfs /image --slots 2 -o json -f /manifests.yaml 2>/said; echo run $?; cat /said"
ATTACK = "own corpus env EVALJOB_TEST_ROLE=inside-a-machine EVALJOB_TEST_SCRATCH=/corpus EVALJOB_TEST_ROOTFS=/image " \
         "EVALJOB_TEST_FILTER='@rows@' /sandbox; echo corpus $?"
WHOLE = f"{OWN}\n{EXAMINE}\n{JUDGE}\n/cgroup_v2; echo cgroups $?\n{ATTACK}"
FAULTY = f"{OWN}\n@before@\n{EXAMINE}\n{JUDGE}"


@dataclasses.dataclass
class Boot:
    """One start of a machine."""

    name: str
    suite: str
    append: str = ""  # to the kernel's command line
    before: str = ""  # a command before doctor
    fault: str = ""  # how doctor's line must begin; empty: it must be green
    says: str = ""  # what that line must hold


BOOTS = [
    Boot("Linux 6.1", "bookworm"),
    Boot("Linux 6.12", "trixie"),
    Boot("without Landlock", "trixie", append="lsm=capability", fault="FAIL Landlock", says="lsm="),
    Boot("without the memory controller", "trixie", append="cgroup_disable=memory",
         before="echo +cpu +pids >/sys/fs/cgroup/cgroup.subtree_control", fault="FAIL Cgroup", says="controller memory is not available"),
    Boot("without /proc", "trixie", before="umount -l /proc", fault="FAIL Spawner", says="cannot start evaljob-spawner"),
]
# What run exits with when the emulator or its kernel gave up; a second time it counts.
DIED = 2
# Architecture of a machine: how its compiler and tools are called here, and what runs its programs.
TOOLS = {"amd64": ("", []), "arm64": ("aarch64-linux-gnu-", ["qemu-aarch64"])}
# Lowest Landlock ABI that each kernel lacks.
TOO_HIGH = {"bookworm": 3, "trixie": 7}


class Tally:
    """Prints and counts."""

    def __init__(self):
        self.passed = self.failed = 0

    def add(self, holds, name, detail=""):
        """One case."""
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"{'ok    ' if holds else 'FAILED'} {name}" + ("" if holds else f"\n       {detail}"), flush=True)


def manifests(suite):
    """The documents with their verdicts: `@job NAME ends=VERDICT` stands for the head of each."""
    text = (HERE / "manifests.yaml").read_text()
    text += f"@job landlock-too-high ends=InfrastructureError\n  command: [\"true\"]\n" \
            f"  sandbox: {{minimumLandlockABI: {TOO_HIGH[suite]}}}\n"
    expected = dict(re.findall(r"^@job (\S+) ends=(\w+)$", text, re.M))
    head = r"---\napiVersion: evaljob.dev/v1alpha1\nkind: EvalJob\nmetadata: {name: \1}\nspec:"
    return re.sub(r"^@job (\S+) ends=\w+$", head, text, flags=re.M), expected


def carry(image, path):
    """Puts a program of this machine into the image, with the libraries it loads."""
    listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    for file in [path, *re.findall(r"(?:=> |^\s*)(/\S+)", listed, re.M)]:
        target = image / file.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)


def prepare(directory, binaries, boot, text, rows, arch):
    """What the machine finds in its root."""
    prefix, emulator = TOOLS[arch]
    image, corpus = directory / "image", directory / "corpus"
    parts = subprocess.run([SANDBOX / "tests/vm/fetch", boot.suite, arch], stdout=subprocess.PIPE, text=True, check=True).stdout
    for place in (image / "bin", image / "usr/bin", corpus):
        place.mkdir(parents=True)
    shutil.copy(f"{parts.strip()}/busybox", image / "bin/busybox")
    for applet in APPLETS:
        (image / "bin" / applet).symlink_to("busybox")
    for program in PROGRAMS:
        source = SANDBOX / "tests/programs" / f"{program}.c"
        subprocess.run([f"{prefix}gcc", "-static", "-O1", "-pthread", "-o", image / "bin" / program, source], check=True)
    # A file of the image to attack.
    shutil.copy(image / "bin/true", image / "usr/bin/env")
    # Debug information would only be unpacked, slowly.
    for name, binary in binaries.items():
        subprocess.run([f"{prefix}strip", "-o", directory / name, binary], check=True)
    if not boot.fault:
        compiling = {"EVALJOB_TEST_ROLE": "compiler", "EVALJOB_TEST_SCRATCH": str(corpus), "EVALJOB_TEST_FILTER": rows,
                     "EVALJOB_TEST_CC": shutil.which(f"{prefix}gcc"), "EVALJOB_TEST_SOURCES": str(SANDBOX / "tests")}
        subprocess.run([*emulator, binaries["sandbox"]], env={**os.environ, **compiling}, check=True)
    if rows != STARRED:
        # Rows that are no C programs are read where they are in the source tree, and need an interpreter.
        shutil.copytree(SANDBOX / "tests/corpus", directory / str(SANDBOX / "tests/corpus").lstrip("/"))
        library = os.path.dirname(os.__file__)
        for file in [os.path.realpath("/usr/bin/python3"), "/usr/bin/nice", "/usr/bin/setsid",
                     *glob.glob(f"{library}/lib-dynload/_ctypes.*")]:
            carry(image, file)
        (image / "usr/bin/python3").symlink_to(os.path.basename(os.path.realpath("/usr/bin/python3")))
        shutil.copytree(library, image / library.lstrip("/"), ignore=UNUSED, dirs_exist_ok=True)
    (directory / "manifests.yaml").write_text(text)
    script = directory / "script"
    commands = FAULTY.replace("@before@", boot.before or ":") if boot.fault else WHOLE.replace("@rows@", rows)
    script.write_text(f"#!/bin/busybox sh\nexport PATH=/bin RUST_BACKTRACE=0\n{commands}\n")
    script.chmod(0o755)
    return script


def run_in_machine(suite, script, environment):
    """The script's output and status, or DIED."""
    return subprocess.run([SANDBOX / "tests/vm/run", suite, script], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def start(boot, binaries, rows, arch, tally):
    """Boots once and judges what it printed."""
    text, expected = manifests(boot.suite)
    with tempfile.TemporaryDirectory() as scratch:
        files = pathlib.Path(scratch) / "files"
        script = prepare(files, binaries, boot, text, rows, arch)
        environment = {**os.environ, "ARCH": arch, "FILES": str(files), "APPEND": boot.append}
        ran = run_in_machine(boot.suite, script, environment)
        if ran.returncode == DIED:
            print(f"       {boot.name}: the machine ended before the test did, and is started once more:\n{ran.stderr}", flush=True)
            ran = run_in_machine(boot.suite, script, environment)
    lines = ran.stdout.splitlines()
    said = "\n       ".join(lines[-40:] + ran.stderr.splitlines()[-20:])
    ends = dict(re.findall(r"^(doctor|run|cgroups|corpus) (\d+)$", ran.stdout, re.M))
    statuses = {}
    for line in lines:
        if line.startswith("{"):
            document = json.loads(line)
            statuses[document["name"]] = document["status"]
    if boot.fault:
        faults = [line for line in lines if line.startswith(boot.fault)]
        tally.add(ends.get("doctor") == "1" and any(boot.says in line for line in faults),
                  f"{boot.name}: doctor says so", said)
        verdicts = {status.get("verdict") for status in statuses.values()}
        tally.add(ends.get("run") == "3" and verdicts <= {"InfrastructureError"}, f"{boot.name}: no job runs", said)
        return
    tally.add(ends.get("doctor") == "0", f"{boot.name}: doctor is green", said)
    tally.add("the kernel holds floor and profile as compiled" in ran.stdout,
              f"{boot.name}: the filters in the kernel are those that were compiled", said)
    for name, verdict in expected.items():
        status = statuses.get(name, {})
        sandboxed = verdict == "InfrastructureError" or status.get("enforcement", {}).get("cgroup") == "v2"
        tally.add(status.get("verdict") == verdict and sandboxed, f"{boot.name}: {name} is {verdict}",
                  f"{status.get('verdict')}: {status.get('message')} {status.get('enforcement')}" if status else "no status")
    tests = re.findall(r"^test (.*?) +\.\.\. (\w+)$", ran.stdout, re.M)
    for name, end in tests:
        bare = re.escape(name.removeprefix("[corpus] "))
        told = re.search(rf"^---- {bare} ----\n(.*?)\n(?=----|failures:)", ran.stdout, re.M | re.S)
        tally.add(end == "ok", f"{boot.name}: {name}", told[1] if told else "")
    shown = sum(name.startswith("[corpus]") for name, _ in tests)
    tally.add(len(tests) - shown > 20 and ends.get("cgroups") == "0", f"{boot.name}: the cgroup tests ran to their end", said)
    enough = 30 if rows in (STARRED, "") else 0
    tally.add(shown > enough and ends.get("corpus") == "0", f"{boot.name}: {shown} programs of the corpus ran to their end", said)


def main():
    """Command line."""
    parser = argparse.ArgumentParser()
    for name in BINARIES:
        parser.add_argument(name)
    parser.add_argument("--arch", choices=TOOLS, default="amd64")
    parser.add_argument("--only")
    parser.add_argument("--rows", default=STARRED)
    arguments = parser.parse_args()
    binaries = {name: getattr(arguments, name) for name in BINARIES}
    tally = Tally()
    for boot in BOOTS:
        # What a seeded fault does has nothing to do with the architecture.
        kernel_only = arguments.rows != STARRED or arguments.arch != "amd64"
        if arguments.only in (None, boot.name) and not (kernel_only and boot.fault):
            start(boot, binaries, arguments.rows, arguments.arch, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(tally.failed != 0)


if __name__ == "__main__":
    main()
