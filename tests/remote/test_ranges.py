"""A file in ranges: reads as a file does, and asks for little."""

import io
from os import SEEK_END

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nic.remote.ranges import FIRST, LEAST, Ranges, expect


def over(data):
    """A file of ranges over bytes, and the ranges that it asks for."""
    asked = []

    def fetch(start, end):
        asked.append((start, end))
        return data[start:end]

    return Ranges(fetch), asked


READS = st.lists(st.tuples(st.sampled_from("rsc"), st.integers(0, 12000)), max_size=12)


@given(st.integers(0, 20000), READS, st.booleans())
def test_it_reads_as_a_file_does(size, steps, hint):
    data = bytes(i * 7 % 251 for i in range(size))
    file, model = over(data)[0], io.BytesIO(data)
    for what, number in steps:
        if what == "r":
            if hint:
                expect(file, number // 3)
            assert file.read(number) == model.read(number)
        else:
            whence = 0 if what == "s" else 1
            assert file.seek(number, whence) == model.seek(number, whence)
        assert file.tell() == model.tell()
    assert file.read() == model.read()


def test_small_reads_share_a_request():
    file, asked = over(bytes(100_000))
    for _ in range(FIRST):
        file.read(1)
    assert asked == [(0, FIRST)]
    file.read(1)
    assert asked[1:] == [(FIRST, FIRST + LEAST)]


def test_what_is_expected_comes_with_the_next_bytes():
    file, asked = over(bytes(100_000))
    file.read(10)
    expect(file, 20_000)
    file.read(FIRST)
    file.read(20_000)
    assert asked == [(0, FIRST), (FIRST, FIRST + 10 + 20_000)]
    expect(file, 0)
    file.read(5000)
    assert asked[2:] == [(FIRST + 10 + 20_000, FIRST + 10 + 25_000)]


def test_no_request_is_made_for_what_is_known():
    file, asked = over(bytes(100))
    assert len(file.read(100)) == 100
    assert file.read(1) == b""
    file.seek(7)
    assert len(file.read()) == 93
    file.seek(1000)
    assert file.read(1) == b""
    assert (len(asked), file.requests, file.fetched) == (1, 1, 100)


def test_a_jump_drops_what_was_kept_but_not_the_file():
    file, asked = over(bytes(range(250)) * 100)
    file.seek(20_000)
    assert file.read(2) == bytes([0, 1])
    file.seek(3)
    assert file.read(2) == bytes([3, 4])
    assert asked == [(20_000, 20_000 + FIRST), (3, 3 + LEAST)]


def test_the_end_is_not_known():
    file, _ = over(b"abc")
    with pytest.raises(io.UnsupportedOperation):
        file.seek(0, SEEK_END)


def test_other_sources_expect_nothing():
    source = io.BytesIO(b"abc")
    expect(source, 100)
    assert source.read() == b"abc"
