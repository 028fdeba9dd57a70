"""A fair race of fits: each contestant runs at the loosest tolerance that is tight enough.

Tolerances mean different things to different libraries, so they are not compared. For each
contestant its own are searched for the loosest one whose fit comes within `accuracy` of the
smallest objective; f is evaluated for all by the same function. Only then are the fits timed, in
turns.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .peers import Model
from .timing import Comparison, compare

# From looser than anybody's default: a tolerance also depends on the units of X.
LOOSEST, TIGHTEST = 1.0, 1e-12
# Powers of ten between two tolerances that the search tells apart.
RESOLUTION = 0.5
# A contestant that takes this many times as long as the fastest peer is timed once, in the search.
HOPELESS = 10.0

Fit = Callable[[float], Model]  # tolerance -> model


@dataclass(frozen=True)
class Found:
    """What the search found for one contestant.

    Attributes
    ----------
    tol : float
        NaN where no tolerance was enough.
    seconds : float
        Of the fit at `tol` in the search.
    gap : float
        Its f - f*.
    why_not : str
        Why there is none, for a contestant without tolerance.
    """

    tol: float
    seconds: float
    gap: float
    why_not: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "tol": None if math.isnan(self.tol) else self.tol,
            "seconds_in_search": None if math.isnan(self.seconds) else self.seconds,
            "gap": None if math.isnan(self.gap) else self.gap,
            "why_not": self.why_not,
        }

    @classmethod
    def from_dict(cls, answer: dict[str, Any]) -> Found:
        """What `as_dict` made a dict of."""
        numbers = (answer["tol"], answer["seconds_in_search"], answer["gap"])
        return cls(*(math.nan if x is None else x for x in numbers), answer["why_not"])


def loosest_tolerance(
    fit: Fit,
    objective: Callable[[Model], float],
    smallest: float,
    accuracy: float,
    most_seconds: float = math.inf,
) -> Found:
    """The loosest tolerance at which a fit comes within `accuracy` of `smallest`.

    Tolerances get tighter by a factor of ten until one is enough; then the interval below the
    first that is not is halved until it is narrower than `RESOLUTION` powers of ten.

    Parameters
    ----------
    most_seconds : float
        Given up for a fit that takes longer and still is not good enough.

    Examples
    --------
    >>> found = loosest_tolerance(lambda tol: tol, lambda model: 2.0 * model, 0.0, 1e-6)
    >>> 1e-7 < found.tol <= 5e-7
    True
    """
    tried: dict[float, tuple[float, float]] = {}

    def good(exponent: float) -> bool:
        started = time.perf_counter()
        model = fit(10.0**exponent)
        tried[exponent] = time.perf_counter() - started, objective(model) - smallest
        return tried[exponent][1] < accuracy

    high, low = math.nan, math.log10(LOOSEST)
    while not good(low):
        if low - 1.0 < math.log10(TIGHTEST) - 0.01:
            return Found(math.nan, math.nan, tried[low][1], f"not reached at tol={10.0**low:.0e}")
        if tried[low][0] > most_seconds:
            why = f"given up after {tried[low][0]:.0f} s at tol={10.0**low:.0e}"
            return Found(math.nan, math.nan, tried[low][1], why)
        high, low = low, low - 1.0
    while high - low > RESOLUTION and tried[low][0] <= most_seconds:
        middle = 0.5 * (high + low)
        high, low = (high, middle) if good(middle) else (middle, low)
    return Found(10.0**low, *tried[low])


@dataclass(frozen=True)
class Race:
    """Tolerances that were found, and the times at them.

    Attributes
    ----------
    seconds : dict
        Medians of the contestants that were timed in turns; one fit's time of those that were
        too slow for it.
    timed_once : tuple of str
    """

    found: dict[str, Found]
    seconds: dict[str, float]
    comparison: Comparison
    timed_once: tuple[str, ...]
    smallest: float

    def notes(self) -> list[str]:
        """What a reader must know of each contestant."""
        lines = []
        for name, found in self.found.items():
            if found.why_not:
                lines.append(f"{name}: {found.why_not} (f - f* = {found.gap:.1e}).")
                continue
            once = " (timed once)" if name in self.timed_once else ""
            lines.append(
                f"{name}: {self.seconds[name]:.3g} s{once} at tol={found.tol:.1e}, "
                f"f - f* = {found.gap:.1e}."
            )
        return lines


def race(
    contestants: Mapping[str, Fit],
    objective: Callable[[Model], float],
    *,
    ours: str,
    tightest: Mapping[str, float],
    accuracy: float,
    rounds: int,
    pause: float,
) -> Race:
    """Search each contestant's tolerance, then time all in turns.

    Parameters
    ----------
    contestants : mapping from name to `fit(tol)`
        Those expected to be fast first: they set the limit for the others.
    ours : str
        The reference of the ratios.
    tightest : mapping from name to tolerance
        The fits that f* is the smallest objective of.
    """
    for fit in contestants.values():
        fit(LOOSEST)  # imports and compiles: no part of the seconds that the search sees
    smallest = min(objective(contestants[name](tol)) for name, tol in tightest.items())
    found: dict[str, Found] = {}
    limit = math.inf
    for name, fit in contestants.items():
        found[name] = loosest_tolerance(fit, objective, smallest, accuracy, limit)
        if name != ours and not found[name].why_not:
            limit = min(limit, HOPELESS * found[name].seconds)
    if found[ours].why_not:
        message = f"{ours}: {found[ours].why_not}, f - f* = {found[ours].gap:.2e}"
        raise AssertionError(message)
    good = [name for name in found if not found[name].why_not]
    once = tuple(name for name in good if found[name].seconds > limit and name != ours)
    in_turns = {
        name: (lambda fit=contestants[name], tol=found[name].tol: fit(tol))
        for name in good
        if name not in once
    }
    comparison = compare(
        in_turns, rounds=rounds, reference=ours, pause=pause, shortest_sample=0.0,
        # Agreement: each fit, made once more, is as good as it was in the search.
        error=lambda model, _: objective(model) - smallest, tolerance=accuracy,
    )  # fmt: skip
    seconds = {name: comparison.median(name) for name in in_turns}
    seconds.update({name: found[name].seconds for name in once})
    return Race(found, seconds, comparison, once, smallest)
