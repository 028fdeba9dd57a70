"""Clocks: contestants alternate in one process, after it is checked that they agree.

A ratio of two times is worth something when both were taken under the same conditions. So all
contestants of a comparison run in turns (A B C A B C ...), and what is compared are medians.
What a comparison says of each contestant: the first call (compiling, loading, page faults), then
the median of the rounds and their spread, the distance between the quartiles.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Contestant = Callable[[], object]
# Threads of BLAS and OpenMP keep spinning for some ms after their work is done, and would take
# their time from the next contestant: it starts after this pause, in seconds.
PAUSE = 0.05
# A sample shorter than this holds several calls, in seconds.
SHORTEST_SAMPLE = 0.005


class DisagreementError(AssertionError):
    """Contestants whose results differ: their times would not be times of the same thing."""


@dataclass(frozen=True)
class Timing:
    """The times of one contestant, in seconds per call.

    Attributes
    ----------
    name : str
    first_call : float
        Compiling, loading and page faults included.
    samples : tuple of float
        One per round.
    calls : int
        Calls in a sample.
    error : float or None
        Largest difference of the result from the reference's, checked before timing.
    """

    name: str
    first_call: float
    samples: tuple[float, ...]
    calls: int = 1
    error: float | None = None

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Distance between the quartiles of the rounds; 0 for fewer than two."""
        if len(self.samples) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return high - low

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "median_s": self.median,
            "spread_s": self.spread,
            "first_call_s": self.first_call,
            "rounds": len(self.samples),
            "calls_per_round": self.calls,
            "error": self.error,
        }


@dataclass(frozen=True)
class Comparison:
    """The timings of contestants that ran in turns."""

    timings: dict[str, Timing]
    reference: str

    def median(self, name: str) -> float:
        """Median seconds of a contestant."""
        return self.timings[name].median

    def ratio(self, name: str, reference: str | None = None) -> float:
        """Median of a contestant over that of the reference (or of another one)."""
        return self.median(name) / self.median(reference or self.reference)

    def ratios(self) -> dict[str, float]:
        """`ratio` of every contestant."""
        return {name: self.ratio(name) for name in self.timings}

    def as_dicts(self) -> list[dict[str, Any]]:
        """For JSON: a record per contestant, its ratio to the reference included."""
        return [
            {**timing.as_dict(), "ratio": self.ratio(name)} for name, timing in self.timings.items()
        ]


def _timed(call: Contestant, calls: int, synchronize: Callable[[object], object] | None) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        result = call()
        if synchronize is not None:
            synchronize(result)
    return (time.perf_counter() - started) / calls


def _error(measure: Callable[[object, object], float], result: object, expected: object) -> float:
    error = float(measure(result, expected))
    return math.inf if math.isnan(error) else error


def compare(
    contestants: Mapping[str, Contestant],
    *,
    rounds: int,
    warmup: int = 1,
    reference: str | None = None,
    error: Callable[[object, object], float] | None = None,
    tolerance: float | Mapping[str, float] = 1e-9,
    unchecked: frozenset[str] = frozenset(),
    synchronize: Callable[[object], object] | None = None,
    pause: float = PAUSE,
    shortest_sample: float = SHORTEST_SAMPLE,
) -> Comparison:
    """Check that contestants agree, then time them in turns.

    Parameters
    ----------
    contestants : mapping of str to callable
        Each does its whole work, on the same input, when called.
    rounds : int
        Samples of each.
    warmup : int
        Calls after the first one, before the clock counts.
    reference : str or None
        What ratios and the agreement are relative to; None is the first contestant.
    error : callable or None
        `error(result, result_of_the_reference)`: the largest difference, in the comparison's own
        unit. None only where there is nothing to agree on.
    tolerance : float or mapping from name to float
    unchecked : set of str
        Names of contestants that compute something else (a plain read of the data).
    synchronize : callable or None
        Called with each result before the clock stops: waits for a device.
    pause : float
        Seconds of rest before each sample.
    shortest_sample : float
        Seconds; a faster contestant is called several times for one sample.

    Raises
    ------
    DisagreementError
        Before anything is timed, where an error is larger than the tolerance, or NaN.

    Examples
    --------
    >>> import math
    >>> from xpfit.bench.timing import compare
    >>> numbers = [0.1] * 1000
    >>> found = compare({"fsum": lambda: math.fsum(numbers), "sum": lambda: sum(numbers)},
    ...                 rounds=3, error=lambda a, b: abs(a - b), tolerance=1e-9, pause=0.0)
    >>> found.ratio("fsum"), found.timings["sum"].error < 1e-9
    (1.0, True)
    """
    chosen = reference or next(iter(contestants))
    firsts: dict[str, float] = {}
    results: dict[str, object] = {}
    for name, call in contestants.items():
        started = time.perf_counter()
        results[name] = call()
        if synchronize is not None:
            synchronize(results[name])
        firsts[name] = time.perf_counter() - started
    errors = _agreement(results, chosen, error, tolerance, unchecked)
    results.clear()
    calls = {}
    for name, call in contestants.items():
        seconds = math.inf
        for _ in range(max(1, warmup)):
            seconds = min(seconds, _timed(call, 1, synchronize))
        calls[name] = max(1, math.ceil(shortest_sample / max(seconds, 1e-7)))
    samples = _alternate(contestants, calls, rounds, synchronize, pause)
    timings = {
        name: Timing(name, firsts[name], tuple(samples[name]), calls[name], errors.get(name))
        for name in contestants
    }
    return Comparison(timings, chosen)


def _agreement(
    results: Mapping[str, object],
    reference: str,
    error: Callable[[object, object], float] | None,
    tolerance: float | Mapping[str, float],
    unchecked: frozenset[str],
) -> dict[str, float]:
    if error is None:
        return {}
    errors = {
        name: _error(error, result, results[reference])
        for name, result in results.items()
        if name not in unchecked
    }
    for name, found in errors.items():
        allowed = tolerance if isinstance(tolerance, int | float) else tolerance[name]
        if not found <= allowed:
            message = (
                f"{name!r} differs from {reference!r} by {found:.3g}, more than the {allowed:.3g} "
                "allowed: not timed."
            )
            raise DisagreementError(message)
    return errors


def _alternate(
    contestants: Mapping[str, Contestant],
    calls: Mapping[str, int],
    rounds: int,
    synchronize: Callable[[object], object] | None,
    pause: float,
) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for _ in range(max(1, rounds)):
            for name, call in contestants.items():
                if pause:
                    time.sleep(pause)
                samples[name].append(_timed(call, calls[name], synchronize))
            gc.collect()
    finally:
        if was_enabled:
            gc.enable()
    return samples
