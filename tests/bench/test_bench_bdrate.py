"""BD-rate against the bjontegaard package and against what it must do."""

import csv
import math
import warnings

import pytest
from places import SHARED

from nic.bench.quality.bdrate import bd_rate, in_decibels

# Rate and PSNR of two made-up codecs with bends, on different qualities.
ANCHOR = [(0.12, 26.9), (0.21, 28.3), (0.36, 30.4), (0.66, 32.2), (1.21, 35.9), (2.05, 38.1)]
TEST = [(0.1, 27.4), (0.19, 28.6), (0.41, 31.7), (0.6, 32.4), (1.3, 36.9)]


def published():
    """Curves on Kodak, points by codec, where the facts are there."""
    path = SHARED / "facts" / "kodak_curves.csv"
    curves = {}
    for row in csv.DictReader(path.open()) if path.exists() else ():
        if row["source"].startswith("CompressAI"):
            point = float(row["bpp"]), float(row["psnr_rgb_db"]), float(row["ms_ssim_rgb"])
            curves.setdefault(row["codec"], []).append(point)
    return curves


def independent(anchor, test):
    package = pytest.importorskip("bjontegaard")
    curves = (sorted(curve) for curve in (anchor, test))
    columns = [list(column) for curve in curves for column in zip(*curve, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of little overlap
        return package.bd_rate(*columns, method="pchip", require_matching_points=False)


def test_equals_the_bjontegaard_package():
    assert bd_rate(ANCHOR, TEST) == pytest.approx(independent(ANCHOR, TEST), abs=1e-6)
    assert bd_rate(TEST, ANCHOR) == pytest.approx(independent(TEST, ANCHOR), abs=1e-6)


@pytest.mark.parametrize("metric", [1, 2], ids=["psnr", "ms_ssim"])
def test_equals_the_bjontegaard_package_on_published_curves(metric):
    curves = published()
    if not curves:
        pytest.skip("the published curves are not in ../shared/facts")
    scale = in_decibels if metric == 2 else float
    points = {name: [(p[0], scale(p[metric])) for p in curve] for name, curve in curves.items()}
    anchor = points.pop("JPEG 4:2:0 (Pillow)")
    for name, curve in points.items():
        assert bd_rate(anchor, curve) == pytest.approx(independent(anchor, curve), abs=0.1), name


def test_a_codec_with_a_constant_factor_of_bytes():
    dearer = [(1.25 * rate, quality) for rate, quality in ANCHOR]
    assert bd_rate(ANCHOR, dearer) == pytest.approx(25)
    assert bd_rate(dearer, ANCHOR) == pytest.approx(-20)
    assert bd_rate(ANCHOR, ANCHOR) == pytest.approx(0, abs=1e-9)


def test_two_points_make_a_straight_line_in_the_logarithm():
    """A rate that grows from 1 to 1 and to 4 times: the mean of the logarithm doubles it."""
    assert bd_rate([(1, 30), (1, 40)], [(1, 30), (4, 40)]) == pytest.approx(100)


def test_order_of_the_points_does_not_matter():
    assert bd_rate(ANCHOR[::-1], TEST[2:] + TEST[:2]) == pytest.approx(bd_rate(ANCHOR, TEST))


def test_of_two_points_of_equal_quality_the_smaller_counts():
    assert bd_rate(ANCHOR, [*TEST, (9.0, 28.6)]) == pytest.approx(bd_rate(ANCHOR, TEST))


@pytest.mark.parametrize(
    "test", [[], TEST[:1], [(0.1, 10.0), (0.2, 20.0)], [(1.0, math.inf), (2.0, math.inf)]]
)
def test_there_is_none_without_common_quality(test):
    assert bd_rate(ANCHOR, test) is None
    assert bd_rate(test, ANCHOR) is None


def test_decibels_of_a_similarity():
    assert in_decibels(0.9) == pytest.approx(10)
    assert in_decibels(0.999) == pytest.approx(30)
    assert in_decibels(1) == math.inf
