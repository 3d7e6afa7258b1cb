"""What all programs share: how they start, fail and log."""

import errno
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
from nic.cli.common.interrupts import die_of_interrupt, remove_unfinished, stop_on_sigterm
from nic.errors import NicError, PartialError

log = logging.getLogger("nic")

EXPECTED = (NicError, OSError, MemoryError)  # failures that are not ours to repair
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # failures of an output, never of an input
EMPTY = "''"  # how messages call a file without a name
NOTE = "note: "  # how the library's messages begin that are about an input

_subject: ContextVar[str] = ContextVar("subject", default="")  # the input that is worked on


class Misuse(click.UsageError):
    """A command line that makes no sense, told in one line, without the usage."""

    def show(self, file: Any = None) -> None:
        """Print the line; see ``click.UsageError.show``."""
        name = program_name(self.ctx) if self.ctx is not None else "nic"
        click.echo(f"{name}: {self.format_message()}", file=file, err=file is None)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Make a ``Misuse`` of click's errors, but for "no arguments", which shows the help."""
    try:
        yield
    except (Misuse, click.exceptions.NoArgsIsHelpError):
        raise
    except click.UsageError as error:
        raise Misuse(error.format_message(), error.ctx) from error


class Program(click.Command):
    """A click command whose help, too, may meet a full disk."""

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Parse the command line; see ``click.Command.make_context``."""
        with in_one_line():
            return super().make_context(*args, **settings)

    def main(self, *args: Any, **settings: Any) -> Any:
        """Parse and run; see ``click.Command.main``."""
        try:
            return super().main(*args, **settings)
        except OSError as error:  # of parsing, which prints help and version
            name = settings.get("prog_name") or Path(sys.argv[0]).name
            click.echo(f"{name}: {message(error)}", err=True)
            _drop_pending_output()
            sys.exit(exit_code(error))


class Command(Program):
    """A click command that turns every expected failure into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see ``click.Command.invoke``."""
        if hasattr(signal, "SIGPIPE"):  # die quietly when the reader goes, as cat does
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
    """After a full disk: Python writes stdout once more at its exit, and would complain again."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def program_name(ctx: click.Context) -> str:
    """``nic-compress`` for ``nic compress`` too."""
    return ctx.command_path.replace(" ", "-")


def fail(ctx: click.Context, error: BaseException) -> None:
    """Print an error as the program's one line on stderr."""
    click.echo(f"{program_name(ctx)}: {message(error)}", err=True)


def message(error: BaseException) -> str:
    """One line that names what failed and why."""
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
    """Order of exit codes: a picture decoded in part is less grave than one that is not there."""
    return 0.5 if code == PartialError.exit_code else code


@contextmanager
def about(path: str) -> Iterator[None]:
    """Put the name of the input in front of what is noted of it, and of what goes wrong."""
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
    """What the library says, its notes with the name of the input that they are about."""
    text, name = record.getMessage(), _subject.get()
    if name and text.startswith(NOTE):
        return f"{NOTE}{name}: {text.removeprefix(NOTE)}"
    return text


def attempt(path: str, act: Callable[[], None]) -> int:
    """Do something with an input; the exit code. A failure is printed and stops nothing else."""
    try:
        with about(path):
            act()
    except EXPECTED as error:
        fail(click.get_current_context(), error)
        _drop_pending_output()
        return exit_code(error)
    return 0


def name_of(path: str) -> str:
    """How messages call an input."""
    return "stdin" if path == "-" else path or EMPTY


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"nic: {said(record)}"


def set_verbosity(quiet: bool, verbose: bool) -> None:
    """Send the library's notes to stderr: warnings by default, none, or all."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    log.handlers[:] = [handler]
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # our own error follows
    log.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)


def command(name: str, **settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Declare a program: the shared behaviour, ``--quiet``, ``-v`` and ``--version``."""

    def declare(function: Callable[..., None]) -> click.Command:
        def body(*args: Any, quiet: bool, verbose: bool, **kwargs: Any) -> None:
            set_verbosity(quiet, verbose)
            function(*args, **kwargs)

        body.__doc__ = function.__doc__
        # Parameters declared by decorators below this one are kept on the function.
        body.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        for decorator in (
            click.version_option(__version__, message="%(prog)s %(version)s"),
            click.option("-v", "--verbose", is_flag=True, help="Report on stderr what is done."),
            click.option("--quiet", is_flag=True, help="Print only errors on stderr."),
        ):
            body = decorator(body)
        return click.command(name, cls=Command, **settings)(body)

    return declare
