"""The way forward: pictures to records, and records to any later stage."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nic.entropy import coding
from nic.errors import UsageError
from nic.format import pack
from nic.format.records import Record, Stage
from nic.format.strips import strip_rows
from nic.limits import Limit
from nic.loader import Loader
from nic.models import zoo
from nic.picture import alpha as alphas
from nic.picture import metadata
from nic.picture.pixels import Picture, simplified
from nic.picture.rows import Rows, of_picture
from nic.quantize import rounding
from nic.settings import Encoding, Settings
from nic.transform import encoding, strips
from nic.types import Pixels

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


class Encoder:
    """The stages of encoding, with the models and networks that they need."""

    settings: Settings
    limit: Limit
    loader: Loader

    def encode(
        self,
        picture: Picture | Pixels,
        quality: float | None = None,
        channels: int | None = None,
        **options: Any,
    ) -> Record:
        """Analysis of one picture, or of its pixels, as one record of latents.

        ``quality``, ``channels`` and ``options`` are fields of ``nic.settings.Encoding``.
        """
        whole = picture if isinstance(picture, Picture) else Picture(picture)
        height, width = whole.pixels.shape[:2]
        encoding.check_size(width, height)
        encoding.check_one_piece(width, height)
        (record,) = self._encode(of_picture(whole), height, Encoding(quality, channels, **options))
        return record

    def encode_rows(
        self, picture: Rows, options: Encoding | None = None, **changes: Any
    ) -> Iterator[Record]:
        """Analysis of a picture of any size: one record, or one for each strip of a large one.

        Every strip has its rows of alpha, the first one the metadata.

        Args: changes: fields of ``nic.settings.Encoding``, in place of those of ``options``.
        Raises: UsageError for a picture that no file can hold, NicError for one above the limit.
        """
        encoding.check_size(picture.width, picture.height)
        self.limit.check_named(picture.width, picture.height)
        rows = strip_rows(picture.width, picture.height, self.settings.strip_pixels)
        yield from self._encode(picture, rows, replace(options or Encoding(), **changes))

    def _encode(self, picture: Rows, rows: int, options: Encoding) -> Iterator[Record]:
        """Records of latents, one for each strip of ``rows`` rows."""
        model, channels = self.loader.to_encode_with(options.channels)
        transform = self.loader.transform(model)
        whole = None if rows == picture.height else picture.height
        for strip in strips.cut(picture.read, picture.height, rows, transform.reach[0]):
            record = encoding.encode_strip(
                strip, whole, transform, _identity(model), options.quality, channels, options.name
            )
            if options.refinement:
                from nic.search.refine import refined

                record = refined(record, strip, self.loader, options.refinement)
            plane = None if picture.alpha is None else picture.alpha[strip.top : strip.bottom]
            extra = () if strip.top else metadata.to_chunks(picture.metadata)
            alpha = self._encode_alpha(plane, options.alpha_quality)
            yield replace(record, extra=extra, alpha=alpha)

    def _encode_alpha(self, plane: Pixels | None, quality: float | None) -> bytes:
        """Chunk A of an alpha plane (H, W): what is shorter, if it need not be exact."""
        plane = simplified(plane)
        if plane is None:
            return b""
        exact = alphas.lossless(plane)
        if quality is None:
            return exact
        packed = self.forward(self.encode(plane, quality), Stage.PACKED)
        return min(exact, alphas.from_record(packed), key=len)

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
            record = rounding.quantize(record, self.loader.model(record.header), quality, channels)
        if record.stage == Stage.SYMBOLS and target > Stage.SYMBOLS:
            record = coding.encode(
                record, self.loader.tables(record.header), coder, self.settings.threads
            )
        if record.stage == Stage.CODED and target > Stage.CODED:
            record = pack.pack(record)
        return record


def _identity(model: zoo.Model) -> tuple[str, str]:
    return f"{model.name}-{model.version}", model.id
