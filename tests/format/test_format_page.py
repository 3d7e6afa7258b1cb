"""The manual page nic(5) says enough: a decoder written from it alone agrees with the programs."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import page_coder
import page_decoder as page
import pytest
from fse_model_ramp import encode_ramp
from places import GOLDEN, ROOT
from records import from_bytes, planes, symbols, to_bytes

import nic.fse as fse
from nic.entropy import classmap, coding, modes
from nic.entropy.coding import Coder
from nic.errors import NicError
from nic.format import pack
from nic.format.chunks import EVERY, TABLE
from nic.format.index import Channel, Mode
from nic.format.records import Stage
from nic.models import zoo
from nic.models.training.fitting import fit
from nic.picture.colour import declared
from nic.picture.metadata import Metadata
from nic.picture.pixels import Picture

PAGE = ROOT / "man" / "nic.5"
SYMBOLS = {
    path.parent / f"{name}.nic": digest
    for path in GOLDEN.glob("*/symbols.json")
    for name, digest in json.loads(path.read_text()).items()
}
CHANNELS, CLASSES = 4, 5
SHAPES = [(1, 1), (1, 2), (1, 9), (9, 1), (2, 2), (13, 16), (23, 35)]


def busy_symbols(seed, h, w, gain=1.0):
    """Laplacian symbols whose scale changes from place to place and from channel to channel."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w]
    scale = gain * np.exp(1.2 * np.sin(y / 4 + rng.uniform(0, 6)) * np.cos(x / 5)) / 2
    falloff = np.linspace(2, 0.3, CHANNELS)[:, None, None]
    return np.clip(np.rint(rng.laplace(0, scale * falloff)), -15, 16).astype(np.int8)


def record_of(source, **fields):
    return symbols(source, latent_channels=CHANNELS, **fields)


@pytest.fixture(scope="module")
def with_contexts(tmp_path_factory):
    """A prior with contexts, and what the page's decoder reads from its file."""
    sets = [
        [coding.to_ranks(record_of(busy_symbols(i, 24, 26, gain))) for i in range(4)]
        for gain in (1.0, 2.0)
    ]
    return _with_arrays(fit(sets, CLASSES, fse.energy_contexts, classmap.class_costs),
                        tmp_path_factory)  # fmt: skip


@pytest.fixture(scope="module")
def without_contexts(with_contexts, tmp_path_factory):
    prior, _ = with_contexts
    return _with_arrays(replace(prior, tables=prior.tables[..., :1]), tmp_path_factory)


def _with_arrays(prior, tmp_path_factory):
    path = tmp_path_factory.mktemp("prior") / "prior.npz"
    prior.save(path)
    return prior, page.load_prior(path)


def packed(record):
    return to_bytes(pack.pack(record))


def assert_page_decodes(coded, arrays, expected):
    """The page's decoder gives the symbols (channels, h, w) of a coded record."""
    read = page.read_packed(packed(coded))
    found = np.array(page.decode(read, arrays)).reshape(expected.shape)
    np.testing.assert_array_equal(found, expected)


def used_modes(record):
    return {entry.mode for entry in record.header.index}


# -- every mode ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_symbols_by_themselves(shape):
    """Modes 0 to 3 and 7."""
    source = busy_symbols(1, *shape)
    source[-1] = 0
    source[-2] = -9
    used = Counter()
    for coder in (Coder.RAW, Coder.FSE, Coder.OWN):
        coded = coding.encode(record_of(source), None, coder)
        assert_page_decodes(coded, None, source)
        used.update(used_modes(coded))
    assert {Mode.EMPTY, Mode.CONSTANT} <= set(used)
    if shape == SHAPES[-1]:
        assert set(used) == {Mode.EMPTY, Mode.CONSTANT, Mode.RAW, Mode.FSE, Mode.OWN}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["with_contexts", "without_contexts"])
def test_symbols_with_tables_of_the_model(shape, kind, request):
    """Modes 5 and 6, with the class map."""
    prior, arrays = request.getfixturevalue(kind)
    mode = Mode.CONTEXT if prior.has_contexts else Mode.CLASS
    for quality in (1.0, 100.0):
        source = busy_symbols(int(quality), *shape)
        source[0, 0, -1] = 5  # more than one symbol where there are two
        coded = coding.encode(record_of(source, quality=quality), prior, Coder.PRIOR)
        assert used_modes(coded) - {Mode.EMPTY, Mode.CONSTANT} <= {mode}
        assert_page_decodes(coded, arrays, source)
        assert shape[1] == 1 or not coded.class_map or coded.class_map[0] & classmap.RAMPED


def coded_record(record, channels, class_map=b""):
    """A record of symbols, but with these (mode, payload) in place of them."""
    index = tuple(Channel(mode, len(payload)) for mode, payload in channels)
    head = record.header.after("entropy", index=index)
    data = b"".join(payload for _, payload in channels)
    return replace(record, stage=Stage.CODED, header=head, data=data, class_map=class_map)


@pytest.mark.parametrize("parametric", [True, False])
def test_both_tables_of_mode_7(parametric):
    source = busy_symbols(2, 12, 12) if parametric else 2 * (busy_symbols(2, 60, 60) // 3)
    coded = coding.encode(record_of(source), None, Coder.OWN)
    assert (coded.data[:1] == modes.PARAMETER) == parametric
    assert_page_decodes(coded, None, source)


def test_zstandard_in_mode_7():
    pytest.importorskip("zstandard", reason="zstandard is not installed")
    source = busy_symbols(3, 20, 20)
    coded = coding.encode(record_of(source), None, Coder.ZSTD)
    assert used_modes(coded) == {Mode.OWN}
    assert_page_decodes(coded, None, source)


@pytest.mark.parametrize("ramp", range(8))
@pytest.mark.parametrize("n", [1, 2, 17, 18, 34, 66, 300, 1500])
def test_every_ramp(n, ramp):
    """A decoder takes any ramp that is steep enough; with 5 bits for each rank all of them are."""
    ranks = np.random.default_rng(n).integers(0, 32, n).astype(np.uint8)
    counts = 32 * (128,)
    payload = encode_ramp(ranks.tolist(), n * [0], [counts], 12, ramp)
    table = page_coder.cells(counts, 12)
    assert page_coder.ramped(payload, n, 12, lambda _: table) == ranks.tolist()
    assert np.array_equal(fse.decode_ramp(payload, n, fse.Table.from_normalised(counts, 12)), ranks)


@pytest.mark.parametrize("codebook", [(-15, 16), (0, 31), (-31, 0), (-1, 1)])
def test_magnitudes_are_those_of_ranks(codebook, with_contexts):
    """Contexts are the same whatever symbols the ranks stand for."""
    prior, arrays = with_contexts
    low, high = codebook
    source = np.clip(busy_symbols(8, 14, 15), low, high)
    coded = coding.encode(record_of(source, codebook=codebook), prior, Coder.PRIOR)
    assert Mode.CONTEXT in used_modes(coded)
    assert_page_decodes(coded, arrays, source)


def test_tables_of_one_byte():
    for parameter in range(256):
        counts = fse.Table.from_parameter(parameter).counts
        assert tuple(page_coder.laplace(parameter, 12)) == counts


# -- files --------------------------------------------------------------------------------------


def test_small_file(stages):
    read = page.read_packed(stages["packed"])
    expected = planes(from_bytes(stages["symbols"]))
    found = np.array(page.decode(read, arrays_of(read.model))).reshape(expected.shape)
    np.testing.assert_array_equal(found, expected)


def test_photograph(photograph, codec):
    read = page.read_packed(to_bytes(photograph))
    expected = planes(codec.to_symbols(photograph))
    assert read.class_map
    found = np.array(page.decode(read, arrays_of(read.model))).reshape(expected.shape)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("path", sorted(SYMBOLS), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_golden_files(path):
    read = page.read_packed(path.read_bytes())
    found = np.array(page.decode(read, arrays_of(read.model)), np.int8)
    assert hashlib.sha256(found.tobytes()).hexdigest() == SYMBOLS[path]


def test_golden_files_have_the_modes_of_models_with_tables():
    used = Counter(
        mode for path in SYMBOLS for mode, _ in page.read_packed(path.read_bytes()).index
    )
    assert {Mode.EMPTY, Mode.RAW, Mode.CONTEXT} <= set(used)


def arrays_of(model_id):
    model = zoo.by_id(model_id)
    return page.load_prior(model.folder / "prior.npz") if model.has_prior else None


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("coder", ["raw", "fse", "own", "class", "context"])
def test_both_refuse_the_same_bytes(coder, with_contexts, without_contexts):
    """Bits that flip and bytes that are lost, behind checksums that were made afterwards."""
    prior, arrays = without_contexts if coder == "class" else with_contexts
    source = busy_symbols(4, 9, 13)
    chosen = Coder.PRIOR if coder in ("class", "context") else Coder(coder)
    coded = coding.encode(record_of(source), prior, chosen)
    rng = np.random.default_rng(5)
    outcomes = Counter()
    for _ in range(100):
        damaged = damage(coded, rng)
        found, again = by_the_programs(damaged, prior), by_the_page(damaged, arrays)
        assert found == again
        outcomes[found is None] += 1
    assert outcomes[True] > 0


def by_the_programs(coded, prior):
    try:
        return planes(coding.decode(coded, prior)).reshape(CHANNELS, -1).tolist()
    except NicError:
        return None


def by_the_page(coded, arrays):
    try:
        return page.decode(page.read_packed(packed(coded)), arrays)
    except page_coder.RefusedError:
        return None


def damage(coded, rng):
    """The record with a bit of one payload or of the class map flipped, or with a byte less."""
    ends = np.cumsum([0] + [entry.size for entry in coded.header.index])
    payloads = [coded.data[a:b] for a, b in pairwise(ends)]
    which = int(rng.integers(-1 if coded.class_map else 0, len(payloads)))
    hit = payloads[which] if which >= 0 else coded.class_map
    if rng.random() < 0.2:
        hit = hit[:-1]
    else:
        at, bit = int(rng.integers(len(hit))), int(rng.integers(8))
        at = int(rng.choice([0, at]))
        hit = hit[:at] + bytes([hit[at] ^ 1 << bit]) + hit[at + 1 :]
    class_map = hit if which < 0 else coded.class_map
    payloads = [hit if i == which else payload for i, payload in enumerate(payloads)]
    channels = [(e.mode, p) for e, p in zip(coded.header.index, payloads, strict=True)]
    return coded_record(replace(coded, stage=Stage.SYMBOLS), channels, class_map)


def test_bits_given_back_must_be_used_up():
    """Eight states of a table that takes hardly any bit to advance."""
    payload = bytes([0b00010000]) + 12 * b"\xff"
    n = 200
    table = page_coder.cells(page_coder.laplace(0, 12), 12)
    with pytest.raises(page_coder.RefusedError, match="given back"):
        page_coder.ramped(payload, n, 12, lambda _: table)
    with pytest.raises(fse.CorruptStream, match="do not fork"):
        fse.decode_ramp(payload, n, fse.Table.from_parameter(0))


def test_contexts_take_a_single_state(with_contexts, without_contexts):
    """The same payload is one of mode 5 and none of mode 6."""
    prior, arrays = with_contexts
    source = busy_symbols(7, 13, 16)
    by_class = coding.encode(record_of(source), without_contexts[0], Coder.PRIOR)
    assert used_modes(by_class) == {Mode.CLASS}
    index = tuple(Channel(Mode.CONTEXT, entry.size) for entry in by_class.header.index)
    false = replace(by_class, header=replace(by_class.header, index=index))
    with pytest.raises(page_coder.RefusedError, match="single"):
        page.decode(page.read_packed(packed(false)), arrays)
    with pytest.raises(NicError):
        coding.decode(false, prior)
    by_context = coding.encode(record_of(source), prior, Coder.PRIOR)
    with pytest.raises(page_coder.RefusedError, match="no contexts"):
        page.decode(page.read_packed(packed(by_context)), without_contexts[1])
    with pytest.raises(NicError, match="contexts"):
        coding.decode(by_context, without_contexts[0])


# -- the text of the page -----------------------------------------------------------------------


def display_after(text):
    """The literal display that follows these words of the page."""
    return PAGE.read_text().split(text)[1].split("\n.Bd ")[1].split("\n", 1)[1].split("\n.Ed")[0]


def test_the_page_lists_the_chunks_of_the_table():
    section = PAGE.read_text().split("\n.Sh CHUNKS\n")[1].split("\n.Sh ")[0]
    listed = re.findall(r"^\.It (\w) Ta (.*?) Ta ([\w, ]*?) Ta ([\w ]*)$", section, re.MULTILINE)
    stages = {
        EVERY: "all",
        EVERY - {Stage.LATENTS}: "all but latents",
        frozenset({Stage.CODED, Stage.PACKED}): "coded, packed",
    }
    often = {True: "once", False: "at most once"}
    assert [
        (letter, name.lower().removesuffix(" profile"), where, how)
        for letter, name, where, how in listed
    ] == [(k.letter.decode(), k.name, stages[k.stages], often[k.needed]) for k in TABLE]


def test_decay_of_the_page():
    listed = [int(number) for number in display_after("row by row, it is").split()]
    sigma = 0.1 * 80 ** (np.arange(32) / 31)
    assert listed == np.rint(2**16 * np.exp(-1 / (np.sqrt(2) * sigma))).astype(int).tolist()


def test_example_of_a_ramped_payload():
    lines = display_after("of a single phase of one state:").splitlines()
    payload = bytes.fromhex("".join(re.match("((?:[0-9a-f]{2} )+)", line)[1] for line in lines))
    trace = display_after("After five zeros, the opening bit").splitlines()
    ranks = [int(line.split()[0]) for line in trace[1:]]
    assert page.by_itself(7, payload, len(ranks)) == ranks
    assert modes.decode(Mode.OWN, payload, len(ranks)).tolist() == ranks
    numbers = [[int(field) for field in line.split()[:5]] for line in trace[1:-1]]
    table = page_coder.cells(page_coder.laplace(payload[1], 12), 12)
    for (rank, state, y, k, v), after in zip(numbers, trace[2:], strict=True):
        assert (table[state].rank, table[state].k, 2**k * y - 4096) == (rank, k, table[state].base)
        assert table[state].base + v == int(after.split()[1])


def test_header_of_a_table_never_starts_like_the_other_kinds_of_mode_7():
    starts = {fse.Table.from_counts([5, 4, 3], log).header()[0] for log in range(5, 13)}
    assert starts.isdisjoint({8, 9})


# -- alpha and metadata -----------------------------------------------------------------------


def test_the_page_says_enough_of_alpha_and_metadata(codec, photographs):
    pixels, plane = (photographs[name][:40, :56] for name in ("coffee", "chelsea"))
    parts = {"cICP": b"\t\x10\0\1", "cLLI": bytes(range(8))}
    found = Metadata(
        b"profile" * 9,
        b"II*\0\10\0\0\0\0\0\0\0\0\0",
        b"<x:xmpmeta/>",
        declared.build(parts),
        b"\x23\x2e\0\0\x46\x5c\0\0",
    )
    for alpha, quality in ((plane[..., 0], None), (plane[..., 0], 50), (plane[..., 0] // 128 * 255,
                                                                       None)):  # fmt: skip
        source = Picture(pixels, alpha, found)
        packed = to_bytes(codec.forward(codec.encode(source, alpha_quality=quality), Stage.PACKED))
        read = page.read_packed(packed)
        assert read.extra == {
            "i": found.icc,
            "x": found.exif,
            "m": found.xmp,
            "c": parts,
            "r": (11811, 23622),
        }
        if quality is None:
            assert np.array_equal(page.alpha(read), alpha)
            continue
        inner = page.alpha(read)
        assert inner.grey
        assert inner.depth == read.depth == 8
        expected = codec.to_symbols(from_bytes(page.MAGIC + read.alpha[1:]))
        assert np.array_equal(
            np.ravel(page.decode(inner, arrays_of(inner.model))), planes(expected).ravel()
        )


@pytest.mark.parametrize("step", [257, 1])
def test_the_page_says_enough_of_16_bits(codec, photographs, step):
    """Alpha that has only 8 bits is stored as 8, and scaled when it is read."""
    pixels, alpha = (
        photographs[name][:40, :56].astype(np.uint16) for name in ("coffee", "chelsea")
    )
    for colour in (pixels, pixels[..., 0]):
        source = Picture(colour * 257, alpha[..., 0] * step)
        read = page.read_packed(to_bytes(codec.forward(codec.encode(source), Stage.PACKED)))
        assert read.depth == 16
        assert read.grey == (colour.ndim == 2)
        assert np.array_equal(page.alpha(read), alpha[..., 0] * step)
