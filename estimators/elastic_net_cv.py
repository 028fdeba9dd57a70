"""Least squares with an L1 penalty whose strength cross-validation chooses.

It is longer than other files: scikit-learn's protocol wants every parameter spelt out three times.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from ..core.cross_validation import fold_errors, fold_paths, largest_strength
from ..core.fold_gram import FoldGrams, read_fold_grams
from ..core.folds import Fold
from ..core.path import SMALLEST_STRENGTH
from ._base import (
    OUR_CONSTRAINTS,
    STANDARDIZE_CONSTRAINT,
    LinearEstimator,
    LinearRegressorMixin,
)
from ._constraints import OneOf
from ._cross_validation import (
    CrossValidatedMixin,
    Outcome,
    adopt,
    check_scores,
    model_like,
    n_common,
    outcome_of,
)
from ._fit_data import FitData, fit_options, read_regression
from ._inputs import name_of, to_host
from ._least_squares import reject_positive
from ._strengths import checked_values, warn_unconverged
from .elastic_net import ElasticNet, Lasso


class _Search(NamedTuple):
    """What is the same for every path of every fold."""

    data: FitData
    folds: list[Fold]
    options: dict[str, Any]
    grams: FoldGrams | None

    def follow(self, ratio: float, alphas: Any) -> tuple[list[Any], list[Outcome]]:
        """Errors on held-out rows, for each fold, and how its path went."""
        data, errors, outcomes = self.data, [], []
        paths = fold_paths(
            data.X, data.y, self.folds, strengths=alphas, l1_ratio=ratio, relative_tol=True,
            grams=self.grams, **self.options,
        )  # fmt: skip
        for number in range(len(self.folds)):
            path = next(paths)
            errors.append(fold_errors(
                data.X, data.y, path, self.folds, number, backend=data.backend,
                sample_weight=data.weight, grams=self.grams,
            ))  # fmt: skip
            outcomes.append(outcome_of(path))
            del path  # before the next is fitted
        return errors, outcomes


class ElasticNetCV(CrossValidatedMixin, LinearRegressorMixin, LinearEstimator):
    """`ElasticNet` whose alpha, and l1_ratio of several, cross-validation chooses.

    X stays where it is and is not copied: where each row is held out once, one read gives what the
    paths of all folds need; else each is fitted on the same X with weight 0 for its held-out rows.
    The alpha of the least mean squared error on held-out rows,
    averaged over folds, is fitted to all rows.

    Parameters
    ----------
    l1_ratio : float or list of floats, default=0.5
        Share of the L1 penalty; of several the best is taken. 0 needs `alphas`.
    eps : float, default=1e-3
        Smallest alpha as a share of the largest, which is the least that leaves no coefficient.
    alphas : int or array-like, default=100
        How many alphas, evenly spaced in their logarithm, or the alphas themselves, positive, in
        any order.
    fit_intercept : bool, default=True
    precompute : "auto", bool or array, default="auto"
        Accepted, without effect: Gram matrices are formed where they help.
    max_iter : int, default=1000
    tol : float, default=1e-5
        As in `ElasticNet`, of every fit.
    cv : int, splitter or iterable of (train, test), default=None
        None is 5 folds of consecutive rows.
    copy_X : bool, default=True
        Accepted, without effect.
    verbose : int, default=0
        1 prints a line per strength.
    n_jobs : int, default=None
        Accepted, without effect: fits use the threads of their backend.
    positive : bool, default=False
        True is an error; see `sklearn.linear_model`.
    random_state, selection
        Accepted, without effect.
    backend, standardize
        As in `ElasticNet`. The moments of columns are those of a fold's training rows.
    callbacks : callable, list of callables or None, default=None
        Called for each strength of each fold, then for each iteration of the last fit. One that
        returns True ends the path of its fold: alphas that a fold has not reached are left out.

    Attributes
    ----------
    alpha_ : float
    l1_ratio_ : float
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        Descending.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
    coef_, sparse_coef_, intercept_, dual_gap_, n_features_in_, feature_names_in_, backend_, \
    solver_, n_iter_, loss_history_, gradient_norm_, stop_reason_, result_
        As in `ElasticNet`, of the last fit, which is to all rows.
    n_passes_ : int
        Reads of X by the fits of all folds, and the last.

    Raises
    ------
    ValueError, MixedBackendError
        As in `ElasticNet`; for alphas that are not positive; for what the splitter refuses.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from xpfit import ElasticNetCV
    >>> model = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=20).fit(*load_diabetes(return_X_y=True))
    >>> model.l1_ratio_, round(model.alpha_, 4), model.mse_path_.shape
    (1.0, 0.0031, (2, 20, 5))
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "fit_intercept": ["boolean"],
        "precompute": [OneOf({"auto"}), "array-like", "boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "cv": ["cv_object"],
        "copy_X": ["boolean"],
        "verbose": ["verbose"],
        "n_jobs": [Integral, None],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "selection": [OneOf({"cyclic", "random"})],
        **STANDARDIZE_CONSTRAINT,
        **OUR_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-5,
        cv: Any = None,
        copy_X: bool = True,
        verbose: int = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.backend = backend
        self.standardize = standardize
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Any:
        """Choose the penalty by cross-validation, and fit to all rows with it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
            Of the fits and of the squared errors of each fold; folds count the same.
        **params : dict
            For the splitter, such as groups, where scikit-learn's metadata routing is enabled.
        """
        reject_positive(self)
        for_splitter, _ = self._routed(params, sample_weight)
        data = read_regression(self, X, y, sample_weight, multi_output=False)
        folds = self._folds(X, np.asarray(to_host(data.y)), for_splitter)
        options = fit_options(self, data)
        grams = read_fold_grams(data.X, data.y, folds, **_of_the_data(options))
        grid = self._grid(data, options, grams)
        search = _Search(data, folds, options, grams)
        found, gone = zip(*(search.follow(*path) for path in grid), strict=True)
        outcomes = [outcome for of_ratio in gone for outcome in of_ratio]
        n_alphas = n_common(outcomes)
        errors = np.asarray([[e[:n_alphas] for e in of_ratio] for of_ratio in found])
        check_scores(self, errors.swapaxes(0, 1))
        alphas = np.asarray([alphas[:n_alphas] for _, alphas in grid])
        best = np.unravel_index(np.argmin(errors.mean(axis=1)), alphas.shape)
        self._refit(data, float(alphas[best]), float(grid[best[0]][0]))
        # Alphas that were given are the same for every ratio.
        self.alphas_ = alphas[0] if len(grid) == 1 or not self._is_counted() else alphas
        self.mse_path_ = np.squeeze(np.moveaxis(errors, 2, 1))
        self.n_passes_ += 0 if grams is None else grams.n_passes
        self.n_passes_ += sum(outcome.n_passes for outcome in outcomes)
        reasons = [(outcome.strengths, outcome.stop_reasons) for outcome in outcomes]
        warn_unconverged(name_of(self), "alpha", reasons)
        return self

    def _is_counted(self) -> bool:
        return isinstance(self.alphas, Integral)

    def _grid(
        self, data: FitData, options: dict[str, Any], grams: FoldGrams | None
    ) -> list[tuple[float, Any]]:
        """(l1_ratio, alphas descending) of each path."""
        ratios = self._ratios()
        if not self._is_counted():
            alphas = checked_values(self.alphas, f"{name_of(self)}: alphas")[::-1].copy()
            return [(ratio, alphas) for ratio in ratios]
        if not all(ratios):
            message = (
                f"{name_of(self)}(l1_ratio=0): no alpha leaves no coefficient, from which a grid "
                "could begin. Pass alphas as a list."
            )
            raise ValueError(message)
        if grams is None:
            alone = {**_of_the_data(options), "tol": self.tol}
            largest = largest_strength(data.X, data.y, **alone)
        else:
            largest = grams.largest_strength()
        ends = [max(largest / ratio, SMALLEST_STRENGTH) for ratio in ratios]
        return [
            (ratio, np.geomspace(end, self.eps * end, self.alphas))
            for ratio, end in zip(ratios, ends, strict=True)
        ]

    def _ratios(self) -> list[float]:
        ratios = np.atleast_1d(np.asarray(self.l1_ratio, dtype=np.float64))
        if ratios.ndim != 1 or not ratios.size or not ((ratios >= 0) & (ratios <= 1)).all():
            message = (
                f"{name_of(self)}: l1_ratio is {self.l1_ratio!r}. Pass a number between 0 and 1, "
                "or a list of such."
            )
            raise ValueError(message)
        return [float(ratio) for ratio in ratios]

    def _refit(self, data: FitData, alpha: float, l1_ratio: float) -> None:
        adopt(self, model_like(self, ElasticNet, alpha=alpha, l1_ratio=l1_ratio)._fit_on(data))
        self.alpha_, self.l1_ratio_ = alpha, l1_ratio

    @property
    def sparse_coef_(self) -> Any:
        """`coef_` as a sparse matrix."""
        return ElasticNet.sparse_coef_.fget(self)  # type: ignore[attr-defined]


def _of_the_data(options: dict[str, Any]) -> dict[str, Any]:
    """Of the options of a path, those that say what is read."""
    return {n: v for n, v in options.items() if n not in {"callbacks", "max_iter", "tol"}}


class LassoCV(ElasticNetCV):
    """`Lasso` whose alpha cross-validation chooses.

    Parameters
    ----------
    eps, alphas, fit_intercept, precompute, max_iter, tol, copy_X, cv, verbose, n_jobs, positive, \
    random_state, selection, backend, standardize, callbacks
        As in `ElasticNetCV`.

    Attributes
    ----------
    alpha_ : float
    alphas_ : ndarray of shape (n_alphas,)
    mse_path_ : ndarray of shape (n_alphas, n_folds)
    coef_, sparse_coef_, intercept_, dual_gap_, n_features_in_, feature_names_in_, backend_, \
    solver_, n_iter_, n_passes_, loss_history_, gradient_norm_, stop_reason_, result_
        As in `ElasticNetCV`.

    Raises
    ------
    ValueError, MixedBackendError
        As in `ElasticNetCV`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from xpfit import LassoCV
    >>> model = LassoCV(alphas=20).fit(*load_diabetes(return_X_y=True))
    >>> round(model.alpha_, 4), int((model.coef_ != 0.0).sum()), model.mse_path_.shape
    (0.0031, 9, (20, 5))
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        name: kinds
        for name, kinds in ElasticNetCV._parameter_constraints.items()
        if name != "l1_ratio"
    }

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-5,
        copy_X: bool = True,
        cv: Any = None,
        verbose: bool = False,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        super().__init__(
            eps=eps, alphas=alphas, fit_intercept=fit_intercept, precompute=precompute,
            max_iter=max_iter, tol=tol, cv=cv, copy_X=copy_X, verbose=verbose, n_jobs=n_jobs,
            positive=positive, random_state=random_state, selection=selection, backend=backend,
            standardize=standardize, callbacks=callbacks,
        )  # fmt: skip
        del self.l1_ratio

    def _ratios(self) -> list[float]:
        return [1.0]

    def _refit(self, data: FitData, alpha: float, l1_ratio: float) -> None:
        adopt(self, model_like(self, Lasso, alpha=alpha)._fit_on(data))
        self.alpha_ = alpha
