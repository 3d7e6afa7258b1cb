"""The work on one picture: what every process of a batch does, given where from and where to."""

import os
from dataclasses import dataclass
from pathlib import Path

from nic.cli.common.files import reading, refuse, writing
from nic.errors import UsageError
from nic.settings import Decoding, Encoding, Settings


@dataclass(frozen=True)
class Compress:
    """How picture files are compressed; picklable, so that a worker is told once."""

    settings: Settings
    encoding: Encoding
    force: bool = False
    keep: bool = True


@dataclass(frozen=True)
class Decompress:
    """How files are decompressed; ``picture_format`` None is by the name of the output."""

    settings: Settings
    decoding: Decoding
    picture_format: str | None = None
    force: bool = False
    keep: bool = True


def compress(source: str, target: str | None, how: Compress) -> None:
    """Compress one picture file; a target of None is stdout."""
    from nic.codec import shared
    from nic.format.records import write_record
    from nic.picture.rows import open_picture

    run = shared(how.settings)
    _refuse(source, target, how.force)  # before the work, which is for nothing then
    with reading(source) as file:
        keep = how.encoding.metadata
        picture = open_picture(file, run.settings.strip_pixels, run.limit, keep)
        with writing(target, how.force) as out:
            for record in run.compress(picture, how.encoding):
                write_record(out, record)
    keep_or_remove(source, target, how.keep)


def decompress(source: str, target: str | None, how: Decompress) -> None:
    """Decompress one file; a target of None is stdout, which takes any number of pictures."""
    from nic.codec import shared
    from nic.format.salvage import Report
    from nic.picture import formats, rows

    run, report = shared(how.settings), Report()
    named = target is not None and target != "-"
    name = how.picture_format or formats.format_of(target)
    _refuse(source, target, how.force)
    with reading(source) as file, writing(target, how.force) as out:
        for count, parts in enumerate(run.decode_stream(file, how.decoding, report)):
            if named and count:
                raise UsageError("holds more than one picture; use nic-decode")
            rows.write(out, parts, name, run.limit)
    report.check()
    keep_or_remove(source, target, how.keep)


def _refuse(source: str, target: str | None, force: bool) -> None:
    """``refuse``, without the advice of -f where that would be the end of the source."""
    same = target is not None and os.path.normpath(target) == os.path.normpath(source)
    if same and not force and os.path.isfile(source):
        raise UsageError("the output would have the same name; use -o or --output-dir")
    refuse(target, force)


def keep_or_remove(source: str, target: str | None, keep: bool) -> None:
    """Remove the source after success when --rm was given and both are files."""
    if keep or source == "-" or target is None or target == "-":
        return
    if not Path(target).samefile(source):  # -f may have replaced the source itself
        Path(source).unlink()
