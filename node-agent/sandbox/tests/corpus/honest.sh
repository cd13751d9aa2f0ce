# B22: what the seed's list of system calls broke. Here as elsewhere it must work.
say() { name=$1; shift; "$@" >/dev/null 2>&1 && echo "$name ok" || echo "$name $?"; }
say umask umask 022
say touch touch file
say list ls -l file
say copy cp -p file copy
say tar tar -cf all.tar file copy
say extract tar -xf all.tar
say timeout timeout 5 true
say nice nice -n 1 true
# By its path: some shells have a setsid of their own, which knows no --wait.
say setsid /usr/bin/setsid --wait true
say mkfifo mkfifo fifo
say chmod chmod 600 file
say python python3 -S -c '
import os, signal, subprocess, asyncio, multiprocessing
os.umask(0o22); signal.alarm(0)
subprocess.run(["true"], start_new_session=True, check=True)
async def main(): return await (await asyncio.create_subprocess_exec("true")).wait()
assert asyncio.run(main()) == 0
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=queue.put, args=(42,))
process.start(); assert queue.get() == 42; process.join()'
