"""Coded records to packed ones and back: the same payloads under a compact header."""

from dataclasses import replace

from nic.format.records import Record, Stage


def pack(record: Record) -> Record:
    """A packed record: drops what only matters between stages (name and history)."""
    header = replace(record.header, name=None, history=(), model_name=None)
    return replace(record, stage=Stage.PACKED, header=header)


def unpack(record: Record) -> Record:
    """Inverse of ``pack``, but for the name and history."""
    return replace(record, stage=Stage.CODED)
