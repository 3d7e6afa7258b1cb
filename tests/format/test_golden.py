"""Files written once must decode to the same symbols for ever, and to the same pictures.

``MODEL/NAME.nic`` was made by ``nic compress`` from a crop of a photograph of scikit-image, with
the quality or channels in its name; ``NAME.png`` is what ``nic decompress`` gave then.
``symbols.json`` holds the SHA-256 of the symbols, int8 (channels, h, w).
"""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from places import GOLDEN
from records import from_bytes, to_bytes

from nic.format.records import Stage

SYMBOLS = {
    f"{path.parent.name}/{name}": digest
    for path in GOLDEN.glob("*/symbols.json")
    for name, digest in json.loads(path.read_text()).items()
}

# Its encoder chose another class for a block; an encoder may.
OTHER_CLASSES = {"light-ms-ssim-3/cat-q80"}


def test_every_golden_file_has_its_symbols():
    found = (path.relative_to(GOLDEN).with_suffix("") for path in GOLDEN.glob("*/*.nic"))
    assert sorted(SYMBOLS) == sorted(map(str, found))
    assert {name.partition("/")[0] for name in SYMBOLS} >= {"light-5", "light-ms-ssim-3"}


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_symbols_never_change(codec, name):
    record = codec.to_symbols(from_bytes((GOLDEN / f"{name}.nic").read_bytes()))
    assert hashlib.sha256(record.data).hexdigest() == SYMBOLS[name]


@pytest.mark.parametrize("name", sorted(set(SYMBOLS) - OTHER_CLASSES))
def test_symbols_are_coded_to_the_same_bytes(codec, name):
    data = (GOLDEN / f"{name}.nic").read_bytes()
    symbols = codec.to_symbols(from_bytes(data))
    assert to_bytes(codec.forward(symbols, Stage.PACKED)) == data


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_pixels_change_by_rounding_at_most(codec, name):
    decoded = codec.decode(from_bytes((GOLDEN / f"{name}.nic").read_bytes())).pixels
    expected = np.array(Image.open(GOLDEN / f"{name}.png"))
    assert np.abs(decoded.astype(int) - expected).max() <= 1
