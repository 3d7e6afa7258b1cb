"""nic compress and nic decompress on many files: folders, lists, worker processes, what exists."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from programs import SCRIPTS, assert_fails, invoke, run
from records import from_bytes

from nic.cli.batch.inputs import PICTURES, STREAMS, Inputs
from nic.cli.common.files import writing
from nic.cli.common.temporary import remove_stale
from nic.errors import UsageError


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def tree(folder):
    """Everything in a folder, hidden files too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.fixture
def photos(tmp_path, pixels):
    """A tree of pictures with other files in between, one of them broken."""
    folder = tmp_path / "photos"
    for number, name in enumerate(("b.png", "sub/a.JPG", "sub/deep/c.tiff", "sub/z.png")):
        save(folder / name, pixels[: 20 + number])
    (folder / "sub/m.png").write_bytes(b"\x89PNG\r\n\x1a\nand nothing else")
    (folder / "notes.txt").write_text("not a picture")
    (folder / "old.nic").write_bytes(b"of before")
    return folder


SMALL = ["b.nic", "sub/a.nic", "sub/deep/c.nic", "sub/z.nic"]


# -- which files ------------------------------------------------------------------------------


def test_a_directory_needs_recursive(photos, png):
    result = run("nic", "compress", photos, png)
    assert_fails(result, 2, "photos: is a directory; use -r")
    assert png.with_suffix(".nic").exists()  # the other file is not stopped
    assert "sub/a.nic" not in tree(photos)


@pytest.mark.parametrize("jobs", [1, 3])
def test_recursive_takes_pictures_and_mirrors_folders(photos, tmp_path, jobs):
    out = tmp_path / "out"
    out.mkdir()
    result = run("nic", "compress", "-r", "-j", jobs, "--output-dir", out, photos)
    assert_fails(result, 3, "photos/sub/m.png: ")
    assert tree(out) == SMALL
    back = tmp_path / "back"
    back.mkdir()
    options = ("--format", "ppm", "--output-dir", back)
    result = run("nic", "decompress", "-r", "-j", jobs, *options, out)
    assert (result.code, result.err) == (0, "")
    assert tree(back) == [name.replace(".nic", ".ppm") for name in SMALL]


def test_recursive_without_output_dir_writes_beside(photos):
    (photos / "sub/m.png").unlink()
    assert invoke("compress", "-r", photos).code == 0
    assert {*SMALL, "old.nic"} <= set(tree(photos))
    assert (photos / "old.nic").read_bytes() == b"of before"


def test_links_to_folders_are_not_followed_and_dangling_ones_are_told(photos, tmp_path):
    (photos / "sub/m.png").unlink()
    (photos / "loop").symlink_to(photos)
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "out").mkdir()
    result = invoke("compress", "-r", "--output-dir", tmp_path / "out", photos)
    assert_fails(result, 1, "gone.png", "No such file")
    assert tree(tmp_path / "out") == SMALL


def test_a_folder_without_pictures_is_noted(tmp_path):
    result = invoke("compress", "-r", tmp_path)
    assert (result.code, result.err.count("\n")) == (0, 1)
    assert "no files with a known extension" in result.err


@pytest.mark.parametrize(("option", "end"), [((), b"\n"), (("-0",), b"\0")])
def test_names_come_from_a_list(photos, tmp_path, option, end):
    names = [photos / "b.png", photos / "sub/z.png"]
    data = end.join(os.fsencode(name) for name in names) + end
    result = run("nic", "compress", *option, "--filelist", "-", data=data)
    assert (result.code, result.err) == (0, "")
    assert {"b.nic", "sub/z.nic"} <= set(tree(photos))
    (tmp_path / "list").write_bytes(data)
    assert_fails(invoke("compress", *option, "--filelist", tmp_path / "none"), 1, "none")
    assert invoke("compress", "-f", *option, "--filelist", tmp_path / "list").code == 0


def test_an_empty_list_is_nothing_to_do(tmp_path):
    (tmp_path / "list").write_bytes(b"\n")
    result = invoke("compress", "--filelist", tmp_path / "list")
    assert (result.code, result.out, result.err) == (0, b"", "")


def test_a_name_with_a_line_end_needs_nul(photos, pixels):
    save(photos / "new\nline.png", pixels)
    data = os.fsencode(photos / "new\nline.png") + b"\0"
    assert run("nic", "compress", "-0", "--filelist", "-", data=data).code == 0
    assert "new\nline.nic" in tree(photos)


def test_folders_that_would_share_an_output_are_refused(photos, tmp_path, pixels):
    save(tmp_path / "other/b.bmp", pixels)
    out = tmp_path / "out"
    out.mkdir()
    result = invoke("compress", "-r", "--output-dir", out, photos, tmp_path / "other")
    assert_fails(result, 2, "several inputs", "b.nic")
    assert tree(out) == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("-r", "-o", "x.nic"), "-o names one output"),
        (("-j", "2", "-"), "stdin"),
        (("--filelist", "-", "-"), "stdin"),
        (("--skip-existing", "-f"), "--skip-existing"),
    ],
)
def test_contradictions_are_refused(photos, arguments, word):
    assert_fails(invoke("compress", *arguments, photos), 2, word)


def test_a_pile_is_planned_in_sorted_order(photos):
    jobs = Inputs((str(photos),), PICTURES, "nic", recursive=True).jobs()
    names = [os.path.relpath(job.source, photos) for job in jobs]
    assert names == ["b.png", "sub/a.JPG", "sub/m.png", "sub/z.png", "sub/deep/c.tiff"]
    (job,) = Inputs((str(photos),), STREAMS, "png", recursive=True).jobs()
    assert job.target == str(photos / "old.png")
    with pytest.raises(UsageError, match="several inputs"):
        Inputs((str(photos / "b.png"), f"{photos}/./b.jpg"), PICTURES, "nic").jobs()


# -- workers ----------------------------------------------------------------------------------


def test_the_number_of_workers_changes_nothing(photos, tmp_path):
    """Neither the files nor the lines, nor their order: notes of one picture, failures of two."""
    (photos / "aa.png").write_bytes(b"broken too")
    frames = [Image.fromarray(np.full((9, 9), grey, np.uint8)) for grey in (40, 90)]
    frames[0].save(photos / "bb.png", save_all=True, append_images=frames[1:])
    seen = []
    for jobs in (1, 2, 4, 0):
        out = tmp_path / f"out{jobs}"
        out.mkdir()
        result = run("nic", "compress", "-r", "-j", jobs, "--output-dir", out, photos)
        files = {name: (out / name).read_bytes() for name in tree(out)}
        seen.append((result.code, result.err, files))
    assert all(one == seen[0] for one in seen)
    code, lines, files = seen[0]
    assert code == 3
    words = ("aa.png", "several frames", "m.png")
    assert [word in line for word, line in zip(words, lines.splitlines(), strict=True)] == 3 * [
        True
    ]
    assert sorted(files) == ["b.nic", "bb.nic", *SMALL[1:]]


def test_sources_are_removed_by_workers_after_success(photos):
    result = run("nic", "compress", "-r", "-j", "2", "--rm", photos)
    assert result.code == 3
    assert tree(photos) == sorted(["notes.txt", "old.nic", "sub/m.png", *SMALL])


def test_workers_keep_what_exists(photos):
    (photos / "b.nic").write_bytes(b"precious")
    result = run("nic", "compress", "-r", "-j", "2", "--rm", photos)
    assert "b.nic exists already" in result.err
    assert (photos / "b.nic").read_bytes() == b"precious"
    assert (photos / "b.png").exists()
    assert run("nic", "compress", "-f", "-j", "2", photos / "b.png").code == 0
    assert from_bytes((photos / "b.nic").read_bytes()).header.width == 52


# -- what exists ------------------------------------------------------------------------------


def test_skip_existing_leaves_out_what_is_there(photos):
    (photos / "sub/m.png").unlink()
    (photos / "b.nic").write_bytes(b"precious")
    result = invoke("compress", "-v", "-r", "--skip-existing", photos)
    assert result.code == 0
    assert "skipped 1 of 4" in result.err
    assert (photos / "b.nic").read_bytes() == b"precious"
    again = invoke("compress", "-v", "-r", "--skip-existing", photos)
    assert (again.code, "skipped 4 of 4" in again.err) == (0, True)


def test_stale_temporaries_go_and_living_ones_stay(tmp_path, png):
    target = tmp_path / "a.nic"
    stale = [tmp_path / ".a.nic.0123abcd.tmp"]
    others = [tmp_path / name for name in (".b.nic.0123abcd.tmp", ".a.nic.settings", "a.nic.tmp")]
    for path in (*stale, *others):
        path.write_bytes(b"half")
    with pytest.raises(KeyboardInterrupt), writing(str(target)) as out:  # noqa: PT012
        out.write(b"half")
        assert remove_stale([str(target)]) == 1
        assert len(list(tmp_path.glob(".a.nic.*.tmp"))) == 1  # ours, which is locked
        assert run("nic", "compress", png).code == 0  # nor does another process remove it
        assert len(list(tmp_path.glob(".a.nic.*.tmp"))) == 1
        raise KeyboardInterrupt
    assert tree(tmp_path) == sorted(["a.nic", "a.png", *(path.name for path in others)])


def test_who_comes_second_does_not_replace(tmp_path):
    """Two runs at once, neither with -f: what was complete first stays."""
    target = tmp_path / "a"
    with pytest.raises(Exception, match="exists already"), writing(str(target)) as out:  # noqa: PT012
        out.write(b"second")
        target.write_bytes(b"first")
    assert target.read_bytes() == b"first"
    assert tree(tmp_path) == ["a"]


# -- other programs that spread work ----------------------------------------------------------


@pytest.mark.parametrize("program", ["parallel", "xargs"])
def test_other_programs_spread_the_work(program, photos):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    (photos / "sub/m.png").unlink()
    spread = {
        "parallel": "parallel -0 -n 1 --sshlogin 1/:,1/host --workdir . nic compress {}",
        "xargs": "xargs -0 -n 2 -P 2 nic compress",
    }[program]
    host = photos.parent / "ssh"  # runs its command here, from the home folder, and notes it
    arguments = 'while [ "$1" != host ]; do shift; done; shift; [ "$1" != -- ] || shift'
    # As sshd does, it names a shell: without one, parallel's remote part fails in silence.
    home = "export SHELL=/bin/sh\ncd"
    host.write_text(f'#!/bin/sh\n{home}\n{arguments}\necho "$*" >> called\nexec sh -c "$*"\n')
    host.chmod(0o755)
    path = os.pathsep.join([str(photos.parent), str(SCRIPTS), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "HOME": str(photos.parent)}
    find = r"find . \( -name '*.png' -o -name '*.JPG' -o -name '*.tiff' \) -print0"
    done = subprocess.run(
        ["sh", "-c", f"{find} | {spread}"], cwd=photos, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert program == "xargs" or "Parallel" in (photos.parent / "called").read_text()
    assert {*SMALL, "old.nic"} <= set(tree(photos)), done.stderr


def test_a_progress_bar_says_how_fast(photos):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    (photos / "sub/m.png").unlink()
    program = [SCRIPTS / "nic", "compress", "-r", "-j", "2", photos]
    process = subprocess.Popen(program, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux says so at the end
            break
        if not piece:
            break
        shown += piece
    assert process.wait() == 0
    assert b"4/4" in shown
    assert b"files/s" in shown
    assert sys.platform != "linux" or b"Traceback" not in shown
