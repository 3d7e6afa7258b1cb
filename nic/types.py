"""Plain types and numbers that every room shares; beside ``nic.errors`` the lowest layer.

Networks and stages, programs and training may all import this module, and it imports none of
them.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

STRIDE = 8  # pixels per latent, each way; fixed by the 8x8 DCT that the transform starts from
CODEBOOK = (-15, 16)  # least and greatest symbol of every model so far

Pixels: TypeAlias = NDArray[np.uint8]  # (H, W, 3) colour or (H, W) grey
Bytes: TypeAlias = NDArray[np.uint8]  # ranks, classes, or tables by number
Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
