"""Channels coded with the model's tables: the class of every latent chooses its table.

Once the class map is known (``nic.entropy.classmap``), channels do not depend on each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import nic.fse as fse
from nic.entropy import classmap
from nic.errors import CorruptError
from nic.format.damage import Damage
from nic.format.index import Mode
from nic.models.tables import Prior
from nic.types import Bytes


@dataclass(frozen=True)
class ByClass:
    """Coder of channels with the model's tables, for one class map.

    Attributes:
        prior: the model's tables.
        table_set: the set of tables that is used.
        of_latent: the class of every latent, uint8 (h, w).
    """

    prior: Prior
    table_set: int
    of_latent: Bytes

    def encode(self, mode: Mode, planes: Bytes, channels: list[int], threads: int) -> list[bytes]:
        """Payloads of ``channels``; ``planes`` (C, h, w) are the ranks of all channels."""
        arguments = self._coding(mode, channels)
        return fse.encode_planes(planes[channels], *arguments, threads=threads)

    def decode(
        self,
        mode: Mode,
        payloads: Mapping[int, bytes],
        channels: list[int],
        threads: int,
        damage: Damage,
    ) -> Bytes:
        """Ranks (n, h, w) of ``channels``.

        A channel that does not decode is noted in ``damage``, and its ranks are 0.
        """
        try:
            return self._decode(mode, [payloads[c] for c in channels], channels, threads)
        except (CorruptError, fse.FseError):
            pass  # decode channel by channel, to find the damaged ones
        ranks = np.zeros((len(channels), *self.of_latent.shape), np.uint8)
        for i, c in enumerate(channels):
            with damage.of([c]):
                ranks[i] = self._decode(mode, [payloads[c]], [c], 1)[0]
        return ranks

    def _decode(
        self, mode: Mode, payloads: Sequence[bytes], channels: list[int], threads: int
    ) -> Bytes:
        if not channels:
            return np.zeros((0, *self.of_latent.shape), np.uint8)
        tables_of, bank, layout = self._coding(mode, channels)
        try:
            return fse.decode_planes(payloads, tables_of, bank, layout, threads=threads)
        except fse.PlaneError as error:
            raise error.reason from error

    def _coding(self, mode: Mode, channels: list[int]) -> tuple[Bytes, fse.Bank, fse.Layout]:
        by_context = mode == Mode.CONTEXT
        if by_context and not self.prior.has_contexts:
            raise CorruptError("a channel is coded by contexts that the model does not have")
        context = fse.Context.ENERGY if by_context else fse.Context.CLASS
        tables_of = self.prior.of_channels(self.table_set, channels[-1] + 1, by_context)[channels]
        shape = (self.of_latent.shape[0], self.of_latent.shape[1])
        layout = fse.Layout(shape, self.of_latent, self.prior.classes, context)
        counts = self.prior.counts
        return tables_of, classmap.bank_of(counts.tobytes(), counts.shape[1]), layout
