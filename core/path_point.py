"""What was found at the strengths of a regularization path, one by one and together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .solvers import Callback
from .solvers.result import Coefficients, History
from .watching import FitStart, watching


class PathPoint(NamedTuple):
    """What one strength came to."""

    theta: Any  # shape=(size,)
    loss: float  # cost, with the penalties
    violation: float  # largest of the conditions of optimality
    n_iter: int
    stop_reason: str
    message: str
    duality_gap: float | None


@dataclass(frozen=True)
class PathFit:
    """Coefficients at each strength, for X as it was given, on the host.

    Attributes
    ----------
    strengths : ndarray of shape (n_strengths,)
        Descending.
    W : ndarray of shape (n_strengths, n_features, n_outputs), float64
    b : ndarray of shape (n_strengths, n_outputs), float64
    losses, violations, duality_gaps : ndarray of shape (n_strengths,)
        Cost with its penalties, largest violation of the conditions of optimality, and how far the
        cost can be above its minimum; NaN where no gap is known.
    n_iters : ndarray of shape (n_strengths,), int
    stop_reasons, messages : tuple of str
    n_passes : int
        Reads of X for all of the path.
    """

    strengths: np.ndarray[Any, Any]
    W: np.ndarray[Any, Any]
    b: np.ndarray[Any, Any]
    losses: np.ndarray[Any, Any]
    violations: np.ndarray[Any, Any]
    duality_gaps: np.ndarray[Any, Any]
    n_iters: np.ndarray[Any, Any]
    stop_reasons: tuple[str, ...]
    messages: tuple[str, ...]
    n_passes: int


def collect_points(
    points: Iterable[PathPoint],
    strengths: np.ndarray[Any, Any],
    *,
    read: Callable[[Any], Coefficients],
    n_passes: Callable[[], int],
    callbacks: Sequence[Callback],
    who: str,
) -> PathFit:
    """Go along a path until a callback ends it, and keep what each strength came to.

    Parameters
    ----------
    points : iterable of PathPoint
        Solved as they are asked for.
    read : callable
        From theta to W and b on the host.
    n_passes : callable
        Reads of X so far.
    """
    history, found = History(callbacks), []
    with watching(callbacks, FitStart(who, len(strengths), "strength")):
        for index, point in enumerate(points):
            W, b = read(point.theta)
            if index == 0:
                # One array that fills: a list of all and then their stack are the path twice.
                every_W = np.empty((len(strengths), *W.shape))
                every_b = np.empty((len(strengths), *b.shape))
            every_W[index], every_b[index] = W, b
            found.append(point._replace(theta=None))
            if history.add(point.loss, point.violation, n_passes(), partial(read, point.theta)):
                break
    n = len(found)
    gaps = [np.nan if point.duality_gap is None else point.duality_gap for point in found]
    return PathFit(
        strengths[:n],
        every_W[:n],
        every_b[:n],
        np.asarray([point.loss for point in found]),
        np.asarray([point.violation for point in found]),
        np.asarray(gaps, dtype=np.float64),
        np.asarray([point.n_iter for point in found]),
        tuple(point.stop_reason for point in found),
        tuple(point.message for point in found),
        n_passes(),
    )
