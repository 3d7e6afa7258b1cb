"""The stages put together: from any record to any later one, or back to a picture."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nic.entropy import coding
from nic.errors import UsageError
from nic.format import pack
from nic.format.damage import Damage
from nic.format.header import Header
from nic.format.records import Record, Stage
from nic.models import zoo
from nic.models.keras_backend import KerasBackend
from nic.models.tables import Prior
from nic.picture import alpha as alphas
from nic.picture import metadata
from nic.picture.formats import Picture, Pixels
from nic.picture.limits import MAX_LATENT, Limit, Work
from nic.picture.rows import Rows
from nic.quantize import excess, rounding
from nic.search import refine
from nic.transform import backends as backends
from nic.transform import encoding, strips

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
        backend, device: as in ``nic.transform.backends.load``.
        threads: of the entropy coder; they do not change its output.
        cores: processors that a network may use; None for all.
        max_pixels: larger pictures are refused; None for what fits into memory ...
        processes: ... of which so many processes get an equal share.
    """

    def __init__(
        self,
        model: str = zoo.DEFAULT,
        backend: backends.Name = "auto",
        device: str = "auto",
        threads: int = 1,
        tune: str = "psnr",
        strip_pixels: int = strips.STRIP_PIXELS,
        cores: int | None = None,
        max_pixels: int | None = None,
        processes: int = 1,
    ) -> None:
        self.limit = Limit(max_pixels, processes)
        self._cores = cores
        self.strip_pixels = strip_pixels
        self._name, self._tune = model, tune
        self._chosen: tuple[zoo.Model, int | None] | None = None
        self._backend = backend
        self._device = device
        self._threads = threads
        self._models: dict[str, zoo.Model] = {}
        self._transforms: dict[str, backends.Backend] = {}
        self._refiners: dict[str, KerasBackend] = {}

    def encode(
        self,
        picture: Picture | Pixels,
        quality: float | None = None,
        channels: int | None = None,
        name: str | None = None,
        alpha_quality: float | None = None,
        refinement: int = 0,
    ) -> Record:
        """Analysis of one picture, or of the pixels of one: see ``nic.transform.encoding.encode``.

        Args:
            alpha_quality: 1..100; None keeps alpha exactly.
            refinement: steps of ``nic.search.refine`` for this quality, the model's own for None.
        """
        whole = picture if isinstance(picture, Picture) else Picture(picture)
        model, channels = self._to_encode_with(channels)
        pixels = alphas.fill_hidden(whole.pixels, whole.alpha)
        record = encoding.encode(
            pixels, self._transform(model), _identity(model), quality, channels, name
        )
        if refinement:
            strip = strips.Strip(pixels, 0, len(pixels), 0, 0)
            record = self._refined(record, strip, refinement)
        alpha = self._encode_alpha(whole.alpha, alpha_quality)
        return replace(record, extra=metadata.to_chunks(whole.metadata), alpha=alpha)

    def encode_rows(
        self,
        picture: Rows,
        quality: float | None = None,
        channels: int | None = None,
        name: str | None = None,
        alpha_quality: float | None = None,
        refinement: int = 0,
    ) -> Iterator[Record]:
        """Analysis of a picture of any size: one record, or one for each strip of a large one.

        Every strip has its rows of alpha, the first one the metadata. Arguments are those of
        ``encode``.
        """
        model, channels = self._to_encode_with(channels)
        encoding.check_size(picture.width, picture.height)
        self.limit.check_named(picture.width, picture.height)
        transform = self._transform(model)
        rows = strips.strip_rows(picture.width, picture.height, self.strip_pixels)
        whole = None if rows == picture.height else picture.height
        for strip in strips.cut(picture.read, picture.height, rows, transform.reach[0]):
            record = encoding.encode_strip(
                strip, whole, transform, _identity(model), quality, channels, name
            )
            if refinement:
                record = self._refined(record, strip, refinement)
            plane = None if picture.alpha is None else picture.alpha[strip.top : strip.bottom]
            extra = () if strip.top else metadata.to_chunks(picture.metadata)
            yield replace(record, extra=extra, alpha=self._encode_alpha(plane, alpha_quality))

    def _refined(self, record: Record, strip: strips.Strip, steps: int) -> Record:
        """A record of latents with those that cost least at its quality, near those it has.

        Raises: UsageError where the model's measure cannot be taken: of a picture that is too
            small, or of a model without tables.
        """
        model = self._model_of(record)
        if not model.has_prior:
            raise UsageError(f"model {model.name} has no tables, by which latents are refined")
        transform = self._transform(model)
        symbols = rounding.quantize(record, model)
        quality, channels = symbols.header.quality, symbols.header.channels
        assert quality is not None  # the quantizer has put one there
        classes, lengths = coding.costs(symbols, model.prior)
        costs = refine.Costs(classes, lengths, model.step(quality), model.tradeoff(quality))
        gain = model.gain(quality)
        scaled = strips.analyse(strip.pixels, transform) * gain  # those of the context too
        scaled[..., channels:] = 0
        network = self._refining(model)
        reach = transform.reach[1]
        latents = refine.refine(strip, scaled, costs, reach, lambda w: network.refine(w, steps))
        header = record.header.after("refine", quality=quality)
        return replace(record, header=header, data=(latents / gain).astype("<f4").tobytes())

    def _refining(self, model: zoo.Model) -> KerasBackend:
        """What refines latents: Keras, whatever else runs the transforms."""
        if model.id not in self._refiners:
            used = self._transform(model)
            self._refiners[model.id] = (
                used
                if isinstance(used, KerasBackend)
                else KerasBackend(model, self._device, self._cores)
            )
        return self._refiners[model.id]

    def _encode_alpha(self, plane: Pixels | None, quality: float | None) -> bytes:
        """Chunk A of an alpha plane (H, W): what is shorter, if it need not be exact."""
        plane = alphas.simplified(plane)
        if plane is None:
            return b""
        exact = alphas.lossless(plane)
        if quality is None:
            return exact
        model, channels = self._to_encode_with(None)
        latents = encoding.encode(
            plane, self._transform(model), _identity(model), quality, channels
        )
        return min(exact, alphas.from_record(self.forward(latents, Stage.PACKED)), key=len)

    def decode_alpha(self, record: Record) -> Pixels | None:
        """The alpha plane (H, W) of a record of any stage, None if it has none.

        Raises: CorruptError, and VersionError for a coding of it that is not known.
        """
        if not record.alpha:
            return None
        found = alphas.parse(record.alpha, record.header.width, record.header.height)
        return self.decode(found).pixels if isinstance(found, Record) else found

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
        coder: coding.Coder = coding.Coder.AUTO,
    ) -> Record:
        """Do the stages between the record and ``target``, the asked ones and the missing.

        Raises: UsageError when the record is at ``target`` or beyond already.
        """
        if record.stage >= target:
            raise UsageError(
                f"this is {STAGE_NAMES[record.stage]} already; give it to {NEXT_TOOL[record.stage]}"
            )
        if record.stage == Stage.LATENTS:
            record = rounding.quantize(record, self._model_of(record), quality, channels)
        if record.stage == Stage.SYMBOLS and target > Stage.SYMBOLS:
            record = coding.encode(record, self._prior_of(record), coder, self._threads)
        if record.stage == Stage.CODED and target > Stage.CODED:
            record = pack.pack(record)
        return record

    def recode(self, record: Record, coder: coding.Coder) -> Record:
        """The symbols of a coded or packed record in other modes, without a network."""
        return self.forward(self.to_symbols(record), record.stage, coder=coder)

    def checked_rest(self, record: Record) -> Record:
        """The record. Raises CorruptError when what is beside its channels is damaged.

        Chunk A, chunk X and metadata; loads no network.
        """
        metadata.from_chunks(record.extra)
        h, w, _ = record.header.latent_shape
        deque(excess.channels(record.excess, h * w), maxlen=0)
        if record.alpha:
            found = alphas.parse(record.alpha, record.header.width, record.header.height)
            if isinstance(found, Record):
                self.to_symbols(found)
        return record

    def decode(self, record: Record) -> Picture:
        """A record of any stage back to a picture."""
        self._check_size(record, Work.PICTURE)
        model = self._model_of(record)
        pixels = encoding.decode(self.to_latents(record), self._transform(model))
        return Picture(pixels, self.decode_alpha(record), metadata.from_chunks(record.extra))

    def decode_strips(self, records: Iterable[Record]) -> Iterator[tuple[Header, Picture]]:
        """Records, of any stage, of whole pictures or of strips of some: header and picture.

        Raises: CorruptError when the strips of a picture do not follow each other.
        """
        rest: deque[tuple[Pixels | None, metadata.Metadata]] = deque()  # of those not given yet

        def latents() -> Iterator[tuple[Header, NDArray[np.float32]]]:
            for record in records:
                self._check_size(record, Work.PICTURE)
                rest.append((self.decode_alpha(record), metadata.from_chunks(record.extra)))
                found = self.to_latents(record)
                shape = found.header.latent_shape
                yield found.header, np.frombuffer(found.data, "<f4").reshape(shape)

        def transform(header: Header) -> backends.Backend:
            return self._transform(self._by_id(header.model))

        for header, pixels in strips.assemble(latents(), transform):
            yield header, Picture(pixels, *rest.popleft())

    def to_latents(self, record: Record) -> Record:
        """Undo packing, entropy coding and quantization, without a network."""
        self._check_size(record, Work.LATENTS)
        if record.stage == Stage.LATENTS:
            if not (np.abs(np.frombuffer(record.data, "<f4")) < MAX_LATENT).all():
                raise UsageError("the latents are not finite numbers")
            return record
        return rounding.dequantize(self.to_symbols(record), self._model_of(record))

    def to_symbols(self, record: Record) -> Record:
        """Undo packing and entropy coding, without a network; latents and symbols pass."""
        if record.stage < Stage.CODED:
            return record
        self._check_size(record, Work.SYMBOLS)
        prior = self._prior_of(record) if record.class_map else None
        return coding.decode(pack.unpack(record), prior, self._threads)

    def intact_symbols(self, record: Record) -> tuple[Record, Damage]:
        """``to_symbols`` of a coded or packed record, of the channels that are not damaged."""
        self._check_size(record, Work.SYMBOLS)
        prior = self._prior_of(record) if record.class_map else None
        return coding.decode_intact(pack.unpack(record), prior, self._threads)

    def _check_size(self, record: Record, work: Work) -> None:
        """Raises NicError when a record, or the picture of which it is a strip, is too large."""
        header = record.header
        self.limit.check(header.width, header.height, work)
        if header.strip is not None:
            self.limit.check_named(header.width, header.strip[1])

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
            self._transforms[model.id] = backends.load(
                model, self._backend, self._device, self._cores
            )
        return self._transforms[model.id]


def _identity(model: zoo.Model) -> tuple[str, str]:
    return f"{model.name}-{model.version}", model.id
