"""The broken pictures of tests/corrupt/pictures: what nic says of each, and its exit code."""

import importlib.util

import pytest
from places import CORRUPT
from programs import assert_fails, invoke, run

FOLDER = CORRUPT / "pictures"
NO_PICTURE, DAMAGED = (3, "this is not a picture that can be read"), (3, "the picture is damaged")
TOO_LARGE = (1, "--max-pixels")

FAULTS = {  # file -> exit code, message
    "empty.png": (3, "the input is empty"),
    "html.jpeg": (2, "this is a web page, which is not read"),
    "postscript.eps": (2, "this is PostScript, which is not read"),
    **dict.fromkeys(
        (
            "signature_alone.png", "text.png", "truncated.jpeg",
            "zeros.bmp", "truncated_in_header.png",
            "checksum_of_header.png", "width_0.png", "height_0.png",
            "bit_depth_3.png", "colour_type_5.png", "depth_5.bmp", "compression_9.bmp",
            "width_0.gif",
            "width_no_number.ppm", "maximum_0.ppm", "header_cut.pgm", "truncated_in_tables.jpeg",
            "frame_missing.jpeg", "height_0.jpeg", "components_9.jpeg", "truncated.webp",
            "length_of_riff.webp",
        ),
        NO_PICTURE,
    ),
    **dict.fromkeys(
        (
            "checksum_of_data.png", "truncated.png",
            "sixteen_bits_cut.png", "palette_missing.png", "data_missing.png", "rows_missing.png",
            "data_not_deflated.png", "truncated.bmp",
            "truncated.tiff", "compression_unknown.tiff", "strip_beyond_the_end.tiff",
            "lzw_garbage.tiff", "deflate_garbage.tiff",
            "truncated.gif", "truncated.ppm", "width_0.ppm", "garbage_inside.webp",
        ),
        DAMAGED,
    ),
    **dict.fromkeys(
        (
            "bomb_40000.png", "claims_2_to_31.png", "claims_a_gigapixel.bmp",
            "claims_a_terapixel.tiff", "claims_65535.gif", "claims_a_terapixel.pgm",
            "claims_65535.jpeg",
        ),
        TOO_LARGE,
    ),
}  # fmt: skip
SOUND = tuple(f"sound.{name}" for name in ("png", "bmp", "tiff", "gif", "ppm", "jpeg", "webp"))
LIMIT = ("--max-pixels", "100M")  # that of free memory is not the same everywhere


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("tool", ["encode", "compress", "latents"])
def test_a_fault_is_named_with_its_exit_code(tool, name, tmp_path, capfd):
    """In one line, whatever the libraries have to say, and with nothing written."""
    code, message = FAULTS[name]
    result = invoke(tool, FOLDER / name, "-o", tmp_path / "out", *LIMIT)
    assert_fails(result, code, f"{name}: ", message)
    assert capfd.readouterr().err == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SOUND)
def test_the_pictures_they_are_made_from_are_sound(name, tmp_path):
    result = invoke("encode", FOLDER / name, "-o", tmp_path / "out", *LIMIT)
    assert (result.code, result.err) == (0, "")


def test_the_installed_program_says_the_same():
    for name in ("lzw_garbage.tiff", "palette_missing.png", "bomb_40000.png"):
        code, message = FAULTS[name]
        assert_fails(run("nic-encode", FOLDER / name, *LIMIT), code, message)


def test_every_picture_has_its_row_and_is_what_the_script_makes(tmp_path):
    spec = importlib.util.spec_from_file_location("make_pictures", FOLDER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(tmp_path)
    made = {path.name for path in tmp_path.iterdir()} | {"sound.jpeg", "sound.webp"}
    assert made == {*FAULTS, *SOUND}
    assert made == {path.name for path in FOLDER.iterdir() if path.is_file()} - {"make.py"}
    for path in tmp_path.iterdir():
        assert (FOLDER / path.name).read_bytes() == path.read_bytes(), path.name
