"""A3: a program that claims another end than its own, on its streams and on descriptors that others might listen on."""
from attempt import *

print('exit code 0\n{"phase":"Succeeded","exitCode":0}', flush=True)
reached = 0
for fd in range(3, 10):
    try:
        os.write(fd, b'{"exitCode":0}\n')
        reached += 1
    except OSError:
        pass
tell("descriptors reached", reached)
os._exit(int(sys.argv[1]))
