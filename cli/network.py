"""The codec that the network options ask for."""

from typing import Any

from nic.models.zoo import DEFAULT
from nic.pipeline import Codec


def codec(model: str = DEFAULT, backend: Any = "auto", device: str = "auto") -> Codec:
    """Build a codec from the values of ``--model``, ``--backend`` and ``--device``."""
    return Codec(model, backend, device)
