"""The stream: what is written is read back, and whatever is broken is refused."""

import io
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import from_bytes, reread, symbols, to_bytes

from nic.entropy import coding
from nic.errors import CorruptError, NicError, VersionError
from nic.format import pack
from nic.format.bits import varint
from nic.format.chunks import END
from nic.format.header import to_packed
from nic.format.records import MAGIC, Chunk, read_records, size

steady = settings(deadline=None, max_examples=50)
STAGES = ("latents", "symbols", "coded", "packed")


class Pipe(io.RawIOBase):
    """A stream that cannot seek and gives few bytes at a time, as a slow pipe does."""

    def __init__(self, data):
        self._source = io.BytesIO(data)

    def readable(self):
        return True

    def seekable(self):
        return False

    def readinto(self, buffer):
        return self._source.readinto(memoryview(buffer)[:1000])


def chunk(kind, payload, claimed=None):
    """A chunk as the drawing in nic.format.chunks has it."""
    start = kind + varint(len(payload) if claimed is None else claimed)
    return start + payload + zlib.crc32(start + payload).to_bytes(4, "little")


def packed_record():
    rng = np.random.default_rng(3)
    planes = np.stack([rng.integers(-2, 3, (4, 5)), np.zeros((4, 5)), np.full((4, 5), 3)])
    return pack.pack(coding.encode(symbols(planes, quality=50.0)))


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_read_as_it_was_written(stages, stage):
    record = from_bytes(stages[stage])
    assert record.stage.name.lower() == stage
    assert to_bytes(record) == stages[stage]
    assert size(record) == len(stages[stage])


@pytest.mark.parametrize("stage", STAGES)
def test_every_prefix_is_refused(stages, stage):
    """Cut at every 97th byte, and at each of the first and last hundred."""
    data = stages[stage]
    cuts = {*range(0, len(data), 97), *range(100), *range(len(data) - 100, len(data))}
    for cut in sorted(cuts & set(range(len(data)))):
        with pytest.raises(CorruptError, match="empty" if cut == 0 else "truncated|ends"):
            from_bytes(data[:cut])


@pytest.mark.parametrize("stage", STAGES)
def test_a_second_record_that_is_cut_does_not_hide_the_first(stages, stage):
    records = read_records(io.BytesIO((2 * stages[stage])[:-1]))
    assert next(records).stage.name.lower() == stage
    with pytest.raises(CorruptError, match="truncated"):
        next(records)


def test_every_single_bit_flip_is_noticed():
    """Of a packed file with several coding modes, whatever the bit."""
    data = to_bytes(packed_record())
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises((CorruptError, VersionError)):
            from_bytes(bytes(broken))


@steady
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_refused(data, with_magic):
    with pytest.raises(NicError):
        from_bytes(MAGIC + data if with_magic else data)


@steady
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=12))
def test_bytes_written_over_a_record_are_noticed(at, patch):
    data = to_bytes(packed_record())
    at %= len(data)
    broken = data[:at] + patch + data[at + len(patch) :]
    if broken != data:
        with pytest.raises(NicError):
            list(read_records(io.BytesIO(broken)))


@pytest.mark.parametrize("stage", STAGES)
def test_a_slow_pipe_that_cannot_seek_will_do(stages, stage):
    source = io.BufferedReader(Pipe(stages[stage] * 2))
    assert [to_bytes(record) for record in read_records(source)] == [stages[stage]] * 2


def test_records_of_different_stages_follow_each_other(stages):
    found = list(read_records(io.BytesIO(b"".join(stages[s] for s in STAGES))))
    assert [record.stage.name.lower() for record in found] == list(STAGES)


@steady
@given(st.lists(st.tuples(st.sampled_from("abtxyz"), st.binary(max_size=300)), max_size=4))
def test_ancillary_chunks_pass(chunks):
    extra = tuple(Chunk(kind.encode(), payload) for kind, payload in chunks)
    record = replace(packed_record(), extra=extra)
    assert reread(record).extra == extra


def test_ancillary_chunks_may_follow_the_data():
    data = to_bytes(packed_record())
    record = from_bytes(data[:-1] + chunk(b"z", b"later") + END)
    assert record.extra == (Chunk(b"z", b"later"),)


@pytest.mark.parametrize("kind", [b"Q", b"Z", b"H", b"D"])
def test_unknown_or_repeated_critical_chunks_are_refused(kind):
    data = to_bytes(packed_record())
    with pytest.raises(VersionError, match=f"critical chunk {kind.decode()!r}"):
        from_bytes(data[:-1] + chunk(kind, b"??") + END)


@pytest.mark.parametrize("length", [1 << 20, 1 << 33, (1 << 40) - 1, 1 << 62])
@pytest.mark.parametrize("kind", [b"D", b"x", b"H"])
def test_a_claimed_length_allocates_nothing(kind, length):
    """Less than is read at once, whatever the chunk says of itself."""
    head = to_bytes(packed_record())[: len(MAGIC) + 1]
    start = head if kind == b"H" else head + chunk(b"H", to_packed(packed_record().header))
    tracemalloc.start()
    try:
        with pytest.raises(CorruptError):
            from_bytes(start + kind + varint(length) + b"little")
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("version", [0, 2, 15])
def test_other_versions_are_refused(version):
    data = bytearray(to_bytes(packed_record()))
    data[len(MAGIC)] = data[len(MAGIC)] & 0xF0 | version
    with pytest.raises(VersionError, match=f"version {version}"):
        from_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (lambda d: d.replace(b"\r\n", b"\n"), "line ends converted"),
        (lambda d: bytes(b & 0x7F for b in d), "high bits stripped"),
        (lambda d: d[: d.index(b"\x1a")], "cut at the first ^Z"),
        (lambda d: d.decode("latin-1").encode(), "recoded as UTF-8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_text_mode_transfers_are_noticed(damage, name):
    with pytest.raises(CorruptError):
        from_bytes(damage(to_bytes(packed_record())))


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\x89PNG\r\n\x1a\n....", "PNG"),
        (b"\xff\xd8\xff\xe0........", "JPEG"),
        (b"GIF89a......", "GIF"),
        (b"RIFF....WEBP", "WebP"),
        (b"II*\0........", "TIFF"),
        (b"BM..........", "BMP"),
        (b"P6\n1 1\n255\n...", "PPM"),
    ],
)
def test_a_picture_is_recognised_and_the_tool_named(start, name):
    with pytest.raises(CorruptError, match=f"{name}.*nic-encode"):
        from_bytes(start)


def test_data_that_is_not_of_the_size_in_the_header_is_refused():
    record = symbols(np.zeros((2, 3, 3)))
    with pytest.raises(CorruptError, match="17 bytes of data where the header says 18"):
        reread(replace(record, data=record.data[:-1]))


def test_the_same_record_gives_the_same_bytes():
    assert to_bytes(packed_record()) == to_bytes(packed_record())
