#!/usr/bin/env python3
"""Write the card of an exported model: its identity, training and measurements.

    scripts/card.py models/zoo/light-5 --run runs/light --kodak FOLDER --data "..." \\
        --hardware "..."
    scripts/card.py models/zoo/light-5 --page

The model is measured on the pictures of --kodak as scripts/evaluate.py does. The card is card.json.
README.md is a page made from it; with --page only the page is made, without measuring again.
"""

import json
from pathlib import Path
from typing import Any

import click
from evaluate import QUALITIES, measure, nic_coder, pictures_of

from nic.codec import Codec
from nic.models import cards, dcn, zoo
from nic.models import networks as light
from nic.models.config import config_of
from nic.models.load import load_networks
from nic.models.training.run import checkpoint_state


def networks(model: zoo.Model) -> dict[str, dict[str, Any]]:
    """Number of parameters and multiply-accumulates of both transforms."""
    macs_per_pixel = (dcn if model.is_reference else light).macs_per_pixel
    both = dict(zip(("analysis", "synthesis"), load_networks(model), strict=True))
    return {
        "parameters": {name: network.count_params() for name, network in both.items()},
        "macs_per_pixel": {n: round(macs_per_pixel(network)) for n, network in both.items()},
    }


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--run", type=click.Path(exists=True, path_type=Path))
@click.option("--kodak", type=click.Path(exists=True, path_type=Path))
@click.option("--data", help="Training data and its licences, in words.")
@click.option("--hardware", help="What it was trained on, in words.")
@click.option("--page", "page_only", is_flag=True, help="Make the page of the card that is there.")
def main(
    folder: Path,
    run: Path | None,
    kodak: Path | None,
    data: str | None,
    hardware: str | None,
    page_only: bool,
) -> None:
    if not page_only:
        if not (run and kodak and data and hardware):
            raise click.UsageError("give --run, --kodak, --data and --hardware, or --page")
        card = measured(zoo.from_folder(folder), run, kodak, data, hardware)
        (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(cards.page(zoo.from_folder(folder)), encoding="utf-8")


def measured(model: zoo.Model, run: Path, kodak: Path, data: str, hardware: str) -> dict[str, Any]:
    """The content of card.json."""
    state = checkpoint_state(run / "checkpoint.npz")
    config = config_of(state["config"])
    training = {
        "data": data,
        "hardware": hardware,
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60),
        "batch": f"{config.training.batch} patches of {config.training.patch}x"
        f"{config.training.patch} pixels",
    }
    codec = Codec(model=f"{model.name}-{model.version}")
    qualities = (model.default_quality,) if model.is_reference else QUALITIES
    rows = measure(nic_coder(codec, None), pictures_of(kodak, None), qualities)
    return {"licence": "MIT", **networks(model), "training": training, "kodak": rows}


if __name__ == "__main__":
    main()
