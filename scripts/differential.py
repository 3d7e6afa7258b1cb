#!/usr/bin/env python3
"""Compare the C coder with the plain Python model of its format, on seeded random input.

    scripts/differential.py --cases 100000

A case is a whole call on random symbols, a random table with a payload, and damaged copies of the
written bytes. Both coders must write the same bytes and decode them. They must accept or refuse the
same damaged bytes, with the same symbols. The exit status is 1 if they differ.
"""

import sys
import time
from collections import Counter
from pathlib import Path

import click
import numpy as np

import nic.fse as fse

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import fse_model as model
from fse_sources import SOURCES, random_counts

LENGTHS = ((12, 0.25), (70, 0.3), (300, 0.3), (500, 0.14), (5000, 0.01))
SIZES = (1, 2, 3, 15, 31, 63, 255)  # common largest symbols; a random one is drawn too


class Tally:
    """Counts of comparisons, and of bytes that differed."""

    def __init__(self):
        self.counts = Counter()
        self.first = ""

    def same(self, kind, found, expected):
        """Count a comparison, and differing bytes; another difference counts as one byte."""
        self.counts[kind] += 1
        if found == expected:
            return
        differing = 1
        if isinstance(found, bytes) and isinstance(expected, bytes):
            pairs = zip(found, expected, strict=False)
            differing = sum(a != b for a, b in pairs) + abs(len(found) - len(expected))
        self.counts["differing bytes"] += differing
        self.first = self.first or f"{kind}: {found!r} where the model has {expected!r}"


def draw_symbols(rng):
    """Return random symbols, and the largest symbol that was allowed."""
    longest = rng.choice([n for n, _ in LENGTHS], p=[share for _, share in LENGTHS])
    top = int(rng.choice([*SIZES, rng.integers(1, 256)]))
    source = SOURCES[rng.choice(list(SOURCES))]
    symbols = source(rng, int(rng.integers(0, longest + 1)), top)
    return np.clip(symbols, 0, top).astype(np.uint8), top


def accepted(call):
    """Return the result of a decoder of the package as bytes; None if it refuses the data."""
    try:
        return call().tobytes()
    except fse.CorruptStream:
        return None


def damage(rng, data):
    """Return the bytes cut, or cut with a random tail, or with up to three bits flipped."""
    kind = rng.integers(3)
    if kind == 0:
        return data[: rng.integers(len(data))]
    if kind == 1:
        return data[: rng.integers(len(data))] + rng.bytes(rng.integers(1, 4))
    damaged = bytearray(data)
    for bit in rng.integers(0, 8 * len(data), rng.integers(1, 4)):
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def compare_call(rng, tally):
    """Compare a whole call of both coders, and how both decode its bytes and damaged ones."""
    symbols, top = draw_symbols(rng)
    n, log = len(symbols), int(rng.integers(5, 13))
    coded = fse.compress(symbols, max_symbol=top, table_log=log)
    kind, data = model.compress(symbols.tobytes(), log)
    tally.same("kinds of whole calls", coded.kind.name, kind)
    tally.same("whole calls", coded.data, data)
    if not data:
        return
    tally.same("round trips", fse.decompress(data, n).tobytes(), symbols.tobytes())
    for stream in (data, damage(rng, data)):
        found = accepted(lambda stream=stream: fse.decompress(stream, n, max_symbol=top))
        tally.same("streams decoded", found, model.decompress(stream, n, top, 12))


def compare_tables(rng, tally):
    """Compare the header of a random table and a payload."""
    log, size = int(rng.choice([5, 6, 7, 8, 9, 10, 11, 12])), int(rng.choice([2, 3, 16, 32, 256]))
    size = size if log <= 8 else min(size, 64)  # the model's tables have size << log entries
    norm = random_counts(rng, size, log)
    table, header = fse.Table(tuple(norm), log), model.header(norm, log)
    tally.same("headers", table.header(), header)
    for data in (header, damage(rng, header)):
        tally.same("headers read", read_header(data), model_header(data))
    symbols = rng.choice(np.flatnonzero(norm), rng.integers(0, 60)).astype(np.uint8)
    n, payload = len(symbols), model.payload(symbols.tolist(), norm, log)
    tally.same("payloads", fse.encode(symbols, table), payload)
    for data in (payload, damage(rng, payload)) if payload else ():
        found = accepted(lambda data=data: fse.decode(data, n, table))
        tally.same("payloads decoded", found, model_payload(data, n, norm, log))


def read_header(data):
    """Return counts, table log and length of a header; None if the package refuses it."""
    try:
        table, used = fse.Table.from_header(data)
    except fse.CorruptStream:
        return None
    return list(table.counts), table.table_log, used


def model_header(data):
    """Return the same as ``read_header``, read by the model."""
    try:
        return model.read_header(data, 255, 12)
    except model.BadBytesError:
        return None


def model_payload(data, n, norm, log):
    """Return the symbols as bytes; None if the model refuses the payload."""
    try:
        return bytes(model.read_payload(data, n, norm, log))
    except model.BadBytesError:
        return None


def run(seed, cases):
    """Return the tally of the cases. Case i is the same for any number of cases."""
    tally = Tally()
    for i in range(cases):
        rng = np.random.default_rng([seed, i])
        compare_call(rng, tally)
        compare_tables(rng, tally)
    return tally


@click.command(help=__doc__)
@click.option("--cases", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=3, show_default=True)
def main(cases, seed):
    start = time.perf_counter()
    tally = run(seed, cases)
    differing = tally.counts.pop("differing bytes", 0)
    click.echo(f"{cases} cases of seed {seed} in {time.perf_counter() - start:.0f} s")
    for kind, count in tally.counts.items():
        click.echo(f"  {count:>9} {kind}")
    click.echo(f"{differing} differing bytes")
    if differing:
        click.echo(tally.first, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
