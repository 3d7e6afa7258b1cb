"""EXIF and XMP of a picture that was turned: its sides and its thumbnail."""

import io

import numpy as np
import pytest
from pictures import saved
from PIL import ExifTags, Image

from nic.picture.metadata.upright import turned, with_sides
from nic.picture.readers import read
from nic.picture.writers import write

ORIENTATION, EXIF, WIDTH, LENGTH, PIXEL_X, PIXEL_Y = 0x112, 0x8769, 0x100, 0x101, 0xA002, 0xA003
RGB = np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8)
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{}" '
    'tiff:ImageWidth="30" tiff:ImageLength="20"><exif:PixelXDimension>30</exif:PixelXDimension>'
    "<exif:PixelYDimension> 20</exif:PixelYDimension></rdf:Description></x:xmpmeta>"
)


def exif(orientation, sides=(30, 20)):
    tags = Image.Exif()
    if orientation is not None:
        tags[ORIENTATION] = orientation
    tags[WIDTH], tags[LENGTH] = sides
    tags.get_ifd(EXIF).update({PIXEL_X: sides[0], PIXEL_Y: sides[1]})
    return tags.tobytes()


def sides(data):
    """What EXIF says of the sides: of the picture, and of its pixels."""
    tags = Image.Exif()
    tags.load(data)
    directory = tags.get_ifd(EXIF)
    return [(tags[WIDTH], tags[LENGTH]), (directory[PIXEL_X], directory[PIXEL_Y])]


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sides_in_exif_are_those_of_the_picture(name, orientation):
    found = read(saved(RGB, name, exif=exif(orientation), xmp=XMP.format(orientation).encode()))
    height, width = found.pixels.shape[:2]
    assert (height, width) == ((20, 30) if orientation < 5 else (30, 20))
    assert sides(found.metadata.exif) == [(width, height)] * 2
    text = found.metadata.xmp.decode()
    if text:  # Pillow writes none to PNG
        assert f'tiff:ImageWidth="{width}" tiff:ImageLength="{height}"' in text
        assert f"Dimension>{width}<" in text
        assert f"Dimension> {height}<" in text
    for target in ("jpeg", "png", "webp"):
        written = Image.open(io.BytesIO(write(found, target)))
        assert written.size == (width, height)
        assert written.getexif().get_ifd(EXIF)[PIXEL_X] == width


@pytest.mark.parametrize("name", ["HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turn_that_is_in_the_picture_too_changes_the_sides_once(name, orientation):
    """Telephones write it into the box irot and into EXIF; their decoders do the turn."""
    if name == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    picture = np.kron(RGB, np.ones((4, 4, 1), np.uint8))  # HEIC has no sides below 64 pixels
    xmp = XMP.format(orientation).replace("20", "80").replace("30", "120").encode()
    data = saved(picture, name, exif=exif(orientation, (120, 80)), xmp=xmp)
    assert (b"irot" in data or b"imir" in data) == (orientation > 1)
    found = read(data)
    height, width = found.pixels.shape[:2]
    assert (height, width) == ((80, 120) if orientation < 5 else (120, 80))
    assert sides(found.metadata.exif) == [(width, height)] * 2
    text = found.metadata.xmp.decode()
    assert f'tiff:ImageWidth="{width}" tiff:ImageLength="{height}"' in text
    assert f"Dimension>{width}<" in text


def test_jpeg_xl_has_the_sides_of_its_turned_picture():
    """Its decoder turns the picture, and EXIF in it still has the sides from before."""
    pytest.importorskip("pillow_jxl")
    data = saved(RGB, "JXL", exif=exif(1, (20, 30)))
    assert sides(read(data).metadata.exif) == [(30, 20)] * 2


@pytest.mark.parametrize("order", ["<", ">"])
def test_sides_that_fit_or_are_others_stay(order):
    tags = Image.Exif()
    tags.endian = order
    for given, size, wanted in (
        ((30, 20), (30, 20), (30, 20)),
        ((20, 30), (30, 20), (30, 20)),
        ((60, 40), (20, 30), (60, 40)),
        ((30, 30), (30, 30), (30, 30)),
        ((70000, 20), (20, 70000), (20, 70000)),
    ):
        tags.load(exif(1, given))
        data = tags.tobytes().removeprefix(b"Exif\0\0")
        assert sides(with_sides(data, b"", *size)[0]) == [wanted] * 2
    assert with_sides(b"", b"", 30, 20) == (b"", b"")


def test_an_orientation_of_xmp_turns_the_sides_too():
    found = read(saved(RGB, "JPEG", exif=exif(None), xmp=XMP.format(6).encode()))
    assert found.pixels.shape == (30, 20, 3)
    assert sides(found.metadata.exif) == [(20, 30)] * 2


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_order_of_bytes_and_other_types_do_not_matter(order):
    tags = Image.Exif()
    tags.endian = order
    tags.load(exif(6, (70000, 20)))
    data = tags.tobytes().removeprefix(b"Exif\0\0")
    found, _ = turned(data, b"", 6)
    assert sides(found) == [(20, 70000)] * 2
    assert len(found) == len(data)
    assert turned(found, b"", 6)[0] == data


def test_one_side_alone_is_not_exchanged():
    tags = Image.Exif()
    tags[WIDTH] = 30
    tags.get_ifd(EXIF).update({PIXEL_Y: 20})
    data = tags.tobytes().removeprefix(b"Exif\0\0")
    assert turned(data, b'tiff:ImageWidth="3"', 8) == (data, b'tiff:ImageWidth="3"')


def with_thumbnail(orientation):
    """A JPEG whose EXIF has a thumbnail, and the thumbnail."""
    small = saved(RGB[::2, ::2], "JPEG")
    head = b"II*\0" + (8).to_bytes(4, "little")
    entry = (0x112).to_bytes(2, "little") + b"\3\0\1\0\0\0" + bytes([orientation, 0, 0, 0])
    first = b"\1\0" + entry + (26).to_bytes(4, "little")
    second = b"\2\0" + b"".join(
        tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little")
        for tag, value in ((0x201, 56), (0x202, len(small)))
    )
    made = head + first + second + bytes(4)
    assert len(made) == 56
    return saved(RGB, "JPEG", exif=b"Exif\0\0" + made + small), small


@pytest.mark.parametrize("orientation", [1, 2, 3, 6])
def test_a_thumbnail_stays_only_if_the_picture_was_not_turned(orientation):
    """A turned picture beside its old thumbnail would show up turned in every browser of files."""
    data, small = with_thumbnail(orientation)
    found = read(data)
    tags = Image.Exif()
    tags.load(found.metadata.exif)
    assert (tags.get_ifd(ExifTags.IFD.IFD1).get(0x202) == len(small)) == (orientation == 1)


@pytest.mark.parametrize("cut", range(0, 120, 3))
def test_exif_that_ends_anywhere_is_no_crash(cut):
    data = exif(6).removeprefix(b"Exif\0\0")[:cut]
    assert len(turned(data, b"", 6)[0]) == len(data)
