"""nic models: what is installed."""

import json
from typing import TYPE_CHECKING, Any

import click

from nic.cli.common.command import command, log
from nic.errors import ModelError

if TYPE_CHECKING:
    from nic.models.zoo import Model


@command("models", epilog="See also: nic-compress(1), nic(1).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of all models.")
def main(as_json: bool) -> None:
    """List the installed models, with their training and their measured quality.

    \b
    Examples:
      nic models
      nic models --json | jq '.[].kodak'
    """
    from nic.models import zoo

    models = [_facts(model) for model in zoo.installed()]
    for found in zoo.broken():
        log.warning("note: %s", found.error)
    models += [
        {"name": name, "status": "untrained", "channels": channels, "note": zoo.remedy(name)}
        for name, channels in zoo.untrained().items()
    ]
    click.echo(json.dumps(models) if as_json else "\n\n".join(map(_text, models)))


def _facts(model: "Model") -> dict[str, Any]:
    """What is known of a model; without its card when that is damaged, which is noted."""
    from nic.models import cards

    try:
        return cards.facts(model)
    except ModelError as error:
        log.warning("note: %s", error)
        return cards.identity(model)


def _text(facts: dict[str, Any]) -> str:
    lines = []
    for key, value in facts.items():
        name = key.replace("_", " ")
        if isinstance(value, dict):
            lines += [f"{f'{name}, {part}':<28} {v}" for part, v in value.items()]
        elif not isinstance(value, list):
            lines.append(f"{name:<28} {value}")
    kodak = facts.get("kodak", [])
    if kodak:
        lines.append(f"{'Kodak':<28} " + "  ".join(f"{column:>8}" for column in kodak[0]))
    lines += [" " * 29 + "  ".join(f"{v:>8g}" for v in row.values()) for row in kodak]
    return "\n".join(lines)
