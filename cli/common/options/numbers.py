"""Types of options with numbers: plain digits within bounds, never infinite and never NaN."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

# At most as many digits as a float holds exactly, so that nothing overflows later.
WHOLE = re.compile(r"-?[0-9]{1,15}")
DECIMAL = re.compile(r"-?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})")
AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([kKmMgG]?)")
BINARY = {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Number(click.ParamType):  # type: ignore[type-arg]  # not a generic before click 8.5
    """A number within bounds, an int or a float.

    Args:
        least: the lowest value.
        most: the greatest value; None for no bound.
        whole: only whole numbers.
        above: ``least`` itself is too low.
    """

    name = "number"

    def __init__(
        self, least: float, most: float | None = None, *, whole: bool = True, above: bool = False
    ) -> None:
        self._least, self._most, self._whole, self._above = least, most, whole, above

    @property
    def range(self) -> str:
        """The bounds in words: at least 0, above 0, from 1 to 255, above 0 and at most 100."""
        if self._most is None:
            return f"{'above' if self._above else 'at least'} {self._least}"
        if self._above:
            return f"above {self._least} and at most {self._most}"
        return f"from {self._least} to {self._most}"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; see ``click.ParamType.convert``."""
        text = str(value)
        if (WHOLE if self._whole else DECIMAL).fullmatch(text):
            number = int(text) if self._whole else float(text)
            if self._holds(number):
                return number
        kind = "a whole number" if self._whole else "a number"
        return self.fail(f"{text!r}: give {kind}, {self.range}", param, ctx)

    def _holds(self, number: float) -> bool:
        low = number <= self._least if self._above else number < self._least
        return not low and (self._most is None or number <= self._most)


class Bytes(click.ParamType):  # type: ignore[type-arg]  # not a generic before click 8.5
    """A number of bytes, at least 1, as an int; k, M and G are units of 1024.

    Args:
        example: examples of values, for the error message.
    """

    name = "bytes"

    def __init__(self, example: str) -> None:
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes; see ``click.ParamType.convert``."""
        number = in_units(str(value), BINARY)
        if number < 1:
            self.fail(f"{value!r}: give a number of bytes, such as {self._example}", param, ctx)
        return number


def in_units(text: str, units: Mapping[str, int]) -> int:
    """The value of a number with a unit, rounded down; 0 if the text is not such a number."""
    found = AMOUNT.fullmatch(text)
    if found is None:
        return 0
    unit = {name.lower(): size for name, size in units.items()}[found[2].lower()]
    return int(float(found[1]) * unit)


def number(*names: str, type: Number, metavar: str, help: str, **settings: Any) -> Callable[[F], F]:
    """An option with a number; the bounds are added to its help, unless ``metavar`` has them."""
    if ".." not in metavar:
        help = f"{help} {metavar} is {type.range}."
    return click.option(*names, type=type, metavar=metavar, help=help, **settings)
