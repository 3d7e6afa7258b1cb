"""Encoding: pictures to records, and records to any later stage."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nic.entropy import coding
from nic.errors import UsageError
from nic.format import pack, records
from nic.format.records import Record, Stage
from nic.format.strips import strip_rows
from nic.limits import SEARCHED, Limit
from nic.loader import Loader
from nic.models import zoo
from nic.picture import alpha as alphas
from nic.picture import metadata
from nic.picture.pixels import Picture, simplified
from nic.picture.rows import Rows, of_picture
from nic.quantize import rounding
from nic.settings import Encoding, Settings
from nic.transform import encoding, strips
from nic.transform.backends import Backend
from nic.types import Pixels

if TYPE_CHECKING:
    from nic.search import context

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
    """The encoding stages, with the models and networks that they need."""

    settings: Settings
    limit: Limit
    loader: Loader
    # Called now and then with the share of a picture that has been searched for better latents.
    watch: Callable[[float], None] | None = None

    def encode(
        self,
        picture: Picture | Pixels,
        quality: float | None = None,
        channels: int | None = None,
        **options: Any,
    ) -> Record:
        """Transform a picture, or pixels (H, W[, 3]), to one record of latents.

        ``quality``, ``channels`` and ``options`` are fields of ``nic.settings.Encoding``.

        Raises: UsageError when the picture is too large for one record.
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
        """Transform a picture of any size; yield a record of latents for each of its strips.

        A small picture is one strip. Each strip has its part of the alpha plane; the first strip
        has the metadata.

        Args: changes: fields of ``nic.settings.Encoding``, which replace those of ``options``.
        Raises: UsageError for a picture that no file can hold, NicError for one above the limit.
        """
        encoding.check_size(picture.width, picture.height)
        self.limit.check_named(picture.width, picture.height)
        options = replace(options or Encoding(), **changes)
        pixels = self.settings.strip_pixels
        if options.effort > 1:
            pixels = min(pixels, SEARCHED)
        rows = strip_rows(picture.width, picture.height, pixels)
        if rows < picture.height:
            self.limit.check_width(picture.width)
        yield from self._encode(picture, rows, options)

    def _encode(self, picture: Rows, rows: int, options: Encoding) -> Iterator[Record]:
        """Yield records of latents, one for each strip of ``rows`` rows."""
        model, channels = self.loader.to_encode_with(options.channels)
        transform = self.loader.transform(model)
        whole = None if rows == picture.height else picture.height
        for strip, around in self._strips(picture, rows, transform, options.effort > 1):
            record = encoding.encode_strip(
                strip, whole, _identity(model), options.quality, channels, options.name
            )
            if around is not None:
                record = self._searched(record, around, picture.height, options.effort)
            plane = None if picture.alpha is None else picture.alpha[strip.top : strip.bottom]
            extra = () if strip.top else metadata.to_chunks(picture.metadata)
            alpha = self._encode_alpha(plane, options.alpha_quality)
            yield replace(record, extra=extra, alpha=alpha)

    def _strips(
        self, picture: Rows, rows: int, transform: Backend, with_context: bool
    ) -> "Iterator[tuple[strips.Strip, context.Strip | None]]":
        """Yield the strips of a picture; also what is around them, which a search needs."""
        if with_context:
            from nic.search import context

            for around in context.cut(picture, rows, transform):
                yield around.inner(), around
        else:
            width, height = picture.width, picture.height
            for strip in strips.analysed(picture.read, width, height, rows, transform):
                yield strip, None

    def _searched(
        self, record: Record, around: "context.Strip", height: int, effort: int
    ) -> Record:
        from nic.search.effort import searched  # takes time

        def advance(share: float) -> None:
            if self.watch is not None:
                self.watch((around.top + share * (around.bottom - around.top)) / height)

        def size(record: Record) -> int:
            return records.size(self.forward(record, Stage.PACKED))

        model = self.loader.model(record.header)
        synthesis = self.loader.synthesis(model)
        return searched(record, around, model, synthesis, effort, size, advance)

    def _encode_alpha(self, plane: Pixels | None, quality: float | None) -> bytes:
        """Chunk A of an alpha plane (H, W).

        With a quality it is the shorter of the lossy and the exact coding.
        """
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
        """Run the stages that are missing between the record and ``target``.

        Raises: UsageError when the record is already at ``target`` or beyond.
        """
        if record.stage >= target:
            raise UsageError(
                f"this is {STAGE_NAMES[record.stage]} already; give it to {NEXT_TOOL[record.stage]}"
            )
        if record.stage == Stage.LATENTS:
            record = rounding.quantize(record, self.loader.model(record.header), quality, channels)
        if record.stage == Stage.SYMBOLS and target > Stage.SYMBOLS:
            record = coding.encode(
                record, self.loader.tables(record.header), coder, self.settings.threads or 1
            )
        if record.stage == Stage.CODED and target > Stage.CODED:
            record = pack.pack(record)
        return record


def _identity(model: zoo.Model) -> tuple[str, str]:
    return f"{model.name}-{model.version}", model.id
