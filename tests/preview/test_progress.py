"""nic-decode --progressive: pictures from what has arrived so far of a stream."""

import io
import re
import time

import numpy as np
import pytest
from programs import assert_fails, invoke, run, start
from records import from_bytes, to_bytes

import nic
from nic.format.chunks import write_chunk
from nic.format.header import to_packed
from nic.format.records import MAGIC, read_records

PPM = re.compile(rb"P[56]\n(\d+) (\d+)\n(\d+)\n")
PROGRESSIVE = ("decode", "--progressive", "--format", "ppm")


def pictures(stream):
    """The netpbm pictures of a stream, each as bytes."""
    found = []
    while stream:
        head = PPM.match(stream)
        width, height, most = map(int, head.groups())
        size = width * height * (3 if stream.startswith(b"P6") else 1) * (2 if most > 255 else 1)
        found.append(stream[: head.end() + size])
        stream = stream[head.end() + size :]
    return found


def decoded(data, *args):
    """What nic-decode writes of a stream, as PPM."""
    result = invoke("decode", "--format", "ppm", *args, data=data)
    assert (result.code, result.err) == (0, "")
    return result.out


def after(record, count):
    """How many bytes of a packed record are needed for its first ``count`` channels."""
    whole, sizes = to_bytes(record), [channel.size for channel in record.header.index]
    return len(whole) - 5 - sum(sizes) + sum(sizes[:count])


@pytest.fixture(scope="module")
def versions(photograph):
    """The four versions of the photograph."""
    data = to_bytes(photograph)
    small = invoke("thumbnail", "--format", "ppm", data=data).out
    return [small, decoded(data, "-c", "0-15"), decoded(data, "-c", "0-31"), decoded(data)]


# -- what arrives -----------------------------------------------------------------------------


def test_every_version_is_written(photograph, versions):
    result = invoke(*PROGRESSIVE, data=to_bytes(photograph))
    assert (result.code, result.err) == (0, "")
    assert pictures(result.out) == versions


def test_a_version_is_written_before_the_next_bytes_come(photograph, versions):
    """Run for real: the next bytes are given only when the version has been read."""
    data, at = to_bytes(photograph), 0
    process = start("nic-decode", "--progressive", "--format", "ppm")
    for count, version in zip((3, 16, 32), versions, strict=False):
        upto = after(photograph, count)
        process.stdin.write(data[at:upto])
        process.stdin.flush()
        assert process.stdout.read(len(version)) == version
        at = upto
    out, err = process.communicate(data[at:], timeout=60)
    assert (out, err, process.returncode) == (versions[3], b"", 0)


def test_a_file_always_holds_the_best_version(photograph, versions, tmp_path):
    data, at, target = to_bytes(photograph), 0, tmp_path / "a.ppm"
    process = start("nic-decode", "--progressive", "-o", target)
    for count, version in zip((3, 16, 32), versions, strict=False):
        upto = after(photograph, count)
        process.stdin.write(data[at:upto])
        process.stdin.flush()
        end = time.monotonic() + 60
        while not (target.exists() and len(target.read_bytes()) == len(version)
                   and target.read_bytes() == version):  # fmt: skip
            assert time.monotonic() < end
            time.sleep(0.02)
        at = upto
    _, err = process.communicate(data[at:], timeout=60)
    assert (err, process.returncode) == (b"", 0)
    assert target.read_bytes() == versions[3]
    assert list(tmp_path.iterdir()) == [target]


def test_of_a_file_only_the_best_version_is_written(nic_file, versions, tmp_path, monkeypatch):
    target, written = tmp_path / "b.ppm", []
    from nic.picture import rows

    write = rows.write
    monkeypatch.setattr(rows, "write", lambda *args: (written.append(1), write(*args)))
    assert invoke("decode", "--progressive", nic_file, "-o", target).code == 0
    assert target.read_bytes() == versions[3]
    assert written == [1]


@pytest.mark.parametrize("stage", ["latents", "symbols", "coded", "packed"])
def test_records_of_every_stage(stages, stage):
    data = stages[stage]
    expected = [
        invoke("thumbnail", "--format", "ppm", data=data).out,
        *(decoded(data, "-c", f"0-{last}") for last in (15, 31)),
        decoded(data),
    ]
    assert pictures(invoke(*PROGRESSIVE, data=data).out) == expected


@pytest.mark.parametrize(("count", "before"), [(1, 0), (3, 0), (4, 1), (16, 1), (17, 2), (40, 3)])
def test_files_of_few_channels_have_fewer_versions(photograph, versions, count, before):
    data = invoke("truncate", "-c", count, data=to_bytes(photograph)).out
    found = pictures(invoke(*PROGRESSIVE, data=data).out)
    assert found == [*versions[:before], decoded(data)]


def test_several_pictures(stages, tmp_path):
    one = invoke(*PROGRESSIVE, data=stages["packed"]).out
    assert invoke(*PROGRESSIVE, data=2 * stages["packed"]).out == 2 * one
    target = tmp_path / "a.ppm"
    result = run("nic-decode", "--progressive", "-o", target, data=2 * stages["packed"])
    assert_fails(result, 2, "more than one picture for", "use stdout")
    assert target.read_bytes() == decoded(stages["packed"])
    (tmp_path / "a.nic").write_bytes(stages["packed"])
    many = invoke("decode", "--progressive", "-f", "-o", target, *2 * [tmp_path / "a.nic"])
    assert_fails(many, 2, "more than one picture for")


def test_transparency_metadata_and_depth(photographs, tmp_path):
    pixels = photographs["coffee"][:80, :96].astype(np.uint16) * 257
    alpha = np.full((80, 96), 30000, np.uint16)
    data = nic.compress(np.dstack([pixels, alpha]))
    out = io.BytesIO(invoke("decode", "--progressive", "--format", "npy", data=data).out)
    found = [np.load(out) for _ in range(4)]
    assert [a.shape for a in found] == [(10, 12, 4), *3 * [(80, 96, 4)]]
    assert all(a.dtype == np.uint16 and (a[..., 3] == 30000).all() for a in found)


# -- strips -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_strips(photographs):
    return nic.compress(photographs["coffee"][:299, 100:350], strip_pixels=48 * 250)


def test_a_picture_in_strips_has_a_thumbnail_after_each(in_strips):
    *small, whole = pictures(invoke(*PROGRESSIVE, data=in_strips).out)
    assert whole == decoded(in_strips)
    assert len(small) == 7
    assert small[-1] == invoke("thumbnail", "--format", "ppm", data=in_strips).out
    done = np.frombuffer(small[-1][-38 * 32 * 3 :], np.uint8).reshape(38, 32, 3)
    for number, version in enumerate(small, 1):
        rows = np.frombuffer(version[-38 * 32 * 3 :], np.uint8).reshape(38, 32, 3)
        assert np.array_equal(rows[: 6 * number], done[: 6 * number])
        below = rows[6 * number :].reshape(-1, 3)
        assert not below.size or (below == below[0]).all()


@pytest.mark.parametrize("share", [0, 0.8])
def test_missing_strips_are_blank(in_strips, share):
    records = list(read_records(io.BytesIO(in_strips)))
    fourth = to_bytes(records[3])
    data = to_bytes(*records[:3]) + fourth[: int(share * len(fourth))]
    result = invoke(*PROGRESSIVE, data=data)
    assert_fails(result, 6, "truncated" if share else "rows 144-298", "are lost")
    assert pictures(result.out)[-1] == invoke(
        "decode", "--tolerate", "--format", "ppm", data=data).out  # fmt: skip


# -- truncated and damaged --------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 10, 16, 31, 60, 79])
def test_a_truncated_stream_shows_what_there_is(photograph, versions, tmp_path, count):
    data = to_bytes(photograph)[: after(photograph, count) + 1]
    tolerated = invoke("decode", "--tolerate", "--format", "ppm", data=data)
    result = invoke(*PROGRESSIVE, data=data)
    assert_fails(result, 6, "truncated: the input ends inside a record")
    assert result.err == tolerated.err
    before = [version for least, version in zip((3, 16, 32), versions, strict=False)
              if count >= least]  # fmt: skip
    assert pictures(result.out) == [*before, tolerated.out]
    target = tmp_path / "a.ppm"
    assert run("nic-decode", "--progressive", "-o", target, data=data).code == 6
    assert target.read_bytes() == tolerated.out


def test_a_truncated_file(nic_file, tmp_path):
    nic_file.write_bytes(nic_file.read_bytes()[:-100])
    target = tmp_path / "a.ppm"
    result = invoke("decode", "--progressive", nic_file, "-o", target)
    assert_fails(result, 6, "a.nic: truncated")
    tolerated = invoke("decode", "--tolerate", "--format", "ppm", nic_file)
    assert target.read_bytes() == tolerated.out


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "the input is empty"),
        (MAGIC[:5], "truncated"),
        (MAGIC, "truncated"),
        (b"text of some length", "this is not a nic stream"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "this is a PNG picture"),
    ],
)
def test_where_nothing_can_be_shown_nothing_is_written(data, complaint, tmp_path):
    target = tmp_path / "a.ppm"
    assert_fails(invoke("decode", "--progressive", "-o", target, data=data), 3, complaint)
    assert not list(tmp_path.iterdir())


def test_a_header_is_not_enough(photograph, tmp_path):
    data = to_bytes(photograph)[:150]
    result = run("nic-decode", "--progressive", "-o", tmp_path / "a.ppm", data=data)
    assert_fails(result, 3, "truncated")
    assert not list(tmp_path.iterdir())


def test_damage_ends_the_versions_unless_it_is_tolerated(photograph, versions, tmp_path):
    data = bytearray(to_bytes(photograph))
    data[after(photograph, 40) + 20] ^= 0xFF
    result = invoke(*PROGRESSIVE, data=bytes(data))
    assert_fails(result, 3, "chunk D fails its checksum")
    assert pictures(result.out) == versions[:3]
    target = tmp_path / "a.ppm"
    failed = run("nic-decode", "--progressive", "-o", target, data=bytes(data))
    assert_fails(failed, 3, "chunk D fails its checksum")
    assert target.read_bytes() == versions[2]
    tolerated = invoke("decode", "--tolerate", "--format", "ppm", data=bytes(data))
    result = invoke(*PROGRESSIVE, "--tolerate", data=bytes(data))
    assert result.code == tolerated.code == 6
    assert pictures(result.out) == [*versions[:3], tolerated.out]


def test_a_class_map_that_comes_last_is_waited_for(photograph, versions):
    """Our programs write it before the channels; the format does not ask for that."""
    out = io.BytesIO()
    out.write(MAGIC + bytes([photograph.stage << 4 | 1]))
    write_chunk(out, b"H", to_packed(photograph.header))
    if photograph.excess:
        write_chunk(out, b"X", photograph.excess)
    write_chunk(out, b"D", photograph.data)
    write_chunk(out, b"M", photograph.class_map)
    out.write(b"E")
    assert from_bytes(out.getvalue()).class_map == photograph.class_map
    assert pictures(invoke(*PROGRESSIVE, data=out.getvalue()).out) == versions[3:]


# -- options ----------------------------------------------------------------------------------


def test_an_existing_file_is_kept_without_force(stages, tmp_path):
    target = tmp_path / "a.ppm"
    target.write_bytes(b"mine")
    words = ["nic-decode", "--progressive", "-o", target]
    assert_fails(run(*words, data=stages["packed"]), 1, "exists already; use -f to replace it")
    assert target.read_bytes() == b"mine"
    assert run(*words, "-f", data=stages["packed"]).code == 0
    assert target.read_bytes() == decoded(stages["packed"])


@pytest.mark.parametrize("words", [["-c", "0"], ["--scale", "1/8"]])
def test_options_that_exclude_each_other(stages, words):
    result = invoke("decode", "--progressive", *words, data=stages["packed"])
    assert_fails(result, 2, "give only one of --channels, --scale and --progressive")


def test_urls_are_for_other_programs():
    result = invoke("decode", "--progressive", "https://example.org/a.nic")
    assert_fails(result, 2, "--progressive takes no URL; pipe the file from curl")
