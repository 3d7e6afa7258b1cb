"""Entropy coder: finite state entropy (tANS) over bytes, with tables, headers and contexts.

fse.h draws the format and derives the arithmetic; this package is its Python face.
"""

from .errors import CorruptStream, FseError
from .payload import (
    MAX_TABLES,
    Bank,
    causal_plane,
    decode,
    decode_causal,
    decode_ctx,
    encode,
    encode_ctx,
)
from .stream import Coded, Kind, compress, decompress
from .table import DEFAULT_LOG, MAX_LOG, MIN_LOG, Table

__all__ = [
    "DEFAULT_LOG",
    "MAX_LOG",
    "MAX_TABLES",
    "MIN_LOG",
    "Bank",
    "Coded",
    "CorruptStream",
    "FseError",
    "Kind",
    "Table",
    "causal_plane",
    "compress",
    "decode",
    "decode_causal",
    "decode_ctx",
    "decompress",
    "encode",
    "encode_ctx",
]
