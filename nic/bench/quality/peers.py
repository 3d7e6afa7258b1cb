"""Other codecs to compare with, each with its best settings.

All get 8 bits per sample, and all code 4:4:4 except WebP, whose format has only 4:2:0. HEVC is
tuned for fidelity; with x265's defaults it loses half a decibel of PSNR or more. AVIF has two
settings, because neither is better in all metrics.
"""

import importlib.util
import io
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from nic.bench.codecs import Coder
from nic.errors import NicError, UsageError
from nic.picture.pixels import with_depth
from nic.resources import cores
from nic.types import Pixels

# The errors that the libraries raise for a picture that they cannot code.
REFUSALS = (OSError, ValueError, RuntimeError, MemoryError)
EXTRA = "pip install 'nic-codec[bench]'"


class Missing(UsageError):
    """A peer that is not installed; the message says how to install it."""


def jpeg() -> Coder:
    """Baseline JPEG with optimised Huffman tables, as Pillow writes it."""
    library = "libjpeg-turbo" if _feature("libjpeg_turbo") else "libjpeg"
    version = _feature("libjpeg_turbo") or _feature("jpg")
    levels = (10, 18, 32, 55, 78, 90)
    return _pillow(
        "jpeg", "JPEG 4:4:4", f"{library} {version}", "quality", levels, "JPEG",
        lambda quality: {"quality": int(quality), "subsampling": "4:4:4", "optimize": True},
    )  # fmt: skip


def jpeg2000() -> Coder:
    """JPEG 2000 with the 9-7 wavelet, each picture at a fixed rate."""
    version = _required("jpg_2000", "JPEG 2000")
    levels = (160, 90, 50, 29, 17, 10)
    return _pillow(
        "jpeg2000", "JPEG 2000 4:4:4", f"OpenJPEG {version}", "ratio", levels, "JPEG2000",
        lambda ratio: {
            "irreversible": True, "mct": 1, "quality_mode": "rates", "quality_layers": [ratio],
        },
    )  # fmt: skip


def webp() -> Coder:
    """Lossy WebP at its slowest method."""
    version = _required("webp", "WebP")
    levels = (1, 10, 28, 50, 75, 90)
    return _pillow(
        "webp", "WebP 4:2:0, method 6", f"libwebp {version}", "quality", levels, "WEBP",
        lambda quality: {"quality": int(quality), "method": 6},
    )  # fmt: skip


def avif(tune: str) -> Coder:
    """AVIF by libaom, tuned for the eye (iq) or for fidelity (ssim).

    Since 1.4.0, iq is libavif's default for still pictures. In PSNR, ssim is as good as psnr; in
    MS-SSIM, it is better than psnr.
    """
    version = f"libavif {_required('avif', 'AVIF')}, libaom {_aom_version()}"
    levels = (5, 18, 31, 44, 57, 70)
    coder = _pillow(
        f"avif-{tune}", f"AVIF 4:4:4, speed 6, tune={tune}", version, "quality", levels, "AVIF",
        lambda quality: {
            "quality": int(quality), "subsampling": "4:4:4", "speed": 6, "codec": "aom",
            "advanced": {"tune": tune},
        },
    )  # fmt: skip
    try:
        coder.encode(np.zeros((16, 16, 3), np.uint8), 50)
    except REFUSALS as error:
        upgrade = "pip install --upgrade pillow"
        raise Missing(f"AVIF: this Pillow's libaom refuses tune={tune}: {upgrade}") from error
    return coder


def jpegxl() -> Coder:
    """JPEG XL at libjxl's default effort."""
    import imagecodecs

    if not imagecodecs.JPEGXL.available:
        raise Missing(f"JPEG XL: this imagecodecs was built without it: {EXTRA}")

    def encode(pixels: Pixels, distance: float) -> bytes:
        settings: dict[str, Any] = {"distance": distance, "effort": 7, "numthreads": cores()}
        return bytes(imagecodecs.jpegxl_encode(pixels, **settings))

    def decode(data: bytes) -> Pixels:
        return np.asarray(imagecodecs.jpegxl_decode(data, numthreads=cores()), np.uint8)

    version = f"{imagecodecs.jpegxl_version()}, imagecodecs {metadata.version('imagecodecs')}"
    levels = (15, 9, 5.5, 3.2, 1.8, 1)
    return Coder("jpegxl", "JPEG XL 4:4:4, effort 7", version, "distance", levels, encode, decode)


def bpg() -> Coder:
    """BPG if its programs are installed; if not, HEVC intra, on which BPG is based."""
    levels = (46, 42, 37, 32, 27, 22)
    if shutil.which("bpgenc") and shutil.which("bpgdec"):
        version = _bpg_version()
        return Coder("bpg", "BPG 4:4:4", version, "QP", levels, _bpg_encode, _bpg_decode)
    if importlib.util.find_spec("pillow_heif") is None:
        raise Missing(f"BPG: neither bpgenc nor pillow-heif (HEVC intra) is installed: {EXTRA}")
    if not (version := _hevc_version()):
        raise Missing(f"BPG: this pillow-heif was built without an HEVC encoder: {EXTRA}")
    title = "HEVC intra 4:4:4 (for BPG)"
    return Coder("bpg", title, version, "QP", levels, _hevc_encode, _hevc_decode)


PEERS: dict[str, Callable[[], Coder]] = {
    "jpeg": jpeg,
    "jpeg2000": jpeg2000,
    "bpg": bpg,
    "webp": webp,
    "avif-iq": partial(avif, "iq"),
    "avif-ssim": partial(avif, "ssim"),
    "jpegxl": jpegxl,
}


def installed(names: tuple[str, ...]) -> tuple[list[Coder], list[str]]:
    """The installed peers of these names, and a line about each that is not installed.

    Their ``encode`` and ``decode`` raise NicError when the library cannot code a picture.
    """
    found, missing = [], []
    for name in names:
        try:
            found.append(_guarded(PEERS[name]()))
        except Missing as reason:
            missing.append(str(reason))
    return found, missing


def _guarded(coder: Coder) -> Coder:
    def encode(pixels: Pixels, level: float) -> bytes:
        return bytes(_call(coder.name, coder.encode, with_depth(pixels, 8), level))

    return replace(coder, encode=encode, decode=partial(_call, coder.name, coder.decode))


def _call(name: str, act: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return act(*arguments)
    except REFUSALS as error:
        raise NicError(f"{name}: {error}") from error


# -- through Pillow ---------------------------------------------------------------------------


def _pillow(
    name: str, title: str, version: str, parameter: str, levels: tuple[float, ...],
    file_format: str, settings: Callable[[float], dict[str, Any]],
) -> Coder:  # fmt: skip
    from PIL import Image

    def encode(pixels: Pixels, level: float) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, file_format, **settings(level))
        return file.getvalue()

    def decode(data: bytes) -> Pixels:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    version = f"{version}, Pillow {metadata.version('pillow')}"
    return Coder(name, title, version, parameter, levels, encode, decode)


def _feature(name: str) -> str | None:
    """Version of a library that Pillow was built with; None if it was built without."""
    from PIL import features

    return features.version(name) if features.check(name) else None


def _aom_version() -> str:
    from PIL import AvifImagePlugin

    return AvifImagePlugin.get_codec_version("aom") or "none"


def _required(feature: str, title: str) -> str:
    if (version := _feature(feature)) is None:
        raise Missing(f"{title}: this Pillow was built without it: pip install --upgrade pillow")
    return version


# -- HEVC and BPG -----------------------------------------------------------------------------

# As BPG's encoder: constant QP, no psycho-visual choices, no adaptive quantization.
X265 = {"tune": "psnr", "x265:psy-rd": "0", "x265:psy-rdoq": "0", "x265:aq-mode": "0"}


def _hevc_version() -> str:
    """Versions of the HEVC encoder and of libheif; empty without an encoder."""
    import pillow_heif

    facts = pillow_heif.libheif_info()
    return f"{facts['HEIF']}, libheif {facts['libheif']}" if facts["HEIF"] else ""


def _hevc_encode(pixels: Pixels, qp: float) -> bytes:
    import pillow_heif
    from PIL import Image

    file = io.BytesIO()
    picture = pillow_heif.from_pillow(Image.fromarray(pixels))
    picture.save(file, chroma=444, enc_params={**X265, "x265:qp": str(int(qp))})
    return file.getvalue()


def _hevc_decode(data: bytes) -> Pixels:
    import pillow_heif

    return np.asarray(pillow_heif.read_heif(io.BytesIO(data)).to_pillow().convert("RGB"))


def _bpg_version() -> str:
    usage = subprocess.run(["bpgenc"], capture_output=True, text=True)
    found = re.search(r"version (\S+)", usage.stdout + usage.stderr)
    return f"bpgenc {found[1]}" if found else "bpgenc"


def _bpg_encode(pixels: Pixels, qp: float) -> bytes:
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.png"), Path(folder, "a.bpg")
        Image.fromarray(pixels).save(source, compress_level=1)
        _run(["bpgenc", "-f", "444", "-q", str(int(qp)), "-o", str(target), str(source)])
        return target.read_bytes()


def _bpg_decode(data: bytes) -> Pixels:
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.bpg"), Path(folder, "a.png")
        source.write_bytes(data)
        _run(["bpgdec", "-o", str(target), str(source)])
        return np.asarray(Image.open(target).convert("RGB"))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NicError(f"{command[0]} failed: {done.stderr.strip()}")
