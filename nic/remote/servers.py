"""Opening of URLs through fsspec, and what went wrong in one line.

fsspec knows http, https, and with further packages s3, gs, sftp and others. An HTTP server must
give ranges of bytes.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from nic.errors import NicError
from nic.remote.ranges import Fetch, Ranges

log = logging.getLogger("nic")

URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # no drive of Windows has two letters
TIMEOUT = 30  # seconds for a connection, and for each part of an answer
UNKNOWN = 1 << 62  # bytes of a file of unknown size; so fsspec does not ask for it
EXTRA = "install it: pip install 'nic-codec[remote]'"
NO_RANGES = "the server does not give ranges of bytes; download the whole file"


def is_url(name: str) -> bool:
    """Whether the name of an input is a URL."""
    return URL.match(name) is not None


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """Open a URL. Only the ranges that are read are fetched.

    Raises: NicError when fsspec or its package for this kind of URL is missing, or when the server
        cannot be reached, refuses, is too slow, or does not give ranges.
    """
    with Ranges(_told(_fetcher(url))) as source:
        yield cast(BinaryIO, source)
        log.info("%s: %d requests, %d bytes", url, source.requests, source.fetched)


def _fetcher(url: str) -> Fetch:
    """Fetches ranges of a URL through fsspec. Raises NicError when a package is missing."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise NicError(f"URLs need the package fsspec; {EXTRA}") from error
    settings = _http() if url.lower().startswith("http") else {}
    try:
        system, path = url_to_fs(url, **settings)
    except (ImportError, ValueError) as error:  # a missing package, an unknown protocol
        raise NicError(f"{error}") from error
    if "http" not in system.protocol:
        return lambda start, end: bytes(system.cat_file(path, start=start, end=end))
    file = system.open(path, size=UNKNOWN, cache_type="none")

    def fetch(start: int, end: int) -> bytes:
        file.seek(start)
        return bytes(file.read(end - start))

    return fetch


def _http() -> dict[str, Any]:
    """Settings of fsspec for HTTP. Raises NicError when aiohttp is missing."""
    try:
        from aiohttp import ClientTimeout
    except ImportError as error:
        raise NicError(f"URLs of HTTP need the package aiohttp; {EXTRA}") from error
    wait = ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=TIMEOUT)
    return {"client_kwargs": {"timeout": wait, "trust_env": True}, "skip_instance_cache": True}


def _told(fetch: Fetch) -> Fetch:
    """``fetch``, with NicError in place of what the packages raise."""
    failures = _failures()

    def told(start: int, end: int) -> bytes:
        try:
            return fetch(start, end)
        except TimeoutError as error:
            raise NicError(f"the server does not answer within {TIMEOUT} seconds") from error
        except FileNotFoundError as error:
            raise NicError("the server has no such file") from error
        except failures as error:
            raise NicError(_reason(error)) from error

    return told


def _failures() -> tuple[type[BaseException], ...]:
    """What fsspec raises for a failure, and aiohttp, if it is installed."""
    try:
        from aiohttp import ClientError
    except ImportError:
        return (OSError, ValueError)
    return (OSError, ValueError, ClientError)


def _reason(error: BaseException) -> str:
    """What an error means, in one line."""
    status, name = getattr(error, "status", None), type(error).__name__
    if status == 404:
        return "the server has no such file"
    if status is not None:
        return f"the server refuses: {status} {getattr(error, 'message', '')}"
    if name == "ClientPayloadError":
        return "the answer of the server ends too early"
    if isinstance(error, ValueError) and "range" in str(error):
        return NO_RANGES
    return f"the server cannot be read: {error}"
