"""Facts about a record, for people and scripts; needs neither model nor network."""

from typing import Any

from nic.errors import ModelError
from nic.format.records import Record, size
from nic.models import zoo
from nic.picture.metadata import KINDS


def describe(record: Record) -> dict[str, Any]:
    """A JSON-ready table of what the record says of its picture and itself."""
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
        "alpha": len(record.alpha),
        "metadata": _metadata(record),
    }
    if header.index:
        payload = sum(channel.size for channel in header.index)
        facts["class_map"] = len(record.class_map)
        facts["excess"] = len(record.excess)
        beside = len(record.class_map) + len(record.excess) + len(record.alpha)
        facts["overhead"] = total - payload - beside - sum(facts["metadata"].values())
        facts["channel_index"] = [
            {"channel": c, "mode": channel.mode.name.lower(), "bytes": channel.size}
            for c, channel in enumerate(header.index)
        ]
    return facts


def _metadata(record: Record) -> dict[str, int]:
    """Bytes of the ancillary chunks, by what they are, or by letter."""
    sizes: dict[str, int] = {}
    for kind, payload in record.extra:
        name = KINDS.get(kind, kind.decode())
        sizes[name] = sizes.get(name, 0) + len(payload)
    return sizes


def _name(model_id: str) -> str:
    try:
        model = zoo.by_id(model_id)
    except ModelError:
        return "not installed"
    return f"{model.name}-{model.version}"
