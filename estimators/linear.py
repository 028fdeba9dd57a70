"""Ordinary least squares: `LinearRegression`."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from ._base import OUR_CONSTRAINTS, STANDARDIZE_CONSTRAINT
from ._least_squares import LeastSquares, reject_positive


class LinearRegression(LeastSquares):
    """Ordinary least squares.

    minimize over coef, intercept: sum_i w_i (y_i - x_i coef - intercept)²

    Where columns are collinear, or are more than the rows, the answer is the one with the
    smallest ||coef|| among those that fit equally well.

    Parameters
    ----------
    fit_intercept : bool, default=True
    copy_X : bool, default=True
        Accepted for scikit-learn's sake. X is never written to and never copied.
    tol : float, default=1e-5
        An iterative solver stops at max(abs(gradient)) <= tol; the exact one has no use for it.
    n_jobs : int, default=None
        Accepted, without effect: threads belong to the backend.
    positive : bool, default=False
        True is an error; see `sklearn.linear_model.LinearRegression`.
    backend : {"numpy", "numba", "jax", "cupy", "auto"} or None, default=None
        None leaves it to the arrays, `use_backend`, XPFIT_BACKEND, then "auto".
    standardize : bool, default=False
        Solve for centred columns of unit variance, as algebra; coefficients are for X as given.
    callbacks : callable, list of callables or None, default=None
        Each is called with an IterationRecord; one that returns True ends the fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
    intercept_ : float or ndarray of shape (n_targets,)
    n_features_in_, feature_names_in_
        As in scikit-learn.
    backend_, solver_, stop_reason_ : str
    n_iter_, n_passes_ : int
        Iterations, and reads of X.
    loss_history_ : ndarray
        Cost at the start and after each iteration: weighted mean of half the squared error.
    gradient_norm_ : float
    result_ : SolverResult

    Raises
    ------
    ValueError
        For bad shapes, NaN or infinity (columns are named), bad weights.
    MixedBackendError
        For X, y and weights on different devices.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import LinearRegression
    >>> X = np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 2.0], [2.0, 3.0]])
    >>> model = LinearRegression().fit(X, X @ [1.0, 2.0] + 3.0)
    >>> model.coef_.round(6).tolist(), round(float(model.intercept_), 6)
    ([1.0, 2.0], 3.0)
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [None, Integral],
        "positive": ["boolean"],
        **STANDARDIZE_CONSTRAINT,
        **OUR_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-5,
        n_jobs: int | None = None,
        positive: bool = False,
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive
        self.backend = backend
        self.standardize = standardize
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearRegression:
        """Fit to X of shape (n_samples, n_features) and y of shape (n_samples[, n_targets]).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,) or None
        """
        reject_positive(self)
        self._fit_least_squares(X, y, sample_weight, alpha=0.0, solver="auto", max_iter=100)
        return self
