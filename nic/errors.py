"""The errors that a user can cause, each with the exit code that the programs give it."""

from typing import ClassVar, Self


class NicError(Exception):
    """Root of all; on its own, a failure to read or write."""

    exit_code: ClassVar[int] = 1


class UsageError(NicError):
    """An intact input for another program, or options that contradict each other."""

    exit_code = 2


class CorruptError(NicError):
    """Input that is damaged, truncated, or not of the expected kind."""

    exit_code = 3


class ChecksumError(CorruptError):
    """A chunk that its checksum does not fit; ``kind`` is its letter, or what stands there."""

    kind = b""

    @classmethod
    def of(cls, kind: bytes, further: str = "") -> Self:
        """The error of a chunk, with what ``further`` is known of the damage."""
        name = f"chunk {kind.decode()}" if kind.isalpha() else "a chunk"
        error = cls(f"{name} fails its checksum{further}")
        error.kind = kind
        return error


class ModelError(NicError):
    """A model that is missing, untrained, or not the one that wrote the stream."""

    exit_code = 4


class VersionError(NicError):
    """A stream with a version or a critical chunk that this program does not know."""

    exit_code = 5


class PartialError(NicError):
    """A damaged file; its intact part was decoded and written (--tolerate)."""

    exit_code = 6
