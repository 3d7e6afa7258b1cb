"""Limits: what is too large is refused before memory is asked for it."""

import resource
import subprocess

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, invoke, program, run
from records import from_bytes, header, to_bytes

from nic import limits
from nic.cli.batch import processes as workers
from nic.cli.batch.job import Outcome
from nic.errors import NicError, UsageError
from nic.format.index import Channel, Mode
from nic.format.records import Record, Stage
from nic.limits import Limit, Work, parse
from nic.picture.rows import Rows

GIGA = 1 << 30


def claiming(model, width, height, **fields):
    """A packed record of some 30 bytes: one channel, all zero."""
    head = header(width, height, model=model.id, latent_channels=model.channels, channels=1,
                  index=(Channel(Mode.EMPTY, 0),), **fields)  # fmt: skip
    return to_bytes(Record(Stage.PACKED, head, b""))


def within(memory, name, *args, data=b""):
    """A program run in so many bytes of address space, and the most that it ever had (bytes)."""

    def bound():
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    result = run(name, *args, data=data, preexec_fn=bound)
    return result, max(0, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before) * 1024


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("500000", 500000), ("2k", 2000), ("500M", 5 * 10**8), ("4G", 4 * 10**9)],
)
def test_numbers_with_units(text, number):
    assert parse(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5M", "M", "1m", "1 M", "1e6", "9" * 16])
def test_what_is_no_number_of_pixels(text):
    with pytest.raises(UsageError, match="not a number of pixels"):
        parse(text)
    result = invoke("decode", "--max-pixels", text)
    assert (result.code, "max-pixels" in result.err) == (2, True)


def test_a_limit_that_is_given_holds_for_all_work():
    for work in Work:
        Limit(100).check(10, 10, work)
        with pytest.raises(NicError, match=r"11x10 are 110 pixels and the limit is 100; see --max"):
            Limit(100).check(11, 10, work)


def test_without_one_memory_is_the_limit(monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: 4 * GIGA)
    for work in Work:
        most = work.pixels_in(4 * GIGA)
        Limit().check(most, 1, work)
        with pytest.raises(NicError, match="free memory"):
            Limit().check(most + 1, 1, work)
    monkeypatch.setattr(limits, "free_memory", lambda: None)  # a system that does not say
    Limit().check(1 << 24, 1 << 24, Work.PICTURE)


def test_processes_that_start_at_once_share_the_memory(monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: 4 * GIGA)
    quarter = Work.PICTURE.pixels_in(GIGA)
    Limit(processes=4).check(quarter, 1, Work.PICTURE)
    with pytest.raises(NicError, match="holds in each of 4 processes"):
        Limit(processes=4).check(quarter + 1, 1, Work.PICTURE)
    insists = Limit(quarter + 1, processes=4)
    insists.check(quarter + 1, 1, Work.PICTURE)


def test_a_pile_s_workers_are_told_how_many_they_are(monkeypatch, tmp_path):
    told = []

    def in_workers(jobs, task, count):
        told.append((task.act.keywords["how"].settings.processes, count))
        yield from ((number, Outcome(0)) for number in range(len(jobs)))

    monkeypatch.setattr(workers, "in_workers", in_workers)
    assert invoke("compress", "-j", "3", *(tmp_path / f"{i}.png" for i in range(5))).code == 0
    assert told == [(3, 3)]


def test_small_pictures_need_the_memory_of_their_activations_only():
    assert Work.PICTURE.pixels_in(200 << 20) > 10**6
    assert Work.PICTURE.pixels_in(2 << 30) > 70 * 10**6


@pytest.mark.parametrize("tool", ["encode", "compress", "latents"])
def test_a_picture_above_the_limit(tool, png, tmp_path):
    result = invoke(tool, "--max-pixels", "2k", png, "-o", tmp_path / "out")
    assert_fails(result, 1, "a.png: 52x45 are 2340 pixels", "2000; see --max-pixels")
    assert not (tmp_path / "out").exists()
    assert invoke(tool, "--max-pixels", "2340", png, "-o", tmp_path / "out").code == 0


@pytest.mark.parametrize("tool", ["decode", "decompress", "test", "latents", "extract"])
@pytest.mark.parametrize("stage", ["coded", "packed"])
def test_a_stream_above_the_limit(tool, stage, stages, tmp_path):
    out = () if tool == "test" else ("-o", tmp_path / "out.png")
    result = invoke(tool, "--max-pixels", "2k", *out, data=stages[stage])
    assert_fails(result, 1, "stdin: 52x45 are 2340 pixels", "2000; see --max-pixels")
    assert invoke(tool, "--max-pixels", "1M", *out, data=stages[stage]).code == 0


def test_coding_again_decodes_too(stages):
    result = invoke("entropy", "--coder", "own", "--max-pixels", "2k", data=stages["packed"])
    assert_fails(result, 1, "2340 pixels")


def test_tolerating_damage_does_not_lift_the_limit(stages):
    for data in (stages["packed"], stages["packed"][:-9]):
        result = invoke("decode", "--tolerate", "--max-pixels", "2k", data=data)
        assert_fails(result, 1, "2340 pixels")


@pytest.mark.parametrize("tool", ["nic-decode", "nic-entropy"])
def test_a_gigapixel_in_40_bytes_is_refused_in_little_memory(model, tool):
    data = claiming(model, 1 << 15, 1 << 15)
    assert len(data) <= 40
    options = ("--coder", "raw") if tool == "nic-entropy" else ()
    result, memory = within(2 * GIGA, tool, *options, data=data)
    assert_fails(result, 1, "32768x32768 are 1073741824 pixels", "--max-pixels")
    assert memory < GIGA // 2


def test_who_insists_gets_one_line_when_memory_ends(model):
    data = claiming(model, 1 << 15, 1 << 15)
    result, memory = within(2 * GIGA, "nic-decode", "--max-pixels", "2G", data=data)
    assert_fails(result, 1, "not enough memory")
    assert memory < 2 * GIGA


def test_strips_cannot_add_up_to_more_than_memory(model):
    """Each of these is small enough; the picture, which PNG needs whole, is not."""
    side = 1 << 14
    parts = [claiming(model, side, 16, strip=(16 * i, 1 << 24)) for i in range(32)]
    result, memory = within(3 * GIGA, "nic-decode", data=b"".join(parts))
    assert_fails(result, 1, f"{side}x{1 << 24}", "--max-pixels")
    assert memory < 2 * GIGA
    result, _ = within(3 * GIGA, "nic-decode", "--tolerate", data=b"".join(parts))
    assert_fails(result, 1, "--max-pixels")


def test_strips_that_are_too_wide_for_memory(model, monkeypatch, codec):
    """A pass holds some rows of all columns; a whole picture of this width is done in parts."""
    wide = (1 << 20, 16)
    monkeypatch.setattr(limits, "free_memory", lambda: GIGA)
    Limit().check(*wide, Work.PICTURE)
    with pytest.raises(NicError, match="1048576 pixels wide, needs 3600 MB and free memory holds"):
        Limit().check_width(wide[0])
    Limit(max_pixels=GIGA).check_width(wide[0])  # who insists may try
    record = from_bytes(claiming(model, *wide, strip=(0, 32)))
    with pytest.raises(NicError, match="pixels wide"):
        next(codec.decode_strips([record]))
    rows = Rows(wide[0], 1 << 10, lambda n: np.zeros((n, wide[0]), np.uint8))
    with pytest.raises(NicError, match="pixels wide"):
        next(codec.encode_rows(rows))


def test_pillow_s_own_limit_is_not_what_stops(tmp_path):
    """179 million pixels are its limit; these are more, in one bit each."""
    path = tmp_path / "large.png"
    Image.new("1", (20000, 10000)).save(path)
    result = run("nic-encode", "--max-pixels", "190M", path)
    assert_fails(result, 1, "20000x10000 are 200000000 pixels and the limit is 190000000")


def test_a_gif_above_pillow_s_limit_is_one_line(tmp_path):
    """Its reader checks that limit by itself."""
    Image.new("L", (8, 8)).save(tmp_path / "a.gif")
    data = bytearray((tmp_path / "a.gif").read_bytes())
    at = data.index(b",", 13)
    data[at + 5 : at + 9] = b"\xff\xff\xff\x7f"  # the frame, larger than the canvas
    result = run("nic-encode", "--max-pixels", "4G", data=bytes(data))
    assert_fails(result, 1, "Pillow's limit")


def test_reading_and_decoding_stay_within_what_the_limit_counts_on(model, tmp_path):
    """Peak memory of real runs on 2000x2000 pixels, beside that of a run on 16x16."""
    peaks = {}
    for side in (16, 2000):
        path = tmp_path / f"{side}.png"
        Image.fromarray(np.full((side, side, 3), 90, np.uint8)).save(path)
        data = run("nic", "compress", path, "-o", "-").out
        for name, args, given in (
            ("PICTURE", ("nic-encode", path), b""),
            ("PICTURE-", ("nic-decode", "--format", "ppm"), data),
            ("SYMBOLS", ("nic", "test"), data),
            ("LATENTS", ("nic", "latents"), data),
        ):
            peaks[name, side] = peak(*args, data=given)
    for name in ("PICTURE", "PICTURE-", "SYMBOLS", "LATENTS"):
        used = peaks[name, 2000] - peaks[name, 16]
        work = Work[name.rstrip("-")]
        noise = 64 << 20
        assert work.pixels_in(max(0, used - noise)) <= 2000 * 2000, (name, used)


def peak(*args, data=b""):
    """The most memory that a program had, in bytes."""
    measure = "import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, " \
              "stdout=subprocess.DEVNULL)\nprint(resource.getrusage(resource.RUSAGE_CHILDREN)" \
              ".ru_maxrss)"  # fmt: skip
    import sys

    command = [sys.executable, "-c", measure, program(args[0]), *map(str, args[1:])]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return int(done.stdout) * 1024
