"""What many tests start from: the installed model, photographs, and files of every stage."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from places import SHARED
from records import CHANNELS, to_bytes

from nic.codec import Codec
from nic.format.records import Stage
from nic.models import zoo

# What scikit-image ships in its wheel; skimage.data would look for some of them on the net.
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")

# A shell starts what it runs in the background with SIGINT ignored, which every process that a
# test starts would inherit: tests of interrupts would wait for nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine, the time of one example says nothing.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


@pytest.fixture(scope="session", autouse=True)
def jax_programs(tmp_path_factory):
    """A folder where JAX keeps compiled programs; tests that train spend most time on compiling.

    For the same reason JAX optimises little.
    """
    os.environ |= {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("jax")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


@pytest.fixture(scope="session")
def model():
    return zoo.by_name()


@pytest.fixture(scope="session")
def codec():
    return Codec()


@pytest.fixture(scope="session")
def photographs():
    """Real photographs, uint8 (H, W, 3), by name."""
    folder = Path(pytest.importorskip("skimage").__file__).parent / "data"
    paths = {name: folder / f"{name}.png" for name in PHOTOGRAPHS}
    return {name: np.array(Image.open(path).convert("RGB")) for name, path in paths.items()}


@pytest.fixture(scope="session")
def pixels():
    """A small colour picture with smooth parts, edges and noise: uint8 (45, 52, 3)."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:45, :52]
    smooth = np.stack([4 * y, 3 * x + y, 255 - 2 * (x + y)], axis=-1)
    smooth[10:25, 20:40] = (200, 40, 90)
    return np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def stages(codec, pixels):
    """The small picture as a stream of every stage: bytes by name."""
    record = codec.encode(pixels, name="small")
    made = {"latents": to_bytes(record)}
    for stage in (Stage.SYMBOLS, Stage.CODED, Stage.PACKED):
        record = codec.forward(record, stage)
        made[stage.name.lower()] = to_bytes(record)
    return made


@pytest.fixture(scope="session")
def photograph(codec, photographs):
    """A photograph as a packed record of all channels, the first 64 of them with a payload."""
    record = codec.forward(codec.encode(photographs["coffee"]), Stage.PACKED, quality=100)
    assert len(record.header.index) == CHANNELS
    assert all(channel.size for channel in record.header.index[:64])
    assert record.class_map
    return record


@pytest.fixture
def nic_file(photograph, tmp_path):
    """The photograph as a .nic file."""
    path = tmp_path / "a.nic"
    path.write_bytes(to_bytes(photograph))
    return path


@pytest.fixture
def png(tmp_path, pixels):
    """The small picture as a file."""
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def kodak():
    folder = SHARED / "data" / "kodak"
    pictures = sorted(folder.glob("*.png")) if folder.is_dir() else []
    if not pictures:
        pytest.skip("the Kodak pictures are not in ../shared/data/kodak")
    return pictures
