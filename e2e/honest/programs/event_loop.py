# An event loop with timers, threads and signals of its own, and no process beside it.
import asyncio
import os
import signal


async def add(number):
    await asyncio.sleep(0.01 * number)
    return number


async def main():
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, told.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(told.wait(), 60)
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.01)
    except asyncio.TimeoutError:
        late = "late"
    numbers = await asyncio.gather(*[add(number) for number in range(4)])
    print(numbers, await asyncio.to_thread(sum, numbers), late)


asyncio.run(main())
