"""The stages put together: from any record to any later one, or back to a picture."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nic.entropy import coding
from nic.errors import UsageError
from nic.format import pack
from nic.format.channels import select
from nic.format.damage import Damage
from nic.format.header import Header
from nic.format.records import Record, Stage, read_records
from nic.format.salvage import Report, read_intact
from nic.loader import Loader
from nic.models import zoo
from nic.picture import alpha as alphas
from nic.picture import metadata
from nic.picture.limits import MAX_LATENT, Limit, Work
from nic.picture.pixels import Picture, Pixels, simplified
from nic.picture.rows import Rows, of_picture, pictures
from nic.quantize import excess, rounding
from nic.settings import Decoding, Encoding, Settings
from nic.transform import backends, encoding, strips

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
    """All stages, with the models and networks that they need."""

    def __init__(self, settings: Settings | None = None, **changes: Any) -> None:
        """``changes`` are fields of ``nic.settings.Settings``, in place of those given."""
        self.settings = replace(settings or Settings(), **changes)
        self.limit = Limit(self.settings.max_pixels, self.settings.processes)
        self.loader = Loader(self.settings)

    # -- the way forward ----------------------------------------------------------------------

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
        rows = strips.strip_rows(picture.width, picture.height, self.settings.strip_pixels)
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

    def compress(self, picture: Rows, options: Encoding | None = None) -> Iterator[Record]:
        """Packed records of a picture, at a quality or at what a target needs.

        Raises: as ``encode_rows``; NicError when no quality meets a strict target.
        """
        options = options or Encoding()
        quality = options.quality
        if options.target is None:
            latents: Iterable[Record] = self.encode_rows(picture, options)
        else:
            from nic.search.target import reach

            latents, quality = reach(self, picture, options, options.target)
        for record in latents:
            yield self.forward(record, Stage.PACKED, quality)

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

    def recode(self, record: Record, coder: coding.Coder) -> Record:
        """The symbols of a coded or packed record in other modes, without a network."""
        return self.forward(self.to_symbols(record), record.stage, coder=coder)

    # -- the way back -------------------------------------------------------------------------

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
        model = self.loader.model(record.header)
        pixels = encoding.decode(self.to_latents(record), self.loader.transform(model))
        return Picture(pixels, self.decode_alpha(record), metadata.from_chunks(record.extra))

    def decode_alpha(self, record: Record) -> Pixels | None:
        """The alpha plane (H, W) of a record of any stage, None if it has none.

        Raises: CorruptError, and VersionError for a coding of it that is not known.
        """
        if not record.alpha:
            return None
        found = alphas.parse(record.alpha, record.header.width, record.header.height)
        return self.decode(found).pixels if isinstance(found, Record) else found

    def decode_stream(
        self, source: BinaryIO, options: Decoding | None = None, report: Report | None = None
    ) -> Iterator[Iterator[tuple[Header, Picture]]]:
        """The pictures of a stream, of records of any stage, each as its strips from top to bottom.

        Args: report: takes what is damaged, where ``options`` tolerate it.
        Raises: as ``nic.format.records.read_records`` and ``decode_strips``.
        """
        options = options or Decoding()
        if options.tolerate:
            records = read_intact(source, self, report or Report())
        else:
            records = read_records(source)
        if options.channels is not None:
            records = map(partial(select, channels=options.channels), records)
        strips_of_all = (
            (header, replace(strip, metadata=strip.metadata.only(options.metadata)))
            for header, strip in self.decode_strips(records)
        )
        yield from pictures(strips_of_all)

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
            return self.loader.transform(self.loader.model(header))

        for header, pixels in strips.assemble(latents(), transform):
            yield header, Picture(pixels, *rest.popleft())

    def to_latents(self, record: Record) -> Record:
        """Undo packing, entropy coding and quantization, without a network."""
        self._check_size(record, Work.LATENTS)
        if record.stage == Stage.LATENTS:
            if not (np.abs(np.frombuffer(record.data, "<f4")) < MAX_LATENT).all():
                raise UsageError("the latents are not finite numbers")
            return record
        return rounding.dequantize(self.to_symbols(record), self.loader.model(record.header))

    def to_symbols(self, record: Record) -> Record:
        """Undo packing and entropy coding, without a network; latents and symbols pass."""
        if record.stage < Stage.CODED:
            return record
        self._check_size(record, Work.SYMBOLS)
        prior = self.loader.tables(record.header) if record.class_map else None
        return coding.decode(pack.unpack(record), prior, self.settings.threads)

    def intact_symbols(self, record: Record) -> tuple[Record, Damage]:
        """``to_symbols`` of a coded or packed record, of the channels that are not damaged."""
        self._check_size(record, Work.SYMBOLS)
        prior = self.loader.tables(record.header) if record.class_map else None
        return coding.decode_intact(pack.unpack(record), prior, self.settings.threads)

    def _check_size(self, record: Record, work: Work) -> None:
        """Raises NicError when a record, or the picture of which it is a strip, is too large."""
        header = record.header
        self.limit.check(header.width, header.height, work)
        if header.strip is not None:
            self.limit.check_named(header.width, header.strip[1])


def _identity(model: zoo.Model) -> tuple[str, str]:
    return f"{model.name}-{model.version}", model.id
