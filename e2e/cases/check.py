#!/usr/bin/env python3
"""Judges the manifests of this directory by `evaljob-agent run` and compares every status with expectations.toml.

    check.py AGENT_BINARY [--only CASE ...]

In: manifests/CASE.yaml, as a user writes them but for two marks that keep them short (see `expanded`). Most cases go
through one call of the agent, side by side; those that measure or need a call of their own say so in the table.
Out: a line a case, what differs below it, and last "N passed, N failed"; exits with 1 on any difference. Nothing is
skipped: a case whose needs the machine does not meet fails and names them. Needs root and Python 3.11.
"""

import argparse
import contextlib
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import local_run  # noqa: E402  (the path above comes first)
from status_rules import broken_rules, differences, expected_exit, look_up, number  # noqa: E402


class Case:
    """One manifest file with its expectations."""

    def __init__(self, name, table):
        self.name, self.table = name, table
        text = expanded((HERE / "manifests" / f"{name}.yaml").read_text())
        self.copies = table.get("copies", 1)
        self.text = "\n---\n".join([text] * self.copies)
        self.jobs = len(re.findall(r"^kind: EvalJob$", self.text, re.M))
        self.documents = [table["each"]] * self.jobs if "each" in table else table.get("documents", [])
        own_call = {"alone", "copies", "exit", "stderr", "load", "inherited", "agent_peak_below", "yaml"}
        self.alone = bool(own_call & set(table))


def expanded(text):
    """Replaces `@repeat(TEXT,N)@` by N times TEXT, and a line `@each(A,B)LINE` by LINE for @n@ from A to B."""
    def each(match):
        return "\n".join(match[3].replace("@n@", str(n)) for n in range(int(match[1]), int(match[2]) + 1))

    text = re.sub(r"^@each\((\d+),(\d+)\)(.*)$", each, text, flags=re.M)
    return re.sub(r"@repeat\(([^,]+),(\d+)\)@", lambda match: match[1] * int(match[2]), text)


def unmet(needs):
    """Those needs that this machine does not meet."""
    for need in needs:
        kind, _, what = need.partition(":")
        if kind == "module":
            found = subprocess.run(["/usr/bin/python3", "-c", f"import {what}"], capture_output=True).returncode == 0
        elif kind == "cpus":
            found = os.cpu_count() >= int(what)
        elif kind == "openblas":
            found = "openblas" in os.path.realpath("/etc/alternatives/libblas.so.3-x86_64-linux-gnu")
        else:
            found = local_run.is_on_run_path(need)
        if not found:
            yield need


@contextlib.contextmanager
def inherited(wanted):
    """Open descriptors and variables of a Pod, for the agent to keep to itself."""
    if not wanted:
        yield {}
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    fds = [os.open("/etc/hostname", os.O_RDONLY) for _ in range(1000)]
    try:
        yield {"inherited": fds, "extra_env": {
            "KUBERNETES_SERVICE_HOST": "10.96.0.1", "DB_PORT": "tcp://10.96.3.4:5432", "POD_NAME": "agent-1",
            "AWS_SECRET_ACCESS_KEY": "x", "EVALJOB_TOKEN": "x", "LD_PRELOAD": "",
        }}
    finally:
        for fd in fds:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def judged_alone(agent, case):
    """Runs one case in a call of its own; yields what differs."""
    table = case.table
    with local_run.load(table.get("load", 0)), inherited(table.get("inherited")) as more:
        outcome = local_run.run(agent, case.text, **more)
    for part in table.get("stderr", []):
        if part not in outcome.stderr:
            yield f"stderr does not hold {part!r}:\n{outcome.stderr}"
            break
    if "exit" in table:
        if outcome.exit_code != table["exit"]:
            yield f"exit code {outcome.exit_code}, expected {table['exit']}: {outcome.stderr}"
        if outcome.stdout.strip():
            yield f"something was run: {outcome.stdout[:300]}"
        return
    yield from compared(case, outcome)
    peak = number(table.get("agent_peak_below", "1Gi"))
    if "agent_peak_below" in table:
        print(f"       {case.name}: the agent took at most {outcome.agent_peak_bytes >> 20} MiB, bound {peak >> 20} MiB")
    if outcome.agent_peak_bytes > peak:
        yield f"the agent took {outcome.agent_peak_bytes >> 20} MiB, bound {peak >> 20} MiB"
    if table.get("yaml"):
        text = local_run.run(agent, case.text, output="yaml").stdout
        raw = sorted(set(re.findall(r"[^\n\x20-\x7e\u00a1-\uffef]", text)))
        if raw or len(re.findall(r"^---", text, re.M)) > case.jobs or "verdict:" not in text:
            yield f"-o yaml is not plain text in {case.jobs} documents: {raw}\n{text}"
    if "spread" in table:
        figures = [number(look_up(status, table["spread"]["figure"])) for _, status in outcome.statuses()]
        spread = (max(figures) - min(figures)) / statistics.median(figures)
        if spread > table["spread"]["highest"]:
            yield f"{table['spread']['figure']} spreads by {spread:.2f}: {min(figures)} to {max(figures)}"


def compared(case, outcome):
    """Compares the outcome of a call that judged exactly one case."""
    if outcome.exit_code not in (0, 1, 3):
        yield f"the agent ended with {outcome.exit_code}: {outcome.stderr}"
        return
    statuses = outcome.statuses()
    yield from compared_statuses(case, statuses)
    if outcome.exit_code != expected_exit(statuses):
        yield f"exit code {outcome.exit_code}, expected {expected_exit(statuses)}"
    for process in outcome.leftovers:
        yield f"left behind: process {process}"


def compared_statuses(case, statuses):
    """Compares the statuses of one case's documents."""
    if len(statuses) != len(case.documents):
        yield f"{len(statuses)} statuses for {len(case.documents)} expectations"
        return
    for (name, status), expectations in zip(statuses, case.documents):
        for difference in [*differences(status, expectations), *broken_rules(status)]:
            yield f"{name}: {difference} (message: {status.get('message')!r})"


def judged_together(agent, cases):
    """Runs many cases in one call; returns what differs, by case."""
    outcome = local_run.run(agent, "\n---\n".join(case.text for case in cases))
    if outcome.exit_code not in (0, 1, 3):
        return {case.name: [f"the agent ended with {outcome.exit_code}: {outcome.stderr}"] for case in cases}
    statuses = outcome.statuses()
    found, at = {}, 0
    for case in cases:
        found[case.name] = list(compared_statuses(case, statuses[at : at + case.jobs]))
        at += case.jobs
    if cases:
        found[cases[-1].name] += [f"left behind: process {process}" for process in outcome.leftovers]
        if outcome.exit_code != expected_exit(statuses):
            found[cases[-1].name].append(f"exit code {outcome.exit_code}, expected {expected_exit(statuses)}")
    return found


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    parser.add_argument("--only", nargs="+", metavar="CASE", default=[])
    options = parser.parse_args()
    local_run.require_agent(options.agent)
    table = tomllib.loads((HERE / "expectations.toml").read_text())
    files = {path.stem for path in (HERE / "manifests").glob("*.yaml")}
    if set(table) != files:
        sys.exit(f"cases: manifests and expectations differ: {sorted(set(table) ^ files)}")
    if set(options.only) - files:
        sys.exit(f"cases: no such case: {sorted(set(options.only) - files)}")
    cases = [Case(name, entry) for name, entry in table.items() if not options.only or name in options.only]

    failed = 0

    def report(name, found):
        nonlocal failed
        failed += bool(found)
        print(f"{'FAILED' if found else 'ok':<7}{name}", flush=True)
        for difference in found:
            print(f"       {difference}", flush=True)

    ready = []
    for case in cases:
        missing = list(unmet(case.table.get("needs", [])))
        if missing:
            report(case.name, [f"this machine lacks {', '.join(missing)}: run `make deps`"])
        else:
            ready.append(case)
    together = [case for case in ready if not case.alone]
    if together:
        for name, found in judged_together(options.agent, together).items():
            report(name, found)
    for case in ready:
        if case.alone:
            report(case.name, list(judged_alone(options.agent, case)))
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
