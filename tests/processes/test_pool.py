"""The pool of worker processes: results, deaths, and interrupts at any step."""

import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nic.processes.pool import Death, as_finished, in_order

SCRIPT = Path(__file__).parents[1] / "support" / "interrupted_pool.py"
TASKS = range(-3, 9)


def absolute(number):
    return abs(number)


def end(number):
    if number == 4:
        os._exit(7)
    return number


def kill(number):
    if number == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_results_with_their_numbers():
    found = dict(as_finished(absolute, TASKS, 3))
    assert found == {number: abs(task) for number, task in enumerate(TASKS)}
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_in_the_order_of_the_tasks(workers):
    assert list(in_order(absolute, TASKS, workers)) == [abs(task) for task in TASKS]


WITHOUT_TRACKER = """
import os, signal
from multiprocessing import resource_tracker
from nic.processes.pool import as_finished
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as the programs have it
resource_tracker.ensure_running()
pid = resource_tracker._resource_tracker._pid
os.kill(pid, signal.SIGKILL)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print(sorted(as_finished(abs, [-1, -2, -3], 2)))
"""


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="no such call")
def test_a_killed_helper_of_python_costs_nothing():
    """Python starts a process of its own beside the workers; a broken pipe to it ended all."""
    command = [sys.executable, "-c", WITHOUT_TRACKER]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, "[(0, 1), (1, 2), (2, 3)]\n")
    assert result.stderr == ""


@pytest.mark.parametrize("workers", [1, 3])
def test_no_task_needs_no_worker(workers):
    assert list(as_finished(absolute, [], workers)) == []


@pytest.mark.parametrize(
    ("act", "death", "words"),
    [(end, Death(7), "ended with exit status 7"), (kill, Death(-9), "was killed (SIGKILL)")],
)
def test_a_death_costs_one_task(act, death, words):
    lost = []
    found = dict(as_finished(act, TASKS, 2, lost=lost.append))
    assert found == {n: death if task == 4 else task for n, task in enumerate(TASKS)}
    assert lost == [4]
    assert dict(as_finished(act, [4], 2)) == {0: death}  # when nothing else is left to do
    assert str(death) == words


@contextmanager
def a_file_at_the_end():
    try:
        yield
    finally:
        Path(f"{os.getpid()}.ended").touch()


def wait_for_ever(number):
    Path(f"{number}.begun").touch()
    signal.pause()


def say(number):
    return number


def test_an_early_end_stops_workers_and_names_their_tasks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lost = []
    tasks = [0, 1, 2, 3]
    with closing(as_finished(say, tasks, 2, a_file_at_the_end, lost.append)) as results:
        next(results)
    assert not multiprocessing.active_children()
    assert 1 <= len(list(tmp_path.glob("*.ended"))) <= 2  # the other one may not have begun
    assert set(lost) < set(tasks)


def test_a_worker_that_waits_is_stopped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lost = []

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        results = as_finished(wait_for_ever, [5, 6], 2, a_file_at_the_end, lost.append)
        signal.setitimer(signal.ITIMER_REAL, 1.5)
        with pytest.raises(KeyboardInterrupt):
            next(results)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert sorted(lost) == [5, 6]
    assert not multiprocessing.active_children()
    assert len(list(tmp_path.glob("*.ended"))) == len(list(tmp_path.glob("*.begun")))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="every step has a process of its own")
def test_an_interrupt_at_any_step_stops_all_workers():
    """Workers that an interrupt forgot kept a program waiting at its end, for ever."""
    steps = "600" if "NIC_LONG_TESTS" in os.environ else "30"
    command = [sys.executable, SCRIPT, steps]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.stderr == ""
    *wrong, last = result.stdout.splitlines()
    assert wrong == []
    assert int(last.removesuffix(" steps")) > 1000
