"""Made training pictures: the same for the same seed, and what photographs lack."""

from pathlib import Path

import numpy as np
import pytest

from nic.models.training import made, pen


@pytest.fixture(scope="module")
def pictures():
    return made.made_pictures([], 24, seed=3)


def test_they_are_pictures_of_the_size_that_patches_need(pictures):
    least, largest = pen.SIDES
    for picture in pictures:
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        assert least <= min(picture.shape[:2]) <= max(picture.shape[:2]) <= largest


def test_the_same_seed_draws_the_same(pictures):
    again = made.made_pictures([], 3, seed=3)
    other = made.made_pictures([], 3, seed=4)
    for a, b in zip(pictures, again, strict=False):
        np.testing.assert_array_equal(a, b)
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(again, other, strict=True))


def test_they_are_white_flat_and_sharp(pictures):
    whites = [(picture == 255).all(axis=2).mean() for picture in pictures]
    flats = [(np.diff(picture.astype(int), axis=1) == 0).all(axis=2).mean() for picture in pictures]
    steps = [np.abs(np.diff(picture.astype(int), axis=1)).max() for picture in pictures]
    assert np.mean(np.array(whites) > 0.3) > 0.2
    assert np.median(flats) > 0.5
    assert np.median(steps) > 150


@pytest.mark.parametrize("kind", sorted(set(made.KINDS), key=lambda kind: kind.__name__))
def test_every_kind_draws_with_the_fonts_of_pillow_alone(kind):
    canvas = pen.Pen(np.random.default_rng(1), [], (255, 255, 255))
    kind(canvas)
    assert (np.asarray(canvas.image) != 255).any()


def test_photographs_are_pasted_into_some():
    red = np.zeros((300, 400, 3), np.uint8) + np.array([201, 33, 47], np.uint8)
    found = made.made_pictures([red], 40, seed=5)
    with_red = sum((picture == red[0, 0]).all(axis=2).sum() > 1000 for picture in found)
    assert 1 <= with_red <= 20


def test_fonts_without_latin_letters_are_left_out(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"not a font")
    assert not pen._has_latin(tmp_path / "broken.ttf")
    assert all(isinstance(path, Path) for path in pen.fonts_at_hand())
