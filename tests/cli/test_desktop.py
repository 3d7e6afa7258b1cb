"""A place on the desktop: the MIME type, file(1), thumbnails, and attachments of mail.

Each test that needs a program of the system is skipped where it is not installed.
"""

import configparser
import io
import mailbox
import os
import re
import select
import shlex
import shutil
import struct
import subprocess
import time
import xml.etree.ElementTree as ET
from email.message import EmailMessage
from pathlib import Path

import pytest
from desktop import data_files, install_shared
from PIL import Image
from places import ROOT
from programs import SCRIPTS, invoke

from nic.format.records import MAGIC

DESKTOP = ROOT / "cli/desktop"
NAMESPACE = {"m": "http://www.freedesktop.org/standards/shared-mime-info"}
PLAIN = {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", "LC_ALL": "C", "TERM": "xterm"}


def needs(*names):
    """Skip the test if a program is not installed."""
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")


@pytest.fixture
def home(tmp_path):
    """A home with the data files installed below ~/.local."""
    install_shared(tmp_path / ".local")
    return tmp_path


@pytest.fixture
def at_home(home):
    """Runs a program in that home; its output as text."""

    def call(*words, **more):
        environment = {
            **PLAIN,
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / ".local/share"),
            **more,
        }
        done = subprocess.run(
            list(map(str, words)), env=environment, cwd=home, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return call


@pytest.fixture
def named_oddly(nic_file, home):
    """The photograph under a name with what shells treat specially."""
    path = home / "it's a $picture.nic"
    shutil.copy(nic_file, path)
    return path


def test_every_file_for_the_desktop_is_installed():
    installed = {path for paths in data_files().values() for path in paths}
    expected = {str(path.relative_to(ROOT)) for path in DESKTOP.iterdir()}
    assert expected <= installed
    assert all((ROOT / path).is_file() for path in installed)
    assert data_files()["share/mime/packages"] == ["cli/desktop/nic.xml"]
    assert data_files()["share/thumbnailers"] == ["cli/desktop/nic.thumbnailer"]


# -- the MIME type and file(1) ----------------------------------------------------------------


def test_the_mime_type_has_the_magic_and_the_name_of_the_format():
    (kind,) = ET.parse(DESKTOP / "nic.xml").getroot().findall("m:mime-type", NAMESPACE)
    assert kind.get("type") == "image/x-nic"
    assert kind.find("m:glob", NAMESPACE).get("pattern") == "*.nic"
    match = kind.find("m:magic/m:match", NAMESPACE)
    octal = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), match.get("value"))
    assert (match.get("type"), match.get("offset")) == ("string", "0")
    assert octal.encode("latin-1") == MAGIC


def test_gio_knows_the_type_by_name_and_by_content(at_home, home, nic_file):
    needs("gio", "update-mime-database")
    at_home("update-mime-database", home / ".local/share/mime")
    shutil.copy(nic_file, home / "named.nic")
    shutil.copy(nic_file, home / "without")
    (home / "other.nic").write_bytes(b"\0\1\2")
    for name in ("named.nic", "without"):
        assert "content-type: image/x-nic" in at_home("gio", "info", name)
    assert "content-type: image/x-nic" in at_home("gio", "info", "other.nic")


def test_xdg_mime_installs_the_type(at_home, home, nic_file):
    needs("xdg-mime", "gio", "update-mime-database")
    at_home("xdg-mime", "install", "--novendor", "--mode", "user", DESKTOP / "nic.xml")
    found = at_home("xdg-mime", "query", "filetype", nic_file, XDG_CURRENT_DESKTOP="GNOME")
    assert found.strip() == "image/x-nic"


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        ("latents", "nic picture, latents between stages, format version 1"),
        ("symbols", "nic picture, symbols between stages, format version 1"),
        ("coded", "nic picture, coded channels between stages, format version 1"),
        ("packed", "nic picture, format version 1"),
    ],
)
def test_file_says_what_a_stream_is(at_home, home, stages, stage, text):
    needs("file")
    (home / "a").write_bytes(stages[stage])
    magic = home / ".local/share/nic/magic"
    assert at_home("file", "-b", "-m", magic, "a").strip() == text
    assert at_home("file", "-b", "--mime-type", "-m", magic, "a").strip() == "image/x-nic"


# -- thumbnails -------------------------------------------------------------------------------


def thumbnailer():
    """The entry for thumbnailers."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(DESKTOP / "nic.thumbnailer")
    return parser["Thumbnailer Entry"]


def test_the_entry_for_thumbnailers_makes_one(named_oddly, home):
    """As a desktop calls it: the words split, then %s, %i and %o replaced; the output exists."""
    entry = thumbnailer()
    assert entry["MimeType"] == "image/x-nic;"
    assert shutil.which(entry["TryExec"], path=str(SCRIPTS))
    target = home / "out put.png"
    with open(target, "w+b") as held:
        values = {"%s": "64", "%i": str(named_oddly), "%o": str(target)}
        words = [values.get(word, word) for word in shlex.split(entry["Exec"])]
        subprocess.run(words, env=PLAIN, check=True, timeout=60)
        image = Image.open(io.BytesIO(held.read()))  # what a caller sees that holds it open
    assert (image.format, image.size) == ("PNG", (64, 43))


def test_a_desktop_makes_a_thumbnail(named_oddly, home):
    """The service of the Xfce desktop, asked over D-Bus, finds the entry and calls it."""
    needs("dbus-run-session", "gdbus", "update-mime-database")
    if not any(Path(folder, "tumbler-1/tumblerd").exists() for folder in LIBRARIES):
        pytest.skip("tumbler is not installed")
    name = "org.freedesktop.thumbnails.Thumbnailer1"
    uri = named_oddly.as_uri()
    call = [
        "gdbus", "call", "--session", "--dest", name, "--object-path", f"/{name.replace('.', '/')}",
        "--method", f"{name}.Queue", f'["{uri}"]', '["image/x-nic"]', "normal", "default", "0",
    ]  # fmt: skip
    wait = f"{shlex.join(call)} && for i in $(seq 250); do sleep .2; {FOUND} && break; done"
    environment = {**PLAIN, "HOME": str(home)}
    subprocess.run(["update-mime-database", home / ".local/share/mime"], check=True)
    subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", wait],
        env=environment, cwd=home, capture_output=True, timeout=120,
    )  # fmt: skip
    (made,) = (home / ".cache/thumbnails").rglob("*.png")
    with Image.open(made) as image:
        assert image.size == (75, 50)
        assert image.info["Thumb::URI"] == uri


FOUND = "find .cache -name '*.png' | grep -q ."
LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/libexec")


# -- mail -------------------------------------------------------------------------------------

MAILCAP = "image/x-nic; nic info %s; copiousoutput\n"
MUTTRC = """
auto_view image/x-nic
set mailcap_path="~/.mailcap" folder=. pipe_decode=yes wait_key=no quit=yes move=no
push "<pipe-message>cat > seen.txt<enter><quit>"
"""


def test_an_attachment_is_viewed_by_mailcap(at_home, home, nic_file):
    needs("run-mailcap")
    (home / ".mailcap").write_text(MAILCAP)
    shutil.copy(nic_file, home / "a")
    shown = at_home("run-mailcap", "--action=cat", "image/x-nic:a")
    facts = invoke("info", nic_file).out.decode()
    assert shown.splitlines()[1:] == facts.splitlines()[1:]


def test_mutt_shows_an_attachment(home, nic_file):
    """Run in a terminal, as it wants one; it pipes the message as it shows it to cat."""
    needs("mutt")
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Look"
    message.set_content("A picture.")
    message.add_attachment(
        nic_file.read_bytes(), maintype="image", subtype="x-nic", filename="a.nic"
    )
    box = mailbox.mbox(home / "box")
    box.add(message)
    box.close()
    (home / ".mailcap").write_text(MAILCAP)
    (home / "muttrc").write_text(MUTTRC)
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 60, 100, 0, 0))
    words = ["mutt", "-n", "-F", "muttrc", "-f", "box"]
    environment = {**PLAIN, "HOME": str(home)}
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    process = subprocess.Popen(words, env=environment, cwd=home, start_new_session=True, **streams)
    os.close(theirs)
    end = time.monotonic() + 40
    while process.poll() is None and time.monotonic() < end:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                os.read(ours, 4096)
            except OSError:  # it has ended
                break
    process.kill()
    process.wait()
    os.close(ours)
    seen = (home / "seen.txt").read_text()
    assert "A picture." in seen
    assert "light-visual-2" in seen
