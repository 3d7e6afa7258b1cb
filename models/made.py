"""Made training pictures: pages, screens, charts and flat areas, which photographs lack.

Drawn with Pillow from a seed, in whatever fonts the machine has, so that a model learns what
text, thin lines, pure white and saturated colours look like.
"""

import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDES = (384, 512)  # pixels, least and largest
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "C:/Windows/Fonts")
MOST_FONTS = 120
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
CODE = (
    "def", "return", "for", "in", "if", "else:", "import", "class", "while", "self.x", "=", "==",
    "+=", "None", "True", "range(10)", "print(x)", "[i]", "{}", "()", "->", "lambda", '"text"',
    "0x1f", "// note", "# why", "const", "int", "float*", "&&", "||", ";", "fn", "let", "match",
)  # fmt: skip
Colour = tuple[int, int, int]


class Pen:
    """A picture being drawn, the random numbers behind it, and the fonts at hand."""

    def __init__(self, rng: np.random.Generator, fonts: Sequence[Path], back: Colour) -> None:
        """Start a picture of random size filled with ``back``."""
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
        """Any colour; every third one at a corner of the cube."""
        if self.chance(0.35):
            return tuple(int(v) for v in self.rng.integers(0, 2, 3) * 255)  # type: ignore[return-value]
        return tuple(int(v) for v in self.rng.integers(0, 256, 3))  # type: ignore[return-value]

    def grey(self, low: int, high: int) -> Colour:
        """A grey, or nearly one."""
        level = self.number(low, high)
        tint = self.rng.integers(-6, 7, 3) * self.chance(0.4)
        return tuple(int(v) for v in np.clip(level + tint, 0, 255))  # type: ignore[return-value]

    def ink(self, back: Colour) -> Colour:
        """A colour that is read on ``back``: mostly black or white, sometimes a saturated one."""
        dark = luma(back) > 128
        if self.chance(0.7):
            return self.grey(0, 60) if dark else self.grey(195, 255)
        found = self.colour()
        while abs(luma(found) - luma(back)) < 70:
            found = self.colour()
        return found

    def font(self, size: int, mono: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        """A random font; Pillow's own where the machine has none, or none of even width."""
        fitting = [p for p in self.fonts if "mono" in p.stem.lower() or "hack" in p.stem.lower()]
        fitting = fitting if mono else list(self.fonts)
        if not fitting or self.chance(0.02):
            return ImageFont.load_default(size)
        return ImageFont.truetype(self.one_of(fitting), size)

    def words(self, count: int, among: Sequence[str] = WORDS) -> str:
        """Random words."""
        return " ".join(self.one_of(among) for _ in range(count))

    def lines(self, box: tuple[int, int, int, int], size: int, ink: Colour) -> None:
        """Fill a box (left, top, right, bottom) with a paragraph of one font."""
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


def luma(colour: Colour) -> float:
    """Brightness of a colour, 0 to 255."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def page(pen: Pen) -> None:
    """A page of text with margins, headings, perhaps columns, a rule and a picture's frame."""
    back = pen.image.getpixel((0, 0))
    ink = pen.ink(back)
    margin = pen.number(8, 90)
    columns = pen.one_of((1, 1, 1, 2, 3))
    gap = 16
    width = (pen.width - 2 * margin - gap * (columns - 1)) // columns
    top = pen.number(4, 60)
    if pen.chance(0.5):
        size = pen.number(18, 44)
        pen.lines((margin, top, pen.width - 8, top + size + 2), size, pen.ink(back))
        top += size + 14
        if pen.chance(0.4):
            pen.draw.line((margin, top - 5, pen.width - margin, top - 5), fill=ink)
    for column in range(columns):
        left, y = margin + column * (width + gap), top
        size = pen.number(8, 17)
        while y < pen.height - 30:
            below = min(pen.height - 4, y + pen.number(40, 220))
            pen.lines((left, y, left + max(width, 40), below), size, ink)
            y = below + pen.number(6, 40)
            if pen.chance(0.15):
                size = pen.number(8, 30)


def screen(pen: Pen) -> None:
    """A desktop: windows with title bars, buttons, icons, fields and lists."""
    if pen.chance(0.4):
        gradient(pen)
    for _ in range(pen.number(1, 3)):
        left, top = pen.number(-20, pen.width // 2), pen.number(-20, pen.height // 2)
        right, bottom = left + pen.number(180, 460), top + pen.number(140, 420)
        window(pen, left, top, right, bottom)


def window(pen: Pen, left: int, top: int, right: int, bottom: int) -> None:
    """One window of a desktop."""
    dark = pen.chance(0.3)
    face = pen.grey(20, 60) if dark else pen.grey(225, 255)
    edge = pen.grey(60, 110) if dark else pen.grey(120, 200)
    ink = pen.ink(face)
    accent = pen.colour()
    draw = pen.draw
    draw.rounded_rectangle((left, top, right, bottom), pen.one_of((0, 0, 4, 8)), face, edge)
    bar = pen.number(18, 32)
    draw.rectangle((left + 1, top + 1, right - 1, top + bar), accent if pen.chance(0.5) else edge)
    draw.text((left + 8, top + 4), pen.words(3), fill=(255, 255, 255), font=pen.font(bar // 2))
    for i in range(3):
        x = right - 16 - 18 * i
        draw.ellipse((x, top + 6, x + 9, top + 15), pen.colour())
    size = pen.number(9, 14)
    y = top + bar + 6
    if pen.chance(0.7):
        for x in range(left + 6, right - 24, 26):
            icon(pen, x, y, pen.number(14, 20))
        y += 28
        draw.line((left, y - 4, right, y - 4), fill=edge)
    body: Callable[[Pen, tuple[int, int, int, int], Colour, Colour, int], None]
    body = pen.one_of((table, widgets, listing))
    if pen.chance(0.25):
        pen.lines((left + 8, y, right - 8, bottom - 4), size, ink)
    else:
        body(pen, (left + 8, y, right - 8, bottom - 6), ink, accent, size)


def icon(pen: Pen, x: int, y: int, size: int) -> None:
    """A small coloured shape."""
    box = (x, y, x + size, y + size)
    fill, edge = pen.colour(), pen.one_of((None, pen.colour()))
    kind = pen.number(0, 4)
    if kind == 0:
        pen.draw.rectangle(box, fill, edge)
    elif kind == 1:
        pen.draw.ellipse(box, fill, edge)
    elif kind == 2:
        pen.draw.polygon(((x, y + size), (x + size // 2, y), (x + size, y + size)), fill, edge)
    elif kind == 3:
        pen.draw.line((x, y, x + size, y + size), fill, pen.number(1, 3))
        pen.draw.line((x + size, y, x, y + size), fill, pen.number(1, 3))
    else:
        for i in range(3):
            pen.draw.line((x, y + i * size // 3 + 2, x + size, y + i * size // 3 + 2), fill, 2)


def table(pen: Pen, box: tuple[int, int, int, int], ink: Colour, accent: Colour, size: int) -> None:
    """Rows and columns of numbers between lines one pixel wide."""
    left, top, right, bottom = box
    font = pen.font(size)
    row, column = size + pen.number(4, 10), pen.number(50, 110)
    line = pen.grey(150, 220)
    striped = pen.chance(0.4)
    for i, y in enumerate(range(top, bottom - row, row)):
        if i == 0 or (striped and i % 2):
            shade = accent if i == 0 else pen.image.getpixel((0, 0))
            pen.draw.rectangle((left, y, right, y + row), shade)
        pen.draw.line((left, y, right, y), fill=line)
        for x in range(left, right - column // 2, column):
            text = pen.words(1) if x == left else f"{pen.rng.uniform(0, 1000):.{pen.number(0, 3)}f}"
            pen.draw.text((x + 4, y + 2), text, fill=ink, font=font)
    for x in range(left, right, column):
        pen.draw.line((x, top, x, bottom), fill=line)


def widgets(
    pen: Pen, box: tuple[int, int, int, int], ink: Colour, accent: Colour, size: int
) -> None:
    """Buttons, fields, check boxes and sliders, one below the other."""
    left, top, right, bottom = box
    draw, font, y = pen.draw, pen.font(size), top
    while y < bottom - 30:
        kind, line = pen.number(0, 3), pen.grey(110, 190)
        if kind == 0:
            x = left
            while x < right - 70:
                draw.rounded_rectangle((x, y, x + 64, y + 22), 4, pen.one_of((accent, None)), line)
                draw.text((x + 8, y + 4), pen.words(1), fill=ink, font=font)
                x += 74
        elif kind == 1:
            draw.text((left, y + 4), pen.words(1), fill=ink, font=font)
            draw.rectangle((left + 80, y, right - 4, y + 22), (255, 255, 255), line)
            draw.text((left + 84, y + 4), pen.words(2), fill=(0, 0, 0), font=font)
        elif kind == 2:
            draw.rectangle((left, y + 4, left + 12, y + 16), (255, 255, 255), line)
            if pen.chance(0.5):
                draw.line((left + 2, y + 10, left + 5, y + 14, left + 11, y + 5), fill=accent)
            draw.text((left + 18, y + 3), pen.words(4), fill=ink, font=font)
        else:
            at = pen.number(left, max(left, right - 12))
            draw.line((left, y + 10, right, y + 10), fill=line, width=2)
            draw.ellipse((at, y + 4, at + 12, y + 16), accent)
        y += 30


def listing(
    pen: Pen, box: tuple[int, int, int, int], ink: Colour, accent: Colour, size: int
) -> None:
    """Lines of program text, each word in one of a few colours."""
    left, top, right, bottom = box
    font = pen.font(size, mono=True)
    colours = [ink, ink, accent, pen.ink(pen.image.getpixel((max(0, left), max(0, top))))]
    for number, y in enumerate(range(top, bottom - size, int(size * 1.4))):
        pen.draw.text((left, y), f"{number + 1:3d}", fill=pen.grey(110, 150), font=font)
        x = left + size * 3 + size * pen.number(0, 4)
        for _ in range(pen.number(0, 7)):
            word = pen.one_of(CODE) + " "
            if x + pen.draw.textlength(word, font=font) > right:
                break
            pen.draw.text((x, y), word, fill=pen.one_of(colours), font=font)
            x += pen.draw.textlength(word, font=font)


def editor(pen: Pen) -> None:
    """A whole screen of program text, light or dark."""
    back = pen.image.getpixel((0, 0))
    listing(pen, (6, 4, pen.width, pen.height), pen.ink(back), pen.ink(back), pen.number(9, 18))


def spreadsheet(pen: Pen) -> None:
    """A whole screen of a table."""
    back = pen.image.getpixel((0, 0))
    margin = pen.number(0, 40)
    box = (margin, margin, pen.width - margin, pen.height - margin)
    table(pen, box, pen.ink(back), pen.colour(), pen.number(9, 16))


def chart(pen: Pen) -> None:
    """Axes with curves, bars or a pie; some drawn twice as large and reduced, so antialiased."""
    back = pen.image.getpixel((0, 0))
    factor = pen.one_of((1, 2, 3))
    image = Image.new("RGB", (pen.width * factor, pen.height * factor), back)
    draw = ImageDraw.Draw(image)
    left, bottom = 40 * factor, (pen.height - 40) * factor
    right, top = (pen.width - 20) * factor, 30 * factor
    ink, line = pen.ink(back), pen.number(1, 3) * factor
    kind = pen.number(0, 3)
    if kind <= 1:
        for i in range(6):
            y = top + (bottom - top) * i // 6
            draw.line((left, y, right, y), fill=pen.grey(180, 230), width=1)
        draw.line((left, top, left, bottom, right, bottom), fill=ink, width=line)
        count = pen.number(5, 60)
        for _ in range(pen.number(1, 4)):
            walk = np.cumsum(pen.rng.normal(0, 1, count))
            walk = (walk - walk.min()) / (np.ptp(walk) + 1e-6)
            xs = np.linspace(left, right, count)
            ys = bottom - walk * (bottom - top) * pen.rng.uniform(0.4, 1)
            colour = pen.ink(back) if kind == 0 else pen.colour()
            if kind == 0:
                draw.line(list(zip(xs, ys, strict=True)), fill=colour, width=line)
            else:
                for x, y in zip(xs, ys, strict=True):
                    wide = max(1, (right - left) // (3 * count))
                    draw.rectangle((x, min(y, bottom - 1), x + wide, bottom), colour)
    elif kind == 2:
        angle = 0.0
        while angle < 360:
            end = angle + pen.rng.uniform(15, 120)
            draw.pieslice((left, top, right, bottom), angle, min(end, 360), pen.colour(), back)
            angle = end
    else:
        for _ in range(pen.number(10, 60)):
            x, y, u, v = (pen.number(0, max(image.size)) for _ in range(4))
            draw.line((x, y, u, v), fill=pen.ink(back), width=line)
            if pen.chance(0.4):
                draw.arc((min(x, u), min(y, v), max(x, u) + 2, max(y, v) + 2), 0, 300, ink, line)
    pen.image.paste(image.resize((pen.width, pen.height), Image.Resampling.BOX))
    for _ in range(pen.number(0, 8)):
        where = (pen.number(0, pen.width - 60), pen.number(0, pen.height - 20))
        pen.draw.text(where, pen.words(2), fill=ink, font=pen.font(pen.number(9, 16)))


def gradient(pen: Pen) -> None:
    """A linear gradient between two colours over the whole picture."""
    ends = [np.array(pen.colour() if pen.chance(0.5) else pen.grey(0, 255)) for _ in range(2)]
    y, x = np.mgrid[: pen.height, : pen.width]
    angle = pen.rng.uniform(0, np.pi / 2)
    along = x * np.cos(angle) / pen.width + y * np.sin(angle) / pen.height
    along = (along / along.max())[..., None]
    pixels = ends[0] * (1 - along) + ends[1] * along
    pen.image.paste(Image.fromarray(np.rint(pixels).astype(np.uint8)))


def flats(pen: Pen) -> None:
    """Flat, often saturated shapes, with large type on some of them: palette graphics."""
    if pen.chance(0.3):
        gradient(pen)
    for _ in range(pen.number(3, 30)):
        x, y = pen.number(-40, pen.width), pen.number(-40, pen.height)
        icon(pen, x, y, pen.one_of((12, 30, 60, 120, 240)))
    for _ in range(pen.number(0, 4)):
        size = pen.number(14, 80)
        where = (pen.number(-10, pen.width // 2), pen.number(0, pen.height - 20))
        pen.draw.text(where, pen.words(2), fill=pen.colour(), font=pen.font(size))


KINDS = (page, page, page, screen, screen, editor, spreadsheet, chart, flats)


def made_picture(
    rng: np.random.Generator, fonts: Sequence[Path], photographs: Sequence[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """One made picture, uint8 (H, W, 3), sides of 384 to 512 pixels."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    look = rng.random()
    pen = Pen(rng, fonts, (255, 255, 255))
    if look > 0.6:
        back = pen.grey(225, 255) if look < 0.7 else pen.grey(0, 50)
        back = pen.colour() if look > 0.88 else back
        pen.image.paste(back, (0, 0, pen.width, pen.height))
    if kind is page and pen.chance(0.06):
        gradient(pen)
    kind(pen)
    if photographs and pen.chance(0.15):
        photograph = Image.fromarray(photographs[int(rng.integers(len(photographs)))])
        side = pen.number(60, 220)
        photograph.thumbnail((side, side), Image.Resampling.LANCZOS)
        pen.image.paste(photograph, (pen.number(0, pen.width - 80), pen.number(0, pen.height - 80)))
    return np.asarray(pen.image)


def fonts_at_hand() -> list[Path]:
    """Fonts of matplotlib and of the machine that Pillow reads, by name; perhaps none.

    Of many, those spread evenly over their names.
    """
    folders = [Path(folder) for folder in FOLDERS]
    folders.append(Path(sysconfig.get_path("purelib")) / "matplotlib/mpl-data/fonts/ttf")
    folders += [Path(p) / "matplotlib/mpl-data/fonts/ttf" for p in sys.path]
    found = {
        path.name: path
        for folder in folders
        for path in folder.rglob("*.[to]tf")
        if _has_latin(path)
    }
    ordered = [found[name] for name in sorted(found)]
    return ordered[:: max(1, len(ordered) // MOST_FONTS)]


def _has_latin(path: Path) -> bool:
    """Whether a font has letters of its own for Latin text, and not symbols in their place."""
    try:
        font = ImageFont.truetype(path, 12)
    except OSError:
        return False
    missing = bytes(font.getmask("\uffff"))
    shapes = {bytes(font.getmask(letter)) for letter in "aegkmRW8"}
    return missing not in shapes and len(shapes) == 8


def made_pictures(
    photographs: Sequence[NDArray[np.uint8]], count: int, seed: int
) -> list[NDArray[np.uint8]]:
    """``count`` made pictures, uint8 (H, W, 3); the same for the same seed, fonts and photographs.

    ``photographs``, uint8 (H, W, 3), are pasted into some of them, reduced.
    """
    rng, fonts = np.random.default_rng(seed), fonts_at_hand()
    return [made_picture(rng, fonts, photographs) for _ in range(count)]
