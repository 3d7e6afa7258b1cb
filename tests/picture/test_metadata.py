"""ICC profiles, EXIF and XMP: from file to file, turned upright, left out on request, damaged."""

import io
import logging
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import saved
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from programs import assert_fails, invoke
from records import from_bytes, reread, to_bytes

from nic.codec import Codec
from nic.errors import CorruptError
from nic.format.records import Chunk, Stage
from nic.picture import metadata
from nic.picture.metadata import Metadata
from nic.picture.metadata.resolution import of_dpi, to_dpi
from nic.picture.metadata.tags import XMP_TAG
from nic.picture.metadata.upright import upright_exif
from nic.picture.pixels import Picture
from nic.picture.readers import read
from nic.picture.rows import of_picture
from nic.picture.writers import write

RGB = np.stack(np.mgrid[:16, :24], axis=-1).sum(axis=-1, keepdims=True).astype(np.uint8) * np.array(
    [3, 2, 5], np.uint8
)
# Of some wide-gamut space: nobody converts to it, so that only its bytes matter.
ICC = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())
ICC[16:20] = b"RGB "
ICC = bytes(ICC)
MAKE, DATE, EXPOSURE, LATITUDE = 0x010F, 0x0132, 0x829A, 1
ORIENTATION, EXIF_IFD, GPS_IFD = 0x0112, 0x8769, 0x8825
HOLDERS = ["png", "tiff", "jpeg", "webp"]


def exif(orientation=1):
    made = Image.Exif()
    made[MAKE], made[DATE], made[ORIENTATION] = "Maker", "2026:01:02 03:04:05", orientation
    made.get_ifd(EXIF_IFD)[EXPOSURE] = 0.25
    made.get_ifd(GPS_IFD)[LATITUDE] = "N"
    return made.tobytes()


def xmp(orientation=1):
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description '
        f'tiff:Orientation="{orientation}" dc:title="Ä"/></x:xmpmeta>'
    ).encode()


def with_all(name, orientation=1, pixels=RGB, **others):
    """A file with all metadata, which Pillow writes in each format's own way."""
    facts = {"icc_profile": ICC, "exif": exif(orientation), "xmp": xmp(orientation)} | others
    if name == "png":
        facts["pnginfo"] = PngInfo()
        facts["pnginfo"].add_itxt("XML:com.adobe.xmp", facts["xmp"].decode())
    if name == "tiff":
        tags = Image.Exif()
        tags.load(facts["exif"])
        tags[XMP_TAG] = facts["xmp"]
        facts["exif"] = tags.tobytes()
    exact = {"webp": {"lossless": True}, "jpeg": {"quality": 95, "subsampling": 0}}
    return saved(pixels, name.upper(), **facts, **exact.get(name, {}))


def said_by(data):
    """What Pillow finds in a file: profile, some tags of EXIF, XMP."""
    image = Image.open(io.BytesIO(data))
    image.load()
    tags = image.getexif()
    facts = [tags.get(MAKE), tags.get(DATE), tags.get_ifd(EXIF_IFD).get(EXPOSURE),
             tags.get_ifd(GPS_IFD).get(LATITUDE)]  # fmt: skip
    assert tags.get(ORIENTATION, 1) == 1
    return image.info.get("icc_profile"), facts, image.info.get("xmp")


FACTS = ["Maker", "2026:01:02 03:04:05", 0.25, "N"]


@pytest.mark.parametrize("source", HOLDERS)
@pytest.mark.parametrize("target", HOLDERS)
def test_all_is_kept_from_any_format_to_any(source, target):
    packed = invoke("compress", data=with_all(source)).out
    out = invoke("decompress", "--format", target, data=packed).out
    profile, facts, text = said_by(out)
    assert profile == ICC
    assert facts == FACTS
    # Pillow takes the orientation out of a TIFF's XMP when it reads one.
    assert text in (xmp(), xmp().replace(b'tiff:Orientation="1"', b""))


@pytest.mark.parametrize("stored", metadata.KEEP)
@pytest.mark.parametrize("written", metadata.KEEP)
def test_options_say_what_is_stored_and_written(stored, written):
    data = with_all("png")
    packed = invoke("compress", "--metadata", stored, data=data).out
    assert packed == invoke("pack", data=invoke("encode", "--metadata", stored, data=data).out).out
    kinds = {b"i": "icc", b"x": "exif", b"m": "xmp"}
    found = [kinds[chunk.kind] for chunk in from_bytes(packed).extra]
    assert found == {"all": ["icc", "exif", "xmp"], "icc": ["icc"], "none": []}[stored]
    for tool in ("decode", "decompress"):
        profile, facts, text = said_by(invoke(tool, "--metadata", written, data=packed).out)
        assert (profile is not None) == (stored != "none" and written != "none")
        everything = stored == written == "all"
        assert facts == (FACTS if everything else [None] * 4)
        assert (text is not None) == everything


def test_a_picture_without_metadata_has_no_chunk(codec):
    assert codec.encode(read(saved(RGB))).extra == ()
    kept = invoke("compress", "--metadata", "none", data=with_all("png")).out
    assert kept == invoke("compress", data=saved(RGB)).out


@pytest.mark.parametrize("name", ["bmp", "ppm", "pam", "npy"])
def test_what_a_format_cannot_hold_is_left_out_with_a_note_on_request(name):
    packed = invoke("compress", data=with_all("png")).out
    note = f"note: stdin: ICC of {len(ICC)} bytes cannot be held by {name}"
    plain = invoke("decompress", "--format", name, data=packed).err
    assert plain.endswith(f": {note}\n")
    assert plain.count("\n") == 1
    loud = invoke("decompress", "-v", "--format", name, data=packed).err
    assert loud.count("cannot be held") == 3
    assert note in loud


def test_jpeg_leaves_out_what_does_not_fit_a_marker(caplog):
    small, large = Metadata(exif=exif()[6:]), Metadata(b"", exif()[6:] + bytes(1 << 16), b"")
    assert said_by(write(Picture(RGB, None, small), "jpeg"))[1] == FACTS
    with caplog.at_level(logging.INFO, "nic"):
        assert said_by(write(Picture(RGB, None, large), "jpeg"))[1] == [None] * 4
    assert "cannot be held by jpeg" in caplog.text


def test_a_converted_picture_loses_the_profile_of_its_old_colours(caplog):
    data = saved(Image.fromarray(RGB).convert("CMYK"), "TIFF", icc_profile=ICC, exif=exif())
    found = read(data).metadata
    assert found.kinds == ["exif"]
    assert "CMYK" in caplog.text


def test_a_tiff_file_gives_what_its_tags_say_and_not_how_it_is_stored():
    tags = Image.Exif()
    tags[MAKE] = "Maker"
    found = read(saved(RGB, "TIFF", exif=tags, compression="tiff_lzw")).metadata
    kept = Image.Exif()
    kept.load(found.exif)
    assert dict(kept) == {MAKE: "Maker"}
    assert read(saved(RGB, "TIFF", compression="tiff_lzw")).metadata == Metadata()


# -- orientation ------------------------------------------------------------------------------

UPRIGHT = np.zeros((16, 24, 3), np.uint8)
UPRIGHT[:8, :8] = 255
UPRIGHT[8:, :8] = 90
TURNS = {2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
         5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, 1),
         7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: lambda a: np.rot90(a, -1)}  # fmt: skip


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("source", HOLDERS)
def test_pixels_are_upright_and_nothing_says_otherwise(source, orientation):
    stored = np.ascontiguousarray(TURNS[orientation](UPRIGHT))
    found = read(with_all(source, orientation, stored))
    assert found.pixels.shape == UPRIGHT.shape
    assert np.abs(found.pixels.astype(int) - UPRIGHT).max() < 20
    for target in HOLDERS:
        data = write(found, target)
        assert said_by(data)[1] == FACTS  # with an orientation of 1, or none
        assert np.array_equal(read(data).pixels.shape, UPRIGHT.shape)


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA", "1"])
def test_pixels_of_any_kind_and_alpha_are_turned(mode):
    image = Image.fromarray(RGB).convert("RGBA")
    image.putalpha(Image.fromarray(RGB[..., 0] + 100))
    image = image.convert("RGB").quantize(16) if mode == "P" else image.convert(mode)
    expected = read(saved(image))
    found = read(saved(image.transpose(Image.Transpose.ROTATE_90), exif=exif(6)))
    assert np.array_equal(found.pixels, expected.pixels)
    assert (found.alpha is None) == (expected.alpha is None)
    assert found.alpha is None or np.array_equal(found.alpha, expected.alpha)


@pytest.mark.parametrize("text", ['tiff:Orientation="6"', "tiff:Orientation='6'",
                                  "<tiff:Orientation>6</tiff:Orientation>"])  # fmt: skip
def test_xmp_alone_can_turn_a_picture(text):
    stored = np.ascontiguousarray(np.rot90(UPRIGHT, 1))
    found = read(saved(stored, "WEBP", lossless=True, xmp=f"<x {text}/>".encode()))
    assert np.array_equal(found.pixels, UPRIGHT)
    assert found.metadata.xmp == f"<x {text}/>".replace("6", "1").encode()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_exif_keeps_all_but_the_orientation_and_the_thumbnail(order, kind):
    """A hand-made structure: 8 bytes of head, a directory of two entries, then the thumbnail's."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    value = struct.pack(f"{order}HH", 6, 0) if kind == 3 else struct.pack(f"{order}I", 6)
    one = struct.pack(f"{order}HHI", ORIENTATION, kind, 1) + value
    made = struct.pack(f"{order}HHI4s", MAKE, 2, 4, b"Cam\0")
    rest = b"thumbnail and maker notes, wherever they are"
    data = head + struct.pack(f"{order}H", 2) + made + one + struct.pack(f"{order}I", 99) + rest
    found, turn = upright_exif(data)
    assert (turn, len(found), found.endswith(b"\0\0\0\0" + rest)) == (6, len(data), True)
    tags = Image.Exif()
    tags.load(found)
    assert dict(tags) == {MAKE: "Cam", ORIENTATION: 1}
    assert upright_exif(found) == (found, 1)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60) | st.builds(
    lambda cut, at, value: (exif()[6:][:at] + bytes([value]) + exif()[6:][at + 1 :])[:cut],
    st.integers(0, 200), st.integers(0, 150), st.integers(0, 255)))  # fmt: skip
def test_damaged_exif_is_kept_or_dropped_and_written_or_not(data):
    found, _ = upright_exif(data)
    assert len(found) in (0, len(data))
    for name in HOLDERS:
        assert Image.open(io.BytesIO(write(Picture(RGB, None, Metadata(exif=data)), name)))


def test_damaged_exif_is_dropped_with_a_note(caplog):
    found = read(saved(RGB, exif=b"Exif\0\0no TIFF structure"))
    assert found.metadata == Metadata()
    assert "EXIF data is damaged and is not kept" in caplog.text


# -- chunks -----------------------------------------------------------------------------------


@given(st.builds(Metadata, st.binary(max_size=99), st.binary(max_size=99), st.binary(max_size=99)))
def test_chunks_are_the_metadata(found):
    assert metadata.from_chunks(metadata.to_chunks(found)) == found


def test_metadata_passes_all_stages_and_unknown_chunks_beside_it(codec):
    found = Metadata(ICC, exif()[6:], xmp())
    record = codec.encode(Picture(RGB, None, found))
    record = replace(record, extra=(Chunk(b"t", b"title"), *record.extra))
    for stage in list(Stage)[1:]:
        made = reread(codec.forward(record, stage))
        assert made.extra == record.extra
        assert codec.decode(made).metadata == found


def test_of_strips_the_first_has_the_metadata():
    found = Metadata(ICC)
    codec = Codec(strip_pixels=1)
    tall = np.repeat(RGB, 3, axis=0)
    records = list(codec.encode_rows(of_picture(Picture(tall, None, found))))
    assert [bool(record.extra) for record in records] == [True, False, False]
    out = invoke("decode", data=b"".join(map(to_bytes, records))).out
    assert said_by(out)[0] == ICC


def test_info_names_what_is_kept():
    packed = invoke("compress", data=with_all("png")).out
    sizes = {chunk.kind: len(chunk.payload) for chunk in from_bytes(packed).extra}
    line = f"metadata        icc {sizes[b'i']}, exif {sizes[b'x']}, xmp {sizes[b'm']}\n"
    assert line in invoke("info", data=packed).out.decode()


def packed_with(codec, *chunks):
    return to_bytes(replace(codec.forward(codec.encode(RGB), Stage.PACKED), extra=chunks))


PROFILE = zlib.compress(ICC)
DAMAGED = {
    "not compressed": ([Chunk(b"i", ICC)], "the icc metadata is damaged"),
    "empty": ([Chunk(b"x", b"")], "the exif metadata is damaged: it ends at the wrong place"),
    "cut": ([Chunk(b"m", zlib.compress(xmp())[:-1])], "xmp metadata is damaged: it ends"),
    "followed by more": ([Chunk(b"i", PROFILE + b"\0")], "it ends at the wrong place"),
    "a bomb": ([Chunk(b"i", zlib.compress(bytes((1 << 24) + 1)))], "is over 16777216 bytes"),
    "a part that is cut": ([Chunk(b"c", b"\1\4\1\x0d\0")], "the colour metadata is damaged"),
    "a part without length": ([Chunk(b"c", b"\1")], "the colour metadata is damaged"),
    "a part of another length": ([Chunk(b"c", b"\4\2\0\0")], "the colour metadata is damaged"),
    "a part twice": ([Chunk(b"c", b"\4\1\0" * 2)], "the colour metadata is damaged"),
    "a resolution that is cut": ([Chunk(b"r", bytes(7))], "the resolution metadata is damaged"),
    "a resolution of 0": ([Chunk(b"r", b"\1" * 4 + bytes(4))], "resolution metadata is damaged"),
    "twice": ([Chunk(b"i", PROFILE), Chunk(b"i", PROFILE)], "chunk i comes twice"),
}


@pytest.mark.parametrize("tool", ["test", "decode", "decompress"])
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_metadata_is_refused(codec, tool, name):
    chunks, message = DAMAGED[name]
    result = invoke(tool, data=packed_with(codec, *chunks))
    assert_fails(result, 3, "stdin: ", message)
    assert result.out == b""


def test_as_much_as_is_allowed_is_read(codec):
    chunk = Chunk(b"i", zlib.compress(bytes(1 << 24)))
    assert len(metadata.from_chunks((chunk,)).icc) == 1 << 24


@given(st.binary(max_size=200))
def test_any_payload_is_read_or_refused(payload):
    try:
        metadata.from_chunks((Chunk(b"x", payload),))
    except CorruptError:
        return


# -- resolution and what is not kept ------------------------------------------------------------


def with_dpi(name, dots=(300, 150), **others):
    return saved(RGB, name.upper(), dpi=dots, **others)


@pytest.mark.parametrize("source", ["png", "jpeg", "bmp"])
@pytest.mark.parametrize("target", ["png", "jpeg", "bmp", "tiff"])
def test_the_resolution_is_kept_where_there_is_a_place_for_it(source, target):
    packed = invoke("compress", data=with_dpi(source)).out
    assert [(chunk.kind, len(chunk.payload)) for chunk in from_bytes(packed).extra] == [(b"r", 8)]
    result = invoke("decompress", "-v", "--format", target, data=packed)
    assert "cannot be held" not in result.err
    across, down = Image.open(io.BytesIO(result.out)).info["dpi"]
    assert (across, down) == pytest.approx((300, 150), abs=0.013)  # whole pixels per metre


def test_the_resolution_of_16_bits_is_kept_too():
    deep = np.repeat(RGB[..., 1].astype(np.uint16) * 257, 1, axis=0)
    packed = invoke("compress", data=saved(Image.fromarray(deep), dpi=(300, 300))).out
    for target in ("png", "tiff"):
        out = invoke("decompress", "--format", target, data=packed).out
        assert round(Image.open(io.BytesIO(out)).info["dpi"][0], 2) == 300


def test_the_resolution_is_turned_with_the_picture():
    found = read(with_dpi("png", exif=exif(6)))
    assert to_dpi(found.metadata.resolution) == (150, 300)


def test_the_resolution_in_exif_is_not_stored_twice():
    tags = Image.Exif()
    tags[282], tags[283], tags[296] = 72.0, 72.0, 2
    assert read(with_dpi("jpeg", exif=tags.tobytes())).metadata.kinds == ["exif"]


@pytest.mark.parametrize("dots", [72, 96])
@pytest.mark.parametrize("name", ["png", "jpeg", "bmp"])
def test_a_resolution_that_nobody_asked_for_takes_no_bytes(name, dots):
    assert read(with_dpi(name, (dots, dots))).metadata == Metadata()


@given(st.binary(min_size=8, max_size=8))
def test_any_resolution_is_written(payload):
    if not all(struct.unpack("<II", payload)):
        return
    found = Metadata(resolution=payload)
    for name in ("png", "jpeg", "bmp", "tiff"):
        Image.open(io.BytesIO(write(Picture(RGB, None, found), name)))


@pytest.mark.parametrize("dots", [(0, 0), (-1, 5), (float("nan"), 1), (1e12, 1), "ab", None, (1,)])
def test_a_resolution_without_sense_is_none(dots):
    assert of_dpi(dots) == b""


@pytest.mark.parametrize("name", ["JPEG", "GIF"])
def test_a_comment_is_noted(name):
    result = invoke("compress", data=saved(Image.fromarray(RGB[..., 0]), name, comment=b"hello"))
    assert "note: stdin: comment of 5 bytes is not kept" in result.err
    quiet = invoke("compress", "--metadata", "none",
                   data=saved(Image.fromarray(RGB[..., 0]), name, comment=b"hello"))  # fmt: skip
    assert quiet.err == ""


def test_iptc_is_noted(caplog):
    block = b"8BIM" + struct.pack(">HHI", 0x0404, 0, 6) + b"\x1c\2\5\0\1A"
    segment = b"Photoshop 3.0\0" + block
    data = saved(RGB, "JPEG")
    data = data[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(segment)) + segment + data[2:]
    with caplog.at_level(logging.WARNING, "nic"):
        read(data)
    assert [r.message for r in caplog.records] == ["note: IPTC of 6 bytes is not kept"]


def test_text_of_a_png_is_noted_on_request():
    text = PngInfo()
    text.add_text("Title", "a ramp")
    data = saved(RGB, pnginfo=text)
    assert invoke("compress", data=data).err == ""
    assert "text of the file is not kept: Title" in invoke("compress", "-v", data=data).err
