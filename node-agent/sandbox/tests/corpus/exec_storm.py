"""R23: programs that execute each other without end, arguments and environments that are too large, scripts of scripts. Source: execve(2).

    exec_storm LEFT      executes itself so often; negative: without end
"""
from attempt import *

left = int(sys.argv[1])
if left == 0:
    tell("storm", "over")
    sys.exit()
if "begun" not in os.environ:
    def run(arguments, environment):
        if os.WEXITSTATUS(in_child(lambda: os._exit(tried(lambda: os.execve("/bin/true", arguments, environment))))):
            raise OSError(errno.E2BIG, "")

    def tried(body):
        try:
            body()
        except OSError as error:
            return error.errno

    attempt("an argument of 128 KiB", lambda: run(["true", "x" * (128 << 10)], {}))
    attempt("10,000 variables", lambda: run(["true"], {f"V{number}": "x" for number in range(10000)}))
    attempt("4 MiB of arguments", lambda: run(["true"] + ["x" * 100000] * 40, {}))
    previous = "/bin/true"
    for number in range(8):
        with open(f"script{number}", "w") as script:
            script.write(f"#!{previous}\n")
        os.chmod(script.name, 0o700)
        previous = os.path.abspath(script.name)
    attempt("a chain of eight scripts", lambda: os.posix_spawn(previous, [previous], {}))
os.execve("/usr/bin/python3", ["python3", "-S", "-B", sys.argv[0], str(left - 1)], {"begun": "1"})
