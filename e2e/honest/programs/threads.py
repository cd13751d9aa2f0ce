# Threads that meet in every way there is: locks, conditions, a pool, a queue; and a signal to the process itself.
import concurrent.futures
import queue
import signal
import threading

total, lock, done = 0, threading.Lock(), queue.Queue()
barrier = threading.Barrier(8)


def add(number):
    global total
    barrier.wait()
    with lock:
        total += number
    done.put(number)


threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    squares = list(pool.map(lambda number: number * number, range(6)))
seen = []
signal.signal(signal.SIGALRM, lambda number, frame: seen.append(signal.Signals(number).name))
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
print(total, done.qsize(), squares, seen)
