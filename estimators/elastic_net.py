"""Least squares with an L1 penalty: `Lasso` and `ElasticNet`."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import MultiOutputMixin, _fit_context
from sklearn.utils._param_validation import Interval

from ..core.fit import LinearFit, fit_linear_model
from ..core.fit_sparse import fit_sparse_model
from ._base import (
    OUR_CONSTRAINTS,
    STANDARDIZE_CONSTRAINT,
    LinearEstimator,
    LinearRegressorMixin,
)
from ._constraints import OneOf
from ._fit_data import FitData, fit_options, read_regression
from ._least_squares import reject_positive, set_fits


class ElasticNet(MultiOutputMixin, LinearRegressorMixin, LinearEstimator):
    """Least squares with an L1 and an L2 penalty: coefficients that do not help are exact zeros.

    minimize over coef, intercept: 0.5 * sum_i w_i (y_i - x_i coef - intercept)² / sum_i w_i
    + alpha * l1_ratio * sum(abs(coef)) + 0.5 * alpha * (1 - l1_ratio) * ||coef||²

    Solved by proximal Newton: one Gram matrix where columns are few, working sets of columns
    where they are many. X is never written to and, but for such columns, never copied.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of both penalties together; 0 is `LinearRegression`.
    l1_ratio : float, default=0.5
        Share of the L1 penalty; 0 is ridge regression.
    fit_intercept : bool, default=True
    precompute : bool or array, default=False
        Accepted, without effect: Gram matrices are formed where they help.
    max_iter : int, default=1000
    copy_X : bool, default=True
        Accepted, without effect.
    tol : float, default=1e-5
        Stop once no condition of optimality is violated by more than this share of the least
        `alpha * l1_ratio` that leaves no coefficient: the units of X and y do not matter.
        (scikit-learn: 1e-4, of the duality gap over ||y||².)
    warm_start : bool, default=False
        Begin at the previous fit's coefficients.
    positive : bool, default=False
        True is an error; see `sklearn.linear_model`.
    random_state : int, RandomState or None, default=None
        Accepted, without effect: no random numbers are drawn.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted, without effect.
    backend, standardize, callbacks
        As in `LinearRegression`. `standardize=True` penalises the coefficients of the
        standardized columns.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
    sparse_coef_ : scipy.sparse.csr_matrix of shape (n_targets, n_features)
    intercept_ : float or ndarray of shape (n_targets,)
    dual_gap_ : float or ndarray of shape (n_targets,)
        The certificate: the cost is at most this far above its minimum. NaN without an L1 penalty.
    n_features_in_, feature_names_in_, backend_, solver_, n_iter_, n_passes_, loss_history_, \
    gradient_norm_, stop_reason_, result_
        As in `LinearRegression`; `gradient_norm_` is the largest violation of the conditions.

    Raises
    ------
    ValueError, MixedBackendError
        As in `LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import ElasticNet
    >>> X = np.array([[-1.0, 1.0], [0.0, -2.0], [1.0, 1.0]])
    >>> model = ElasticNet(alpha=0.4).fit(X, np.array([-2.0, 0.0, 2.0]))
    >>> model.coef_.round(6).tolist(), bool(abs(model.dual_gap_) < 1e-12)
    ([1.307692, 0.0], True)
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "precompute": ["boolean", "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "selection": [OneOf({"cyclic", "random"})],
        **STANDARDIZE_CONSTRAINT,
        **OUR_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int = 1000,
        copy_X: bool = True,
        tol: float = 1e-5,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.backend = backend
        self.standardize = standardize
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit to X of shape (n_samples, n_features) and y of shape (n_samples[, n_targets]).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,) or None
        """
        reject_positive(self)
        return self._fit_on(read_regression(self, X, y, sample_weight))

    def _fit_on(self, data: FitData) -> Any:
        targets = data.y if data.y.ndim == 2 else data.y[:, None]
        W_start, b_start = self._start(data.X, targets.shape[1])
        fits = []
        for k in range(targets.shape[1]):
            start = (None, None) if W_start is None else (W_start[:, k : k + 1], b_start[k : k + 1])
            fits.append(self._fit_target(replace(data, y=targets[:, k]), start))
        single = data.y.ndim == 1
        set_fits(self, fits, data.backend, single=single)
        gaps = [fit.result.duality_gap for fit in fits]
        gaps = np.asarray([np.nan if gap is None else gap for gap in gaps])
        self.dual_gap_: Any = np.float64(gaps[0]) if single else gaps
        return self

    def _fit_target(self, data: FitData, start: tuple[Any, Any]) -> LinearFit:
        options = fit_options(self, data)
        options["l2_reg_strength"] = float(self.alpha * (1.0 - self._share()))
        l1 = float(self.alpha * self._share())
        if l1 == 0.0:
            return fit_linear_model(data.X, data.y, **options)
        return fit_sparse_model(
            data.X, data.y, l1_reg_strength=l1, W_start=start[0], b_start=start[1],
            relative_tol=True, **options,
        )  # fmt: skip

    def _share(self) -> float:
        return float(self.l1_ratio)

    @property
    def sparse_coef_(self) -> csr_matrix:
        """`coef_` as a sparse matrix."""
        return csr_matrix(self.coef_)


class Lasso(ElasticNet):
    """Least squares with an L1 penalty: coefficients that do not help are exact zeros.

    minimize over coef, intercept: 0.5 * sum_i w_i (y_i - x_i coef - intercept)² / sum_i w_i
    + alpha * sum(abs(coef))

    Parameters
    ----------
    alpha : float, default=1.0
    fit_intercept, precompute, copy_X, max_iter, tol, warm_start, positive, random_state, \
    selection, backend, standardize, callbacks
        As in `ElasticNet`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, n_features_in_, feature_names_in_, backend_, \
    solver_, n_iter_, n_passes_, loss_history_, gradient_norm_, stop_reason_, result_
        As in `ElasticNet`.

    Raises
    ------
    ValueError, MixedBackendError
        As in `LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import Lasso
    >>> X = np.array([[-1.0, 1.0], [0.0, -2.0], [1.0, 1.0]])
    >>> Lasso(alpha=0.2).fit(X, np.array([-2.0, 0.0, 2.0])).coef_.round(6).tolist()
    [1.7, 0.0]
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        name: kinds
        for name, kinds in ElasticNet._parameter_constraints.items()
        if name != "l1_ratio"
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-5,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        super().__init__(
            alpha=alpha, fit_intercept=fit_intercept, precompute=precompute, max_iter=max_iter,
            copy_X=copy_X, tol=tol, warm_start=warm_start, positive=positive,
            random_state=random_state, selection=selection, backend=backend,
            standardize=standardize, callbacks=callbacks,
        )  # fmt: skip
        del self.l1_ratio

    def _share(self) -> float:
        return 1.0
