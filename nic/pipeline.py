"""The stages put together: from any record to any later one, or back to a picture."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from nic import encode, entropy, pack, quantize, strips
from nic.damage import Damage
from nic.errors import UsageError
from nic.header import Header
from nic.models import backend as backends
from nic.models import zoo
from nic.models.tables import Prior
from nic.picture import Pixels
from nic.rows import Rows
from nic.stream import Record, Stage

STAGE_NAMES = {
    Stage.LATENTS: "latents",
    Stage.SYMBOLS: "symbols",
    Stage.CODED: "a coded stream",
    Stage.PACKED: "a packed file",
}
NEXT_TOOL = {
    Stage.SYMBOLS: "nic-entropy",
    Stage.CODED: "nic-pack",
    Stage.PACKED: "nic-decode",
}


class Codec:
    """The models and networks that a run has needed so far, each loaded once.

    Args: model: name for encoding; decoding goes by what the stream says.
        tune: what the model was trained for, one of ``nic.models.zoo.TUNES``.
        strip_pixels: larger pictures become several records.
        backend, device: as in ``nic.models.backend.load``.
        threads: of the entropy coder; they do not change its output.
    """

    def __init__(
        self,
        model: str = zoo.DEFAULT,
        backend: backends.Name = "auto",
        device: str = "auto",
        threads: int = 1,
        tune: str = "psnr",
        strip_pixels: int = strips.STRIP_PIXELS,
    ) -> None:
        self.strip_pixels = strip_pixels
        self._name, self._tune = model, tune
        self._chosen: tuple[zoo.Model, int | None] | None = None
        self._backend = backend
        self._device = device
        self._threads = threads
        self._models: dict[str, zoo.Model] = {}
        self._transforms: dict[str, backends.Backend] = {}

    def encode(
        self,
        pixels: Pixels,
        quality: float | None = None,
        channels: int | None = None,
        name: str | None = None,
    ) -> Record:
        """Analysis of one picture: see ``nic.encode.encode``."""
        model, channels = self._to_encode_with(channels)
        return encode.encode(
            pixels, self._transform(model), _identity(model), quality, channels, name
        )

    def encode_rows(
        self,
        picture: Rows,
        quality: float | None = None,
        channels: int | None = None,
        name: str | None = None,
    ) -> Iterator[Record]:
        """Analysis of a picture of any size: one record, or one for each strip of a large one."""
        model, channels = self._to_encode_with(channels)
        encode.check_size(picture.width, picture.height)
        transform = self._transform(model)
        rows = strips.strip_rows(picture.width, picture.height, self.strip_pixels)
        whole = None if rows == picture.height else picture.height
        for strip in strips.cut(picture.read, picture.height, rows, transform.reach[0]):
            yield encode.encode_strip(
                strip, whole, transform, _identity(model), quality, channels, name
            )

    def _to_encode_with(self, channels: int | None) -> tuple[zoo.Model, int | None]:
        """The model of this codec's arguments, and how many of its channels, if it matters."""
        if self._chosen is None:
            self._chosen = zoo.by_choice(self._name, self._tune)
        model, usual = self._chosen
        channels = channels or usual
        if channels is not None and channels > model.channels:
            raise UsageError(f"{channels} channels asked of {model.channels}")
        self._models.setdefault(model.id, model)
        return model, channels

    def forward(
        self,
        record: Record,
        target: Stage,
        quality: float | None = None,
        channels: int | None = None,
        coder: entropy.Coder = entropy.Coder.AUTO,
    ) -> Record:
        """Do the stages between the record and ``target``, the asked ones and the missing.

        Raises: UsageError when the record is at ``target`` or beyond already.
        """
        if record.stage >= target:
            raise UsageError(
                f"this is {STAGE_NAMES[record.stage]} already; give it to {NEXT_TOOL[record.stage]}"
            )
        if record.stage == Stage.LATENTS:
            record = quantize.quantize(record, self._model_of(record), quality, channels)
        if record.stage == Stage.SYMBOLS and target > Stage.SYMBOLS:
            record = entropy.encode(record, self._prior_of(record), coder, self._threads)
        if record.stage == Stage.CODED and target > Stage.CODED:
            record = pack.pack(record)
        return record

    def recode(self, record: Record, coder: entropy.Coder) -> Record:
        """The symbols of a coded or packed record in other modes, without a network."""
        return self.forward(self.to_symbols(record), record.stage, coder=coder)

    def decode(self, record: Record) -> Pixels:
        """A record of any stage back to pixels, uint8 (H, W, 3) or (H, W)."""
        model = self._model_of(record)
        return encode.decode(self.to_latents(record), self._transform(model))

    def decode_strips(self, records: Iterable[Record]) -> Iterator[tuple[Header, Pixels]]:
        """Records, of any stage, of whole pictures or of strips of some: header and pixels.

        Raises: CorruptError when the strips of a picture do not follow each other.
        """

        def latents() -> Iterator[tuple[Header, NDArray[np.float32]]]:
            for record in records:
                found = self.to_latents(record)
                shape = found.header.latent_shape
                yield found.header, np.frombuffer(found.data, "<f4").reshape(shape)

        return strips.assemble(latents(), lambda header: self._transform(self._by_id(header.model)))

    def to_latents(self, record: Record) -> Record:
        """Undo packing, entropy coding and quantization, without a network."""
        record = self.to_symbols(record)
        if record.stage == Stage.SYMBOLS:
            record = quantize.dequantize(record, self._model_of(record))
        return record

    def to_symbols(self, record: Record) -> Record:
        """Undo packing and entropy coding, without a network; latents and symbols pass."""
        if record.stage < Stage.CODED:
            return record
        prior = self._prior_of(record) if record.class_map else None
        return entropy.decode(pack.unpack(record), prior, self._threads)

    def intact_symbols(self, record: Record) -> tuple[Record, Damage]:
        """``to_symbols`` of a coded or packed record, of the channels that are not damaged."""
        prior = self._prior_of(record) if record.class_map else None
        return entropy.decode_intact(pack.unpack(record), prior, self._threads)

    def _prior_of(self, record: Record) -> Prior | None:
        model = self._model_of(record)
        return model.prior if model.has_prior else None

    def _by_id(self, model_id: str) -> zoo.Model:
        if model_id not in self._models:
            self._models[model_id] = zoo.by_id(model_id)
        return self._models[model_id]

    def _model_of(self, record: Record) -> zoo.Model:
        model = self._by_id(record.header.model)
        if record.header.latent_channels != model.channels:
            raise UsageError(f"the stream has latents that model {model.name} does not make")
        return model

    def _transform(self, model: zoo.Model) -> backends.Backend:
        if model.id not in self._transforms:
            self._transforms[model.id] = backends.load(model, self._backend, self._device)
        return self._transforms[model.id]


def _identity(model: zoo.Model) -> tuple[str, str]:
    return f"{model.name}-{model.version}", model.id
