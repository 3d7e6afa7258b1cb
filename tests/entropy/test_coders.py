"""Coders for comparison, transcoding between them, and threads: the symbols stay the same."""

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from programs import assert_fails, run
from records import planes, reread, symbols

from nic.entropy import coding, modes
from nic.entropy.coding import Coder
from nic.errors import CorruptError, UsageError
from nic.format.index import BY_CLASS, Mode
from nic.format.records import Stage, read_records

MODES = {
    Coder.PRIOR: {Mode.CONTEXT, Mode.CLASS},
    Coder.OWN: {Mode.OWN},
    Coder.FSE: {Mode.FSE, Mode.RAW},
    Coder.RAW: {Mode.RAW},
    Coder.ZSTD: {Mode.OWN},
}
SINGLE = {Mode.EMPTY, Mode.CONSTANT}


@pytest.fixture(scope="module")
def photograph_symbols(codec, photograph):
    return codec.to_symbols(photograph)


def coded_size(record):
    return len(record.data) + len(record.class_map)


@pytest.mark.parametrize("coder", Coder)
def test_every_coder_gives_the_symbols_back(codec, photograph_symbols, coder):
    if coder == Coder.ZSTD:
        pytest.importorskip("zstandard", reason="zstandard is not installed")
    prior = codec.loader.tables(photograph_symbols.header)
    coded = reread(coding.encode(photograph_symbols, prior, coder))
    assert coding.decode(coded, prior).data == photograph_symbols.data
    used = {entry.mode for entry in coded.header.index} - SINGLE
    assert used
    assert used <= MODES.get(coder, set(Mode))


def test_auto_is_never_longer_than_another_coder(codec, photograph_symbols):
    prior = codec.loader.tables(photograph_symbols.header)
    sizes = {c: coded_size(coding.encode(photograph_symbols, prior, c))
             for c in Coder if c != Coder.ZSTD}  # fmt: skip
    assert sizes[Coder.AUTO] == min(sizes.values())
    assert sizes[Coder.AUTO] < 0.9 * sizes[Coder.FSE] < sizes[Coder.RAW]


@pytest.mark.parametrize("threads", [2, 3, 70])
def test_threads_do_not_change_a_byte(codec, photograph_symbols, threads):
    prior = codec.loader.tables(photograph_symbols.header)
    one = coding.encode(photograph_symbols, prior)
    many = coding.encode(photograph_symbols, prior, threads=threads)
    assert (many.data, many.class_map, many.header) == (one.data, one.class_map, one.header)
    assert coding.decode(many, prior, threads).data == photograph_symbols.data


def test_small_planes_take_a_table_of_one_byte_and_large_ones_a_header():
    rng = np.random.default_rng(0)
    small = np.clip(np.rint(rng.laplace(0, 1, (1, 12, 12))), -15, 16)
    large = np.clip(np.rint(rng.laplace(0, 1, (1, 200, 200))) * 2, -15, 16)  # no odd symbols
    for source, parametric in ((small, True), (large, False)):
        coded = reread(coding.encode(symbols(source)))
        assert [entry.mode for entry in coded.header.index] == [Mode.OWN]
        assert (coded.data[:1] == modes.PARAMETER) == parametric
        np.testing.assert_array_equal(planes(coding.decode(coded)), source)


def test_zstd_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    source = symbols(np.arange(12).reshape(1, 3, 4))
    with pytest.raises(UsageError, match=r"nic-codec\[zstd\]"):
        coding.encode(source, None, Coder.ZSTD)


@pytest.mark.parametrize("frame", [b"", b"nonsense", b"\x28\xb5\x2f\xfd\x20\x01\x09\x00\x00\x07"])
def test_a_damaged_zstd_frame_is_named(frame):
    pytest.importorskip("zstandard", reason="zstandard is not installed")
    with pytest.raises(ValueError, match="zstd frame"):
        modes.decode(Mode.OWN, modes.ZSTD + frame, 5)


def test_bytes_after_a_zstd_frame_are_refused():
    pytest.importorskip("zstandard", reason="zstandard is not installed")
    mode, payload = modes.zstd(np.arange(5, dtype=np.uint8))
    assert modes.decode(mode, payload, 5).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="zstd frame"):
        modes.decode(mode, payload + b"more", 5)


def test_the_prior_coder_needs_a_prior():
    with pytest.raises(UsageError, match="tables"):
        coding.encode(symbols(np.arange(12).reshape(1, 3, 4)), None, Coder.PRIOR)


def test_contexts_that_the_model_lacks_are_refused(codec, photograph):
    prior = codec.loader.tables(photograph.header)
    bare = replace(prior, tables=prior.tables[..., :1])
    coded = coding.encode(codec.to_symbols(photograph), prior)
    by_context = any(entry.mode == Mode.CONTEXT for entry in coded.header.index)
    if not by_context:
        pytest.skip("the default model has no contexts")
    with pytest.raises(CorruptError, match="contexts"):
        coding.decode(coded, bare)


def test_files_are_transcoded_without_a_network(nic_file, photograph, codec):
    """nic-entropy --coder takes a packed file, and its result decodes to the same symbols."""
    expected = codec.to_symbols(photograph).data
    other = run("nic-entropy", "--coder", "fse", nic_file).out
    (record,) = read_records(io.BytesIO(other))
    assert record.stage == Stage.PACKED
    assert not {entry.mode for entry in record.header.index} & set(BY_CLASS)
    assert codec.to_symbols(record).data == expected
    again = run("nic-entropy", "--coder", "auto", data=other).out
    assert again == nic_file.read_bytes()


def test_without_coder_a_coded_record_is_refused(nic_file):
    assert_fails(run("nic-entropy", nic_file), 2, "nic-decode")


def test_transcoding_loads_no_network(nic_file):
    code = (
        "import sys\nfrom nic.cli.stages.entropy import main\n"
        f"main(['--coder', 'own', {str(nic_file)!r}, '-o', {str(nic_file) + '.own'!r}],"
        " standalone_mode=False)\n"
        "print([m for m in ('keras', 'tensorflow') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=nic_file.parent)
    assert (result.returncode, result.stdout.strip()) == (0, b"[]"), result.stderr
