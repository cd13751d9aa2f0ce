# Children in every way the standard library starts them, and talk with them over pipes and unix sockets.
import asyncio
import os
import socket
import subprocess
import tempfile

ran = subprocess.run(["tr", "a-z", "A-Z"], input="to a child", capture_output=True, text=True, check=True)
alone = subprocess.run(["sh", "-c", "exit 3"], start_new_session=True, umask=0o27, check=False)
try:
    subprocess.run(["sleep", "60"], timeout=0.05, check=False)
except subprocess.TimeoutExpired:
    late = "late"
spawned = os.posix_spawn("/bin/true", ["true"], {})
status = os.waitstatus_to_exitcode(os.waitpid(spawned, 0)[1])


async def main():
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate(b"to a loop's child")
    path = os.path.join(tempfile.mkdtemp(), "socket")

    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"over a socket\n")
        return said.decode(), (await reader.readline()).decode().strip()


one, two = socket.socketpair()
if os.fork() == 0:
    two.sendall(b"from a fork")
    os._exit(0)
print(ran.stdout, alone.returncode, late, status, *asyncio.run(main()), one.recv(64).decode(), sep="|")
