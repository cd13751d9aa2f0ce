#!/usr/bin/env python3
"""Judges every file of examples/ by `evaljob-agent run` and compares the verdict with its "Ends as" line.

    examples.py AGENT_BINARY

It also holds examples/README.md to the same words. Prints a line a file and, last, "N passed, N failed".
"""

import pathlib
import re
import sys

import local_run

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"


def main():
    """Command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: examples.py AGENT_BINARY")
    local_run.require_agent(sys.argv[1])
    files = sorted(EXAMPLES.glob("*.yaml"))
    table = dict(re.findall(r"^\| (\S+\.yaml) \|.*\| (\w+) \|$", (EXAMPLES / "README.md").read_text(), re.M))
    texts = [file.read_text() for file in files]
    outcome = local_run.run(sys.argv[1], "\n---\n".join(texts))
    if outcome.exit_code not in (0, 1, 3):
        sys.exit(f"examples: the agent ended with {outcome.exit_code}: {outcome.stderr}")
    failed = 0
    for file, text, (_, status) in zip(files, texts, outcome.statuses(), strict=True):
        promised = re.search(r"^# Ends as: (\w+)$", text, re.M)[1]
        holds = status.get("verdict") == promised == table.get(file.name)
        failed += not holds
        print(f"{'ok' if holds else 'FAILED':<7}{file.name}")
        if not holds:
            print(f"       ends as {status.get('verdict')}: {status.get('message')}; the file promises {promised},"
                  f" README.md {table.get(file.name)}")
    print(f"{len(files) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
