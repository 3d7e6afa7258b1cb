"""Facts about a record, for people and scripts; needs no network."""

from collections import Counter
from collections.abc import Iterator, Mapping
from os import SEEK_CUR
from typing import Any, BinaryIO

from nic.errors import CorruptError, ModelError
from nic.format.chunks import CRC_SIZE, DATA, KINDS, OPTIONAL, Stage, read_opening
from nic.format.header import Header
from nic.format.records import MAGIC, Record, data_size, read_head, size, what_instead
from nic.models import zoo

Facts = dict[str, Any]
FIELDS = {kind.letter: kind.field for kind in OPTIONAL}


def describe(record: Record) -> Facts:
    """Facts about the record and its picture, as a dict that ``json`` can write."""
    lengths = Counter({letter: len(getattr(record, field)) for letter, field in FIELDS.items()})
    for letter, payload in record.extra:
        lengths[letter] += len(payload)
    return _facts(record.stage, record.header, lengths, size(record))


def outlines(source: BinaryIO) -> Iterator[Facts]:
    """Yield the facts about each record of a source that can seek, as ``describe`` gives them.

    Only the headers of records and the starts of chunks are read; the payloads are not verified.

    Raises: as ``nic.format.records.read_records``.
    """
    start = source.tell()
    magic = source.read(len(MAGIC))
    if not magic:
        raise CorruptError(what_instead(magic))
    while magic:
        stage, header = read_head(source, magic)
        lengths: Counter[bytes] = Counter()
        while (opening := read_opening(source)) is not None:
            lengths[opening.kind] += opening.length
            source.seek(opening.length + CRC_SIZE, SEEK_CUR)
        if lengths[DATA] != (due := data_size(stage, header)):
            raise CorruptError(f"{lengths[DATA]} bytes of data where the header says {due}")
        yield _facts(stage, header, lengths, source.tell() - start)
        start = source.tell()
        magic = source.read(len(MAGIC))


def _facts(stage: Stage, header: Header, lengths: Mapping[bytes, int], total: int) -> Facts:
    """Facts about a record, given the bytes of its chunks' payloads, and of all of it."""
    facts: Facts = {
        "stage": stage.name.lower(),
        "width": header.width,
        "height": header.height,
        "strip": list(header.strip) if header.strip else [],
        "colour": header.colour.name.lower(),
        "bit_depth": header.bit_depth,
        "model": header.model_name or _name(header.model),
        "model_hash": header.model,
        "quality": header.quality,
        "channels": header.channels,
        "latent_shape": list(header.latent_shape),
        "codebook": list(header.codebook),
        "bytes": total,
        "bpp": round(8 * total / (header.width * header.height), 4),
        "name": header.name,
        "history": list(header.history),
        "metadata": _metadata(lengths),
    }
    here = {kind.field: lengths.get(kind.letter, 0) for kind in OPTIONAL if stage in kind.stages}
    facts |= here
    if header.index:
        payload = sum(channel.size for channel in header.index)
        beside = sum(here.values()) + sum(facts["metadata"].values())
        facts["overhead"] = total - payload - beside
        facts["channel_index"] = [
            {"channel": c, "mode": channel.mode.name.lower(), "bytes": channel.size}
            for c, channel in enumerate(header.index)
        ]
    return facts


def _metadata(lengths: Mapping[bytes, int]) -> dict[str, int]:
    """Bytes of the ancillary chunks, by name, or by letter when the kind is unknown."""
    return {
        KINDS[letter].name if letter in KINDS else letter.decode(): length
        for letter, length in lengths.items()
        if letter.islower()
    }


def _name(model_id: str) -> str:
    try:
        model = zoo.by_id(model_id)
    except ModelError:
        return "not installed"
    return f"{model.name}-{model.version}"
