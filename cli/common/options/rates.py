"""Options that decide about size and quality."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from nic.cli.common.options.numbers import Bytes, Number, number

F = TypeVar("F", bound=Callable[..., Any])

QUALITY = Number(1, 100, whole=False)
CHANNELS = Number(1, 255)


def rate(function: F) -> F:
    """``-q`` and ``--channels``."""
    function = number(
        "--channels",
        type=CHANNELS,
        metavar="N",
        help="Keep the first N latent channels (16, 32 and 64 are trained for).",
    )(function)
    return number(
        "-q",
        "--quality",
        type=QUALITY,
        metavar="1..100",
        help="Quality; fractions are allowed. Default: the model's, 50.",
    )(function)


def aim(function: F) -> F:
    """``--target-bpp``, ``--target-size``, ``--target-psnr`` and ``--strict``."""
    positive = Number(0, whole=False, above=True)
    for declare in (
        click.option("--strict", is_flag=True, help="Write nothing if no quality reaches it."),
        number(
            "--target-psnr",
            type=positive,
            metavar="DB",
            help="Take the lowest quality that reaches this PSNR.",
        ),
        click.option(
            "--target-size",
            type=Bytes("30000, 30k or 1.5M"),
            metavar="BYTES",
            help="Take the best quality whose file has at most this many bytes; k, M and G are "
            "units, and 1k is 1024.",
        ),
        number(
            "--target-bpp",
            type=positive,
            metavar="X",
            help="Take the best quality whose file has at most X bits per pixel.",
        ),
    ):
        function = declare(function)
    return function


def refine(function: F) -> F:
    """``--refine``: steps of the search for better latents."""
    return number(
        "--refine",
        "refinement",
        type=Number(0, 100_000),
        default=0,
        show_default=True,
        metavar="N",
        help="Search better latents for this picture and quality in N steps of gradient descent, "
        "with Keras. 100 to 300 steps are worth their time. Decoding stays as it is.",
    )(function)


def alpha_quality(function: F) -> F:
    """``--alpha-quality``."""
    return number(
        "--alpha-quality",
        type=QUALITY,
        metavar="1..100",
        help="Code transparency with losses, where that is shorter. Default: exactly.",
    )(function)
