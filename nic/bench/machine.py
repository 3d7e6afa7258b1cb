"""Facts about the machine on which a measurement was made."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from nic import __version__
from nic.models.native import isa
from nic.resources import cores


def describe() -> dict[str, Any]:
    """CPU, cores, load, system and versions, as a dict that ``json`` can write."""
    packages = ("numpy", "pillow")
    return {
        "nic": __version__,
        "cpu": _cpu(),
        "instructions": isa().name.lower(),
        "cores": cores(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


def in_words(facts: dict[str, Any]) -> str:
    """The result of ``describe`` as one line of text."""
    return (
        f"nic {facts['nic']}, {facts['cpu']}, {_set(facts)}{facts['cores']} cores, "
        f"load {facts['load']} at the start, {facts['system']}, Python {facts['python']}"
    )


def _set(facts: dict[str, Any]) -> str:
    """The instruction set of the native backend; earlier reports do not name it."""
    return f"{facts['instructions']}, " if "instructions" in facts else ""


def _cpu() -> str:
    """The name of the CPU, or of its architecture if the system does not give a name."""
    path = Path("/proc/cpuinfo")
    if sys.platform.startswith("linux") and path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
