"""How long calls and programs take, and how much memory a program needs."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nic.errors import NicError

LEAST = 3  # repeats at least, however long they take
PATIENCE = 15.0  # seconds after which no further repeat is started
CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of ``repeats``, and the quartiles around it."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Timing":
        """Summarise a sample of two or more times."""
        low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
        return cls(median, low, high, len(seconds))

    def row(self) -> dict[str, Any]:
        """The fields by name, rounded to a microsecond."""
        return {k: round(v, 6) if k != "repeats" else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Process:
    """A finished run of a program: seconds, and peak memory in bytes."""

    seconds: float
    peak: int


def sample(call: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each of ``repeats`` calls, after one to warm up; fewer if they are slow."""
    return sample_in_turn([call], repeats)[0]


def sample_in_turn(calls: Sequence[Callable[[], object]], repeats: int) -> list[list[float]]:
    """Like ``sample``, but for several calls in turn, so that other load affects all equally."""
    for call in calls:
        call()
    seconds: list[list[float]] = [[] for _ in calls]
    while len(seconds[0]) < repeats and (
        len(seconds[0]) < LEAST or sum(map(sum, seconds)) < PATIENCE
    ):
        for call, found in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return seconds


def run_program(arguments: Sequence[str], source: Path, target: Path) -> Process:
    """Run a program with stdin from a file and stdout to a file.

    The program is started by a bare interpreter, because the peak memory that a kernel reports of
    a process includes the memory of the process that started it.

    Raises: NicError when the program fails.
    """
    with tempfile.NamedTemporaryFile() as result, source.open("rb") as stdin:
        command = [sys.executable, "-I", "-S", str(CHILD), result.name, *arguments]
        with target.open("wb") as stdout:
            done = subprocess.run(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
        if done.returncode:
            raise NicError(f"{arguments[0]} failed: {done.stderr.decode(errors='replace')}")
        return Process(**json.loads(Path(result.name).read_bytes()))
