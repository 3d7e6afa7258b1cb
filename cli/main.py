"""nic: the umbrella over all programs."""

import importlib
from collections.abc import Mapping

import click

from nic import __version__
from nic.cli.common.command import Program, in_one_line

COMMANDS: Mapping[str, str] = {  # name -> module in nic.cli, in the order of the help
    "compress": "compress",
    "decompress": "decompress",
    "thumbnail": "thumbnail",
    "info": "info",
    "test": "test",
    "models": "models",
    "bench": "bench",
    "encode": "stages.encode",
    "quantize": "stages.quantize",
    "entropy": "stages.entropy",
    "pack": "stages.pack",
    "decode": "stages.decode",
    "extract": "extract",
    "truncate": "truncate",
    "latents": "latents",
    "completion": "completion",
}


class LazyGroup(Program, click.Group):
    """A group that imports a command only when it is run or described."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, without importing them."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for; see ``click.Group.resolve_command``."""
        with in_one_line():
            return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"nic.cli.{COMMANDS[cmd_name]}").main
        return command


@click.command(cls=LazyGroup, epilog="See also: nic(1), nic(5), nic-pipelines(7).")
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """A learned image codec made of composable Unix tools.

    \b
    Examples:
      nic compress photos/*.jpg
      nic decompress a.nic -o b.tiff
      nic encode < a.png | nic quantize -q 70 | nic entropy | nic pack > a.nic
    """
