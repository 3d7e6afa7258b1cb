"""The pen for made training pictures: a canvas, seeded random numbers and fonts."""

import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDES = (384, 512)  # least and greatest side in pixels
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "C:/Windows/Fonts")
TEXT = (
    "the of and to in is that for it as was with be by on not he his but at are this have from "
    "or had an they which one you were all her she there would their we him been has when who "
    "will no more if out so up said what its about than into them can only other time new some "
    "could these two may first then do any like my now over such our man me even most made after "
    "also did many off before must well back through years where much your way down should "
    "because long each just state people those too mister good world picture light colour line "
    "Edit View File Help Open Save Cancel Settings Search Window Tools About Print Export Menu "
    "2024 100% 3.14 $19.99 12:45 #42 (a) [1] e.g. x+y=z https://example.org/path?q=1 Ångström "
    "naïve façade Übung señor über Größe quality compression network measure Figure Table Chapter"
)
WORDS = TEXT.split()
Colour = tuple[int, int, int]


class Pen:
    """A picture that is being drawn, with its random numbers and fonts."""

    def __init__(self, rng: np.random.Generator, fonts: Sequence[Path], back: Colour) -> None:
        """Start a picture of random size, filled with the colour ``back``."""
        self.rng, self.fonts = rng, fonts
        self.width, self.height = (int(side) for side in rng.integers(SIDES[0], SIDES[1] + 1, 2))
        self.image = Image.new("RGB", (self.width, self.height), back)
        self.draw = ImageDraw.Draw(self.image)

    def number(self, low: int, high: int) -> int:
        """A random integer, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        """True in ``share`` of the calls."""
        return bool(self.rng.random() < share)

    def one_of(self, things: Sequence[Any]) -> Any:
        """A random element."""
        return things[int(self.rng.integers(len(things)))]

    def colour(self) -> Colour:
        """A random colour; in a third of the calls every channel is 0 or 255."""
        if self.chance(0.35):
            return _colour(self.rng.integers(0, 2, 3) * 255)
        return _colour(self.rng.integers(0, 256, 3))

    def grey(self, low: int, high: int) -> Colour:
        """A random grey, or nearly grey, with a level from ``low`` to ``high``."""
        level = self.number(low, high)
        tint = self.rng.integers(-6, 7, 3) * self.chance(0.4)
        return _colour(np.clip(level + tint, 0, 255))

    def at(self, x: int, y: int) -> Colour:
        """The current colour of a pixel, or of the nearest one for a place outside."""
        x, y = min(max(x, 0), self.width - 1), min(max(y, 0), self.height - 1)
        return _colour(np.asarray(self.image.crop((x, y, x + 1, y + 1)))[0, 0])

    def ink(self, back: Colour) -> Colour:
        """A random colour with contrast to ``back``: mostly near black or white."""
        dark = luma(back) > 128
        if self.chance(0.7):
            return self.grey(0, 60) if dark else self.grey(195, 255)
        found = self.colour()
        while abs(luma(found) - luma(back)) < 70:
            found = self.colour()
        return found

    def font(self, size: int, mono: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        """A random font, monospaced with ``mono``; Pillow's own font if there is none."""
        fitting = [p for p in self.fonts if "mono" in p.stem.lower() or "hack" in p.stem.lower()]
        fitting = fitting if mono else list(self.fonts)
        if not fitting or self.chance(0.02):
            return ImageFont.load_default(size)
        return ImageFont.truetype(self.one_of(fitting), size)

    def words(self, count: int, among: Sequence[str] = WORDS) -> str:
        """Random words."""
        return " ".join(self.one_of(among) for _ in range(count))

    def lines(self, box: tuple[int, int, int, int], size: int, ink: Colour) -> None:
        """Fill a box (left, top, right, bottom) with a paragraph in one font."""
        left, top, right, bottom = box
        font = self.font(size)
        self.draw.fontmode = "1" if self.chance(0.1) else "L"  # without antialiasing, or with it
        step = max(size + 1, int(size * self.rng.uniform(1.1, 1.7)))
        per_line = max(1, int((right - left) / (size * 2.7)))
        for y in range(top, bottom - size, step):
            short = self.chance(0.12)
            text = self.words(max(1, per_line // (2 if short else 1)))
            while len(text) > 1 and self.draw.textlength(text, font=font) > right - left:
                text = text[:-1]
            self.draw.text((left, y), text, fill=ink, font=font)
        self.draw.fontmode = "L"


def _colour(values: NDArray[Any]) -> Colour:
    red, green, blue = (int(v) for v in values)
    return red, green, blue


def luma(colour: Colour) -> float:
    """Brightness of a colour, 0 to 255."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def gradient(pen: Pen) -> None:
    """A linear gradient between two colours over the whole picture."""
    ends = [np.array(pen.colour() if pen.chance(0.5) else pen.grey(0, 255)) for _ in range(2)]
    y, x = np.mgrid[: pen.height, : pen.width]
    angle = pen.rng.uniform(0, np.pi / 2)
    along = x * np.cos(angle) / pen.width + y * np.sin(angle) / pen.height
    along = (along / along.max())[..., None]
    pixels = ends[0] * (1 - along) + ends[1] * along
    pen.image.paste(Image.fromarray(np.rint(pixels).astype(np.uint8)))


def fonts_at_hand() -> list[Path]:
    """Fonts of the machine and of matplotlib with Latin letters, sorted by name; may be empty."""
    folders = [Path(folder) for folder in FOLDERS]
    folders.append(Path(sysconfig.get_path("purelib")) / "matplotlib/mpl-data/fonts/ttf")
    folders += [Path(p) / "matplotlib/mpl-data/fonts/ttf" for p in sys.path]
    found = {
        path.name: path
        for folder in folders
        for path in folder.rglob("*.[to]tf")
        if _has_latin(path)
    }
    return [found[name] for name in sorted(found)]


def _has_latin(path: Path) -> bool:
    """Whether Pillow reads a font, and it has different shapes for Latin letters."""
    try:
        font = ImageFont.truetype(path, 12)
    except OSError:
        return False
    missing = bytes(font.getmask("\uffff"))
    shapes = {bytes(font.getmask(letter)) for letter in "aegkmRW8"}
    return missing not in shapes and len(shapes) == 8
