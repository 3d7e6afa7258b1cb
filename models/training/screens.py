"""Made pictures of screens: windows with buttons, icons, tables and program text."""

from collections.abc import Callable

from nic.models.training.pen import Colour, Pen, gradient

CODE = (
    "def", "return", "for", "in", "if", "else:", "import", "class", "while", "self.x", "=", "==",
    "+=", "None", "True", "range(10)", "print(x)", "[i]", "{}", "()", "->", "lambda", '"text"',
    "0x1f", "// note", "# why", "const", "int", "float*", "&&", "||", ";", "fn", "let", "match",
)  # fmt: skip
Box = tuple[int, int, int, int]  # left, top, right, bottom


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
    body: Callable[[Pen, Box, Colour, Colour, int], None]
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


def table(pen: Pen, box: Box, ink: Colour, accent: Colour, size: int) -> None:
    """Rows and columns of numbers between lines one pixel wide."""
    left, top, right, bottom = box
    font = pen.font(size)
    row, column = size + pen.number(4, 10), pen.number(50, 110)
    line = pen.grey(150, 220)
    striped = pen.chance(0.4)
    for i, y in enumerate(range(top, bottom - row, row)):
        if i == 0 or (striped and i % 2):
            shade = accent if i == 0 else pen.at(0, 0)
            pen.draw.rectangle((left, y, right, y + row), shade)
        pen.draw.line((left, y, right, y), fill=line)
        for x in range(left, right - column // 2, column):
            text = pen.words(1) if x == left else f"{pen.rng.uniform(0, 1000):.{pen.number(0, 3)}f}"
            pen.draw.text((x + 4, y + 2), text, fill=ink, font=font)
    for x in range(left, right, column):
        pen.draw.line((x, top, x, bottom), fill=line)


def widgets(pen: Pen, box: Box, ink: Colour, accent: Colour, size: int) -> None:
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


def listing(pen: Pen, box: Box, ink: Colour, accent: Colour, size: int) -> None:
    """Lines of program text, each word in one of a few colours."""
    left, top, right, bottom = box
    font = pen.font(size, mono=True)
    colours = [ink, ink, accent, pen.ink(pen.at(left, top))]
    for number, y in enumerate(range(top, bottom - size, int(size * 1.4))):
        pen.draw.text((left, y), f"{number + 1:3d}", fill=pen.grey(110, 150), font=font)
        x = left + size * 3 + size * pen.number(0, 4)
        for _ in range(pen.number(0, 7)):
            word = pen.one_of(CODE) + " "
            if x + pen.draw.textlength(word, font=font) > right:
                break
            pen.draw.text((x, y), word, fill=pen.one_of(colours), font=font)
            x += int(pen.draw.textlength(word, font=font))


def editor(pen: Pen) -> None:
    """A screen full of program text, light or dark."""
    back = pen.at(0, 0)
    listing(pen, (6, 4, pen.width, pen.height), pen.ink(back), pen.ink(back), pen.number(9, 18))


def spreadsheet(pen: Pen) -> None:
    """A screen with one large table."""
    back = pen.at(0, 0)
    margin = pen.number(0, 40)
    box = (margin, margin, pen.width - margin, pen.height - margin)
    table(pen, box, pen.ink(back), pen.colour(), pen.number(9, 16))
