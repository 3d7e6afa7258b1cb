"""The processors and the memory that this process may use."""

import os
import re
from pathlib import Path

MEMINFO, STATM = Path("/proc/meminfo"), Path("/proc/self/statm")
CONTROL_GROUPS = Path("/sys/fs/cgroup")
# For version 2 and for version 1 of control groups: the file with the limit, the file with the
# memory in use, the file with its parts, and the name of one part: cache of files that were not
# read lately. The kernel frees this cache on demand.
MEMORY_LIMITS = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory() -> int | None:
    """Bytes that this process can still get; None where the system does not say."""
    bounds = (_of_machine(), _of_control_group(), _of_process())
    return min((bound for bound in bounds if bound is not None), default=None)


def _of_machine() -> int | None:
    kilobytes = _number(r"MemAvailable: *([0-9]+) kB", _read(MEMINFO))
    return None if kilobytes is None else kilobytes * 1024


def _of_control_group() -> int | None:
    """Bytes below the limit of the container; cache that can be freed counts as free."""
    for most, used, statistics, cache in MEMORY_LIMITS:
        limit = _number("([0-9]+)", _read(CONTROL_GROUPS / most))
        now = _number("([0-9]+)", _read(CONTROL_GROUPS / used))
        if limit is not None and now is not None:
            free = _number(f"{cache} ([0-9]+)", _read(CONTROL_GROUPS / statistics)) or 0
            return max(0, limit - max(0, now - free))
    return None


def _of_process() -> int | None:
    """Bytes of address space below the limit of ``ulimit -v``."""
    try:
        import resource
    except ImportError:  # not on this system
        return None
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _number("([0-9]+) .*", _read(STATM))
    if most == resource.RLIM_INFINITY or pages is None:
        return None
    return max(0, most - pages * resource.getpagesize())


def _number(line: str, text: str) -> int | None:
    """The number (group 1) in the first line of ``text`` that matches the pattern ``line``."""
    found = re.search(f"^{line}$", text, re.MULTILINE)
    return int(found[1]) if found else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
