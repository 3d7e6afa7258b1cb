"""Values of options that make no sense: one line, exit code 2, and nothing done."""

import importlib
import re

import click
import pytest
from programs import assert_fails, invoke

from nic.cli.common.options.numbers import BINARY, Bytes, Number, in_units
from nic.cli.main import COMMANDS

NO_NUMBERS = ["nan", "inf", "-inf", "1e400", "1e9", "²", "٣", "\uff11\uff10", "5_0", " 5", "+5",
              "0x1", "", "-", ".", "-1", "9" * 400]  # fmt: skip


def commands():
    """Every command of every program, by what is typed for it."""
    for name, module in COMMANDS.items():
        found = importlib.import_module(f"nic.cli.{module}").main
        yield from ((f"{name} {part}", sub) for part, sub in getattr(found, "commands", {}).items())
        if not isinstance(found, click.Group):
            yield name, found


def numeric():
    """Every option of every command that takes a number."""
    kinds = (Number, Bytes, click.types.IntParamType, click.types.FloatParamType)
    for name, target in commands():
        for param in target.params:
            if isinstance(param.type, kinds) or param.name == "max_pixels":
                yield pytest.param(name, param, id=f"{name} {param.opts[-1]}")


OPTIONS = list(numeric())


def test_there_are_such_options():
    assert len(OPTIONS) > 25


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_what_is_no_number_is_refused_by_every_option(name, option, png, tmp_path):
    for value in NO_NUMBERS:
        result = invoke(*name.split(), f"{option.opts[-1]}={value}", png)
        assert_fails(result, 2, option.opts[-1])
        assert list(tmp_path.iterdir()) == [png]


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_the_help_says_bounds_in_words(name, option):
    text = invoke(*name.split(), "--help").out.decode()
    assert not re.search(r"None\.\.|\.\.None|x>|x<|<x", text)
    if isinstance(option.type, Number) and ".." not in option.metavar:
        assert f"{option.metavar} is {option.type.range}." in option.help


@pytest.mark.parametrize(
    ("kind", "words", "inside", "outside"),
    [
        (Number(0), "at least 0", ["0", "7", "00"], ["-1", "1.0"]),
        (Number(3, 9), "from 3 to 9", ["3", "9"], ["2", "10"]),
        (Number(1, 100, whole=False), "from 1 to 100", ["1", "1.5", "100."], ["0.99", "100.01"]),
        (Number(0, whole=False, above=True), "above 0", [".1", "3"], ["0", "0.0", "-0", "-1"]),
    ],
)
def test_bounds(kind, words, inside, outside):
    assert kind.range == words
    assert [kind.convert(text, None, None) for text in inside] == [float(text) for text in inside]
    for text in outside:
        with pytest.raises(click.BadParameter, match=f"{text}': give a .*number, {words}"):
            kind.convert(text, None, None)


def test_whole_numbers_are_ints():
    assert isinstance(Number(0).convert("5", None, None), int)
    assert isinstance(Number(0).convert(5, None, None), int)  # a default
    assert isinstance(Number(0, whole=False).convert("5", None, None), float)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("30k", 30720), ("1.5M", 3 << 19), ("2g", 2 << 30), ("1.9", 1), ("0.5k", 512)],
)
def test_bytes_with_units(text, number):
    assert in_units(text, BINARY) == Bytes("30k").convert(text, None, None) == number


@pytest.mark.parametrize("text", ["0", "0.9", "k", "1T", "1 k", "²M", "1kk"])
def test_what_is_no_number_of_bytes(text):
    with pytest.raises(click.BadParameter, match="such as 30k"):
        Bytes("30k").convert(text, None, None)


@pytest.mark.parametrize("value", ["gpu:²", "gpu:-1", "gpu:", "gpu:0000", "GPU", ""])
def test_what_is_no_device(value, png):
    assert_fails(invoke("encode", "--device", value, png), 2, "use auto, cpu, gpu or gpu:N")


# -- names ------------------------------------------------------------------------------------

TAKE_FILES = [name for name, found in commands() if any(p.name == "files" for p in found.params)]


@pytest.mark.parametrize("name", TAKE_FILES)
def test_a_file_with_an_empty_name_is_not_there(name, tmp_path):
    options = ("-c", "3", "-o", tmp_path / "out") if name == "truncate" else ()
    result = invoke(*name.split(), *options, "")
    assert_fails(result, 1, "'': No such file or directory")


def test_a_file_with_an_empty_name_stops_no_other(png):
    assert_fails(invoke("compress", "", png), 1, "'': No such file or directory")
    assert png.with_suffix(".nic").exists()


def test_a_list_of_files_with_an_empty_name(tmp_path):
    assert_fails(invoke("compress", "--filelist", ""), 1, "'': No such file or directory")


@pytest.mark.parametrize("name", ["compress", "encode", "pack"])
def test_an_output_with_an_empty_name(name, png):
    assert_fails(invoke(name, "-o", "", png), 2, "-o", "the name is empty")
    assert not png.with_suffix(".nic").exists()


def test_a_list_of_names_that_end_with_nul_bytes(png, tmp_path):
    """As of find -print0, without -0 here."""
    names = tmp_path / "names"
    names.write_bytes(str(png).encode() + b"\0")
    assert_fails(invoke("compress", "--filelist", names), 2, "names: this list has NUL", "-0")
    assert invoke("compress", "-0", "--filelist", names).code == 0
