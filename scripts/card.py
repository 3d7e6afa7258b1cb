#!/usr/bin/env python3
"""Write the card of an exported model: what it is, how it was trained, what it measures.

    scripts/card.py models/zoo/light-4 --run runs/light --kodak FOLDER --data "..." \\
        --hardware "..."

The measurements are those of scripts/evaluate.py on the pictures of --kodak.
"""

import json
from pathlib import Path
from typing import Any

import click
from evaluate import QUALITIES, measure, nic_coder, pictures_of
from train import checkpoint_state  # the script beside this one, which owns the checkpoint

from nic.models import zoo
from nic.models.config import ModelConfig
from nic.models.export import load_networks
from nic.models.networks import macs_per_pixel
from nic.pipeline import Codec


def networks(model: zoo.Model) -> dict[str, dict[str, Any]]:
    """Parameters and cost of both transforms."""
    both = dict(zip(("analysis", "synthesis"), load_networks(model), strict=True))
    return {
        "parameters": {name: network.count_params() for name, network in both.items()},
        "macs_per_pixel": {n: round(macs_per_pixel(network)) for n, network in both.items()},
    }


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--run", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--kodak", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--data", required=True, help="Training data and its licences, in words.")
@click.option("--hardware", required=True, help="What it was trained on, in words.")
def main(folder: Path, run: Path, kodak: Path, data: str, hardware: str) -> None:
    model = zoo.from_folder(folder)
    state = checkpoint_state(run / "checkpoint.npz")
    config = ModelConfig.from_table(state["config"])
    training = {
        "data": data,
        "hardware": hardware,
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60),
        "batch": f"{config.training.batch} patches of {config.training.patch}x"
        f"{config.training.patch} pixels",
    }
    codec = Codec(f"{model.name}-{model.version}")
    rows = measure(nic_coder(codec, None), pictures_of(kodak, None), QUALITIES)
    card = {"licence": "MIT", **networks(model), "training": training, "kodak": rows}
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
