#!/usr/bin/env python3
"""Judges the labelled programs of this directory by `evaljob-agent run` and compares each status with its labels.

    check.py AGENT_BINARY [--repeats N] [--load] [--only PROBLEM ...]

Each repeat is one call of the agent, all programs side by side on all slots; with --load beside one spinning process
for each CPU. Out: a line a problem, what differs below it, and last "N passed, N failed"; exits with 1 on any
difference. Nothing is skipped: a row whose compiler the machine lacks fails and names it. When all is well, every label
is falsified in turn, and one that goes unnoticed is a failure, too. Needs root and Python 3.11.
"""

import argparse
import collections
import contextlib
import itertools
import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import local_run  # noqa: E402  (the path above comes first)
import problems  # noqa: E402
from languages import BY_ENDING, agent_options  # noqa: E402
from status_rules import PROGRAM_VERDICTS, broken_rules, differences, expected_exit  # noqa: E402

JUDGING = HERE.parents[1] / "docs/judging.md"
UNTESTED = {"Accepted", "CompileError"}
TIMED = {"TimeLimitExceeded", "IdleLimitExceeded"}
CHECKERS = {"Exact", "Lines", "Tokens", "Unordered", "Float", "Program"}


def stray_files(rows):
    """Files that only the tables or only the directories of these rows have."""
    used = {f"{row.problem}/{file}" for row in rows for file in row.files()}
    there = {f"{path.parent.name}/{path.name}" for path in HERE.glob("*/*") if path.suffix != ".toml" and path.is_file()
             and path.parent.name in {row.problem for row in rows}}
    yield from (f"{file}: no table names it" for file in sorted(there - used))
    yield from (f"{file}: a table names it, and there is no such file" for file in sorted(used - there))


def flaws(rows):
    """What the tables lack or have too much, whatever the agent says."""
    for row in rows:
        unknown = (set(row.table) - problems.OF_PROBLEM) | (set(row.program) - problems.OF_PROGRAM)
        if unknown:
            yield f"{row.name}: unknown keys {sorted(unknown)}"
        if row.program["verdict"] in TIMED and not row.margin:
            yield f"{row.name}: a verdict about time needs a margin"
        # A checker that fails does so in a test, one that does not compile in none.
        if row.program["verdict"] != "JudgeError" and ("fails" in row.program) == (row.program["verdict"] in UNTESTED):
            yield f"{row.name}: exactly the verdicts that a test decides name the test in `fails`"
    repeated = [name for name, count in collections.Counter(row.name for row in rows).items() if count > 1]
    same = [name for name in repeated if not policies_differ(rows, name)]
    yield from (f"{name}: twice with the same arguments, checker and limits" for name in same)


def policies_differ(rows, name):
    """Whether rows of one name are told apart by their limits or policy."""
    same = [row for row in rows if row.name == name]
    return len({json.dumps([row.policy(), row.manifest()["spec"]["limits"]]) for row in same}) == len(same)


def gaps(rows):
    """What the whole corpus is said to hold and does not."""
    programs = {(row.problem, row.program["file"]) for row in rows}
    languages = collections.Counter(problems.ending(file) for _, file in programs)
    verdicts = {row.program["verdict"] for row in rows}
    checkers = {row.checker_spec()["type"] for row in rows}
    if f"{len(programs)} programs" not in JUDGING.read_text():
        yield f"{JUDGING} does not say that the corpus holds {len(programs)} programs"
    if len(programs) < 100:
        yield f"{len(programs)} programs, fewer than 100"
    if len({row.problem for row in rows}) < 12:
        yield "fewer than 12 problems"
    yield from (f"fewer than five programs in {BY_ENDING[key].name}" for key in BY_ENDING if languages[key] < 5)
    yield from (f"no program ends as {verdict}" for verdict in PROGRAM_VERDICTS - verdicts - {"Completed"})
    yield from (f"no program is judged by {checker}" for checker in CHECKERS - checkers)


def judged(agent, rows, options):
    """Runs these rows in one call; what differs, by row, and the statuses."""
    ready = [row for row in rows if not row.missing()]
    outcome = local_run.run(agent, "".join("---\n" + json.dumps(row.manifest()) + "\n" for row in ready),
                            timeout=3600, options=options)
    if outcome.exit_code not in (0, 1, 3):
        return {None: [f"the agent ended with {outcome.exit_code}: {outcome.stderr}"]}, {}
    statuses = dict(outcome.statuses())
    found = {row: list(compared(row, statuses.get(row.manifest()["metadata"]["name"]))) for row in rows}
    found[None] = [f"left behind: process {process}" for process in outcome.leftovers]
    if outcome.exit_code != expected_exit(outcome.statuses()):
        found[None].append(f"exit code {outcome.exit_code}, expected {expected_exit(outcome.statuses())}")
    return found, statuses


def compared(row, status, falsified=None):
    """Compares one status with the labels of its row, or with labels of which some are falsified."""
    missing = row.missing()
    if missing:
        yield f"{row.name}: this machine lacks {', '.join(missing)}: run `make deps`"
    elif status is None:
        yield f"{row.name}: no status"
    else:
        labels = row.expectations() if falsified is None else falsified
        for difference in [*differences(status, labels), *broken_rules(status)]:
            yield f"{row.name}: {difference} (message: {status.get('message')!r})"


def report(rows, found):
    """Prints a line a problem and what differs; returns the number of rows that failed."""
    for problem, group in itertools.groupby(rows, lambda row: row.problem):
        group = list(group)
        failed = sum(bool(found.get(row)) for row in group)
        print(f"{'FAILED' if failed else 'ok':<7}{problem:<14}{len(group) - failed} of {len(group)}", flush=True)
        for difference in itertools.chain.from_iterable(found.get(row, []) for row in group):
            print(f"       {difference}", flush=True)
    for difference in found.get(None, []):
        print(f"FAILED {difference}", flush=True)
    return sum(map(bool, found.values()))


def false_labels(expectations):
    """The same expectations, each time with one label falsified."""
    for key, want in expectations.items():
        if isinstance(want, bool):
            continue  # `absent` follows from another label
        if isinstance(want, list):
            false = [want[1] + 1000, want[1] + 2000]
        else:
            false = want + 1 if isinstance(want, int) else want + " not"
        yield key, expectations | {key: false}


def unnoticed(rows, statuses):
    """Labels that could be falsified without a difference."""
    for row in rows:
        status = statuses.get(row.manifest()["metadata"]["name"])
        if not list(compared(row, None)):
            yield f"{row.name}: a missing status is not noticed"
        for key, falsified in false_labels(row.expectations()):
            if status is None or not list(compared(row, status, falsified)):
                yield f"{row.name}: a false label for {key} is not noticed"


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--only", nargs="+", metavar="PROBLEM", default=[])
    options = parser.parse_args()
    local_run.require_agent(options.agent)
    rows = [row for row in problems.all_rows() if not options.only or row.problem in options.only]
    if set(options.only) - {row.problem for row in rows}:
        sys.exit(f"corpus: no such problem: {sorted(set(options.only) - {row.problem for row in rows})}")
    wrong = list(stray_files(rows)) or [*flaws(rows), *([] if options.only else gaps(rows))]
    if wrong:
        sys.exit("corpus: " + "\n        ".join(wrong))
    toolchains = agent_options({problems.ending(file) for row in rows for file in row.files()})

    failed = 0
    for repeat in range(1, options.repeats + 1):
        beside = ", beside one spinning process for each CPU" if options.load else ""
        print(f"repeat {repeat} of {options.repeats}{beside}", flush=True)
        start = time.monotonic()
        with local_run.load(1) if options.load else contextlib.nullcontext():
            found, statuses = judged(options.agent, rows, toolchains)
        failed += report(rows, found)
        print(f"{len(rows)} rows in {time.monotonic() - start:.0f} s", flush=True)
    missed = [] if failed else list(unnoticed(rows, statuses))
    for line in missed:
        print(f"FAILED {line}")
    print(f"{len(rows) * options.repeats - failed} passed, {failed} failed")
    return 1 if failed or missed else 0


if __name__ == "__main__":
    sys.exit(main())
