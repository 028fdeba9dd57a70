"""Least squares with an L2 penalty whose strength cross-validation chooses: `RidgeCV`."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import _fit_context
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval

from ..core.cross_validation import fold_paths
from ..core.path_point import PathFit
from ..core.solvers.leave_one_out import leave_one_out
from ._base import OUR_CONSTRAINTS, STANDARDIZE_CONSTRAINT
from ._constraints import OneOf
from ._cross_validation import (
    CrossValidatedMixin,
    HeldOut,
    Params,
    RawRegressor,
    adopt,
    check_scores,
    model_like,
    n_common,
    outcome_of,
)
from ._fit_data import FitData, fit_options, read_regression
from ._inputs import feature_names, name_of, to_host
from ._least_squares import LeastSquares
from ._strengths import checked_values, warn_unconverged
from .ridge import Ridge

Matrix = np.ndarray[Any, Any]


class _Found(NamedTuple):
    """What cross-validation says of each alpha."""

    scores: Matrix  # (n_alphas,), or (n_alphas, n_targets) for an alpha for each
    n_passes: int
    results: Matrix | None = None  # `cv_results_`


class RidgeCV(CrossValidatedMixin, LeastSquares):
    """`Ridge` whose alpha cross-validation chooses; by default by leaving out each row in turn.

    Leaving one out has a closed form: one eigendecomposition of the Gram matrix (of the columns,
    or of the rows where they are no more) gives the errors of all rows at all alphas.

    Parameters
    ----------
    alphas : float or array-like, default=(0.1, 1.0, 10.0)
        Positive; of equal scores the first is taken.
    fit_intercept : bool, default=True
    scoring : str or callable, default=None
        As in scikit-learn; None is the negative mean squared error where cv is None, else R².
    cv : int, splitter or iterable of (train, test), default=None
        None is leave-one-out.
    gcv_mode : {"auto", "svd", "eigen"} or None, default=None
        Accepted, without effect: all are "eigen".
    store_cv_results : bool, default=False
        Keep `cv_results_`; for cv=None.
    alpha_per_target : bool, default=False
        Choose an alpha for each target; for cv=None.
    backend, standardize, callbacks
        As in `Ridge`. With `cv`, moments of columns are those of a fold's training rows, and
        callbacks are called for each strength of each fold first; with cv=None, moments are those
        of all rows.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
    best_score_ : float or ndarray of shape (n_targets,)
    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        Squared errors of rows left out, times their weights; predictions where there is a
        `scoring`.
    coef_, intercept_, n_features_in_, feature_names_in_, backend_, solver_, n_iter_, \
    loss_history_, gradient_norm_, stop_reason_, result_
        As in `Ridge`, of the last fit, which is to all rows.
    n_passes_ : int
        Reads of X by all fits.

    Raises
    ------
    ValueError, MixedBackendError
        As in `Ridge`; for alphas that are not positive; for store_cv_results or alpha_per_target
        with a `cv`; for what the splitter refuses; for scores that are not finite.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from xpfit import RidgeCV
    >>> model = RidgeCV(alphas=[1e-3, 1e-2, 1e-1, 1.0]).fit(*load_diabetes(return_X_y=True))
    >>> model.alpha_, round(model.best_score_, 1)
    (0.01, -3000.4)
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        "alphas": ["array-like", Interval(Real, 0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "scoring": [OneOf(set(get_scorer_names())), callable, None],
        "cv": ["cv_object"],
        "gcv_mode": [OneOf({"auto", "svd", "eigen"}), None],
        "store_cv_results": ["boolean"],
        "alpha_per_target": ["boolean"],
        **STANDARDIZE_CONSTRAINT,
        **OUR_CONSTRAINTS,
    }
    # scikit-learn's has neither. A path of squared errors reaches this in a step or two.
    tol, max_iter = 1e-8, 1000

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        gcv_mode: str | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.backend = backend
        self.standardize = standardize
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> RidgeCV:
        """Choose alpha by cross-validation, and fit to all rows with it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,) or None
            Of the fits and of the scores.
        **params : dict
            For splitter and scorer, where scikit-learn's metadata routing is enabled.
        """
        alphas = self._grid()
        for_splitter, for_scorer = self._routed(params, sample_weight)
        data = read_regression(self, X, y, sample_weight)
        for_scorer = self._for_scorer(data, for_scorer)
        if self.cv is None:
            found = self._leave_one_out(data, alphas, for_scorer)
        else:
            found = self._by_folds(X, data, alphas, for_splitter, for_scorer)
        scores = found.scores
        alpha, score = alphas[np.argmax(scores, axis=0)], scores.max(axis=0)
        many = scores.ndim == 2
        model = model_like(self, Ridge, alpha=alpha)
        model._fit_on(data, alpha=alpha, solver="auto", max_iter=self.max_iter)
        adopt(self, model)
        self.alpha_ = alpha if many else float(alpha)
        self.best_score_ = score if many else float(score)
        self.n_passes_ += found.n_passes
        if found.results is not None:
            self.cv_results_ = np.ascontiguousarray(found.results)
        return self

    def _grid(self) -> Matrix:
        given = np.atleast_1d(np.asarray(self.alphas, dtype=np.float64))
        checked_values(given, f"{name_of(self)}: alphas")
        if self.cv is not None and (self.store_cv_results or self.alpha_per_target):
            asked = "store_cv_results" if self.store_cv_results else "alpha_per_target"
            message = (
                f"{name_of(self)}(cv={self.cv!r}, {asked}=True): {asked} belongs to leave-one-out, "
                f"and cv was asked for: cv!=None and {asked}=True are incompatible. Leave one of "
                "them out."
            )
            raise ValueError(message)
        return given

    def _leave_one_out(self, data: FitData, alphas: Matrix, params: Params) -> _Found:
        """Scores (n_alphas,), or (n_alphas, n_targets) for an alpha for each."""
        single = data.y.ndim == 1
        if data.X.shape[0] < 2:
            message = (
                f"{name_of(self)}(cv=None) leaves out one row in turn, and n_samples=1 leaves none "
                "to learn from. Pass at least two rows."
            )
            raise ValueError(message)
        found = leave_one_out(
            data.X, data.y[:, None] if single else data.y, alphas, backend=data.backend,
            sample_weight=data.weight, fit_intercept=self.fit_intercept,
            standardize=self.standardize, who=name_of(self), feature_names=feature_names(self),
            keep=self.store_cv_results or self.scoring is not None,
        )  # fmt: skip
        y = np.asarray(to_host(data.y), dtype=np.float64).reshape(data.X.shape[0], -1)
        per_target = self.alpha_per_target and y.shape[1] > 1
        if self.scoring is None:
            scores = -found.squared / y.shape[0]
            scores = scores if per_target else scores.mean(axis=1)
            results = found.errors
            if results is not None and data.weight is not None:
                weight = np.asarray(to_host(data.weight), dtype=np.float64)
                results = results * np.sqrt(weight)[:, None]
            results = None if results is None else results**2
        else:
            results = y - found.errors
            scorer, shown = self._scorer(), RawRegressor()
            columns = [[k] for k in range(y.shape[1])] if per_target else [slice(None)]
            scores = np.asarray([
                [scorer(shown, of_alpha[:, c], shown.predict(y[:, c]), **params) for c in columns]
                for of_alpha in results
            ])  # fmt: skip
            scores = scores if per_target else scores[:, 0]
        self._check_left_out(scores, alphas)
        if results is None or not self.store_cv_results:
            return _Found(scores, found.n_passes)
        results = np.moveaxis(results, 0, -1)
        return _Found(scores, found.n_passes, results[:, 0] if single else results)

    def _check_left_out(self, scores: Matrix, alphas: Matrix) -> None:
        finite = np.isfinite(scores.reshape(len(alphas), -1)).all(axis=1)
        if not finite.all():
            message = (
                f"{name_of(self)}: the leave-one-out score at alpha={alphas[~finite][0]:g} is not "
                "finite: values of X or y are too large beside alpha, or the scoring gives none. "
                "Scale the columns and y, or pass larger alphas, another scoring or a cv."
            )
            raise ValueError(message)

    def _by_folds(
        self, X: Any, data: FitData, alphas: Matrix, for_splitter: Params, for_scorer: Params
    ) -> _Found:
        """Scores (n_alphas,), means over folds; -infinity where a callback ended a fold."""
        y = np.asarray(to_host(data.y))
        folds = self._folds(X, y, for_splitter)
        descending = np.argsort(-alphas, kind="stable")
        options = {
            **fit_options(self, data), "strengths": alphas[descending], "summed": True,
            "l1_ratio": 0.0,
        }  # fmt: skip
        targets = [data.y] if y.ndim == 1 else [data.y[:, k] for k in range(y.shape[1])]
        by_target = [fold_paths(data.X, target, folds, **options) for target in targets]
        held_out = HeldOut(
            data, y, self._scorer(), for_scorer, RawRegressor(), lambda path, index: self._model(
                path, index, single=y.ndim == 1
            ),
        )  # fmt: skip
        found, outcomes = [], []
        for fold in folds:
            paths = [next(of_target) for of_target in by_target]
            of_fold = [outcome_of(path) for path in paths]
            found.append(held_out.scores(_joined(paths, n_common(of_fold)), fold))
            outcomes += of_fold
            del paths  # before the next are fitted
        n_reached = n_common(outcomes)
        by_fold = np.asarray([scores_of_fold[:n_reached] for scores_of_fold in found])
        check_scores(self, by_fold)
        scores = np.full(len(alphas), -np.inf)
        scores[descending[:n_reached]] = by_fold.mean(axis=0)
        reasons = [(alphas[descending][: len(o.strengths)], o.stop_reasons) for o in outcomes]
        warn_unconverged(name_of(self), "alpha", reasons)
        return _Found(scores, sum(outcome.n_passes for outcome in outcomes))

    def _model(self, path: PathFit, index: int, *, single: bool) -> Ridge:
        """What a scorer that is a plain function is shown: a fitted model of one fold."""
        model: Ridge = model_like(self, Ridge)
        vars(model).pop("feature_names_in_", None)
        W, b = path.W[index], path.b[index]
        model.coef_ = W[:, 0] if single else W.T
        model.intercept_ = b[0] if single else b
        return model


def _joined(paths: list[PathFit], n_reached: int) -> PathFit:
    """The paths of several targets as one of several outputs."""
    if len(paths) == 1:
        return paths[0]  # not copied
    return replace(
        paths[0],
        strengths=paths[0].strengths[:n_reached],
        W=np.concatenate([path.W[:n_reached] for path in paths], axis=2),
        b=np.concatenate([path.b[:n_reached] for path in paths], axis=1),
    )
