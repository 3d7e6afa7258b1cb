#!/usr/bin/env python3
"""Make training shards of pictures on disk: lossless crops in tar files, and a manifest.

    scripts/prepare.py FOLDER... --to shards/div2k --licence "academic research only" \\
        --source "DIV2K: Agustsson and Timofte, NTIRE 2017, CVPR Workshops"

FOLDER and its sub-folders hold pictures: PNG, WebP, JPEG, TIFF, BMP or PPM. Use DIV2K (2K pictures
in PNG; Agustsson and Timofte 2017), the training sets of CLIC (Workshop and Challenge on Learned
Image Compression, CVPR 2018 to 2022), or your own pictures. Nothing is downloaded.

Pictures that were coded with loss (JPEG, lossy WebP, TIFF with JPEG) are reduced, to remove
artefacts: blocks of --lossy-factor x --lossy-factor pixels are averaged. Other pictures are reduced
by --factor, which is for pictures that were JPEGs before. From each picture up to --crops disjoint
crops of --crop pixels are drawn. A smaller picture is taken whole if no side is below --smallest.
Pictures are shuffled, so that every shard is a fair sample. The same pictures and options give the
same shards.

TO/manifest.json names the source of every crop. It has the SHA-256 of every shard and of all
pixels. Pictures of the Kodak suite are refused, because models are measured on them. They are
recognised by their pixels, or by the names kodim01 to kodim24. A picture that cannot be read is
skipped, with a message; the exit code is then 3, not 0.
"""

import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from nic.errors import CorruptError, NicError, UsageError
from nic.models.training.data import KODAK_REFUSED, SUFFIXES, is_kodak
from nic.picture import readers
from nic.picture.pixels import flattened
from nic.transform.tiles import as_rgb

KODAK_NAME = re.compile(r"kodim(0[1-9]|1\d|2[0-4])", re.IGNORECASE)
LOSSY = ("JPEG", "MPO")


@dataclass(frozen=True)
class Plan:
    """How crops are made of pictures; lengths are in pixels."""

    crop: int
    smallest: int
    crops: int
    factor: int
    lossy_factor: int
    seed: int


def sources(folders: tuple[Path, ...], seed: int) -> list[tuple[Path, str]]:
    """Path and name of every picture, shuffled by the seed.

    Raises: UsageError if there are none, or for a name of the Kodak suite.
    """
    found = [
        (path, path.relative_to(folder).as_posix())
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
    if not found:
        raise UsageError("no pictures in " + ", ".join(map(str, folders)))
    for path, _ in found:
        if KODAK_NAME.fullmatch(path.stem):
            raise UsageError(f"{path}: {KODAK_REFUSED}")
    return [found[i] for i in np.random.default_rng(seed).permutation(len(found))]


def was_lossy(data: bytes) -> bool:
    """Whether an intact picture file was coded with loss."""
    image = Image.open(io.BytesIO(data))
    if image.format == "WEBP":
        return b"VP8 " in _webp_chunks(data)
    return image.format in LOSSY or image.info.get("compression") == "jpeg"


def _webp_chunks(data: bytes) -> list[bytes]:
    """Names of the chunks of a WebP file, after RIFF, size and WEBP."""
    names, at = [], 12
    while at + 8 <= len(data):
        names.append(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return names


def reduced(pixels: Any, factor: int) -> Any:
    """Means of ``factor`` x ``factor`` pixels, uint8 (H, W, 3); partial blocks are dropped."""
    height, width = (side // factor * factor for side in pixels.shape[:2])
    if factor == 1 or not height or not width:
        return pixels[:height, :width]
    return np.asarray(Image.fromarray(pixels[:height, :width]).reduce(factor))


def boxes(height: int, width: int, plan: Plan, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Disjoint crops as (top, left, height, width): random cells of a grid at a random place."""
    h, w = min(height, plan.crop), min(width, plan.crop)
    top, left = (int(rng.integers(side % size + 1)) for side, size in ((height, h), (width, w)))
    cells = [
        (top + y * h, left + x * w, h, w) for y in range(height // h) for x in range(width // w)
    ]
    chosen = rng.choice(len(cells), min(plan.crops, len(cells)), replace=False)
    return [cells[i] for i in sorted(chosen)]


def crops(data: bytes, plan: Plan) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield each crop of a picture file: its facts for the manifest, and its pixels (H, W, 3).

    Raises: NicError when the file cannot be read, FatalError when it is a Kodak picture.
    """
    pixels = as_rgb(flattened(readers.read(data, keep="none")))
    if is_kodak(pixels):
        raise FatalError(KODAK_REFUSED)
    factor = plan.lossy_factor if was_lossy(data) else plan.factor
    pixels = reduced(pixels, factor)
    if min(pixels.shape[:2]) < plan.smallest:
        return
    # The seed depends on the content, so that a picture's crops do not depend on other pictures.
    rng = np.random.default_rng([plan.seed, int.from_bytes(hashlib.sha256(data).digest()[:8])])
    for top, left, height, width in boxes(*pixels.shape[:2], plan, rng):
        facts = {"factor": factor, "top": top, "left": left, "height": height, "width": width}
        yield facts, pixels[top : top + height, left : left + width]


class FatalError(UsageError):
    """A fault that stops the whole run, where other pictures would be skipped."""


@dataclass
class Shards:
    """Tar files of lossless WebP in ``folder``, none larger than ``limit`` bytes."""

    folder: Path
    limit: int
    pictures: list[dict[str, Any]] = field(default_factory=list)
    pixels: int = 0
    digest: Any = field(default_factory=hashlib.sha256)  # of all pixels in order
    _waiting: list[tuple[str, bytes]] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)

    def add(self, facts: dict[str, Any], pixels: Any) -> None:
        """Add one crop to the current shard, or to the next one if it does not fit."""
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "WEBP", lossless=True, method=4)
        data, name = file.getvalue(), f"{len(self.pictures):06d}.webp"
        if _tar_size([data]) > self.limit:
            raise FatalError(f"a crop has {len(data)} bytes; give a larger --shard-size")
        if _tar_size([*(data for _, data in self._waiting), data]) > self.limit:
            self.close()
        self._waiting.append((name, data))
        self.pixels += pixels.shape[0] * pixels.shape[1]
        self.digest.update(np.ascontiguousarray(pixels).tobytes())
        self.pictures.append({"file": name, "shard": self._name(), **facts})

    def close(self) -> None:
        """Write the current shard."""
        if not self._waiting:
            return
        with tarfile.open(self.folder / self._name(), "w", format=tarfile.USTAR_FORMAT) as shard:
            for name, data in self._waiting:
                member = tarfile.TarInfo(name)  # time and owner stay 0
                member.size = len(data)
                shard.addfile(member, io.BytesIO(data))
        self._names.append(self._name())
        self._waiting.clear()

    def _name(self) -> str:
        return f"train-{len(self._names):04d}.tar"

    def facts(self) -> list[dict[str, Any]]:
        """Name, size in bytes and SHA-256 of every written shard."""
        files = {name: (self.folder / name).read_bytes() for name in self._names}
        return [
            {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        ]


def _tar_size(members: list[bytes]) -> int:
    """Bytes of a tar file: blocks of 512 bytes, two empty ones at the end, in groups of 20."""
    blocks = 2 + sum(1 + -(-len(data) // 512) for data in members)
    return -(-blocks // 20) * tarfile.RECORDSIZE


def prepare(found: list[tuple[Path, str]], plan: Plan, shards: Shards) -> dict[str, Any]:
    """Fill the shards; return the names of pictures without crops: unreadable and small ones."""
    left_out: dict[str, list[str]] = {"unreadable": [], "small": []}
    for i, (path, name) in enumerate(found):
        before = len(shards.pictures)
        try:
            for facts, pixels in crops(path.read_bytes(), plan):
                shards.add({"source": name, **facts}, pixels)
            if len(shards.pictures) == before:
                left_out["small"].append(name)
        except FatalError as error:
            raise UsageError(f"{path}: {error}") from error
        except (OSError, NicError) as error:
            left_out["unreadable"].append(name)
            click.echo(f"prepare.py: {path}: {error}; skipped", err=True)
        _progress(i + 1, len(found), shards)
    shards.close()
    return left_out


def _progress(done: int, total: int, shards: Shards) -> None:
    if sys.stderr.isatty() or done % 100 == 0 or done == total:
        line = (
            f"{done}/{total} pictures, {len(shards.pictures)} crops, {shards.pixels / 1e6:.1f} MP"
        )
        end = "\r" if sys.stderr.isatty() and done < total else "\n"
        print(line, end=end, file=sys.stderr, flush=True)


@click.command(help=__doc__)
@click.argument("folders", nargs=-1, required=True,
                type=click.Path(exists=True, file_okay=False, path_type=Path))  # fmt: skip
@click.option("--to", "target", required=True, type=click.Path(path_type=Path))
@click.option("--licence", required=True, help="Of the pictures, in words.")
@click.option("--source", default="", help="What the pictures are, with their citation.")
@click.option("--crop", type=click.IntRange(16), default=352, show_default=True)
@click.option("--crops", "per_picture", type=click.IntRange(1), default=4, show_default=True)
@click.option("--smallest", type=click.IntRange(16), default=256, show_default=True)
@click.option("--factor", type=click.IntRange(1), default=1, show_default=True)
@click.option("--lossy-factor", type=click.IntRange(1), default=2, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--shard-size", type=click.IntRange(tarfile.RECORDSIZE), default=40_000_000,
              show_default=True, help="Most bytes of a shard.")  # fmt: skip
def main(
    folders: tuple[Path, ...], target: Path, licence: str, source: str, crop: int,
    per_picture: int, smallest: int, factor: int, lossy_factor: int, seed: int, shard_size: int,
) -> None:  # fmt: skip
    plan = Plan(crop, min(smallest, crop), per_picture, factor, lossy_factor, seed)
    try:
        left_out = write(folders, target, plan, {"source": source, "licence": licence}, shard_size)
    except NicError as error:
        click.echo(f"prepare.py: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(CorruptError.exit_code if left_out["unreadable"] else 0)


def write(
    folders: tuple[Path, ...], target: Path, plan: Plan, about: dict[str, str], limit: int
) -> dict[str, Any]:
    """Write shards and manifest, all or nothing; return the names of pictures without crops.

    Raises: UsageError.
    """
    if target.exists():
        raise UsageError(f"{target} exists; shards are written into a new folder")
    found = sources(folders, plan.seed)
    building = target.with_name(f"{target.name}.{os.getpid()}.partial")
    building.mkdir(parents=True)
    try:
        shards = Shards(building, limit)
        left_out = prepare(found, plan, shards)
        if not shards.pictures:
            raise UsageError(f"no picture of at least {plan.smallest} pixels a side could be read")
        manifest = {
            **about,
            "count": len(shards.pictures),
            "pixels": shards.pixels,
            "sha256": shards.digest.hexdigest(),
            "options": asdict(plan),
            "shards": shards.facts(),
            "left_out": left_out,
            "pictures": shards.pictures,
        }
        (building / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return left_out


if __name__ == "__main__":
    main()
