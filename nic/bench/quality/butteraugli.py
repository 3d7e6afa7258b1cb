"""A second perceptual measure: Butteraugli, by the program that comes with libjxl.

A codec can be tuned for one measure without looking better. A gain in two measures is more likely
to be visible. The result is the 3-norm of the map of differences, which counts the whole picture.
The program also prints the maximum, which is only the distance at the worst spot.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from nic.errors import NicError
from nic.picture.pixels import with_depth
from nic.types import Pixels

PROGRAM = "butteraugli_main"
ABSENT = (
    f"Butteraugli: {PROGRAM}, a program of libjxl, is not installed: on Debian, "
    "apt install libjxl-devtools"
)
NORM = re.compile(r"^3-norm: (\S+)$", re.MULTILINE)


def is_installed() -> bool:
    """Whether the program is installed."""
    return shutil.which(PROGRAM) is not None


def butteraugli(reference: Pixels, decoded: Pixels) -> float:
    """Distance of a decoded picture, both (H, W, 3); lower is better, 0 is equal.

    Samples of 16 bits are rounded to 8.

    Raises: NicError when the program fails.
    """
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("reference.ppm", "decoded.ppm")]
        for path, pixels in zip(paths, (reference, decoded), strict=True):
            Image.fromarray(with_depth(pixels, 8)).save(path)
        done = subprocess.run([PROGRAM, *paths], capture_output=True, text=True)
    found = NORM.search(done.stdout)
    if done.returncode or found is None:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NicError(f"{PROGRAM} failed: {''.join(lines[-1:])}")
    return float(found[1])
