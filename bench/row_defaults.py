"""Row `defaults`: LogisticRegression() of both libraries, nothing set, on every data set there is.

Both minimize mean loss + ||W||^2 / (2 n), each as far as its own defaults go; the same function
evaluates both ends.
"""

from __future__ import annotations

import math
import statistics
from functools import partial
from itertools import islice
from typing import Any

from .figures import Row
from .peers import Model, fit_ours_by_default, fit_sklearn_by_default, objective_value
from .problems import Problem, bundled_sets, classification_sets, data_folder
from .sizes import Size, pause_for
from .timing import Comparison, compare

KEY = "defaults"
OURS, PEER = "xpfit", "scikit-learn"
# By how much our objective may lie above scikit-learn's.
AS_GOOD = 1e-9
# Rounds fill about this many seconds, within these bounds.
SECONDS, LEAST_ROUNDS, MOST_ROUNDS = 4.0, 5, 31


def _rounds(size: Size, asked: int | None, seconds_per_round: float) -> int:
    if asked is not None:
        return asked
    if size == "tiny":
        return 1
    return min(MOST_ROUNDS, max(LEAST_ROUNDS, math.ceil(SECONDS / seconds_per_round)))


def _difference(model: object, reference: object, problem: Problem) -> float:
    # Agreement means here: no worse than scikit-learn's objective.
    assert isinstance(model, Model)
    assert isinstance(reference, Model)
    l2 = 1.0 / problem.X.shape[0]
    ours, theirs = (objective_value(problem.X, problem.y, m, l2) for m in (model, reference))
    return ours - theirs


def compare_defaults(
    problem: Problem, size: Size, rounds: int | None = None
) -> tuple[Comparison, float, str]:
    """Times of both defaults on one set, our objective less scikit-learn's, and our backend."""
    fits = {
        OURS: partial(fit_ours_by_default, problem.X, problem.y),
        PEER: partial(fit_sklearn_by_default, problem.X, problem.y),
    }
    ours, theirs = fits[OURS](), fits[PEER]()  # loads and compiles; the second call is the usual
    difference = _difference(ours, theirs, problem)
    quick = compare(fits, rounds=1, pause=0.0, shortest_sample=0.0)
    per_round = sum(timing.median for timing in quick.timings.values())
    found = compare(
        fits, rounds=_rounds(size, rounds, per_round), reference=PEER, pause=pause_for(size),
        # A tie in the objective is no condition of the time: the row states both.
        error=lambda model, reference: max(0.0, _difference(model, reference, problem)),
        tolerance=math.inf,
    )  # fmt: skip
    return found, difference, str(ours.fitted.backend_)


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    row = Row(
        KEY,
        "LogisticRegression() of both libraries, all defaults; time of ours / scikit-learn's and "
        "objective of ours - scikit-learn's",
    )
    if size == "full" and data_folder() is None:
        message = "The data sets are not here. Set XPFIT_SHARED_DATA to their folder."
        raise FileNotFoundError(message)
    times: dict[str, float] = {}
    differences: dict[str, float] = {}
    for problem in classification_sets() if size == "full" else islice(bundled_sets(), 2):
        found, difference, backend = compare_defaults(problem, size, rounds)
        n_samples, n_features = problem.X.shape
        times[problem.name], differences[problem.name] = found.ratio(OURS), difference
        row.add_detail(f"{problem.name}: time / scikit-learn", found.ratio(OURS), 1.0)
        row.add_detail(f"{problem.name}: objective - scikit-learn's", difference, AS_GOOD, unit="")
        row.keep(problem.name, found)
        row.notes.append(
            f"{problem.name}: {n_samples:,} x {n_features}, {problem.n_classes} classes, "
            f"backend {backend}; {found.median(OURS):.3g} s against {found.median(PEER):.3g} s."
        )
    slowest, worst = (
        max(times, key=times.__getitem__),
        max(differences, key=differences.__getitem__),
    )
    row.add(f"largest of {len(times)} time ratios ({slowest})", times[slowest], 1.0)
    row.add("median of the time ratios", statistics.median(times.values()))
    row.add(f"largest objective difference ({worst})", differences[worst], AS_GOOD, unit="")
    return row.as_dict()
