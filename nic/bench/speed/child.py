"""Run a program and write its seconds and peak memory, in bytes, to a file.

    python -I -S child.py RESULT PROGRAM [ARGUMENT]...

It is a separate program with few imports, because the memory of the process that starts a program
counts in its peak.
"""

import os
import sys
import time


def main(result: str, program: str, *arguments: str) -> int:
    """Run the program with our stdin and stdout; return its exit code."""
    start = time.perf_counter()
    child = os.posix_spawn(program, [program, *arguments], os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    with open(result, "w", encoding="ascii") as file:
        file.write(f'{{"seconds": {seconds}, "peak": {usage.ru_maxrss * unit}}}')
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
