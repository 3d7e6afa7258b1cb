#!/usr/bin/env python3
"""Draw the README's picture: a photograph, and the same decoded at several qualities.

    scripts/figure.py [PICTURE] --to man/comparison.png

Without PICTURE it shows the cat that ships with scikit-image.
"""

import io
from importlib import resources
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nic.codec import Codec
from nic.format.records import Stage, size
from nic.picture import readers

SIDE, BAR = 264, 24  # pixels: side of each crop, and height of the text above it
QUALITIES = (1, 30, 70)


@click.command(help=__doc__)
@click.argument("source", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), required=True)
@click.option("--left", default=90, show_default=True, help="Left edge of the crop.")
@click.option("--top", default=20, show_default=True, help="Top edge of the crop.")
def main(source: Path | None, to: Path, left: int, top: int) -> None:
    photo = resources.files("skimage") / "data" / "chelsea.png"
    data = source.read_bytes() if source else photo.read_bytes()
    original = readers.read(data).pixels
    codec = Codec()
    latents = codec.encode(original)
    panels = [(f"original, {len(data) / 1000:.0f} kB PNG", original)]
    for quality in QUALITIES:
        packed = codec.forward(latents, Stage.PACKED, quality)
        total = size(packed)
        bpp = 8 * total / (original.shape[0] * original.shape[1])
        label = f"-q {quality}: {total / 1000:.1f} kB, {bpp:.2f} bpp"
        panels.append((label, codec.decode(packed).pixels))
    strip = Image.new("RGB", (SIDE * len(panels), SIDE + BAR), "white")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(15)
    for i, (label, pixels) in enumerate(panels):
        draw.text((SIDE * i + 4, 3), label, fill="black", font=font)
        crop = pixels[top : top + SIDE, left : left + SIDE]
        strip.paste(Image.fromarray(np.ascontiguousarray(crop)), (SIDE * i, BAR))
    out = io.BytesIO()
    strip.save(out, "PNG", optimize=True)
    to.write_bytes(out.getvalue())


if __name__ == "__main__":
    main()
