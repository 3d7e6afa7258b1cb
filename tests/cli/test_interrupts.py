"""A signal that stops a program while it writes: whenever it comes, nothing half-written stays."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nic.cli.common.interrupts import remove_unfinished, unfinished
from nic.processes.interrupts import uninterrupted

SCRIPT = Path(__file__).parents[1] / "support" / "interrupted.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="every step has a process of its own")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_at_any_step_of_writing_leaves_nothing_behind(name, tmp_path):
    every = "1" if "NIC_LONG_TESTS" in os.environ else "10"
    command = [sys.executable, SCRIPT, tmp_path, name, every]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.stderr == ""
    *wrong, last = result.stdout.splitlines()
    assert wrong == []
    assert int(last.removesuffix(" steps")) > 500


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_an_uninterrupted_block(number):
    came = []
    before = signal.signal(number, lambda *_: came.append("handled"))
    try:
        with uninterrupted():
            signal.raise_signal(number)
            came.append("end of the block")
        assert came == ["end of the block", "handled"]
    finally:
        signal.signal(number, before)


def test_a_signal_is_not_lost_where_the_block_fails():
    def fail():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            raise FileNotFoundError

    with pytest.raises(KeyboardInterrupt) as caught:
        fail()
    assert isinstance(caught.value.__context__, FileNotFoundError)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_uninterrupted_block_in_another_thread():
    """No handler runs there, and Python lets none be set there."""
    done = []

    def work():
        with uninterrupted():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_what_is_unfinished_is_removed(tmp_path):
    path = tmp_path / ".a.nic.12345678.tmp"
    path.touch()
    unfinished.update((str(path), str(tmp_path / "gone")))
    remove_unfinished()
    assert not unfinished
    assert not path.exists()
