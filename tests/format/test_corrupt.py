"""The broken streams of tests/corrupt: what nic says of each, and with which exit code."""

import importlib.util

import pytest
from places import CORRUPT
from programs import assert_fails, invoke, run

FOLDER = CORRUPT
TRUNCATED = "truncated: the input ends inside a record"

FAULTS = {  # name -> exit code, message
    "empty": (3, "the input is empty"),
    "magic_alone": (3, TRUNCATED),
    "magic_cut": (3, TRUNCATED),
    "header_cut": (3, TRUNCATED),
    "data_cut": (3, TRUNCATED),
    "end_missing": (3, TRUNCATED),
    "second_record_cut": (3, TRUNCATED),
    "trailing_garbage": (3, "not a nic stream"),
    "line_ends_converted": (3, "not a nic stream"),
    "high_bits_stripped": (3, "not a nic stream"),
    "text": (3, "not a nic stream"),
    "png": (3, "a PNG picture, not a nic stream; encode it with nic-encode"),
    "jpeg": (3, "a JPEG picture, not a nic stream; encode it with nic-encode"),
    "version_2": (5, "version 2"),
    "stage_0": (5, "stage 0"),
    "stage_9": (5, "stage 9"),
    "header_missing": (3, "does not start with its header"),
    "header_twice": (5, "critical chunk 'H'"),
    "header_not_json": (3, "header is not valid"),
    "header_checksum": (3, "chunk H fails its checksum"),
    "header_width_0": (3, "impossible width"),
    "header_height_negative": (3, "impossible height"),
    "header_channels_too_many": (3, "impossible number of channels"),
    "header_codebook_too_large": (3, "impossible codebook"),
    "header_bit_depth_12": (3, "impossible bit depth"),
    "header_colour_unknown": (3, "header is not valid"),
    "data_missing": (3, "without data"),
    "data_twice": (5, "critical chunk 'D'"),
    "data_short": (3, "3 bytes of data where the header says 4"),
    "data_long": (3, "5 bytes of data where the header says 4"),
    "data_checksum": (3, "chunk D fails its checksum"),
    "chunk_type_not_a_letter": (3, "chunk type"),
    "chunk_critical_unknown": (5, "critical chunk 'Q'"),
    "chunk_length_endless": (3, "too long"),
    "chunk_length_2_to_50": (3, "a chunk claims 1125899906842624 bytes"),
    "chunk_length_2_to_39": (3, TRUNCATED),
    "packed_header_cut": (3, "header ends too early"),
    "packed_header_left_over": (3, "bytes left over"),
    "packed_colour_unknown": (5, "colour model 7"),
    "packed_layout_unknown": (5, "unknown layout of the packed header"),
    "packed_index_cut": (3, "the channel index is damaged: it ends too early"),
    "packed_index_long_size": (3, "the channel index is damaged: a number is too long"),
    "packed_index_not_filled_with_zeros": (3, "does not end in zeros"),
    "channel_mode_reserved": (5, "unknown channel mode 4"),
    "channel_own_table_missing": (3, "channel 0 is damaged"),
    "channel_payload_missing": (3, "0 bytes of data where the header says 1"),
    "channel_empty_with_payload": (3, "impossible empty channel"),
    "channel_constant_no_symbol": (3, "channel 1 is damaged"),
    "channel_raw_too_short": (3, "channel 0 is damaged"),
    "channel_fse_table_cut": (3, "channel 1 is damaged"),
    "channel_fse_garbage": (3, "channel 1 is damaged"),
    "channel_by_class_without_map": (3, "class map is missing"),
    "class_map_empty": (3, "damaged: chunk M, the class map, is empty"),
    "class_map_of_symbols": (5, "critical chunk 'M'"),
    "class_map_twice": (5, "critical chunk 'M'"),
    "channels_both_damaged": (3, "channels 0-1 are damaged: "),
    "channel_damaged_and_checksum": (3, "chunk D fails its checksum; channel 1 is damaged"),
    "channels_sound_and_checksum": (3, "chunk D fails its checksum, in which channel cannot be"),
    "symbols_outside_codebook": (3, "channel 1 is damaged: symbols outside the codebook"),
    "symbols_with_index": (3, "4 bytes of data where the header says 4"),
    "coded_without_index": (3, "0 bytes of data where the header says 0"),
    "coded_mode_unknown": (3, "header is not valid"),
    "coded_size_negative": (3, "impossible payload size"),
    "latents_infinite": (3, "4 latents are not finite"),
    "latents_cut": (3, TRUNCATED),
    "latents_short": (3, "12 bytes of data where the header says 16"),
    "strip_beyond_the_picture": (3, "impossible strip"),
    "strip_is_whole_picture": (3, "impossible strip"),
    "strip_off_the_grid": (3, "impossible strip"),
    "packed_channels_0": (3, "impossible number of channels"),
    "packed_quality_over_100": (3, "impossible quality"),
    "excess_empty": (3, "damaged: chunk X, the excess, is empty"),
    "excess_twice": (5, "critical chunk 'X'"),
    "excess_endless": (3, "chunk X is damaged: it does not end"),
    "excess_cut": (3, "chunk X is damaged: it ends too early"),
    "excess_long_number": (3, "chunk X is damaged: a number is too long"),
    "excess_out_of_range": (3, "chunk X is damaged: a value out of range"),
    "excess_of_latents": (5, "critical chunk 'X'"),
    "class_map_checksum": (3, "chunk M fails its checksum"),
    "class_map_of_unknown_model": (4, "model 00000000"),
}
SOUND = ("sound_symbols", "sound_packed")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_exit_code(name):
    path = FOLDER / f"{name}.nic"
    code, message = FAULTS[name]
    assert_fails(invoke("test", path), code, f"{name}.nic: ", message)


@pytest.mark.parametrize("name", FAULTS)
def test_no_later_tool_makes_anything_of_it(name, tmp_path):
    """Whatever it finds first: the fault, or that nobody has the model."""
    for tool in ("decode", "pack"):
        target = tmp_path / "out.png"
        result = invoke(tool, FOLDER / f"{name}.nic", "-o", target)
        assert_fails(result, result.code, f"{name}.nic: ")
        assert result.code in (2, 3, 4, 5)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SOUND)
def test_the_streams_they_are_made_from_are_sound(name):
    """So that each is refused for its fault, not for something that all have in common."""
    result = invoke("test", FOLDER / f"{name}.nic")
    assert (result.code, result.err) == (0, "")


def test_the_installed_program_says_the_same():
    for name in ("empty", "data_checksum", "version_2"):
        code, message = FAULTS[name]
        assert_fails(run("nic", "test", FOLDER / f"{name}.nic"), code, message)


def test_every_stream_has_its_row_and_is_what_the_script_makes(tmp_path):
    spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in FOLDER.glob("*.nic")}
    assert {p.stem for p in tmp_path.iterdir()} == {*FAULTS, *SOUND}
    for path in tmp_path.iterdir():
        assert (FOLDER / path.name).read_bytes() == path.read_bytes(), path.name
