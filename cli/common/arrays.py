"""Writing NumPy arrays, for nic extract and nic latents."""

from collections.abc import Callable
from typing import Any, BinaryIO

from numpy.typing import NDArray

from nic.errors import UsageError
from nic.format.channels import npy


def array_writer(out: BinaryIO, output: str | None) -> Callable[[NDArray[Any]], None]:
    """A function that writes one .npy array after the other to ``out``.

    It raises UsageError for a second array if ``output`` names a file: np.load reads only the
    first array of a file.
    """
    done = 0

    def write(array: NDArray[Any]) -> None:
        nonlocal done
        if done and output is not None and output != "-":
            raise UsageError(f"more than one picture for {output}; use stdout")
        out.write(npy(array))
        done += 1

    return write
