"""nic info: what a stream holds."""

import json
from functools import partial
from typing import Any

import click

from nic.cli.common import options
from nic.cli.common.command import attempt, command, gravity, name_of
from nic.cli.common.files import reading, skimming
from nic.format.records import read_records
from nic.remote.servers import is_url


@command("info", epilog="See also: nic-test(1), nic-models(1), nic(5), nic(1).")
@options.files
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per record.")
def main(files: tuple[str, ...], as_json: bool) -> None:
    """Describe records of any stage: dimensions, model, quality, channels.

    For coded and packed records, the mode and the bytes of each channel are listed. No
    network is loaded, and the model need not be installed. A file that fails does not stop the
    others. FILE may be a URL.

    \b
    Examples:
      nic info a.nic
      nic encode < a.png | nic info
      nic info --json *.nic | jq .bpp
      nic info https://example.org/a.nic
    """
    from nic.format.describe import describe, outlines

    def show_all(path: str) -> None:
        with skimming(path) if is_url(path) else reading(path) as source:
            every = outlines(source) if is_url(path) else map(describe, read_records(source))
            for facts in every:
                named = {"file": name_of(path), **facts}
                click.echo(json.dumps(named) if as_json else _text(named))

    codes = [attempt(path, partial(show_all, path)) for path in files or ("-",)]
    click.get_current_context().exit(max(codes, key=gravity))


def _text(facts: dict[str, Any]) -> str:
    """Facts as aligned lines, the channels as a table of four columns a line."""
    shown = {k: v for k, v in facts.items() if k != "channel_index" and v not in ([], {})}
    plain = {k.replace("_", " "): v for k, v in shown.items()}
    lines = [f"{name:<15} {_value(value)}" for name, value in plain.items()]
    cells = [
        f"{c['channel']:>4} {c['mode']:<8} {c['bytes']:>7}" for c in facts.get("channel_index", [])
    ]
    lines += ["  ".join(cells[i : i + 4]) for i in range(0, len(cells), 4)]
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return " ".join(str(v) for v in value)
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
