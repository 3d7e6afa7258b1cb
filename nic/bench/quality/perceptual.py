"""A perceptual score: SSIMULACRA 2, as the package of that name computes it.

It was made for judging image codecs, and follows people's ratings of compressed pictures more
closely than MS-SSIM: 100 is equal, 90 takes flickering to tell apart, 50 is medium quality.
"""

import importlib.util
import io

from nic.types import Pixels

ABSENT = "SSIMULACRA 2: ssimulacra2 is not installed: pip install 'nic-codec[bench]'"


def is_installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("ssimulacra2") is not None


def ssimulacra2(reference: Pixels, decoded: Pixels) -> float:
    """Score of a decoded picture, both uint8 (H, W, 3); higher is better, at most 100."""
    from ssimulacra2 import compute_ssimulacra2

    return float(compute_ssimulacra2(_file(reference), _file(decoded)))


def _file(pixels: Pixels) -> io.BytesIO:
    """What the package reads: a picture file, here the one that is made soonest."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PPM")
    file.seek(0)
    return file
