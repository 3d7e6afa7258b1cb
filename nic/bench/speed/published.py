"""Timings that others have published, for comparison.

dcn: the codec of Korus and Memon (ICLR 2020) with 32 channels, from the tables of its public
README: means of 39 pictures, one at a time. "network" is only inference; "codec" adds quantization,
entropy coding and the stream in memory, without files. imgcomp: Mentzer et al. (CVPR 2018), for one
Kodak picture, from the authors' README.
"""

from typing import NamedTuple


class Published(NamedTuple):
    """Seconds per picture; None for times that were not published."""

    codec: str
    hardware: str
    width: int
    height: int
    network_encode: float | None
    network_decode: float | None
    codec_encode: float
    codec_decode: float


PUBLISHED = (
    Published("dcn, 32 channels", "i7-7700 CPU", 512, 512, 0.2165, 0.3330, 0.2272, 0.3317),
    Published("dcn, 32 channels", "P40 GPU", 512, 512, 0.0093, 0.0160, 0.0720, 0.0375),
    Published("dcn, 32 channels", "V100 GPU", 512, 512, 0.0065, 0.0071, 0.0604, 0.0209),
    Published("dcn, 32 channels", "i7-7700 CPU", 1920, 1080, 1.8052, 2.7678, 1.8753, 2.7901),
    Published("dcn, 32 channels", "P40 GPU", 1920, 1080, 0.0558, 0.1123, 0.1895, 0.1684),
    Published("dcn, 32 channels", "V100 GPU", 1920, 1080, 0.0416, 0.0489, 0.1735, 0.0979),
    Published("imgcomp", "a CPU", 768, 512, None, None, 350.0, 200.0),
)
