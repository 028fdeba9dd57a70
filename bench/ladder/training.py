"""Training cases: a whole logistic fit on each backend, and by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from ..peers import fit_ours_on, has, quiet
from .case import Contestant

# Tight enough that the fits agree to the tolerance of their case.
TOL = 1e-9


def fit_on(name: str, precision: Callable[[], Any] = nullcontext) -> Callable[..., Contestant]:
    """xpfit.LogisticRegression on one backend."""

    def prepare(X: Any, y: Any) -> Contestant:
        def run() -> Any:
            with precision():
                model = fit_ours_on(name, X, y, tol=TOL)
            return model.coef_.ravel(), model.intercept_

        return run

    return prepare


def sklearn_fit(X: Any, y: Any) -> Contestant | None:
    """scikit-learn's LogisticRegression with lbfgs, to the same tolerance."""
    if not has("sklearn"):
        return None
    from sklearn.linear_model import LogisticRegression

    def run() -> Any:
        with quiet():
            model = LogisticRegression(tol=TOL, max_iter=10_000).fit(X, y)
        return model.coef_.ravel(), model.intercept_

    return run
