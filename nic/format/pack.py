"""Coded records to packed records and back: the same payloads with a compact header."""

from dataclasses import replace

from nic.format.records import Record, Stage


def pack(record: Record) -> Record:
    """A packed record, without model name, name and history, which only serve between stages."""
    header = replace(record.header, name=None, history=(), model_name=None)
    return replace(record, stage=Stage.PACKED, header=header)


def unpack(record: Record) -> Record:
    """Inverse of ``pack``, except for the dropped names and history."""
    return replace(record, stage=Stage.CODED)
