"""The common interface of the codecs that are compared: pixels to a file and back."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nic import __version__
from nic.codec import Codec
from nic.format.records import Stage, read_records, write_record
from nic.models import zoo
from nic.settings import BackendName
from nic.transform import backends as backends
from nic.types import Pixels

QUALITIES = (1, 20, 35, 50, 65, 80, 100)
MODELS = (zoo.DEFAULT, "light")  # what is compared when no model is named: for the eye, for PSNR


@dataclass(frozen=True)
class Coder:
    """A codec with its settings.

    Attributes:
        title: name with the settings that matter for a comparison: subsampling, effort, tuning.
        parameter: name of the parameter that is a level.
        levels: from small files to large ones.
        encode: gives the whole file for pixels, uint8 or uint16 (H, W, 3), and a level.
        decode: gives the pixels for a file.
    """

    name: str
    title: str
    version: str
    parameter: str
    levels: tuple[float, ...]
    encode: Callable[[Pixels, float], bytes]
    decode: Callable[[bytes], Pixels]


def nic_coder(
    model: str = zoo.DEFAULT,
    backend: BackendName = "auto",
    device: str = "auto",
    levels: Sequence[float] = QUALITIES,
) -> Coder:
    """The codec of nic, with an installed model. Raises ModelError when it is not installed."""
    codec = Codec(model=model, backend=backend, device=device)
    found = zoo.by_name(model)

    def encode(pixels: Pixels, quality: float) -> bytes:
        file = io.BytesIO()
        write_record(file, codec.forward(codec.encode(pixels), Stage.PACKED, quality))
        return file.getvalue()

    def decode(data: bytes) -> Pixels:
        (record,) = read_records(io.BytesIO(data))
        return codec.decode(record).pixels

    identity = f"{found.name}-{found.version}"
    version = f"nic {__version__}, {identity} {found.id}"
    return Coder(f"nic {model}", f"nic {identity}", version, "-q", tuple(levels), encode, decode)
