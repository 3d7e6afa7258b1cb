"""A quantizer without a model, and the latents of a record."""

from dataclasses import dataclass

import numpy as np

from nic.format.channels import latents


@dataclass
class Uniform:
    """A model of one gain per quality, the same for all channels."""

    predicted: tuple[int, ...] = (0, 1)
    channels: int = 5
    default_quality: float = 50.0
    codebook: tuple[int, int] = (-15, 16)
    has_excess: bool = False

    def gain(self, quality):
        return np.full(self.channels, quality, np.float32)

    def step(self, quality):
        return np.full(self.channels, 1 / quality, np.float32)


def values(record):
    """The latents (h, w, C) of a record."""
    return np.moveaxis(latents(record), 0, -1)
