"""The distortions that training minimises are those that pictures are measured with."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is not installed")

from nic.models.distortion import measures as distortion  # noqa: E402
from nic.picture import metrics  # noqa: E402

SIDE = 192


@pytest.fixture(scope="module")
def pairs():
    """Two smooth pictures, and each of them with more and less noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = [np.stack([np.sin(9 * (x * a + y * b)) for a, b in rng.uniform(0, 2, (3, 2))], -1)
             for _ in range(2)]  # fmt: skip
    clean = np.stack([128 + 90 * w for w in waves])
    noise = rng.normal(0, 1, clean.shape) * np.array([4, 25])[:, None, None, None]
    return (np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in (clean, clean + noise))


def test_both_agree_with_the_metrics(pairs):
    reference, decoded = pairs
    x, y = (p.astype("float32") / 255 for p in (reference, decoded))
    error = keras.ops.convert_to_numpy(distortion.squared_error(x, y))
    found = [metrics.psnr(a, b) for a, b in zip(reference, decoded, strict=True)]
    np.testing.assert_allclose(-10 * np.log10(error), found, atol=1e-3)
    similarity = 1 - keras.ops.convert_to_numpy(distortion.dissimilarity(x, y)) / (
        distortion.EQUIVALENT_ERROR
    )
    found = [metrics.ms_ssim(a, b) for a, b in zip(reference, decoded, strict=True)]
    assert found[0] > 0.97 > 0.9 > found[1]
    np.testing.assert_allclose(similarity, found, atol=5e-3)  # apart at the border


def test_errors_at_the_border_weigh_as_much_as_inside():
    y, x = np.mgrid[:192, :192]
    picture = np.tile((0.5 + 0.3 * np.sin(x / 9 + y / 5))[None, ..., None], (1, 1, 1, 3))
    costs = []
    for row in (0, 90):
        decoded = picture.copy()
        decoded[:, row : row + 3] -= 0.1
        cost = distortion.dissimilarity(picture.astype("float32"), decoded.astype("float32"))
        costs.append(float(keras.ops.convert_to_numpy(cost)[0]))
    assert 0.5 < costs[0] / costs[1] < 2


def test_a_smaller_patch_is_refused():
    size = distortion.LEAST_PATCH - 2
    patch = np.zeros((1, size, size, 3), "float32")
    with pytest.raises(ValueError, match="176 pixels"):
        distortion.dissimilarity(patch, patch)
