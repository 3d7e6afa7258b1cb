"""Damaged files: nic test names what is damaged, --tolerate decodes what is not."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, invoke, run
from records import from_bytes, planes, to_bytes

from nic.codec import Codec
from nic.entropy import coding
from nic.entropy.coding import Coder
from nic.errors import CorruptError
from nic.format.channels import select
from nic.format.damage import name
from nic.format.index import Mode
from nic.format.records import Chunk, Stage
from nic.picture.pixels import Picture
from nic.picture.rows import of_array

FIRST = 11  # bytes of the magic, the stage, and of chunk H its type


def data_start(record):
    """Where the payload of chunk D starts in the record's bytes."""
    return len(to_bytes(record)) - 5 - len(record.data)


def damaged(record, *channels):
    """The record's bytes with each of these channels' payload inverted, checksums not repaired."""
    data = bytearray(to_bytes(record))
    ends = data_start(record) + np.cumsum([entry.size for entry in record.header.index])
    for c in channels:
        part = slice(ends[c] - record.header.index[c].size, ends[c])
        data[part] = bytes(byte ^ 0xFF for byte in data[part])
    return bytes(data)


def without(codec, record, channels):
    """The picture of a record in which these channels are zero."""
    symbols = codec.to_symbols(record)
    values = planes(symbols).copy()
    values[list(channels)] = 0
    return codec.decode(replace(symbols, data=values.tobytes())).pixels


def tolerated(data, *options):
    """Result of ``nic decode --tolerate``, and the pictures that it wrote as PPM, one shape."""
    result = invoke("decode", "--tolerate", "--format", "ppm", *options, data=data)
    return result, [np.array(Image.open(io.BytesIO(result.out)))] if result.out else []


@pytest.mark.parametrize(
    ("channels", "text"),
    [([3], "channel 3"), ([3, 4], "channels 3-4"), ([0, 12, 13, 14, 63], "channels 0, 12-14, 63")],
)
def test_channels_in_words(channels, text):
    assert name(channels) == text


def test_the_test_program_names_every_damaged_channel(photograph):
    for channels, text in (([12], "channel 12 is damaged"), ([3, 12, 13, 14], "channels 3, 12-14")):
        result = invoke("test", data=damaged(photograph, *channels))
        assert_fails(result, 3, "stdin: chunk D fails its checksum", text)


def test_the_test_program_names_channels_behind_a_sound_checksum(photograph):
    data = bytearray(photograph.data)
    data[: photograph.header.index[0].size] = b"\xff" * photograph.header.index[0].size
    result = invoke("test", data=to_bytes(replace(photograph, data=bytes(data))))
    assert_fails(result, 3, "stdin: channel 0 is damaged")


def test_damage_that_no_channel_shows_is_said_to_be_such(codec, stages):
    """A payload of raw symbols has no redundancy."""
    raw = codec.recode(from_bytes(stages["packed"]), Coder.RAW)
    first = next(c for c, entry in enumerate(raw.header.index) if entry.mode == Mode.RAW)
    at = data_start(raw) + sum(entry.size for entry in raw.header.index[:first])
    data = bytearray(to_bytes(raw))
    data[at] ^= 0x80
    for tool, code in ((("test",), 3), (("decode", "--tolerate"), 6)):
        assert_fails(invoke(*tool, data=bytes(data)), code, "chunk D", "in which channel cannot be")


def test_every_chunk_is_named(photograph):
    record = replace(photograph, extra=(Chunk(b"q", b"something"),))
    sound = to_bytes(record)
    for kind, payload in ((b"q", b"something"), (b"M", record.class_map), (b"D", record.data)):
        data = bytearray(sound)
        data[sound.index(bytes(payload)) + 4] ^= 1
        assert_fails(invoke("test", data=bytes(data)), 3, f"chunk {kind.decode()} fails")


def test_a_sound_file_is_decoded_as_ever(nic_file):
    plain = invoke("decode", nic_file)
    result = invoke("decode", "--tolerate", nic_file)
    assert (result.code, result.err) == (0, "")
    assert result.out == plain.out


@pytest.mark.parametrize("channels", [[63], [0], [1, 2, 30, 31, 32]])
def test_damaged_channels_are_zero_and_others_as_they_were(codec, photograph, channels):
    """Also those that are predicted, and none of the others with them."""
    result, (picture,) = tolerated(damaged(photograph, *channels))
    assert_fails(result, 6, "stdin: chunk D fails its checksum; ", name(channels))
    assert np.array_equal(picture, without(codec, photograph, channels))


def test_without_the_option_nothing_is_written(photograph, tmp_path):
    result = invoke("decode", "-o", tmp_path / "a.png", data=damaged(photograph, 5))
    assert_fails(result, 3, "chunk D fails its checksum")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("whole", [1, 8, 40, 63])
def test_a_truncated_file_gives_the_channels_that_are_there(codec, photograph, whole):
    index = photograph.header.index
    end = data_start(photograph) + sum(entry.size for entry in index[: whole + 1]) - 1
    result, (picture,) = tolerated(to_bytes(photograph)[:end])
    lost = [c for c in range(whole, len(index)) if index[c].size]
    assert_fails(result, 6, "truncated", name(lost), "the end of the data is missing")
    assert np.array_equal(picture, without(codec, photograph, lost))
    if whole < 63:
        assert np.array_equal(picture, codec.decode(select(photograph, tuple(range(whole)))).pixels)


def test_a_file_of_which_only_the_end_mark_is_missing(codec, photograph):
    result, (picture,) = tolerated(to_bytes(photograph)[:-1])
    assert_fails(result, 6, "truncated")
    assert np.array_equal(picture, codec.decode(photograph).pixels)


def test_a_file_without_one_whole_channel_is_refused(photograph):
    """So is one whose class map is gone, which all channels need, or whose header is."""
    sound, start = to_bytes(photograph), data_start(photograph)
    for cut in (start - 1, start + 1, start - 300):
        assert_fails(invoke("decode", "--tolerate", data=sound[:cut]), 3, "truncated")
    data = bytearray(sound)
    data[sound.index(photograph.class_map) + 9] ^= 4
    assert_fails(invoke("decode", "--tolerate", data=bytes(data)), 3, "chunk M", "class map")
    data = bytearray(sound)
    data[FIRST + 3] ^= 4
    assert_fails(invoke("decode", "--tolerate", data=bytes(data)), 3, "chunk H fails its checksum")
    assert_fails(invoke("decode", "--tolerate"), 3, "the input is empty")
    assert_fails(invoke("decode", "--tolerate", data=b"text"), 3, "not a nic stream")


def test_channels_that_do_without_the_class_map_outlive_it(codec, photograph):
    """A file with channels of both kinds, spelt from two."""
    own = codec.recode(photograph, Coder.OWN)
    sizes = [[entry.size for entry in record.header.index] for record in (photograph, own)]
    ends = [np.cumsum(part) for part in sizes]
    index, parts = [], []
    for c in range(len(sizes[0])):
        record, which = (own, 1) if c % 2 else (photograph, 0)
        index.append(record.header.index[c])
        parts.append(record.data[ends[which][c] - sizes[which][c] : ends[which][c]])
    head = replace(photograph.header, index=tuple(index))
    mixed = replace(photograph, header=head, data=b"".join(parts))
    data = bytearray(to_bytes(mixed))
    data[data.index(photograph.class_map) + 9] ^= 4
    result, (picture,) = tolerated(bytes(data))
    assert_fails(result, 6, "chunk M fails", "channels 0, 2, 4, ")
    assert np.array_equal(picture, without(codec, photograph, range(0, len(index), 2)))


@pytest.mark.parametrize("at", [0, 1, -1])
def test_a_damaged_ancillary_chunk_is_dropped(codec, photograph, at):
    """Whether its type, its length or its payload is damaged."""
    data = bytearray(to_bytes(replace(photograph, extra=(Chunk(b"q", b"something"),))))
    start = data.index(b"something") - 2
    data[start + at if at >= 0 else start + 5] ^= 0x40
    result, (picture,) = tolerated(bytes(data))
    assert_fails(result, 6, "fails its checksum and is left out")
    assert np.array_equal(picture, codec.decode(photograph).pixels)


@pytest.mark.parametrize("byte", [0, 1, 2])
def test_a_damaged_start_of_the_data(codec, photograph, byte):
    """Its length follows from the header."""
    data = bytearray(to_bytes(photograph))
    data[data_start(photograph) - 1 - byte] ^= 0x15
    result, (picture,) = tolerated(bytes(data))
    assert_fails(result, 6, "chunk D fails its checksum")
    assert np.array_equal(picture, codec.decode(photograph).pixels)


def test_records_after_a_damaged_or_lost_one_are_decoded(stages):
    sound = stages["packed"]
    picture = invoke("decode", "--format", "ppm", data=sound).out
    for broken, word in ((sound[:20], "record 2: truncated"), (b"garbage", "7 bytes after")):
        result = invoke("decode", "--tolerate", "--format", "ppm", data=sound + broken + sound)
        assert_fails(result, 3 if word.startswith("record 2") else 6, word)
        assert result.out == 2 * picture
    result = invoke("decode", "--tolerate", "--format", "ppm", data=b"garbage" + sound)
    assert_fails(result, 6, "7 bytes before the first record")
    assert result.out == picture


@pytest.mark.parametrize("stage", ["symbols", "latents"])
def test_other_stages_that_are_cut(stages, codec, stage):
    record = from_bytes(stages[stage])
    h, w, _ = record.header.latent_shape
    item = 1 if stage == "symbols" else 4
    result, (picture,) = tolerated(stages[stage][: -5 - 10 * h * w * item])
    assert_fails(result, 6, "truncated", "missing")
    assert picture.shape == codec.decode(record).pixels.shape
    kept = len(record.data) - 10 * h * w * item
    zeroed = record.data[:kept] + bytes(len(record.data) - kept)
    assert np.array_equal(picture, codec.decode(replace(record, data=zeroed)).pixels)


def test_lost_strips_are_blank_and_the_others_as_they_were(photographs):
    """But for the rows beside them, which the synthesis sees both from."""
    small = Codec(strip_pixels=600 * 144)
    rows = of_array(photographs["coffee"])
    parts = [small.forward(record, Stage.PACKED) for record in small.encode_rows(rows)]
    strips = [to_bytes(part) for part in parts]
    assert len(strips) == 3
    whole = b"".join(strips)
    sound = np.array(Image.open(io.BytesIO(invoke("decode", data=whole).out)))
    for lost, rows in ((0, "rows 0-143"), (1, "rows 144-287"), (2, "rows 288-399")):
        rest = b"".join(strips[:lost] + strips[lost + 1 :])
        result, (picture,) = tolerated(rest)
        assert_fails(result, 6, f"{rows} are lost")
        assert picture.shape == sound.shape
        far = {0: slice(300, 400), 1: slice(0, 40), 2: slice(0, 180)}[lost]
        assert np.array_equal(picture[far], sound[far])
    assert_fails(invoke("decode", data=strips[0] + strips[2]), 3, "strip")


def test_decompress_keeps_the_source_and_writes_the_whole_picture(codec, photograph, tmp_path):
    good, bad, gone = (tmp_path / f"{name}.nic" for name in ("good", "bad", "gone"))
    good.write_bytes(to_bytes(photograph))
    bad.write_bytes(damaged(photograph, 40))
    result = invoke("decompress", "--tolerate", "--rm", bad, good)
    assert_fails(result, 6, "bad.nic: ", "channel 40")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.nic", "bad.png", "good.png"]
    picture = np.array(Image.open(tmp_path / "bad.png"))
    assert np.array_equal(picture, without(codec, photograph, [40]))
    result = invoke("decompress", "--tolerate", "-f", gone, bad)
    assert result.code == 1  # a picture that is not there is graver
    assert result.err.count("\n") == 2


def test_the_installed_program_says_the_same(photograph):
    result = run("nic-decode", "--tolerate", data=damaged(photograph, 7))
    assert_fails(result, 6, "nic-decode: stdin: ", "channel 7 is damaged")
    assert Image.open(io.BytesIO(result.out)).size == (600, 400)


def test_most_flipped_bits_are_seen_by_the_channel_alone(codec, photograph):
    """The figure of nic-decode(1): the coder's own checks miss about one of fifty."""
    rng = np.random.default_rng(5)
    prior, unseen = codec.loader.tables(photograph.header), 0
    ends = np.cumsum([entry.size for entry in photograph.header.index])
    for at in rng.integers(0, len(photograph.data), 400):
        data = bytearray(photograph.data)
        data[at] ^= 1 << int(rng.integers(8))
        c = int(np.searchsorted(ends, at, side="right"))
        one = select(replace(photograph, data=bytes(data)), (c,))
        _, damage = coding.decode_intact(one, prior)
        assert set(damage.channels) <= {c}
        unseen += not damage
    assert unseen <= 24


def test_a_strict_decoder_names_all_damaged_channels(codec, photograph):
    data = damaged(photograph, 1, 2)
    record = replace(photograph, data=data[data_start(photograph) : -5])
    with pytest.raises(CorruptError, match="channels 1-2 are damaged"):
        codec.to_symbols(record)


def test_alpha_and_metadata_that_are_damaged_are_left_out(codec, pixels):
    """With a checksum that fails, and behind one that holds; the pixels stay."""
    alpha = np.zeros(pixels.shape[:2], np.uint8)
    alpha[5:30] = np.arange(1, 26)[:, None] * 10
    record = codec.forward(codec.encode(Picture(pixels, alpha)), Stage.PACKED)
    opaque = codec.decode(replace(record, alpha=b"")).pixels
    sound = to_bytes(record)
    assert record.alpha
    failing = bytearray(sound)
    failing[sound.index(record.alpha) + 30] ^= 1
    broken = replace(record, alpha=record.alpha[:40])
    for data, words in ((bytes(failing), "chunk A fails"), (to_bytes(broken), "alpha plane")):
        result, (picture,) = tolerated(data)
        assert_fails(result, 6, words, "left out")
        assert np.array_equal(picture, opaque)
        assert_fails(invoke("decode", data=data), 3, words)
        assert_fails(invoke("test", data=data), 3, words)
