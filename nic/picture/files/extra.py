"""The packages of the extra ``formats``, which are not always installed."""

from importlib.util import find_spec

ADVICE = "pip install 'nic-codec[formats]'"


def has(package: str) -> bool:
    """Whether a package can be imported."""
    return find_spec(package) is not None
