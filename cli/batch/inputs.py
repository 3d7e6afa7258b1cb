"""Inputs: the files that a call names, and the output of each."""

import errno
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nic.cli.common.command import name_of
from nic.cli.common.files import reading
from nic.errors import NicError, UsageError
from nic.picture.formats import ALIASES, FORMATS

log = logging.getLogger("nic")

# The extensions that --recursive takes for pictures. GIF is not one, because only its first frame
# would be coded. NumPy arrays are written but not read.
PICTURES = frozenset(
    (
        *FORMATS,
        *ALIASES,
        "jpe",
        "jfif",
        "dib",
        "pbm",
        "jp2",
        "j2k",
        "avif",
        "tga",
        "heic",
        "heif",
        "hif",
        "jxl",
    )
) - {"npy"}
STREAMS = frozenset(("nic",))


@dataclass(frozen=True)
class Job:
    """One file and its output.

    Attributes:
        source: the input; ``-`` for stdin.
        target: the output; None for stdout.
        error: why the input cannot be handled; the job only reports it.
    """

    source: str
    target: str | None = None
    error: NicError | None = None


@dataclass(frozen=True)
class Inputs:
    """The operands and options that name the files, as the user gave them.

    Attributes:
        files: operands; ``-`` is stdin. Without operands and list, stdin is read too.
        extensions: extensions of the files to take from folders, in lower case.
        suffix: extension of the outputs; it replaces the extension of the source.
        added: what is added to the whole name of the source instead.
    """

    files: tuple[str, ...]
    extensions: frozenset[str]
    suffix: str
    output: str | None = None
    output_dir: str | None = None
    recursive: bool = False
    filelist: str | None = None
    null: bool = False
    skip_existing: bool = False
    added: str | None = None

    def jobs(self) -> list[Job]:
        """The jobs, in the order of the operands; the files of a folder are sorted.

        Raises: UsageError when the options contradict each other or two inputs have the same
            output, OSError when the list of files cannot be read.
        """
        listed = None if self.filelist is None else list(_listed(self.filelist, self.null))
        operands = [*self.files, *(listed or ())]
        sources = operands if operands or listed is not None else ["-"]
        if self.output is not None and (len(sources) != 1 or self.output_dir is not None):
            raise UsageError("-o names one output: give one FILE and no --output-dir")
        if "-" in self.files and self.filelist == "-":
            raise UsageError("stdin cannot be the list of files and a file too")
        jobs = [job for source in sources for job in self._jobs_of(source)]
        self._refuse_shared_targets(jobs)
        return jobs

    def _jobs_of(self, source: str) -> Iterator[Job]:
        if not source:
            yield Job(source, error=NicError(os.strerror(errno.ENOENT)))
        elif source == "-" or not os.path.isdir(source):
            yield Job(source, self.output or self._target(source, os.path.basename(source)))
        elif not self.recursive:
            yield Job(source, error=UsageError("is a directory; use -r"))
        elif self.output is not None:
            raise UsageError("-o names one output: give --output-dir with a directory")
        else:
            yield from self._jobs_in(source)

    def _jobs_in(self, folder: str) -> Iterator[Job]:
        count = 0
        for path, error in _walk(folder, self.extensions):
            count += 1
            yield Job(path, self._target(path, os.path.relpath(path, folder)), error)
        if not count:
            log.warning("note: %s: no files with a known extension", folder)

    def _target(self, source: str, inside: str) -> str | None:
        """The output of a file; ``inside`` is its path within the output folder."""
        if source == "-":
            return None
        base = Path(source) if self.output_dir is None else Path(self.output_dir, inside)
        if self.added is not None:
            return f"{base}{self.added}"
        return str(base.with_suffix(f".{self.suffix}"))

    def _refuse_shared_targets(self, jobs: Iterable[Job]) -> None:
        seen: set[str] = set()
        for job in jobs:
            if job.target is None or job.error is not None:
                continue
            target = os.path.normpath(job.target)
            if target in seen:
                advice = "" if self.added or self.suffix != "nic" else "; see --suffix"
                raise UsageError(f"several inputs would be written to {job.target}{advice}")
            seen.add(target)


def without_existing(jobs: list[Job]) -> list[Job]:
    """The jobs whose output does not exist yet."""
    left = [job for job in jobs if job.target in (None, "-") or not os.path.isfile(job.target)]
    if len(left) < len(jobs):
        log.info("skipped %d of %d: their outputs exist", len(jobs) - len(left), len(jobs))
    return left


def absolute(job: Job) -> Job:
    """The job with absolute paths, for a process with another working folder."""
    target = None if job.target is None else os.path.abspath(job.target)
    return replace(job, source=os.path.abspath(job.source), target=target)


def _walk(folder: str, extensions: frozenset[str]) -> Iterator[tuple[str, NicError | None]]:
    """Yield the files with these extensions, sorted, and the folders that cannot be read.

    Links to folders are not followed. Pipes and devices are left out. A broken link is yielded,
    so that it is reported.
    """
    failed: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=failed.append):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)
            known = os.path.splitext(name)[1][1:].lower() in extensions
            if known and (os.path.isfile(path) or not os.path.exists(path)):
                yield path, None
    for error in failed:
        yield str(error.filename), NicError(error.strerror or str(error))


def _listed(path: str, null: bool) -> Iterator[str]:
    """Yield names from a file, one per line or each ended by a NUL byte.

    The name ``-`` in it means a file of that name, not stdin.

    Raises: UsageError for NUL bytes within lines.
    """
    with reading(path) as source:
        data = source.read()
    if b"\0" in data and not null:
        raise UsageError(f"{name_of(path)}: this list has NUL bytes; use -0 if they end the names")
    for name in data.split(b"\0" if null else b"\n"):
        if name:
            yield "./-" if name == b"-" else os.fsdecode(name)
