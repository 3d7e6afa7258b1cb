"""The work on one picture: what every process of a batch does, given where from and where to.

Settings are small and picklable, so that a worker can be told them once.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nic.cli.common.command import name_of
from nic.cli.common.files import reading, refuse, writing
from nic.errors import NicError, UsageError
from nic.format.channels import Channels, select
from nic.format.records import Record, Stage, read_records, write_record
from nic.format.salvage import Report, read_intact
from nic.picture.metadata import Keep

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nic.codec import Codec
    from nic.picture.rows import Rows
    from nic.search.target import Target
    from nic.transform.backends import Name

log = logging.getLogger("nic")


@dataclass(frozen=True)
class Network:
    """The arguments of ``nic.codec.Codec``."""

    model: str = "light"
    tune: str = "psnr"
    backend: "Name" = "auto"
    device: str = "auto"
    threads: int = 1
    strip_pixels: int | None = None
    cores: int | None = None  # that the networks may use; None for all
    max_pixels: int | None = None
    processes: int = 1  # that share the memory


@dataclass(frozen=True)
class Compress:
    """How pictures are compressed: with one quality, or with what each needs for ``aim``."""

    network: Network
    quality: float | None = None
    channels: int | None = None
    force: bool = False
    keep: bool = True
    aim: "Target | None" = None
    strict: bool = False  # an aim out of reach is an error
    alpha_quality: float | None = None
    metadata: Keep = "all"  # what is stored
    refinement: int = 0  # steps of nic.search.refine


@dataclass(frozen=True)
class Decompress:
    """How files are decompressed; ``channels`` None for all, ``picture_format`` by the name."""

    network: Network
    channels: Channels | None = None
    picture_format: str | None = None
    force: bool = False
    keep: bool = True
    tolerate: bool = False
    metadata: Keep = "all"  # what is written


@cache
def codec(network: Network) -> "Codec":
    """The codec of this process, its models and networks loaded once."""
    from nic.codec import Codec
    from nic.transform.strips import STRIP_PIXELS

    return Codec(
        network.model, network.backend, network.device, network.threads, network.tune,
        STRIP_PIXELS if network.strip_pixels is None else network.strip_pixels, network.cores,
        network.max_pixels, network.processes,
    )  # fmt: skip


def compress(source: str, target: str | None, settings: Compress) -> None:
    """Compress one picture file; a target of None is stdout."""
    from nic.picture import rows

    run = codec(settings.network)
    _refuse(source, target, settings.force)  # before the work, which is for nothing then
    with reading(source) as file:
        picture = rows.open_picture(file, run.strip_pixels, run.limit, settings.metadata)
        quality = settings.quality
        records: Iterable[Record]
        if settings.aim is None:
            records = run.encode_rows(
                picture, quality, settings.channels,
                alpha_quality=settings.alpha_quality, refinement=settings.refinement,
            )  # fmt: skip
        else:
            records, quality = _aimed(run, picture, settings, settings.aim, source)
        with writing(target, settings.force) as out:
            for record in records:
                write_record(out, run.forward(record, Stage.PACKED, quality))
    keep_or_remove(source, target, settings.keep)


def _aimed(
    run: "Codec", picture: "Rows", settings: Compress, aim: "Target", source: str
) -> tuple[list[Record], float]:
    """Latents of a picture, and the quality that they need. Raises NicError when strict."""
    from numpy import concatenate

    from nic.picture.formats import Picture
    from nic.picture.rows import of_picture
    from nic.search.target import find, find_refined, shortfall

    strips = []

    def read(n: int) -> "NDArray[np.uint8]":
        strips.append(picture.read(n))
        return strips[-1]

    kept = replace(picture, read=read)
    latents = list(
        run.encode_rows(kept, None, settings.channels, alpha_quality=settings.alpha_quality)
    )
    pixels = concatenate(strips)
    if settings.refinement:
        whole = Picture(pixels, picture.alpha, picture.metadata)

        def refined(quality: float) -> list[Record]:
            return list(
                run.encode_rows(
                    of_picture(whole), quality, settings.channels,
                    alpha_quality=settings.alpha_quality, refinement=settings.refinement,
                )
            )  # fmt: skip

        latents, found = find_refined(run, latents, refined, pixels, aim, picture.alpha)
    else:
        found = find(run, latents, pixels, aim, picture.alpha)
    if not found.met:
        line = shortfall(found, aim, picture.width * picture.height)
        if settings.strict:
            raise NicError(line)
        log.warning("note: %s", line)
    log.info("%s: quality %g", name_of(source), found.quality)
    return latents, found.quality


def decompress(source: str, target: str | None, settings: Decompress) -> None:
    """Decompress one file; a target of None is stdout, which takes any number of pictures."""
    from nic.picture import formats, rows

    run = codec(settings.network)
    named = target is not None and target != "-"
    name = settings.picture_format or formats.format_of(target)
    report = Report()
    _refuse(source, target, settings.force)
    with reading(source) as file, writing(target, settings.force) as out:
        records = (
            record if settings.channels is None else select(record, settings.channels)
            for record in records_of(file, run, report if settings.tolerate else None)
        )
        for count, parts in enumerate(rows.pictures(run.decode_strips(records))):
            if named and count:
                raise UsageError("holds more than one picture; use nic-decode")
            rows.write(out, parts, name, run.limit, settings.metadata)
    report.check()
    keep_or_remove(source, target, settings.keep)


def _refuse(source: str, target: str | None, force: bool) -> None:
    """``refuse``, without the advice of -f where that would be the end of the source."""
    same = target is not None and os.path.normpath(target) == os.path.normpath(source)
    if same and not force and os.path.isfile(source):
        raise UsageError("the output would have the same name; use -o or --output-dir")
    refuse(target, force)


def records_of(source: BinaryIO, run: "Codec", report: Report | None) -> Iterator[Record]:
    """Every record of a stream; with a report, what is intact of it."""
    if report is None:
        return read_records(source)
    return read_intact(source, run, report)


def keep_or_remove(source: str, target: str | None, keep: bool) -> None:
    """Remove the source after success when --rm was given and both are files."""
    if keep or source == "-" or target is None or target == "-":
        return
    if not Path(target).samefile(source):  # -f may have replaced the source itself
        Path(source).unlink()
