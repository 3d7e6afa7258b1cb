"""The manual and the help: complete, in step with the programs, and their examples run."""

import importlib
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import ModuleType

import click
import numpy as np
import pytest
from desktop import install_shared
from places import ROOT

from nic import errors
from nic.cli.main import COMMANDS
from nic.cli.main import main as umbrella
from nic.entropy import coding
from nic.format.pack import unpack
from nic.format.records import read_records
from nic.picture import writers

SCRIPTS = Path(sysconfig.get_path("scripts"))


def _load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"script_{name}", ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


man = _load_script("man")
PAGES = sorted(path.name for path in (ROOT / "man").glob("*.[157]"))


def _command_of(page: str) -> click.Command:
    """The click command that a page of section 1 describes."""
    name = page.removesuffix(".1").removeprefix("nic-")
    return umbrella if name == "nic" else man.command(name)


COMMAND_PAGES = ["nic.1", *(f"nic-{name}.1" for name in COMMANDS)]


# -- pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", COMMAND_PAGES)
def test_command_has_a_page(page: str) -> None:
    assert page in PAGES


@pytest.mark.parametrize("program", man.programs())
def test_installed_program_has_a_page(program: str) -> None:
    assert f"{program}.1" in PAGES
    assert (SCRIPTS / program).exists()


def test_no_page_without_a_command() -> None:
    assert {page for page in PAGES if page.endswith(".1")} == set(COMMAND_PAGES)


def test_no_prose_without_a_page() -> None:
    assert {f"{path.stem}.1" for path in (ROOT / "man/prose").iterdir()} <= set(COMMAND_PAGES)


@pytest.mark.parametrize("page", COMMAND_PAGES)
def test_command_has_help_examples_and_references(page: str) -> None:
    text, examples = man.split_help(_command_of(page))
    assert re.fullmatch(r"[A-Z].*\.", " ".join(text[0].split()))
    assert examples
    assert "nic" in (_command_of(page).epilog or "")


@pytest.mark.parametrize("page", COMMAND_PAGES)
def test_every_option_has_help(page: str) -> None:
    for option in man.options(_command_of(page)):
        assert option.help, option.opts


@pytest.mark.parametrize("page", COMMAND_PAGES)
def test_every_option_is_in_the_page(page: str) -> None:
    lines = (ROOT / "man" / page).read_text().split("\n.Sh OPTIONS\n")[1].split("\n.Sh ")[0]
    listed = re.findall(r"\bFl (\S+)", " ".join(re.findall(r"^\.It .*", lines, re.MULTILINE)))
    options = man.options(_command_of(page))
    names = [name[1:] for option in options for name in (*option.opts, *option.secondary_opts)]
    assert sorted(listed) == sorted(names)


def test_pages_are_up_to_date() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / "scripts/man.py", "--check"], capture_output=True, text=True
    )
    assert (check.returncode, check.stderr) == (0, "")


def test_check_notices_a_stale_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "man", tmp_path / "man")
    monkeypatch.setattr(man, "MAN", tmp_path / "man")
    monkeypatch.setattr(man, "ROOT", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    (tmp_path / "man/nic.1").write_text("stale\n")
    with pytest.raises(SystemExit) as stop:
        man.main.callback(check=True)
    assert stop.value.code == 1


@pytest.mark.parametrize("page", COMMAND_PAGES)
def test_exit_codes_are_those_of_the_errors(page: str) -> None:
    section = (ROOT / "man" / page).read_text().split("\n.Sh EXIT STATUS\n")[1].split("\n.Sh ")[0]
    listed = [int(code) for code in re.findall(r"^\.It (\d+)$", section, re.MULTILINE)]
    classes = [c for c in vars(errors).values() if inspect.isclass(c)]
    assert listed == sorted({0, *(c.exit_code for c in classes if issubclass(c, errors.NicError))})


@pytest.mark.parametrize("page", PAGES)
def test_page_passes_mandoc(page: str) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    path = ROOT / "man" / page
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True)
    assert lint.stdout.decode() == ""


@pytest.mark.parametrize("page", PAGES)
def test_references_lead_to_pages(page: str) -> None:
    text = (ROOT / "man" / page).read_text()
    for name, section in re.findall(r"\.Xr (nic\S*) (\d)", text):
        assert f"{name}.{section}" in PAGES


@pytest.mark.parametrize("line", ["nic-encode < a.png | ssh host 'cat > a.nic'", ".nic \\ ~ ^ `"])
def test_literal_text_survives(line: str) -> None:
    assert man.unescape(man.literal(line)) == line


def test_every_documented_error_is_an_error_of_the_programs() -> None:
    assert {error.exit_code for error in errors.NicError.__subclasses__()} == {2, 3, 4, 5, 6}


# -- the file format --------------------------------------------------------------------------


def test_format_example_is_a_record() -> None:
    page = (ROOT / "man/nic.5").read_text()
    display = page.split("\n.Sh EXAMPLES\n")[1].split("\n.Ed\n")[0]
    data = bytes.fromhex("".join(re.findall(r"^((?:[0-9a-f]{2} ?)+)", display, re.MULTILINE)))
    (record,) = read_records(BytesIO(data))
    assert (record.header.width, record.header.height) == (20, 10)
    assert (record.header.quality, record.header.model) == (50, "b2613a45")
    symbols = coding.decode(unpack(record)).data
    assert np.frombuffer(symbols, np.int8).tolist() == [2] * 6 + [0] * 6 + [0, -1, 1, 2, 0, 3]


# -- example commands -------------------------------------------------------------------------


def _displays(page: Path) -> Iterator[tuple[str | None, str]]:
    """Every literal display: its "run" comment, if it has one, and its text."""
    pattern = r'(?:^\.\\" run(?:: (.*))?\n)?^\.Bd -literal.*\n((?:.*\n)*?)^\.Ed$'
    for found in re.finditer(pattern, page.read_text(), re.MULTILINE):
        lines = "\n".join(map(man.unescape, found[2].splitlines()))
        needs = (found[1] or "") if found[0].startswith('.\\" run') else None
        yield needs, lines


def test_the_readme_says_what_a_quality_means() -> None:
    """The table is that of the card; after a change of the default model, paste it from here."""
    head, *rows = man.scores()
    lines = [f"| `{head[0]}` | {' | '.join(head[1:])} |", "|---" * len(head) + "|"]
    table = "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
    assert table in (ROOT / "README.md").read_text(encoding="utf-8"), f"README.md needs\n{table}"


def _documents() -> Iterator[tuple[str, str]]:
    """Every text with example commands: where it is, and its lines."""
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text()
        fenced = re.findall(r"^```.*\n((?:.*\n)*?)^```", text, re.MULTILINE)
        indented = re.findall(r"^(?:    .*\n)+", text, re.MULTILINE)
        blocks = map(textwrap.dedent, [*fenced, *indented])
        yield name, "\n".join(map(_typed, blocks))
    for page in COMMAND_PAGES:
        yield f"help of {page}", "\n".join(man.split_help(_command_of(page))[1])
    for page in PAGES:
        yield page, "\n".join(_typed(text) for _, text in _displays(ROOT / "man" / page))


def _typed(display: str) -> str:
    """What is typed in a display: where it shows a prompt, the rest of it is output."""
    prompted = [line for line in display.splitlines() if line.startswith("$ ")]
    return "\n".join(prompted) or display


def _calls(text: str) -> Iterator[list[str]]:
    """Every call of a nic program in shell lines, also inside quotes (``ssh host '...'``)."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            tokens = list(lexer)
        except ValueError:  # an open quote: not shell, or a script over several lines
            continue
        yield from _calls_in(tokens)


def _calls_in(tokens: list[str]) -> Iterator[list[str]]:
    call: list[str] | None = None
    for token in [*tokens, ";"]:
        if set(token) <= set("|&;<>()") or token in ("do", "then"):
            if call is not None:
                yield call
            call = None
        elif call is not None:
            call.append(token)
        elif token == "nic" or token in man.programs():
            call = [token]
        if " " in token and re.search(r"\bnic[ -]", token):
            yield from _calls(token)


def _resolved(call: list[str]) -> tuple[click.Command, list[str]]:
    """The command that a call runs, and its arguments."""
    program, *arguments = call
    if program != "nic":
        return man.command(program.removeprefix("nic-")), arguments
    if not arguments or arguments[0].startswith("-"):
        return umbrella, arguments
    assert arguments[0] in COMMANDS, f"no command: {shlex.join(call)}"
    return man.command(arguments[0]), arguments[1:]


def _is_valid(call: list[str]) -> bool:
    command, arguments = _resolved(call)
    command.make_parser(click.Context(command)).parse_args(args=arguments)
    return True


@pytest.mark.parametrize(("where", "text"), [pytest.param(*d, id=d[0]) for d in _documents()])
def test_examples_use_options_that_exist(where: str, text: str) -> None:
    calls = list(_calls(text))
    assert all(map(_is_valid, calls))
    assert calls or not where.startswith(("README", "nic-pipelines", "help"))


def test_example_check_finds_calls_and_mistakes() -> None:
    text = "nic-encode < a.png | ssh host 'nic-pack > a.nic'\nxargs -0 nic compress --rum"
    encode, pack, compress = _calls(text)
    assert (encode, pack) == (["nic-encode"], ["nic-pack"])
    with pytest.raises(click.NoSuchOption):
        _is_valid(compress)


# -- recipes ----------------------------------------------------------------------------------

RECIPES = list(_displays(ROOT / "man/nic-pipelines.7"))


def test_every_recipe_says_what_it_needs() -> None:
    assert all(needs is not None for needs, _ in RECIPES)


def _environment(folder: Path) -> dict[str, str]:
    """The installed programs first on PATH, and an ssh that runs its command here."""
    shift = 'while [ "$1" != host ]; do shift; done\nshift\n[ "$1" != -- ] || shift\n'
    # As sshd does, it names a shell: without one, parallel's remote part fails in silence.
    ssh = f'#!/bin/sh\nexport SHELL=/bin/sh\n{shift}exec sh -c "$*"\n'
    python = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n'
    for name, script in (("ssh", ssh), ("python3", python)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    install_shared(folder)
    path = os.pathsep.join([str(folder), str(SCRIPTS), os.environ["PATH"]])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "DISPLAY"))}
    own = {"PATH": path, "HOME": str(folder), "VIRTUAL_ENV": str(folder)}
    return {**kept, **own, "PYTHONDONTWRITEBYTECODE": "1"}


def _make_pictures(folder: Path) -> None:
    """What nic-pipelines(7) is about: a.png, b.png and a.ppm, and both PNGs in photos/."""
    y, x = np.mgrid[:72, :100]
    rng = np.random.default_rng(1)
    smooth = np.stack([2 * x, 2 * y, 128 + 60 * np.sin(x * y / 300)], axis=2)
    a = (smooth + rng.normal(0, 40, smooth.shape)).clip(0, 255).astype(np.uint8)
    noise = rng.integers(0, 256, (9, 8, 3), np.uint8)
    (folder / "photos").mkdir()
    for name, pixels in (("a", a), ("b", noise.repeat(6, axis=0).repeat(7, axis=1))):
        (folder / f"{name}.png").write_bytes(writers.write(pixels, "png"))
        (folder / f"photos/{name}.png").write_bytes(writers.write(pixels, "png"))
    (folder / "a.ppm").write_bytes(writers.write(a, "ppm"))


def _run(needs: str, text: str, folder: Path, environment: dict[str, str]) -> str | None:
    """Run one recipe. Returns its complaint, empty for none; None when a program lacks."""
    if not all(shutil.which(program, path=environment["PATH"]) for program in needs.split()):
        return None
    script = f"set +e\n{text}" if "$?" in text else text  # it fails on purpose
    shell = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, timeout=120)
    return f"{text}\n{done.stderr.decode()}" if done.returncode else ""


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str | None]]:
    """The folder after all recipes ran in order, and the outcome of each."""
    folder = tmp_path_factory.mktemp("recipes")
    environment = _environment(tmp_path_factory.mktemp("programs"))
    _make_pictures(folder)
    return folder, [_run(needs or "", text, folder, environment) for needs, text in RECIPES]


# What a recipe must have written, by a part of its text.
WRITES = {
    "> decoded.png": ["a.nic", "decoded.png"],
    "for q in 20 50 80": ["a.latents", "a20.nic", "a50.nic", "a80.nic"],
    "-le 1500": ["fits.nic"],
    "--channels 16": ["a16.nic"],
    "tee b.latents": ["b.latents", "b.nic"],
    "--output-dir small": ["small/a.nic", "small/a.ppm", "small/b.ppm"],
    "-print0 | xargs -0 nic compress": ["photos/a.nic", "photos/b.nic"],
    "--joblog": ["done.log"],
    "ssh -C host": ["remote.nic"],
    "> remote.ppm": ["remote.ppm"],
    "pnmsplit - picture": ["picture0.ppm", "second.png"],
    "arriving.png": ["arriving.png"],
    "version%d": ["version0.ppm", "version3.ppm"],
    "record{number}": ["record0.nic", "record1.nic"],
    "pamscale 0.5": ["half.nic", "thumbnail.png"],
    "--target-size": ["exact.nic", "rate.nic", "psnr.nic"],
    "--output-dir tree": ["tree/a.nic", "tree/b.nic", "tree/a.ppm", "tree/b.ppm"],
    "--filelist": ["listed/a.nic", "listed/b.nic"],
    "--sshlogin": ["shared/a.nic", "shared/b.nic"],
    "--scheduler": ["cluster/a.nic", "cluster/b.nic"],
    "-o a.tiff": ["a.tiff", "a.webp"],
    "-alphapam": ["glass.nic", "glass.png"],
    "--tolerate": ["part.nic", "rest.png"],
    "python3 clear.py": ["cleared.nic"],
    "delegates.xml": ["magick.jpg", "magick.nic"],
    "pnmtojpeg": ["small/a.jpg", "small/b.jpg"],
}


@pytest.mark.parametrize("number", range(len(RECIPES)))
def test_recipe_runs(number: int, recipes: tuple[Path, list[str | None]]) -> None:
    folder, outcomes = recipes
    needs, text = RECIPES[number]
    if outcomes[number] is None:
        pytest.skip(f"not all of these are installed: {needs}")
    assert outcomes[number] == ""
    for part, files in WRITES.items():
        if part in text:
            assert all((folder / file).stat().st_size for file in files)


def test_every_expected_file_belongs_to_a_recipe() -> None:
    for part in WRITES:
        assert sum(part in text for _, text in RECIPES) == 1, part


def test_recipes_agree_with_each_other(recipes: tuple[Path, list[str | None]]) -> None:
    """The files that two recipes make in different ways are equal."""
    folder, _ = recipes
    made = {path.name: path.read_bytes() for path in folder.glob("*.nic")}
    for equal in (("a.nic", "same.nic", "record0.nic", "remote.nic"), ("b.nic", "record1.nic")):
        assert len({made[name] for name in equal if name in made}) == 1
    assert len(made["fits.nic"]) <= 1500 < len(made["a80.nic"])
    if shutil.which("xargs"):
        assert not (folder / "photos/a.png").exists()


# -- completion -------------------------------------------------------------------------------

SYNTAX_CHECK = {"bash": ["-n"], "zsh": ["-n"], "fish": ["--no-execute"]}


@pytest.mark.parametrize("shell", SYNTAX_CHECK)
def test_completion_script(shell: str, tmp_path: Path) -> None:
    program = SCRIPTS / "nic"
    script = subprocess.run([program, "completion", shell], capture_output=True, check=True).stdout
    for name in man.programs():
        assert f"_{name.replace('-', '_').upper()}_COMPLETE".encode() in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_bytes(script)
    check = subprocess.run([shell, *SYNTAX_CHECK[shell], path], capture_output=True)
    assert (check.returncode, check.stderr) == (0, b"")


@pytest.mark.parametrize("program", man.programs())
def test_program_completes_its_options(program: str) -> None:
    words = {"COMP_WORDS": f"{program} --", "COMP_CWORD": "1"}
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    environment = {**os.environ, **words, variable: "bash_complete"}
    done = subprocess.run([SCRIPTS / program], env=environment, capture_output=True, text=True)
    assert "--version" in done.stdout
