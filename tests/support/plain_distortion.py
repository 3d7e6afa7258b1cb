"""The distortions of distortion.h in double precision, written as plainly as possible."""

import numpy as np

TAPS = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
TAPS /= TAPS.sum()
EXPONENTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
SHARES = {"mse": (1, 0, 0), "ms-ssim": (0, 1, 0), "visual": (0.2, 0.1, 0.7)}
BIAS = 0.0037930732552754493
OPSIN = np.array(
    [
        [0.30, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.5518098665095536],
    ]
)
# Means of loss, ringing and blur, then 4-norms, by (level, plane of X, Y and B).
WEIGHTS = {
    (0, 1): (0, 0, 0, 7.4668903, 0, 17.445834),
    (1, 0): (0, 0, 0, 1.1041726, 0, 0),
    (1, 1): (0, 0, 0, 6.6836781, 0, 1.0278899),
    (2, 0): (0, 0, 0, 1.8422456, 11.441173, 0),
    (2, 1): (225.20515, 0, 0, 19.213238, 0, 0),
    (3, 0): (0, 0, 0, 1.8787595, 10.94907, 0),
    (3, 1): (176.39318, 0, 0, 24.43301, 0.28520803, 0),
    (3, 2): (0, 0, 0, 8.8269828, 23.192433, 0),
    (4, 0): (0, 0.96779371, 0, 0, 0.9981767, 0),
    (4, 1): (0, 0, 0, 34.779063, 44.835625, 0),
    (4, 2): (95.10805, 0.9863978, 0.98343828, 0, 171.26673, 0.98078589),
}


def filtered(x, mode):
    h, w = x.shape[:2]
    x = np.pad(x, [(5, 5), (5, 5)] + [(0, 0)] * (x.ndim - 2), mode=mode)
    x = sum(tap * x[i : i + h] for i, tap in enumerate(TAPS))
    return sum(tap * x[:, i : i + w] for i, tap in enumerate(TAPS))


def moments(x, y, mode):
    mean_x, mean_y = filtered(x, mode), filtered(y, mode)
    spread = filtered(x * x + y * y, mode) - mean_x**2 - mean_y**2 + 0.03**2
    return mean_x, mean_y, (2 * (filtered(x * y, mode) - mean_x * mean_y) + 0.03**2) / spread


def similarity(x, y):
    """1 - MS-SSIM in units of squared error; None without a level."""
    levels = sum(min(x.shape[:2]) >> level >= 11 for level in range(5))
    if not levels:
        return None
    product = np.ones(3)
    for level in range(levels):
        if level:
            x, y = (halved(p[: p.shape[0] // 2 * 2, : p.shape[1] // 2 * 2]) for p in (x, y))
        a, b, factor = moments(x, y, "reflect")
        if level == levels - 1:
            factor = factor * (2 * a * b + 0.01**2) / (a * a + b * b + 0.01**2)
        mean = np.maximum(factor.mean((0, 1)), 1e-3)
        product *= mean ** (EXPONENTS[level] / EXPONENTS[:levels].sum())
    return 1270 / 255**2 * (1 - product.mean())


def halved(x):
    """Means of 2x2 pixels; an odd last row or column has only itself."""
    h, w = x.shape[:2]
    x = np.pad(x, [(0, h % 2), (0, w % 2), (0, 0)], mode="edge")
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def linear(x):
    return np.where(x <= 0.04045, x / 12.92, ((np.maximum(x, 0) + 0.055) / 1.055) ** 2.4)


def xyb(x):
    long, medium, short = np.moveaxis(np.cbrt(x @ OPSIN.T + BIAS) - np.cbrt(BIAS), -1, 0)
    luma = (long + medium) / 2
    return 7 * (long - medium) + 0.42, luma + 0.01, short - luma + 0.55


def seen(x, y):
    """SSIMULACRA 2 before its last power, in units of squared error; None without a level."""
    if min(x.shape[:2]) < 8:
        return None
    total, x, y = 0, linear(x), linear(y)
    for level in range(5):
        if level:
            x, y = halved(x), halved(y)
        if min(x.shape[:2]) < 8:
            break
        for plane, (a, b) in enumerate(zip(xyb(x), xyb(y), strict=True)):
            mean_a, mean_b, ratio = moments(a, b, "symmetric")
            edges = (1 + abs(b - mean_b)) / (1 + abs(a - mean_a)) - 1
            maps = [1 - (1 - (mean_a - mean_b) ** 2) * ratio, edges, -edges]
            maps = [np.maximum(each, 0) for each in maps]
            pooled = [each.mean() for each in maps]
            pooled += [((each**4).mean() + 1e-20) ** 0.25 - 1e-5 for each in maps]
            total += np.dot(WEIGHTS.get((level, plane), [0] * 6), pooled)
    total *= 0.9562382616834844
    cubic = 2.326765642916932, -0.020884521182843837, 6.248496625763138e-5
    return 4e-5 * total * (cubic[0] + total * (cubic[1] + total * cubic[2]))


def distortion(measure, x, y, counted=None):
    """The value, float; pictures (H, W, 3) of any float type."""
    x = x.astype(float)
    inside = np.zeros(x.shape, bool)
    inside[counted or np.s_[:]] = True
    y = np.where(inside, y.astype(float), x)
    y = np.clip(y, *{"mse": (-np.inf, np.inf), "ms-ssim": (-8, 8), "visual": (0, 1)}[measure])
    error = ((y - x) ** 2).mean()
    share = dict(zip((similarity, seen), SHARES[measure][1:], strict=True))
    total = SHARES[measure][0] * error
    for part, weight in share.items():
        value = part(x, y) if weight else None
        total += weight * (error if value is None else value)
    return total
