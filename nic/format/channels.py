"""Single channels of a record: naming them, selecting them, reading only them.

Channels do not depend on each other, and the index stands before all payloads. So a channel can
be read from its own bytes, the header and the class map.
"""

import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, groupby, pairwise
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nic.errors import UsageError
from nic.format.chunks import CLASS_MAP, CRC_SIZE, Opening, Stage, read_exactly, read_payload
from nic.format.header import MAX_CHANNELS, Header
from nic.format.index import Channel, Mode
from nic.format.records import Reading, Record, read_records
from nic.remote.ranges import expect

EMPTY = Channel(Mode.EMPTY, 0)
MARGIN = 256  # bytes, for the starts and the checksums of chunks
ITEM = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")

Channels = tuple[int, ...]  # ascending, each once, at least one


def parse(text: str) -> Channels:
    """The channels that a list such as ``0-7,12`` names. Raises UsageError."""
    chosen: set[int] = set()
    for item in text.split(","):
        found = ITEM.fullmatch(item)
        if found is None:
            raise UsageError(f"{item!r} is neither a channel nor a range; write 0-7,12")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise UsageError(f"the range {item} runs backwards")
        if last >= MAX_CHANNELS:
            raise UsageError(f"no file has a channel {last}: the last one is {MAX_CHANNELS - 1}")
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def runs(channels: Sequence[int]) -> list[list[int]]:
    """Ascending channels in runs of neighbours."""
    groups = groupby(enumerate(channels), lambda pair: pair[1] - pair[0])
    return [[c for _, c in group] for _, group in groups]


def select(record: Record, channels: Channels) -> Record:
    """The record with only these channels, at the same stage; nothing is decoded.

    Channels after the last chosen one are dropped; in latents, they become zero. The others that
    are not chosen become zero in latents and symbols, and empty in coded and packed records.
    Payloads are kept as they are.

    Raises: UsageError when the record lacks one of the channels.
    """
    _check(record.stage, record.header, channels)
    header, data = _pick(record.stage, record.header, bytes(record.data), channels)
    return replace(record, header=header, data=data)


def truncate(record: Record, count: int) -> Record:
    """The record with only its first ``count`` channels. Raises UsageError if it has fewer."""
    if count > (available := _available(record.stage, record.header)):
        raise UsageError(f"cannot use {count} channels; there are {available}")
    cut = select(record, tuple(range(count)))
    return replace(cut, header=cut.header.after("truncate"))


def read_selected(source: BinaryIO, channels: Channels | None) -> Iterator[Record]:
    """Yield every record of a stream with only these channels; None means all.

    In a source that can seek, the other channels are skipped. Then the checksum of chunk D, which
    covers all channels, is not checked. Chunk D is read whole and checked when the source cannot
    seek, or when all channels are chosen. From an unbuffered source that can seek, only the bytes
    that are needed are read.

    Raises: as ``nic.format.records.read_records``, and UsageError when a record lacks a channel.
    """
    if channels is None:
        return read_records(source)
    first = runs(channels)[0]
    prepare = partial(_expect, len(first) if first[0] == 0 else 0)
    return read_records(source, how=Reading(partial(_read_some, channels), (), prepare))


def read_leading(
    source: BinaryIO, count_of: Callable[[Header], int], skipped: Collection[bytes] = ()
) -> Iterator[Record]:
    """Yield every record of a stream with only its leading channels, as ``read_selected`` does.

    Args:
        count_of: how many channels are wanted, by the header; a record may have fewer.
        skipped: letters of chunks that are not wanted, see ``nic.format.records.read_records``.
    """

    def read(
        source: BinaryIO, stage: Stage, header: Header, opening: Opening
    ) -> tuple[Header, bytes]:
        return _read_some(leading(stage, header, count_of(header)), source, stage, header, opening)

    def prepare(source: BinaryIO, stage: Stage, header: Header, opening: Opening) -> None:
        _expect(count_of(header), source, stage, header, opening)

    return read_records(source, how=Reading(read, skipped, prepare))


def leading(stage: Stage, header: Header, count: int) -> Channels:
    """The first ``count`` channels, or as many as a record has."""
    return tuple(range(min(count, _available(stage, header))))


def planes(record: Record, channels: Sequence[int]) -> NDArray[Any]:
    """These channels of a record of symbols, int8 (n, h, w), or latents, float32 (n, h, w)."""
    if record.stage == Stage.LATENTS:
        return latents(record)[list(channels)]
    h, w, _ = record.header.latent_shape
    symbols = np.frombuffer(record.data, np.int8).reshape(record.header.channels, h, w)
    return symbols[list(channels)]


def latents(record: Record) -> NDArray[np.float32]:
    """The data of a record of latents, float32 (C, h, w)."""
    h, w, count = record.header.latent_shape
    return np.frombuffer(record.data, "<f4").reshape(count, h, w)


def joined(strips: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join strips of latents, float32 (C, h', w) each, to one array (h, w, C)."""
    return np.ascontiguousarray(np.moveaxis(np.concatenate(list(strips), axis=1), 0, -1))


def npy(array: NDArray[Any]) -> bytes:
    """The bytes of an .npy file (format version 1.0) of an array."""
    out = io.BytesIO()  # a pipe would not do: NumPy asks a file for its position
    np.lib.format.write_array(out, array, version=(1, 0), allow_pickle=False)
    return out.getvalue()


# -- chunk D, channel by channel --------------------------------------------------------------


def _available(stage: Stage, header: Header) -> int:
    """How many channels chunk D holds; latents always hold all channels of the model."""
    return header.latent_channels if stage == Stage.LATENTS else header.channels


def _check(stage: Stage, header: Header, channels: Channels) -> None:
    """Raises UsageError when a record lacks one of the channels."""
    if channels[-1] >= (available := _available(stage, header)):
        raise UsageError(f"there is no channel {channels[-1]}; channels are 0-{available - 1}")


def sizes(stage: Stage, header: Header) -> list[int]:
    """Bytes of every channel in chunk D."""
    if stage >= Stage.CODED:
        return [channel.size for channel in header.index]
    return [_plane_size(stage, header)] * _available(stage, header)


def _plane_size(stage: Stage, header: Header) -> int:
    """Bytes of a channel of latents or symbols."""
    h, w, _ = header.latent_shape
    return h * w * (4 if stage == Stage.LATENTS else 1)


def _pick(stage: Stage, header: Header, data: bytes, channels: Channels) -> tuple[Header, bytes]:
    bounds = list(pairwise([0, *accumulate(sizes(stage, header))]))
    return _assemble(stage, header, {c: data[slice(*bounds[c])] for c in channels})


def _assemble(stage: Stage, header: Header, parts: Mapping[int, bytes]) -> tuple[Header, bytes]:
    """Header and chunk D of a record of the channels in ``parts``, which has their payloads."""
    count = max(parts) + 1
    if stage < Stage.CODED:
        zeros = bytes(_plane_size(stage, header))
        planes = header.latent_channels if stage == Stage.LATENTS else count
        data = b"".join(parts.get(c, zeros) for c in range(planes))
        return replace(header, channels=count), data
    index = tuple(header.index[c] if c in parts else EMPTY for c in range(count))
    data = b"".join(parts[c] for c in sorted(parts))
    return replace(header, channels=count, index=index), data


def _read_some(
    channels: Channels, source: BinaryIO, stage: Stage, header: Header, opening: Opening
) -> tuple[Header, bytes]:
    """Chunk D with only these channels (see ``nic.format.records.ReadData``)."""
    each = sizes(stage, header)
    if len(each) != _available(stage, header) or sum(each) != opening.length:
        return header, read_payload(source, opening)  # the caller refuses it
    _check(stage, header, channels)
    expect(source, 0)  # from here on, the sizes are known
    if sum(each[c] for c in channels) == opening.length or not source.seekable():
        return _pick(stage, header, read_payload(source, opening), channels)
    return _assemble(stage, header, _seek_parts(source, each, channels))


def _expect(count: int, source: BinaryIO, stage: Stage, header: Header, opening: Opening) -> None:
    """Tell a remote source what is read behind a chunk: the first ``count`` channels.

    The class map comes before them, with some 4 bits for each block of 2x2 latents, and the excess,
    which takes less than 1 % of a file of a photograph.
    """
    each, (h, w, _) = sizes(stage, header), header.latent_shape
    class_map = 0 if opening.kind == CLASS_MAP else h * w // 8
    expect(source, class_map + sum(each[:count]) + sum(each) // 64 + MARGIN)


def _seek_parts(source: BinaryIO, each: list[int], channels: Channels) -> dict[int, bytes]:
    """The payloads of these channels; moves the source to the end of chunk D.

    That may be beyond the end of a truncated source: then the caller, who reads on, finds out.
    """
    starts = list(accumulate(each, initial=source.tell()))
    parts: dict[int, bytes] = {}
    for run in runs(channels):
        source.seek(starts[run[0]])
        data = read_exactly(source, starts[run[-1] + 1] - starts[run[0]])
        at = starts[run[0]]
        parts |= {c: data[starts[c] - at : starts[c + 1] - at] for c in run}
    source.seek(starts[-1] + CRC_SIZE)
    return parts
