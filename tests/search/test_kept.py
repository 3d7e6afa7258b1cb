"""What a search reads several times: kept exactly, and on disk when it is large."""

import tracemalloc

import numpy as np
import pytest

from nic.codec import Codec
from nic.picture import rows
from nic.search import kept
from nic.search.kept import Kept, KeptPixels, KeptRecords
from nic.search.target import Target, reach
from nic.settings import Encoding


def test_much_data_is_kept_outside_of_memory(monkeypatch):
    monkeypatch.setattr(kept, "IN_MEMORY", 1 << 20)
    piece = bytes(1 << 20)
    tracemalloc.start()
    try:
        store = Kept()
        places = [store.add(bytes([i]) + piece) for i in range(40)]
        assert all(store.get(place) == bytes([i]) + piece for i, place in enumerate(places))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("in_memory", [1 << 28, 1000])
@pytest.mark.parametrize("shape", [(45, 7, 3), (45, 7)])
def test_rows_are_read_again_as_they_were(monkeypatch, in_memory, shape):
    monkeypatch.setattr(kept, "IN_MEMORY", in_memory)
    picture = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    pixels = KeptPixels(rows.of_array(picture))
    first = pixels.first
    read = [first.read(n) for n in (16, 16, 13)]
    assert np.array_equal(np.concatenate(read), picture)
    for sizes in ((45,), (1, 30, 14), (16, 0, 29)):
        again = pixels.again
        assert np.array_equal(np.concatenate([again.read(n) for n in sizes]), picture)


def test_a_search_on_disk_finds_what_a_search_in_memory_finds(monkeypatch, photographs):
    picture = photographs["coffee"][:200, :250]
    codec, found = Codec(strip_pixels=48 * 250), []
    for in_memory in (1 << 28, 1000):
        monkeypatch.setattr(kept, "IN_MEMORY", in_memory)
        for target in (Target("psnr", 32), Target("size", 6000)):
            latents, quality = reach(codec, rows.of_array(picture), Encoding(), target)
            assert isinstance(latents, KeptRecords)
            found.append((quality, [bytes(record.data) for record in latents]))
    assert found[:2] == found[2:]
    assert len(found[0][1]) > 1
