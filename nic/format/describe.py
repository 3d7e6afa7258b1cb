"""Facts about a record, for people and scripts; needs no network."""

from typing import Any

from nic.errors import ModelError
from nic.format.chunks import KINDS, OPTIONAL
from nic.format.records import Record, size
from nic.models import zoo


def describe(record: Record) -> dict[str, Any]:
    """Facts about the record and its picture, as a dict that ``json`` can write."""
    header = record.header
    total = size(record)
    facts: dict[str, Any] = {
        "stage": record.stage.name.lower(),
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
        "metadata": _metadata(record),
    }
    here = [kind.field for kind in OPTIONAL if record.stage in kind.stages]
    facts |= {name: len(getattr(record, name)) for name in here}
    if header.index:
        payload = sum(channel.size for channel in header.index)
        beside = sum(facts[name] for name in here) + sum(facts["metadata"].values())
        facts["overhead"] = total - payload - beside
        facts["channel_index"] = [
            {"channel": c, "mode": channel.mode.name.lower(), "bytes": channel.size}
            for c, channel in enumerate(header.index)
        ]
    return facts


def _metadata(record: Record) -> dict[str, int]:
    """Bytes of the ancillary chunks, by name, or by letter when the kind is unknown."""
    sizes: dict[str, int] = {}
    for letter, payload in record.extra:
        name = KINDS[letter].name if letter in KINDS else letter.decode()
        sizes[name] = sizes.get(name, 0) + len(payload)
    return sizes


def _name(model_id: str) -> str:
    try:
        model = zoo.by_id(model_id)
    except ModelError:
        return "not installed"
    return f"{model.name}-{model.version}"
