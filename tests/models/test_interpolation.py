"""Steps between rate points: rounded once, whatever the C library's power gives."""

from fractions import Fraction

import numpy as np
import pytest

from nic.models import interpolation, zoo
from nic.models.interpolation import geometric

QUALITIES = (1, 1.01, 25.75, 50, 62.38, 99.99, 100)


@pytest.mark.parametrize("name", ["light-5", "light-visual", "light-ms-ssim"])
def test_both_ways_give_the_same(name, monkeypatch):
    table = np.array(zoo.by_name(name).definition["steps"])
    quick = [geometric(table, quality) for quality in QUALITIES]
    monkeypatch.setattr(interpolation, "DOUBT", 1e-3)  # every power is computed exactly
    for quality, found in zip(QUALITIES, quick, strict=True):
        np.testing.assert_array_equal(geometric(table, quality), found)


def test_the_ends_are_the_first_and_the_last_row():
    table = np.array([[1.0, 3.0], [2.0, 5.0], [16.0, 0.1]])
    np.testing.assert_array_equal(geometric(table, 1), table[0].astype(np.float32))
    np.testing.assert_array_equal(geometric(table, 100), table[-1].astype(np.float32))
    np.testing.assert_array_equal(geometric(table, 50.5), table[1].astype(np.float32))
    assert geometric(table, 75.25)[0] == pytest.approx(32**0.5)


def test_a_power_beside_the_middle_of_two_numbers_is_rounded_to_the_nearer_one(monkeypatch):
    """Both sides of the middle, closer to it than double precision can say."""
    one, above = np.float32(1), np.nextafter(np.float32(1), np.float32(2))
    middle = (Fraction(float(one)) + Fraction(float(above))) / 2
    for sign, wanted in ((-1, one), (1, above)):
        low = float(middle) * (1 + sign * 2**-50)
        table = np.array([[low], [low]])  # its mean is itself
        assert interpolation._is_doubtful(table[0]).all()
        assert geometric(table, 50)[0] == wanted


def test_tables_of_a_broken_model_are_no_surprise():
    table = np.array([[0.0, -1.0, np.nan, np.inf], [1.0, 1.0, 1.0, 1.0]])
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(geometric(table, 50)[1:]).any()
