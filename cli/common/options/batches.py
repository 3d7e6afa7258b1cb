"""Options of the programs that work on many files."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from nic.cli.common.options.networks import zero_for_all
from nic.cli.common.options.numbers import Number, number

F = TypeVar("F", bound=Callable[..., Any])


def output_dir(function: F) -> F:
    """``--output-dir``."""
    return click.option(
        "--output-dir",
        type=click.Path(file_okay=False, exists=True),
        metavar="DIR",
        help="Write into DIR instead of beside the sources.",
    )(function)


def keep(function: F) -> F:
    """``-k`` and ``--rm``."""
    return click.option(
        "-k/--rm", "--keep/--remove", "keep", default=True, help="Keep sources, or remove them."
    )(function)


def inputs(function: F) -> F:
    """Which files, beside the operands: ``-r``, ``--filelist``, ``-0``, ``--skip-existing``."""
    for declare in (
        click.option(
            "--skip-existing", is_flag=True, help="Leave out files whose output is there already."
        ),
        click.option("-0", "--null", is_flag=True, help="Names in the list end with NUL bytes."),
        click.option(
            "--filelist",
            type=click.Path(),
            metavar="FILE",
            help="Take further names from FILE, one a line; - is stdin.",
        ),
        click.option(
            "-r",
            "--recursive",
            is_flag=True,
            help="Take all files in directories; --output-dir gets the same sub-folders.",
        ),
    ):
        function = declare(function)
    return function


def workers(function: F) -> F:
    """``-j`` and ``--scheduler``: where the files of a inputs are worked on."""
    function = click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Let a Dask cluster do the work; its workers share the file system.",
    )(function)
    return number(
        "-j",
        "--jobs",
        type=Number(0),
        default=1,
        show_default=True,
        metavar="N",
        help="Work on N files at a time, 0 for as many as there are processors.",
        callback=zero_for_all,
    )(function)
