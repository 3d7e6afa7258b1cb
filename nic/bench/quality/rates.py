"""Rate and distortion of codecs on a set of pictures.

The rate counts all bytes of a file. The distortion is measured on the picture that is decoded
from the file. A row is one picture at one level of one codec. Means are taken only over
pictures that all codecs have finished, so that codecs are compared on the same pictures even if a
run is interrupted or a codec refuses a picture.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nic.bench import machine, pictures
from nic.bench.codecs import QUALITIES, Coder, nic_coder
from nic.bench.quality import butteraugli, peers, summary
from nic.errors import NicError
from nic.picture import metrics, perceptual
from nic.processes import pool
from nic.types import Pixels

log = logging.getLogger("nic")

Row = dict[str, Any]
DIED = "a process that coded pictures %s; if memory is short, use fewer --jobs"


@dataclass(frozen=True)
class Setup:
    """The codecs of a run: nic with each of these models at each of these levels, and peers."""

    models: tuple[str, ...]
    backend: Any = "auto"
    device: str = "auto"
    levels: tuple[float, ...] = QUALITIES
    peers: tuple[str, ...] = tuple(peers.PEERS)


@dataclass(frozen=True)
class Task:
    """One picture at one level of one codec; ``number`` is the codec's index in the setup."""

    setup: Setup
    path: Path
    number: int
    level: float


def measure(
    setup: Setup,
    paths: Sequence[Path],
    jobs: int = 1,
    progress: Callable[[str], None] = lambda what: None,
) -> Row:
    """Measure the codecs on these pictures; return the report, as a dict for JSON.

    A picture that cannot be read, or that a codec refuses, is left out, with a note. After an
    interrupt the report has only the finished pictures.

    Args:
        setup: the codecs.
        paths: picture files.
        jobs: number of processes.
        progress: called at most ``steps`` times, with a text about what was done.
    Raises: ModelError; the error of the first picture when all are left out.
    """
    facts = machine.describe()
    coders, missing = coders_of(setup)
    levels = [(number, level) for number, c in enumerate(coders) for level in c.levels]
    sound, failures = pictures.sound(paths)
    if not sound:
        raise failures[0]
    _tell(failures)
    tasks = [Task(setup, path, *which) for path in sound for which in levels]
    results: list[Row | NicError] = []
    complete = _collect(tasks, jobs, progress, results)
    done, rows, refused = _whole(sound, results, len(levels))
    if complete and not done:
        raise refused[0]
    _tell(refused)
    means = summary.means(rows)
    seconds = _time(coders, done, means, progress) if complete else []
    return {
        "kind": "quality",
        "machine": facts,
        "jobs": jobs,
        "pictures": [path.name for path in done],
        "left_out": [str(failure) for failure in (*failures, *refused)],
        "complete": bool(seconds),
        "codecs": [_facts(coder) for coder in coders],
        "missing": missing,
        "bd_rates": summary.bd_rates([c.name for c in coders], len(setup.models), means),
        "seconds": seconds,
        "means": means,
        "rows": rows,
    }


def steps(setup: Setup, paths: Sequence[Path]) -> int:
    """How often ``measure`` reports progress when no picture is left out."""
    return len(paths) * sum(len(coder.levels) for coder in coders_of(setup)[0]) + 1


@lru_cache(maxsize=1)
def coders_of(setup: Setup) -> tuple[list[Coder], list[str]]:
    """The codecs of a setup, nic first, and a line about each package that is not installed."""
    network = (setup.backend, setup.device)
    own = [nic_coder(model, *network, setup.levels) for model in setup.models]
    found, missing = peers.installed(setup.peers)
    measures = (perceptual, butteraugli)
    return [*own, *found], missing + [m.ABSENT for m in measures if not m.is_installed()]


# -- one file ---------------------------------------------------------------------------------


def work(task: Task) -> Row:
    """Code, decode and measure one picture. Raises NicError when the codec refuses it."""
    coder = coders_of(task.setup)[0][task.number]
    pixels = _read(task.path)
    start = time.perf_counter()
    file = coder.encode(pixels, task.level)
    middle = time.perf_counter()
    decoded = coder.decode(file)
    end = time.perf_counter()
    return {
        "codec": coder.name,
        "picture": task.path.name,
        "level": task.level,
        "bytes": len(file),
        "bpp": 8 * len(file) / (pixels.shape[0] * pixels.shape[1]),
        **_scores(pixels, decoded),
        "encode": round(middle - start, 6),
        "decode": round(end - middle, 6),
    }


def _scores(pixels: Pixels, decoded: Pixels) -> dict[str, float | None]:
    """Every metric of ``summary.METRICS``; None if it is not finite or not installed."""
    if decoded.shape != pixels.shape:
        raise NicError(f"decoded to {decoded.shape} where {pixels.shape} went in")
    peak = metrics.psnr(pixels, decoded)
    ssim, ms_ssim = metrics.similarities(pixels, decoded)
    score = perceptual.ssimulacra2(pixels, decoded) if perceptual.is_installed() else None
    distance = butteraugli.butteraugli(pixels, decoded) if butteraugli.is_installed() else None
    return {
        "psnr": peak if math.isfinite(peak) else None,
        "ssim": ssim,
        "ms_ssim": ms_ssim,
        "ssimulacra2": score,
        "butteraugli": distance,
    }


@lru_cache(maxsize=2)
def _read(path: Path) -> Pixels:
    """Like ``pictures.load``, but silent: ``pictures.sound`` has already logged the notes."""
    log.disabled = True
    try:
        return pictures.load(path)
    finally:
        log.disabled = False


def _facts(coder: Coder) -> dict[str, str]:
    return {name: getattr(coder, name) for name in ("name", "title", "version", "parameter")}


# -- many files -------------------------------------------------------------------------------


def _collect(
    tasks: Sequence[Task], jobs: int, progress: Callable[[str], None], results: list[Row | NicError]
) -> bool:
    """Append the results, in order; return False if it ended early."""
    try:
        with closing(pool.in_order(_attempt, tasks, jobs)) as found:
            for task, result in zip(tasks, found, strict=True):
                if isinstance(result, pool.Death):
                    log.error(DIED, result)
                    return False
                results.append(result)
                progress(f"{task.path.name}: {coders_of(task.setup)[0][task.number].name}")
    except KeyboardInterrupt:
        return False
    return True


def _whole(
    paths: Sequence[Path], results: Sequence[Row | NicError], each: int
) -> tuple[list[Path], list[Row], list[NicError]]:
    """The pictures with all ``each`` results, their results, and the errors of other pictures."""
    done: list[Path] = []
    rows: list[Row] = []
    failures: list[NicError] = []
    for number, path in enumerate(paths[: len(results) // each]):
        mine = results[number * each : (number + 1) * each]
        refused = [result for result in mine if isinstance(result, NicError)]
        failures += refused[:1]
        if not refused:
            done.append(path)
            rows += [result for result in mine if not isinstance(result, NicError)]
    return done, rows, failures


def _tell(failures: Sequence[NicError]) -> None:
    for failure in failures:
        log.error("left out: %s", failure)


def _time(
    coders: Sequence[Coder],
    paths: Sequence[Path],
    means: Sequence[Row],
    progress: Callable[[str], None],
) -> list[Row]:
    """``summary.time_all`` of the first pictures; an empty list after an interrupt."""
    try:
        progress("speed")
        return summary.time_all(coders, [_read(path) for path in paths[: summary.TIMED]], means)
    except KeyboardInterrupt:
        return []


def _attempt(task: Task) -> Row | NicError:
    """The result of ``work``, or its error."""
    try:
        return work(task)
    except NicError as error:
        return NicError(f"{task.path}: {error}")
