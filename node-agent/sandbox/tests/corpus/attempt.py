"""What every Python program of the corpus does: it makes its attempts and prints a line for each, `NAME ok` or
`NAME ERRNO`; and what two programs need of which one watches the other."""
import array, ctypes, errno, fcntl, mmap, os, resource, signal, socket, stat, struct, sys, time

C = ctypes.CDLL(None, use_errno=True)


def tell(name, word):
    print(name, word, flush=True)


def raw(number, *arguments):
    """A system call by number."""
    result = C.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return result


def attempt(name, body):
    try:
        body()
    except OSError as error:
        tell(name, errno.errorcode[error.errno])
    except ValueError:
        tell(name, "EPERM")  # what the resource module makes of it
    else:
        tell(name, "ok")


def count(name, body, most):
    """Calls body until it is refused; says how often it worked, and the refusal."""
    for done in range(most):
        try:
            body()
        except OSError as error:
            return tell(name, f"{done} {errno.errorcode[error.errno]}")
    tell(name, f"{most} ok")


def in_child(body):
    """The signal or the status of a child that did it."""
    child = os.fork()
    if child == 0:
        body()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def one_user():
    """A user that all processes of this namespace, and nobody else, may become."""
    return 100000 + os.stat("/proc/self/ns/pid").st_ino % 1000000


def watch(look=lambda: None):
    """The first of two programs: says that it is ready, then looks and says when, again and again."""
    print("ready", flush=True)
    while True:
        now = time.monotonic_ns()
        look()
        print("tick", now, flush=True)
        time.sleep(0.02)
