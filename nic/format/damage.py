"""Damage of a record: collecting it by channel, and saying it in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from nic.errors import ChecksumError, CorruptError
from nic.format.channels import runs
from nic.format.chunks import DATA

UNTOLD = "in which channel cannot be told"


@dataclass
class Damage:
    """Damage of one record; false in a boolean context if there is none.

    Attributes:
        channels: for every damaged channel the reason.
        notes: damage that does not belong to a channel.
        data_failed: whether chunk D fails its checksum.
    """

    channels: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    data_failed: bool = False

    def __bool__(self) -> bool:
        return bool(self.channels or self.notes or self.data_failed)

    def error(self) -> CorruptError:
        """The damage as an error."""
        if self.data_failed:
            return ChecksumError.of(DATA, self._further())
        return CorruptError("; ".join(self._parts()))

    def lose(self, channels: Sequence[int], reason: str) -> None:
        """Add damaged channels, with the reason that they share."""
        self.channels |= dict.fromkeys(channels, reason)

    @contextmanager
    def of(self, channels: Sequence[int]) -> Iterator[None]:
        """Turn an error that a decoder raises into damage of these channels."""
        try:
            yield
        except (CorruptError, IndexError, ValueError) as error:
            self.lose(channels, str(error))

    def __str__(self) -> str:
        """One line: the notes, then the damaged channels with the reason of the first one."""
        return str(self.error())

    def _further(self) -> str:
        """The end of the line that begins with "chunk D fails its checksum"."""
        parts = "".join(f"; {part}" for part in self._parts())
        return parts if self.channels else f", {UNTOLD}{parts}"

    def _parts(self) -> list[str]:
        return [*self.notes, *([self._channels()] if self.channels else [])]

    def _channels(self) -> str:
        damaged = sorted(self.channels)
        subject = f"channel {damaged[0]} is" if len(damaged) == 1 else f"{name(damaged)} are"
        return f"{subject} damaged: {self.channels[damaged[0]]}"


def name(channels: Sequence[int]) -> str:
    """Ascending channels as text: ``channels 3, 12-14``."""
    listed = ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs(channels))
    return f"channel{'s' * (len(channels) > 1)} {listed}"
