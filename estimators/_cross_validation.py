"""What the estimators that cross-validate share: folds, metadata routing, scorers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import vstack
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import get_scorer, make_scorer
from sklearn.metrics._scorer import _BaseScorer
from sklearn.model_selection import check_cv
from sklearn.utils._metadata_requests import _raise_for_params, _routing_enabled
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_method_params

from ..backends import get_backend
from ..core.cross_validation import held_out_raw
from ..core.folds import Fold, take_rows
from ..core.passes import is_sparse
from ..core.path_point import PathFit
from ._fit_data import FitData
from ._inputs import name_of, to_host
from ._logistic_prediction import LogisticPredictionMixin

Params = dict[str, Any]


class CrossValidatedMixin(BaseEstimator):
    """An estimator that hands its metadata on to a splitter, and to a scorer where it has one."""

    cv: Any

    def _routed(self, params: Params, sample_weight: Any) -> tuple[Params, Params]:
        """What the splitter and the scorer are given, as scikit-learn hands it on."""
        _raise_for_params(params, self, "fit")
        if not _routing_enabled():
            return {}, {} if sample_weight is None else {"sample_weight": sample_weight}
        routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
        return routed.splitter.split, routed.scorer.score if hasattr(self, "scoring") else {}

    def _folds(self, X: Any, y: Any, params: Params, *, classifier: bool = False) -> list[Fold]:
        """The folds of `cv`; y on the host.

        Raises
        ------
        ValueError
            For a fold without training or held-out rows, and whatever the splitter refuses.
        """
        splitter = check_cv(self.cv, y, classifier=classifier)
        folds = [Fold(*map(_as_rows, split)) for split in splitter.split(X, y, **params)]
        for number, fold in enumerate(folds, 1):
            if not (fold.train.size and fold.test.size):
                message = (
                    f"{name_of(self)}: fold {number} of cv={self.cv!r} has {fold.train.size} "
                    f"rows to learn from and {fold.test.size} held out. Each needs at least one."
                )
                raise ValueError(message)
        if not folds:
            message = f"{name_of(self)}: cv={self.cv!r} makes no folds. Pass at least one split."
            raise ValueError(message)
        return folds

    def _for_scorer(self, data: FitData, params: Params) -> Params:
        """The scorer's parameters, weights on the host and only where it takes any."""
        if params.get("sample_weight") is None:
            return params
        scorer = self._scorer()
        if isinstance(scorer, _BaseScorer):
            takes = scorer._accept_sample_weight()
        else:
            takes = "sample_weight" in inspect.signature(scorer).parameters
        rest = {name: value for name, value in params.items() if name != "sample_weight"}
        return {**rest, "sample_weight": np.asarray(to_host(data.sample_weight))} if takes else rest

    def get_metadata_routing(self) -> Any:
        """Which metadata the splitter and the scorer ask for; see scikit-learn's user guide."""
        router = MetadataRouter(owner=self).add_self_request(self)
        splits = MethodMapping().add(caller="fit", callee="split")
        router.add(splitter=check_cv(self.cv), method_mapping=splits)
        if hasattr(self, "scoring"):
            scores = MethodMapping().add(caller="fit", callee="score")
            router.add(scorer=self._scorer(), method_mapping=scores)
        return router

    def _scorer(self) -> Any:
        return get_scorer(self.scoring if self.scoring is not None else self._default_scoring)

    scoring: Any
    _default_scoring = "r2"


class RawClassifier(LogisticPredictionMixin, BaseEstimator):
    """A classifier whose X is its raw prediction: what a scorer is shown of held-out rows."""

    def __init__(self, classes: np.ndarray[Any, Any]) -> None:
        self.classes_ = classes

    def _raw_prediction(self, X: Any) -> tuple[Any, Any]:
        return X, get_backend("numpy")


class RawRegressor(RegressorMixin, BaseEstimator):
    """As `RawClassifier`, for a regressor of one or several targets."""

    def predict(self, X: Any) -> Any:
        """X, flat for one target."""
        return X[:, 0] if X.shape[1] == 1 else X


class HeldOut(NamedTuple):
    """How held-out rows are scored.

    `rebuild(path, index)` is the fitted model of one strength, for scorers that are plain
    functions and may look at whatever they like; others see raw predictions alone.
    """

    data: FitData
    y: np.ndarray[Any, Any]  # on the host, as the scorer knows it
    scorer: Any
    params: Params  # of the scorer, an entry for each row of X
    stand_in: Any
    rebuild: Callable[[PathFit, int], Any]

    def scores(self, path: PathFit, fold: Fold) -> np.ndarray[Any, Any]:
        """One score for each strength."""
        X, backend, rows = self.data.X, self.data.backend, fold.test
        params = _check_method_params(self.y, self.params, indices=rows)
        n_outputs, scores = path.W.shape[2], np.empty(len(path.strengths))
        if not isinstance(self.scorer, _BaseScorer):
            # Copies these rows: a function of the user's own is to see them.
            held = _on_host(take_rows(X, rows, backend=backend))
            for index in range(len(scores)):
                model = self.rebuild(path, index)
                scores[index] = self.scorer(model, held, self.y[rows], **params)
            return scores
        for part, found in held_out_raw(X, path, rows, backend=backend):
            raw = np.asarray(backend.to_numpy(found), dtype=np.float64)
            raw = raw.reshape(len(rows), -1, n_outputs)
            for k, index in enumerate(range(part.start, part.stop)):
                scores[index] = self.scorer(self.stand_in, raw[:, k], self.y[rows], **params)
        return scores


def check_scores(estimator: Any, scores: np.ndarray[Any, Any]) -> None:
    """Refuse scores that are not finite; folds come first.

    Raises
    ------
    ValueError
    """
    if np.isfinite(scores).all():
        return
    n_folds = scores.shape[0]
    fold = int(np.flatnonzero(~np.isfinite(scores.reshape(n_folds, -1)).all(axis=1))[0]) + 1
    message = (
        f"{name_of(estimator)}: the score of fold {fold} of {n_folds} is not finite: its held-out "
        "rows have sample_weight 0, hold NaN or infinity, or lack a class that the scorer needs. "
        "Pass another cv or scoring, or drop those rows."
    )
    raise ValueError(message)


def with_labels(scorer: Any, classes: np.ndarray[Any, Any]) -> Any:
    """The scorer, told of all classes where it asks: held-out rows may lack one."""
    function = getattr(scorer, "_score_func", None)
    known = () if function is None else inspect.signature(function).parameters
    if "labels" not in known:
        return scorer
    extra = {"labels": classes}
    if "pos_label" in known and len(classes) == 2:
        extra["pos_label"] = classes[1]
    return make_scorer(
        function, response_method=scorer._response_method,
        greater_is_better=scorer._sign == 1, **{**extra, **scorer._kwargs},
    )  # fmt: skip


def _on_host(blocks: Iterable[Any]) -> Any:
    held = [to_host(block) for block in blocks]
    if len(held) == 1:
        return held[0]
    return vstack(held, format="csr") if is_sparse(held[0]) else np.concatenate(held)


def _as_rows(rows: Any) -> np.ndarray[Any, Any]:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)


class Outcome(NamedTuple):
    """What is kept of the path of a fold, whose coefficients are many."""

    strengths: np.ndarray[Any, Any]
    n_iters: np.ndarray[Any, Any]
    stop_reasons: tuple[str, ...]
    n_passes: int


def outcome_of(path: PathFit) -> Outcome:
    """How a path went."""
    return Outcome(path.strengths, path.n_iters, path.stop_reasons, path.n_passes)


def n_common(paths: Sequence[Outcome]) -> int:
    """How many strengths every path has: a callback may have ended one early."""
    return min(len(path.strengths) for path in paths)


def adopt(estimator: Any, model: Any) -> None:
    """Take over what the refitted model learnt."""
    for name, value in vars(model).items():
        if name.endswith("_") and not name.startswith("_"):
            setattr(estimator, name, value)


def model_like(estimator: Any, cls: Any, **params: Any) -> Any:
    """A model with the parameters that the two classes share, for columns seen already."""
    shared = cls().get_params(deep=False)
    own = estimator.get_params(deep=False)
    model = cls(**{**{name: own[name] for name in shared if name in own}, **params})
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            setattr(model, name, getattr(estimator, name))
    return model
