"""What every solver returns: the answer, its history, and why it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...backends import Array

# Reasons to stop; those of the first group mean that the minimum was found.
CONVERGED = "gradient_norm <= tol"
AT_PRECISION = "cost cannot be lowered at this precision"
EXACT = "exact solution"
OUT_OF_ITERATIONS = "max_iter reached"
LINE_SEARCH_FAILED = "line search failed"
ILL_CONDITIONED = "the normal equations are too ill-conditioned to be solved"
STOPPED_BY_CALLBACK = "stopped by callback"
NO_IMPROVEMENT = "no improvement"
DIVERGED = "diverged"
INTERRUPTED = "interrupted"
SMALL_GAP = "duality_gap <= gap_tol * cost"
NEAR_MINIMUM = "cost by estimate within 0.1 % of its minimum"
SUCCESS = frozenset({CONVERGED, AT_PRECISION, EXACT, NO_IMPROVEMENT, SMALL_GAP, NEAR_MINIMUM})


class IterationRecord(NamedTuple):
    """The state after one iteration, as the history keeps it and callbacks see it."""

    # How many were taken: 0 is the starting point, of which epochs keep no record. On a path of
    # strengths, which of them, from 0.
    iteration: int
    loss: float  # the cost: weighted mean loss plus penalty
    # Largest absolute entry of the gradient; with an L1 penalty, of its distance from optimality;
    # NaN where no gradient is formed.
    gradient_norm: float
    n_passes: int  # reads of X so far
    seconds: float  # since the solver started


Coefficients = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


class WatchedRecord(IterationRecord):
    """A record as callbacks get it: while they run, it can also say where the parameters are."""

    _read: Callable[[], Coefficients] | None = None
    _open = False

    def coefficients(self) -> Coefficients:
        """W (n_features, n_outputs) and b (n_outputs,) for X as given, NumPy arrays, float64.

        They are brought to the host only when a callback asks.

        Raises
        ------
        RuntimeError
            Outside of the callback, when the solver has gone on; and where a solver has none.
        """
        if self._read is None:
            message = (
                f"iteration {self.iteration}: the coefficients can be read only inside the "
                "callback. Call record.coefficients() there and keep what it returns."
            )
            if self._open:
                message = f"iteration {self.iteration}: this solver does not tell its coefficients."
            raise RuntimeError(message)
        return self._read()


Callback = Callable[[WatchedRecord], object]


@dataclass(frozen=True)
class SolverResult:
    """The outcome of a solver.

    Attributes
    ----------
    theta : array
        The parameters with the lowest cost seen.
    loss : float
        Cost there.
    gradient_norm : float
        Largest absolute entry of the gradient there.
    n_iter, n_passes : int
    seconds : float
    converged : bool
    stop_reason : str
        One of the reasons that this module names.
    message : str
        For a fit that did not converge: why, and which argument cures it. Else empty.
    solver : str
    history : list of IterationRecord
    duality_gap : float or None
        Of a cost with an L1 penalty: its minimum is at most this far below `loss`. None where the
        solver or the loss gives none.
    """

    theta: Array
    loss: float
    gradient_norm: float
    n_iter: int
    n_passes: int
    seconds: float
    converged: bool
    stop_reason: str
    message: str
    solver: str
    history: list[IterationRecord]
    duality_gap: float | None = None


@dataclass
class History:
    """Collects the records of a running solver and tells its callbacks."""

    callbacks: Sequence[Callback] = ()
    records: list[IterationRecord] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    first: int = 0  # number of the first record: 1 where the start is not among them

    def add(
        self, loss: float, gradient_norm: float, n_passes: int,
        coefficients: Callable[[], Coefficients] | None = None,
    ) -> bool:  # fmt: skip
        """Record an iteration. True where a callback asks for the fit to stop."""
        seconds = time.perf_counter() - self.started
        record = IterationRecord(
            self.first + len(self.records), loss, gradient_norm, n_passes, seconds
        )
        self.records.append(record)
        if not self.callbacks:
            return False
        watched = WatchedRecord(*record)
        watched._read, watched._open = coefficients, True
        # Every callback is told, whatever another answered.
        stop = any([callback(watched) is True for callback in self.callbacks])
        watched._read, watched._open = None, False  # who keeps a record keeps no data alive
        return stop

    def result(
        self, theta: Array, stop_reason: str, solver: str, n_passes: int, tol: float
    ) -> SolverResult:
        """The result at the last recorded point."""
        last = self.records[-1]
        return SolverResult(
            theta=theta,
            loss=last.loss,
            gradient_norm=last.gradient_norm,
            n_iter=len(self.records) - 1,
            n_passes=n_passes,
            seconds=time.perf_counter() - self.started,
            converged=stop_reason in SUCCESS,
            stop_reason=stop_reason,
            message=_advice(stop_reason, last, n_passes, len(self.records) - 1, solver, tol),
            solver=solver,
            history=self.records,
        )


def _advice(
    stop_reason: str, last: IterationRecord, n_passes: int, n_iter: int, solver: str, tol: float
) -> str:
    if stop_reason in SUCCESS or stop_reason == STOPPED_BY_CALLBACK:
        return ""
    found = (
        f"solver {solver!r} stopped after {n_iter} iterations ({n_passes} passes over the "
        f"data) because {stop_reason}; gradient_norm is {last.gradient_norm:.3g}, tol is {tol:.3g}."
    )
    if stop_reason == OUT_OF_ITERATIONS:
        return f"{found} Raise max_iter, or tol if this is close enough."
    return (
        f"{found} Columns of very different scale are the usual cause: set standardize=True. "
        "More regularization (a smaller C, a larger alpha) or a larger tol helps too. If the loss "
        "is your own, check its derivatives first: docs/losses.md says how."
    )
