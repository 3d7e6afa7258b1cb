"""nic completion: tab completion for interactive shells."""

import importlib

import click
from click.shell_completion import get_completion_class

from nic.cli.common.command import command

PROGRAMS = ("encode", "quantize", "entropy", "pack", "decode")


@command("completion", epilog="See also: nic(1).")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def main(shell: str) -> None:
    """Print a script that lets a shell complete the options of all nic programs.

    \b
    Examples:
      nic completion bash >> ~/.bashrc
      nic completion zsh >> ~/.zshrc
      nic completion fish > ~/.config/fish/completions/nic.fish
    """
    from nic.cli.main import main as umbrella

    programs = {"nic": umbrella}
    programs |= {f"nic-{n}": importlib.import_module(f"nic.cli.stages.{n}").main for n in PROGRAMS}
    completion = get_completion_class(shell)
    assert completion is not None  # the choices above are the shells that click knows
    for name, program in programs.items():
        variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
        click.echo(completion(program, {}, name, variable).source())
