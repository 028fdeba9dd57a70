"""The full step along a direction: evaluated on the device, judged on the host.

Both solvers try the step 1 first, and nearly always take it. So direction and evaluation are one
function of arrays, which a backend may compile into one program, and a solver needs to know four
numbers of it. Only where they do not satisfy the Wolfe conditions are other steps evaluated. The
price is a pass for nothing where the direction turns out to be of no use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ...backends import Array, Backend
from ..dispatch import has_kernel, run_kernel
from ..linalg import dot, max_abs
from .line_search import wolfe_search
from .smooth import SmoothObjective


class Attempt(NamedTuple):
    """A full step, on the device."""

    along: Array  # shape=(size,)
    point: Any  # a named tuple with theta and gradient
    numbers: Array  # shape=(4,): those of `FullStep`


def attempt_along(
    objective: SmoothObjective, start: Array, along: Array, value: Array, point: Any
) -> Attempt:
    """The attempt that led to a point.

    Parameters
    ----------
    objective : SmoothObjective
    start : array of shape (size,)
        Gradient where the step starts.
    along : array of shape (size,)
    value : array of shape ()
        Cost at the point.
    point : named tuple with theta and gradient
    """
    backend, fused = objective.backend, objective.fused
    arguments = start, along, value, point.gradient
    # Asked here, and not by run_kernel: that is a microsecond, and hosts have nothing to fuse.
    if has_kernel(backend, "step_numbers", fused):
        numbers = run_kernel(
            backend, "step_numbers", step_numbers, *arguments, fused=fused, in_blocks=False
        )
    else:
        numbers = step_numbers(*arguments, backend=backend)
    return Attempt(along, point, numbers)


def step_numbers(
    start: Array, along: Array, value: Array, gradient: Array, *, backend: Backend
) -> Array:
    """Slope at the start, cost, and at the end slope and largest absolute entry of the gradient."""
    xp = backend.xp
    return xp.stack([start @ along, value, gradient @ along, xp.max(xp.abs(gradient))])


class FullStep(NamedTuple):
    """The same with its numbers on the host."""

    along: Array
    point: Any
    slope: float  # at the start
    value: float  # cost at the end
    slope_there: float  # at the end
    norm: float  # largest absolute entry of the gradient at the end


def on_host(objective: SmoothObjective, attempt: Attempt) -> FullStep:
    """The one transfer that every iteration makes."""
    numbers = objective.backend.to_numpy(attempt.numbers)
    return FullStep(attempt.along, attempt.point, *(float(number) for number in numbers))


def accepted(
    objective: SmoothObjective,
    here: Any,
    value: float,
    full: FullStep,
    rounding: float,
    evaluate_at: Callable[[Array], tuple[float, Any]],
) -> tuple[Any, float, float] | None:
    """A point that satisfies the Wolfe conditions, its cost, and its gradient's largest entry.

    Parameters
    ----------
    here : named tuple with theta
    value : float
        Cost there.
    full : FullStep
    rounding : float
        By how much two evaluations of the same cost may differ.
    evaluate_at : callable
        Of theta: its cost and its point, for steps other than 1.

    Returns
    -------
    tuple, or None where no step was found
    """
    xp = objective.backend.xp
    if not full.slope < 0.0 or not math.isfinite(full.slope):
        return None

    def evaluate(step: float) -> tuple[float, float, Any]:
        if step == 1.0:
            return full.value, full.slope_there, (full.point, full.value, full.norm)
        there, point = evaluate_at(here.theta + step * full.along)
        norm = max_abs(xp, point.gradient)
        return there, dot(xp, point.gradient, full.along), (point, there, norm)

    search = wolfe_search(evaluate, value, full.slope, 1.0, rounding)
    return None if search.accepted is None else search.accepted.point
