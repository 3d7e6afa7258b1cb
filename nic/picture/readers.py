"""Picture files to pixels: through Pillow, or by a reader of their format for 16 bits per sample.

The codec holds grey or RGB of 8 or 16 bits, and one frame. CMYK is converted and further frames
are left out, each with a note.
"""

import io
import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from nic.errors import CorruptError, NicError, UsageError
from nic.limits import ANY, Limit, Work
from nic.models.quiet import native_stderr_closed, pillow_warnings_ignored
from nic.picture import pam, png
from nic.picture.colour import declared
from nic.picture.files import loading, pnm
from nic.picture.files.planes import DEEP, note_channels, planes_of
from nic.picture.formats import READERS
from nic.picture.metadata import Keep, Metadata
from nic.picture.metadata.reading import note_lost, of_file, of_turned
from nic.picture.pixels import Picture, simplified, turned
from nic.types import Pixels

if TYPE_CHECKING:
    from nic.picture.files.decoded import Decoded

log = logging.getLogger("nic")

TOO_LARGE = "the picture is larger than Pillow's limit for this format (PIL.Image.MAX_IMAGE_PIXELS)"

# The errors that Pillow's readers raise for damaged files.
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError,
          AssertionError, AttributeError, RuntimeError, struct.error, zlib.error)  # fmt: skip
# Those whose text is about the reader's code, and not about the file.
INTERNAL = (TypeError, LookupError, AssertionError, AttributeError)

# The start of files that have a reader of their own; of TIFF, the last two are BigTIFF.
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")  # a codestream, and boxes


def read(data: bytes, limit: Limit = ANY, keep: Keep = "all") -> Picture:
    """Decode a picture file of any format, turned upright.

    Args:
        data: the file.
        limit: the most pixels.
        keep: which metadata to keep.
    Returns: the picture, of 16 bits if its samples have more than 8; grey stays grey, and alpha is
        None if all pixels are opaque.
    Raises: CorruptError for a file that is damaged or no picture, UsageError when its samples
        cannot be coded, NicError when it is larger than ``limit``.
    """
    if not data:
        raise CorruptError("the input is empty")
    if data.startswith(b"\x89NIC"):
        raise UsageError("this is a nic stream already; decode it with nic-decode")
    if data.startswith(pam.MAGIC):
        return Picture.of_samples(pam.read(data, limit))
    head = pnm.PNM.match(data)
    pnm.note_further(data)
    if head is not None and pnm.is_read_here(head):
        return Picture(pnm.read(data, head, limit))
    with pillow_warnings_ignored():
        with _damage():
            found = _by_own_reader(data, limit)
        if found is not None:
            return _of_decoded(found, keep)
        facts: dict[str, bytes] = {}
        if data.startswith(png.SIGNATURE):  # loading does not check checksums
            from nic.picture.files import chunks

            data, facts = chunks.mended(data)
        image = opened(data)
        image.info.update(facts)
        width, height = image.size
        limit.check(width, height, Work.PICTURE)
        shown = loading.shown(image)
        with _damage():
            image = loading.loaded(image, data, opened)
            if image.format == "PNG" and data[24:25] != DEEP:  # of 16 bits, libpng checks
                png.check_rows(data, image)
        return _picture(image, data, keep, shown)


def of_image(image: Any, keep: Keep = "all") -> Picture:
    """The picture of a Pillow image, converted as ``read`` converts a file.

    Raises: UsageError when its samples cannot be coded.
    """
    with pillow_warnings_ignored():
        shown = loading.shown(image)
        whole = image.copy() if image.info.get("transparency") else image
        return _picture(whole, b"", keep, shown)


def _picture(image: Any, data: bytes, keep: Keep, shown: loading.Box | None = None) -> Picture:
    """The picture of an image that Pillow has loaded; ``data`` is its file, or empty.

    Args: shown: the part beyond which it is transparent, see ``loading.shown``.
    """
    has_icc = bool(image.info.get("icc_profile"))
    if image.format == "PNG" and data:
        from nic.picture.colour import png as png_colour

        colour = png_colour.declared(data, has_icc)
    elif image.format == "AVIF" and data:
        from nic.picture.extra import boxes

        colour = declared.build(boxes.facts(data).parts)
    else:  # "colour" is what nic.pillow puts there
        parts = declared.simplified(declared.of_pillow(image.info), has_icc)
        colour = image.info.get("colour", b"") or declared.build(parts)
    with _damage():
        several = getattr(image, "is_animated", False)
        if keep == "all":
            note_lost(image)
        found, turn = of_file(image, colour)
        note_channels(image, data)
        if image.mode == "CMYK":
            from nic.picture.colour.cmyk import without_inks

            image, found = without_inks(image, found)
        pixels, alpha = planes_of(image, data)
    if several:
        kind = "pictures" if image.format == "MPO" else "frames"
        log.warning("note: only the first of several %s is coded", kind)
    if shown is not None:
        alpha = loading.within(shown, alpha, pixels)
    return _upright(pixels, alpha, found.only(keep), turn)


def _by_own_reader(data: bytes, limit: Limit) -> "Decoded | None":
    """The picture of a file whose format has a reader of its own; None if Pillow must read it."""
    if data.startswith(TIFF):
        from nic.picture.files import tiff

        return tiff.read(data, limit)
    if data.startswith(JPEG_XL):
        from nic.picture.extra import jxl

        return jxl.read(data, limit)
    if data.startswith(b"ftyp", 4):
        from nic.picture.extra import heif

        return heif.read(data, limit) if heif.is_heic(data) else None
    return None


def _of_decoded(found: "Decoded", keep: Keep) -> Picture:
    """The picture that a reader of one format gave."""
    return _upright(found.pixels, found.alpha, found.metadata.only(keep), found.turn)


def _upright(pixels: Pixels, alpha: Pixels | None, found: Metadata, turn: int) -> Picture:
    """The picture of pixels and alpha that are turned from the orientation ``turn``."""
    alpha = simplified(alpha)
    plane = None if alpha is None else turned(alpha, turn)
    return Picture(turned(pixels, turn), plane, of_turned(found, turn))


@contextmanager
def _damage() -> Iterator[None]:
    """Turn any error that Pillow raises for a damaged file into a CorruptError."""
    from PIL.Image import DecompressionBombError

    try:
        yield
    except NicError:
        raise
    except DecompressionBombError as error:  # some plugins check Pillow's own limit
        raise NicError(TOO_LARGE) from error
    except DAMAGE as error:
        text = "" if isinstance(error, INTERNAL) else str(error)
        raise CorruptError(f"the picture is damaged: {text or 'its parts do not fit'}") from error


def opened(data: bytes) -> Any:
    """The image of a file, opened by Pillow but not loaded.

    ``PIL.Image.open`` has one limit of pixels for the whole process. Here each caller has its
    own limit, so this function asks Pillow's plugins itself.

    Raises: CorruptError when no plugin can open the file, or its format is not read.
    """
    with _damage(), _as_needed(data):
        image, begins = _of_plugins(data)
    if image is not None and image.format in READERS:
        return image
    from nic.picture.files.kinds import kind_of

    kind = kind_of(data)
    if kind is not None:
        raise UsageError(f"this is {kind.name}, which is not read; {kind.remedy}")
    if image is not None:
        raise UsageError(f"this is {image.format}, which is not read; convert it to PNG first")
    though = f", though it begins as {begins}" if begins in READERS else ""
    raise CorruptError(f"this is not a picture that can be read{though}")


def _as_needed(data: bytes) -> AbstractContextManager[None]:
    """The setting with which Pillow opens a file."""
    if not data.startswith(TIFF):
        return nullcontext()
    from nic.picture.files import tiff

    return tiff.through_libtiff()


def _of_plugins(data: bytes) -> tuple[Any, str]:
    """The image of a file, opened by the first plugin that can; None if none can.

    Also the name of the first plugin that knows the first bytes of the file, or "".
    """
    from PIL import Image

    begins = ""
    tried: set[str] = set()
    for load in (Image.preinit, Image.init):  # first plugins of common formats, then all
        load()
        for name in [name for name in Image.ID if name not in tried]:
            tried.add(name)
            factory, accepts = Image.OPEN[name]
            with suppress(*DAMAGE), native_stderr_closed():  # another format, or damage
                if accepts is None or accepts(data[:16]) is True:
                    begins = begins or (name if accepts else "")
                    return factory(io.BytesIO(data), ""), begins
    return None, begins
