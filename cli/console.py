"""What the commands say: to people on stdout or stderr, never as a traceback."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console, Group
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from .wording import with_flags

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def stdout() -> Console:
    """Return a console on the present standard output."""
    return Console(file=sys.stdout, highlight=False)


def stderr() -> Console:
    """Return a console on the present standard error."""
    return Console(file=sys.stderr, highlight=False)


def say_error(message: str) -> None:
    """Print one paragraph about what went wrong."""
    line = Text("error: ", style="bold red").append(message, style="not bold default")
    stderr().print(line, soft_wrap=True)


def say_warning(message: str) -> None:
    """Print one line about what may be wrong."""
    line = Text("warning: ", style="bold yellow").append(message, style="not bold default")
    stderr().print(line, soft_wrap=True)


def fail(message: str, code: int) -> NoReturn:
    """Print the message and leave with this exit code."""
    say_error(message)
    raise typer.Exit(code)


@contextmanager
def plain_errors(interrupted: str = "interrupted; nothing was written") -> Iterator[None]:
    """Turn what a user can mend into one paragraph and exit code 1; `interrupted` is what to say
    after Ctrl-C.

    Anything else is a fault of ours and keeps its traceback, as does everything when the
    environment variable ``XPFIT_TRACEBACK`` is set.
    """
    try:
        yield
    except KeyboardInterrupt:
        fail(interrupted, EXIT_INTERRUPTED)
    except (ValueError, ArithmeticError, ImportError, OSError, MemoryError) as error:
        if os.environ.get("XPFIT_TRACEBACK"):
            raise
        fail(with_flags(" ".join(str(error).split())) or type(error).__name__, EXIT_FAILED)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Group:
    """Lay out rows of text; the first column is left-aligned, others are right-aligned.

    Parameters
    ----------
    title : str
    columns : iterable of str
        Their headings.
    rows : iterable of iterables of str
        Cells; brackets in them are not markup.

    Examples
    --------
    >>> Console(width=30).print(table("Metrics", ["", "train"], [["accuracy", "0.85"]]))
    Metrics
              train
    accuracy   0.85
    """
    made = RichTable(box=None, pad_edge=False)
    for position, column in enumerate(columns):
        made.add_column(Text(column, style="dim"), justify="left" if position == 0 else "right")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return Group(Text(title, style="bold"), made)


def pairs(title: str, rows: Iterable[tuple[str, str]]) -> Group:
    """Lay out names and values, left-aligned.

    Examples
    --------
    >>> Console(width=30).print(pairs("Run", [("passes", "12")]))
    Run
    passes  12
    """
    made = RichTable(box=None, pad_edge=False, show_header=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column()
    for name, value in rows:
        made.add_row(Text(name), Text(value))
    return Group(Text(title, style="bold"), made)


class Stages:
    """A spinner on stderr that says what is being done; silent when nobody watches.

    Parameters
    ----------
    quiet : bool
        Show nothing at all.

    Examples
    --------
    >>> with Stages(quiet=True) as stages:
    ...     stages.say("reading")
    """

    def __init__(self, quiet: bool) -> None:
        console = stderr()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("")

    def __enter__(self) -> Stages:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Show what is being done."""
        self._progress.update(self._task, description=text)

    def iteration(self, record: Any) -> None:
        """Show an iteration of the solver; this is the estimator's callback."""
        # Mini-batches form no gradient of the whole cost.
        norm = record.gradient_norm
        gradient = "" if math.isnan(norm) else f", gradient {norm:.1e}"
        self.say(
            f"fitting: iteration {record.iteration}, {record.n_passes} passes, "
            f"loss {record.loss:.6g}{gradient}"
        )
