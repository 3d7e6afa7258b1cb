"""Files written once must decode to the same symbols for ever, and to the same pictures.

``NAME.nic`` was made by ``nic compress`` from a crop of a photograph of scikit-image, with the
quality or channels in its name; ``NAME.png`` is what ``nic decompress`` gave then.
``symbols.json`` holds the SHA-256 of the symbols, int8 (channels, h, w).
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from records import from_bytes

GOLDEN = Path(__file__).parent / "golden"
SYMBOLS = json.loads((GOLDEN / "symbols.json").read_text())


def test_every_golden_file_has_its_symbols():
    assert sorted(SYMBOLS) == sorted(path.stem for path in GOLDEN.glob("*.nic"))


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_symbols_never_change(codec, name):
    record = codec.to_symbols(from_bytes((GOLDEN / f"{name}.nic").read_bytes()))
    assert hashlib.sha256(record.data).hexdigest() == SYMBOLS[name]


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_pixels_change_by_rounding_at_most(codec, name):
    decoded = codec.decode(from_bytes((GOLDEN / f"{name}.nic").read_bytes()))
    expected = np.array(Image.open(GOLDEN / f"{name}.png"))
    assert np.abs(decoded.astype(int) - expected).max() <= 1
