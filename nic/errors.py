"""The errors that a user can cause, each with the exit code that the programs give it."""

from typing import ClassVar


class NicError(Exception):
    """Root of all; on its own, a failure to read or write."""

    exit_code: ClassVar[int] = 1


class UsageError(NicError):
    """A sound input given to the wrong tool, or options that contradict each other."""

    exit_code = 2


class CorruptError(NicError):
    """Input that is damaged, truncated, or not of the expected kind."""

    exit_code = 3


class ModelError(NicError):
    """A model that is missing, untrained, or not the one that wrote the stream."""

    exit_code = 4


class VersionError(NicError):
    """A stream of a version, or with a critical chunk, that this program does not know."""

    exit_code = 5


class PartialError(NicError):
    """A damaged file of which the intact part was decoded, and written (--tolerate)."""

    exit_code = 6
