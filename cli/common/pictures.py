"""Writing decoded pictures, for nic-decode and nic thumbnail."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from nic.cli.common.command import about, name_of
from nic.cli.common.files import writing
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
