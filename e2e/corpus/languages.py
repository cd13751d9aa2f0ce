"""How a program of the corpus is built and started in each language, by the ending of its file.

Scripts have a compile step too: it checks their syntax, so that a broken one is a CompileError in every language.
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess

import local_run

RUST, GO_CACHE = "/opt/rust", "/opt/go-cache"  # where runs see them; not among Debian's directories, so volumes


@dataclasses.dataclass(frozen=True)
class Language:
    """One language."""

    name: str
    file: str  # its name in the job
    compile: list
    command: list
    limits: dict = dataclasses.field(default_factory=dict)
    volumes: tuple = ()  # name and mountPath of a directory that the agent is told of
    env: tuple = ()

    def missing(self):
        """Programs of this language that the machine lacks."""
        for program in {self.compile[0], self.command[0]}:
            if program.startswith(RUST):
                if not local_run.rust_root():
                    yield "rustc"
            elif not program.startswith("./") and not local_run.is_on_run_path(program):
                yield program


BY_ENDING = {
    "c": Language("C", "main.c", ["gcc", "-O1", "-w", "-o", "main", "main.c"], ["./main"]),
    "cpp": Language("C++", "main.cpp", ["g++", "-w", "-std=c++20", "-pthread", "-o", "main", "main.cpp"], ["./main"]),
    "py": Language("Python", "main.py", ["python3", "-m", "py_compile", "main.py"], ["python3", "main.py"]),
    # The compiler lives too short for the second compiler of its own machine to be worth its time.
    "java": Language("Java", "Main.java", ["javac", "-J-XX:TieredStopAtLevel=1", "Main.java"], ["java", "Main"],
                     {"cpuTimeMilliseconds": 10000, "memory": "512Mi", "processes": 64}),
    "js": Language("JavaScript", "main.js", ["node", "--check", "main.js"], ["node", "main.js"],
                   {"cpuTimeMilliseconds": 2000, "memory": "256Mi", "processes": 32}),
    "go": Language("Go", "main.go", ["go", "build", "-o", "main", "main.go"], ["./main"], {"processes": 32},
                   (("go-cache", GO_CACHE),), (("GOCACHE", GO_CACHE),)),
    "rs": Language("Rust", "main.rs", [f"{RUST}/bin/rustc", "--edition=2021", "-Awarnings", "main.rs"], ["./main"], {},
                   (("rust", RUST),)),
    "pl": Language("Perl", "main.pl", ["perl", "-c", "main.pl"], ["perl", "main.pl"]),
    "sh": Language("bash", "main.sh", ["bash", "-n", "main.sh"], ["bash", "main.sh"]),
}


def agent_options(endings):
    """What the agent is told so that runs find the toolchains of these languages.

    Go compiles its standard library anew for each program unless a cache holds it: one is filled here, once.
    """
    options = []
    if "rs" in endings and local_run.rust_root():
        options += ["--node-directory", f"rust={local_run.rust_root()}"]
    if "go" in endings and local_run.is_on_run_path("go"):
        kept = os.environ.get("EVALJOB_CACHE") or os.path.expanduser("~/.cache/evaljob")
        cache = pathlib.Path(kept, "corpus-go")
        cache.mkdir(parents=True, exist_ok=True)
        # As in a run, nothing of this environment decides what is built.
        go = shutil.which("go", path=local_run.RUN_PATH)
        subprocess.run([go, "build", "bufio", "fmt", "os", "sort", "strconv", "syscall"], check=True, cwd="/",
                       env={"PATH": local_run.RUN_PATH, "HOME": str(cache), "GOCACHE": str(cache)})
        options += ["--node-directory", f"go-cache={cache}"]
    return options
