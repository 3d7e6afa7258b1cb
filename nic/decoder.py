"""Decoding: records of any stage to symbols, latents and pictures."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nic.entropy import coding
from nic.errors import UsageError
from nic.format import pack
from nic.format.channels import joined, latents, read_selected, select
from nic.format.damage import Damage
from nic.format.header import Header
from nic.format.records import Record, Stage, read_records
from nic.format.salvage import Report, read_intact
from nic.limits import MAX_LATENT, Limit, Work
from nic.loader import Loader
from nic.picture import alpha as alphas
from nic.picture import metadata
from nic.picture.pixels import Picture, with_depth
from nic.picture.rows import by_picture
from nic.quantize import excess, rounding
from nic.settings import Decoding, Settings
from nic.transform import backends, encoding, strips
from nic.types import Pixels


class Decoder:
    """The decoding stages, with the models and networks that they need."""

    settings: Settings
    limit: Limit
    loader: Loader

    def check_side_data(self, record: Record) -> Record:
        """Return the record if its side data decodes: alpha, excess and metadata.

        Loads no network. Raises: CorruptError.
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
        self._check_size(record, Work.picture(record.header.bit_depth))
        model = self.loader.model(record.header)
        pixels = encoding.decode(self.to_latents(record), self.loader.transform(model))
        return Picture(pixels, self.decode_alpha(record), metadata.from_chunks(record.extra))

    def decode_alpha(self, record: Record, depth: int | None = None) -> Pixels | None:
        """The alpha plane (H, W) of a record of any stage; None if it has none.

        Args: depth: bits per sample, 8 or 16; None for those of the picture.
        Raises: CorruptError; VersionError when the plane is coded in an unknown way.
        """
        if not record.alpha:
            return None
        found = alphas.parse(record.alpha, record.header.width, record.header.height)
        plane = self.decode(found).pixels if isinstance(found, Record) else found
        return with_depth(plane, depth or record.header.bit_depth)

    def decode_stream(
        self, source: BinaryIO, options: Decoding | None = None, report: Report | None = None
    ) -> Iterator[Iterator[tuple[Header, Picture]]]:
        """Yield the pictures of a stream, each as its strips from top to bottom.

        The records may be of any stage.

        Args: report: takes the damage that ``options`` tolerate.
        Raises: as ``nic.format.records.read_records`` and ``decode_strips``.
        """
        options = options or Decoding()
        if options.tolerate:
            records = read_intact(source, self, report or Report())
        elif options.skim:
            records = read_selected(source, options.channels)
        else:
            records = read_records(source)
        if options.channels is not None:
            records = map(partial(select, channels=options.channels), records)
        yield from by_picture(self.strips_of(records, options))

    def strips_of(
        self, records: Iterable[Record], options: Decoding
    ) -> Iterator[tuple[Header, Picture]]:
        """``decode_strips`` with the depth and the metadata that are asked for."""
        for header, strip in self.decode_strips(records, options.depth):
            yield header, replace(strip, metadata=strip.metadata.only(options.metadata))

    def latents_of_stream(
        self, source: BinaryIO, start: bytes = b""
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the latents of each picture of a stream, float32 (h, w, C), without a network.

        Args: start: bytes that have already been read, see ``nic.format.records.read_records``.
        """
        found = (self.to_latents(record) for record in read_records(source, start))
        for parts in by_picture((record.header, latents(record)) for record in found):
            yield joined(part for _, part in parts)

    def decode_strips(
        self, records: Iterable[Record], depth: int | None = None
    ) -> Iterator[tuple[Header, Picture]]:
        """Yield the header and the decoded picture of every record.

        A record may be of any stage, and hold a whole picture or one strip of it. ``depth`` is the
        number of bits per sample, 8 or 16; None for that of the header.

        Raises: CorruptError when a strip is missing or out of order.
        """
        # Alpha and metadata of the strips that still wait for their pixels.
        rest: deque[tuple[Pixels | None, metadata.Metadata]] = deque()

        def dequantized() -> Iterator[tuple[Header, NDArray[np.float32]]]:
            for record in records:
                self._check_size(record, Work.picture(depth or record.header.bit_depth))
                alpha = self.decode_alpha(record, depth)
                rest.append((alpha, metadata.from_chunks(record.extra)))
                found = self.to_latents(record)
                yield found.header, latents(found)

        def transform(header: Header) -> backends.Backend:
            return self.loader.transform(self.loader.model(header))

        for header, pixels in strips.assemble(dequantized(), transform, depth):
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
        """Undo packing and entropy coding, without a network.

        Records of latents or symbols are returned as they are.
        """
        if record.stage < Stage.CODED:
            return record
        self._check_size(record, Work.SYMBOLS)
        prior = self.loader.tables(record.header) if record.class_map else None
        return coding.decode(pack.unpack(record), prior, self.settings.threads or 1)

    def intact_symbols(self, record: Record) -> tuple[Record, Damage]:
        """A coded or packed record as symbols, and its damage; damaged channels are zero."""
        self._check_size(record, Work.SYMBOLS)
        prior = self.loader.tables(record.header) if record.class_map else None
        return coding.decode_intact(pack.unpack(record), prior, self.settings.threads or 1)

    def _check_size(self, record: Record, work: Work) -> None:
        """Raises NicError when a record or its whole picture is too large."""
        header = record.header
        self.limit.check(header.width, header.height, work)
        if header.strip is not None:
            self.limit.check_named(header.width, header.strip[1])
            if work >= Work.PICTURE:
                self.limit.check_width(header.width)
