"""Model cards: a model's identity, training and measurements, as a dict and as a page."""

from typing import Any

from nic.models.zoo import Model

Facts = dict[str, Any]


def identity(model: Model) -> Facts:
    """The facts that identify a model."""
    return {
        "name": f"{model.name}-{model.version}",
        "status": "trained",
        "content_hash": model.content_hash,
        "channels": model.channels,
        "default_quality": model.default_quality,
    }


def facts(model: Model) -> Facts:
    """Identity of a model and everything in its card.json, in the order of the page.

    Raises: ModelError when the card is damaged.
    """
    return {**identity(model), **model.card}


def page(model: Model) -> str:
    """README.md of a model's folder, as Markdown, made only from model.json and card.json."""
    known = facts(model)
    definition = model.definition
    lines = [f"# {known['name']}", "", *_tables({"architecture": definition["transform"], **known})]
    rates = ", ".join(f"{value:g}" for value in definition["lambdas"])
    channels = ", ".join(map(str, model.predicted)) or "none"
    lines += [
        f"- Symbols: {model.codebook[0]} to {model.codebook[1]}",
        f"- Rate points, by the weight of the distortion in training: {rates}",
        f"- Channels predicted from their neighbours: {channels}",
    ]
    if known.get("kodak"):
        lines += ["", "On the 24 Kodak pictures, means of real files' bytes and 8-bit pixels:", ""]
        lines += _rows(known["kodak"])
    return "\n".join([*lines, "", "Made by `scripts/card.py`."]) + "\n"


def _tables(known: Facts) -> list[str]:
    """A Markdown table of all facts but lists; each part of a nested fact has a row."""
    lines = ["| | |", "|---|---|"]
    for key, value in known.items():
        name = key.replace("_", " ")
        if isinstance(value, dict):
            lines += [f"| {name}, {part.replace('_', ' ')} | {v} |" for part, v in value.items()]
        elif not isinstance(value, list) and key not in ("name", "status"):
            lines.append(f"| {name} | {value} |")
    return [*lines, ""]


def _rows(rows: list[dict[str, float]]) -> list[str]:
    head = [column.replace("_", " ") for column in rows[0]]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(f'{v:g}' for v in row.values())} |" for row in rows]
