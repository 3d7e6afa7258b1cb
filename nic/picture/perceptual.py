"""A perceptual score: SSIMULACRA 2, as the package of that name computes it.

It was made for image codecs, and agrees with people's ratings of compressed pictures better than
MS-SSIM. 100 means equal; at 90 a difference is only visible when the pictures alternate in place;
50 is medium quality.
"""

import importlib.util
import io

from nic.types import Pixels

ABSENT = "SSIMULACRA 2: ssimulacra2 is not installed: pip install 'nic-codec[bench]'"


def is_installed() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec("ssimulacra2") is not None


def ssimulacra2(reference: Pixels, decoded: Pixels) -> float:
    """Score of a decoded picture, at most 100; both pictures are uint8 (H, W, 3)."""
    from ssimulacra2 import compute_ssimulacra2

    return float(compute_ssimulacra2(_file(reference), _file(decoded)))


def _file(pixels: Pixels) -> io.BytesIO:
    """A picture file for the package: PPM, because it is written fastest."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PPM")
    file.seek(0)
    return file
