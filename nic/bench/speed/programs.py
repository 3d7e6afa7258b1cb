"""Seconds and peak memory of the installed programs, to start and for a whole picture."""

import shutil
import statistics
import sysconfig
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from nic.bench.speed.timing import Timing, run_program
from nic.errors import NicError
from nic.picture import writers
from nic.types import Pixels

Row = dict[str, Any]
DISTRIBUTION = "nic-codec"
# In the order of a pipeline: each program reads the output of the program before.
STAGES = ("nic-encode", "nic-quantize", "nic-entropy", "nic-pack", "nic-decode")
COMMANDS = ("compress", "decompress", "test")  # commands of nic


def installed() -> list[str]:
    """Names of the programs that are installed with this package."""
    points = metadata.distribution(DISTRIBUTION).entry_points
    return sorted(point.name for point in points if point.group == "console_scripts")


def find(program: str) -> str:
    """Path of an installed program, first in this environment, then in PATH. Raises NicError."""
    beside = Path(sysconfig.get_path("scripts")) / program
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        raise NicError(f"{program} is not installed")
    return found


def start_up(folder: Path, repeats: int) -> Iterator[Row]:
    """Yield the cost of starting each program, with almost no work.

    Stages and nic's commands code a picture of 8x8 pixels; other programs print their version.
    """
    tiny, packed, out = folder / "0", folder / str(len(STAGES) - 1), folder / "out"
    tiny.write_bytes(writers.write(np.full((8, 8, 3), 128, np.uint8), "ppm"))
    for number, program in enumerate(STAGES):
        yield _run([program], folder / str(number), folder / str(number + 1), repeats)
    for command in COMMANDS:
        yield _run(["nic", command], tiny if command == "compress" else packed, out, repeats)
    for program in installed():
        if program not in STAGES:
            yield _run([program, "--version"], tiny, out, repeats)


def whole(
    pixels: Pixels, choice: Sequence[str], network: Sequence[str], folder: Path, repeats: int
) -> list[Row]:
    """The cost of ``nic compress`` and of ``nic decompress`` for one picture.

    Args:
        pixels: uint8 (H, W, 3).
        choice: options of ``nic compress``.
        network: options of both.
        folder: for temporary files.
        repeats: how often each runs.
    """
    source, packed, target = (folder / name for name in ("a.png", "a.nic", "b.png"))
    source.write_bytes(writers.write(pixels, "png"))
    return [
        _run(["nic", "compress"], source, packed, repeats, [*choice, *network]),
        _run(["nic", "decompress"], packed, target, repeats, network),
    ]


def _run(
    command: Sequence[str], source: Path, target: Path, repeats: int, options: Sequence[str] = ()
) -> Row:
    """Seconds and peak memory in bytes. A first run is not counted, as it may read from disk."""
    words = [find(command[0]), *command[1:], *options]
    runs = [run_program(words, source, target) for _ in range(repeats + 1)][1:]
    timing = Timing.of([run.seconds for run in runs])
    peak = round(statistics.median(run.peak for run in runs))
    return {"program": " ".join(command), **timing.row(), "peak": peak}
