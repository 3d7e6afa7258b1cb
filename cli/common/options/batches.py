"""Options of the programs that handle many files."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from nic.cli.common.options.files import PATH, STDIN
from nic.cli.common.options.networks import zero_for_all
from nic.cli.common.options.numbers import Number, number

F = TypeVar("F", bound=Callable[..., Any])


def output_dir(function: F) -> F:
    """``--output-dir``."""
    return click.option(
        "--output-dir",
        type=click.Path(file_okay=False, exists=True, readable=False),
        metavar="DIR",
        help="Write the outputs into DIR, not beside the inputs.",
    )(function)


def keep(function: F) -> F:
    """``-k`` and ``--rm``."""
    return click.option(
        "-k/--rm",
        "--keep/--remove",
        "keep",
        default=True,
        help="Keep each input file (the default), or remove it after a regular file was written.",
    )(function)


def inputs(function: F) -> F:
    """``-r``, ``--filelist``, ``-0`` and ``--skip-existing``: which files to handle."""
    for declare in (
        click.option(
            "--skip-existing", is_flag=True, help="Skip files whose output exists already."
        ),
        click.option(
            "-0",
            "--null",
            is_flag=True,
            help="Names in --filelist end with NUL bytes, not with line ends.",
        ),
        click.option(
            "--filelist",
            type=PATH,
            callback=_list,
            metavar="FILE",
            help="Read further names of input files from FILE, one per line; - is stdin.",
        ),
        click.option(
            "-r",
            "--recursive",
            is_flag=True,
            help="Take all files with a known extension in directories and their "
            "sub-directories. With --output-dir, the same sub-directories are made there.",
        ),
    ):
        function = declare(function)
    return function


def _list(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    return "-" if value in STDIN else value


def suffix(function: F) -> F:
    """``-S``: names of outputs that keep the extension of their source."""
    return click.option(
        "-S",
        "--suffix",
        metavar="SUF",
        callback=_suffix,
        help="Name the output by adding SUF to the whole name of its source: with --suffix .nic, "
        "a.jpg becomes a.jpg.nic. Default: .nic replaces the extension.",
    )(function)


def _suffix(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and (not value or os.sep in value):
        raise click.BadParameter("give an ending of file names, such as .nic")
    return value


def workers(function: F) -> F:
    """``-j`` and ``--scheduler``: the processes that do the work."""
    function = click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Do the work on the Dask cluster at ADDRESS. Its workers must see the same files.",
    )(function)
    return number(
        "-j",
        "--jobs",
        type=Number(0),
        default=1,
        show_default=True,
        metavar="N",
        help="Work on N files at the same time; 0 means one per processor.",
        callback=zero_for_all,
    )(function)
