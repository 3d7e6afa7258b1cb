"""The class map and the model's tables: fitting, and what they do to symbols."""

from dataclasses import replace

import numpy as np
import pytest
from records import planes, reread, symbols

import nic.fse as fse
from nic.entropy import classmap, coding
from nic.errors import CorruptError
from nic.format.index import Mode
from nic.models import tables
from nic.models.training.fitting import cluster, fit

CLASSES = 6


def busy_symbols(rng, channels, h, w):
    """Laplacian symbols whose scale changes from place to place: a picture in miniature."""
    y, x = np.mgrid[:h, :w]
    scale = np.exp(1.5 * np.sin(y / 5 + rng.uniform(0, 6)) * np.cos(x / 7)) / 2
    falloff = np.linspace(1.2, 0.15, channels)[:, None, None]
    return np.clip(np.rint(rng.laplace(0, scale * falloff)), -15, 16).astype(np.int8)


@pytest.fixture(scope="module")
def prior():
    rng = np.random.default_rng(11)
    sets = []
    for gain in (1.0, 2.0):
        pictures = [gain * busy_symbols(rng, 8, 40, 44) for _ in range(6)]
        clipped = [np.clip(p, -15, 16) for p in pictures]
        sets.append([coding.to_ranks(symbols(p, latent_channels=8)) for p in clipped])
    return fit(sets, CLASSES, fse.energy_contexts, classmap.class_costs)


def test_fitted_tables_are_tables(prior):
    assert prior.tables.shape == (2, CLASSES, 8, 1 + 8)
    assert (prior.counts.sum(axis=1) == 2**tables.TABLE_LOG).all()
    assert (prior.map_counts.sum(axis=2) == 2**tables.TABLE_LOG).all()
    assert (prior.map_counts > 0).all()
    assert prior.tables.max() < len(prior.counts)
    assert prior.contexts.max() < prior.map_counts.shape[1]


def test_the_last_class_codes_any_symbol(prior):
    assert (prior.counts[prior.tables[:, -1]] > 0).all()


def test_saved_tables_are_read_back(prior, tmp_path):
    prior.save(tmp_path / "prior.npz")
    read = tables.Prior.load(tmp_path / "prior.npz")
    for name in ("counts", "tables", "map_counts", "contexts"):
        np.testing.assert_array_equal(getattr(read, name), getattr(prior, name))


def test_clusters_keep_unlike_histograms_apart():
    steep, flat = np.array([900.0, 90, 10, 0]), np.array([250.0, 250, 250, 250])
    assigned = cluster(np.stack([steep, flat] * 10), 2)
    assert len(set(assigned[::2])) == len(set(assigned[1::2])) == 1
    assert assigned[0] != assigned[1]


@pytest.mark.parametrize("by_context", [False, True])
def test_class_costs_are_those_of_the_definition(prior, by_context):
    rng = np.random.default_rng(3)
    ranks = coding.to_ranks(symbols(busy_symbols(rng, 8, 5, 7), latent_channels=8))
    chosen = prior.of_channels(0, 8, by_context)  # (C, K, X)
    levels = fse.energy_contexts(ranks) if by_context else np.zeros_like(ranks)
    costs = classmap.class_costs(ranks, chosen, prior.bits)
    assert costs.shape == (3, 4, CLASSES)
    slow = np.zeros((6, 8, CLASSES), int)
    for c, y, x in np.ndindex(ranks.shape):
        slow[y, x] += prior.bits[chosen[c, :, levels[c, y, x]], ranks[c, y, x]]
    slow = slow.reshape(3, 2, 4, 2, CLASSES).sum(axis=(1, 3))
    np.testing.assert_array_equal(costs, slow)


def test_busy_and_quiet_places_get_different_classes(prior):
    planes = np.zeros((8, 20, 20), np.int8)
    planes[:, :, 10:] = np.random.default_rng(1).integers(-9, 10, (8, 20, 10))
    classes = classmap.choose(coding.to_ranks(symbols(planes, latent_channels=8)), prior, 0)
    assert set(classes[:, :5].ravel()).isdisjoint(classes[:, 5:].ravel())


@pytest.mark.parametrize("quality", [1, 40, 100])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 44), (33, 17)])
def test_symbols_come_back_from_a_coded_stream_with_a_class_map(prior, shape, quality):
    rng = np.random.default_rng(quality)
    made = symbols(busy_symbols(rng, 8, *shape), latent_channels=8, quality=float(quality))
    coded = reread(coding.encode(made, prior))
    np.testing.assert_array_equal(planes(coding.decode(coded, prior)), planes(made))


def test_the_prior_saves_bytes_and_is_used(prior):
    made = symbols(busy_symbols(np.random.default_rng(99), 8, 40, 44), latent_channels=8)
    plain, by_class = coding.encode(made), coding.encode(made, prior)
    assert by_class.class_map
    assert {entry.mode for entry in by_class.header.index} == {Mode.CONTEXT}
    assert len(by_class.data) + len(by_class.class_map) < 0.9 * len(plain.data)


def test_a_prior_that_does_not_pay_is_not_used(prior):
    made = symbols(np.zeros((8, 40, 44)), latent_channels=8)
    assert coding.encode(made, prior).class_map == b""


def test_channels_kept_are_coded_with_the_prior(prior):
    whole = busy_symbols(np.random.default_rng(5), 8, 20, 20)
    made = symbols(whole[:3], latent_channels=8)
    coded = coding.encode(made, prior)
    np.testing.assert_array_equal(planes(coding.decode(coded, prior)), whole[:3])


def test_a_class_map_without_its_prior_is_refused(prior):
    made = symbols(busy_symbols(np.random.default_rng(99), 8, 40, 44), latent_channels=8)
    with pytest.raises(CorruptError, match="tables that the model does not have"):
        coding.decode(coding.encode(made, prior), None)


def test_a_damaged_class_map_is_named(prior):
    made = symbols(busy_symbols(np.random.default_rng(99), 8, 40, 44), latent_channels=8)
    coded = coding.encode(made, prior)
    with pytest.raises(CorruptError, match="class map"):
        coding.decode(replace(coded, class_map=coded.class_map[:-2]), prior)
    with pytest.raises(CorruptError, match="class map"):
        coding.decode(replace(coded, class_map=b"\xff" + coded.class_map[1:]), prior)
    flagless = bytes([coded.class_map[0] & 0x7F]) + coded.class_map[1:]
    with pytest.raises(CorruptError, match="first bit is not set"):
        coding.decode(replace(coded, class_map=flagless), prior)
