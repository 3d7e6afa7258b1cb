"""SSIMULACRA 2 as a distortion: the published score, and slopes that training can live with."""

import io

import numpy as np
import pytest
from PIL import Image

keras = pytest.importorskip("keras", reason="Keras is not installed")

from nic.models.distortion import ssimulacra2  # noqa: E402
from nic.models.distortion.measures import squared_error, visual  # noqa: E402

SIDE = 256
MARGIN = 96  # more than a window at 1:16: errors this far inside are no matter of the border


def photograph():
    """A face and a picture behind it, uint8 (256, 256, 3)."""
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    return data.astronaut()[:SIDE, 96 : 96 + SIDE]


def as_jpeg(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file))


def unit(pixels):
    return pixels[None].astype("float32") / 255


def inner(picture, decoded, least=0.0):
    return np.asarray(keras.ops.convert_to_numpy(ssimulacra2.inner_value(picture, decoded, least)))


def slope(picture, decoded, distortion):
    """The gradient with respect to ``decoded``, whatever the backend."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda y: distortion(picture, y).sum())(decoded))
    if keras.backend.backend() == "torch":
        decoded = keras.ops.convert_to_tensor(decoded).requires_grad_()
        distortion(picture, decoded).sum().backward()
        return decoded.grad.cpu().numpy()
    import tensorflow as tf

    decoded = tf.constant(decoded)
    with tf.GradientTape() as tape:
        tape.watch(decoded)
        value = tf.reduce_sum(distortion(picture, decoded))
    return tape.gradient(value, decoded).numpy()


@pytest.fixture(scope="module")
def published():
    """Score of two uint8 pictures, by the package ``ssimulacra2``."""
    package = pytest.importorskip("ssimulacra2", reason="ssimulacra2 is not installed")

    def measure(*pictures):
        files = [io.BytesIO() for _ in pictures]
        for pixels, file in zip(pictures, files, strict=True):
            Image.fromarray(pixels).save(file, "png")
        return package.compute_ssimulacra2(*files)

    return measure


@pytest.mark.parametrize("quality", [5, 20, 50, 80, 95])
def test_it_is_the_published_score(published, quality):
    """Errors of JPEG, a border left as it was: there the two mirror and fill with zeros."""
    picture = np.pad(photograph(), [[MARGIN] * 2, [MARGIN] * 2, [0, 0]], mode="reflect")
    decoded = picture.copy()
    inside = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    decoded[inside] = as_jpeg(picture, quality)[inside]
    expected = published(picture, decoded)
    found = ssimulacra2.score(inner(unit(picture), unit(decoded)))
    assert found == pytest.approx(expected, abs=0.1)
    short = inner(unit(picture), unit(decoded), ssimulacra2.NEGLIGIBLE)
    assert ssimulacra2.score(short) == pytest.approx(found, abs=0.02)


@pytest.mark.parametrize("more", [(1, 0), (8, 24), (13, 37)])
def test_sides_need_not_be_multiples_of_32(published, more):
    """As those of a picture that is refined; at odd sides the last pixels are halved alone."""
    margins = [(MARGIN, MARGIN + extra) for extra in more]
    picture = np.pad(photograph(), [*margins, (0, 0)], mode="reflect")
    decoded = picture.copy()
    inside = np.s_[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE]
    decoded[inside] = as_jpeg(picture, 50)[inside]
    found = ssimulacra2.score(inner(unit(picture), unit(decoded)))
    assert found == pytest.approx(published(picture, decoded), abs=0.1)
    assert np.isfinite(slope(unit(picture), unit(decoded), visual)).all()


@pytest.mark.parametrize("level", [0.0, 0.04045, 0.5, 1.0])
@pytest.mark.parametrize("error", [0.0, 1e-6, 0.2])
def test_flat_pictures_have_finite_slopes(level, error):
    picture = np.full((1, SIDE, SIDE, 3), level, "float32")
    noise = np.random.default_rng(0).normal(0, error, picture.shape)
    decoded = (picture + noise).astype("float32")
    for distortion in (visual, ssimulacra2.inner_value):
        if distortion is ssimulacra2.inner_value:
            decoded = np.clip(decoded, 0, 1)
        found = slope(picture, decoded, distortion)
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 2


def test_equal_pictures_are_at_the_bottom():
    picture = unit(photograph())
    assert inner(picture, picture) == pytest.approx(0, abs=1e-3)
    assert np.abs(slope(picture, picture, visual)).max() < 1e-9
    assert (inner(picture, unit(as_jpeg(photograph(), 95))) > 0.5).all()


def test_it_weighs_as_much_as_squared_error():
    """Of noise, which is what a network that is trained for squared error leaves: by half."""
    picture = unit(photograph())
    for quality in (20, 50, 80):
        decoded = unit(as_jpeg(photograph(), quality))
        ratio = visual(picture, decoded) / squared_error(picture, decoded)
        assert 0.3 < float(keras.ops.convert_to_numpy(ratio)[0]) < 1.5


def test_what_is_beyond_white_is_clipped_with_a_straight_through_slope():
    picture = np.clip(unit(photograph()), 0.1, 0.9)
    decoded = picture.copy()
    decoded[:, 100:104, 100:104] = 1.3
    at_white = np.minimum(decoded, 1)
    beyond, clipped = (keras.ops.convert_to_numpy(visual(picture, y)) for y in (decoded, at_white))
    assert beyond == pytest.approx(clipped)
    np.testing.assert_allclose(
        slope(picture, decoded, visual), slope(picture, at_white, visual), atol=1e-8
    )
    assert slope(picture, decoded, visual)[0, 102, 102].sum() > 0


def test_a_smaller_patch_is_refused():
    patch = np.zeros((1, SIDE, SIDE - 32, 3), "float32")
    with pytest.raises(ValueError, match="256 pixels"):
        visual(patch, patch)
