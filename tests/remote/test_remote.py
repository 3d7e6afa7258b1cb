"""Files on a server: what is fetched of them, and servers that misbehave."""

import socket
import subprocess
import sys

import numpy as np
import pytest
from loading import modules_of
from PIL import Image
from places import TESTS
from programs import assert_fails, invoke, run
from server import serving

import nic
from nic.remote import servers

pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")


@pytest.fixture(scope="module")
def files(photographs):
    """.nic files by name: a photograph at two qualities, with transparency, in strips, tiny."""
    pixels = photographs["coffee"]
    soft = np.random.default_rng(1).integers(0, 256, pixels.shape[:2]).astype(np.uint8)
    large = np.tile(pixels, (3, 3, 1))
    return {
        "a.nic": nic.compress(pixels, quality=80),
        "large.nic": nic.compress(large, quality=60),
        "glass.nic": nic.compress(np.dstack([pixels, soft]), quality=50),
        "strips.nic": nic.compress(pixels, quality=50, strip_pixels=160 * 600),
        "tiny.nic": nic.compress(pixels[:40, :50]),
        "cut.nic": nic.compress(pixels, quality=80)[:9000],
        "a.png": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "empty.nic": b"",
    }


@pytest.fixture(scope="module")
def server(files):
    with serving(files) as running:
        yield running


@pytest.fixture
def fetch(server, files, tmp_path):
    """Runs a command on a URL and on a file; both must agree. Returns ranges and bytes."""

    def call(name, *words):
        server.ranges.clear()
        server.sent = 0
        found = invoke(*words, server.url(name))
        assert (found.code, found.err) == (0, "")
        asked, sent = list(server.ranges), server.sent
        local = tmp_path / name
        local.write_bytes(files[name])
        expected = invoke(*words, local)
        if words[0] != "info":
            assert found.out == expected.out
        else:
            assert found.out.replace(server.url(name).encode(), b"") == expected.out.replace(
                str(local).encode(), b""
            )
        return asked, sent

    return call


# -- how little is fetched --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.nic", "large.nic", "glass.nic", "tiny.nic"])
def test_a_thumbnail_takes_three_requests_at_most(fetch, files, name):
    asked, sent = fetch(name, "thumbnail", "--format", "pam")
    assert len(asked) <= 3
    if name in ("a.nic", "large.nic"):
        assert sent < len(files[name]) / 2
    if name == "tiny.nic":
        assert asked == [(0, 4096)]


def test_a_scaled_picture_takes_as_little(fetch):
    assert fetch("a.nic", "decode", "--scale", "1/8") == fetch("a.nic", "thumbnail")


@pytest.mark.parametrize(
    "words",
    [
        ("extract", "-c", "0-15", "--format", "npy"),
        ("decode", "--channels", "0-15", "--format", "ppm"),
        ("decode", "-c", "0-15", "--tolerate", "--format", "ppm"),
    ],
)
def test_leading_channels_take_three_requests_at_most(fetch, files, words):
    asked, sent = fetch("large.nic", *words)
    if "--tolerate" in words:  # which reads all
        assert sent == len(files["large.nic"])
    else:
        assert len(asked) <= 3
        assert sent < 0.85 * len(files["large.nic"])


def test_channels_in_the_middle(fetch, files):
    asked, sent = fetch("large.nic", "extract", "-c", "3,30-33,12", "--format", "npy")
    assert len(asked) <= 7
    assert sent < len(files["large.nic"]) / 2


@pytest.mark.parametrize("name", ["large.nic", "glass.nic", "tiny.nic"])
def test_facts_take_neither_channels_nor_transparency(fetch, name):
    asked, sent = fetch(name, "info")
    assert len(asked) <= 4
    assert sent < 9000


@pytest.mark.parametrize("words", [("info", "--json"), ("thumbnail",), ("extract", "-c", "0-2")])
def test_strips_are_read_one_after_the_other(fetch, words):
    fetch("strips.nic", *words)


def test_a_whole_picture_can_be_decoded(fetch, files):
    _, sent = fetch("a.nic", "decode", "--format", "ppm")
    assert sent == len(files["a.nic"])


def test_installed_programs_take_urls(server, files, tmp_path):
    """Run for real; what -v says is what the server counted."""
    server.ranges.clear()
    server.sent = 0
    target = tmp_path / "t.png"
    result = run("nic", "thumbnail", "-v", server.url("a.nic"), "-o", target)
    assert result.code == 0
    url = server.url("a.nic")
    assert result.err == f"nic: {url}: {len(server.ranges)} requests, {server.sent} bytes\n"
    assert Image.open(target).size == (75, 50)
    decoded = run("nic-decode", "-c", "0-2", "--format", "ppm", url)
    assert decoded.out == invoke("decode", "-c", "0-2", "--format", "ppm", data=files["a.nic"]).out


def test_other_kinds_of_urls(files):
    """fsspec's own memory, in this process."""
    import fsspec

    with fsspec.open("memory://pictures/a.nic", "wb") as out:
        out.write(files["a.nic"])
    found = invoke("thumbnail", "--format", "ppm", "memory://pictures/a.nic")
    expected = invoke("thumbnail", "--format", "ppm", data=files["a.nic"])
    assert (found.code, found.err, found.out) == (0, "", expected.out)
    assert_fails(invoke("info", "memory://pictures/none.nic"), 1, "the server has no such file")


# -- what goes wrong --------------------------------------------------------------------------

WORDS = {
    "info": ("info",),
    "extract": ("extract", "-c", "0-15"),
    "thumbnail": ("thumbnail",),
    "decode": ("decode", "-c", "0-15"),
}


def fails(server, name, code, *complaint, tmp_path):
    """Every command fails alike, and writes nothing."""
    for command, words in WORDS.items():
        target = () if command == "info" else ("-o", tmp_path / "out.png")
        if command == "extract":
            target = ("-o", tmp_path / "out.npy")
        result = invoke(*words, *target, server.url(name))
        assert_fails(result, code, server.url(name), *complaint)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "code", "complaint"),
    [
        ("none.nic", 1, "the server has no such file"),
        ("cut.nic", 3, "truncated: the input ends inside a record"),
        ("a.png", 3, "this is a PNG picture, not a nic stream"),
        ("empty.nic", 3, "the input is empty"),
    ],
)
def test_files_that_are_missing_or_damaged(server, tmp_path, name, code, complaint):
    fails(server, name, code, complaint, tmp_path=tmp_path)


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ("whole", "the server does not give ranges of bytes; download the whole file"),
        ("cut", "the answer of the server ends too early"),
        ("503", "the server refuses: 503"),
        ("404", "the server has no such file"),
    ],
)
def test_servers_that_misbehave(files, tmp_path, how, complaint):
    with serving(files, how) as bad:
        fails(bad, "large.nic", 1, complaint, tmp_path=tmp_path)


def test_a_server_without_ranges_will_do_for_a_small_file(files):
    with serving(files, "whole") as server:
        result = invoke("thumbnail", server.url("tiny.nic"))
    assert (result.code, result.err) == (0, "")


def test_a_server_that_does_not_answer(files, tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "TIMEOUT", 0.3)
    with serving(files, "slow") as server:
        fails(server, "a.nic", 1, "the server does not answer within 0.3 s", tmp_path=tmp_path)


def test_no_server(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = invoke("thumbnail", f"http://127.0.0.1:{port}/a.nic", "-o", tmp_path / "t.png")
    assert_fails(result, 1, f"http://127.0.0.1:{port}/a.nic: the server cannot be read")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("nonsense://a/a.nic", "Protocol not known: nonsense"),
        ("http://", "http://"),
        ("http://[/a.nic", "http://["),
    ],
)
def test_urls_that_mean_nothing(url, complaint):
    assert_fails(invoke("info", url), 1, complaint)


@pytest.mark.parametrize("missing", ["fsspec", "aiohttp"])
def test_a_missing_package_is_named_with_the_remedy(missing, server):
    probe = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from nic.cli.main import main\n"
        f"main(['thumbnail', {server.url('a.nic')!r}], prog_name='nic')"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, cwd=TESTS, text=True)
    assert done.returncode == 1
    assert f"need the package {missing}; install it: pip install 'nic-codec[remote]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_one_url_that_fails_stops_no_other_facts(server):
    result = invoke("info", server.url("none.nic"), server.url("tiny.nic"))
    assert result.code == 1
    assert b"width" in result.out


def test_only_urls_are_urls():
    assert all(map(servers.is_url, ("http://a/b", "HTTPS://a", "s3://bucket/a.nic")))
    assert not any(map(servers.is_url, ("a.nic", "/http://a", "c://a", "-", "http:/a", "")))


def test_files_need_no_fsspec(files):
    loaded = modules_of("thumbnail", "--format", "ppm", data=files["tiny.nic"])
    assert not loaded & {"fsspec", "aiohttp", "asyncio"}
