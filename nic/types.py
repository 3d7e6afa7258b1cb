"""Types and numbers that all packages share.

With ``nic.errors`` it is the lowest layer: every module may import it, and it imports none.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

STRIDE = 8  # pixels per latent, each way; fixed by the 8x8 DCT that the transform starts from
CODEBOOK = (-15, 16)  # least and greatest symbol of every model so far

Depth: TypeAlias = Literal[8, 16]  # bits per sample
Pixels: TypeAlias = NDArray[np.uint8 | np.uint16]  # (H, W, 3) colour or (H, W) grey
Bytes: TypeAlias = NDArray[np.uint8]  # ranks, classes, or indices of tables
Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]


def peak(pixels: Pixels) -> int:
    """The sample of white, or of opaque alpha: 255 or 65535."""
    return int(np.iinfo(pixels.dtype).max)


def depth_of(pixels: Pixels) -> Depth:
    """Bits per sample: 8 or 16."""
    return 8 if pixels.dtype == np.uint8 else 16


def kind_of(depth: int) -> type[np.uint8 | np.uint16]:
    """The type of samples of ``depth`` bits, 8 or 16."""
    return np.uint8 if depth == 8 else np.uint16
