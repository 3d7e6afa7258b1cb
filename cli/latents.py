"""nic latents: pictures as the latents that a vision network can work on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from nic.cli.common import options
from nic.cli.common.command import about, command
from nic.cli.common.files import reading, writing
from nic.format.records import MAGIC

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@command("latents", epilog="See also: nic-extract(1), nic-encode(1), nic-decode(1), nic(1).")
@options.files
@options.output
@options.model
@options.network
@options.threads
@options.max_pixels
def main(files: tuple[str, ...], output: str | None, force: bool, **network: Any) -> None:
    """Write the latents of pictures as NumPy arrays, one array per picture.

    An array is float32 (rows, columns, channels). It has an eighth of the rows and columns of
    the picture. The inputs are pictures or records of any stage. A picture is transformed by
    the network. The symbols of a record are dequantized, which needs no network.

    \b
    Examples:
      nic latents a.nic -o a.npy
      nic latents photo.jpg -o photo.npy
      nic-encode < a.png | nic-quantize -q 20 | nic latents > a.npy
    """
    from nic.cli.common.arrays import array_writer
    from nic.codec import Codec
    from nic.picture.readers import read
    from nic.picture.rows import of_picture

    codec = Codec(**network)

    def arrays(source: BinaryIO) -> "Iterator[NDArray[np.float32]]":
        start = source.read(len(MAGIC))
        if start.startswith(MAGIC[:4]):
            return codec.latents_of_stream(source, start)
        picture = read(start + source.read(), codec.limit)
        return iter([codec.latents_of(of_picture(picture))])

    with writing(output, force) as out:
        write = array_writer(out, output)
        for path in files or ("-",):
            with about(path), reading(path) as source:
                for array in arrays(source):
                    write(array)
