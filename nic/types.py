"""Types and numbers that all packages share.

With ``nic.errors`` it is the lowest layer: every module may import it, and it imports none.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

STRIDE = 8  # pixels per latent, each way; fixed by the 8x8 DCT that the transform starts from
CODEBOOK = (-15, 16)  # least and greatest symbol of every model so far

Pixels: TypeAlias = NDArray[np.uint8]  # (H, W, 3) colour or (H, W) grey
Bytes: TypeAlias = NDArray[np.uint8]  # ranks, classes, or indices of tables
Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
