"""A program that is stopped by a signal at every single step of writing its output.

    interrupted.py FOLDER SIGNAL EVERY

Forks for each EVERY-th step of the interpreter in the modules that write files. The child gets the
signal at that step, as if from outside. Prints each step with a wrong end or a file that
stays behind, and at last how many steps there are.
"""

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path

from steps import Steps

from nic.cli.common import files, interrupts, temporary
from nic.cli.common.command import command
from nic.cli.common.files import writing
from nic.processes.interrupts import uninterrupted

DATA = b"data"
TRACED = {module.__file__ for module in (contextlib, files, interrupts, tempfile, temporary)}
TRACED.add(uninterrupted.__wrapped__.__code__.co_filename)


def steps_to(number, at):
    """Steps that send a signal; 0 for none."""
    return Steps(at, TRACED, lambda: signal.raise_signal(number))


def program(folder, steps):
    @command("write")
    def write():
        sys.settrace(steps.trace)
        with writing(str(folder / "a.nic")) as out:
            out.write(DATA)
        sys.settrace(None)

    return write


def in_child(folder, number, at):
    """Run the program with a signal at one step; its exit code, or minus the signal's number."""
    pid = os.fork()
    if pid == 0:
        program(folder, steps_to(number, at)).main([], prog_name="nic-write")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main():
    folder, number = Path(sys.argv[1]), signal.Signals[sys.argv[2]]
    end = 128 + number if number == signal.SIGTERM else -number
    for name in ("first", "second"):  # the first time takes some steps more
        (folder / name).mkdir()
        steps = steps_to(number, at=0)
        program(folder / name, steps).main([], prog_name="nic-write", standalone_mode=False)
    folder = folder / "stopped"
    folder.mkdir()
    for at in range(1, steps.count + 1, int(sys.argv[3])):
        for path in folder.iterdir():
            path.unlink()
        code = in_child(folder, number, at)
        left = {path.name: path.read_bytes() for path in folder.iterdir()}
        if code != end or left not in ({}, {"a.nic": DATA}):
            print(f"step {at}: exit status {code}, files {sorted(left)}")
    print(f"{steps.count} steps")


main()
