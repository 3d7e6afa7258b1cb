"""The format NIC for Pillow, and through it for imageio."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, UnidentifiedImageError
from records import to_bytes

import nic
import nic.pillow
from nic.codec import Codec
from nic.format.records import Stage
from nic.picture import rows

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MODES = ("L", "LA", "RGB", "RGBA")


@pytest.fixture(scope="module")
def image(photographs):
    return Image.fromarray(photographs["chelsea"][60:157, 80:201])


@pytest.mark.parametrize("mode", MODES)
def test_there_and_back(image, mode, tmp_path):
    source = image.convert(mode)
    if mode.endswith("A"):
        source.putalpha(Image.linear_gradient("L").resize(source.size))
    source.save(tmp_path / "a.nic", quality=70)
    data = (tmp_path / "a.nic").read_bytes()
    assert data == nic.compress(source, quality=70)
    with Image.open(tmp_path / "a.nic") as found:
        assert (found.format, found.mode, found.size) == ("NIC", mode, source.size)
        assert found.get_format_mimetype() == "image/x-nic"
        np.testing.assert_array_equal(np.array(found), nic.decompress(data))
        again = found.convert("RGB").resize((10, 10))
    assert again.size == (10, 10)


def test_size_and_mode_are_known_without_decoding(image, monkeypatch):
    data = nic.compress(image)
    monkeypatch.setattr(nic.pillow, "_decoded", lambda records: pytest.fail("it was decoded"))
    with Image.open(io.BytesIO(data)) as found:
        assert (found.size, found.mode) == (image.size, "RGB")


def test_metadata_is_in_info(image):
    exif = Image.Exif()
    exif[0x010E] = "a cat"
    out = io.BytesIO()
    image.save(out, "NIC", icc_profile=SRGB, exif=exif, xmp=b"<x:xmpmeta/>")
    with Image.open(out) as found:
        assert found.info["icc_profile"] == SRGB
        assert found.info["xmp"] == b"<x:xmpmeta/>"
        assert found.getexif()[0x010E] == "a cat"
        kept = io.BytesIO()
        found.save(kept, "NIC")  # what came with the image is kept, as by Pillow's PNG
    assert nic.decompress(kept.getvalue(), full=True).metadata.icc == SRGB


def test_a_picture_in_strips_is_one_image(photographs):
    codec = Codec(strip_pixels=48 * 250)
    records = codec.encode_rows(rows.of_array(photographs["coffee"][:150, :250]))
    data = to_bytes(*(codec.forward(record, Stage.PACKED) for record in records))
    with Image.open(io.BytesIO(data)) as found:
        assert found.size == (250, 150)
        np.testing.assert_array_equal(np.array(found), nic.decompress(data))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-5], "truncated"),
        (lambda data: data[:-30] + bytes([data[-30] ^ 1]) + data[-29:], "fails its checksum"),
        (lambda data: data[:9], "truncated"),
    ],
)
def test_damaged_files_say_what_is_wrong(image, damage, words):
    with pytest.raises(OSError, match=words) as caught:
        Image.open(io.BytesIO(damage(nic.compress(image))))
    assert not isinstance(caught.value, UnidentifiedImageError)


def test_what_cannot_be_coded_is_one_error(image):
    with pytest.raises(OSError, match="quality 300"):
        image.save(io.BytesIO(), "NIC", quality=300)
    with pytest.raises(OSError, match="floating-point"):
        image.convert("F").save(io.BytesIO(), "NIC")


def test_imageio_goes_through_pillow(image, tmp_path):
    iio = pytest.importorskip("imageio.v3")
    pixels = np.array(image)
    iio.imwrite(tmp_path / "a.nic", pixels, plugin="pillow")
    found = iio.imread(tmp_path / "a.nic", plugin="pillow")
    np.testing.assert_array_equal(found, nic.decompress(nic.compress(pixels)))
