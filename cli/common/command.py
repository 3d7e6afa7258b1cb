"""How all programs start, fail and log."""

import codecs
import errno
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import click

from nic import __version__
from nic.cli.common.interrupts import die_of_interrupt, remove_unfinished
from nic.errors import NicError, PartialError
from nic.processes.interrupts import stop_on_sigterm

log = logging.getLogger("nic")


def _as_given(error: UnicodeError) -> tuple[str | bytes, int]:
    """Handle what an encoding cannot write: bytes of a file name come out as they are in it."""
    assert isinstance(error, UnicodeEncodeError)
    first = error.object[error.start]
    how = "surrogateescape" if "\udc80" <= first <= "\udcff" else "backslashreplace"
    return first.encode("ascii", how), error.start + 1


codecs.register_error("nic", _as_given)

EXPECTED = (NicError, OSError, MemoryError)  # failures that no change of our code would mend
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # a full disk: only an output fails so
EMPTY = "''"  # an empty file name in messages
NOTE = "note: "  # the start of the library's messages about an input

_subject: ContextVar[str] = ContextVar("subject", default="")  # the current input


class Misuse(click.UsageError):
    """A wrong command line, reported in one line, without click's lines about usage."""

    def show(self, file: Any = None) -> None:
        """Print the line; see ``click.UsageError.show``."""
        name = program_name(self.ctx) if self.ctx is not None else "nic"
        click.echo(f"{name}: {self.format_message()}", file=file, err=file is None)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Turn click's usage errors into ``Misuse``, except "no arguments", which shows the help."""
    try:
        yield
    except (Misuse, click.exceptions.NoArgsIsHelpError):
        raise
    except click.UsageError as error:
        raise Misuse(error.format_message(), error.ctx) from error


class Program(click.Command):
    """A click command that also reports a failure to print its help, such as a full disk."""

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Parse the command line; see ``click.Command.make_context``."""
        with in_one_line():
            return super().make_context(*args, **settings)

    def main(self, *args: Any, **settings: Any) -> Any:
        """Parse and run; see ``click.Command.main``."""
        for stream in (sys.stdout, sys.stderr):  # names need not be text in any encoding
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="nic")
        try:
            return super().main(*args, **settings)
        except OSError as error:  # click prints help and version while it parses
            name = settings.get("prog_name") or Path(sys.argv[0]).name
            click.echo(f"{name}: {message(error)}", err=True)
            _drop_pending_output()
            sys.exit(exit_code(error))


class Command(Program):
    """A click command that reports every expected failure by one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see ``click.Command.invoke``."""
        if hasattr(signal, "SIGPIPE"):  # die quietly when the reader of a pipe ends, as cat does
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        stop_on_sigterm()
        try:
            try:
                return super().invoke(ctx)
            finally:
                remove_unfinished()
        except KeyboardInterrupt:
            die_of_interrupt()
        except EXPECTED as error:
            fail(ctx, error)
            _drop_pending_output()
            ctx.exit(exit_code(error))


def _drop_pending_output() -> None:
    """Drop what stdout still buffers: after a full disk Python would complain again at its exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def program_name(ctx: click.Context) -> str:
    """The program's name in messages: ``nic-compress``, also for ``nic compress``."""
    return ctx.command_path.replace(" ", "-")


def fail(ctx: click.Context, error: BaseException) -> None:
    """Print an error on stderr, as one line that begins with the program's name."""
    click.echo(f"{program_name(ctx)}: {message(error)}", err=True)


def message(error: BaseException) -> str:
    """An error as one line that says what failed and why."""
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None:
            return error.strerror
        return f"{error.filename or EMPTY}: {error.strerror}"
    if isinstance(error, MemoryError):
        return "not enough memory"
    return " ".join(str(error).split())


def exit_code(error: BaseException) -> int:
    """The exit code of an expected failure."""
    return error.exit_code if isinstance(error, NicError) else 1


def gravity(code: int) -> float:
    """A sort key of exit codes by severity: "decoded in part" is less severe than any failure."""
    return 0.5 if code == PartialError.exit_code else code


@contextmanager
def about(path: str) -> Iterator[None]:
    """Put the name of an input in front of the notes and errors that occur in this block."""
    name = name_of(path)
    before = _subject.set(name)
    try:
        yield
    except NicError as error:
        error.args = (f"{name}: {error}",)
        raise
    except OSError as error:
        if error.filename is None and error.errno not in FULL:
            error.filename = name
        raise
    finally:
        _subject.reset(before)


def said(record: logging.LogRecord) -> str:
    """The text of a log record; a note gets the name of the current input."""
    text, name = record.getMessage(), _subject.get()
    if name and text.startswith(NOTE):
        return f"{NOTE}{name}: {text.removeprefix(NOTE)}"
    return text


def attempt(path: str, act: Callable[[], None]) -> int:
    """Call ``act`` for an input; return the exit code. An expected failure is only printed."""
    try:
        with about(path):
            act()
    except EXPECTED as error:
        fail(click.get_current_context(), error)
        _drop_pending_output()
        return exit_code(error)
    return 0


def name_of(path: str) -> str:
    """The name of an input in messages."""
    return "stdin" if path == "-" else path or EMPTY


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"nic: {said(record)}"


def set_verbosity(quiet: bool, verbose: bool) -> None:
    """Send the library's log to stderr: by default warnings, with ``verbose`` more.

    ``quiet`` sends only errors.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    log.handlers[:] = [handler]
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # our errors say the same
    log.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)


def command(name: str, **settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Declare a program, with the shared behaviour and ``--quiet``, ``-v`` and ``--version``."""

    def declare(function: Callable[..., None]) -> click.Command:
        def body(*args: Any, quiet: bool, verbose: bool, **kwargs: Any) -> None:
            set_verbosity(quiet, verbose)
            function(*args, **kwargs)

        body.__doc__ = function.__doc__
        # click's decorators below this one have put their parameters on the function.
        body.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        for decorator in (
            click.version_option(__version__, message="%(prog)s %(version)s"),
            click.option("-v", "--verbose", is_flag=True, help="Report on stderr what is done."),
            click.option("--quiet", is_flag=True, help="Print only errors on stderr."),
        ):
            body = decorator(body)
        return click.command(name, cls=Command, **settings)(body)

    return declare
