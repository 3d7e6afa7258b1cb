"""Headers: what is written is read back, and what is nonsense is refused as such."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import CHANNELS, header

from nic.errors import CorruptError, NicError, VersionError
from nic.format.header import (
    MAX_PIXELS,
    MAX_SIDE,
    Colour,
    Header,
    from_json,
    from_packed,
    to_json,
    to_packed,
)
from nic.format.index import Channel, Mode

steady = settings(deadline=None, max_examples=60)

sides = st.integers(1, MAX_SIDE)
text = st.text(max_size=20)
digits = st.text("0123456789abcdef", min_size=8, max_size=8)
hundredths = st.none() | st.integers(100, 10000).map(lambda n: n / 100)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | st.just(math.inf),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def headers(draw):
    latent_channels = draw(st.integers(1, 255))
    channels = draw(st.integers(1, latent_channels))
    low = draw(st.integers(-31, 0))
    coded = st.builds(Channel, st.sampled_from(Mode), st.integers(0, 1 << 30))
    entry = coded.filter(lambda channel: channel.mode != Mode.EMPTY or not channel.size)
    index = draw(st.just([]) | st.lists(entry, min_size=channels, max_size=channels))
    width = draw(sides)
    return Header(
        width=width,
        height=draw(st.integers(1, min(MAX_SIDE, MAX_PIXELS // width))),
        colour=draw(st.sampled_from(Colour)),
        model=draw(digits),
        channels=channels,
        model_name=draw(st.none() | text),
        bit_depth=draw(st.sampled_from((8, 16))),
        latent_channels=latent_channels,
        codebook=(low, draw(st.integers(0, 31 + low))),
        quality=draw(hundredths),
        index=tuple(index),
        name=draw(st.none() | text),
        history=tuple(draw(st.lists(text, max_size=3))),
    )


@steady
@given(headers())
def test_json_keeps_everything(head):
    assert from_json(to_json(head)) == head


@steady
@given(headers().filter(lambda head: head.index))
def test_packed_keeps_all_but_what_matters_between_stages(head):
    kept = replace(head, model_name=None, name=None, history=())
    assert from_packed(to_packed(head)) == kept


@steady
@given(headers())
def test_json_is_one_line_and_shows_the_derived_fields(head):
    line = to_json(head)
    table = json.loads(line)
    assert b"\n" not in line
    assert table["latent_shape"] == [
        -(-head.height // 8),
        -(-head.width // 8),
        head.latent_channels,
    ]
    assert [(8 - side % 8) % 8 for side in (head.height, head.width)] == table["padding"]


def test_a_packed_header_is_small():
    """32 bytes at most, and less than one for each channel when they are alike."""
    full = header(MAX_SIDE, MAX_SIDE, quality=99.99, index=(Channel(Mode.FSE, 2047),) * 64)
    assert len(to_packed(full)) <= 32 + 64


def test_another_layout_of_the_index_is_refused():
    """The flag of the index in bits is set in every file."""
    written = to_packed(header(300, 200, channels=1, index=(Channel(Mode.CONTEXT, 300),)))
    assert written[0] & 0x40
    with pytest.raises(VersionError, match="unknown layout"):
        from_packed(bytes([written[0] & ~0x40]) + written[1:])


@steady
@given(headers(), st.data())
def test_nonsense_in_a_json_field_is_refused_or_harmless(head, data):
    table = json.loads(to_json(head))
    table[data.draw(st.sampled_from(sorted(table)))] = data.draw(values)
    try:
        read = from_json(json.dumps(table).encode())
    except CorruptError:
        return
    assert from_json(to_json(read)) == read


@pytest.mark.parametrize(
    "field", ["width", "height", "colour", "model", "channels", "codebook", "strip"]
)
def test_a_json_header_lacks_no_field(field):
    table = json.loads(to_json(header(16, 8)))
    del table[field]
    with pytest.raises(CorruptError, match="header is not valid"):
        from_json(json.dumps(table).encode())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"width": 0}, "width"),
        ({"height": MAX_SIDE + 1}, "height"),
        ({"width": -8}, "width"),
        ({"width": 1 << 15, "height": (1 << 15) + 1}, "pixels"),
        ({"channels": CHANNELS + 1}, "channels"),
        ({"channels": 0}, "channels"),
        ({"latent_channels": 256, "channels": 1}, "latent channels"),
        ({"quality": 0.5}, "quality"),
        ({"quality": 100.5}, "quality"),
        ({"bit_depth": 12}, "bit depth"),
        ({"codebook": (-16, 16)}, "codebook"),
        ({"codebook": (1, 16)}, "codebook"),
        ({"model": "0123456"}, "model"),
        ({"model": "0123456X"}, "model"),
        ({"index": (Channel(Mode.EMPTY, 0),)}, "index"),
        ({"channels": 1, "index": (Channel(Mode.EMPTY, 1),)}, "empty channel"),
        ({"channels": 1, "index": (Channel(Mode.RAW, -1),)}, "payload size"),
    ],
)
def test_a_field_out_of_range_is_named(change, what):
    with pytest.raises(CorruptError, match=what):
        from_json(to_json(replace(header(16, 8), **change)))


@steady
@given(st.binary(max_size=40))
def test_any_bytes_as_a_packed_header_are_read_or_refused(data):
    try:
        read = from_packed(data)
    except NicError:
        return
    # Numbers may be written longer than needed, so the bytes need not come out again.
    assert from_packed(to_packed(read)) == read


@pytest.mark.parametrize("cut", [0, 1, 3, 8, -1])
def test_a_cut_packed_header_is_refused(cut):
    whole = to_packed(header(300, 200, channels=2, index=(Channel(Mode.RAW, 40),) * 2))
    with pytest.raises(CorruptError, match="ends too early"):
        from_packed(whole[:cut])


def test_bytes_after_a_packed_header_are_refused():
    whole = to_packed(header(300, 200, channels=1, index=(Channel(Mode.RAW, 40),)))
    with pytest.raises(CorruptError, match="left over"):
        from_packed(whole + b"\0")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", math.inf),
        ("width", "wide"),
        ("height", None),
        ("quality", math.nan),
        ("quality", []),
        ("model", list("01234567")),
        ("model", {}),
        ("codebook", [0]),
        ("codebook", [-15, math.inf]),
        ("index", [["fse"]]),
        ("index", [["fse", math.inf]]),
        ("history", 5),
        ("name", []),
        ("model_name", {}),
        ("colour", 0),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(field, value):
    table = json.loads(to_json(header(16, 8, channels=1)))
    table[field] = value
    with pytest.raises(CorruptError, match="header"):
        from_json(json.dumps(table).encode())
