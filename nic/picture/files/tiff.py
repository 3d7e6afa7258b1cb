"""TIFF files, read by tifffile: strips, tiles and planes of up to 16 bits per sample.

tifffile gives the samples as they are stored, and this module gives them their meaning.
"""

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.errors import CorruptError, UsageError
from nic.limits import Limit, Work
from nic.models.quiet import loggers_quiet, native_stderr_closed
from nic.picture.colour.cmyk import to_rgb
from nic.picture.files.decoded import Decoded, full_range, unmultiplied
from nic.picture.files.kinds import DEVELOP
from nic.picture.metadata import Metadata
from nic.picture.metadata.reading import of_parts
from nic.picture.metadata.tags import of_directory
from nic.types import Pixels, peak

log = logging.getLogger("nic")

# Values of the tag PhotometricInterpretation, and the samples of colour in a pixel of each.
WHITE_IS_ZERO, GREY, RGB, PALETTE, SEPARATED, YCBCR = 0, 1, 2, 3, 5, 6
COLOURS = {WHITE_IS_ZERO: 1, GREY: 1, RGB: 3, PALETTE: 1, SEPARATED: 4, YCBCR: 3}
REFUSED = {4: "a transparency mask", 8: "in CIELAB", 9: "in CIELAB", 10: "in CIELAB",
           32803: "a camera's raw data", 34892: "a camera's raw data"}  # fmt: skip
RAW = (32803, 34892)
KINDS = {2: "signed integer", 3: "floating-point", 5: "complex", 6: "complex"}  # SampleFormat
UNSPECIFIED, PREMULTIPLIED = 0, 1  # values of the tag ExtraSamples
MAX_SAMPLES = 64  # per pixel; a file with more is no picture
MANY = 16  # pages among which the first is looked for that is no thumbnail
CR2 = b"\x10\0\0\0CR\2"  # after the first four bytes of a Canon's raw photograph
REDUCED = 1  # flag in the tag NewSubfileType: a thumbnail
ORIENTATION, COLOUR_MAP, INK_SET, XMP, ICC = 274, 320, 332, 700, 34675  # tags
CMYK = 1  # value of INK_SET
JPEG = (6, 7, 33007)  # compressions whose decoder turns YCbCr into RGB
# Compressions whose samples may be predicted: LZW, Deflate, LZMA, Zstandard. As in libtiff, the tag
# Predictor means nothing with others.
PREDICTED = (5, 8, 32946, 34925, 50000)
_SETTING = Lock()  # of Pillow, for the whole process


def read(data: bytes, limit: Limit) -> Decoded | None:
    """The first picture of a TIFF file; None for YCbCr without JPEG, which Pillow must read.

    Raises: UsageError when its samples cannot be coded, CorruptError for damage, NicError when it
        is larger than ``limit``. tifffile raises other errors for damage too.
    """
    import tifffile

    if data.startswith(CR2, 4):  # what tifffile would find is a preview
        raise UsageError(f"this is a raw photograph (CR2), which is not read; {DEVELOP}")
    with loggers_quiet(), tifffile.TiffFile(io.BytesIO(data)) as file:
        page = _first(file)
        colours = _check(page)
        limit.check(page.imagewidth, page.imagelength, Work.PICTURE)
        _note_lost(page, colours)
        if page.photometric == YCBCR and page.compression not in JPEG:
            return None
        _check_places(page, len(data))
        if page.compression not in PREDICTED:
            page.predictor = 1
        planes = _stored(page)
        samples = np.moveaxis(planes[:, 0], 0, -2).reshape(*planes.shape[2:4], -1)
        head = page if len(page.treeindex) == 1 else file.pages.first  # it describes those inside
        exif = of_directory(data, head.offset, file.is_bigtiff)
        icc, xmp = (_bytes(page.tags, code) or _bytes(head.tags, code) for code in (ICC, XMP))
        turn = int(page.tags.valueof(ORIENTATION, head.tags.valueof(ORIENTATION, 1)))
        return _with_meaning(page, samples, colours, of_parts(icc, exif, xmp)[0], turn)


@contextmanager
def through_libtiff() -> Iterator[None]:
    """Let Pillow open TIFF files by libtiff, as its own reader knows no subsampled colour."""
    from PIL import TiffImagePlugin

    with _SETTING:
        before, TiffImagePlugin.READ_LIBTIFF = TiffImagePlugin.READ_LIBTIFF, True
        try:
            yield
        finally:
            TiffImagePlugin.READ_LIBTIFF = before


def _first(file: Any) -> Any:
    """The first page that is no thumbnail, or else the first.

    A raw photograph has its pixels in a page inside of the first one, which is a thumbnail.

    Raises: CorruptError for a file without a page.
    """
    pages = list(islice(file.pages, MANY))
    if not pages or not (pages[0].imagewidth and pages[0].imagelength):
        raise CorruptError("the picture is damaged: its TIFF file has no pixels")
    inside = _whole(below for page in pages for below in islice(page.pages or (), MANY))
    raw = [page for page in inside if page.photometric in RAW]
    whole = raw[:1] or _whole(pages) or inside or pages
    if len(whole) > 1:
        log.warning("note: only the first of several frames is coded")
    return whole[0]


def _whole(pages: Iterable[Any]) -> list[Any]:
    """The pages that are no thumbnails."""
    return [page for page in pages if not page.subfiletype & REDUCED]


def _check(page: Any) -> int:
    """How many samples of a pixel are colour. Raises UsageError for what cannot be coded."""
    if page.photometric in REFUSED:
        raise UsageError(f"the picture is {REFUSED[page.photometric]}; convert it to RGB first")
    if isinstance(page.bitspersample, tuple) or isinstance(page.sampleformat, tuple):
        raise UsageError("the samples of a pixel differ in kind; convert it to 8 or 16 bits first")
    kind = KINDS.get(page.sampleformat)
    if kind or not 0 < page.bitspersample <= 16:
        what = f"{kind} samples" if kind else f"samples of {page.bitspersample} bits"
        raise UsageError(f"the picture has {what}; convert it to 8 or 16 bits first")
    if page.imagedepth != 1:
        raise UsageError(f"the TIFF is {page.imagedepth} pictures deep; save one of them first")
    colours = COLOURS.get(page.photometric, MAX_SAMPLES + 1)
    inks = page.photometric == SEPARATED and page.tags.valueof(INK_SET, CMYK) != CMYK
    if inks or not colours <= page.samplesperpixel <= MAX_SAMPLES:
        raise UsageError(
            f"the TIFF has {page.samplesperpixel} samples a pixel of photometry "
            f"{int(page.photometric)}; convert it to RGB first"
        )
    return colours


def _note_lost(page: Any, colours: int) -> None:
    """Log a note if samples beside colour are dropped: all but the first that is called alpha."""
    lost = page.samplesperpixel - colours - _has_alpha(page, colours)
    if lost:
        log.warning("note: %d samples of each pixel that are neither colour nor alpha are not kept"
                    if lost > 1 else "note: %d sample of each pixel that is neither colour nor "
                    "alpha is not kept", lost)  # fmt: skip


def _has_alpha(page: Any, colours: int) -> bool:
    kinds = page.extrasamples or (UNSPECIFIED,)
    return page.samplesperpixel > colours and int(kinds[0]) != UNSPECIFIED


def _check_places(page: Any, size: int) -> None:
    """Raises CorruptError when strips or tiles lie outside a file of ``size`` bytes."""
    places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    across = -(-page.imagewidth // page.tilewidth) if page.is_tiled else 1
    down = -(-page.imagelength // (page.tilelength if page.is_tiled else page.rowsperstrip))
    planes = 1 if page.planarconfig == 1 else page.samplesperpixel
    inside = all(start > 0 and count > 0 and start + count <= size for start, count in places)
    if not inside or len(places) < across * down * planes:
        raise CorruptError("the picture is damaged: a part of its pixels is not in the file")


def _stored(page: Any) -> NDArray[Any]:
    """The samples as they are stored: (planes, depth, H, W, samples). Raises CorruptError."""
    from lzma import LZMAError

    try:
        with native_stderr_closed():
            return np.asarray(page.asarray(squeeze=False, maxworkers=1))
    except LZMAError as error:  # which is no child of the usual errors
        raise CorruptError(f"the picture is damaged: {error}") from error


def _with_meaning(
    page: Any, samples: NDArray[Any], colours: int, found: Metadata, turn: int
) -> Decoded:
    """The picture of the stored samples (H, W, samples per pixel)."""
    bits, photometry = page.bitspersample, page.photometric
    alpha = full_range(samples[..., colours], bits) if _has_alpha(page, colours) else None
    if photometry == PALETTE:
        return Decoded(_looked_up(page, samples[..., 0]), alpha, found, turn)
    pixels = full_range(samples[..., 0] if colours == 1 else samples[..., :colours], bits)
    if photometry == WHITE_IS_ZERO:
        pixels = np.subtract(peak(pixels), pixels, dtype=pixels.dtype)
    if alpha is not None and int(page.extrasamples[0]) == PREMULTIPLIED:
        pixels = unmultiplied(pixels, alpha)
    if photometry == SEPARATED:
        pixels, found = to_rgb(pixels, found)
    return Decoded(pixels, alpha, found, turn)


def _looked_up(page: Any, indices: NDArray[Any]) -> Pixels:
    """The colours of palette indices (H, W): (H, W, 3), of 16 bits if the palette needs them.

    Raises: CorruptError without a palette.
    """
    values = page.tags.valueof(COLOUR_MAP)
    if values is None:
        raise CorruptError("the picture is damaged: its TIFF file has no palette")
    table = np.array(values, np.uint16).reshape(3, -1).T
    high, low = table >> 8, table & 255
    if not high.any():  # it was written as bytes, against the standard
        table = low.astype(np.uint8)
    elif (low == high).all() or not low.any():  # two ways to write bytes
        table = high.astype(np.uint8)
    return np.asarray(table[indices])


def _bytes(tags: Any, code: int) -> bytes:
    value = tags.valueof(code, b"")
    return value.encode() if isinstance(value, str) else bytes(value)
