"""How far decoded pixels are from a picture, and the slope of that in every pixel.

The three measures of ``nic.models.distortion.measures`` without Keras, for a search that asks some
hundred times about one picture. distortion.h describes them and their arithmetic.
"""

import numpy as np

from nic.errors import NicError, UsageError
from nic.models.native import VARIABLE, isa
from nic.models.native.distortion import _distortion
from nic.models.native.work import aligned, together
from nic.types import Floats

ffi, lib = _distortion.ffi, _distortion.lib
MEASURES = {
    "mse": lib.DISTORTION_ERROR,
    "ms-ssim": lib.DISTORTION_SIMILARITY,
    "visual": lib.DISTORTION_VISUAL,
}
Counted = tuple[slice, slice]


class Distortion:
    """One measure of one picture, ready to be asked about decoded versions of it.

    The same bits come out for every number of threads and on every processor. Small pictures have
    values, too, other than in Keras: a level of resolution with a side below 11 pixels (MS-SSIM)
    or 8 pixels (SSIMULACRA 2) is left out, and squared error takes the place of a measure without
    any level. So below 8 pixels "visual" is plain squared error.
    """

    def __init__(
        self, measure: str, picture: Floats, counted: Counted | None = None, threads: int = 1
    ) -> None:
        """Prepare what depends on the picture.

        Args:
            measure: "mse", "ms-ssim" or "visual".
            picture: float32 (H, W, 3) in [0, 1]; any size. It is not copied and must not change.
            counted: the rows and columns that count. Elsewhere decoded pixels are taken as equal
                to the picture. The mean is still that of the whole picture. None: all count.
            threads: how many work at a time.

        Raises:
            UsageError: NIC_ISA names an instruction set that this processor does not have.
            ValueError: the array has another shape or type.
        """
        self._picture, self._threads = np.ascontiguousarray(picture), threads
        self._expect(self._picture)
        height, width, _ = picture.shape
        rows, columns = counted or (slice(None), slice(None))
        top, bottom, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        ends = top, max(top, bottom), left, max(left, right)
        shape = ffi.new("distortion_shape *", (width, height, *ends))[0]
        size = ffi.new("size_t *")
        _check(lib.distortion_size(MEASURES[measure], shape, threads, size))
        self._arena = aligned(size[0])
        state = ffi.new("distortion_state **")
        _check(
            lib.distortion_start(
                ffi.from_buffer("char[]", self._arena),
                MEASURES[measure],
                shape,
                threads,
                getattr(lib, f"DISTORTION_{isa().name}"),
                ffi.from_buffer("float[]", self._picture),
                state,
            )
        )
        self._state = state[0]

    @property
    def memory(self) -> int:
        """Bytes that are held beside the picture."""
        return len(self._arena)

    def __call__(self, decoded: Floats, gradient: Floats) -> float:
        """The distortion in units of squared error of [0, 1] pixels, mean over the picture.

        Args:
            decoded: float32 (H, W, 3), in C order; not clipped.
            gradient: float32 (H, W, 3), in C order, another array. The slopes of the value with
                respect to ``decoded`` are written there.
        Raises: ValueError when an array has another shape, type or order.
        """
        self._expect(decoded)
        self._expect(gradient)
        if np.may_share_memory(decoded, gradient):
            raise ValueError("the gradient needs an array of its own")
        pixels = ffi.from_buffer("float[]", decoded)
        slopes = ffi.from_buffer("float[]", gradient, require_writable=True)
        lib.distortion_begin(self._state, pixels, slopes)
        together(self._threads, self._share, decoded, gradient)
        return float(lib.distortion_value(self._state))

    def _share(self, number: int) -> None:
        lib.distortion_work(self._state, number)

    def _expect(self, pixels: Floats) -> None:
        """Raise ValueError for an array that the library cannot take."""
        if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise ValueError(f"pixels of shape {pixels.shape} are not (H, W, 3)")
        if pixels.shape != self._picture.shape:
            raise ValueError(f"pixels have the shape {pixels.shape}, not {self._picture.shape}")
        if pixels.dtype != np.float32 or not pixels.flags.c_contiguous:
            raise ValueError("pixels are no float32 in C order")


def _check(result: int) -> None:
    if result == lib.DISTORTION_NO_ISA:
        raise UsageError(f"{VARIABLE} names an instruction set that this processor does not have")
    if result != lib.DISTORTION_OK:
        raise NicError(f"the distortion failed ({result})")
