#!/usr/bin/env python3
"""Makes labels.json: one small mutation of each canonical solution, labelled by plain CPython without our sandbox.

A mutation changes one operator, changes one constant, or returns early. Which one is drawn by a generator seeded
with the task's name, so that a second run makes the same file. Programs run in namespaces of their own (process
ids, network, mounts), which need root; the label is what CPython did there: the nonce came out, the check failed,
the interpreter ended with another status, or it was still computing after LOOP_SECONDS of CPU time. A mutant that
survives the problem's own checks is labelled Accepted, because that is the right verdict for it.
A mutation whose outcome hangs on time, memory, hash seed or chance is passed over and the next one is taken.

    mutate.py           write labels.json
    mutate.py --check   fail when a new labels.json would differ (a maintainer's check: it takes minutes)
"""

import ast
import concurrent.futures
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

import corpus

PYTHON = "/usr/bin/python3"
REPEATS = 5  # runs of each program, each with another hash seed
CPU_LIMIT_SECONDS = 2.0  # spec.limits.cpuTimeMilliseconds of the jobs
FAST_SECONDS = CPU_LIMIT_SECONDS / 4  # whatever ends must end well below the limit
LOOP_SECONDS = CPU_LIMIT_SECONDS * 3  # whatever loops must still run well above it
MEMORY_BYTES = 96 << 20  # far below the default limit of 256Mi
STEP_ALARM = 60  # seconds of wall time for one run, on a busy machine

COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "in": "not in"}
ARITHMETIC = {"+": "-", "-": "+", "*": "+", "/": "*", "//": "*", "%": "//", "**": "*"}
LOGIC = {"and": "or", "or": "and"}
ASSIGNMENTS = {"+=": "-=", "-=": "+=", "*=": "+=", "//=": "-=", "/=": "*=", "%=": "//="}


class Source:
    """Source text with positions of syntax nodes as character offsets."""

    def __init__(self, text):
        self.text = text
        self.starts = [0]
        self.lines = text.splitlines(keepends=True)
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def offset(self, line, byte_column):
        """Character offset of a line (from 1) and a column in bytes, as `ast` counts."""
        prefix = self.lines[line - 1].encode()[:byte_column]
        return self.starts[line - 1] + len(prefix.decode())

    def span(self, node):
        """Start and end of a node."""
        return (self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset))


def mutations(prompt, completion):
    """All edits of the completion, by kind: {"operator": [...], "constant": [...], "return": [...]}."""
    source = Source(prompt + completion)
    tree = ast.parse(source.text)
    found = {"operator": [], "constant": [], "return": []}

    def add(kind, at, old, new):
        if at >= len(prompt):
            found[kind].append({"kind": kind, "at": at - len(prompt), "old": old, "new": new})

    def add_operator(start, end, table):
        """The operator between two operands: the only text there but blanks and parentheses."""
        words = source.text[start:end].replace("(", " ").replace(")", " ").split()
        if len(words) == 1 and words[0] in table:
            add("operator", source.text.index(words[0], start, end), words[0], table[words[0]])

    def visit(node):
        if isinstance(node, ast.JoinedStr):
            return  # positions inside f-strings differ between versions of Python
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            add_operator(source.span(node.left)[1], source.span(node.comparators[0])[0], COMPARISONS)
        elif isinstance(node, ast.BinOp):
            add_operator(source.span(node.left)[1], source.span(node.right)[0], ARITHMETIC)
        elif isinstance(node, ast.BoolOp):
            add_operator(source.span(node.values[0])[1], source.span(node.values[1])[0], LOGIC)
        elif isinstance(node, ast.AugAssign):
            add_operator(source.span(node.target)[1], source.span(node.value)[0], ASSIGNMENTS)
        elif isinstance(node, ast.Constant):
            start, end = source.span(node)
            new = changed_constant(node.value)
            if new is not None:
                add("constant", start, source.text[start:end], new)
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef):
            start = source.span(node)[0]
            indent = source.lines[node.lineno - 1][: node.col_offset]
            if indent and not indent.strip():
                add("return", start, "", "return None\n" + indent)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def changed_constant(value):
    """Source of a constant that differs from this one; None: leave it."""
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, (int, float)):
        return repr(value + 1)
    if isinstance(value, str) and value and "\n" not in value:
        return "''"
    return None


def run_once(job, hash_seed):
    """Runs a job's files on plain CPython; returns the verdict, or None where the run is no clear case."""
    spec = job["spec"]
    test = spec["tests"][0]
    with tempfile.TemporaryDirectory(prefix="humaneval-") as work:
        for file in spec["files"]:
            pathlib.Path(work, file["path"]).write_text(file["content"])

        def bound():
            resource.setrlimit(resource.RLIMIT_CPU, (int(LOOP_SECONDS), int(LOOP_SECONDS)))
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

        child = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", PYTHON, "harness.py"],
            cwd=work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            preexec_fn=bound, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": str(hash_seed)},
        )
        deadline = time.monotonic() + STEP_ALARM
        child.stdin.write(test["stdin"].encode())
        child.stdin.close()
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
    if time.monotonic() > deadline:
        return None
    cpu = usage.ru_utime + usage.ru_stime
    if usage.ru_maxrss * 1024 > MEMORY_BYTES:
        return None
    if cpu >= LOOP_SECONDS * 0.9:
        return "TimeLimitExceeded"
    if cpu > FAST_SECONDS:
        return None
    if os.waitstatus_to_exitcode(status) != 0:
        return "RuntimeError"
    return "Accepted" if output == test["expectedStdout"].encode() else "WrongAnswer"


def label_of(pipeline, problem, completion):
    """The verdict that every repeat gave; None where they differ or any was no clear case."""
    verdicts = set()
    for seed in range(REPEATS):
        verdicts.add(run_once(pipeline.eval_job(problem, completion, {}), seed))
        if len(verdicts) > 1 or None in verdicts:
            return None
    return verdicts.pop()


def label(pipeline, problem):
    """The entry of labels.json for one problem."""
    canonical = label_of(pipeline, problem, problem["canonical_solution"])
    if canonical is None:
        sys.exit(f"humaneval: {problem['task_id']}: the canonical solution has no stable outcome here")
    choice = random.Random(problem["task_id"])
    by_kind = mutations(problem["prompt"], problem["canonical_solution"])
    kinds = sorted(by_kind)
    choice.shuffle(kinds)
    candidates = []
    for kind in kinds:
        choice.shuffle(by_kind[kind])
        candidates += by_kind[kind]
    if "while " in problem["canonical_solution"]:  # a changed step of a loop is how programs come to run for ever
        candidates.sort(key=lambda edit: edit["old"] not in ASSIGNMENTS)
    for edit in candidates:
        mutant = corpus.edited(problem["canonical_solution"], edit)
        try:
            ast.parse(problem["prompt"] + mutant)
        except SyntaxError:
            continue
        verdict = label_of(pipeline, problem, mutant)
        if verdict is not None:
            return {"task_id": problem["task_id"], "canonical": canonical, "mutant": verdict, "edit": edit}
    sys.exit(f"humaneval: {problem['task_id']}: no mutation has a stable outcome")


def main():
    """Command line."""
    if os.geteuid() != 0:
        sys.exit("humaneval: mutate.py needs root, for namespaces of its own")
    pipeline = corpus.load_pipeline()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        labels = list(pool.map(lambda problem: label(pipeline, problem), corpus.problems()))
    text = "[\n" + ",\n".join(json.dumps(entry) for entry in labels) + "\n]\n"
    if "--check" in sys.argv[1:]:
        if corpus.LABELS.read_text() != text:
            sys.exit("humaneval: labels.json is stale; run mutate.py")
        return
    corpus.LABELS.write_text(text)
    counts = {}
    for entry in labels:
        counts[entry["mutant"]] = counts.get(entry["mutant"], 0) + 1
    print(f"{len(labels)} problems, mutants: {counts}")


if __name__ == "__main__":
    main()
