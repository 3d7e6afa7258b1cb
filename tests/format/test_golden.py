"""Files written once must decode to the same symbols for ever, and to the same pictures.

``MODEL/NAME.nic`` was made by ``nic compress`` from a crop of a photograph of scikit-image, with
the quality or channels in its name; ``NAME.png`` is what ``nic decompress`` gave then.
``symbols.json`` holds the SHA-256 of the symbols, int8 (channels, h, w); ``pixels.json`` that of
the pixels, which the native backend gives on every machine, and ``thumbnails.json`` that of the
pixels of the thumbnail.
"""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from places import GOLDEN
from records import from_bytes, to_bytes

from nic.codec import Codec
from nic.format.records import Stage
from nic.models import native
from nic.preview.thumbnail import thumbnails


def digests(file):
    """SHA-256 by model and name."""
    return {
        f"{path.parent.name}/{name}": digest
        for path in GOLDEN.glob(f"*/{file}")
        for name, digest in json.loads(path.read_text()).items()
    }


SYMBOLS, PIXELS = digests("symbols.json"), digests("pixels.json")
THUMBNAILS = digests("thumbnails.json")
SETS = [each.name.lower() for each in native.Isa if each >= native.isa()]


def test_every_golden_file_has_its_symbols():
    found = (path.relative_to(GOLDEN).with_suffix("") for path in GOLDEN.glob("*/*.nic"))
    assert sorted(SYMBOLS) == sorted(PIXELS) == sorted(THUMBNAILS) == sorted(map(str, found))
    models = {name.partition("/")[0] for name in SYMBOLS}
    assert models >= {"light-5", "light-ms-ssim-4", "light-visual-2"}


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_symbols_never_change(codec, name):
    record = codec.to_symbols(from_bytes((GOLDEN / f"{name}.nic").read_bytes()))
    assert hashlib.sha256(record.data).hexdigest() == SYMBOLS[name]


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_symbols_are_coded_to_the_same_bytes(codec, name):
    data = (GOLDEN / f"{name}.nic").read_bytes()
    symbols = codec.to_symbols(from_bytes(data))
    assert to_bytes(codec.forward(symbols, Stage.PACKED)) == data


@pytest.mark.parametrize("name", sorted(THUMBNAILS))
def test_thumbnails_never_change(codec, name):
    with open(GOLDEN / f"{name}.nic", "rb") as file:
        (found,) = thumbnails(codec, file)
    assert hashlib.sha256(found.pixels.tobytes()).hexdigest() == THUMBNAILS[name]


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", sorted(PIXELS))
def test_pixels_never_change(name, isa, threads, monkeypatch):
    monkeypatch.setenv(native.VARIABLE, isa)
    codec = Codec(threads=threads)
    decoded = codec.decode(from_bytes((GOLDEN / f"{name}.nic").read_bytes())).pixels
    if isa != "portable" or native.Isa(native.lib.transform_best()) == native.Isa.PORTABLE:
        assert hashlib.sha256(decoded.tobytes()).hexdigest() == PIXELS[name]
    # Without fused multiply-add a last bit, and so a pixel, may differ.
    expected = np.array(Image.open(GOLDEN / f"{name}.png"))
    assert np.abs(decoded.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_pixels_change_by_rounding_at_most(codec, name):
    decoded = codec.decode(from_bytes((GOLDEN / f"{name}.nic").read_bytes())).pixels
    expected = np.array(Image.open(GOLDEN / f"{name}.png"))
    assert np.abs(decoded.astype(int) - expected).max() <= 1
