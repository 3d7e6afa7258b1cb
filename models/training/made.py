"""Made training pictures: pages, screens, charts and flat areas, which photographs lack.

They teach a model text, thin lines, pure white and saturated colours. They are drawn with Pillow
from a seed, in the fonts of the machine.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nic.models.training.pen import Pen, fonts_at_hand, gradient
from nic.models.training.screens import editor, icon, screen, spreadsheet


def page(pen: Pen) -> None:
    """A page of text with margins, perhaps columns, a heading and a rule."""
    back = pen.at(0, 0)
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


def chart(pen: Pen) -> None:
    """Curves, bars, a pie or strokes; some are drawn larger and reduced, for antialiasing."""
    kind = pen.one_of((curves, bars, pie, strokes))
    kind(pen, pen.one_of((1, 2, 3)))
    for _ in range(pen.number(0, 8)):
        where = (pen.number(0, pen.width - 60), pen.number(0, pen.height - 20))
        ink = pen.ink(pen.at(*where))
        pen.draw.text(where, pen.words(2), fill=ink, font=pen.font(pen.number(9, 16)))


class Sheet:
    """A drawing ``factor`` times as large as the picture, and the frame of a chart on it."""

    def __init__(self, pen: Pen, factor: int) -> None:
        """Fill the drawing with the colour of the picture's corner."""
        self.pen, self.factor, self.back = pen, factor, pen.at(0, 0)
        self.image = Image.new("RGB", (pen.width * factor, pen.height * factor), self.back)
        self.draw = ImageDraw.Draw(self.image)
        self.ink, self.line = pen.ink(self.back), pen.number(1, 3) * factor
        sides = (40, 30, pen.width - 20, pen.height - 40)
        self.left, self.top, self.right, self.bottom = (side * factor for side in sides)

    def axes(self) -> None:
        """Draw two axes and thin horizontal lines."""
        left, top, right, bottom = self.left, self.top, self.right, self.bottom
        for i in range(6):
            y = top + (bottom - top) * i // 6
            self.draw.line((left, y, right, y), fill=self.pen.grey(180, 230), width=1)
        self.draw.line((left, top, left, bottom, right, bottom), fill=self.ink, width=self.line)

    def walk(self, count: int) -> list[tuple[int, int]]:
        """Points of a random walk from the left to the right of the frame."""
        rng = self.pen.rng
        walk = np.cumsum(rng.normal(0, 1, count))
        walk = (walk - walk.min()) / (np.ptp(walk) + 1e-6) * rng.uniform(0.4, 1)
        xs = np.linspace(self.left, self.right, count).astype(int).tolist()
        ys = (self.bottom - walk * (self.bottom - self.top)).astype(int).tolist()
        return list(zip(xs, ys, strict=True))

    def finish(self) -> None:
        """Reduce the drawing and put it into the picture."""
        size = (self.pen.width, self.pen.height)
        self.pen.image.paste(self.image.resize(size, Image.Resampling.BOX))


def curves(pen: Pen, factor: int) -> None:
    """A few curves over axes."""
    sheet = Sheet(pen, factor)
    sheet.axes()
    for _ in range(pen.number(1, 4)):
        points = sheet.walk(pen.number(5, 60))
        sheet.draw.line(points, fill=pen.ink(sheet.back), width=sheet.line)
    sheet.finish()


def bars(pen: Pen, factor: int) -> None:
    """A few rows of bars over axes."""
    sheet, count = Sheet(pen, factor), pen.number(5, 60)
    sheet.axes()
    wide = max(1, (sheet.right - sheet.left) // (3 * count))
    for _ in range(pen.number(1, 4)):
        colour = pen.colour()
        for x, y in sheet.walk(count):
            sheet.draw.rectangle((x, min(y, sheet.bottom - 1), x + wide, sheet.bottom), colour)
    sheet.finish()


def pie(pen: Pen, factor: int) -> None:
    """A pie of flat colours."""
    sheet, angle = Sheet(pen, factor), 0
    box = (sheet.left, sheet.top, sheet.right, sheet.bottom)
    while angle < 360:
        end = min(360, angle + pen.number(15, 120))
        sheet.draw.pieslice(box, angle, end, pen.colour(), sheet.back)
        angle = end
    sheet.finish()


def strokes(pen: Pen, factor: int) -> None:
    """Lines and arcs across each other, as in a technical drawing."""
    sheet = Sheet(pen, factor)
    for _ in range(pen.number(10, 60)):
        x, y, u, v = (pen.number(0, max(sheet.image.size)) for _ in range(4))
        sheet.draw.line((x, y, u, v), fill=pen.ink(sheet.back), width=sheet.line)
        if pen.chance(0.4):
            box = (min(x, u), min(y, v), max(x, u) + 2, max(y, v) + 2)
            sheet.draw.arc(box, 0, 300, sheet.ink, sheet.line)
    sheet.finish()


def flats(pen: Pen) -> None:
    """Flat, often saturated shapes and large type, as in palette graphics."""
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
    """One made picture, uint8 (H, W, 3), with sides of 384 to 512 pixels."""
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


def made_pictures(
    photographs: Sequence[NDArray[np.uint8]], count: int, seed: int
) -> list[NDArray[np.uint8]]:
    """``count`` made pictures, uint8 (H, W, 3).

    The same seed, fonts and photographs give the same pictures.

    Args: photographs: uint8 (H, W, 3) each; some are reduced and pasted into made pictures.
    """
    rng, fonts = np.random.default_rng(seed), fonts_at_hand()
    return [made_picture(rng, fonts, photographs) for _ in range(count)]
