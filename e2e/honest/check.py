#!/usr/bin/env python3
"""Honest programs that must work in the sandbox, each under the profiles it is promised for.

    check.py AGENT_BINARY [--only TEXT]

TABLE is the list, one line a program. Each is judged by `evaljob-agent run`: its whole output must be that of the table,
byte for byte, and its sandbox fully enforced under that profile. A sandbox that denies everything fails here. What is
built runs twice in one job: as a step, which always has Default, and as its test, under Strict. Prints a line a program,
how long all took and last "N passed, N failed"; exits with 1 on any difference. Needs root and the languages.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import local_run  # noqa: E402  (the path above comes first)

BOTH, DEFAULT = ("Default", "Strict"), ("Default",)


@dataclasses.dataclass
class Program:
    """A line of the table."""

    name: str
    profiles: tuple
    file: str  # of programs/; none: the command is all
    build: list  # none: nothing is built
    command: list
    says: str


def run(name, profiles, file, command, says):
    """A program that an interpreter runs."""
    return Program(name, profiles, file, [], command.split(), says + "\n")


def built(name, file, build, command, says):
    """A program that is built first, under Default."""
    return Program(name, BOTH, file, build.split(), command.split(), says + "\n")


def bash(name, script, says):
    """A script of the shell."""
    return Program(name, DEFAULT, "", [], ["bash", "-euc", script], says + "\n")


TABLE = [
    run("CPython: threads, pool, signals", BOTH, "threads.py", "python3 threads.py", "28 8 [0, 1, 4, 9, 16, 25] ['SIGALRM']"),
    run("CPython: asyncio", BOTH, "event_loop.py", "python3 event_loop.py", "[0, 1, 2, 3] 6 late"),
    run("CPython: multiprocessing by fork", DEFAULT, "processes.py", "python3 processes.py fork", "0 5 put sent shared 36100 36100"),
    run("CPython: multiprocessing by spawn", DEFAULT, "processes.py", "python3 processes.py spawn", "0 5 put sent shared 36100 36100"),
    run("CPython: multiprocessing by forkserver", DEFAULT, "processes.py", "python3 processes.py forkserver", "0 5 put sent shared 36100 36100"),
    run("CPython: subprocess, posix_spawn, unix sockets", DEFAULT, "children.py", "python3 children.py", "TO A CHILD|3|late|0|to a loop's child|OVER A SOCKET|from a fork"),
    run("numpy", BOTH, "linear.py", "python3 linear.py", "262144 [2. 3.] True 8.0"),
    run("Node: worker_threads, WebAssembly, files", BOTH, "workers.js", "node workers.js", "2,4,6 6 131072 982d9e3e true"),
    run("Node: child_process", DEFAULT, "children.js", "node children.js", "LOUD 3,2,1 0 there and back"),
    built("javac and Java: pools, parallel streams, collections", "Sums.java", "javac Sums.java", "java Sums", "250500 250000 64 true"),
    built("go build and Go: goroutines, signals, timers", "main.go", "go build -o main main.go", "./main", "total 4800000"),
    built("gcc and C: files, mappings, alarm", "plain.c", "gcc -O1 -Wall -o plain plain.c -lm", "./plain", "written mapped 1 1.414 /home"),
    built("gcc and C, static", "plain.c", "gcc -O1 -static -o plain plain.c -lm", "./plain", "written mapped 1 1.414 /home"),
    built("g++ and C++: std::thread, std::async, exceptions", "threads.cpp", "g++ -std=c++17 -O1 -pthread -o threads threads.cpp", "./threads", "15000 0 thrown 7"),
    built("g++ and C++, static", "threads.cpp", "g++ -std=c++17 -O1 -static -pthread -o threads threads.cpp", "./threads", "15000 0 thrown 7"),
    built("rustc and Rust: threads, channels, panics", "threads.rs", "/rust/bin/rustc -o threads threads.rs", "./threads", "55 true text"),
    run("perl", DEFAULT, "program.pl", "perl program.pl", "from a child|7|by a shell|the=3 cat=1 dog=1 end=1|4|late"),
    bash("bash: pipes, loops, arrays, here-documents", "a=(3 1 2); for x in ${a[@]}; do echo $x; done | sort -n | tr '\\n' ' '; cat <<<\"$((2 ** 10))\"", "1 2 3 1024"),
    bash("bash: process substitution", "diff <(seq 3) <(seq 3) && paste -sd, <(seq 3)", "1,2,3"),
    bash("bash: jobs, wait, traps", "trap 'echo trapped' USR1; sleep 0.01 & wait $!; kill -USR1 $$; (exit 5) & wait $! || echo $?", "trapped\n5"),
    bash("umask, ls -l", "umask 027; echo x >f; mkdir d; ls -l f | cut -c1-10; ls -ld d | cut -c1-10", "-rw-r-----\ndrwxr-x---"),
    bash("cp -p, cp -a, stat, touch", "echo x >f; chmod 640 f; touch -d @1000000000 f; cp -p f g; mkdir d; ln -s ../f d/l; cp -a d e; stat -c '%a %Y' g; readlink e/l", "640 1000000000\n../f"),
    bash("tar, gzip", "mkdir d; echo text >d/f; chmod 751 d; ln d/f d/h; tar -czf t.tgz d; rm -r d; tar -xpzf t.tgz; stat -c '%a' d; stat -c '%h' d/f; cat d/h", "751\n2\ntext"),
    bash("timeout", "timeout 0.1 sleep 60 || echo $?; timeout 60 echo in time; timeout -s INT 0.1 sleep 60 || echo $?", "124\nin time\n124"),
    bash("mkfifo, tee, dd", "mkfifo p; seq 1000 | tee p >copy & dd if=p status=none | wc -l; wait; tail -n 1 copy", "1000\n1000"),
    bash("mv between mounts, mktemp, install", "t=$(mktemp -d); echo x >f; mv f $t/g; install -m 711 $t/g h; stat -c %a h; cat $t/g", "711\nx"),
    bash("find, xargs -P, sed, awk, grep", "seq 20 | xargs -P 4 -I% sh -c 'echo % >f%'; find . -name 'f1*' | wc -l; cat f* | awk '{n += $1} END {print n}' | sed 's/$/ in all/' | grep -o '[0-9]* in all'", "11\n210 in all"),
    bash("nice, setsid, nohup, env, date, split, sha256sum", "nice -n 5 nice; setsid --wait echo apart; env -i A=1 env; date -u -d @0 +%F; echo -n text | sha256sum | cut -c1-8", "5\napart\nA=1\n1970-01-01\n982d9e3e"),
    bash("git: init, commit, clone, log", "git init -qb main r; cd r; git config user.name n; git config user.email e@x; echo 1 >f; git add f; git commit -qm one; cd ..; git clone -q r c; cd c; git log --format='%an %s'; git gc -q; git fsck --no-progress; git status -sb", "n one\n## main...origin/main"),
]


def job(program, name, profile):
    """The manifest."""
    files = [program.file] if program.file else []
    files = [{"path": file, "content": (HERE / "programs" / file).read_text()} for file in files]
    limits = {"memory": "512Mi", "processes": 128, "cpuTimeMilliseconds": 120000}
    spec = {
        "files": files, "command": program.command, "limits": limits, "checker": {"type": "Exact"},
        "sandbox": {"seccompProfile": profile}, "tests": [{"name": "1", "expectedStdout": program.says}],
    }
    if program.build:
        files.append({"path": "expected", "content": program.says})
        same = ["sh", "-c", '"$@" >said && diff expected said', "same"]
        spec["steps"] = [
            {"name": name, "command": command, "limits": {"cpuTimeMilliseconds": 300000}}
            for name, command in (("build", program.build), ("default", same + program.command))
        ]
        if program.build[0].startswith("/rust/"):
            spec["volumes"] = [{"name": "rust", "mountPath": "/rust", "nodeDirectory": {"name": "rust"}, "executable": True}]
    return {"apiVersion": "evaljob.dev/v1alpha1", "kind": "EvalJob", "metadata": {"name": name}, "spec": spec}


def fault(status, profile):
    """What is wrong with it; none: nothing."""
    enforced = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}.get("Sandboxed")
    under = status.get("enforcement", {}).get("seccomp", {}).get("profile")
    if (status.get("verdict"), enforced, under) != ("Accepted", "True", profile):
        return json.dumps(status, indent=1)
    return None


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    parser.add_argument("--only", default="", metavar="TEXT")
    arguments = parser.parse_args()
    local_run.require_agent(arguments.agent)
    if not local_run.rust_root():
        sys.exit("rustc is missing: install Rust by rustup")
    chosen = [(program, profile) for program in TABLE for profile in program.profiles
              if arguments.only in program.name and (not program.build or profile == "Strict")]
    jobs = [job(program, f"honest-{number}", profile) for number, (program, profile) in enumerate(chosen)]
    begun = time.monotonic()
    outcome = local_run.run(arguments.agent, "\n---\n".join(map(json.dumps, jobs)),
                            options=["--node-directory", f"rust={local_run.rust_root()}"])
    statuses = outcome.statuses() if outcome.exit_code in (0, 1, 3) else []
    if len(statuses) != len(jobs):
        sys.exit(f"honest: the agent ended with {outcome.exit_code}: {outcome.stderr}")
    failed = 0
    for (program, profile), (_, status) in zip(chosen, statuses):
        wrong = fault(status, profile)
        failed += wrong is not None
        profile = "Default and Strict" if program.build else profile
        print(f"{'ok' if wrong is None else 'FAILED':<7}{program.name} [{profile}]")
        if wrong:
            print(wrong)
    for process in outcome.leftovers:
        print(f"FAILED left behind: process {process}")
    print(f"{time.monotonic() - begun:.0f} s")
    print(f"{len(chosen) - failed} passed, {failed + len(outcome.leftovers)} failed")
    return 1 if failed or outcome.leftovers else 0


if __name__ == "__main__":
    sys.exit(main())
