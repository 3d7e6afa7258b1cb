"""The errors that a user can cause, and the exit code of each in the programs."""

from typing import ClassVar, Self


class NicError(Exception):
    """Root of all errors of nic; raised itself for a failure to read or write, or a limit."""

    exit_code: ClassVar[int] = 1


class UsageError(NicError):
    """Wrong options, or an intact input of the wrong kind for this program."""

    exit_code = 2


class CorruptError(NicError):
    """Input that is damaged, truncated, or not of the expected kind."""

    exit_code = 3


class ChecksumError(CorruptError):
    """A chunk that fails its checksum; ``kind`` is the byte where its letter should be."""

    kind = b""

    @classmethod
    def of(cls, kind: bytes, further: str = "") -> Self:
        """The error of a chunk; ``further`` is text about its damage, for the end of the line."""
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
