#!/usr/bin/env python3
"""Write the broken streams of this folder, each named by its fault.

    tests/corrupt/make.py [FOLDER]

They are spelt out byte by byte from the drawings in nic/format, without the library. The picture
has 16x8 pixels: two latents in each of two channels.
"""

import json
import sys
import zlib
from pathlib import Path

MAGIC = b"\x89NIC\r\n\x1a\n"
LATENTS, SYMBOLS, CODED, PACKED = b"\x11", b"\x21", b"\x31", b"\x41"  # stage and version
END = b"E"
HEADER = {
    "width": 16, "height": 8, "colour": "rgb", "model": "00000000", "channels": 2,
    "model_name": None, "bit_depth": 8, "latent_channels": 2, "codebook": [-15, 16],
    "quality": None, "index": [], "name": None, "history": [], "strip": None,
}  # fmt: skip
DATA = bytes([0, 1, 2, 255])
# Colour, width, height, quality, latent channels, channels, codebook, model; then the index.
FACTS = bytes([0x40, 16, 8, 0, 2, 2, 0xF1, 16, 0, 0, 0, 0])
EMPTY, CONSTANT, RAW, FSE, RESERVED, CLASS, CONTEXT, OWN = range(8)


def number(value):
    """An unsigned LEB128 number."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + number(value >> 7)


def chunk(kind, payload, length=None, flip=0):
    """A chunk; ``length`` claims another length, ``flip`` damages the checksum."""
    start = kind + number(len(payload) if length is None else length)
    checksum = zlib.crc32(start + payload) ^ flip
    return start + payload + checksum.to_bytes(4, "little")


def head(**changes):
    """Chunk H in JSON."""
    return chunk(b"H", json.dumps(HEADER | changes).encode())


def index(*entries):
    """The channel index of (size, mode) of every channel."""
    bits, before, mean, spread = "", CONTEXT, 0, 0
    for size, mode in entries:
        bits += "1" if mode == before else f"0{mode:03b}"
        before = mode
        if mode != EMPTY:
            near, order = mean >> 4, max(0, (spread >> 4).bit_length() - 1)
            folded = 2 * (size - near) - 1 if near < size <= 2 * near else 2 * (near - size)
            folded = size if size > 2 * near else folded
            quotient = f"{(folded >> order) + 1:b}"
            rest = f"{folded % 2**order:0{order}b}" if order else ""
            bits += "0" * (len(quotient) - 1) + quotient + rest
            mean, spread = (mean + 16 * size) >> 1, (3 * spread + 16 * folded) >> 2
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def without_data(head):
    """A whole packed record with this header, and no data."""
    return MAGIC + PACKED + chunk(b"H", head) + chunk(b"D", b"") + END


def packed(payload, *entries, before=b"", flip=0):
    """A whole packed record."""
    head = chunk(b"H", FACTS + index(*entries))
    return MAGIC + PACKED + head + before + chunk(b"D", payload, flip=flip) + END


def strip(top, height, whole):
    """A packed record of some rows of a larger picture, all of whose symbols are zero."""
    facts = bytes([0xC0, 16, height, top // 8, whole, *FACTS[3:]])
    return without_data(facts + NOTHING)


NOTHING = index((0, EMPTY), (0, EMPTY))
SOUND = MAGIC + SYMBOLS + head() + chunk(b"D", DATA) + END
SOUND_PACKED = packed(b"\x03", (0, EMPTY), (1, CONSTANT))

STREAMS = {
    "sound_symbols": SOUND,
    "sound_packed": SOUND_PACKED,
    "empty": b"",
    "magic_alone": MAGIC,
    "magic_cut": MAGIC[:5],
    "header_cut": SOUND[:60],
    "data_cut": SOUND[:-7],
    "end_missing": SOUND[:-1],
    "second_record_cut": SOUND + SOUND[:-1],
    "trailing_garbage": SOUND + b"garbage after the end",
    "line_ends_converted": SOUND.replace(b"\r\n", b"\n"),
    "high_bits_stripped": bytes(byte & 127 for byte in SOUND),
    "text": b"This is no picture.\n",
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01",
    "version_2": MAGIC + b"\x22" + SOUND[9:],
    "stage_0": MAGIC + b"\x01" + SOUND[9:],
    "stage_9": MAGIC + b"\x91" + SOUND[9:],
    "header_missing": MAGIC + SYMBOLS + chunk(b"D", DATA) + END,
    "header_twice": MAGIC + SYMBOLS + head() + head() + chunk(b"D", DATA) + END,
    "header_not_json": MAGIC + SYMBOLS + chunk(b"H", b"{width: 16}") + chunk(b"D", DATA) + END,
    "header_checksum": MAGIC + SYMBOLS + chunk(b"H", json.dumps(HEADER).encode(), flip=1) + END,
    "header_width_0": MAGIC + SYMBOLS + head(width=0) + chunk(b"D", b"") + END,
    "header_height_negative": MAGIC + SYMBOLS + head(height=-8) + chunk(b"D", DATA) + END,
    "header_channels_too_many": MAGIC + SYMBOLS + head(channels=3) + chunk(b"D", DATA) + END,
    "header_codebook_too_large": MAGIC + SYMBOLS + head(codebook=[-99, 99]) + chunk(b"D", DATA),
    "header_bit_depth_12": MAGIC + SYMBOLS + head(bit_depth=12) + chunk(b"D", DATA) + END,
    "header_colour_unknown": MAGIC + SYMBOLS + head(colour="cmyk") + chunk(b"D", DATA) + END,
    "data_missing": MAGIC + SYMBOLS + head() + END,
    "data_twice": MAGIC + SYMBOLS + head() + 2 * chunk(b"D", DATA) + END,
    "data_short": MAGIC + SYMBOLS + head() + chunk(b"D", DATA[:3]) + END,
    "data_long": MAGIC + SYMBOLS + head() + chunk(b"D", DATA + b"\0") + END,
    "data_checksum": MAGIC + SYMBOLS + head() + chunk(b"D", DATA, flip=0x80000000) + END,
    "chunk_type_not_a_letter": MAGIC + SYMBOLS + head() + chunk(b"7", DATA) + END,
    "chunk_critical_unknown": MAGIC + SYMBOLS + head() + chunk(b"Q", b"") + chunk(b"D", DATA),
    "chunk_length_endless": MAGIC + SYMBOLS + head() + b"D" + 20 * b"\xff",
    "chunk_length_2_to_50": MAGIC + SYMBOLS + head() + chunk(b"D", DATA, length=1 << 50),
    "chunk_length_2_to_39": MAGIC + SYMBOLS + head() + chunk(b"D", DATA, length=1 << 39),
    "packed_header_cut": without_data(FACTS[:9]),
    "packed_header_left_over": without_data(FACTS + NOTHING + bytes(2)),
    "packed_colour_unknown": without_data(b"\x47" + FACTS[1:] + NOTHING),
    "packed_layout_unknown": without_data(b"\0" + FACTS[1:] + NOTHING),
    "packed_index_cut": without_data(FACTS),
    "packed_index_long_size": without_data(FACTS + b"\x80" + bytes(40)),
    "packed_index_not_filled_with_zeros": without_data(FACTS + b"\x0f"),  # 0 000: empty; 1: again
    "channel_mode_reserved": packed(b"\x01", (0, EMPTY), (1, RESERVED)),
    "channel_own_table_missing": packed(b"", (0, OWN), (0, EMPTY)),
    "channel_payload_missing": packed(b"", (0, EMPTY), (1, CONSTANT)),
    "channel_empty_with_payload": MAGIC
    + CODED
    + head(index=[["empty", 1], ["empty", 0]])
    + chunk(b"D", b"\0")
    + END,
    "channel_constant_no_symbol": packed(b"\x20", (0, EMPTY), (1, CONSTANT)),
    "channel_raw_too_short": packed(b"\0", (1, RAW), (0, EMPTY)),
    "channel_fse_table_cut": packed(b"\x10", (0, EMPTY), (1, FSE)),
    "channel_fse_garbage": packed(bytes(range(200, 220)), (0, EMPTY), (20, FSE)),
    "channel_by_class_without_map": packed(b"\x01", (0, EMPTY), (1, CLASS)),
    "class_map_empty": packed(b"", (0, EMPTY), (0, EMPTY), before=chunk(b"M", b"")),
    "class_map_twice": packed(b"", (0, EMPTY), (0, EMPTY), before=2 * chunk(b"M", b"\x80\1")),
    "channels_both_damaged": packed(b"\0\x20", (1, RAW), (1, CONSTANT)),
    "channel_damaged_and_checksum": packed(b"\x05\x20", (1, CONSTANT), (1, CONSTANT), flip=1),
    "channels_sound_and_checksum": packed(b"\x05", (0, EMPTY), (1, CONSTANT), flip=1),
    "symbols_outside_codebook": MAGIC + SYMBOLS + head() + chunk(b"D", b"\1\1\x11\0") + END,
    "symbols_with_index": MAGIC
    + SYMBOLS
    + head(index=[["empty", 0]] * 2)
    + chunk(b"D", DATA)
    + END,
    "coded_without_index": MAGIC + CODED + head() + chunk(b"D", b"") + END,
    "coded_mode_unknown": MAGIC + CODED + head(index=[["huffman", 1]] * 2) + END,
    "coded_size_negative": MAGIC + CODED + head(index=[["raw", -1]] * 2) + END,
    "latents_infinite": MAGIC + LATENTS + head() + chunk(b"D", 4 * b"\0\0\x80\x7f") + END,
    "latents_cut": (MAGIC + LATENTS + head() + chunk(b"D", bytes(16)) + END)[:-9],
    "latents_short": MAGIC + LATENTS + head() + chunk(b"D", bytes(12)) + END,
    "strip_beyond_the_picture": strip(16, 8, 16),
    "strip_is_whole_picture": strip(0, 8, 8),
    "strip_off_the_grid": strip(0, 4, 16),
    "class_map_of_symbols": MAGIC
    + SYMBOLS
    + head()
    + chunk(b"M", b"\x80\1")
    + chunk(b"D", DATA)
    + END,
    "packed_channels_0": without_data(FACTS[:5] + b"\0" + FACTS[6:]),
    "packed_quality_over_100": without_data(FACTS[:3] + b"\xf5\x4e" + FACTS[4:] + NOTHING),
    "excess_empty": packed(b"", (0, EMPTY), (0, EMPTY), before=chunk(b"X", b"")),
    "excess_twice": packed(b"", (0, EMPTY), (0, EMPTY), before=2 * chunk(b"X", b"\x84")),
    "excess_endless": packed(b"", (0, EMPTY), (0, EMPTY), before=chunk(b"X", b"\0\0")),
    "excess_cut": packed(b"", (0, EMPTY), (0, EMPTY), before=chunk(b"X", b"\xc7\xc0")),
    "excess_long_number": MAGIC
    + SYMBOLS
    + head()
    + chunk(b"X", b"\x80\0\0\0\0\x08")
    + chunk(b"D", DATA)
    + END,
    "excess_out_of_range": packed(
        b"",
        (0, EMPTY),
        (0, EMPTY),
        before=chunk(b"X", int("110001111" + 26 * "0" + 34 * "1" + "000", 2).to_bytes(9)),
    ),
    "excess_of_latents": MAGIC
    + LATENTS
    + head()
    + chunk(b"X", b"\x84")
    + chunk(b"D", bytes(16))
    + END,
    "class_map_checksum": packed(
        b"\x01", (0, EMPTY), (1, CLASS), before=chunk(b"M", b"\x80\1", flip=8)
    ),
    "class_map_of_unknown_model": packed(
        b"\x01", (0, EMPTY), (1, CLASS), before=chunk(b"M", b"\x80\1")
    ),
}


def main(folder):
    """Write every stream as NAME.nic."""
    for name, data in STREAMS.items():
        (folder / f"{name}.nic").write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
