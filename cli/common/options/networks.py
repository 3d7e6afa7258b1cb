"""Options that choose a model, what runs it, and how much of the machine it may use."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from nic.cli.common.options.numbers import Bytes, Number, number
from nic.errors import UsageError
from nic.limits import STRIP_MEMORY, pixels_of_strip
from nic.models.zoo import DEFAULT, TUNES
from nic.resources import cores

F = TypeVar("F", bound=Callable[..., Any])

DEVICE = re.compile(r"auto|cpu|gpu(?::[0-9]{1,3})?")


def model(function: F) -> F:
    """``--model`` and ``--tune``."""
    function = click.option(
        "--tune",
        type=click.Choice(list(TUNES)),
        help="Use the variant of the model that was trained for this measure; visual means "
        "SSIMULACRA 2, for the eye. Default: visual, or the variant that --model names.",
    )(function)
    return click.option(
        "--model",
        default=DEFAULT,
        show_default=True,
        metavar="NAME",
        help="Name of the model; see nic models. 4k, 8k and 16k mean the first 16, 32 and 64 "
        "channels of the default model.",
    )(function)


def network(function: F) -> F:
    """``--backend`` and ``--device``: what runs the transforms."""
    function = click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|gpu[:N]",
        help="Device on which Keras runs. Native code always runs on the CPU.",
        callback=_device,
    )(function)
    return click.option(
        "--backend",
        type=click.Choice(["auto", "native", "keras"]),
        default="auto",
        show_default=True,
        help="What runs the networks. With auto, it is Keras if --device is a GPU, else native "
        "code.",
    )(function)


def _device(_: click.Context, __: click.Parameter, value: str) -> str:
    if not DEVICE.fullmatch(value):
        raise click.BadParameter("use auto, cpu, gpu or gpu:N")
    return value


def threads(function: F) -> F:
    """``-T``: threads of the transforms and the entropy coder."""
    return number(
        "-T",
        "--threads",
        type=Number(0),
        metavar="N",
        help="Use N threads; 0 means one per processor. The output does not depend on N. Default: "
        "one per processor in the transforms, 1 in the entropy coder.",
        callback=zero_for_all,
    )(function)


def zero_for_all(_: click.Context, __: click.Parameter, value: int | None) -> int | None:
    """A callback of click: 0 becomes the number of processors."""
    return cores() if value == 0 else value


def max_memory(function: F) -> F:
    """``--max-memory``, converted to the number of pixels of a strip."""
    return click.option(
        "--max-memory",
        "strip_pixels",
        type=Bytes("800M or 2G"),
        metavar="SIZE",
        default=f"{STRIP_MEMORY >> 20}M",
        show_default=True,
        callback=_strip_pixels,
        help="Code a picture in strips if it would need more memory than SIZE. The units k, M and "
        "G are powers of 1024.",
    )(function)


def _strip_pixels(_: click.Context, __: click.Parameter, value: int) -> int:
    return pixels_of_strip(value)


def max_pixels(function: F) -> F:
    """``--max-pixels``: a number, or None for as many as free memory holds."""
    return click.option(
        "--max-pixels",
        metavar="N",
        callback=_max_pixels,
        help="Refuse pictures with more than N pixels. The units k, M and G are powers of 1000. "
        "Default: what fits into free memory.",
    )(function)


def _max_pixels(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    from nic.limits import parse

    try:
        return None if value is None else parse(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error
