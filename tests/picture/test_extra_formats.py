"""HEIC, AVIF and JPEG XL of any depth: written by other codecs, read with depth and colour."""

import io
import logging
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from profiles import chunks_of
from programs import assert_fails, invoke

from nic.errors import CorruptError, NicError, UsageError
from nic.limits import Limit
from nic.picture import extra
from nic.picture.colour import declared
from nic.picture.extra import boxes, heif, jxl
from nic.picture.readers import JPEG_XL, read

pillow_heif = pytest.importorskip("pillow_heif")
imagecodecs = pytest.importorskip("imagecodecs")
pytest.importorskip("pillow_jxl")

H, W = 48, 64
Y, X = np.mgrid[:H, :W]
DEEP = np.stack([1300 * Y, 1000 * X + 7 * Y, 65535 - 1000 * X], axis=-1).astype(np.uint16)
ALPHA = np.clip(1500 * X - 6000, 0, 65535).astype(np.uint16)
P3, PQ_2020 = (12, 13), (9, 16)
KINDS = ("grey", "colour", "colour and alpha")


def samples_of(kind, bits):
    """The ramp as samples of so many bits."""
    planes = {"grey": DEEP[..., 1], "colour": DEEP, "colour and alpha": np.dstack([DEEP, ALPHA])}
    values = np.rint(planes[kind] / 65535 * ((1 << bits) - 1))
    return values.astype(np.uint8 if bits == 8 else np.uint16)


def heic(samples, bits=10, colour=None, **options):
    """A HEIC file, nearly lossless."""
    modes = {2: "L", 3: "RGB", 4: "RGBA"}
    mode = modes[2 if samples.ndim == 2 else samples.shape[2]]
    if samples.dtype == np.uint16:
        mode, samples = f"{mode};16", samples << (16 - bits)
    file = pillow_heif.from_bytes(mode, samples.shape[1::-1], samples.tobytes())
    if colour:
        options |= {"color_primaries": colour[0], "transfer_characteristics": colour[1]}
    out = io.BytesIO()
    chroma = {} if mode.startswith("L") else {"chroma": 444, "matrix_coefficients": 0}
    file.save(out, quality=-1, **chroma, **options)
    return out.getvalue()


def avif(samples, bits=10, colour=None):
    colour = dict(zip(("primaries", "transfer"), colour, strict=True)) if colour else {}
    return imagecodecs.avif_encode(samples, bitspersample=bits, level=100, speed=8, **colour)


def jpeg_xl(samples, bits=10, **options):
    deep = {"bitspersample": bits} if bits not in (8, 16) else {}
    return imagecodecs.jpegxl_encode(samples, lossless=True, **deep, **options)


FILES = {
    "heic": (heic, (8, 10)), "avif": (avif, (8, 10, 12)), "jxl": (jpeg_xl, (8, 10, 12, 16)),
}  # fmt: skip
CASES = [(name, bits) for name, (_, depths) in FILES.items() for bits in depths]


@pytest.mark.parametrize(("name", "bits"), CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_any_depth_is_read(caplog, name, bits, kind):
    samples = samples_of(kind, bits)
    found = read(FILES[name][0](samples, bits))
    assert not caplog.records
    white = 255 if bits == 8 else 65535
    assert found.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert (found.alpha is not None) == (kind == "colour and alpha")
    colour = samples[..., :3] if kind == "colour and alpha" else samples
    step = 0.5 if name == "jxl" else 3  # the others convert to YCbCr, at least for 8 bits
    error = found.pixels / white - colour / ((1 << bits) - 1)
    assert np.abs(error).max() <= step / ((1 << bits) - 1)
    if found.alpha is not None:
        error = found.alpha / white - samples[..., 3] / ((1 << bits) - 1)
        assert np.abs(error).max() <= step / ((1 << bits) - 1)


@pytest.mark.parametrize("name", ["heic", "avif"])
@pytest.mark.parametrize("colour", [P3, PQ_2020])
@pytest.mark.parametrize("bits", [8, 10])
def test_nclx_is_kept_and_written_as_cicp(name, colour, bits):
    data = FILES[name][0](samples_of("colour", bits), bits, colour)
    out = invoke("decompress", data=invoke("compress", data=data).out).out
    assert chunks_of(out)[b"cICP"] == bytes([*colour, 0, 1])


def test_the_profile_of_a_jpeg_xl_becomes_numbers_where_it_says_no_more():
    deep, srgb, grey = (jpeg_xl(samples_of(kind, bits), bits) for kind, bits in
                        (("colour", 16), ("colour", 8), ("grey", 8)))  # fmt: skip
    found = [read(data).metadata for data in (deep, srgb, grey)]
    assert [f.icc for f in found] == [b""] * 3
    assert [declared.parse(f.colour) for f in found] == [
        {"cICP": b"\1\x08\0\1"}, {"cICP": b"\1\x0d\0\1"}, {"sRGB": b"\1"}
    ]  # fmt: skip


def exif(orientation):
    made = Image.Exif()
    made[0x0112], made[0x010F] = orientation, "Maker"
    return made.tobytes()


def test_metadata_of_heic_is_kept_and_its_pixels_are_upright():
    image = Image.fromarray(samples_of("colour", 8))
    pillow_heif.register_heif_opener()
    out = io.BytesIO()
    image.save(out, "HEIF", quality=-1, chroma=444, exif=exif(6), xmp=b"<x:xmpmeta/>",
               icc_profile=b"a profile")  # fmt: skip
    found = read(out.getvalue())
    assert found.pixels.shape == (W, H, 3)
    assert found.metadata.icc == b"a profile"
    assert found.metadata.xmp == b"<x:xmpmeta/>"
    tags = Image.Exif()
    tags.load(found.metadata.exif)
    assert (tags[0x0112], tags[0x010F]) == (1, "Maker")


def test_metadata_of_jpeg_xl_is_kept():
    import pillow_jxl  # noqa: F401

    out = io.BytesIO()
    Image.fromarray(samples_of("colour", 8)).save(
        out, "JXL", lossless=True, exif=exif(1), xmp=b"<x:xmpmeta/>", use_container=True
    )
    found = read(out.getvalue()).metadata
    assert found.xmp == b"<x:xmpmeta/>"
    assert found.exif == exif(1)[6:]


def test_an_avif_with_orientation_is_turned():
    out = io.BytesIO()
    Image.fromarray(samples_of("colour", 8)).save(out, "AVIF", quality=100, exif=exif(6))
    assert read(out.getvalue()).pixels.shape == (W, H, 3)


def test_of_several_pictures_the_main_one_is_taken_with_a_note(caplog):
    small = samples_of("colour", 8)
    file = pillow_heif.from_bytes("RGB", (W, H), small.tobytes())
    file.add_frombytes("RGB", (W, H), np.ascontiguousarray(small[::-1]).tobytes())
    out = io.BytesIO()
    file.save(out, quality=-1, chroma=444, matrix_coefficients=0)
    with caplog.at_level(logging.WARNING, "nic"):
        found = read(out.getvalue())
    assert np.abs(found.pixels.astype(int) - small).max() <= 3
    assert [r.message for r in caplog.records] == [
        "note: only the first of several pictures is coded"
    ]


def test_a_gain_map_is_noted(caplog):
    image = SimpleNamespace(info={"aux": {"urn:com:apple:photo:2020:aux:hdrgainmap": [7]}})
    with caplog.at_level(logging.WARNING, "nic"):
        heif.note_others([image], image)
    assert [r.message for r in caplog.records] == [
        "note: the gain map for HDR displays is not kept"
    ]


@pytest.mark.parametrize("name", ["heic", "jxl"])
def test_without_the_packages_the_message_names_the_extra(monkeypatch, tmp_path, name):
    monkeypatch.setattr(extra, "has", lambda _: False)
    path = tmp_path / f"a.{name}"
    path.write_bytes(FILES[name][0](samples_of("colour", 8), 8))
    kind = {"heic": "a HEIC picture", "jxl": "a JPEG XL picture"}[name]
    assert_fails(invoke("compress", path), 2, f"this is {kind}", "pip install 'nic-codec[formats]'")


def test_floats_of_jpeg_xl_are_refused_by_name():
    with pytest.raises(UsageError, match="floating-point samples"):
        read(jpeg_xl((DEEP / 65535).astype(np.float32), 16))


@pytest.mark.parametrize("name", FILES)
def test_a_limit_of_pixels_holds(name):
    with pytest.raises(NicError, match="--max-pixels"):
        read(FILES[name][0](samples_of("colour", 8), 8), Limit(H * W - 1))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("part", [0.03, 0.3, 0.7])
def test_a_cut_file_is_refused(capfd, name, part):
    data = FILES[name][0](samples_of("colour", 10), 10)
    with pytest.raises(CorruptError):
        read(data[: max(20, int(len(data) * part))])
    assert capfd.readouterr().err == ""


@settings(deadline=None, max_examples=120)
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(name, damage):
    data = bytearray(SMALL[name])
    for at, value in damage:
        data[at % len(data)] = value
    try:
        assert read(bytes(data), Limit(1 << 20)).pixels.dtype in (np.uint8, np.uint16)
    except NicError:
        return


SMALL = {name: make(samples_of("colour", 10), 10) for name, (make, _) in FILES.items()}


# -- headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (64, 48), (65, 48), (300, 1), (1, 300), (160, 90)])
@pytest.mark.parametrize("container", [False, True])
def test_the_header_of_a_codestream_has_the_size(size, container):
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    found = jxl.head(jpeg_xl(pixels, 8, usecontainer=container))
    assert (found.width, found.height, found.bits) == (*size, 8)


@given(st.binary(max_size=80))
def test_any_header_is_read_or_refused(data):
    for start in JPEG_XL:
        try:
            jxl.head(start + data)
        except CorruptError:
            continue


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def test_the_boxes_of_the_main_picture_count_and_no_others():
    """A gain map's picture has other colour; levels of light are counted as PNG counts them."""
    known = [
        box(b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 128)),
        box(b"colr", b"nclx" + struct.pack(">HHHB", 9, 18, 9, 128)),
        box(b"pixi", bytes([0, 0, 0, 0, 3, 10, 10, 10])),
        box(b"clli", struct.pack(">HH", 1000, 200)),
        box(b"mdcv", struct.pack(">8HII", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)),
    ]
    table = struct.pack(">IIHBBHBBBBB", 0, 2, 1, 1, 1, 2, 4, 2, 3, 4, 0x85)
    meta = bytes(4) + box(b"pitm", struct.pack(">IH", 0, 2)) + box(
        b"iprp", box(b"ipco", b"".join(known)) + box(b"ipma", table)
    )  # fmt: skip
    found = boxes.facts(box(b"ftyp", b"avif") + box(b"meta", meta))
    assert found.bits == 10
    assert found.parts == {
        "cICP": b"\x09\x12\0\1",
        "cLLI": struct.pack(">II", 10_000_000, 2_000_000),
        "mDCV": struct.pack(">8HII", 5, 6, 1, 2, 3, 4, 7, 8, 9, 10),
    }


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_an_avif_without_a_box_of_depth_is_read_with_all_bits(bits):
    samples = samples_of("colour", bits)
    data = avif(samples, bits)
    assert data.count(b"pixi") == 1
    assert boxes.facts(data.replace(b"pixi", b"free")).bits == bits
    found = read(data.replace(b"pixi", b"free"))
    assert np.array_equal(found.pixels, read(data).pixels)


@given(st.binary(max_size=120))
def test_any_boxes_are_read(data):
    boxes.facts(data)
    boxes.facts(box(b"ftyp", b"avif") + box(b"meta", bytes(4) + data))
    heif.is_heic(data)
