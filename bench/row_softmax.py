"""Row `softmax`: MNIST to f - f* < 1e-6, ours on the bytes as they are stored.

The objective is the mean loss on X / 255 plus 0.5 * lambda * ||W||^2. Ours never divides: with
raw bytes, coefficients are 255 times smaller, so the same penalty is lambda * 255**2.
"""

from __future__ import annotations

from typing import Any

from .figures import Row
from .peers import MANY_ITERATIONS, Model, fit_ours, fit_sklearn, objective_value
from .problems import Problem, digits_as_bytes, mnist_rows
from .row_logistic import passes_until_good
from .sizes import Size, pause_for, rounds_for
from .tolerance import Fit, race

KEY = "softmax"
ROWS = {"tiny": 300, "full": 20_000}
SCALE = 255.0
L2 = 1e-4
ACCURACY = 1e-6
OURS, PEER = "xpfit, uint8", "scikit-learn lbfgs, float64 X / 255"
LEAST_SPEEDUP = 6.0


def _problem(size: Size) -> Problem:
    if size == "full":
        problem = mnist_rows(ROWS[size])
        if problem is None:
            message = "MNIST is not here. Set XPFIT_SHARED_DATA to the folder with mnist.npz."
            raise FileNotFoundError(message)
        return problem
    digits = digits_as_bytes()
    return digits._replace(X=digits.X[: ROWS[size]], y=digits.y[: ROWS[size]])


def contestants(problem: Problem) -> dict[str, Fit]:
    """Both fits as functions of their tolerance; their coefficients are for X / 255."""
    scaled = problem.X / SCALE
    lbfgs = fit_sklearn("lbfgs")

    def ours(tol: float) -> Model:
        model = fit_ours(problem.X, problem.y, L2 * SCALE**2, tol)
        return model._replace(W=model.W * SCALE)

    return {OURS: ours, PEER: lambda tol: lbfgs(scaled, problem.y, L2, tol)}


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    problem = _problem(size)
    n_samples, n_features = problem.X.shape
    row = Row(
        KEY,
        f"softmax on {problem.name}, {n_samples:,} x {n_features} uint8 scaled by 1/255, "
        f"{problem.n_classes} classes, lambda = {L2:g}, to f - f* < {ACCURACY:g}",
        notes=[f"max_iter is {MANY_ITERATIONS:,} for scikit-learn: its tolerance ends the fit."],
    )
    fits = contestants(problem)
    outcome = race(
        fits, lambda model: objective_value(problem.X, problem.y, model, L2, SCALE),
        ours=OURS, tightest={OURS: 1e-7}, accuracy=ACCURACY,
        rounds=rounds_for(size, rounds, 3), pause=pause_for(size),
    )  # fmt: skip
    result = fits[OURS](outcome.found[OURS].tol).fitted.result_
    if PEER in outcome.seconds:
        ratio = outcome.seconds[PEER] / outcome.seconds[OURS]
        row.add("time of scikit-learn's lbfgs / ours", ratio, LEAST_SPEEDUP, sense=">=")
    until_good = passes_until_good(result, outcome.smallest, ACCURACY)
    row.add(f"passes to f - f* < {ACCURACY:g}", until_good, unit="passes")
    row.add("passes of the whole fit", float(result.n_passes), unit="passes")
    row.keep("fit", outcome.comparison)
    row.comparisons["tolerances"] = {name: f.as_dict() for name, f in outcome.found.items()}
    row.notes += outcome.notes()
    return row.as_dict()
