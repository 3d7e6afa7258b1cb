"""Planes of a picture at once, with every context: against the model, and what is refused."""

import fse_model_ramp as ramped
import numpy as np
import pytest
from fse_sources import full_counts
from hypothesis import given, settings
from hypothesis import strategies as st

import nic.fse as fse
from nic.fse import Context, CorruptStream, FseError, Layout, PlaneError, Table

CONTEXTS = list(Context)
steady = settings(deadline=None)


def draw_planes(seed, context, planes, shape, *, skew=2.0):
    """Return planes, tables, bank, layout and the bank's counts; every symbol has a cell."""
    rng = np.random.default_rng(seed)
    size = int(rng.choice([2, 3, 6] if context is Context.PAIR else [2, 6, 32, 60]))
    log = int(rng.integers(6, 9 if size > 6 else 13))
    norms = [full_counts(rng, size, log) for _ in range(rng.integers(1, 4))]
    bank = fse.Bank(Table(tuple(norm), log) for norm in norms)
    classes = int(rng.integers(1, 4))
    class_of = rng.integers(0, classes, shape, dtype=np.uint8) if classes > 1 else None
    layout = Layout(shape, class_of, classes, context)
    tables_shape = (planes, classes, context.count(size))
    tables = rng.integers(0, len(norms), tables_shape, dtype=np.uint8)
    symbols = np.minimum(rng.geometric(1 / skew, (planes, *shape)) - 1, size - 1)
    return symbols.astype(np.uint8), tables, bank, layout, norms


def model_tables(symbols, tables, layout, alphabet):
    """Return the table of each symbol of one plane, by the model."""
    classes = None if layout.class_of is None else layout.class_of.tolist()
    return ramped.table_plane(
        symbols.tolist(), tables.tolist(), classes, layout.context.name, alphabet
    )


@given(
    st.integers(0, 2**32), st.sampled_from(CONTEXTS), st.integers(0, 6),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
)  # fmt: skip
@steady
def test_round_trip(seed, context, planes, shape):
    """Any sizes, none included; one machine code decodes what the other wrote."""
    symbols, tables, bank, layout, _ = draw_planes(seed, context, planes, shape)
    payloads = fse.encode_planes(symbols, tables, bank, layout)
    assert len(payloads) == planes
    assert payloads == fse.encode_planes(symbols, tables, bank, layout, portable=True)
    for portable in (False, True):
        decoded = fse.decode_planes(payloads, tables, bank, layout, portable=portable)
        assert np.array_equal(decoded, symbols)


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (7, 8), (12, 11)])
def test_payloads_equal_the_model(context, shape):
    """Both coders write the same bytes, and read them."""
    symbols, tables, bank, layout, norms = draw_planes([1, *shape], context, 5, shape)
    least = 0 if context is Context.CLASS else ramped.SINGLE
    classes = None if layout.class_of is None else layout.class_of.tolist()
    payloads = fse.encode_planes(symbols, tables, bank, layout)
    for plane, of, payload in zip(symbols, tables, payloads, strict=True):
        plane_of_tables = model_tables(plane, of, layout, len(norms[0]))
        flat = plane.ravel().tolist()
        expected = ramped.encode_ramp(flat, plane_of_tables, norms, bank.table_log, least)
        assert payload == expected
        decoded = ramped.decode_plane(
            payload, shape, of.tolist(), classes, context.name, norms, bank.table_log
        )
        assert decoded == flat


def test_energy_contexts_equal_the_model():
    """All 8 of them, in planes of all ranks."""
    planes = np.random.default_rng(2).geometric(0.25, (4, 13, 11)).astype(np.uint8) - 1
    planes[3] *= 16
    found = fse.energy_contexts(planes)
    assert set(found.ravel()) == set(range(8))
    expected = [
        [ramped.energy_context(plane.tolist(), y, x) for x in range(11)]
        for plane in planes
        for y in range(13)
    ]
    assert found.reshape(-1, 11).tolist() == expected


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("planes", [1, 3, 4, 9])
def test_any_number_of_threads(context, planes):
    """The same bytes and symbols, also with more threads than planes."""
    symbols, tables, bank, layout, _ = draw_planes([3, planes], context, planes, (23, 31))
    payloads = fse.encode_planes(symbols, tables, bank, layout)
    for threads in (-1, 2, 3, 16):
        assert fse.encode_planes(symbols, tables, bank, layout, threads=threads) == payloads
        decoded = fse.decode_planes(payloads, tables, bank, layout, threads=threads)
        assert np.array_equal(decoded, symbols)


def test_histograms():
    """Each plane's, also of no symbols; a symbol outside the alphabet is refused."""
    planes = np.random.default_rng(9).integers(0, 256, (3, 31, 17), dtype=np.uint8)
    expected = [np.bincount(plane.ravel(), minlength=256) for plane in planes]
    assert np.array_equal(fse.histograms(planes, 256), expected)
    assert not fse.histograms(planes[:, :0], 1).any()
    for alphabet in (0, 255, 257):
        with pytest.raises(FseError):
            fse.histograms(planes, alphabet)


# ---- What classes cost ------------------------------------------------------------------------


@pytest.mark.parametrize("context", [Context.CLASS, Context.ENERGY])
@pytest.mark.parametrize("block", [1, 2, 3, 100, 2**63])
def test_class_costs_equal_the_model(context, block):
    """Block by block, the sum over all planes of what each symbol costs in each class."""
    symbols, tables, _, _, norms = draw_planes([4, 1], context, 3, (7, 5))
    tables = tables.repeat(2, axis=1)
    layout = Layout((7, 5), None, tables.shape[1], context)
    bits = np.random.default_rng(5).integers(0, 2**20, (len(norms), len(norms[0])), np.uint32)
    rows, columns = -(-7 // block), -(-5 // block)
    expected = np.zeros((rows, columns, layout.classes), np.uint32)
    for c in range(layout.classes):
        for plane, of in zip(symbols, tables, strict=True):
            by_place = model_tables(plane, of[c : c + 1], Layout((7, 5), context=context), 0)
            for i, table in enumerate(by_place):
                y, x = divmod(i, 5)
                expected[y // block, x // block, c] += bits[table, plane[y, x]]
    assert np.array_equal(fse.class_costs(symbols, tables, bits, layout, block), expected)


def model_of_the_choice(costs, naming, pairs):
    """What ``choose_classes`` does, written from its description."""
    rows, columns, classes = costs.shape
    every = [naming[context] for context in pairs.ravel()]
    chosen = (costs + np.sum(every, axis=0, dtype=np.uint64) // len(every)).argmin(axis=2)

    def context(y, x):
        north = chosen[y - 1, x] if y else None
        west = chosen[y, x - 1] if x else north if y else 0
        return pairs[west, west if north is None else north]

    for y, x in np.ndindex(rows, columns):
        totals = []
        for c in range(classes):
            chosen[y, x] = c
            near = [(y, x), (y, x + 1), (y + 1, x)]
            inside = [at for at in near if at[0] < rows and at[1] < columns]
            names = [int(naming[context(*at), chosen[at]]) for at in inside]
            totals.append(int(costs[y, x, c]) + sum(names))
        chosen[y, x] = np.argmin(totals)
    return chosen


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (5, 7)])
@pytest.mark.parametrize("classes", [1, 2, 9])
def test_chosen_classes_equal_the_model(shape, classes):
    rng = np.random.default_rng(classes)
    for contexts in (1, 4):
        costs = rng.integers(0, 900, (*shape, classes), np.uint32)
        naming = rng.integers(0, 900, (contexts, classes), np.uint32)
        pairs = rng.integers(0, contexts, (classes, classes), np.uint8)
        chosen = fse.choose_classes(costs, naming, pairs)
        assert np.array_equal(chosen, model_of_the_choice(costs, naming, pairs))


@pytest.mark.parametrize("fault", ["costs", "axes", "naming", "pairs", "context", "classes"])
def test_choices_that_do_not_fit_are_refused(fault):
    classes = 257 if fault == "classes" else 3
    costs = np.zeros((2, 2, classes), np.int32 if fault == "costs" else np.uint32)
    naming = np.zeros((2, 4 if fault == "naming" else classes), np.uint32)
    pairs = np.full(
        (classes, 2 if fault == "pairs" else classes), fault == "context" and 2, np.uint8
    )
    with pytest.raises(FseError):
        fse.choose_classes(costs[0] if fault == "axes" else costs, naming, pairs)


# ---- Bytes that must be refused ---------------------------------------------------------------


def decode_or_error(payloads, tables, bank, layout):
    """Return the planes, or the error."""
    try:
        return fse.decode_planes(payloads, tables, bank, layout)
    except PlaneError as error:
        return error


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_bit_flip_and_truncation(context):
    """The damaged plane is named, or decodes to the symbols whose payload it then is."""
    symbols, tables, bank, layout, _ = draw_planes([6], context, 6, (6, 9))
    payloads = fse.encode_planes(symbols, tables, bank, layout)
    faults = 0
    for at, payload in enumerate(payloads):
        damages = [payload[:size] for size in range(len(payload))]
        for bit in range(8 * len(payload)):
            flipped = bytearray(payload)
            flipped[bit // 8] ^= 1 << bit % 8
            damages.append(bytes(flipped))
        for damaged in damages:
            result = decode_or_error(
                [*payloads[:at], damaged, *payloads[at + 1 :]], tables, bank, layout
            )
            if isinstance(result, PlaneError):
                assert result.plane == at
                assert type(result.reason) is CorruptStream
                assert str(result) == f"plane {at}: {result.reason}"
                faults += 1
                continue
            assert np.array_equal(np.delete(result, at, 0), np.delete(symbols, at, 0))
            if context is not Context.CLASS:  # there another ramp may be as good
                again = fse.encode_planes(result, tables, bank, layout)
                assert again[at] == damaged
    assert faults > 2 * sum(map(len, payloads))


@pytest.mark.parametrize("context", [Context.ENERGY, Context.PAIR])
def test_more_than_one_state_with_neighbours(context):
    """Such payloads state that they have one; the same bits under another ramp are refused."""
    symbols, tables, bank, layout, _ = draw_planes([7], context, 1, (4, 4))
    (payload,) = fse.encode_planes(symbols, tables, bank, layout)
    bits = int.from_bytes(payload, "little")
    first = bits & -bits
    assert bits // first // 2 % 8 == ramped.SINGLE
    for ramp in range(7):
        other = bits ^ (ramp ^ 7) * 2 * first
        with pytest.raises(PlaneError, match="plane 0: the payload's states do not fork"):
            fse.decode_planes([other.to_bytes(len(payload), "little")], tables, bank, layout)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("context", CONTEXTS)
def test_plane_error_names_the_plane(context, threads):
    """Whichever it is, with any number of threads; in both directions."""
    symbols, tables, bank, layout, norms = draw_planes([8], context, 7, (3, 4))
    payloads = fse.encode_planes(symbols, tables, bank, layout)
    for at in range(7):
        with pytest.raises(PlaneError, match=f"plane {at}: .* no closing bit") as error:
            fse.decode_planes(
                [*payloads[:at], b"", *payloads[at + 1 :]], tables, bank, layout, threads=threads
            )
        assert error.value.plane == at
        wrong = symbols.copy()
        wrong[at, 1, 1] = len(norms[0])
        with pytest.raises(PlaneError, match=f"plane {at}: .* no cell"):
            fse.encode_planes(wrong, tables, bank, layout, threads=threads)
        absent = tables.copy()
        absent[at, 0, 0] = len(norms)
        for call, what in ((fse.encode_planes, symbols), (fse.decode_planes, payloads)):
            with pytest.raises(PlaneError, match=f"plane {at}: .* lacks") as error:
                call(what, absent, bank, layout, threads=threads)
            assert type(error.value.reason) is FseError


# ---- Arguments that must be refused -----------------------------------------------------------

TWO = fse.Bank([Table((16, 16), 5)])
ONE_PLANE = np.zeros((1, 2, 3), np.uint8)
ONE_TABLE = np.zeros((1, 1, 1), np.uint8)
ENERGIES = np.zeros((1, 1, 8), np.uint8)
FLAT = Layout((2, 3))
BITS = np.zeros((1, 2), np.uint32)


def encode(planes=ONE_PLANE, tables=ONE_TABLE, layout=FLAT):
    return lambda: fse.encode_planes(planes, tables, TWO, layout)


def costs(planes=ONE_PLANE, tables=ONE_TABLE, bits=BITS, layout=FLAT, block=2):
    return lambda: fse.class_costs(planes, tables, bits, layout, block)


def of_class(value, classes):
    return Layout((2, 3), np.full((2, 3), value, np.uint8), classes)


ARGUMENTS = {
    "planes of another size": (encode(ONE_PLANE.reshape(1, 3, 2)), "for a layout"),
    "one plane without its axis": (encode(ONE_PLANE[0]), "for a layout"),
    "signed planes": (encode(ONE_PLANE.astype(np.int8)), "unsigned bytes"),
    "too few tables": (encode(tables=ONE_TABLE[:0]), "are due"),
    "tables of another context": (encode(tables=ENERGIES), "are due"),
    "wide tables": (encode(tables=ONE_TABLE.astype(np.int64)), "unsigned bytes"),
    "no class": (encode(tables=ONE_TABLE[:, :0], layout=Layout((2, 3), None, 0)), "0 classes"),
    "257 classes": (
        encode(tables=np.zeros((1, 257, 1), np.uint8), layout=Layout((2, 3), None, 257)),
        "257 classes",
    ),
    "class without tables": (encode(layout=of_class(1, 1)), "out of range"),
    "classes of another size": (
        encode(layout=Layout((2, 3), np.zeros((3, 2), np.uint8))), "for planes",
    ),
    "classes in another order": (
        encode(layout=Layout((2, 3), np.zeros((3, 2), np.uint8).T)), "C-contiguous",
    ),
    "decoded size below 0": (
        lambda: fse.decode_planes([b""], ONE_TABLE, TWO, Layout((-1, 3))), "not in 0",
    ),
    "decoded size of 2^31": (
        lambda: fse.decode_planes([b""], ONE_TABLE, TWO, Layout((2**16, 2**15))), "not in 0",
    ),
    "decoded without tables": (lambda: fse.decode_planes([b""], ENERGIES, TWO, FLAT), "are due"),
    "costs by pair": (
        costs(tables=np.zeros((1, 1, 4), np.uint8), layout=Layout((2, 3), context=Context.PAIR)),
        "out of range",
    ),
    "costs in blocks of nothing": (costs(block=0), "blocks of 0"),
    "costs in blocks below nothing": (costs(block=-2), "blocks of -2"),
    "costs of bytes": (costs(bits=BITS.astype(np.uint8)), "uint32"),
    "costs in another order": (costs(bits=np.zeros((2, 3), np.uint32).T), "C-contiguous"),
    "costs of too few planes": (costs(planes=ONE_PLANE[:0]), "do not fit"),
    "costs of an absent table": (costs(tables=ONE_TABLE + np.uint8(1)), "lacks"),
    "costs of an absent symbol": (costs(planes=ONE_PLANE + np.uint8(2)), "no cell"),
}  # fmt: skip


@pytest.mark.parametrize("fault", ARGUMENTS)
def test_refused_arguments(fault):
    """Each is an FseError that blames no plane and no coded byte."""
    call, message = ARGUMENTS[fault]
    with pytest.raises(FseError, match=message) as error:
        call()
    assert error.type is FseError
