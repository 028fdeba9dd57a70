"""Least squares with an L2 penalty: `Ridge`."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from ._base import (
    ITERATION_CONSTRAINTS,
    OUR_CONSTRAINTS,
    STANDARDIZE_CONSTRAINT,
    solver_constraint,
)
from ._least_squares import LeastSquares, reject_positive

# scikit-learn's names, and ours, for the ways in which Ridge is solved.
RIDGE_SOLVERS = {
    "auto": "auto",
    "exact": "exact",
    "svd": "exact",
    "cholesky": "exact",
    "newton": "newton",
    "lbfgs": "lbfgs",
    "lsqr": "lbfgs",
    "sparse_cg": "lbfgs",
    "sag": "lbfgs",
    "saga": "lbfgs",
}


class Ridge(LeastSquares):
    """Least squares with an L2 penalty.

    minimize over coef, intercept: sum_i w_i (y_i - x_i coef - intercept)² + alpha ||coef||²

    Parameters
    ----------
    alpha : float or array of shape (n_targets,), default=1.0
    fit_intercept : bool, default=True
    copy_X : bool, default=True
        Accepted for scikit-learn's sake. X is never written to and never copied.
    max_iter : int or None, default=None
        Most iterations of an iterative solver; None is 1000.
    tol : float, default=1e-5
        An iterative solver stops at max(abs(gradient)) <= tol of the mean cost. (scikit-learn:
        1e-4, with another meaning for each solver.)
    solver : {"auto", "exact", "svd", "cholesky", "newton", "lbfgs", "lsqr", "sparse_cg", "sag", \
            "saga"}, default="auto"
        scikit-learn's names are mapped to ours, see docs/estimators.md: "svd" and "cholesky" are
        "exact"; "lsqr", "sparse_cg", "sag" and "saga" are "lbfgs". All reach the same optimum.
    positive : bool, default=False
        True is an error; see `sklearn.linear_model.Ridge`.
    random_state : int, RandomState or None, default=None
        Accepted, without effect: no solver draws random numbers that change the answer.
    backend, standardize, callbacks
        As in `LinearRegression`. `standardize=True` penalises the coefficients of the
        standardized columns.

    Attributes
    ----------
    coef_, intercept_, n_features_in_, feature_names_in_, backend_, solver_, n_iter_, n_passes_, \
    loss_history_, gradient_norm_, stop_reason_, result_
        As in `LinearRegression`; the cost includes the penalty.

    Raises
    ------
    ValueError, MixedBackendError
        As in `LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import Ridge
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> model = Ridge(alpha=2.0).fit(X, np.array([0.0, 1.0, 2.0]))
    >>> model.coef_.round(6).tolist(), round(float(model.intercept_), 6)
    ([0.5], 0.5)
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "tol": ITERATION_CONSTRAINTS["tol"],
        "solver": solver_constraint(RIDGE_SOLVERS),
        "positive": ["boolean"],
        "random_state": ["random_state"],
        **STANDARDIZE_CONSTRAINT,
        **OUR_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-5,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.backend = backend
        self.standardize = standardize
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Ridge:
        """Fit to X of shape (n_samples, n_features) and y of shape (n_samples[, n_targets]).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,) or None
        """
        reject_positive(self)
        max_iter = 1000 if self.max_iter is None else self.max_iter
        self._fit_least_squares(
            X, y, sample_weight,
            alpha=self.alpha, solver=RIDGE_SOLVERS[self.solver], max_iter=max_iter,
        )  # fmt: skip
        return self
