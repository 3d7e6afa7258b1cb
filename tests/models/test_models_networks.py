"""The transforms: their shapes, their sizes, and their start as a DCT codec."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is not installed")

from nic.models import networks  # noqa: E402
from nic.models.config import TransformConfig  # noqa: E402

TINY = TransformConfig(
    latents=12, width=16, expansion=2, analysis_blocks=1, synthesis_blocks=2, half_width=12
)
# Nothing but the linear path, as wide as all 192 coefficients of 8x8 pixels in three colours.
LINEAR = TransformConfig(
    latents=192, width=192, analysis_blocks=0, synthesis_blocks=0, half_width=12, half_blocks=0
)


@pytest.fixture(scope="module")
def tiles(photographs):
    """Patches of a photograph, uint8 (6, 64, 64, 3)."""
    source = photographs["astronaut"]
    return np.stack([source[64 * i : 64 * i + 64, 200:264] for i in range(6)])


def block_parameters(width, expansion):
    hidden = width * expansion
    return 10 * width + (width + 1) * hidden + (hidden + 1) * width


@pytest.mark.parametrize("config", [TINY, TransformConfig()], ids=["tiny", "default"])
def test_parameters_are_as_many_as_the_layers_say(config):
    width, half = config.width, config.half_width
    block = block_parameters(width, config.expansion)
    analysis = (192 + 1) * width + config.analysis_blocks * block + (width + 1) * config.latents
    assert networks.analysis(config).count_params() == analysis
    synthesis = (config.latents + 1) * width + config.synthesis_blocks * block
    synthesis += (width + 1) * 16 * half + (9 * half + 1) * 12
    synthesis += config.half_blocks * block_parameters(half, config.expansion)
    assert networks.synthesis(config).count_params() == synthesis


def test_the_default_transforms_stay_light():
    """What a picture may cost, in multiply-accumulates per pixel."""
    config = TransformConfig()
    assert networks.macs_per_pixel(networks.analysis(config)) < 6000
    assert networks.macs_per_pixel(networks.synthesis(config)) < 8000


@pytest.mark.parametrize("size", [(8, 8), (16, 40), (24, 8)])
def test_shapes_are_an_eighth_there_and_back(size):
    source = np.zeros((2, *size, 3), np.float32)
    latents = networks.analysis(TINY)(source)
    assert tuple(latents.shape) == (2, size[0] // 8, size[1] // 8, 12)
    assert tuple(networks.synthesis(TINY)(latents).shape) == source.shape


def test_the_dct_filters_are_orthonormal():
    filters = networks.dct_filters().reshape(192, -1)
    np.testing.assert_allclose(filters @ filters.T, np.eye(192), atol=1e-12)


def test_the_dct_filters_are_cosines_of_growing_frequency():
    """DC first; as many changes of sign down and across as the frequencies say."""
    filters = networks.dct_filters()[:64].sum(axis=-1)  # luma
    for index in (0, 1, 8, 27, 63):
        changes = [np.diff(np.sign(np.moveaxis(filters[index], a, 0)[:, 0])) for a in (0, 1)]
        assert [np.count_nonzero(c) for c in changes] == list(divmod(index, 8))


def test_filters_are_sorted_by_variance_after_the_three_dc(tiles):
    filters, deviation = networks.dct_order(tiles)
    flat = np.ptp(filters.reshape(192, 64, 3), axis=1).max(axis=1)
    assert (flat[:3] < 1e-12).all()
    assert (flat[3:] > 0.01).all()
    assert (np.diff(deviation[3:]) <= 0).all()


def started(config, tiles):
    """Both transforms at their DCT start."""
    keras.utils.set_random_seed(5)
    encoder, decoder = networks.analysis(config), networks.synthesis(config)
    networks.start_as_dct(encoder, decoder, networks.dct_order(tiles)[0])
    return encoder, decoder


def test_the_start_is_the_dct(tiles):
    """Latents are the projections of each 8x8 block on the filters."""
    encoder, _ = started(LINEAR, tiles)
    filters, _ = networks.dct_order(tiles)
    latents = np.array(encoder(tiles / np.float32(255)))
    block = tiles[2, 16:24, 40:48] / 255 - 0.5
    np.testing.assert_allclose(latents[2, 2, 5], np.tensordot(filters, block, 3), atol=1e-4)


def test_the_start_reconstructs_every_pixel_in_its_place(tiles):
    """With all coefficients nothing is lost: both depth-to-space steps keep the order."""
    encoder, decoder = started(LINEAR, tiles)
    source = tiles / np.float32(255)
    np.testing.assert_allclose(np.array(decoder(encoder(source))), source, atol=1e-4)


def test_the_start_with_blocks_is_a_picture(tiles):
    """The residual blocks begin near zero: over 30 dB where the linear path loses nothing."""
    config = TransformConfig(latents=192, width=192, analysis_blocks=2, synthesis_blocks=2)
    encoder, decoder = started(config, tiles)
    source = tiles / np.float32(255)
    error = np.mean((np.array(decoder(encoder(source))) - source) ** 2)
    assert -10 * np.log10(error) > 30


def test_fewer_coefficients_lose_what_they_must(tiles):
    """As much as the energy of the filters that are left out, by Parseval's theorem."""
    config = TransformConfig(latents=24, width=24, analysis_blocks=0, synthesis_blocks=0,
                             half_width=12, half_blocks=0)  # fmt: skip
    encoder, decoder = started(config, tiles)
    source = tiles / np.float32(255)
    lost = np.sum((np.array(decoder(encoder(source))) - source) ** 2)
    everything = np.array(started(LINEAR, tiles)[0](source))
    assert lost == pytest.approx(np.sum(everything[..., 24:] ** 2), rel=1e-3)
