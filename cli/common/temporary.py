"""Temporary files beside an output, so that the output appears only when it is complete."""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from nic.cli.common.interrupts import unfinished
from nic.errors import NicError
from nic.processes.interrupts import uninterrupted

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]


FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
SURELY_SHORT = 100  # bytes of a name that no file system refuses
TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}\.tmp", re.DOTALL)  # names that _create gives


def refuse(path: str | None, force: bool) -> None:
    """Raises NicError when the output is an existing file, unless ``force`` is given."""
    if path is not None and path != "-" and Path(path).is_file() and not force:
        raise NicError(f"{path} exists already; use -f to replace it")


@contextmanager
def temporary(target: Path, force: bool, like: os.stat_result | None = None) -> Iterator[BinaryIO]:
    """A temporary file beside ``target``: renamed to it on success, removed on failure.

    The target gets the mode and the modification time of ``like``, or those of a new file.
    It is locked until the end, even after it is closed. So ``remove_stale`` can tell it from the
    files of killed processes: their locks are gone, on whichever machine they ran.
    """
    try:
        handle, name = _create(target)
    except OSError as error:
        raise NicError(f"{target}: cannot be created: {error.strerror}") from error
    try:
        with open(os.dup(handle), "rb"):  # keeps the lock after the file is closed
            with open(handle, "wb") as file:
                yield file
            _describe(name, like)
            _publish(name, target, force)
    finally:
        _remove(name)


def _create(target: Path) -> tuple[int, str]:
    """Create a temporary file, locked and listed in ``unfinished``; its descriptor and name.

    Raises: OSError.
    """
    while True:
        with uninterrupted():
            handle, name = _made(target)
            unfinished.add(name)
        _lock(handle, wait=True)
        with suppress(FileNotFoundError):  # remove_stale removed it before it was locked
            if os.path.samestat(os.stat(name), os.fstat(handle)):
                return handle, name
        os.close(handle)
        unfinished.discard(name)


def _made(target: Path) -> tuple[int, str]:
    """A new temporary file; its descriptor and name. Raises OSError."""
    try:
        return _new(target.parent, target.name)
    except OSError as error:  # the name with its additions may be longer than a file's name can be
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _new(target.parent, _short(target.name))


def _new(folder: Path, name: str) -> tuple[int, str]:
    """As tempfile.mkstemp, whose module takes longer to load than the rest of this takes."""
    while True:
        path = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.tmp")
        with suppress(FileExistsError):
            return os.open(path, FLAGS, 0o600), path


def _short(name: str) -> str:
    """What stands for a long name in the name of its temporary file."""
    import hashlib  # takes time, and few names are long

    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


def _names(name: str) -> set[str]:
    """What may stand for a name in the names of its temporary files."""
    return {name, _short(name)} if len(os.fsencode(name)) > SURELY_SHORT else {name}


def _describe(name: str, like: os.stat_result | None) -> None:
    """Copy permissions and modification time from ``like``, or set those of a new file."""
    if like is None:
        os.chmod(name, 0o666 & ~_umask())
    else:
        os.chmod(name, like.st_mode & 0o777)
        os.utime(name, ns=(like.st_atime_ns, like.st_mtime_ns))


def _remove(name: str) -> None:
    """Remove a temporary file of this process, unless it has been renamed."""
    with uninterrupted():
        with suppress(FileNotFoundError):
            os.unlink(name)
        unfinished.discard(name)


def _lock(handle: int, wait: bool) -> bool:
    """Lock a file for as long as this process keeps it open; return whether that worked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # another process holds the lock, or the file system has none
        return False
    return True


def _publish(name: str, target: Path, force: bool) -> None:
    """Give a complete file its name; replace an existing file only with ``force``."""
    if not force:
        try:
            os.link(name, target)
        except FileExistsError:
            raise NicError(f"{target} exists already; use -f to replace it") from None
        except OSError:  # a file system without hard links: check again, and rename
            refuse(str(target), force)
        else:
            return
    os.replace(name, target)


def remove_stale(targets: Iterable[str]) -> int:
    """Remove temporary files that killed processes left beside these outputs; return how many."""
    folders: dict[str, set[str]] = {}
    for target in targets:
        folder, name = os.path.split(target)
        folders.setdefault(folder or ".", set()).update(_names(name))
    every = (_temporaries(folder, names) for folder, names in folders.items())
    return sum(map(_remove_if_unlocked, chain.from_iterable(every)))


def wait_for_others(target: str) -> None:
    """Wait until no other process that is alive writes ``target``."""
    folder, name = os.path.split(target)
    for path in _temporaries(folder or ".", _names(name)):
        with suppress(OSError):  # it may be gone by now
            handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                _lock(handle, wait=True)
            finally:
                os.close(handle)


def _temporaries(folder: str, names: set[str]) -> list[str]:
    """Paths of the temporary files in a folder that belong to outputs of these names."""
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if _is_temporary(entry.name, names)]
    except OSError:  # if something is wrong with the folder, writing into it will report it
        return []


def _is_temporary(name: str, names: set[str]) -> bool:
    match = TEMPORARY.fullmatch(name)
    return match is not None and match[1] in names


def _remove_if_unlocked(path: str) -> bool:
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            if _lock(handle, wait=False):
                os.unlink(path)
                return True
        finally:
            os.close(handle)
    return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
