#!/usr/bin/env python3
"""Feed damaged streams and pictures to the programs, in this process and in bounded memory.

    tests/support/fuzz_programs.py [--seed N] [--streams N] [--pictures N]

A case passes when the program succeeds, or ends with an exit code of nic.errors and one line on
stderr, in time. Prints how often each exit code came, or the first failing case and its bytes.
"""

import argparse
import io
import os
import random
import resource
import signal
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from fuzz_pictures import SIGNATURE, sound, with_png_checksums
from programs import invoke

MEMORY = 6 << 30  # bytes of address space
SECONDS = 20  # of a processor's time, per case: on a busy machine the clock says little
WAIT = 600  # seconds of the clock, in which no case may only wait
LIMIT = (
    "--max-pixels",
    "300k",
)  # so that a claimed size costs no time; tests/picture/test_limits.py
MAGIC = b"\x89NIC\r\n\x1a\n"
ALLOWED = {0, 1, 2, 3, 4, 5, 6}
FORMATS = ("png", "jpeg", "tiff", "webp", "ppm", "pam", "bmp")  # that sound pictures are written as


def pixels():
    """A colour picture of 40x52 pixels with smooth parts, edges and noise."""
    y, x = np.mgrid[:40, :52]
    smooth = np.stack([4 * y, 3 * x + y, 255 - 2 * (x + y)], axis=-1)
    noise = np.random.default_rng(7).normal(0, 6, smooth.shape)
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


def streams():
    """The picture at every stage, in several coders, and as two records."""
    from nic.codec import Codec
    from nic.entropy.coding import Coder
    from nic.format.records import Stage, write_record
    from nic.picture.metadata import Metadata
    from nic.picture.pixels import Picture
    from nic.picture.rows import of_array

    def stream(record):
        out = io.BytesIO()
        write_record(out, record)
        return out.getvalue()

    codec = Codec()
    latents = codec.encode(pixels())
    symbols = codec.forward(latents, Stage.SYMBOLS, quality=80)
    packed = [codec.forward(symbols, Stage.PACKED, coder=coder) for coder in Coder]
    coded = stream(codec.forward(symbols, Stage.CODED))
    small = Codec(strip_pixels=1)
    strips = [small.forward(r, Stage.PACKED) for r in small.encode_rows(of_array(pixels()))]
    assert len(strips) > 1
    made = [stream(latents), stream(symbols), coded, *map(stream, packed)]
    alpha = np.tile(np.arange(0, 260, 5, dtype=np.uint8), (40, 1))
    for quality in (None, 20.0):  # lossless, and as a record inside the record
        glass = Picture(pixels(), alpha, Metadata(exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"))
        made.append(stream(codec.forward(codec.encode(glass, alpha_quality=quality), Stage.PACKED)))
    return [*made, 2 * stream(packed[0]), b"".join(map(stream, strips))]


def number(data, at):
    """The LEB128 number at ``at``, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def with_checksums(data, damage, rng):
    """The first record with one chunk's payload damaged and its checksum made anew."""
    at, chunks = len(MAGIC) + 1, []
    while data[at : at + 1] != b"E":
        length, start = number(data, at + 1)
        chunks.append((at, start, start + length))
        at = start + length + 4
    at, start, end = rng.choice(chunks)
    payload = damage(data[start:end], rng) or b"\0"
    head, size = data[at : at + 1], len(payload)
    while size > 127:
        head, size = head + bytes([size & 127 | 128]), size >> 7
    head += bytes([size])
    checksum = zlib.crc32(head + payload).to_bytes(4, "little")
    return data[:at] + head + payload + checksum + data[end + 4 :]


def flip(data, rng):
    """Flip 1 to 4 bits, most often near the start."""
    out = bytearray(data or b"\0")
    for _ in range(rng.randint(1, 4)):
        limit = rng.choice([min(40, len(out)), len(out)])
        out[rng.randrange(limit)] ^= 1 << rng.randrange(8)
    return bytes(out)


def overwrite(data, rng):
    """Write random or extreme bytes over some."""
    at = rng.randrange(len(data) + 1)
    patch = rng.choice([rng.randbytes(rng.randint(1, 8)), b"\xff" * 4, b"\0" * 4, b"\x7f\xff"])
    return data[:at] + patch + data[at + len(patch) :]


def cut(data, rng):
    """Keep the start alone."""
    return data[: rng.randrange(len(data) + 1)]


def splice(data, rng):
    """Remove, repeat or move a part."""
    a, b, c = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    return rng.choice([data[:a] + data[b:], data[:b] + data[a:], data[:a] + data[b:c] + data[a:b]])


def mutated(data, rng, repair):
    """The data, damaged in some way; inside its checksums, if ``repair``."""
    damage = rng.choice([flip, flip, overwrite, cut, splice])
    return with_checksums(data, damage, rng) if repair else damage(data, rng)


def commands(rng):
    """A program that takes streams, with options."""
    return rng.choice([
        ("test", *LIMIT), ("info",), ("decode", "--format", "ppm", *LIMIT),
        ("decode", "--tolerate", "--format", "ppm", *LIMIT),
        ("decode", "--tolerate", "-c", "0-3", *LIMIT),
        ("decompress", "--tolerate", *LIMIT), ("extract", "-c", "0,3", *LIMIT),
        ("thumbnail", *LIMIT), ("thumbnail", "--tolerate", "--size", "5", *LIMIT),
        ("decode", "--progressive", "--format", "ppm", *LIMIT),
        ("decode", "--progressive", "--tolerate", "--format", "ppm", *LIMIT),
        ("truncate", "-c", "5"), ("latents", *LIMIT), ("quantize",), ("pack",),
        ("entropy", "--coder", rng.choice(["auto", "own"]), *LIMIT),
    ])  # fmt: skip


def run(arguments, data, native, allowed):
    """Run one case, and write what was read as a picture again; the exit code.

    Raises: AssertionError when it does not end as it may.
    """
    result = finish(arguments, data, native, allowed)
    if result.code == 0 and arguments[0] in ("compress", "encode"):
        name = FORMATS[len(data) % len(FORMATS)]
        finish(("decode", "--format", name, *LIMIT), result.out, native, {0, 2})
    return result.code


def finish(arguments, data, native, allowed):
    """Run one program to its end. Raises AssertionError when it does not end as it may."""
    timers(SECONDS, WAIT)
    result = invoke(*arguments, data=data)
    timers(0, 0)
    lines = [line for line in result.err.splitlines() if not line.startswith("nic: note: ")]
    assert result.code in allowed, f"exit code {result.code}: {result.err}"
    assert len(lines) == (result.code != 0), result.err
    assert all(line.startswith("nic-") for line in lines), result.err
    assert not os.fstat(native).st_size, "a library wrote to stderr"
    return result


def timers(busy, wait):
    """Let signals come after so many seconds of a processor and of the clock; 0 for never."""
    signal.setitimer(signal.ITIMER_PROF, busy)
    signal.setitimer(signal.ITIMER_REAL, wait)


def too_long(*_):
    """Raise for a case that takes too long."""
    raise AssertionError(f"no end within {SECONDS} s of work or {WAIT} s of waiting")


def cases(kind, count, rng):
    """Arguments and input of every case, and the exit codes that it may have."""
    if kind == "streams":
        made = streams()
        for _ in range(count):
            yield commands(rng), mutated(rng.choice(made), rng, rng.random() < 0.6), ALLOWED
        return
    made = [data for _, data in sound()]
    rng.shuffle(made)
    for number in range(count):
        options = ("--metadata", rng.choice(["all", "icc", "none"]), *LIMIT)
        arguments = rng.choice([("encode", *options), ("compress", *options), ("latents", *LIMIT)])
        if number % 4 == 0 and number // 4 < len(made):  # every fourth file is sound
            yield arguments, made[number // 4], {0, 1, 2}  # 1: an icon above the limit
            continue
        data = rng.choice(made)
        damage = rng.choice([flip, flip, overwrite, cut, splice])
        if data.startswith(SIGNATURE) and rng.random() < 0.7:
            yield arguments, with_png_checksums(data, damage, rng), ALLOWED
        else:
            yield arguments, damage(data, rng), ALLOWED


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="write failing cases here, and go on")
    wanted = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, too_long)
    visible, failures = os.dup(2), 0
    with tempfile.TemporaryFile() as native, os.fdopen(visible, "w") as report:
        for kind in ("streams", "pictures"):
            codes: Counter[int] = Counter()
            rng = random.Random(wanted.seed)
            made = cases(kind, getattr(wanted, kind), rng)
            for i, (arguments, data, allowed) in enumerate(made):
                os.dup2(native.fileno(), 2)
                try:
                    codes[run(arguments, data, native.fileno(), allowed)] += 1
                except BaseException as error:
                    os.dup2(visible, 2)
                    name = f"case {i} of {kind}, nic {' '.join(arguments)}"
                    if wanted.keep is None:
                        print(f"{name}: {data.hex()}", file=report, flush=True)
                        raise
                    failures += 1
                    timers(0, 0)
                    native.truncate(0)
                    (wanted.keep / f"{kind}-{wanted.seed}-{i}").write_bytes(data)
                    print(f"{name}: {error!r:.400}", file=report, flush=True)
                os.dup2(visible, 2)
            print(f"{kind}: {codes.total()} cases, exit codes {dict(sorted(codes.items()))}")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
