"""Small alpha planes for hypothesis."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays


def alpha_planes(kind):
    """Planes of up to 13x13 samples of a type; fully transparent and opaque ones are frequent."""
    most = int(np.iinfo(kind).max)
    sides = st.tuples(st.integers(1, 13), st.integers(1, 13))
    samples = st.sampled_from([0, most]) | st.integers(0, most)
    return arrays.arrays(kind, sides, elements=samples)
