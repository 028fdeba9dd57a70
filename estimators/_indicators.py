"""y with several labels a row: a matrix of 0 and 1, a column for each label."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import backend_of
from ..core.passes import is_sparse
from ._inputs import name_of, to_host
from ._labels import Labels
from ._targets import check_rows


def has_several_labels(y: Any) -> bool:
    """Whether y is a matrix of several columns: each a label of its own, there or not."""
    known = backend_of(y) is not None or is_sparse(y)
    shape = y.shape if known else np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1


def encode_indicators(
    estimator: Any, y: Any, n_samples: int, n_labels: int | None = None
) -> Labels:
    """Labels of a matrix of 0 and 1: the numbers of its columns, and itself as codes.

    Raises
    ------
    ValueError
        For other entries, another length than X's, and other columns than `n_labels`.
    """
    who = name_of(estimator)
    y = np.asarray(y.toarray() if is_sparse(y) else to_host(y))
    check_rows(who, "y", y.shape[0], n_samples)
    if y.dtype.kind not in "biufO" or not bool(np.all((y == 0) | (y == 1))):
        message = (
            f"Unknown label type: {who}: y should be a 1d array of labels, or an array of 0 and 1 "
            f"with a column for each label; it has shape {y.shape} and other entries. Pass one "
            "label for each row, or sklearn.preprocessing.MultiLabelBinarizer's output."
        )
        raise ValueError(message)
    if n_labels is not None and y.shape[1] != n_labels:
        message = (
            f"{who}: y has {y.shape[1]} columns of labels, and there are {n_labels} classes. Pass "
            "one column for each of them."
        )
        raise ValueError(message)
    return Labels(np.arange(y.shape[1]), y.astype(np.int32))
