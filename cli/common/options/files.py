"""Options about input and output files, and which parts of them are read and written."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from nic.cli.common.options.numbers import Number, number
from nic.errors import UsageError
from nic.format.channels import Channels, parse
from nic.picture.formats import FORMATS
from nic.picture.metadata import KEEP, Keep

F = TypeVar("F", bound=Callable[..., Any])

# A name is not tried here: a file that cannot be read is reported when its turn comes.
PATH = click.Path(readable=False)
# Other names of the streams. /dev/stdin may be a regular file, and "/dev/stdin.nic" is no output.
STDIN = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
STDOUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")

DECODED = "Decode only these channels, such as 0-15 or 0-7,12; all others are zero."
STORED = (
    "Metadata to store: all (ICC profile or declared colour, EXIF, XMP and resolution), icc (only "
    "the profile or declared colour) or none."
)
WRITTEN = (
    "Metadata to write, if the picture format can hold it: all, icc (only the ICC profile or "
    "declared colour) or none."
)


def files(function: F) -> F:
    """The operands: input files; none means stdin."""
    return click.argument("files", nargs=-1, type=PATH, metavar="[FILE]...", callback=_sources)(
        function
    )


def _sources(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("-" if path in STDIN else path for path in value)


def output(function: F) -> F:
    """``-o`` and ``-f``."""
    function = click.option("-f", "--force", is_flag=True, help="Replace existing files.")(function)
    return click.option(
        "-o",
        "--output",
        type=PATH,
        metavar="FILE",
        help="Write to FILE; - is stdout.",
        callback=_target,
    )(function)


def _target(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value == "":
        raise click.BadParameter("the name is empty")
    return "-" if value in STDOUT else value


def channel_list(meaning: str) -> Callable[[F], F]:
    """``-c``: a list of channels, as a ``nic.format.channels.Channels``."""
    return click.option(
        "-c", "--channels", metavar="LIST", help=meaning, callback=_channels, default=None
    )


def _channels(_: click.Context, __: click.Parameter, value: str | None) -> Channels | None:
    try:
        return None if value is None else parse(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


def picture_format(function: F) -> F:
    """``--format`` of decoded pictures."""
    return click.option(
        "--format",
        "picture_format",
        type=click.Choice(list(FORMATS)),
        help="Picture format. Default: by the extension of -o, or else png.",
    )(function)


def depth(function: F) -> F:
    """``--depth`` of decoded pictures, as an int."""
    return click.option(
        "--depth",
        type=click.Choice(["8", "16"]),
        callback=lambda _, __, value: None if value is None else int(value),
        help="Bits per sample of the picture. Default: as many as its source had, or 8 in a format "
        "that cannot hold 16.",
    )(function)


def tolerate(function: F) -> F:
    """``--tolerate``."""
    return click.option(
        "--tolerate",
        is_flag=True,
        help="Decode the intact part of damaged files; lost channels are zero. If anything is "
        "lost, the exit code is 6.",
    )(function)


def metadata(meaning: str, default: Keep = "all") -> Callable[[F], F]:
    """``--metadata``: the metadata to keep, one of ``nic.picture.metadata.KEEP``."""
    return click.option(
        "--metadata", type=click.Choice(KEEP), default=default, show_default=True, help=meaning
    )


def scale(meaning: str) -> Callable[[F], F]:
    """``--scale``: a small picture, as the number of pixels that become one, each way."""
    return click.option(
        "--scale",
        type=click.Choice(["1/8", "1/16", "1/32"]),
        callback=lambda _, __, value: None if value is None else int(value.removeprefix("1/")),
        help=meaning,
    )


def size(function: F) -> F:
    """``--size``: the longest side of a thumbnail."""
    return number(
        "--size",
        type=Number(1),
        metavar="N",
        help="The longest side has at most N pixels. The thumbnail is never larger than 1/8.",
    )(function)
