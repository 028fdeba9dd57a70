"""L1 fits by us and by others, each as a function of its tolerance; the penalty is ours.

minimize  mean_i loss(y_i, x_i w + b) + l1_reg_strength * ||w||_1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .peers import MANY_ITERATIONS, Matrix, Model, quiet

SparseFit = Callable[[Any, Matrix, float, float], Model]
OURS = "xpfit"


class Peer(NamedTuple):
    """A contestant."""

    library: str  # to be installed
    fit: SparseFit
    with_intercept: bool


def _model(estimator: Any) -> Model:
    W = np.ravel(np.asarray(estimator.coef_, dtype=np.float64))[:, None]
    b = np.ravel(np.asarray(estimator.intercept_, dtype=np.float64))
    return Model(W, b if b.shape[0] else np.zeros(1), estimator)


def _fitted(estimator: Any, X: Any, y: Matrix) -> Model:
    with quiet():
        return _model(estimator.fit(X, y))


def fit_ours(X: Any, y: Matrix, l1_reg_strength: float, tol: float, *, intercept: bool) -> Model:
    """xpfit.LogisticRegression on Numba."""
    from ..estimators import LogisticRegression

    C = 1.0 / (l1_reg_strength * X.shape[0])
    model = LogisticRegression(
        C=C, l1_ratio=1.0, tol=tol, max_iter=1000, fit_intercept=intercept, backend="numba"
    )
    return _fitted(model, X, y)


def fit_sklearn(solver: str, *, intercept: bool) -> SparseFit:
    """scikit-learn's LogisticRegression with the given solver."""

    def fit(X: Any, y: Matrix, l1_reg_strength: float, tol: float) -> Model:
        from sklearn.linear_model import LogisticRegression

        C = 1.0 / (l1_reg_strength * X.shape[0])
        model = LogisticRegression(
            C=C, l1_ratio=1.0, solver=solver, tol=tol, max_iter=MANY_ITERATIONS,
            fit_intercept=intercept, random_state=0,
        )  # fmt: skip
        return _fitted(model, X, y)

    return fit


def fit_celer(X: Any, y: Matrix, l1_reg_strength: float, tol: float) -> Model:
    """celer.LogisticRegression, which has no intercept."""
    from celer import LogisticRegression

    C = 1.0 / (l1_reg_strength * X.shape[0])
    model = LogisticRegression(C=C, tol=tol, fit_intercept=False, max_iter=1000)
    return _fitted(model, X, y)


def fit_skglm(X: Any, y: Matrix, l1_reg_strength: float, tol: float) -> Model:
    """skglm: the logistic datafit, L1, and its proximal Newton solver."""
    from skglm import GeneralizedLinearEstimator
    from skglm.datafits import Logistic
    from skglm.penalties import L1
    from skglm.solvers import ProxNewton

    solver = ProxNewton(tol=tol, fit_intercept=True, max_iter=1000)
    model = GeneralizedLinearEstimator(Logistic(), L1(l1_reg_strength), solver)
    return _fitted(model, X, 2.0 * y - 1.0)


LOGISTIC_PEERS = {
    "skglm": Peer("skglm", fit_skglm, with_intercept=True),
    "scikit-learn saga": Peer("sklearn", fit_sklearn("saga", intercept=True), with_intercept=True),
    "celer": Peer("celer", fit_celer, with_intercept=False),
    "scikit-learn liblinear": Peer(
        "sklearn", fit_sklearn("liblinear", intercept=False), with_intercept=False
    ),
}


def fit_lasso(library: str) -> SparseFit:
    """`Lasso` of a library; all of them have the same parameters."""

    def fit(X: Any, y: Matrix, l1_reg_strength: float, tol: float) -> Model:
        import importlib

        name = {OURS: f"{__package__.rpartition('.')[0]}.estimators"}.get(library, library)
        options: dict[str, Any] = {"max_iter": MANY_ITERATIONS}
        if library == OURS:
            options = {"max_iter": 1000, "backend": "numba"}
        model = importlib.import_module(name).Lasso(alpha=l1_reg_strength, tol=tol, **options)
        return _fitted(model, X, y)

    return fit


LASSO_PEERS = {
    "scikit-learn": Peer("sklearn", fit_lasso("sklearn.linear_model"), with_intercept=True),
    "celer": Peer("celer", fit_lasso("celer"), with_intercept=True),
    "skglm": Peer("skglm", fit_lasso("skglm"), with_intercept=True),
}
