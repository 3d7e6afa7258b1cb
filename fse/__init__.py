"""Entropy coder: finite state entropy (tANS) over bytes, with tables, headers and contexts.

This package is the Python interface of the C coder. fse.h describes the format and derives the
arithmetic.
"""

from .classes import choose_classes, class_costs
from .payload import (
    MAX_TABLES,
    Bank,
    decode,
    decode_ramp,
    encode,
    encode_ramp,
)
from .planes import (
    Context,
    Layout,
    PlaneError,
    decode_planes,
    encode_planes,
    energy_contexts,
    histograms,
)
from .reference import Coded, Kind, compress, decompress
from .result import CorruptStream, FseError
from .table import DEFAULT_LOG, MAX_LOG, MIN_LOG, Table, best_parameter

__all__ = [
    "DEFAULT_LOG",
    "MAX_LOG",
    "MAX_TABLES",
    "MIN_LOG",
    "Bank",
    "Coded",
    "Context",
    "CorruptStream",
    "FseError",
    "Kind",
    "Layout",
    "PlaneError",
    "Table",
    "best_parameter",
    "choose_classes",
    "class_costs",
    "compress",
    "decode",
    "decode_planes",
    "decode_ramp",
    "decompress",
    "encode",
    "encode_planes",
    "encode_ramp",
    "energy_contexts",
    "histograms",
]
