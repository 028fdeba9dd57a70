"""Logistic regression whose penalty cross-validation chooses.

It is longer than other files: scikit-learn's protocol wants every parameter spelt out three times.
"""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import _fit_context
from sklearn.metrics import get_scorer_names
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils._param_validation import Hidden, Interval

from ..core.cross_validation import fold_paths
from ..core.path_point import PathFit
from ._base import LinearEstimator
from ._constraints import OneOf
from ._cross_validation import (
    CrossValidatedMixin,
    HeldOut,
    Params,
    RawClassifier,
    adopt,
    check_scores,
    model_like,
    n_common,
    outcome_of,
    with_labels,
)
from ._fit_data import FitData, fit_options, read_classification
from ._inputs import name_of, to_host
from ._logistic_options import check_l1_solver, choose_solver, refuse_descents
from ._logistic_prediction import LogisticPredictionMixin
from ._strengths import checked_values, warn_unconverged
from .logistic import LogisticRegression, representative


class _Evidence(NamedTuple):
    """What the choice is made from; shapes are those of the attributes."""

    Cs: np.ndarray[Any, Any]
    ratios: np.ndarray[Any, Any]
    scores: np.ndarray[Any, Any]
    coefs: np.ndarray[Any, Any]


class LogisticRegressionCV(CrossValidatedMixin, LogisticPredictionMixin, LinearEstimator):
    """`LogisticRegression` whose C, and l1_ratio of several, cross-validation chooses.

    The path of each fold is fitted on the same X with weight 0 for its held-out rows: X is never
    copied and stays where it is. The pair of the best score on held-out rows, averaged over folds,
    is fitted to all rows.

    Parameters
    ----------
    Cs : int or array-like, default=10
        How many between 1e-4 and 1e4, evenly spaced in their logarithm, or the Cs themselves,
        positive and finite.
    l1_ratios : array-like, default=(0.0,)
        Shares of the L1 penalty that are tried. (scikit-learn: None, with a warning; the same.)
    fit_intercept : bool, default=True
    cv : int, splitter or iterable of (train, test), default=None
        None is 5 stratified folds.
    dual, intercept_scaling, random_state
        As in `LogisticRegression`.
    penalty : {"l1", "l2", "elasticnet"}, default="deprecated"
        Deprecated by scikit-learn: use l1_ratios.
    scoring : str or callable, default=None
        As in scikit-learn; None is accuracy. A function of (estimator, X, y) is given a fitted
        `LogisticRegression` and a copy of the held-out rows.
    solver : as in `LogisticRegression`, but for the descents, default="auto"
        Of the last fit; paths choose theirs.
    tol : float, default=1e-5
    max_iter : int, default=100
    class_weight : dict, "balanced" or None, default=None
        "balanced" is that of all rows, in every fold.
    n_jobs : int, default=None
        Accepted, without effect: fits use the threads of their backend.
    verbose : int, default=0
        1 prints a line per strength.
    refit : bool, default=True
        False: C, l1_ratio and coefficients are averages of each fold's best.
    use_legacy_attributes : bool, default=False
        True, for attributes of scikit-learn's old shapes, is an error.
    backend, standardize
        As in `LogisticRegression`. The moments of columns are those of a fold's training rows.
    callbacks : callable, list of callables or None, default=None
        Called for each strength of each fold, then for each iteration of the last fit. One that
        returns True ends the path of its fold: Cs that a fold has not reached are left out.

    Attributes
    ----------
    C_, l1_ratio_ : float
    Cs_ : ndarray of shape (n_cs,)
        As given.
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_cs, n_classes, n_features [+ 1])
        1 instead of two classes; intercepts last.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
    classes_, coef_, intercept_, n_features_in_, feature_names_in_, backend_
        As in `LogisticRegression`.
    solver_, loss_history_, gradient_norm_, stop_reason_, result_
        Of the last fit, where refit=True.
    n_passes_ : int
        Reads of X by all fits.

    Raises
    ------
    ValueError, MixedBackendError
        As in `LogisticRegression`; for Cs that are not positive and finite; for what the splitter
        refuses; for scores that are not finite.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xpfit import LogisticRegressionCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegressionCV(scoring="neg_log_loss", standardize=True).fit(X, y)
    >>> round(model.C_, 2), model.scores_.shape, round(model.score(X, y), 3)
    (166.81, (5, 1, 10), -0.041)
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        **{
            name: kinds
            for name, kinds in LogisticRegression._parameter_constraints.items()
            if name not in {"C", "warm_start", "l1_ratio"}
        },
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "l1_ratios": ["array-like", None],
        "cv": ["cv_object"],
        "scoring": [OneOf(set(get_scorer_names())), callable, None],
        "refit": ["boolean"],
        "penalty": [OneOf({"l1", "l2", "elasticnet"}), Hidden(OneOf({"deprecated"}))],
        "use_legacy_attributes": ["boolean"],
    }
    _default_scoring = "accuracy"

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = (0.0,),
        fit_intercept: bool = True,
        cv: Any = None,
        dual: bool = False,
        penalty: str = "deprecated",
        scoring: Any = None,
        solver: str = "auto",
        tol: float = 1e-5,
        max_iter: int = 100,
        class_weight: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        intercept_scaling: float = 1.0,
        random_state: Any = None,
        use_legacy_attributes: bool = False,
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes
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
            Of the fits and of the scores.
        **params : dict
            For splitter and scorer, where scikit-learn's metadata routing is enabled.
        """
        self._refuse_legacy()
        ratios = self._ratios()
        Cs = self._grid()
        for_splitter, for_scorer = self._routed(params, sample_weight)
        data = read_classification(self, X, y, sample_weight)
        refuse_descents(self.solver, name_of(self))
        choose_solver(self, data.classes.shape[0])
        labels = data.classes[data.codes]
        folds = self._folds(X, labels, for_splitter, classifier=True)
        ascending = np.argsort(Cs, kind="stable")
        options = {**fit_options(self, data), "strengths": 1.0 / Cs[ascending], "summed": True}
        held_out = self._held_out(data, labels, for_scorer)
        found, every = [], []
        # A fold's path is gone before the next is fitted, but for the coefficients of an attribute.
        for ratio in ratios:
            paths = fold_paths(data.X, data.y, folds, l1_ratio=ratio, **options)
            for fold in folds:
                path = next(paths)
                found.append((held_out.scores(path, fold), self._coefficients(path, ratio)))
                every.append(outcome_of(path))
                del path
        reached = np.sort(ascending[: n_common(every)])
        # Where each of the Cs, in the order given, stands in the paths.
        place = np.argsort(np.argsort(Cs[reached], kind="stable"), kind="stable")

        def by_fold(each: Any) -> np.ndarray[Any, Any]:
            stacked = np.asarray([of_path[place] for of_path in each])
            return stacked.reshape(len(ratios), len(folds), *stacked.shape[1:]).swapaxes(0, 1)

        scores = by_fold(of_path for of_path, _ in found)
        check_scores(self, scores)
        coefs = by_fold(of_path for _, of_path in found)
        # Attributes only now: an interrupted fit leaves none.
        self._settle(data, _Evidence(Cs[reached], np.asarray(ratios), scores, coefs))
        self.Cs_, self.l1_ratios_ = Cs[reached], np.asarray(ratios)
        self.scores_, self.coefs_paths_ = scores, coefs
        self.n_passes_ += sum(path.n_passes for path in every)
        self.n_iter_ = by_fold(path.n_iters for path in every)
        reasons = [(np.sort(Cs)[: len(path.strengths)], path.stop_reasons) for path in every]
        warn_unconverged(name_of(self), "C", reasons)
        return self

    def _settle(self, data: FitData, found: _Evidence) -> None:
        """The choice, and the coefficients that follow from it."""
        # Of equal scores the first: the strongest penalty, where Cs ascend.
        order = found.scores.swapaxes(1, 2)
        Cs, ratios = (grid.ravel() for grid in np.meshgrid(found.Cs, found.ratios, indexing="ij"))
        if self.refit:
            best = int(np.argmax(order.sum(axis=0)))
            C, share = float(Cs[best]), float(ratios[best])
            model = model_like(self, LogisticRegression, C=C, l1_ratio=share, penalty="deprecated")
            adopt(self, model._fit_on(data, (share / C, (1.0 - share) / C)))
            self.C_, self.l1_ratio_ = C, share
            return
        n_folds = len(order)
        bests = np.argmax(order.reshape(n_folds, -1), axis=1)
        self.C_, self.l1_ratio_ = float(Cs[bests].mean()), float(ratios[bests].mean())
        each = found.coefs.swapaxes(1, 2).reshape(n_folds, -1, *found.coefs.shape[3:])
        mean = each[np.arange(n_folds), bests].mean(axis=0)
        d = self.n_features_in_
        self.classes_, self.coef_ = data.classes, np.ascontiguousarray(mean[:, :d])
        self.intercept_ = mean[:, d].copy() if self.fit_intercept else np.zeros(len(mean))
        self.backend_, self.n_passes_ = data.backend.name, 0

    def _coefficients(self, path: PathFit, ratio: float) -> np.ndarray[Any, Any]:
        """(n_strengths, n_outputs, n_features [+ 1]), strongest penalty first."""
        W, b = representative(path.W, path.b, centred=ratio == 0.0)
        W = np.swapaxes(W, 1, 2)
        return np.concatenate([W, b[:, :, None]], axis=2) if self.fit_intercept else W

    def _held_out(self, data: FitData, labels: np.ndarray[Any, Any], params: Params) -> HeldOut:
        params = self._for_scorer(data, params)

        def rebuild(path: PathFit, index: int) -> LogisticRegression:
            model = model_like(self, LogisticRegression, C=1.0, penalty="deprecated")
            # The rows that a scorer is given have no names.
            vars(model).pop("feature_names_in_", None)
            W, b = representative(path.W[index], path.b[index], centred=True)
            model.coef_, model.intercept_ = W.T, b
            model.classes_ = data.classes
            return model

        scorer = with_labels(self._scorer(), data.classes)
        return HeldOut(data, labels, scorer, params, RawClassifier(data.classes), rebuild)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The score of the predictions by `scoring`; accuracy where it is None.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        if self.scoring is None:
            return super().score(X, y, sample_weight)
        scorer = self._scorer()
        params = {} if sample_weight is None else {"sample_weight": to_host(sample_weight)}
        if not isinstance(scorer, _BaseScorer):
            return float(scorer(self, X, y, **params))
        raw = np.asarray(to_host(self._raw_prediction(X)[0]), dtype=np.float64)
        return float(scorer(RawClassifier(self.classes_), raw, np.asarray(to_host(y)), **params))

    def _grid(self) -> np.ndarray[Any, Any]:
        if isinstance(self.Cs, Integral):
            return np.logspace(-4, 4, int(self.Cs))
        checked_values(self.Cs, f"{name_of(self)}: Cs")
        return np.array(self.Cs, dtype=np.float64)

    def _ratios(self) -> list[float]:
        given = self.l1_ratios
        if self.penalty != "deprecated":
            warnings.warn(
                "'penalty' was deprecated in scikit-learn 1.8. Leave it out, and use "
                "l1_ratios=(1,) instead of penalty='l1'.",
                FutureWarning,
                stacklevel=4,
            )
            given = {"l1": (1.0,), "l2": (0.0,)}.get(self.penalty, given)
        elif given is None:
            warnings.warn(
                "'l1_ratios=None' was deprecated in scikit-learn 1.8. Use l1_ratios=(0,).",
                FutureWarning,
                stacklevel=4,
            )
            given = (0.0,)
        ratios = np.asarray([np.nan] if given is None else given, dtype=np.float64)
        if ratios.ndim != 1 or not ratios.size or not ((ratios >= 0) & (ratios <= 1)).all():
            message = (
                f"{name_of(self)}: l1_ratios is {self.l1_ratios!r}. Pass a list of numbers between "
                "0 and 1."
            )
            raise ValueError(message)
        check_l1_solver(self, float(ratios.max()), f"l1_ratios={given!r}")
        return [float(ratio) for ratio in ratios]

    def _refuse_legacy(self) -> None:
        if self.use_legacy_attributes:
            message = (
                f"{name_of(self)}(use_legacy_attributes=True): attributes are kept in the shapes "
                "that scikit-learn 1.10 has by default. Leave use_legacy_attributes=False; the "
                "docstring gives each shape."
            )
            raise ValueError(message)
