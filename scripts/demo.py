#!/usr/bin/env python3
"""Run one picture through every program of the pipeline, and time each process.

scripts/demo makes an environment and runs this in it.
"""

import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nic.errors import UsageError
from nic.picture import metrics, perceptual, pixels, readers

OUT = Path("demo-output")
STAGES = (  # program, its input, its output
    ("nic-encode", "picture", "latents"),
    ("nic-quantize", "latents", "symbols"),
    ("nic-entropy", "symbols", "coded"),
    ("nic-pack", "coded", "nic"),
    ("nic-decode", "nic", "decoded.png"),
)


def main() -> None:
    """Run the pipeline, then print sizes, times and distortion."""
    photo = resources.files("skimage") / "data" / "astronaut.png"
    source = Path(sys.argv[1] if len(sys.argv) > 1 else str(photo))
    OUT.mkdir(exist_ok=True)
    paths = {kind: OUT / f"{source.stem}.{kind}" for _, _, kind in STAGES} | {"picture": source}
    table = Table("program", "seconds", "bytes written", title=f"{source.name}, stage by stage")
    for program, given, made in STAGES:
        begun = time.perf_counter()
        with paths[given].open("rb") as stdin, paths[made].open("wb") as stdout:
            done = subprocess.run([program], stdin=stdin, stdout=stdout, check=False)
        if done.returncode:
            sys.exit(done.returncode)  # the program has printed why
        seconds = time.perf_counter() - begun
        table.add_row(program, f"{seconds:.2f}", f"{paths[made].stat().st_size}")
    console = Console()
    console.print(table)
    original = readers.read(source.read_bytes()).pixels
    decoded = readers.read(paths["decoded.png"].read_bytes()).pixels
    size, pixels = paths["nic"].stat().st_size, original.shape[0] * original.shape[1]
    console.print(
        f"{size} bytes for {original.shape[1]}x{original.shape[0]} pixels: "
        f"{8 * size / pixels:.3f} bpp, {source.stat().st_size / size:.1f} times smaller "
        f"than {source.name}"
    )
    console.print(
        f"PSNR {metrics.psnr(original, decoded):.2f} dB, MS-SSIM {_ms_ssim(original, decoded)}, "
        f"SSIMULACRA 2 {_ssimulacra2(original, decoded)}"
    )
    console.print(f"compressed:   {paths['nic'].resolve()}", soft_wrap=True)
    console.print(f"decompressed: {paths['decoded.png'].resolve()}", soft_wrap=True)


def _ms_ssim(original: pixels.Pixels, decoded: pixels.Pixels) -> str:
    try:
        return f"{metrics.ms_ssim(original, decoded):.4f}"
    except ValueError as error:  # the picture is too small for five scales
        return f"- ({error})"


def _ssimulacra2(original: pixels.Pixels, decoded: pixels.Pixels) -> str:
    try:
        return f"{perceptual.ssimulacra2(original, decoded):.1f}"
    except UsageError as error:  # the package is not installed
        return f"- ({error})"


if __name__ == "__main__":
    main()
