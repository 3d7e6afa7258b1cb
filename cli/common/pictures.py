"""Writing decoded pictures, for nic-decode and nic thumbnail."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from nic.cli.common.command import about, name_of
from nic.cli.common.files import reading, writing
from nic.errors import UsageError

if TYPE_CHECKING:
    from nic.format.salvage import Report

T = TypeVar("T")


def write_pictures(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    opened: Callable[[str], AbstractContextManager[BinaryIO]],
    pictures_of: Callable[[BinaryIO, "Report"], Iterable[T]],
    write: Callable[[BinaryIO, T], object],
) -> None:
    """Write the pictures of all inputs, one after the other.

    Args:
        opened: opens an input, as ``nic.cli.common.files.reading`` does.
        pictures_of: yields the pictures of an input; it adds tolerated damage to the report.
        write: writes one picture.
    Raises: UsageError for a second picture if the output is a file. At the end CorruptError or
        PartialError, if the report tells of damage.
    """
    from nic.format.salvage import Report

    named = output is not None and output != "-"
    done, report = 0, Report()
    with writing(output, force) as out:
        for path in files or ("-",):
            with about(path), opened(path) as source:
                report.prefix = f"{name_of(path)}: "
                for picture in pictures_of(source, report):
                    if named and done:
                        raise UsageError(f"more than one picture for {output}; use stdout")
                    write(out, picture)
                    done += 1
    report.check()


def write_versions(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    versions_of: Callable[[BinaryIO, "Report", bool], Iterable[tuple[int, T]]],
    write: Callable[[BinaryIO, T], object],
) -> None:
    """Write every version of the pictures of all inputs, as soon as it is there.

    On stdout one follows the other. A file always holds the last one; of an input that is no pipe,
    only the best version is written into it.

    Args:
        versions_of: yields the versions of an input, each with the number of its picture; only the
            last ones, if the third argument is false.
    Raises: as ``write_pictures``.
    """
    from nic.format.salvage import Report

    named = output is not None and output != "-"
    pictures, report = 0, Report()
    for path in files or ("-",):
        with about(path), reading(path) as source:
            report.prefix = f"{name_of(path)}: "
            every, number = not (named and source.seekable()), -1
            for number, version in versions_of(source, report, every):
                if named and pictures + number:
                    raise UsageError(f"more than one picture for {output}; use stdout")
                with writing(output, force) as out:
                    write(out, version)
                force = True
            pictures += number + 1
    report.check()
