"""A step along a direction that satisfies the Wolfe conditions, or a plain statement that none is.

Conditions, with phi(t) the cost at step t and phi' its slope (Nocedal and Wright, Numerical
Optimization, section 3.1):

    phi(t) <= phi(0) + C1 * t * phi'(0)      the cost falls
    abs(phi'(t)) <= C2 * abs(phi'(0))        the slope flattens

Close to the minimum phi(t) - phi(0) drowns in rounding. There the first condition is replaced by
one on slopes, (2 * C1 - 1) * phi'(0) >= phi'(t), while phi(t) exceeds phi(0) by rounding at most
(Hager and Zhang, SIAM J. Optim. 16, 2005).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

C1, C2 = 1e-4, 0.9
MAX_TRIALS = 25
# A first bracket is not cut to less than this share at once.
SHRINK = 0.01
# Rounding of a cost, in units of the machine precision times the cost.
ROUNDING = 50.0


class Trial(NamedTuple):
    """One evaluated step."""

    step: float
    value: float
    slope: float
    point: Any  # whatever `evaluate` returns beside value and slope


class SearchResult(NamedTuple):
    """The accepted trial, or None; and how many steps were tried."""

    accepted: Trial | None
    n_trials: int


def cost_rounding(value: float, eps: float) -> float:
    """By how much two evaluations of the same cost may differ, at machine precision `eps`."""
    return ROUNDING * eps * max(abs(value), 1e-30)


def wolfe_search(
    evaluate: Callable[[float], tuple[float, float, Any]],
    value: float,
    slope: float,
    first_step: float,
    rounding: float,
    longest: float = math.inf,
) -> SearchResult:
    """Find a step that satisfies the conditions above.

    Parameters
    ----------
    evaluate : callable
        step -> (value, slope, point).
    value, slope : float
        At step 0; the slope must be negative.
    first_step : float
    rounding : float
        By how much two evaluations of the same cost may differ.
    longest : float
        No step beyond this one; it is accepted once the cost falls there.

    Returns
    -------
    SearchResult
        `accepted` is None where no step was found in MAX_TRIALS trials; the caller must not go on
        as if one had been.
    """
    low = Trial(0.0, value, slope, None)
    high: Trial | None = None
    step = first_step
    for n_trials in range(1, MAX_TRIALS + 1):
        trial = Trial(step, *evaluate(step))
        finite = math.isfinite(trial.value) and math.isfinite(trial.slope)
        falls = finite and _falls(trial, value, slope, rounding)
        if falls and (
            abs(trial.slope) <= C2 * abs(slope) or (trial.slope < 0.0 and step >= longest)
        ):
            return SearchResult(trial, n_trials)
        if not falls or trial.slope > 0.0:
            high = trial
        else:
            low = trial
        step = min(_next_step(low, high, finite), longest)
        if not low.step < step or (high is not None and not step < high.step):
            break  # the bracket is down to neighbouring floats
    # A step that lowers the cost is worth having even if the slope is still steep.
    if low.step > 0.0 and low.value < value - rounding:
        return SearchResult(low, n_trials)
    return SearchResult(None, n_trials)


def _falls(trial: Trial, value: float, slope: float, rounding: float) -> bool:
    if trial.value <= value + C1 * trial.step * slope:
        return True
    return trial.value <= value + rounding and trial.slope <= (2.0 * C1 - 1.0) * slope


def _next_step(low: Trial, high: Trial | None, finite: bool) -> float:
    if high is None:
        return low.step * 4.0  # the slope is still steep: go further
    width = high.step - low.step
    if not finite:
        return low.step + 0.1 * width
    rise = high.slope - low.slope
    # Secant on the slope, kept away from both ends. While no step has lowered the cost it may point
    # close to 0: then the direction is far too long, and halving would take dozens of trials.
    guess = low.step - low.slope * width / rise if rise > 0.0 else math.nan
    if low.step == 0.0 and 0.0 <= guess < 0.1 * width:
        return max(guess, SHRINK * width)
    if not low.step + 0.1 * width <= guess <= low.step + 0.9 * width:
        guess = low.step + 0.5 * width
    return guess
