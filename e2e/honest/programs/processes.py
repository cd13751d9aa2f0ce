# multiprocessing by one start method: a process, a queue, a pipe, a lock over a shared value, shared memory, pools. Needs a writable
# /dev/shm and room for helper threads (windmill-labs/windmill#10240, python-discord/snekbox#113).
import concurrent.futures
import multiprocessing
import sys
from multiprocessing import shared_memory


def cube(number):
    return number**3


def work(lock, counter, answers, end):
    with lock:
        counter.value += 5
    answers.put("put")
    end.send("sent")


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    lock, counter, answers = context.Lock(), context.Value("l", 0), context.Queue()
    here, there = context.Pipe()
    worker = context.Process(target=work, args=(lock, counter, answers, there))
    worker.start()
    said = [answers.get(timeout=60), here.recv()]
    worker.join()
    block = shared_memory.SharedMemory(create=True, size=4096)
    block.buf[:6] = b"shared"
    peer = shared_memory.SharedMemory(block.name)
    said.append(bytes(peer.buf[:6]).decode())
    peer.close()
    block.close()
    block.unlink()
    with context.Pool(2) as pool:
        said.append(sum(pool.map(cube, range(20))))
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(worker.exitcode, counter.value, *said, sum(pool.map(cube, range(20))))
