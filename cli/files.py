"""Where programs read and write: files by name, ``-`` for stdin and stdout."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from nic.cli.command import about
from nic.errors import NicError, UsageError
from nic.stream import Record, read_records


@contextmanager
def reading(path: str) -> Iterator[BinaryIO]:
    """Open a file, or stdin for ``-``."""
    if path == "-":
        yield _open(sys.stdin, "closed").buffer
    else:
        with open(path, "rb") as file:
            yield file


@contextmanager
def skimming(path: str) -> Iterator[BinaryIO]:
    """Like ``reading``, but of an input that can seek nothing is read ahead."""
    with reading(path) as source:
        yield getattr(source, "raw", source) if source.seekable() else source


@contextmanager
def writing(path: str | None, force: bool = False) -> Iterator[BinaryIO]:
    """Open the output: a file that appears only once it is complete, or stdout.

    Args:
        path: a file name; ``-`` for stdout; None for stdout unless that is a terminal.
        force: replace an existing file.
    Raises: UsageError for a terminal, NicError for an existing file.
    """
    if path is None and _open(sys.stdout, "stdout: closed").isatty():
        raise UsageError("not writing binary data to a terminal; use -o FILE, or -o - to insist")
    if path is None or path == "-":
        out = _open(sys.stdout, "stdout: closed").buffer
        yield out
        out.flush()
        return
    target = Path(path)
    if target.exists() and not target.is_file():  # a device or a named pipe
        with target.open("wb") as device:
            yield device
        return
    if target.exists() and not force:
        raise NicError(f"{path} exists already; use -f to replace it")
    with _temporary(target) as file:
        yield file


@contextmanager
def _temporary(target: Path) -> Iterator[BinaryIO]:
    """A temporary file beside ``target``, renamed to it on success, removed on failure."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise NicError(f"{target}: cannot be created: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:  # an interrupt too must leave nothing behind
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _open(stream: TextIO | None, complaint: str) -> TextIO:
    """Return the stream. Raises NicError when the program was started without it."""
    if stream is None:
        raise NicError(complaint)
    return stream


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def for_each_record(paths: tuple[str, ...], act: Callable[[Record], None]) -> None:
    """Give every record of every input to ``act`` in turn; errors name the input."""
    for path in paths or ("-",):
        with about(path), reading(path) as source:
            for record in read_records(source):
                act(record)
