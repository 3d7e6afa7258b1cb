"""Rate and distortion of codecs on a set of pictures, from whole files' bytes.

Distortion is that of the 8-bit picture decoded from those bytes. A row is one picture at one
level of one codec; means are over the pictures that every codec has finished, so that an
interrupted run still compares like with like.
"""

import math
import signal
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from nic import metrics, picture
from nic.bench import machine, peers, perceptual, summary
from nic.bench.codecs import QUALITIES, Coder, nic_coder
from nic.errors import NicError, UsageError
from nic.picture import Pixels

Row = dict[str, Any]
SUFFIXES = (".png", ".ppm", ".webp", ".tif", ".tiff", ".bmp")  # lossless, or may be
LEAST_SIDE = 176  # pixels that MS-SSIM needs


@dataclass(frozen=True)
class Setup:
    """The codecs of a run: nic with each of the models at each of the levels, and peers."""

    models: tuple[str, ...]
    backend: Any = "auto"
    device: str = "auto"
    levels: tuple[float, ...] = QUALITIES
    peers: tuple[str, ...] = tuple(peers.PEERS)


@dataclass(frozen=True)
class Task:
    """One picture at one level of the codec that is ``number`` in the setup."""

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
    """Everything about the codecs on these pictures; after an interrupt, what was done.

    Args: progress: called ``steps`` times, with the name of what was done.
    Raises: ModelError, UsageError, CorruptError.
    """
    facts = machine.describe()
    coders, missing = coders_of(setup)
    levels = [(number, level) for number, c in enumerate(coders) for level in c.levels]
    tasks = [Task(setup, path, *which) for path in paths for which in levels]
    rows: list[Row] = []
    seconds: list[Row] = []
    try:
        with closing(_run_all(tasks, jobs)) as results:
            for row in results:
                rows.append(row)
                progress(f"{row['picture']}: {row['codec']}")
        pictures = [_read(path) for path in paths[: summary.TIMED]]
        progress("speed")
        seconds = summary.time_all(coders, pictures, summary.means(rows))
    except KeyboardInterrupt:
        rows = rows[: len(rows) // len(levels) * len(levels)]
    means = summary.means(rows)
    return {
        "kind": "quality",
        "machine": facts,
        "jobs": jobs,
        "pictures": [path.name for path in paths[: len(rows) // len(levels)]],
        "complete": bool(seconds),
        "codecs": [_facts(coder) for coder in coders],
        "missing": missing,
        "bd_rates": summary.bd_rates([c.name for c in coders], len(setup.models), means),
        "seconds": seconds,
        "means": means,
        "rows": rows,
    }


def steps(setup: Setup, paths: Sequence[Path]) -> int:
    """How often ``measure`` reports progress."""
    return len(paths) * sum(len(coder.levels) for coder in coders_of(setup)[0]) + 1


@lru_cache(maxsize=1)
def coders_of(setup: Setup) -> tuple[list[Coder], list[str]]:
    """The codecs of a setup, nic first, and a line on each thing that is not installed."""
    network = (setup.backend, setup.device)
    own = [nic_coder(model, *network, setup.levels) for model in setup.models]
    found, missing = peers.installed(setup.peers)
    return [*own, *found], missing + [perceptual.ABSENT] * (not perceptual.is_installed())


def pictures_in(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, and all lossless pictures of folders by name. Raises UsageError."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        found += [p for p in inside if p.suffix.lower() in SUFFIXES] if path.is_dir() else [path]
    if not found:
        raise UsageError(f"no pictures ({' '.join(SUFFIXES)}) in {paths[0]}")
    return found


# -- one file ---------------------------------------------------------------------------------


def work(task: Task) -> Row:
    """Code, decode and judge one picture."""
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
    """Every metric of ``summary.METRICS``; None for one that has no finite value here."""
    if decoded.shape != pixels.shape:
        raise NicError(f"decoded to {decoded.shape} where {pixels.shape} went in")
    peak = metrics.psnr(pixels, decoded)
    ssim, ms_ssim = metrics.similarities(pixels, decoded)
    score = perceptual.ssimulacra2(pixels, decoded) if perceptual.is_installed() else None
    return {
        "psnr": peak if math.isfinite(peak) else None,
        "ssim": ssim,
        "ms_ssim": ms_ssim,
        "ssimulacra2": score,
    }


@lru_cache(maxsize=2)
def _read(path: Path) -> Pixels:
    """The picture as uint8 (H, W, 3), grey ones too. Raises NicError, which names it."""
    try:
        pixels = picture.read(path.read_bytes()).pixels
        if min(pixels.shape[:2]) < LEAST_SIDE:
            raise UsageError(f"MS-SSIM needs sides of {LEAST_SIDE} pixels or more")
    except NicError as error:
        error.args = (f"{path}: {error}",)
        raise
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _facts(coder: Coder) -> dict[str, str]:
    return {name: getattr(coder, name) for name in ("name", "title", "version", "parameter")}


# -- many files -------------------------------------------------------------------------------


def _run_all(tasks: Sequence[Task], jobs: int) -> Generator[Row]:
    """Results in the order of the tasks, from ``jobs`` processes."""
    if jobs == 1:
        yield from map(work, tasks)
        return
    # Not forked: a forked copy of a process with LiteRT's threads may hang.
    with ProcessPoolExecutor(jobs, get_context("spawn"), _ignore_interrupts) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    """A terminal interrupts all processes; the one that collects results decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
