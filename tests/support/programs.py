"""Running the programs: installed ones as processes, their commands in this process."""

import signal
import subprocess
import sysconfig
from pathlib import Path
from types import SimpleNamespace

from click.testing import CliRunner

from nic.cli.completion import PROGRAMS as TOOLS
from nic.cli.main import main as umbrella

SCRIPTS = Path(sysconfig.get_path("scripts"))
PROGRAMS = ("nic", *(f"nic-{tool}" for tool in TOOLS))


def program(name):
    """Path of an installed program."""
    return str(SCRIPTS / name)


def start(name, *args, **settings):
    """An installed program as a running process, its streams piped unless settings differ."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([program(name), *map(str, args)], **(pipes | settings))


def run(name, *args, data=b"", **settings):
    """An installed program run to its end: ``code``, ``out`` (bytes) and ``err`` (text)."""
    process = start(name, *args, **settings)
    out, err = process.communicate(data if process.stdin else None, timeout=120)
    return SimpleNamespace(code=process.returncode, out=out, err=(err or b"").decode())


def pipe(data, *commands):
    """What comes out of a pipeline of installed programs, each given as a list of words."""
    for command in commands:
        result = run(*command, data=data)
        assert (result.code, result.err) == (0, ""), command
        data = result.out
    return data


def invoke(*args, data=b""):
    """``nic ARGS`` in this process, where starting costs nothing; same result as ``run``."""
    try:
        result = CliRunner().invoke(umbrella, [str(a) for a in args], data, prog_name="nic")
    finally:  # commands ask to die of a closed pipe, which must not become our own fate
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return SimpleNamespace(code=result.exit_code, out=result.stdout_bytes, err=result.stderr)


def assert_fails(result, code, *words):
    """Assert the exit code, and one line on stderr that names the program and has ``words``."""
    assert result.code == code, result.err
    assert result.err.count("\n") == 1, result.err
    assert result.err.startswith("nic-"), result.err
    for word in words:
        assert word in result.err
