"""Paths of L1 penalties by other libraries; the strengths are ours, beside a mean of losses.

minimize  mean_i loss(y_i, x_i w) + strength * ||w||_1,  y in {0, 1}, for descending strengths
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .peers import MANY_ITERATIONS, Matrix, quiet

# X by columns, y, strengths, tol, logistic -> (n_features, n_strengths)
PathFit = Callable[[Any, Matrix, Matrix, float, bool], Matrix]


class Peer(NamedTuple):
    """A contestant."""

    library: str  # to be installed
    fit: PathFit
    logistic: bool  # whether it has that loss too


def by_columns(X: Any) -> Any:
    """As the peers ask for it; converting is not timed."""
    return X.tocsc() if hasattr(X, "tocsc") else np.asfortranarray(X)


def fit_sklearn(X: Any, y: Matrix, strengths: Matrix, tol: float, logistic: bool) -> Matrix:
    """sklearn.linear_model.lasso_path."""
    from sklearn.linear_model import lasso_path

    assert not logistic
    with quiet():
        _, W, _ = lasso_path(X, y, alphas=strengths, tol=tol, max_iter=MANY_ITERATIONS)
    return np.asarray(W)


def fit_celer(X: Any, y: Matrix, strengths: Matrix, tol: float, logistic: bool) -> Matrix:
    """celer.celer_path."""
    from celer import celer_path

    with quiet():
        found = celer_path(
            X, 2.0 * y - 1.0 if logistic else y, "logreg" if logistic else "lasso",
            alphas=strengths * (X.shape[0] if logistic else 1.0), tol=tol, max_iter=1000,
            use_PN=logistic,
        )  # fmt: skip
    return np.asarray(found[1])


def fit_skglm(X: Any, y: Matrix, strengths: Matrix, tol: float, logistic: bool) -> Matrix:
    """skglm: its path for the squared error, warm-started proximal Newton for logistic."""
    from skglm.datafits import Logistic, Quadratic
    from skglm.penalties import L1
    from skglm.solvers import AndersonCD, ProxNewton

    W: list[Matrix] = []
    with quiet():
        if not logistic:
            cd = AndersonCD(tol=tol, fit_intercept=False, max_iter=1000)
            return np.asarray(cd.path(X, y, Quadratic(), L1(1.0), alphas=strengths)[1])
        solver = ProxNewton(tol=tol, fit_intercept=False, max_iter=1000)
        w = np.zeros(X.shape[1])
        for strength in strengths.tolist():
            start = {"w_init": w.copy(), "Xw_init": np.asarray(X @ w)}
            w = solver.solve(X, 2.0 * y - 1.0, Logistic(), L1(strength), **start)[0]
            W.append(w.copy())
    return np.stack(W, axis=1)


PEERS = {
    "scikit-learn lasso_path": Peer("sklearn", fit_sklearn, logistic=False),
    "celer": Peer("celer", fit_celer, logistic=True),
    "skglm": Peer("skglm", fit_skglm, logistic=True),
}
