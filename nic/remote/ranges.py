"""A file that is fetched in ranges, as it is read."""

import io
from collections.abc import Callable
from os import SEEK_CUR, SEEK_SET
from typing import BinaryIO

FIRST = 4096  # bytes of the first request: header, index and the start of the chunks
LEAST = 1024  # bytes of any other request
PIECE = 1 << 24  # bytes per request when the rest is read whole

Fetch = Callable[[int, int], bytes]  # bytes from a start to an end; fewer at the end of the file


class Ranges(io.RawIOBase):
    """A readable file that can seek; ``fetch`` gives its ranges.

    The last range is kept, and so are all bytes that were read without a jump before it. So small
    reads are no requests of their own. The size of the file is unknown until a range comes short.

    Attributes:
        requests, fetched: how many ranges were asked for, and their bytes in all.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kept, self._start = bytearray(), 0  # bytes of the file, and where they begin
        self._at = self._ahead = self.requests = self.fetched = 0
        self._size: int | None = None

    def expect(self, count: int) -> None:
        """Say how many bytes will be read behind the next ones, so that one request has both."""
        self._ahead = count

    def readable(self) -> bool:
        """See ``io.IOBase``."""
        return True

    def seekable(self) -> bool:
        """See ``io.IOBase``."""
        return True

    def tell(self) -> int:
        """See ``io.IOBase``."""
        return self._at

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Move to a place, from the start or from here; see ``io.IOBase``."""
        if whence not in (SEEK_SET, SEEK_CUR):
            raise io.UnsupportedOperation("the size is not known")
        self._at = offset + (self._at if whence == SEEK_CUR else 0)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """The next ``size`` bytes, or all; fewer only at the end of the file."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(PIECE), b""))
        if not self._start <= self._at <= self._start + len(self._kept):
            self._kept, self._start = bytearray(), self._at
        end = self._start + len(self._kept)
        if (missing := self._at + size - end) > 0 and (self._size is None or end < self._size):
            self._extend(end, missing)
        data = bytes(self._kept[self._at - self._start :][:size])
        self._at += len(data)
        return data

    def _extend(self, end: int, missing: int) -> None:
        """Fetch the bytes behind the kept ones."""
        count = max(missing + self._ahead, LEAST if self.requests else FIRST)
        found = self._fetch(end, end + count)
        self.requests, self.fetched = self.requests + 1, self.fetched + len(found)
        self._kept += found
        if len(found) < count:
            self._size = end + len(found)


def expect(source: BinaryIO, count: int) -> None:
    """Tell a remote file that ``count`` bytes will be read behind the next ones."""
    if isinstance(source, Ranges):
        source.expect(count)
