"""Callbacks that want to know when a fit begins and ends, beside each of its iterations.

A callback is any function of one record. An object that also has the method `fit_begins` (of one
`FitStart`) or `fit_ends` (of nothing) is told: the second even where the fit fails or is
interrupted, so that a progress bar can give the terminal back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from .solvers.result import Callback, Coefficients


class FitStart(NamedTuple):
    """What a callback is told when a fit begins."""

    who: str  # the estimator's name
    max_iter: int  # iterations, epochs or strengths, at most
    unit: str  # "iteration", "epoch" or "strength"
    start: Callable[[], Coefficients] | None = None  # None: the first record is the start
    of_layers: bool = False  # coefficients are the arrays of a network's layers, not W and b


@contextmanager
def watching(callbacks: Sequence[Callback], about: FitStart) -> Iterator[None]:
    """Tell the callbacks that a fit begins, and, whatever happens, that it has ended.

    Examples
    --------
    >>> class Shout:
    ...     def __call__(self, record): ...
    ...     def fit_begins(self, about): print(about.who, about.max_iter)
    ...     def fit_ends(self): print("over")
    >>> with watching([Shout()], FitStart("Ridge", 100, "iteration")):
    ...     pass
    Ridge 100
    over
    """
    told: list[Callback] = []
    try:
        for callback in callbacks:
            told.append(callback)
            if (begins := getattr(callback, "fit_begins", None)) is not None:
                begins(about)
        yield
    finally:
        for callback in reversed(told):
            if (ends := getattr(callback, "fit_ends", None)) is not None:
                ends()
