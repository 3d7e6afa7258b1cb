"""A progress bar for the search of better latents, which may take minutes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Watch = Callable[[float], None]  # gets the share that is done, 0..1


@contextmanager
def searching(effort: int) -> Iterator[Watch | None]:
    """Show a bar on stderr if it is a terminal and there is something to wait for."""
    if effort < 2 or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:3], TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share: bar.update(task, completed=share)
