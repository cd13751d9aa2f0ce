"""Reads the corpus: a directory a problem, its table problem.toml, and the programs the table labels.

Out: rows, each a manifest and what its status must say. README.md tells what a table may hold.
"""

import copy
import dataclasses
import functools
import pathlib
import tomllib

from languages import BY_ENDING

HERE = pathlib.Path(__file__).resolve().parent
LETTERS = {
    "Accepted": "A", "WrongAnswer": "W", "RuntimeError": "R", "TimeLimitExceeded": "T", "IdleLimitExceeded": "I",
    "MemoryLimitExceeded": "M", "OutputLimitExceeded": "O", "DiskLimitExceeded": "D", "ProcessLimitExceeded": "P",
    "SandboxViolation": "V", "JudgeError": "j",
}
OF_PROBLEM = {"checker", "checkers", "tests", "limits", "testPolicy", "margin", "programs"}
OF_PROGRAM = {"file", "args", "checker", "limits", "testPolicy", "verdict", "fails", "exitCode", "signal", "message",
              "score", "pattern", "cpu", "margin"}
# Of a test where neither language nor problem nor program says more. Wall time is no promise on a loaded machine, so it
# is sixty times the CPU time wherever waiting is not the point.
LIMITS = {"cpuTimeMilliseconds": 500, "wallTimeMilliseconds": 30000, "memory": "64Mi", "processes": 16}


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A program under a checker, and its labels."""

    problem: str
    number: int
    table: dict
    program: dict

    @property
    def language(self):
        """By the file's ending."""
        return BY_ENDING[ending(self.program["file"])]

    @property
    def name(self):
        """Unique among the rows, for people."""
        shown = [f"{self.problem}/{self.program['file']}", *self.program.get("args", [])]
        return " ".join([*shown, *([self.checker] if isinstance(self.checker, str) else [])])

    @property
    def checker(self):
        """Its own, else the problem's."""
        return self.program.get("checker", self.table.get("checker"))

    @property
    def margin(self):
        """Why a loaded machine keeps the label."""
        return self.program.get("margin", self.table.get("margin"))

    def files(self):
        """Files of the problem's directory that it uses."""
        yield self.program["file"]
        if is_file(self.checker):
            yield self.checker

    def missing(self):
        """What the machine lacks for it."""
        return [program for file in self.files() for program in BY_ENDING[ending(file)].missing()]

    def manifest(self):
        """The EvalJob."""
        language = self.language
        spec = {
            **self.built(self.program["file"]), "args": self.program.get("args", []), "tests": self.table["tests"],
            "checker": self.checker_spec(), "testPolicy": self.policy(),
            "limits": LIMITS | language.limits | self.table.get("limits", {}) | self.program.get("limits", {}),
            "env": [{"name": name, "value": value} for name, value in language.env],
            "volumes": [{"name": name, "mountPath": path, "executable": True, "nodeDirectory": {"name": name}}
                        for name, path in language.volumes],
        }
        name = f"{self.problem}-{self.number}"
        return {"apiVersion": "evaljob.dev/v1alpha1", "kind": "EvalJob", "metadata": {"name": name}, "spec": spec}

    def built(self, file):
        """Files, steps and command of a program, be it the judged one or a checker."""
        language = BY_ENDING[ending(file)]
        return {
            "files": [{"path": language.file, "content": (HERE / self.problem / file).read_text()}],
            "steps": [{"name": "compile", "command": language.compile}], "command": language.command,
        }

    def checker_spec(self):
        """The checker as the manifest has it."""
        if is_file(self.checker):
            return {"type": "Program", "program": self.built(self.checker)}
        return self.checker if isinstance(self.checker, dict) else {"type": self.checker}

    def policy(self):
        """Its own, else the problem's."""
        return self.program.get("testPolicy", self.table.get("testPolicy", {}))

    def expectations(self):
        """What its status must hold, by the paths of status_rules."""
        labels, verdict = self.program, self.program["verdict"]
        want = {"verdict": verdict}
        if "fails" in labels:
            want["tests.0.name"] = labels["fails"]
            want["tests.0.verdict"] = verdict
        elif verdict == "CompileError":
            want["steps.compile.verdict"] = verdict
        if "pattern" in labels or not self.policy():
            want["summary.pattern"] = labels.get("pattern", self.pattern())
        for key in ("exitCode", "signal"):
            if key in labels:
                want[f"tests.0.{key}"] = labels[key]
                want[f"tests.0.{'signal' if key == 'exitCode' else 'exitCode'} absent"] = True
        for key, path in (("message", "message has"), ("score", "summary.score"), ("cpu", "usage.cpuTimeMilliseconds")):
            if key in labels:
                want[path] = labels[key]
        return want

    def pattern(self):
        """What StopAll makes of the first failing test."""
        names = [test["name"] for test in self.table["tests"]]
        if "fails" not in self.program:
            return ("A" if self.program["verdict"] == "Accepted" else "s") * len(names)
        before = names.index(self.program["fails"])
        return "A" * before + LETTERS[self.program["verdict"]] + "s" * (len(names) - before - 1)


def ending(file):
    """The ending of its name."""
    return file.rpartition(".")[2]


def is_file(checker):
    """Whether it is a program's file, not a checker's name or fields."""
    return isinstance(checker, str) and "." in checker


def rows_of(directory):
    """The rows of one problem."""
    table = tomllib.loads((directory / "problem.toml").read_text())
    rows = []
    for program in table["programs"]:
        for labelled in by_checker(table, program):
            rows.append(Row(directory.name, len(rows) + 1, table, labelled))
    return rows


def by_checker(table, program):
    """One program for each of the problem's checkers, each with its letter of the verdict."""
    if "checkers" not in table:
        return [program]
    verdicts = {letter: verdict for verdict, letter in LETTERS.items()}
    copies = []
    for checker, letter in zip(table["checkers"], program["verdict"], strict=True):
        each = copy.copy(program) | {"checker": checker, "verdict": verdicts[letter]}
        copies.append(each if letter == "A" else each | {"fails": table["tests"][0]["name"]})
    return copies


@functools.cache
def all_rows():
    """The whole corpus."""
    directories = sorted(path.parent for path in HERE.glob("*/problem.toml"))
    return [row for directory in directories for row in rows_of(directory)]
