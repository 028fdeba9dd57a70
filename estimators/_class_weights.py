"""What class_weight makes of the weights of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import Array, Backend
from ._inputs import as_target, name_of, to_host
from ._labels import Labels


def row_weights(
    estimator: Any, labels: Labels, sample_weight: Array | None, X: Array, backend: Backend
) -> Array | None:
    """sample_weight times the weights of the classes, beside X; None where neither is given.

    Raises
    ------
    ValueError
        Where no row is left with a weight, and as `class_weights`.
    """
    if estimator.class_weight is None:
        return sample_weight
    by_class = class_weights(estimator, estimator.class_weight, labels, sample_weight)
    by_row = by_class[labels.codes]
    if sample_weight is not None:
        by_row *= to_host(sample_weight)
    if not by_row.any():
        message = (
            f"{name_of(estimator)}: class_weight and sample_weight leave every row with weight "
            "zero. Give at least one class of y a positive weight."
        )
        raise ValueError(message)
    return as_target(by_row, X, backend)


def class_weights(
    estimator: Any, class_weight: Any, labels: Labels, sample_weight: Array | None
) -> np.ndarray[Any, Any]:
    """The weight of each class.

    Parameters
    ----------
    class_weight : dict or "balanced"
        "balanced": sum_i w_i / (n_classes * sum of the w_i of that class).
    labels : Labels
    sample_weight : array of shape (n_samples,) or None

    Returns
    -------
    array of shape (n_classes,), float64

    Raises
    ------
    ValueError
        For a key that is no class of y, a negative weight, or a class whose rows weigh nothing.
    """
    who, n_classes = name_of(estimator), labels.classes.shape[0]
    if not isinstance(class_weight, dict):
        totals = np.bincount(labels.codes, weights=to_host(sample_weight), minlength=n_classes)
        if not totals.all():
            empty = labels.classes.tolist()[np.flatnonzero(totals == 0)[0]]
            message = (
                f"{who}: class_weight='balanced' has no weight for class {empty!r}: all its rows "
                "have sample_weight 0. Drop those rows, or give class_weight as a dict."
            )
            raise ValueError(message)
        return np.asarray(totals.sum() / (n_classes * totals))
    known = labels.classes.tolist()
    weights = np.ones(n_classes)
    for label, weight in class_weight.items():
        if label not in known:
            # scikit-learn lets keys be absent from y as long as every class has one.
            if set(known) <= set(class_weight):
                continue
            message = (
                f"{who}: class_weight names {label!r}, which is not in y. The classes of y are "
                f"{', '.join(map(repr, known[:10]))}. Correct the key."
            )
            raise ValueError(message)
        if not (weight >= 0 and np.isfinite(weight)):
            message = (
                f"{who}: class_weight[{label!r}] is {weight!r}. Give a finite number of at least 0."
            )
            raise ValueError(message)
        weights[known.index(label)] = weight
    return weights
