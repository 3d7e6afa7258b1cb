"""A perceptual score: SSIMULACRA 2, as the package of that name computes it.

It was made for image codecs, and agrees with people's ratings of compressed pictures better than
MS-SSIM. 100 means equal; at 90 a difference is only visible when the pictures alternate in place;
50 is medium quality.
"""

import importlib.util
import io

from nic.errors import UsageError
from nic.picture.pixels import with_depth
from nic.types import Pixels

LEAST_SIDE = 8  # pixels; the package has no map for a smaller picture and calls every one equal
ABSENT = "SSIMULACRA 2: ssimulacra2 is not installed: pip install 'nic-codec[ssimulacra2]'"


def is_installed() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec("ssimulacra2") is not None


def require() -> None:
    """Raises UsageError, with the command that installs the package, if it is not installed."""
    if not is_installed():
        raise UsageError(ABSENT)


def ssimulacra2(reference: Pixels, decoded: Pixels) -> float:
    """Score of a decoded picture, at most 100; a very poor picture has a negative score.

    The package needs some 520 bytes of memory per pixel.

    Args: reference, decoded: (H, W, 3) or (H, W), with sides of ``LEAST_SIDE`` or more. Samples
        of 16 bits are rounded to 8, which is what the package takes.
    Raises: UsageError when the package is not installed.
    """
    require()
    from ssimulacra2 import compute_ssimulacra2

    return float(compute_ssimulacra2(_file(reference), _file(decoded)))


def _file(pixels: Pixels) -> io.BytesIO:
    """A picture file for the package: PPM, because it is written fastest."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(with_depth(pixels, 8)).save(file, "PPM")
    file.seek(0)
    return file
