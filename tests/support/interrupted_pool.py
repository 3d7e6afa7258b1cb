"""A program that SIGINT stops at a step of starting its worker processes, and of using them.

    interrupted_pool.py STEPS

Forks again and again. Each child gets the signal at another one of its steps in the modules that
start processes, STEPS of them spread evenly. Another thread receives it, as one of a library's
threads may, so that no mask of the main thread delays the handler. Prints each step with a
wrong end.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing import context, popen_fork, popen_spawn_posix, process

from steps import Steps

from nic.processes import interrupts, pool

MODULES = (context, interrupts, multiprocessing, pool, popen_fork, popen_spawn_posix, process)
TRACED = {module.__file__ for module in MODULES}
TASKS = 6
LIMIT = 60  # seconds until a child counts as hanging


def square(number):
    return number * number


def ended(at):
    """How work in a pool ends that gets the signal at this step, and how many steps there were."""
    receiver = threading.Thread(target=threading.Event().wait, daemon=True)
    receiver.start()
    steps = Steps(at, TRACED, lambda: signal.pthread_kill(receiver.ident, signal.SIGINT))
    results = pool.as_finished(square, range(TASKS), 2)
    try:
        sys.settrace(steps.trace)
        found = dict(results)
        sys.settrace(None)
        how = "done" if found == {n: n * n for n in range(TASKS)} else f"wrong: {found}"
        if 0 < at <= steps.count:
            time.sleep(LIMIT / 10)  # the signal may arrive late, but it must arrive
    except KeyboardInterrupt:
        how = "interrupted"
    sys.settrace(None)
    del results
    for child in multiprocessing.active_children():  # idle ones end by themselves
        child.join(LIMIT / 10)
    return f"{how}, {len(multiprocessing.active_children())} left", steps.count


def in_child(at):
    """``ended`` in a forked process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT)
        how, count = ended(at)
        os.write(writing, f"{count} {how}".encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    count, _, how = said.partition(" ")
    return how or "hangs", int(count or at)


def main(number):
    how, count = in_child(0)
    assert how == "done, 0 left", how
    for step in range(1, count, max(1, count // number)):
        how, reached = in_child(step)
        if how != ("interrupted, 0 left" if reached >= step else "done, 0 left"):
            print(step, how, flush=True)
    print(count, "steps")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(int(sys.argv[1]))
