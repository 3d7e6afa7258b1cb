"""Records as bytes, and small ones that need no network."""

import io

import numpy as np

from nic.format.header import Colour, Header
from nic.format.records import Record, Stage, read_records, write_record
from nic.models import zoo

CHANNELS = zoo.by_name().channels  # of the default model


def to_bytes(*records):
    """The records as one stream."""
    out = io.BytesIO()
    for record in records:
        write_record(out, record)
    return out.getvalue()


def from_bytes(data):
    """The only record of a stream."""
    (record,) = read_records(io.BytesIO(data))
    return record


def reread(record):
    """The record after writing and reading it."""
    return from_bytes(to_bytes(record))


def header(width, height, model="0" * 8, **fields):
    """A header of a colour picture; without a model, of one that nobody has installed."""
    defaults = {"latent_channels": CHANNELS, "channels": fields.get("latent_channels", CHANNELS)}
    return Header(width, height, Colour.RGB, model, **(defaults | fields))


def symbols(planes, **fields):
    """A record of symbols from int (channels, h, w)."""
    channels, h, w = planes.shape
    head = header(8 * w, 8 * h, channels=channels, **fields)
    return Record(Stage.SYMBOLS, head, planes.astype(np.int8).tobytes())


def latents(values, **fields):
    """A record of latents from float (h, w, C)."""
    h, w, channels = values.shape
    head = header(8 * w, 8 * h, latent_channels=channels, **fields)
    return Record(Stage.LATENTS, head, np.moveaxis(values, -1, 0).astype("<f4").tobytes())


def planes(record):
    """The planes int8 (channels, h, w) of a record of symbols."""
    h, w, _ = record.header.latent_shape
    return np.frombuffer(record.data, np.int8).reshape(-1, h, w)
