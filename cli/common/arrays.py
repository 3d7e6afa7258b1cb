"""Writing NumPy arrays: what nic extract and nic latents have in common."""

from collections.abc import Callable
from typing import Any, BinaryIO

from numpy.typing import NDArray

from nic.errors import UsageError
from nic.format.channels import npy


def array_writer(out: BinaryIO, output: str | None) -> Callable[[NDArray[Any]], None]:
    """What writes one .npy array after the other; a file with a name takes one.

    Raises: UsageError at the second array for a name: np.load would not show it.
    """
    done = 0

    def write(array: NDArray[Any]) -> None:
        nonlocal done
        if done and output is not None and output != "-":
            raise UsageError(f"more than one picture for {output}; use stdout")
        out.write(npy(array))
        done += 1

    return write
