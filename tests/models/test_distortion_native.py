"""The distortions in C: the values of the formulas, their slopes, and the same bits everywhere."""

import numpy as np
import plain_distortion
import pytest

from nic.models import native
from nic.models.native.distortion import MEASURES, Distortion

SETS = [each for each in native.Isa if each >= native.lib.transform_best()]
# Sides about the least of each level, odd ones, and a strip of 16 rows more or less.
SHAPES = [(1, 1), (7, 30), (8, 8), (11, 13), (16, 31), (23, 45), (50, 33), (97, 88), (130, 201)]


def picture_of(height, width, seed=0):
    """Smooth areas with edges, and flat ones: grey, white and black; float32 in [0, 1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width, :3][:2] / 100
    waves = [np.sin(a * x + b * y) for a, b in rng.uniform(-30, 30, (4, 2))]
    picture = 0.5 + 0.2 * np.sum(waves, axis=0) * rng.uniform(0.3, 1, 3)
    for level in (0.5, 1, 0):
        top, left = rng.integers(height), rng.integers(width)
        picture[top : top + height // 4, left : left + width // 3] = level
    return np.clip(picture, 0, 1).astype(np.float32)


def decoded_of(picture, error, seed=1):
    """Noise of a deviation, and a part that is what it was."""
    noise = np.random.default_rng(seed).normal(0, error, picture.shape)
    noise[: len(noise) // 3, : noise.shape[1] // 3] = 0
    return (picture + noise).astype(np.float32)


def ask(measure, picture, decoded, counted=None, threads=1):
    gradient = np.full_like(decoded, np.nan)
    return Distortion(measure, picture, counted, threads)(decoded, gradient), gradient


def some_counted(picture):
    """About three quarters of the rows and columns."""
    height, width, _ = picture.shape
    return np.s_[height // 8 : height - height // 8, width // 7 : width - width // 9]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("part", [False, True])
def test_values_are_those_of_the_formulas(measure, shape, part):
    picture = picture_of(*shape)
    counted = some_counted(picture) if part else None
    for error in (0.005, 0.05, 0.3):
        decoded = decoded_of(picture, error)
        value, _ = ask(measure, picture, decoded, counted)
        expected = plain_distortion.distortion(measure, picture, decoded, counted)
        assert value == pytest.approx(expected, rel=2e-4, abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("part", [False, True])
def test_slopes_are_those_of_differences(measure, shape, part):
    """Along random directions, among them those of a few pixels, in a corner and inside."""
    rng = np.random.default_rng(2)
    picture = picture_of(*shape)
    counted = some_counted(picture) if part else None
    decoded = np.clip(decoded_of(picture, 0.05), 0.01, 0.99)  # not where it is clipped
    _, gradient = ask(measure, picture, decoded, counted)
    ways = rng.normal(size=(6, *picture.shape))
    ways[1, 2:], ways[2, :, 1:], ways[3, :-1], ways[4, :, :-2] = 0, 0, 0, 0
    ways[5] *= rng.random(picture.shape[:2])[..., None] < 0.05
    for way in ways:
        step = 1e-6  # few maps have a kink so near
        ends = (decoded + sign * step * way for sign in (1, -1))
        up, down = (plain_distortion.distortion(measure, picture, y, counted) for y in ends)
        found = float((gradient * way).sum())
        size = np.linalg.norm(gradient) * np.linalg.norm(way) / np.sqrt(way.size)
        assert found == pytest.approx((up - down) / (2 * step), rel=5e-4, abs=5e-4 * size)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("shape", [(256, 256), (259, 301)])
def test_it_is_the_distortion_of_keras(measure, shape):
    pytest.importorskip("keras", reason="Keras is not installed")
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from nic.models.distortion import measures

    picture = picture_of(*shape)
    # With less noise, Keras loses more where it subtracts squares of the planes X, Y and B.
    for error, counted, apart in ((0.02, None, 6e-3), (0.1, np.s_[16:240, 8:250], 1e-3)):
        decoded = decoded_of(picture, error)
        mask = np.zeros((*shape, 1), np.float32)
        mask[counted or np.s_[:]] = 1
        given = tf.constant(decoded)
        with tf.GradientTape() as tape:
            tape.watch(given)
            expected = measures.MEASURES[measure](
                picture[None], (mask * given + (1 - mask) * picture)[None]
            )[0]
        slopes = tape.gradient(expected, given).numpy()
        value, gradient = ask(measure, picture, decoded, counted)
        assert value == pytest.approx(float(expected), rel=2e-4, abs=1e-7)
        assert np.linalg.norm(gradient - slopes) < apart * np.linalg.norm(slopes)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("shape", [(1, 1), (40, 57), (203, 131)])
def test_threads_and_instruction_sets_change_no_bit(measure, shape, monkeypatch):
    picture = picture_of(*shape)
    decoded, counted = decoded_of(picture, 0.1), some_counted(picture)
    expected = None
    for isa in SETS:
        monkeypatch.setenv(native.VARIABLE, isa.name.lower())
        for threads in (1, 2, 3):
            value, gradient = ask(measure, picture, decoded, counted, threads)
            expected = expected or (value, gradient.tobytes())
            assert (value, gradient.tobytes()) == expected


@pytest.mark.parametrize("measure", MEASURES)
def test_a_second_call_does_not_depend_on_the_first(measure):
    picture = picture_of(60, 70)
    one, gradient = Distortion(measure, picture), np.empty_like(picture)
    one(decoded_of(picture, 0.5), gradient)
    found = one(decoded_of(picture, 0.02), gradient)
    value, slopes = ask(measure, picture, decoded_of(picture, 0.02))
    assert found == value
    assert gradient.tobytes() == slopes.tobytes()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("shape", [(2, 3), (40, 40), (200, 180)])
@pytest.mark.parametrize("level", [0.0, 0.04045, 0.5, 1.0])
def test_everything_is_finite(measure, shape, level):
    """Flat pictures; equal ones, and decoded values far beyond black and white."""
    picture = np.full((*shape, 3), level, np.float32)
    for error in (0, 1e-6, 0.2, 10, 1e10, -1e10, 1e38):
        value, gradient = ask(measure, picture, picture + np.float32(error))
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        assert value < 1e-7 or error


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_pictures_are_at_the_bottom(measure):
    picture = picture_of(200, 190)
    value, gradient = ask(measure, picture, picture)
    assert value == pytest.approx(0, abs=1e-7)
    assert np.abs(gradient).max() < 1e-8


@pytest.mark.parametrize("measure", MEASURES)
def test_what_does_not_count_changes_nothing(measure):
    picture = picture_of(90, 100)
    counted = np.s_[8:77, 33:90]
    decoded = decoded_of(picture, 0.1)
    value, gradient = ask(measure, picture, decoded, counted)
    outside = np.ones(picture.shape, bool)
    outside[counted] = False
    assert not gradient[outside].any()
    assert gradient[~outside].all()
    decoded[outside] = np.nan
    again, slopes = ask(measure, picture, decoded, counted)
    assert again == value
    assert slopes.tobytes() == gradient.tobytes()


def test_a_clipped_pixel_has_the_slope_of_the_border():
    picture = np.clip(picture_of(80, 80), 0.1, 0.9)
    decoded = decoded_of(picture, 0.02)
    decoded[30:34, 30:34] = 1.3
    beyond, at_white = (ask("visual", picture, y) for y in (decoded, np.minimum(decoded, 1)))
    assert beyond[0] == at_white[0]
    assert beyond[1].tobytes() == at_white[1].tobytes()
    assert beyond[1][32, 32].sum() > 0


@pytest.mark.parametrize("measure", MEASURES)
def test_a_tiny_picture_has_squared_error(measure):
    picture = picture_of(7, 300)
    decoded = np.clip(decoded_of(picture, 0.1), 0, 1)
    value, gradient = ask(measure, picture, decoded)
    plain, slopes = ask("mse", picture, decoded)
    assert value == pytest.approx(plain, rel=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6)


def test_memory_is_a_few_planes():
    """Of 1920x1080 pixels: little more than a picture of floats."""
    picture = np.zeros((1080, 1920, 3), np.float32)
    assert Distortion("visual", picture, threads=2).memory < 80e6
    assert Distortion("ms-ssim", picture, threads=2).memory < 30e6
    assert Distortion("mse", picture, threads=2).memory < 1e5


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((9, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.float64),
        np.zeros((8, 8), np.float32),
        np.zeros((3, 8, 8), np.float32).transpose(1, 2, 0),
    ],
)
def test_other_arrays_are_refused(wrong):
    picture = np.zeros((8, 8, 3), np.float32)
    one = Distortion("visual", picture)
    for arrays in ((wrong, picture.copy()), (picture, wrong)):
        with pytest.raises(ValueError, match="pixels"):
            one(*arrays)
    with pytest.raises(ValueError, match="array of its own"):
        one(picture, picture)
    if wrong.ndim != 3 or wrong.dtype != np.float32:
        with pytest.raises(ValueError, match="pixels"):
            Distortion("mse", wrong)
