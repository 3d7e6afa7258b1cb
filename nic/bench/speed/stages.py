"""Calls to be timed: every stage of the codec, and the whole codec, for one picture."""

import io
from collections.abc import Callable
from functools import partial

from nic.bench.codecs import Coder
from nic.entropy import coding
from nic.format import pack
from nic.format.records import Record, read_records, write_record
from nic.models.zoo import Model
from nic.picture import readers, writers
from nic.quantize import rounding
from nic.transform import encoding
from nic.transform.backends import Backend
from nic.types import Pixels

Calls = dict[str, Callable[[], object]]
NETWORK = ("network encode", "network decode")
CODEC = ("codec encode", "codec decode")
FORWARD = ("read", "analysis", "quantize", "entropy", "pack")
BACKWARD = ("unpack", "entropy decoding", "dequantize", "synthesis", "write")


def network_calls(pixels: Pixels, network: Backend) -> Calls:
    """Only the two transforms, for a picture (H, W, 3)."""
    latents = network.analyse(pixels)
    calls = (partial(network.analyse, pixels), partial(network.synthesise, latents, False, 8))
    return dict(zip(NETWORK, calls, strict=True))


def codec_calls(pixels: Pixels, coder: Coder, quality: float) -> Calls:
    """The whole codec: pixels to a file in memory, and back."""
    file = coder.encode(pixels, quality)
    calls = (partial(coder.encode, pixels, quality), partial(coder.decode, file))
    return dict(zip(CODEC, calls, strict=True))


def stage_calls(pixels: Pixels, model: Model, network: Backend, quality: float) -> Calls:
    """Every stage by itself; "read" and "write" are for a PNG file in memory."""
    identity = (f"{model.name}-{model.version}", model.id)
    prior = model.prior if model.has_prior else None
    file = writers.write(pixels, "png")
    latents = encoding.encode(pixels, network, identity)
    symbols = rounding.quantize(latents, model, quality)
    coded = coding.encode(symbols, prior)
    packed = _to_bytes(pack.pack(coded))
    calls: tuple[Callable[[], object], ...] = (
        partial(readers.read, file),
        partial(encoding.encode, pixels, network, identity),
        partial(rounding.quantize, latents, model, quality),
        partial(coding.encode, symbols, prior),
        lambda: _to_bytes(pack.pack(coded)),
        lambda: pack.unpack(_from_bytes(packed)),
        partial(coding.decode, coded, prior),
        partial(rounding.dequantize, symbols, model),
        partial(encoding.decode, latents, network),
        partial(writers.write, pixels, "png"),
    )
    return dict(zip((*FORWARD, *BACKWARD), calls, strict=True))


def _to_bytes(record: Record) -> bytes:
    file = io.BytesIO()
    write_record(file, record)
    return file.getvalue()


def _from_bytes(data: bytes) -> Record:
    (record,) = read_records(io.BytesIO(data))
    return record
