"""Options that several programs share, each declared once in the module of its subject."""

from nic.cli.common.options.batches import inputs, keep, output_dir, suffix, workers
from nic.cli.common.options.files import (
    DECODED,
    STORED,
    WRITTEN,
    channel_list,
    depth,
    files,
    metadata,
    output,
    picture_format,
    scale,
    size,
    tolerate,
)
from nic.cli.common.options.networks import max_memory, max_pixels, model, network, threads
from nic.cli.common.options.rates import aim, alpha_quality, effort, rate

__all__ = [
    "DECODED",
    "STORED",
    "WRITTEN",
    "aim",
    "alpha_quality",
    "channel_list",
    "depth",
    "effort",
    "files",
    "inputs",
    "keep",
    "max_memory",
    "max_pixels",
    "metadata",
    "model",
    "network",
    "output",
    "output_dir",
    "picture_format",
    "rate",
    "scale",
    "size",
    "suffix",
    "threads",
    "tolerate",
    "workers",
]
