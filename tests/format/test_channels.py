"""Single channels: named, selected, and read without the others, sound or damaged."""

import builtins
import io
import subprocess
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import assert_fails, invoke, run
from records import CHANNELS, from_bytes, planes, symbols, to_bytes

from nic.entropy import coding
from nic.errors import CorruptError, NicError, UsageError
from nic.format import channels, pack
from nic.format.bits import varint
from nic.format.header import to_packed
from nic.format.index import BY_CLASS
from nic.format.records import MAGIC, Record, Stage

STAGES = ("latents", "symbols", "coded", "packed")
CRC = 4  # bytes


class Counting(io.FileIO):
    """An unbuffered file that knows which of its bytes were read."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.touched = set()

    def read(self, size=-1):
        at = self.tell()
        data = super().read(size)
        self.touched.update(range(at, at + len(data)))
        return data


def opening(payload):
    """Bytes of a chunk before its payload: type and length."""
    return 1 + len(varint(len(payload)))


def before_data(record):
    """The chunks that stand before the payloads of channels."""
    chunks = to_packed(record.header), record.class_map, record.excess
    return [chunk for chunk in chunks if chunk]


def places(record):
    """Where things are in a packed record without ancillary chunks: framing, and channels."""
    data, at = record.data, len(MAGIC) + 1
    for payload in before_data(record):
        at += opening(payload) + len(payload) + CRC
    at += opening(data)
    framing = {*range(at), len(to_bytes(record)) - 1}  # the end, too
    ends = np.cumsum([at, *(channel.size for channel in record.header.index)])
    return framing, [range(*pair) for pair in pairwise(ends.tolist())]


def read_from(path, wanted):
    """The only record of a file, read by ``read_selected``, and the bytes that it read."""
    with Counting(path) as source:
        (record,) = channels.read_selected(source, wanted)
        return record, source.touched


def flipped(data, bit):
    broken = bytearray(data)
    broken[bit // 8] ^= 1 << bit % 8
    return bytes(broken)


# -- lists ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", [0]),
        ("0-7,12", [*range(8), 12]),
        ("12,0-7", [*range(8), 12]),
        ("3,1-4,2", [1, 2, 3, 4]),
        ("5-5", [5]),
        ("0-254", [*range(255)]),
    ],
)
def test_a_list_is_numbers_and_ranges(text, expected):
    assert channels.parse(text) == tuple(expected)


@given(st.sets(st.integers(0, 254), min_size=1))
def test_any_set_can_be_listed(chosen):
    assert channels.parse(",".join(map(str, chosen))) == tuple(sorted(chosen))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "neither a channel nor a range"),
        ("a", "'a' is neither"),
        ("1,,2", "'' is neither"),
        ("1,", "'' is neither"),
        ("3-", "'3-' is neither"),
        ("-3", "'-3' is neither"),
        ("1-2-3", "'1-2-3' is neither"),
        ("0 1", "'0 1' is neither"),
        ("1.5", "'1.5' is neither"),
        ("٣", "neither"),
        ("7-0", "7-0 runs backwards"),
        ("255", "no file has a channel 255"),
        ("0-999999999", "no file has a channel 999999999"),
        ("9" * 5000, "neither"),
    ],
)
def test_a_bad_list_is_refused(text, complaint):
    with pytest.raises(UsageError, match=complaint):
        channels.parse(text)


@pytest.mark.parametrize("command", ["extract", "decode", "decompress"])
def test_a_bad_list_is_a_usage_error_that_names_the_option(command):
    result = invoke(command, "-c", "7-0")
    assert_fails(result, 2, "'-c' / '--channels': the range 7-0 runs backwards")
    assert result.out == b""


# -- selecting --------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["symbols", "coded", "packed"])
@pytest.mark.parametrize("text", ["0", "0-2", "1,5,63", "62", f"0-{CHANNELS - 1}"])
def test_selected_channels_keep_their_symbols(codec, stages, stage, text):
    """And all others are zero, whatever the stage of the record."""
    wanted = channels.parse(text)
    record = from_bytes(stages[stage])
    expected = planes(codec.to_symbols(record)).copy()
    expected[[c for c in range(CHANNELS) if c not in wanted]] = 0
    selected = channels.select(record, wanted)
    assert selected.stage == record.stage
    assert selected.header.channels == wanted[-1] + 1
    found = planes(codec.to_symbols(from_bytes(to_bytes(selected))))
    assert np.array_equal(found, expected[: wanted[-1] + 1])


def test_selected_channels_keep_their_latents(stages):
    record = from_bytes(stages["latents"])
    whole = channels.latents(record)
    some = channels.latents(channels.select(record, (1, 5)))
    assert np.array_equal(some[[1, 5]], whole[[1, 5]])
    assert np.count_nonzero(some) == np.count_nonzero(whole[[1, 5]])


@given(st.data())
def test_selecting_from_any_symbols(data):
    """Also of modes that photographs rarely have: empty, constant and raw planes, own tables."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    all_planes = np.stack([
        np.zeros((9, 8)), np.full((9, 8), 3), rng.integers(-15, 17, (9, 8)),
        np.rint(rng.normal(0, 0.7, (9, 8))), rng.integers(0, 2, (9, 8)),
    ])  # fmt: skip
    record = pack.pack(coding.encode(symbols(all_planes)))
    wanted = tuple(sorted(data.draw(st.sets(st.integers(0, 4), min_size=1))))
    found = planes(coding.decode(pack.unpack(channels.select(record, wanted))))
    assert np.array_equal(found[list(wanted)], all_planes[list(wanted)])
    assert not np.delete(found, list(wanted), axis=0).any()


@pytest.mark.parametrize("stage", STAGES)
def test_selecting_equals_reading_alone(stages, tmp_path, stage):
    path = tmp_path / "a.nic"
    path.write_bytes(stages[stage])
    for wanted in ((0,), (1, 2, 9), (63,), tuple(range(CHANNELS))):
        expected = channels.select(from_bytes(stages[stage]), wanted)
        assert to_bytes(read_from(path, wanted)[0]) == to_bytes(expected)
        with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
            (record,) = channels.read_selected(cat.stdout, wanted)
        assert to_bytes(record) == to_bytes(expected)


@pytest.mark.parametrize("stage", STAGES)
def test_a_channel_that_is_not_there(stages, tmp_path, stage):
    record = from_bytes(stages[stage])
    available = CHANNELS
    if stage != "latents":
        record, available = channels.truncate(record, 16), 16
    (tmp_path / "a.nic").write_bytes(to_bytes(record))
    complaint = f"there is no channel {available}; channels are 0-{available - 1}"
    for command in ("extract", "decode", "decompress"):
        target = tmp_path / "b.png"
        result = invoke(command, "-c", f"0,{available}", tmp_path / "a.nic", "-o", target)
        assert_fails(result, 2, f"a.nic: {complaint}")
        assert not target.exists()
    with pytest.raises(UsageError, match=complaint):
        channels.select(record, (available,))


# -- what is read -----------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [0, 1, 31, 63])
def test_one_channel_of_a_file_reads_its_own_bytes(photograph, nic_file, channel):
    """Header, index, class map, excess, framing and its payload: nothing of other channels."""
    framing, payloads = places(photograph)
    record, touched = read_from(nic_file, (channel,))
    assert touched == framing | set(payloads[channel])
    size = photograph.header.index[channel].size
    framed = sum(opening(part) + len(part) + CRC for part in before_data(photograph))
    assert len(touched) == len(MAGIC) + 1 + framed + opening(photograph.data) + size + 1
    assert len(record.data) == size


def test_some_channels_of_a_file_read_their_own_bytes(photograph, nic_file):
    framing, payloads = places(photograph)
    wanted = (2, 3, 40)
    assert read_from(nic_file, wanted)[1] == framing.union(*(payloads[c] for c in wanted))


def test_one_channel_of_symbols_reads_its_plane(codec, photograph, tmp_path):
    path = tmp_path / "a.symbols"
    data = to_bytes(codec.to_symbols(photograph))
    path.write_bytes(data)
    h, w, _ = photograph.header.latent_shape
    record, touched = read_from(path, (40,))
    start = len(data) - 1 - CRC - CHANNELS * h * w  # of chunk D's payload
    assert touched == {*range(start), *range(start + 40 * h * w, start + 41 * h * w), len(data) - 1}
    assert np.array_equal(planes(record)[40], planes(codec.to_symbols(photograph))[40])


def test_the_second_record_of_a_file_is_found_without_reading_the_first(photograph, tmp_path):
    path = tmp_path / "both.nic"
    path.write_bytes(2 * to_bytes(photograph))
    framing, payloads = places(photograph)
    with Counting(path) as source:
        first, second = channels.read_selected(source, (9,))
        assert len(source.touched) == 2 * len(framing | set(payloads[9]))
    assert to_bytes(first) == to_bytes(second)


def test_all_channels_are_read_as_one_and_their_checksum_too(photograph, nic_file):
    record, touched = read_from(nic_file, tuple(range(CHANNELS)))
    assert len(touched) == len(to_bytes(photograph))
    assert to_bytes(record) == to_bytes(photograph)


def test_the_program_reads_no_more_of_a_file(photograph, nic_file, tmp_path, monkeypatch):
    """nic extract -c 31 a.nic: what is read ahead would be read, too."""
    opened = []

    def counting_open(path, *args, **settings):
        if path != str(nic_file):
            return open(path, *args, **settings)
        opened.append(Counting(path))
        return io.BufferedReader(opened[0])

    monkeypatch.setattr("nic.cli.common.files.open", counting_open, raising=False)
    result = invoke("extract", "-c", "31", nic_file, "-o", tmp_path / "c.npy")
    assert (result.code, result.err) == (0, "")
    framing, payloads = places(photograph)
    assert opened[0].touched == framing | set(payloads[31])
    assert open is builtins.open


# -- damage -----------------------------------------------------------------------------------


def test_damage_elsewhere_is_noticed_where_all_is_read(codec, photograph, nic_file, tmp_path):
    """By a pipe; a file's other channels are not looked at."""
    data = to_bytes(photograph)
    _, payloads = places(photograph)
    broken = flipped(data, 8 * payloads[50][0] + 3)
    nic_file.write_bytes(broken)
    alone = invoke("extract", "-c", "3", "--format", "npy", nic_file)
    assert (alone.code, alone.err) == (0, "")
    expected = planes(codec.to_symbols(photograph))[3:4]
    assert np.array_equal(np.load(io.BytesIO(alone.out)), expected)
    target = tmp_path / "c.npy"
    assert_fails(run("nic", "extract", "-c", "3", "-o", target, data=broken), 3, "chunk D fails")
    for command in (["extract"], ["extract", "-c", f"0-{CHANNELS - 1}"], ["latents"],
                    ["truncate", "-c", "3"], ["decode", "-c", "3"],
                    ["decompress", "-c", "3"]):  # fmt: skip
        assert_fails(invoke(*command, nic_file, "-o", tmp_path / "c.png"), 3, "a.nic: ", "chunk D")
    assert list(tmp_path.iterdir()) == [nic_file]


def test_damage_to_the_channel_itself_is_mostly_noticed(codec, photograph, nic_file):
    """Even without the checksum, by the strict end of its payload; with it, always."""
    data = to_bytes(photograph)
    payload = places(photograph)[1][31]
    bits = range(8 * payload.start, 8 * payload.stop, 5)
    passed = 0
    for bit in bits:
        broken = flipped(data, bit)
        nic_file.write_bytes(broken)
        with suppress(CorruptError):
            codec.to_symbols(read_from(nic_file, (31,))[0])
            passed += 1
        with pytest.raises(CorruptError, match="chunk D"):
            from_bytes(broken)
    assert passed < 0.1 * len(bits)


def test_damage_to_what_is_always_read_is_always_noticed(photograph, nic_file):
    """Every bit of magic, header, index, class map and framing."""
    data = to_bytes(photograph)
    for place in sorted(places(photograph)[0]):
        nic_file.write_bytes(flipped(data, 8 * place + place % 8))
        with pytest.raises(NicError):
            read_from(nic_file, (31,))


@pytest.mark.parametrize("stage", STAGES)
def test_a_file_that_is_cut_is_refused(stages, tmp_path, stage):
    """Though a seek beyond the end of a file succeeds."""
    data, path = stages[stage], tmp_path / "a.nic"
    for cut in sorted({*range(1, len(data), 97), *range(len(data) - 9, len(data))}):
        path.write_bytes(data[:cut])
        with pytest.raises(CorruptError, match="truncated"):
            read_from(path, (0,))


def test_a_cut_file_is_one_line(nic_file, tmp_path):
    nic_file.write_bytes(nic_file.read_bytes()[:-300])
    for source in (nic_file, "-"):
        with open(nic_file, "rb") as stdin:
            result = run("nic", "extract", "-c", "0", "-o", tmp_path / "b", source, stdin=stdin)
        assert_fails(result, 3, "truncated")
    assert list(tmp_path.iterdir()) == [nic_file]


def test_an_index_that_does_not_fit_the_data_is_refused(photograph, nic_file):
    for data in (bytes(photograph.data)[:-1], bytes(photograph.data) + b"?"):
        nic_file.write_bytes(to_bytes(replace(photograph, data=data)))
        with pytest.raises(CorruptError, match=f"{len(data)} bytes of data where"):
            read_from(nic_file, (0,))


def test_a_channel_by_class_needs_its_map(photograph, nic_file):
    wanted = next(c for c, e in enumerate(photograph.header.index) if e.mode in BY_CLASS)
    nic_file.write_bytes(to_bytes(replace(photograph, class_map=b"")))
    with pytest.raises(CorruptError, match="class map is missing"):
        read_from(nic_file, (wanted,))


def test_symbols_that_claim_a_huge_plane_allocate_nothing(tmp_path):
    """A small file whose header promises a gigabyte."""
    record = symbols(np.zeros((CHANNELS, 2, 2)))
    head = replace(record.header, width=1 << 15, height=1 << 15)
    h, w, _ = head.latent_shape
    data = to_bytes(Record(Stage.SYMBOLS, head, b""))
    start = data.index(b"D", len(data) - 8)
    path = tmp_path / "a.symbols"
    path.write_bytes(data[:start] + b"D" + varint(CHANNELS * h * w) + b"little")
    with pytest.raises(CorruptError, match="truncated"):
        read_from(path, (63,))
