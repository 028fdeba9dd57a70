"""A progress bar in the terminal, for any estimator's `callbacks`."""

from __future__ import annotations

import math
import sys
from typing import Any

from ..core.watching import FitStart


class ProgressBar:
    """A callback that shows how far a fit is: epoch, iteration or strength, cost, time.

    Pass it as `callbacks=` of any estimator, alone or in a list with others. It writes to standard
    error, and only where that is a terminal. The bar goes when the fit ends, also by an error or by
    Ctrl-C, and one line stays behind.

    Parameters
    ----------
    enabled : bool or None, default=None
        True shows it without a terminal, too; False never; None asks the terminal.
    refresh_per_second : float, default=10

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xpfit import LogisticRegression, ProgressBar
    >>> model = LogisticRegression(callbacks=ProgressBar()).fit(*load_iris(return_X_y=True))
    """

    def __init__(self, enabled: bool | None = None, refresh_per_second: float = 10.0) -> None:
        if not refresh_per_second > 0.0:
            message = f"ProgressBar: refresh_per_second must be > 0, got {refresh_per_second}."
            raise ValueError(message)
        self.enabled = enabled
        self.refresh_per_second = refresh_per_second
        self._shown: _Shown | None = None  # only while a fit runs: copies and pickles are small

    def fit_begins(self, about: FitStart) -> None:
        """Show the bar."""
        self.fit_ends()
        is_wanted = sys.stderr.isatty() if self.enabled is None else self.enabled
        if is_wanted:
            self._shown = _Shown(about, self.refresh_per_second)

    def __call__(self, record: Any) -> None:
        """Show an iteration."""
        if self._shown is not None:
            self._shown.see(record)

    def fit_ends(self) -> None:
        """Take the bar away and leave one line."""
        shown, self._shown = self._shown, None
        if shown is not None:
            shown.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_shown": None}


class _Shown:
    """The bar of one fit."""

    def __init__(self, about: FitStart, refresh_per_second: float) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._about, self._last = about, None
        self._console = Console(file=sys.stderr, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[what]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            refresh_per_second=refresh_per_second,
        )
        self._task = self._progress.add_task(about.who, total=about.max_iter, what="")
        self._progress.start()

    def see(self, record: Any) -> None:
        self._last = record
        self._progress.update(self._task, completed=self._count(record), what=self._what(record))

    def close(self) -> None:
        self._progress.stop()
        if self._last is not None:
            line = f"{self._about.who}: {self._what(self._last)}, {self._last.seconds:.3g} s"
            self._console.print(line, soft_wrap=True, markup=False)

    def _count(self, record: Any) -> int:
        # Strengths are numbered from 0, each after its fit.
        return int(record.iteration) + int(self._about.unit == "strength")

    def _what(self, record: Any) -> str:
        text = f"{self._about.unit} {self._count(record)}, cost {record.loss:.6g}"
        if math.isfinite(record.gradient_norm):
            text += f", gradient {record.gradient_norm:.1e}"
        return text
