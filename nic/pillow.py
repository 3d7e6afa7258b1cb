"""Pillow plugin: ``import nic.pillow`` registers the format NIC.

::

    import nic.pillow
    from PIL import Image

    Image.open("photo.png").save("photo.nic", quality=50)
    Image.open("photo.nic").show()

Size, mode and metadata are known before the pixels are decoded. A grey picture of 16 bits without
transparency has the mode I;16. Pillow has no mode for other pictures of 16 bits, so they get 8.
``save`` takes the keywords of ``nic.compress``, and ``icc_profile``, ``exif`` and ``xmp`` as
Pillow's own formats do.
imageio reads and writes .nic files through this plugin too.
"""

import io
from typing import IO, Any

from PIL import Image, ImageFile

import nic
from nic.codec import shared
from nic.errors import NicError
from nic.format.header import Colour
from nic.format.records import MAGIC, Record, read_records
from nic.picture.metadata import EXIF_PREFIX, Metadata, from_chunks
from nic.picture.pixels import Picture
from nic.picture.readers import of_image
from nic.picture.rows import by_picture, joined
from nic.settings import Settings

MODES = {Colour.GREY: "L", Colour.RGB: "RGB"}
WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}
# Our names and Pillow's, and a name for declared colour, of which Pillow knows only a part.
INFO = {"icc": "icc_profile", "exif": "exif", "xmp": "xmp", "colour": "colour",
        "resolution": "resolution"}  # fmt: skip


class NicImageFile(ImageFile.ImageFile):
    """The first picture of a .nic file; its pixels are decoded when they are first needed."""

    format = "NIC"
    format_description = "nic, a learned image codec"

    def _open(self) -> None:
        """Read the records. Raises OSError, with the reason, for damaged data."""
        assert self.fp is not None
        try:
            self._records = _first_picture(self.fp.read())
            found = from_chunks(self._records[0].extra)
        except NicError as error:
            raise OSError(f"damaged .nic file: {error}") from error
        header = self._records[0].header
        mode, is_deep = MODES[header.colour], header.bit_depth == 16
        has_alpha = any(record.alpha for record in self._records)
        self._mode = WITH_ALPHA[mode] if has_alpha else "I;16" if is_deep and mode == "L" else mode
        self._size = header.width, header.strip[1] if header.strip else header.height
        self.info |= {INFO[kind]: getattr(found, kind) for kind in found.kinds}

    def load(self) -> Any:
        """Decode the pixels. Raises OSError for damaged data or a missing model."""
        if self._records:
            try:
                picture = _decoded(self._records, 16 if self.mode == "I;16" else 8)
            except NicError as error:
                raise OSError(f"{error}") from error
            image = Image.fromarray(picture.samples)
            self.im = (image if image.mode == self.mode else image.convert(self.mode)).im
            self._records = []
        return super().load()


def _first_picture(data: bytes) -> list[Record]:
    """The records of the first picture."""
    records = ((record.header, record) for record in read_records(io.BytesIO(data)))
    return [record for _, record in next(by_picture(records))]


def _decoded(records: list[Record], depth: int) -> Picture:
    return joined([strip for _, strip in shared(Settings()).decode_strips(records, depth)])


def _accept(start: bytes) -> bool:
    return start.startswith(MAGIC)


def _save(image: Image.Image, out: IO[bytes], _: str | bytes) -> None:
    """Compress an image with the options that ``Image.save`` was given, see ``nic.compress``.

    Raises: OSError when it cannot be coded.
    """
    options = dict(image.encoderinfo)
    given = {kind: options.pop(name) for kind, name in INFO.items() if name in options}
    try:
        picture = of_image(image)
        kept = {kind: getattr(picture.metadata, kind) for kind in INFO} | given
        found = Metadata(**{kind: _bytes(value) for kind, value in kept.items()})
        out.write(nic.compress(Picture(picture.pixels, picture.alpha, found), **options))
    except NicError as error:
        raise OSError(f"{error}") from error


def _bytes(value: Any) -> bytes:
    """The bytes of metadata, which Pillow's callers give as bytes, text, EXIF tags or None."""
    if isinstance(value, Image.Exif):
        return value.tobytes().removeprefix(EXIF_PREFIX)
    return (
        value.encode() if isinstance(value, str) else bytes(value or b"").removeprefix(EXIF_PREFIX)
    )


Image.register_open(NicImageFile.format, NicImageFile, _accept)
Image.register_save(NicImageFile.format, _save)
Image.register_extension(NicImageFile.format, ".nic")
Image.register_mime(NicImageFile.format, "image/x-nic")
