"""What the estimators that cross-validate share: folds, metadata routing, scorers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils._metadata_requests import _raise_for_params, _routing_enabled
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from ..core.cross_validation import Fold
from ..core.path import PathFit
from ._inputs import name_of

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


def _as_rows(rows: Any) -> np.ndarray[Any, Any]:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)


def n_common(paths: Sequence[PathFit]) -> int:
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
