"""Inputs and outputs of programs: files by name, and ``-`` for stdin and stdout."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from nic.cli.common.command import FULL, about
from nic.cli.common.temporary import refuse, temporary
from nic.errors import NicError, UsageError
from nic.format.records import Record, read_records
from nic.remote.servers import is_url, opened


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
    """Like ``reading``, but without buffering of an input that can seek; also opens a URL."""
    with opened(path) if is_url(path) else reading(path) as source:
        yield getattr(source, "raw", source) if source.seekable() else source


@contextmanager
def writing(
    path: str | None, force: bool = False, like: os.stat_result | None = None
) -> Iterator[BinaryIO]:
    """Open the output: stdout, or a file that appears only when it is complete.

    Args:
        path: a file name; ``-`` for stdout; None for stdout, but not if it is a terminal.
        force: replace an existing file.
        like: what a new file takes its mode and modification time from.
    Raises: UsageError for a terminal, NicError for an existing file.
    """
    if path is None and _open(sys.stdout, "stdout: closed").isatty():
        raise UsageError("not writing binary data to a terminal; use -o FILE, or -o - to insist")
    if path is None or path == "-":
        out = _open(sys.stdout, "stdout: closed").buffer
        with _naming("stdout"):
            yield out
            out.flush()
        return
    refuse(path, force)
    with _naming(path), _opened(path, force, like) as file:
        yield file


@contextmanager
def _naming(output: str) -> Iterator[None]:
    """Add the name of the output to errors of a full disk, which do not name a file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in FULL:
            error.filename = output
        raise


@contextmanager
def _opened(path: str, force: bool, like: os.stat_result | None) -> Iterator[BinaryIO]:
    target = Path(path)
    if target.exists() and not target.is_file():  # a device or a named pipe
        with target.open("wb") as device:
            yield device
        return
    with temporary(target, force, like) as file:
        yield file


def _open(stream: TextIO | None, complaint: str) -> TextIO:
    """Return a standard stream. Raises NicError when the program was started without it."""
    if stream is None:
        raise NicError(complaint)
    return stream


def for_each_record(paths: tuple[str, ...], act: Callable[[Record], None]) -> None:
    """Call ``act`` for every record of every input in turn; errors name the input."""
    for path in paths or ("-",):
        with about(path), reading(path) as source:
            for record in read_records(source):
                act(record)
