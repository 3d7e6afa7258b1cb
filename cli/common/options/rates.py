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
        help="Keep only the first N latent channels. The models are trained for N = 16, 32 and 64.",
    )(function)
    return number(
        "-q",
        "--quality",
        type=QUALITY,
        metavar="1..100",
        help="Quality; fractions are allowed. Default: 70 with the default model, else 50. "
        "nic(1) shows the scores of the qualities.",
    )(function)


def aim(function: F) -> F:
    """The options ``--target-...`` and ``--strict``."""
    positive = Number(0, whole=False, above=True)
    for declare in (
        click.option(
            "--strict",
            is_flag=True,
            help="Fail and write nothing if no quality reaches the target.",
        ),
        number(
            "--target-ssimulacra2",
            type=Number(0, 100, whole=False, above=True),
            metavar="SCORE",
            help="Use the lowest quality with an SSIMULACRA 2 score of at least SCORE.",
        ),
        number(
            "--target-psnr",
            type=positive,
            metavar="DB",
            help="Use the lowest quality with a PSNR of at least DB decibels.",
        ),
        click.option(
            "--target-size",
            type=Bytes("30000, 30k or 1.5M"),
            metavar="BYTES",
            help="Use the best quality whose file has at most BYTES bytes. The units k, M and G "
            "are powers of 1024.",
        ),
        number(
            "--target-bpp",
            type=positive,
            metavar="X",
            help="Use the best quality whose file has at most X bits per pixel.",
        ),
    ):
        function = declare(function)
    return function


def effort(function: F) -> F:
    """``--effort``: how long better latents are searched."""
    return number(
        "--effort",
        type=Number(1, 9),
        default=1,
        show_default=True,
        metavar="1..9",
        help="Take more time for fewer bytes at the same distortion. 1 uses the latents as the "
        "analysis transform gives them. From 2 on, better ones are searched for each picture and "
        "quality. Decoding takes no longer. nic(1) shows times and gains.",
    )(function)


def alpha_quality(function: F) -> F:
    """``--alpha-quality``."""
    return number(
        "--alpha-quality",
        type=QUALITY,
        metavar="1..100",
        help="Code the alpha plane with loss, at this quality, if that takes fewer bytes. Default: "
        "without loss.",
    )(function)
