"""nic bench as a command: its files, tables, comparison and failures."""

import csv
import json
import os
import re
import signal
import struct
import time

import pytest
from PIL import Image
from programs import assert_fails, invoke, start

from nic.bench import machine
from nic.bench.codecs import MODELS
from nic.bench.quality import rates
from nic.bench.report import compare, output, plot, tables
from nic.bench.speed import times
from nic.cli import bench, bench_output
from nic.errors import UsageError
from nic.models import zoo


@pytest.fixture(scope="module")
def picture(tmp_path_factory, photographs):
    path = tmp_path_factory.mktemp("picture") / "cat.png"
    Image.fromarray(photographs["chelsea"][40:240, 60:244]).save(path)
    return path


RATES = ("bench", "quality", "-q", 20, "-q", 80, "--peer", "jpeg", "--jobs", 1)
QUALITY = (*RATES, "--model", "light")


@pytest.fixture(scope="module")
def run(picture, tmp_path_factory):
    """One run with all of its outputs: the folder, and what was printed."""
    folder = tmp_path_factory.mktemp("out")
    outputs = ("--json", folder / "a.json", "--csv", folder / "a.csv", "--plot", folder / "a.svg")
    result = invoke(*QUALITY, picture, *outputs)
    assert (result.code, result.err) == (0, "")
    return folder, result.out.decode()


def test_tables_are_markdown_where_there_is_no_terminal(run):
    lines = run[1].splitlines()
    for start_of_table in (i for i, line in enumerate(lines) if re.match(r"\|[-:| ]+\|$", line)):
        width = lines[start_of_table].count("|")
        assert lines[start_of_table - 1].count("|") == width
        assert lines[start_of_table + 1].count("|") == width
    assert any(line.startswith("| JPEG 4:4:4 ") and " %" in line for line in lines)
    assert sum(line.startswith("| nic light-") for line in lines) == 1 + 2
    assert "libjpeg" in run[1]


def test_json_and_csv_hold_the_same_rows(run):
    found = json.loads((run[0] / "a.json").read_text())
    rows = list(csv.DictReader((run[0] / "a.csv").open()))
    assert found["kind"] == "quality"
    assert found["complete"]
    assert [int(row["bytes"]) for row in rows] == [row["bytes"] for row in found["rows"]]
    assert len(rows) == 2 + 6
    assert output.from_json(run[0] / "a.json") == found


def test_plots_are_pictures(run):
    pytest.importorskip("matplotlib")
    svg = (run[0] / "a.svg").read_text()
    assert svg.startswith("<?xml")
    found = output.from_json(run[0] / "a.json")
    png = plot.draw(found, "png")
    assert png.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", png[16:24])) > 500
    assert plot.draw(found, "svg") == plot.draw(found, "svg")


def test_dash_writes_to_stdout_alone(picture):
    result = invoke(*QUALITY, picture, "--json", "-")
    assert json.loads(result.out)["kind"] == "quality"


def test_speed_writes_its_reports(tmp_path, picture, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(times, "STARTS", 2)
    monkeypatch.setattr(times, "RUNS", 2)
    outputs = ("--json", tmp_path / "s.json", "--csv", tmp_path / "s.csv")
    options = ("--size", "48x32", "--backend", "native", "--repeats", 3, "--no-reference")
    drawing = ("--plot", tmp_path / "s.png")
    result = invoke("bench", "speed", picture, *options, *outputs, *drawing)
    assert (result.code, result.err) == (0, "")
    found = output.from_json(tmp_path / "s.json")
    assert {(row["width"], row["height"]) for row in found["rows"]} == {(48, 32)}
    assert len(list(csv.DictReader((tmp_path / "s.csv").open()))) == len(found["rows"])
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    for title in ("Seconds per picture", "Every stage", "Programs", "What starting costs"):
        assert title in result.out.decode()
    assert re.search(r"imgcomp, published .* 350 .* 200", result.out.decode())


def read_until(terminal, words):
    """What is written to a terminal, up to ``words`` or its end."""
    shown = b""
    while words not in shown:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # how a closed terminal ends on Linux
            break
        if not piece:
            break
        shown += piece
    return shown


def test_on_a_terminal_tables_are_drawn_and_progress_shown(picture):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = start("nic", *QUALITY, picture, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = read_until(ours, b"no such words").decode()
    assert process.wait(60) == 0
    assert "┃" in text
    assert "cat.png: jpeg" in text
    assert re.search(r"\d:\d\d:\d\d", text)  # the time left


# -- compare ----------------------------------------------------------------------------------


def test_compare_of_quality_finds_the_change(run, tmp_path):
    before = json.loads((run[0] / "a.json").read_text())
    after = json.loads((run[0] / "a.json").read_text())
    for row in after["means"]:
        row["bpp"] *= 0.9
    found = compare.compare(before, after)
    assert [row["psnr"] for row in found["bd_rates"]] == pytest.approx([-10, -10])
    assert all(row["bpp"] < 0 and row["psnr"] == 0 for row in found["rows"])
    for name, content in (("before", before), ("after", after)):
        (tmp_path / name).write_text(json.dumps(content))
    result = invoke("bench", "compare", tmp_path / "before", tmp_path / "after")
    assert (result.code, result.err) == (0, "")
    known = [name for name in METRICS if found["bd_rates"][0][name] is not None]
    assert result.out.decode().count("-10.0 %") == 2 * len(known)
    assert json.loads(
        invoke("bench", "compare", tmp_path / "before", tmp_path / "after", "--json", "-").out
    ) == json.loads(json.dumps(found))


METRICS = {"psnr", "ssim", "ms_ssim", "ssimulacra2", "butteraugli"}


def test_compare_reads_reports_from_before_a_metric(run):
    """What only one of them measured has no column, and fails nothing."""
    after = json.loads((run[0] / "a.json").read_text())
    before = json.loads((run[0] / "a.json").read_text())
    for row in after["means"]:
        row["butteraugli"] = 3 - row["bpp"]
    for row in before["means"]:
        del row["butteraugli"]
    for pair in ((before, after), (after, before)):
        found = compare.compare(*pair)
        assert found["bd_rates"][0]["butteraugli"] is None
        for table in compare.tables(found):
            assert not any("Butteraugli" in name for name in table.header)
            assert {len(row) for row in table.rows} == {len(table.header)}
    assert any("Butteraugli" in n for n in compare.tables(compare.compare(after, after))[0].header)


def speed_report(median):
    place = {"codec": "nic light", "backend": "native", "device": "cpu"}
    row = {**place, "width": 8, "height": 8, "stage": "pack", "median": median}
    programs = [{"program": "nic", "median": 0.5}]
    return {"kind": "speed", "machine": machine.describe(), "rows": [row], "programs": programs}


def test_compare_of_speed_matches_calls():
    found = compare.compare(speed_report(0.2), speed_report(0.1))
    assert [row["percent"] for row in found["rows"]] == [0.0, -50.0]
    assert "nic light, native on cpu, 8x8: pack" in found["rows"][1]["call"]
    (table,) = compare.tables(found)
    assert table.rows[1][-1] == "-50.0 %"


def test_compare_refuses_what_does_not_go_together(run, tmp_path):
    (tmp_path / "s.json").write_text(json.dumps(speed_report(1)))
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "other.json").write_text('{"kind": "cake"}')
    a = run[0] / "a.json"
    assert_fails(invoke("bench", "compare", a, tmp_path / "s.json"), 2, "speed", "quality")
    assert_fails(invoke("bench", "compare", a, tmp_path / "bad.json"), 3, "bad.json", "JSON")
    assert_fails(invoke("bench", "compare", a, tmp_path / "other.json"), 3, "other.json")
    found = json.loads(a.read_text())
    with pytest.raises(UsageError, match="different pictures"):
        compare.compare(found, {**found, "pictures": ["b.png"]})


def test_compare_of_damaged_reports_is_one_line(run, tmp_path):
    a = run[0] / "a.json"
    (tmp_path / "cut.json").write_bytes(a.read_bytes()[:-9])
    (tmp_path / "empty.json").write_text('{"kind": "quality"}')
    (tmp_path / "other.json").write_text(a.read_text().replace('"bpp"', '"bits"'))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    for name in ("cut", "empty", "other", "deep"):
        assert_fails(invoke("bench", "compare", a, tmp_path / f"{name}.json"), 3, "report")


def test_compare_needs_something_in_common_and_says_where_it_was_measured():
    before, after = speed_report(0), speed_report(1)
    assert compare.compare(before, after)["rows"][1]["percent"] is None
    assert [n.split(":")[0] for n in compare.notes(compare.compare(before, after))] == [
        "Before", "After",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="in common"):
        compare.compare(before, {**after, "rows": [], "programs": []})


# -- failures and interrupts ------------------------------------------------------------------


def test_an_output_that_exists_is_refused_before_the_work(picture, tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text("mine")
    monkeypatch.setattr(rates, "work", lambda task: pytest.fail("it was done before asking"))
    result = invoke(*QUALITY, picture, "--json", tmp_path / "a.json")
    assert_fails(result, 1, "a.json", "exists")
    assert (tmp_path / "a.json").read_text() == "mine"


def test_a_plot_of_another_format_is_refused(picture, tmp_path):
    assert_fails(invoke(*QUALITY, picture, "--plot", tmp_path / "a.pdf"), 2, ".png or .svg")


def test_a_plot_without_matplotlib_says_how_to_install_it(picture, tmp_path, monkeypatch):
    monkeypatch.setattr(plot.importlib.util, "find_spec", lambda name: None)
    result = invoke(*QUALITY, picture, "--plot", tmp_path / "a.png")
    assert_fails(result, 2, "pip install 'nic-codec[bench]'")


@pytest.mark.parametrize("size", ["48", "0x8", "00x8", "x", "8x", "ax8", "-8x8"])
def test_a_size_that_is_none_is_refused(size):
    assert invoke("bench", "speed", f"--size={size}").code == 2


def test_native_code_has_no_gpu():
    result = invoke("bench", "speed", "--backend", "native", "--device", "gpu")
    assert_fails(result, 2, "native", "gpu")


def test_no_two_outputs_are_one_file(picture, tmp_path):
    for path in ("-", tmp_path / "a"):
        result = invoke(*QUALITY, picture, "--json", path, "--csv", path)
        assert_fails(result, 2, "a file of its own")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_takes_one_output_and_no_other(picture, tmp_path):
    result = invoke(*QUALITY, picture, "--json", "/dev/full", "--csv", tmp_path / "a.csv")
    assert result.code == 1
    assert "/dev/full: No space left" in result.err
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + 2 + 6
    assert "| nic light-" in result.out.decode()


def test_what_is_left_out_is_said_and_makes_the_exit_code(picture, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    result = invoke(*QUALITY, picture, tmp_path / "bad.png")
    assert result.code == 1
    assert "left out: " in result.err
    assert "bad.png" in result.out.decode()


def test_what_is_asked_for_twice_is_measured_once(picture):
    again = (*QUALITY, "--model", "light", "-q", 20)
    found = json.loads(invoke(*again, picture, "--json", "-").out)
    assert len(found["codecs"]) == 2
    assert len(found["rows"]) == 2 + 6


def test_the_model_for_the_eye_and_the_one_for_psnr_are_compared(picture):
    """Each is named, and each has its table."""
    result = invoke(*RATES, "--peer", "none", picture)
    tables_of = [line for line in result.out.decode().splitlines() if line.startswith("Bytes of")]
    titles = [f"nic {zoo.by_name(name).name}-{zoo.by_name(name).version}" for name in MODELS]
    assert [any(title in line for line in tables_of) for title in titles] == [True, True]
    assert MODELS == (zoo.DEFAULT, "light")


def test_an_unknown_model_is_one_line(picture):
    assert_fails(invoke(*QUALITY, picture, "--model", "cake"), 4, "cake")


def test_a_picture_that_is_none_is_one_line(tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    assert_fails(invoke(*QUALITY, tmp_path / "a.png"), 3, "a.png")


def test_interrupted_before_anything_was_finished(picture, tmp_path, monkeypatch):
    def interrupted(task):
        raise KeyboardInterrupt

    monkeypatch.setattr(rates, "work", interrupted)
    result = invoke(*QUALITY, picture, "--json", tmp_path / "a.json")
    assert_fails(result, bench_output.INTERRUPTED, "before anything")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_sigint_prints_what_is_finished(jobs, picture, tmp_path):
    """A real one, to the program and its workers, as a terminal sends it."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    pictures = [picture] * 300  # more than there will be time for
    words = ("-q", 30, "--peer", "none", "--jobs", jobs, "--json", tmp_path / "a.json")
    words += ("--model", "light")
    settings = {"stderr": theirs, "start_new_session": True}
    process = start("nic", "bench", "quality", *words, *pictures, **settings)
    os.close(theirs)
    assert b"cat.png" in read_until(ours, b"cat.png")  # one is done
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == bench_output.INTERRUPTED
    found = output.from_json(tmp_path / "a.json")
    assert not found["complete"]
    assert len(found["rows"]) == len(found["pictures"])
    assert 0 < len(found["pictures"]) < 300
    assert tables.INTERRUPTED in out.decode()
    assert out.decode().count("| nic light-") == 1 + 1


@pytest.mark.parametrize("delay", [1.0, 1.6])
def test_sigint_before_the_first_result_is_at_most_one_line(delay, picture):
    """... whether it comes to processes that are starting or to those that work."""
    words = ("-q", 30, "--peer", "none", "--jobs", 2, *[picture] * 300)
    process = start("nic", "bench", "quality", *words, start_new_session=True)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, bench_output.INTERRUPTED)
    assert len(err.splitlines()) <= 1, err


# -- help -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(bench.main.commands))
def test_examples_of_the_subcommands_parse(name):
    """What tests/cli/test_man.py does for commands, one level deeper."""
    import shlex

    import click

    lines = (bench.main.help or "").splitlines() + (
        bench.main.commands[name].help or ""
    ).splitlines()
    calls = [shlex.split(line) for line in lines if line.strip().startswith(f"nic bench {name}")]
    assert calls
    for call in calls:
        command = bench.main.commands[name]
        command.make_parser(click.Context(command)).parse_args(args=call[3:])


def test_peers_of_the_command_are_those_of_the_library():
    from nic.bench.quality.peers import PEERS

    assert (*PEERS, "none") == bench.PEERS
