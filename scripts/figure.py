#!/usr/bin/env python3
"""Draw the README's picture: crops of photographs, decoded from files of equal bytes.

    scripts/figure.py KODAK --to man/comparison.png

KODAK is the folder of the Kodak pictures. There are three columns: a face, text on buildings, and
foliage. Below the originals are two blocks, for a low rate and for about twice as many bytes. In
each column of a block, AVIF sets the limit: its file is the largest below the rate that is meant,
and the other files are the largest that are not larger than AVIF's file.
"""

import io
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nic.bench.codecs import Coder, nic_coder
from nic.bench.quality import peers
from nic.picture import readers
from nic.search.quality import search
from nic.types import Pixels


class Crop(NamedTuple):
    """A picture, the corner of its crop in pixels, and two rates in bits per pixel."""

    picture: str
    left: int
    top: int
    rates: tuple[float, float]


CROPS = (
    Crop("kodim04.png", 140, 308, (0.15, 0.3)),
    Crop("kodim08.png", 504, 258, (0.4, 0.8)),
    Crop("kodim13.png", 250, 158, (0.42, 0.84)),
)
BLOCKS = ("Low rate", "About twice as many bytes")
WIDTH, HEIGHT = 256, 132  # pixels of a crop
BAR, GAP = 22, 6  # pixels: the text above a crop, and the space between columns
HEAD = 34  # pixels: the title of a block
INK, PAPER = "#111", "white"


@cache
def codecs() -> list[tuple[Coder, Callable[[float], float]]]:
    """The codecs by row, AVIF first, each with its level for a quality in 1..100."""
    avif, jxl = peers.avif("iq"), peers.jpegxl()
    return [
        (avif, lambda quality: round(0.9 * quality)),  # at 100 it is lossless, which iq refuses
        (nic_coder("light-visual"), float),
        (nic_coder("light"), float),
        (jxl, lambda quality: 25 - 0.249 * quality),  # the distance, 25 at most
    ]


ROWS = (1, 2, 0, 3)  # nic, then its opponents


def fitted(coder: Coder, level: Callable[[float], float], pixels: Pixels, goal: int) -> bytes:
    """The largest file of at most ``goal`` bytes. Raises SystemExit when there is none."""
    encode = partial(coder.encode, pixels)
    found = search(lambda quality: len(encode(level(quality))), goal, is_rate=True)
    if not found.met:
        raise SystemExit(f"{coder.title}: {found.measured} bytes at its lowest quality, not {goal}")
    return encode(level(found.quality))


def rows_of(crop: Crop, pixels: Pixels, rate: float) -> list[tuple[str, float, Pixels]]:
    """Title, bits per pixel and decoded pixels of every codec, in the order of the rows."""
    area = pixels.shape[0] * pixels.shape[1]
    found, goal = [], int(rate * area / 8)
    for coder, level in codecs():
        file = fitted(coder, level, pixels, goal)
        goal = goal if found else len(file)  # the first is AVIF, which sets the limit
        found.append((coder.title, 8 * len(file) / area, coder.decode(file)))
        click.echo(f"{crop.picture}, {coder.title}: {len(file)} bytes", err=True)
    return [found[row] for row in ROWS]


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), required=True)
def main(folder: Path, to: Path) -> None:
    rows = len(ROWS)
    height = BAR + HEIGHT + len(BLOCKS) * (HEAD + rows * (BAR + HEIGHT))
    sheet = Image.new("RGB", (len(CROPS) * (WIDTH + GAP) - GAP, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    plain, large = ImageFont.load_default(13), ImageFont.load_default(19)

    def tile(column: int, top: int, title: str, right: str, pixels: Pixels) -> None:
        crop, left = CROPS[column], column * (WIDTH + GAP)
        part = pixels[crop.top : crop.top + HEIGHT, crop.left : crop.left + WIDTH]
        draw.text((left + 2, top + 3), title, fill=INK, font=plain)
        draw.text((left + WIDTH - 2, top + 3), right, fill=INK, font=plain, anchor="ra")
        sheet.paste(Image.fromarray(np.ascontiguousarray(part)), (left, top + BAR))

    for column, crop in enumerate(CROPS):
        pixels = readers.read((folder / crop.picture).read_bytes()).pixels
        tile(column, 0, "Original", crop.picture, pixels)
        top = BAR + HEIGHT
        for block, rate in zip(BLOCKS, crop.rates, strict=True):
            if column == 0:
                draw.text((2, top + 8), block, fill=INK, font=large)
            top += HEAD
            for title, bpp, decoded in rows_of(crop, pixels, rate):
                tile(column, top, title, f"{bpp:.3f} bpp", decoded)
                top += BAR + HEIGHT
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    to.write_bytes(out.getvalue())


if __name__ == "__main__":
    main()
