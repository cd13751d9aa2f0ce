#!/usr/bin/env python3
"""Judges the 328 HumanEval programs by `evaljob-agent run` and compares each verdict with its label.

    check.py AGENT_BINARY

Prints every difference and, last, "N passed, N failed"; exits with 1 on any. Needs root.
"""

import json
import pathlib
import sys

import corpus

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import local_run  # noqa: E402  (the path above comes first)


def main():
    """Command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: check.py AGENT_BINARY")
    agent = sys.argv[1]
    local_run.require_agent(agent)
    pairs = list(corpus.manifests())
    outcome = local_run.run(agent, "".join("---\n" + json.dumps(job) + "\n" for _, job in pairs))
    if outcome.exit_code not in (0, 1, 3):
        sys.exit(f"humaneval: the agent ended with {outcome.exit_code}:\n{outcome.stderr}")
    statuses = dict(outcome.statuses())
    failed = 0
    for sample, job in pairs:
        name = job["metadata"]["name"]
        status = statuses.get(name, {})
        if status.get("verdict") != sample["expected"]:
            failed += 1
            print(f"{name}: expected {sample['expected']}, got {status.get('verdict')}: {status.get('message')}")
    for process in outcome.leftovers:
        failed += 1
        print(f"left behind: process {process}")
    print(f"{len(pairs) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
