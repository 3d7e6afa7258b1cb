#!/usr/bin/env python3
"""Write the manual pages of section 1 from the help of the commands.

    scripts/man.py            write man/*.1, and set the date of the pages written by hand
    scripts/man.py --check    write nothing; exit 1 if a page on disk would change

Name, synopsis, description, options, examples and references come from the click command. The
exit codes come from the docstrings of nic.errors. A file man/prose/PAGE.mdoc adds sections to its
page: text is added to a section that the page has; any other section follows the options. A file
man/prose/PAGE.txt becomes the section RESULTS, as it is. The date is the date of the newest release
in CHANGELOG.md; before the first release it is the date in man/nic.5.

The line @scores@ becomes a table from the card of the default model. README.md has the same table,
which a test compares.
"""

import datetime
import importlib
import inspect
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from nic import __version__, errors
from nic.cli.main import COMMANDS
from nic.cli.main import main as umbrella
from nic.models import zoo

ROOT = Path(__file__).resolve().parents[1]
MAN = ROOT / "man"
HAND_WRITTEN = ("nic.5", "nic-pipelines.7")
WIDTH = 78  # columns of a source line
# The last sections, in the order of mdoc(7). Other sections come before these.
LAST = ("ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "DIAGNOSTICS", "SEE ALSO",
        "STANDARDS", "CAVEATS")  # fmt: skip
ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
ENVIRONMENT = {
    "NIC_MODEL_PATH": "Folders with further models, separated like the folders in PATH.",
    "NIC_ISA": "The instruction set of the native backend: avx512, avx2 or portable. The default "
    "is the first of these that the processor has. The output does not depend on it.",
    "KERAS_BACKEND": "The framework on which Keras runs: tensorflow (the default), jax or "
    "torch. Used with --backend keras, or with a GPU as --device.",
}
FAILURE = (
    "A file cannot be read or written, memory is short, a picture has too many pixels, or no "
    "quality meets the target with --strict."
)
COMMON = ("--quiet", "--verbose", "--version", "--help")
NO_MODEL = ("completion",)  # commands that need no model

# The columns of the table that says what -q means, with their decimals, and its rows.
SCORES = {
    "bpp": ("bpp", 3), "ssimulacra2": ("SSIMULACRA 2", 0), "ms_ssim": ("MS-SSIM", 3),
    "psnr": ("PSNR, dB", 1),
}  # fmt: skip
QUALITIES = (10, 30, 50, 70, 90, 100)

Page = dict[str, list[str]]  # section title -> its lines of mdoc(7)


def programs() -> list[str]:
    """Every program that pyproject.toml installs."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(table["project"]["scripts"])


def command(name: str) -> click.Command:
    """The click command of this name in nic.cli.main.COMMANDS."""
    found: click.Command = importlib.import_module(f"nic.cli.{COMMANDS[name]}").main
    return found


def literal(text: str) -> str:
    """Escape one line so that every character is displayed, and can be copied, as it is."""
    return _protected("".join(ESCAPES.get(character, character) for character in text))


def unescape(line: str) -> str:
    """Inverse of ``literal``."""
    line = line.removeprefix(r"\&")
    for character, escape in reversed(ESCAPES.items()):
        line = line.replace(escape, character)
    return line


def prose(text: str) -> list[str]:
    """Running text as filled lines; every sentence starts a new line, as mdoc(7) asks."""
    text = " ".join(text.split()).replace("\\", r"\e")
    text = re.sub(r"(?<!\w)-+(?=\W|$)|(?<!\w)--?(?=\w)|(?<=\bnic)-(?=\w)", _minus, text)
    lines = []
    for sentence in re.split(r"(?<=[.?!])\s+(?=[A-Z])", text):
        lines += textwrap.wrap(sentence, WIDTH, break_on_hyphens=False, break_long_words=False)
    return [_protected(line) for line in lines]


def _minus(match: re.Match[str]) -> str:
    return match[0].replace("-", r"\-")


def _protected(line: str) -> str:
    """The line, protected from being a request if it starts with a control character."""
    return rf"\&{line}" if line[:1] in (".", "'") else line


def split_help(target: click.Command) -> tuple[list[str], list[str]]:
    r"""Paragraphs of a command's help, and the lines of its \b Examples block."""
    text, examples = [], []
    for paragraph in inspect.cleandoc(target.help or "").split("\n\n"):
        if paragraph.startswith("\b\nExamples:\n"):
            examples = textwrap.dedent("\n".join(paragraph.splitlines()[2:])).splitlines()
        else:
            text.append(paragraph)
    return text, examples


def summary(target: click.Command) -> str:
    """The first sentence of the help."""
    return " ".join(split_help(target)[0][0].split())


def metavar(option: click.Option) -> str:
    """The placeholder for the option's value; empty for a flag."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    return option.metavar or option.type.name.upper()


def flags(names: list[str], value: str) -> str:
    """Option names in mdoc(7) macros: ``Fl o , Fl -output Ar FILE``."""
    words = " , ".join(f"Fl {name[1:]}" for name in names)
    return f"{words} Ar {value}" if value else words


def option_help(option: click.Option) -> str:
    """The help of the option, and its default."""
    parts = [(option.help or "").strip()]
    if not parts[0].endswith("."):
        parts[0] += "."
    if option.show_default and not option.is_flag:
        parts.append(f"Default: {option.default}.")
    return " ".join(parts)


def subcommands(target: click.Command) -> dict[str, click.Command]:
    """The commands that share the page of a group; every command of nic has its own page."""
    if target is umbrella or not isinstance(target, click.Group):
        return {}
    return dict(target.commands)


def options(target: click.Command) -> list[click.Option]:
    """All options of a command: its own or its subcommands', then the common ones."""
    parts = subcommands(target)
    if parts:
        every = [option for part in parts.values() for option in options(part)]
        common = {option.opts[-1]: option for option in every if option.opts[-1] in COMMON}
        return [option for option in every if option.opts[-1] not in COMMON] + [*common.values()]
    params = target.get_params(click.Context(target))
    own = [param for param in params if isinstance(param, click.Option)]
    return sorted(own, key=lambda option: option.opts[-1] in COMMON)


def synopsis(target: click.Command, invocation: str) -> Iterator[str]:
    """The lines of the synopsis: the call, with the shortest form of each option."""
    for name, part in subcommands(target).items():
        yield from synopsis(part, f"{invocation} {name}")
    if subcommands(target):
        return
    yield f".Nm {invocation}"
    for option in options(target):
        if option.opts[-1] not in COMMON[2:]:
            short = [group[:1] for group in (option.opts, option.secondary_opts) if group]
            yield ".Op " + " | ".join(flags(names, metavar(option)) for names in short)
    for argument in target.params:
        if isinstance(argument, click.Argument):
            yield operand(argument)


def operand(argument: click.Argument) -> str:
    """An argument in mdoc(7) macros: ``.Op Ar FILE ...`` for ``[FILE]...``."""
    if isinstance(argument.type, click.Choice):
        return ".Cm " + " | ".join(argument.type.choices)
    words = argument.make_metavar(click.Context(click.Command(""))).replace("...", "")
    macro = ".Op Ar" if words.startswith("[") else ".Ar"
    return f"{macro} {words.strip('[]')}{' ...' * (argument.nargs == -1)}"


def option_lists(target: click.Command) -> Iterator[str]:
    """Every option with its help; options of subcommands are under the subcommand's name."""
    parts = subcommands(target)
    for name, part in parts.items():
        yield f".Ss {name}"
        yield from option_list([o for o in options(part) if o.opts[-1] not in COMMON])
    if parts:
        yield ".Ss All commands"
        yield from option_list([o for o in options(target) if o.opts[-1] in COMMON])
    else:
        yield from option_list(options(target))


def option_list(listed: list[click.Option]) -> Iterator[str]:
    """Options with their help, as a tagged list."""
    yield ".Bl -tag -width Ds"
    for option in listed:
        groups = (option.opts, option.secondary_opts)
        yield ".It " + " | ".join(flags(names, metavar(option)) for names in groups if names)
        yield from prose(option_help(option))
    yield ".El"


def command_list() -> Iterator[str]:
    """Every command of nic with the first sentence of its help."""
    yield ".Bl -tag -width Ds"
    for name in COMMANDS:
        yield f".It Xr nic-{name} 1"
        yield from prose(summary(command(name)))
    yield ".El"


def environment(names: list[str]) -> Iterator[str]:
    """The environment variables of a command."""
    yield ".Bl -tag -width Ds"
    for name in names:
        yield f".It Ev {name}"
        yield from prose(ENVIRONMENT[name])
    yield ".El"


def exit_status() -> Iterator[str]:
    """The exit codes of nic.errors, in the words of its docstrings."""
    causes = {error.exit_code: error.__doc__ or "" for error in errors.NicError.__subclasses__()}
    causes |= {0: "Success.", errors.NicError.exit_code: FAILURE}
    yield ".Bl -tag -width Ds"
    for code, cause in sorted(causes.items()):
        yield f".It {code}"
        yield from prose(cause)
    yield ".El"


def see_also(target: click.Command, page: str) -> list[str]:
    """The references to other pages in the epilog, sorted by section and name."""
    found = set(re.findall(r"([\w.-]+)\((\d)\)", target.epilog or "")) - {(page, "1")}
    lines = [f".Xr {name} {section} ," for name, section in sorted(found, key=lambda p: p[::-1])]
    return [*lines[:-1], lines[-1].removesuffix(" ,")] if lines else []


def display(lines: list[str]) -> list[str]:
    """Lines that are displayed as they are."""
    return [".Bd -literal -offset indent", *map(literal, lines), ".Ed"]


def scores() -> list[list[str]]:
    """What -q means with the default model: the header and the rows of a table, from its card."""
    rows = {row["quality"]: row for row in zoo.by_name().card["kodak"]}
    found = [
        [f"{quality}", *(f"{rows[quality][key]:.{digits}f}" for key, (_, digits) in SCORES.items())]
        for quality in QUALITIES
    ]
    return [["-q", *(title for title, _ in SCORES.values())], *found]


def columns(rows: list[list[str]]) -> list[str]:
    """The rows of a table as lines of text, in columns that end at the same place."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "   ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def read_prose(page: str) -> Page:
    """The hand-written sections of a page."""
    path = MAN / "prose" / f"{page}.mdoc"
    sections: Page = {}
    title = ""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if line.startswith(".Sh "):
            title = line.removeprefix(".Sh ")
            sections[title] = []
        elif line == "@scores@":
            sections[title] += display(columns(scores()))
        else:
            sections[title].append(line)
    return sections


def examples(target: click.Command) -> list[str]:
    """The example lines of a command and of its subcommands, without repetition."""
    every = [split_help(part)[1] for part in (target, *subcommands(target).values())]
    return list(dict.fromkeys(line for lines in every for line in lines))


def description(target: click.Command, alias: str | None) -> Iterator[str]:
    """The paragraphs of the help, the first one included."""
    for number, paragraph in enumerate(split_help(target)[0]):
        if number:
            yield ".Pp"
        yield from prose(paragraph)
    for name, part in subcommands(target).items():
        yield f".Ss {name}"
        yield from description(part, None)
    if alias is not None:
        yield ".Pp"
        yield f".Nm {alias}"
        yield "is the same program."


def generated(page: str) -> Page:
    """The sections of a page that come from the help of the program."""
    name = page.removeprefix("nic-")
    target: click.Command = umbrella if page == "nic" else command(name)
    installed = page in programs()
    with_network = page == "nic" or any(option.name == "backend" for option in options(target))
    variables = ["NIC_MODEL_PATH"] * (name not in NO_MODEL) + with_network * [
        "NIC_ISA",
        "KERAS_BACKEND",
    ]
    purpose = summary(target).removesuffix(".")
    sections: Page = {
        "NAME": [f".Nm {page}", f".Nd {purpose[0].lower()}{purpose[1:]}"],
        "SYNOPSIS": list(synopsis(target, page if installed else f"nic {name}")),
        "DESCRIPTION": list(
            description(target, f"nic {name}" if installed and page != "nic" else None)
        ),
        "OPTIONS": list(option_lists(target)),
        "EXIT STATUS": list(exit_status()),
        "EXAMPLES": display(examples(target)),
        "SEE ALSO": see_also(target, page),
    }
    if page == "nic":
        sections["SYNOPSIS"] += [".Op Fl -version", ".Op Fl -help"]
        sections["SYNOPSIS"] += [".Ar command", ".Op Ar argument ..."]
        sections["COMMANDS"] = list(command_list())
    if variables:
        sections["ENVIRONMENT"] = list(environment(variables))
    results = MAN / "prose" / f"{page}.txt"
    if results.exists():
        sections["RESULTS"] = display(results.read_text(encoding="utf-8").splitlines())
    return sections


def release_date() -> str:
    """The date of the newest release for .Dd; before the first release, the date in nic(5)."""
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## \[\d[^]]*\] - (\d{4}-\d\d-\d\d)$", log, re.MULTILINE)
    if found is None:
        page = (MAN / "nic.5").read_text(encoding="utf-8")
        return page.partition("\n.Dd ")[2].partition("\n")[0]
    date = datetime.date.fromisoformat(found[1])
    return f"{date:%B} {date.day}, {date.year}"


def render(page: str) -> str:
    """A whole page of section 1."""
    sections = generated(page)
    for title, lines in read_prose(page).items():
        known = sections.setdefault(title, [])
        known += [".Pp"] * bool(known) + lines
    titles = [t for t in sections if t not in LAST] + [t for t in LAST if t in sections]
    head = [
        rf".\" Written by scripts/man.py from the program's help and man/prose/{page}.mdoc.",
        f".Dd {release_date()}",
        f".Dt {page.upper()} 1",
        f".Os nic {__version__}",
    ]
    body = [line for title in titles for line in (f".Sh {title}", *sections[title])]
    return "\n".join([*head, *body, ""])


def dated(page: str) -> str:
    """A hand-written page with the date and version of the newest release."""
    text = (MAN / page).read_text(encoding="utf-8")
    text = re.sub(r"^\.Dd .*$", f".Dd {release_date()}", text, count=1, flags=re.MULTILINE)
    return re.sub(r"^\.Os .*$", f".Os nic {__version__}", text, count=1, flags=re.MULTILINE)


def pages() -> dict[str, str]:
    """File name -> content of every page."""
    names = ("nic", *(f"nic-{name}" for name in COMMANDS))
    return {f"{name}.1": render(name) for name in names} | {p: dated(p) for p in HAND_WRITTEN}


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a page would change.")
def main(check: bool) -> None:
    stale = False
    for name, text in pages().items():
        path = MAN / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale = True
        if check:
            click.echo(f"{path.relative_to(ROOT)} is out of date: run scripts/man.py", err=True)
        else:
            path.write_text(text, encoding="utf-8")
    sys.exit(check and stale)


if __name__ == "__main__":
    main()
