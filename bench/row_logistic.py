"""Row `logistic`: whole logistic fits to f - f* < 1e-8, against scikit-learn's solvers and glum."""

from __future__ import annotations

from functools import partial
from typing import Any

from .figures import Row
from .peers import fit_glum, fit_ours, fit_sklearn, has, missing_note, objective_value
from .problems import Problem, logistic_problem
from .sizes import Size, pause_for, rounds_for
from .tolerance import Fit, Race, race

KEY = "logistic"
# (n_samples, n_features, condition number of X)
SHAPES = {
    "tiny": ((2_000, 8, 1e2),),
    "full": ((300_000, 64, 1e4), (100_000, 300, 1e2)),
}
ACCURACY = 1e-8
OURS = "xpfit"
MOST_PASSES, LEAST_SPEEDUP = 15, 4.0
SOLVERS = ("newton-cholesky", "newton-cg", "lbfgs")


def contestants(problem: Problem, l2_reg_strength: float) -> dict[str, Fit]:
    """Every fit as a function of its tolerance, those expected to be fast first."""
    fits = {OURS: fit_ours}
    if has("glum"):
        fits["glum"] = fit_glum
    fits |= {f"scikit-learn {solver}": fit_sklearn(solver) for solver in SOLVERS}
    return {name: partial(fit, problem.X, problem.y, l2_reg_strength) for name, fit in fits.items()}


def passes_until_good(result: Any, smallest: float, accuracy: float = ACCURACY) -> float:
    """Passes over the data at the first iteration whose cost is good enough, else of the fit.

    (The coefficients that a softmax fit returns can be good enough where no cost in its history
    is: what all classes share is taken out at the end, which lowers the penalty.)
    """
    for record in result.history:
        if record.loss - smallest < accuracy:
            return float(record.n_passes)
    return float(result.n_passes)


def run_race(problem: Problem, size: Size, rounds: int | None) -> tuple[Race, float, float]:
    """The race, our passes until the objective is good enough, and passes of that whole fit."""
    l2 = 1.0 / problem.X.shape[0]
    fits = contestants(problem, l2)
    outcome = race(
        fits, lambda model: objective_value(problem.X, problem.y, model, l2),
        ours=OURS, tightest={OURS: 1e-11, "scikit-learn newton-cholesky": 1e-12},
        accuracy=ACCURACY, rounds=rounds_for(size, rounds, 5), pause=pause_for(size),
    )  # fmt: skip
    result = fits[OURS](outcome.found[OURS].tol).fitted.result_
    until_good = passes_until_good(result, outcome.smallest)
    return outcome, until_good, float(result.n_passes)


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    row = Row(
        KEY,
        f"whole logistic fit to f - f* < {ACCURACY:g}, l2 = 1/n, each contestant at its loosest "
        "sufficient tolerance",
        notes=[
            *missing_note(("glum",)),
            "scikit-learn's sag and saga are left out: to this accuracy they take thousands of "
            "epochs on columns that are not of one scale.",
        ],
    )
    for n_samples, n_features, condition in SHAPES[size]:
        problem = logistic_problem(n_samples, n_features, condition)
        outcome, until_good, passes = run_race(problem, size, rounds)
        name = f"{n_samples:,} x {n_features}, condition {condition:g}"
        peers = {key: value for key, value in outcome.seconds.items() if key != OURS}
        fastest = min(peers, key=lambda key: peers[key])
        ours = outcome.seconds[OURS]
        row.add(f"{name}: passes to f - f* < {ACCURACY:g}", until_good, MOST_PASSES, unit="passes")
        row.add(f"{name}: passes of the whole fit", passes, unit="passes")
        row.add(
            f"{name}: fastest peer / ours ({fastest})", peers[fastest] / ours,
            LEAST_SPEEDUP, sense=">=",
        )  # fmt: skip
        for peer, seconds in peers.items():
            if peer != fastest:
                row.add(f"{name}: {peer} / ours", seconds / ours, sense=">=")
        row.keep(name, outcome.comparison)
        row.comparisons[f"{name}, tolerances"] = {
            key: found.as_dict() for key, found in outcome.found.items()
        }
        row.notes += [f"{name}. {line}" for line in outcome.notes()]
    return row.as_dict()
