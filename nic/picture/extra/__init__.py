"""Readers of formats beyond those of Pillow; some need packages that are not always installed."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from nic.errors import UsageError

ADVICE = "pip install 'nic-codec[formats]'"


def has(package: str) -> bool:
    """Whether a package can be imported."""
    return find_spec(package) is not None


def needed(package: str, what: str) -> Any:
    """A module that is needed to read ``what``. Raises UsageError if it is not installed."""
    if not has(package):
        raise UsageError(f"this is {what}; to read it: {ADVICE}")
    return import_module(package)
