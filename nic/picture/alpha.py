"""Transparency: chunk A with the alpha plane, and the colour of pixels that nobody sees.

The first byte of chunk A is the method. Method 0: a lossless PNG follows. Method 1: a packed
record follows, with the alpha plane as a grey picture; the caller codes and decodes it. This
record lacks its magic number, so that a search for records in a damaged stream does not find it.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError, VersionError
from nic.format.header import Colour
from nic.format.records import MAGIC, Record, Stage, read_record, write_record
from nic.picture.pixels import with_depth
from nic.picture.png import SIGNATURE
from nic.types import Floats, Pixels, depth_of, peak

Plane = Pixels  # (H, W): 0 transparent, 255 or 65535 opaque
Mask = NDArray[np.bool_]

PNG, RECORD = 0, 1

DEEP_GREY = b"\x10\0"  # bits per sample and colour type of a grey PNG of 16 bits
BAND = 256  # rows of the picture at half size that are interpolated at a time
HIDDEN = 128 / 255  # every sample of a picture without a visible pixel
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError)


# -- chunk A ----------------------------------------------------------------------------------


def lossless(alpha: Plane) -> bytes:
    """Chunk A with the exact alpha plane: the smallest PNG with 1, 8 or 16 bits that is exact."""
    from PIL import Image

    exact = with_depth(alpha, 8)
    if not np.array_equal(with_depth(exact, depth_of(alpha)), alpha):
        return bytes([PNG]) + _png(Image.fromarray(alpha))
    image = Image.fromarray(exact)
    binary = bool(np.isin(exact, (0, 255)).all())
    files = [_png(image), *([_png(image.convert("1", dither=Image.Dither.NONE))] * binary)]
    return bytes([PNG]) + min(files, key=len)


def from_record(record: Record) -> bytes:
    """Chunk A with a packed record of the alpha plane as a grey picture."""
    out = io.BytesIO()
    write_record(out, record)
    return bytes([RECORD]) + out.getvalue().removeprefix(MAGIC)


def parse(payload: bytes, width: int, height: int) -> Plane | Record:
    """The content of chunk A: the plane (height, width), or a packed record of it.

    The depth of the plane is that of its own PNG, not that of the picture.

    The claimed size is checked before memory for the plane is allocated.

    Raises: CorruptError; VersionError for an unknown method.
    """
    method, content = payload[:1], payload[1:]
    try:
        if method == bytes([PNG]):
            return _from_png(content, width, height)
        if method == bytes([RECORD]):
            return _from_stream(content, width, height)
    except CorruptError as error:
        raise CorruptError(f"the alpha plane is damaged: {error}") from error
    raise VersionError(f"unknown coding {method[0]} of the alpha plane; a newer nic wrote this")


def _png(image: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=9)  # type: ignore[attr-defined]
    return out.getvalue()


def _from_png(data: bytes, width: int, height: int) -> Plane:
    from PIL.PngImagePlugin import PngImageFile

    if data[:8] != SIGNATURE or data[12:16] != b"IHDR":
        raise CorruptError("it is not a PNG")
    claimed = [int.from_bytes(data[at : at + 4], "big") for at in (16, 20)]
    if claimed != [width, height]:
        raise CorruptError(f"{claimed[0]}x{claimed[1]} pixels, not {width}x{height}")
    try:
        with PngImageFile(io.BytesIO(data)) as image:
            if image.size != (width, height):
                raise CorruptError("the sizes in its PNG differ")
            if data[24:26] == DEEP_GREY:
                return np.array(image).astype(np.uint16)
            if image.mode not in ("1", "L"):
                raise CorruptError(f"its PNG is of mode {image.mode}")
            return np.array(image.convert("L"), np.uint8)
    except DAMAGE as error:
        raise CorruptError(str(error)) from error


def _from_stream(data: bytes, width: int, height: int) -> Record:
    source = io.BytesIO(data)
    record = read_record(source, MAGIC)
    header = record.header
    if source.read(1):
        raise CorruptError("bytes are left over")
    if (header.width, header.height) != (width, height):
        raise CorruptError(f"{header.width}x{header.height} pixels, not {width}x{height}")
    plain = header.colour == Colour.GREY and header.strip is None and not record.alpha
    if record.stage != Stage.PACKED or not plain:
        raise CorruptError("its record is not a packed one of a grey picture")
    return record


# -- hidden pixels ----------------------------------------------------------------------------


def fill_hidden(pixels: Pixels, alpha: Plane | None) -> Pixels:
    """Pixels (H, W[, 3]) in which the visible ones continue smoothly where alpha is zero.

    Push and pull (Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4). Every coarser level
    has the means of the visible pixels in 2x2 blocks. Then, from coarse to fine, each unknown
    value is interpolated from the coarser level. The old values of hidden pixels have no influence.
    """
    if alpha is None or alpha.all():
        return pixels
    visible = alpha > 0
    if not visible.any():
        return np.full_like(pixels, round(HIDDEN * peak(pixels)))
    shape = (*alpha.shape, -1)
    values = np.where(visible[..., None], pixels.reshape(shape), pixels.dtype.type(0))
    for c in range(values.shape[2]):  # by channel and band, as floats take four times the memory
        plane = values[..., c : c + 1]
        coarse = _filled(*_halved(plane, visible))
        for top in range(0, len(coarse), BAND):
            start = max(0, top - 1)
            smooth = np.rint(_doubled(coarse[start : top + BAND + 1])[2 * (top - start) :])
            rows = plane[2 * top : 2 * (top + BAND), :, 0]
            smooth = smooth[: len(rows), : rows.shape[1], 0]
            np.copyto(rows, smooth.astype(rows.dtype), where=~visible[2 * top :][: len(rows)])
    return values.reshape(pixels.shape)


def _filled(values: Floats, known: Mask) -> Floats:
    """Values (h, w, C); where ``known`` (h, w) is false, interpolated from coarser levels."""
    if known.all():
        return values
    coarse = _filled(*_halved(values, known))
    smooth = _doubled(coarse)[: values.shape[0], : values.shape[1]]
    return np.where(known[..., None], values, smooth)


def _halved(values: NDArray[Any], known: Mask) -> tuple[Floats, Mask]:
    """Means of the known values in 2x2 blocks, and which blocks have any; unknown ones are 0."""
    odd = ((0, values.shape[0] % 2), (0, values.shape[1] % 2))
    counts = _sums(np.pad(known, odd)[..., None])
    sums = _sums(np.pad(values, (*odd, (0, 0))))
    return np.asarray(sums / np.maximum(counts, 1), np.float32), counts[..., 0] > 0


def _sums(a: NDArray[Any]) -> Floats:
    """Sums of 2x2 blocks: (2h, 2w, C) -> (h, w, C)."""
    blocks = a.reshape(a.shape[0] // 2, 2, a.shape[1] // 2, 2, a.shape[2])
    return np.asarray(blocks.sum(axis=(1, 3), dtype=np.float32))


def _doubled(a: Floats) -> Floats:
    """Bilinear interpolation to twice the size: (h, w, C) -> (2h, 2w, C)."""
    for axis in (0, 1):
        ends = [(1, 1) if i == axis else (0, 0) for i in range(3)]
        padded = np.moveaxis(np.pad(a, ends, mode="edge"), axis, 0)
        here, before, after = padded[1:-1], padded[:-2], padded[2:]
        both = np.stack([0.75 * here + 0.25 * before, 0.75 * here + 0.25 * after], axis=1)
        a = np.moveaxis(both.reshape(-1, *both.shape[2:]), 0, axis)
    return a.astype(np.float32, copy=False)
