"""The work on one file, in whichever process it is done: compress or decompress it."""

import logging
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from nic.cli.common.files import reading, writing
from nic.cli.common.progress import searching
from nic.cli.common.temporary import refuse
from nic.errors import UsageError
from nic.settings import Decoding, Encoding, Settings

log = logging.getLogger("nic")


@dataclass(frozen=True)
class Compress:
    """How picture files are compressed; picklable, so that a worker can receive it.

    ``force`` replaces an existing output; ``keep`` False removes the input after success.
    ``is_only`` says that there is no other file, whose progress would be shown instead.
    """

    settings: Settings
    encoding: Encoding
    force: bool = False
    keep: bool = True
    is_only: bool = False


@dataclass(frozen=True)
class Decompress:
    """How files are decompressed; see ``Compress``.

    ``picture_format`` None means the format by the extension of the output.
    """

    settings: Settings
    decoding: Decoding
    picture_format: str | None = None
    force: bool = False
    keep: bool = True
    is_only: bool = False


def compress(source: str, target: str | None, how: Compress) -> None:
    """Compress one picture file; a target of None is stdout."""
    from nic.codec import shared
    from nic.format.records import write_record
    from nic.picture.rows import open_picture

    run = shared(how.settings)
    _refuse(source, target, how.force)  # before the work, which would be in vain
    with reading(source) as file:
        keep = how.encoding.metadata
        picture = open_picture(file, run.settings.strip_pixels, run.limit, keep)
        effort = how.encoding.effort if how.is_only else 1
        with (
            writing(target, how.force, _facts(source, file)) as out,
            searching(effort) as run.watch,
        ):
            for record in run.compress(picture, how.encoding):
                write_record(out, record)
    _note_growth(source, target)
    keep_or_remove(source, target, how.keep)


def decompress(source: str, target: str | None, how: Decompress) -> None:
    """Decompress one file. A target of None is stdout, which may get several pictures."""
    from nic.codec import shared
    from nic.format.salvage import Report
    from nic.picture import formats, rows

    run, report = shared(how.settings), Report()
    named = target is not None and target != "-"
    name = how.picture_format or formats.format_of(target)
    decoding = replace(how.decoding, depth=formats.depth_in(name, how.decoding.depth))
    _refuse(source, target, how.force)
    with reading(source) as file, writing(target, how.force, _facts(source, file)) as out:
        for count, parts in enumerate(run.decode_stream(file, decoding, report)):
            if named and count:
                raise UsageError("holds more than one picture; use nic-decode")
            rows.write(out, parts, name, run.limit)
    report.check()
    keep_or_remove(source, target, how.keep)


def _refuse(source: str, target: str | None, force: bool) -> None:
    """Like ``refuse``, but without the advice to use -f if that would replace the source."""
    same = target is not None and os.path.normpath(target) == os.path.normpath(source)
    if same and not force and os.path.isfile(source):
        raise UsageError("the output would have the same name; use -o or --output-dir")
    refuse(target, force)


def _facts(source: str, file: BinaryIO) -> os.stat_result | None:
    """What an output takes its mode and modification time from: its source, if that is a file."""
    facts = None if source == "-" else os.fstat(file.fileno())
    return facts if facts is not None and stat.S_ISREG(facts.st_mode) else None


def _note_growth(source: str, target: str | None) -> None:
    """Log a note if the new file is larger than its source."""
    if source == "-" or target is None or target == "-" or not _both_files(source, target):
        return
    before, after = os.path.getsize(source), os.path.getsize(target)
    if after > before and not os.path.samefile(source, target):
        log.warning("note: the new file is larger than its source: %d bytes, not %d", after, before)


def _both_files(source: str, target: str) -> bool:
    return os.path.isfile(source) and os.path.isfile(target)


def keep_or_remove(source: str, target: str | None, keep: bool) -> None:
    """Remove the source after success, if ``keep`` is False and both are regular files."""
    if keep or source == "-" or target is None or target == "-":
        return
    if not _both_files(source, target):  # a device keeps nothing
        return
    if not Path(target).samefile(source):  # -f may have replaced the source itself
        Path(source).unlink()
