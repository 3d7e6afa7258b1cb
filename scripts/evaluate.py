#!/usr/bin/env python3
"""Measure rate and distortion of a model on a folder of pictures.

    scripts/evaluate.py FOLDER [-q 20 -q 50 ...] [--model NAME] [--json OUT] [--jpeg]

Every figure is a mean over the pictures. Bits per pixel count all bytes of the packed .nic file.
PSNR, SSIM and MS-SSIM are of the decoded 8-bit picture. --jpeg measures Pillow's JPEG 4:2:0 too.
--crop 512 takes centre crops, as the reference did.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import imageio.v3 as iio
import numpy as np
from rich.console import Console
from rich.table import Table

from nic.codec import Codec
from nic.format.records import Stage, read_records, write_record
from nic.models import zoo
from nic.picture import metrics, readers
from nic.picture.perceptual import ssimulacra2

QUALITIES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
JPEG_QUALITIES = (10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95)
SCORES = {
    "psnr": metrics.psnr,
    "ssim": metrics.ssim,
    "ms_ssim": metrics.ms_ssim,
    "ssimulacra2": ssimulacra2,
}
Coder = Callable[[Any, float], tuple[int, Any]]
Rows = list[dict[str, float]]


def nic_coder(codec: Codec, channels: int | None, effort: int = 1) -> Coder:
    """A function (pixels, quality) -> bytes of the file, and pixels decoded from the file."""
    latents: dict[int, Any] = {}  # the analysis is the same for every quality

    def code(pixels: Any, quality: float) -> tuple[int, Any]:
        if effort > 1 or id(pixels) not in latents:
            latents.clear()
            latents[id(pixels)] = codec.encode(pixels, quality, channels, effort=effort)
        file = io.BytesIO()
        write_record(file, codec.forward(latents[id(pixels)], Stage.PACKED, quality))
        size = file.tell()
        file.seek(0)
        (record,) = read_records(file)
        return size, codec.decode(record).pixels

    return code


def jpeg_coder(pixels: Any, quality: float) -> tuple[int, Any]:
    """Pillow's JPEG with 4:2:0 subsampling and optimised Huffman tables."""
    settings = {"quality": int(quality), "subsampling": "4:2:0", "optimize": True}
    file = iio.imwrite("<bytes>", pixels, extension=".jpg", plugin="pillow", **settings)
    return len(file), iio.imread(file, plugin="pillow")


def measure(code: Coder, pictures: list[Any], qualities: tuple[float, ...]) -> Rows:
    """One row per quality: the means over all pictures."""
    rows: dict[float, list[list[float]]] = {quality: [] for quality in qualities}
    for pixels in pictures:
        for quality in qualities:
            size, decoded = code(pixels, quality)
            bpp = 8 * size / (pixels.shape[0] * pixels.shape[1])
            rows[quality].append([bpp, *(score(pixels, decoded) for score in SCORES.values())])
    names = ("bpp", *SCORES)
    return [
        {"quality": q, **dict(zip(names, np.mean(values, axis=0).round(5).tolist(), strict=True))}
        for q, values in rows.items()
    ]


def pictures_of(folder: Path, crop: int | None) -> list[Any]:
    """All PNG, WebP and PPM pictures of a folder, by name, or their centre crops."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".webp", ".ppm"))
    return [centre(readers.read(path.read_bytes()).pixels, crop) for path in paths]


def centre(pixels: Any, size: int | None) -> Any:
    """The central ``size`` x ``size`` crop; the whole picture for None."""
    if size is None:
        return pixels
    top, left = ((side - size) // 2 for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def show(title: str, rows: Rows) -> None:
    """Print rows as a table."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{value:g}" for value in row.values()))
    Console().print(table)


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-q", "--quality", "qualities", type=float, multiple=True, default=QUALITIES)
@click.option("--model", default=zoo.DEFAULT, show_default=True)
@click.option("--backend", default="auto", show_default=True)
@click.option("--channels", type=int)
@click.option("--effort", type=int, default=1, help="As of nic compress.")
@click.option("--crop", type=int, help="Side of centre crops, in pixels.")
@click.option("--jpeg", is_flag=True, help="Measure JPEG 4:2:0 too.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the rows here.")
def main(
    folder: Path, qualities: tuple[float, ...], model: str, backend: Any,
    channels: int | None, effort: int, crop: int | None, jpeg: bool, out: Path | None,
) -> None:  # fmt: skip
    pictures = pictures_of(folder, crop)
    coder = nic_coder(Codec(model=model, backend=backend), channels, effort)
    results = {model: measure(coder, pictures, qualities)}
    if jpeg:
        results["jpeg 4:2:0"] = measure(jpeg_coder, pictures, JPEG_QUALITIES)
    for name, rows in results.items():
        show(f"{name}, {len(pictures)} pictures of {folder.name}", rows)
    if out is not None:
        out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
