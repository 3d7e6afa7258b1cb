"""Steps between the rate points of a model, with the same bits on every machine."""

import numpy as np
from numpy.typing import NDArray

DOUBT = 1e-13  # relative error of a power in double precision, with room to spare
DIGITS = 60
WHOLE = 9900  # hundredths of a quality from 1 to 100


def geometric(table: NDArray[np.float64], quality: float) -> NDArray[np.float32]:
    """Geometric interpolation between the rows of a table, rounded once to float32.

    C libraries differ in the last bit of a power. So a power that lies within ``DOUBT`` of the
    middle between two float32 numbers is computed again, with ``DIGITS`` digits.

    Args:
        table: float64 (k, C), positive, k at least 2.
        quality: 1..100, in hundredths; the ends are the first and the last row.
    Returns: float32 (C,).
    """
    last = len(table) - 1
    at = (round(100 * quality) - 100) * last  # in parts of WHOLE
    below = min(at // WHOLE, last - 1)
    share = at - WHOLE * below
    low, high = table[below], table[below + 1]
    power = low ** ((WHOLE - share) / WHOLE) * high ** (share / WHOLE)
    found: NDArray[np.float32] = power.astype(np.float32)
    for column in np.flatnonzero(_is_doubtful(power)):
        found[column] = _exactly(low[column], high[column], share)
    return found


def _is_doubtful(power: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a slightly different power may be rounded to another float32 number."""
    least, most = (power * factor for factor in (1 - DOUBT, 1 + DOUBT))
    doubtful: NDArray[np.bool_] = least.astype(np.float32) < most.astype(np.float32)
    return doubtful


def _exactly(low: float, high: float, share: int) -> np.float32:
    from decimal import Decimal, localcontext  # takes time, and is seldom needed

    with localcontext() as context:
        context.prec = DIGITS
        part = Decimal(share) / WHOLE
        power = (Decimal(low).ln() * (1 - part) + Decimal(high).ln() * part).exp()
        near = np.float32(power)
        neighbours = (np.nextafter(near, np.float32(end)) for end in (0, np.inf))
        return min((near, *neighbours), key=lambda x: abs(Decimal(float(x)) - power))
