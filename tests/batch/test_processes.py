"""Jobs in worker processes: whenever one is killed, only the job that it had is lost."""

import multiprocessing
import os
import random
import shutil
import signal
import time

import pytest

from nic.cli.batch.inputs import Job
from nic.cli.batch.job import Task
from nic.cli.batch.processes import in_workers
from nic.processes import pool

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
LOST = "the process that worked on it was killed (SIGKILL)"


@pytest.fixture
def copies(tmp_path):
    """Jobs that copy a small file each; and where the copies go."""
    source, out = tmp_path / "source", tmp_path / "out"
    source.write_bytes(b"data")
    out.mkdir()
    return [Job(str(source), str(out / f"{number:03}")) for number in range(200)], out


def killed(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def assert_only_lost(outcomes, out, kills):
    """As many jobs as kills failed at most, each with its line; all others are done."""
    failures = [outcome.failure for outcome in outcomes.values() if outcome.code]
    assert len(failures) <= kills
    assert all(failure.endswith(LOST) for failure in failures)
    assert len(list(out.iterdir())) >= len(outcomes) - len(failures)


def test_workers_killed_at_their_start_cost_a_job_each(copies, monkeypatch):
    jobs, out = copies
    give, started = pool._Worker.give, []

    def give_and_kill(worker, *job):
        give(worker, *job)
        if worker not in started and len(started) < 2:
            started.append(worker)
            worker.process.kill()

    monkeypatch.setattr(pool._Worker, "give", give_and_kill)
    outcomes = dict(in_workers(jobs[:6], Task(shutil.copyfile), 2))
    assert {number for number, outcome in outcomes.items() if outcome.code} == {0, 1}
    assert sorted(outcomes) == list(range(6))
    assert_only_lost(outcomes, out, kills=2)


def test_workers_killed_at_any_time_cost_a_job_each_at_most(copies):
    jobs, out = copies
    rng, kills, outcomes = random.Random(5), 0, {}
    for number, outcome in in_workers(jobs, Task(shutil.copyfile), 2):
        outcomes[number] = outcome
        if number % 25 == 0:  # between two jobs, or in one
            time.sleep(rng.random() * 0.001)
            if workers := multiprocessing.active_children():  # for a moment there may be none
                kills += killed(rng.choice(workers).pid)
    assert sorted(outcomes) == list(range(len(jobs)))
    assert_only_lost(outcomes, out, kills)
    assert not multiprocessing.active_children()
