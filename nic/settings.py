"""Settings of a run: how networks are chosen and run, how pictures are coded and decoded.

The library and the programs share these classes. Instances are small, immutable and picklable,
so that a worker process can receive them when it starts.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nic.limits import STRIP_MEMORY, pixels_of_strip
from nic.models.zoo import DEFAULT

if TYPE_CHECKING:
    from nic.format.channels import Channels
    from nic.picture.metadata import Keep
    from nic.search.target import Target
    from nic.types import Depth

BackendName = Literal["auto", "native", "keras"]


def runs_on_keras(backend: BackendName, device: str) -> bool:
    """Whether Keras runs the networks: if it is asked for, or else for a GPU."""
    return backend == "keras" or (backend == "auto" and device.startswith("gpu"))


@dataclass(frozen=True)
class Settings:
    """Which model is used, where its networks run, and the resources of a run.

    Attributes:
        model: name of the model to encode with; decoding uses the model that the stream names.
        tune: one of ``nic.models.zoo.TUNES``, for the variant of the model that was trained for
            this distortion; None for the model as it is named.
        backend: what runs the networks; ``auto`` is native unless a GPU is asked for.
        device: ``auto``, ``cpu``, ``gpu`` or ``gpu:N``.
        threads: of the transforms and the entropy coder; None for one per processor in the
            transforms, and one in the entropy coder. The bytes are the same for any number.
        strip_pixels: a picture of more pixels becomes several records.
        max_pixels: a picture of more pixels is refused; None for as many as free memory holds.
        processes: how many processes share the free memory.
    """

    model: str = DEFAULT
    tune: str | None = None
    backend: BackendName = "auto"
    device: str = "auto"
    threads: int | None = None
    strip_pixels: int = pixels_of_strip(STRIP_MEMORY)
    max_pixels: int | None = None
    processes: int = 1

    @property
    def on_keras(self) -> bool:
        """Whether Keras runs the networks."""
        return runs_on_keras(self.backend, self.device)


@dataclass(frozen=True)
class Encoding:
    """How a picture is coded.

    Attributes:
        quality: 1..100; None for the model's default.
        channels: how many leading latent channels are coded; None for all, or as many as the
            name of the model stands for (``nic.models.zoo.PREFIXES``).
        name: the picture's name, recorded for the tools between the stages.
        alpha_quality: 1..100; None codes transparency exactly.
        effort: 1..9, of the search for better latents (``nic.search.effort``); 1 is none.
        metadata: the metadata to store: ``all``, ``icc`` or ``none``.
        target: the rate or distortion to reach, in place of a quality.
        strict: raise NicError when no quality meets the target.
    """

    quality: float | None = None
    channels: int | None = None
    name: str | None = None
    alpha_quality: float | None = None
    effort: int = 1
    metadata: "Keep" = "all"
    target: "Target | None" = None
    strict: bool = False


@dataclass(frozen=True)
class Decoding:
    """How a stream is decoded.

    Attributes:
        channels: the channels to decode; None for all.
        tolerate: decode the intact part of a damaged stream; lost channels are zero.
        metadata: the metadata to keep: ``all``, ``icc`` or ``none``.
        depth: bits per sample of the picture, 8 or 16; None for as many as its source had.
        skim: read only the chosen channels of a source that can seek, and verify no others.
    """

    channels: "Channels | None" = None
    tolerate: bool = False
    metadata: "Keep" = "all"
    depth: "Depth | None" = None
    skim: bool = False
