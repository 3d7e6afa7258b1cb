"""The codec: encoder and decoder in one object, which loads each model and network once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.decoder import Decoder
from nic.encoder import Encoder
from nic.entropy import coding
from nic.format.channels import joined, latents
from nic.format.records import Record, Stage
from nic.limits import KERAS, NATIVE, Limit
from nic.loader import Loader
from nic.picture.rows import Rows
from nic.settings import Encoding, Settings


class Codec(Encoder, Decoder):
    """All stages, with the models and networks that they need."""

    def __init__(self, settings: Settings | None = None, **changes: Any) -> None:
        """Fields of ``nic.settings.Settings`` in ``changes`` replace those of ``settings``."""
        self.settings = replace(settings or Settings(), **changes)
        transform = KERAS if self.settings.on_keras else NATIVE
        self.limit = Limit(self.settings.max_pixels, self.settings.processes, transform)
        self.loader = Loader(self.settings)

    def compress(self, picture: Rows, options: Encoding | None = None) -> Iterator[Record]:
        """Packed records of a picture, at the quality that is given or that meets the target.

        Raises: as ``encode_rows``; NicError when no quality meets a strict target.
        """
        options = options or Encoding()
        quality = options.quality
        if options.target is None:
            analysed: Iterable[Record] = self.encode_rows(picture, options)
        else:
            from nic.search.target import reach

            analysed, quality = reach(self, picture, options, options.target)
        for record in analysed:
            yield self.forward(record, Stage.PACKED, quality)

    def latents_of(self, picture: Rows) -> NDArray[np.float32]:
        """The latents of a picture, float32 (h, w, C), not quantized."""
        return joined(latents(record) for record in self.encode_rows(picture))

    def recode(self, record: Record, coder: coding.Coder) -> Record:
        """A coded or packed record with its symbols coded anew by ``coder``; runs no network."""
        return self.forward(self.to_symbols(record), record.stage, coder=coder)


@cache
def shared(settings: Settings) -> Codec:
    """The codec of this process for some settings, its models and networks loaded once."""
    return Codec(settings)
