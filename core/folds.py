"""Folds: rows to learn from and rows that are held out, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backends import Backend
from .passes import is_sparse

Rows = np.ndarray[Any, Any]

# Numbers of X that are gathered at a time, where the rows held out are scattered.
MOST_GATHERED = 1 << 22


class Fold(NamedTuple):
    """Rows to learn from (a row may come more than once), and rows that are held out."""

    train: Rows
    test: Rows


def are_a_partition(folds: Sequence[Fold], n_samples: int) -> bool:
    """Whether every row is held out once, and each fold learns once from every other row.

    Examples
    --------
    >>> first, second = Fold(np.asarray([2]), np.asarray([0, 1])), Fold([0, 1], [2])
    >>> are_a_partition([first, second], 3), are_a_partition([first], 3)
    (True, False)
    """
    n_held_out = np.zeros(n_samples, dtype=np.intp)
    for fold in folds:
        n_held_out += np.bincount(fold.test, minlength=n_samples)
        both = np.concatenate([fold.train, fold.test])
        # As many rows as there are, and none twice: all of them.
        if len(both) != n_samples or not len(fold.test) or np.bincount(both).max() > 1:
            return False
    return bool((n_held_out == 1).all())


def training_weight(fold: Fold, given: Rows | None, n_samples: int, who: str) -> Rows:
    """A weight for each row of X: how often the fold learns from it, times its own.

    Raises
    ------
    ValueError
        Where they are all zero.
    """
    counts = np.bincount(fold.train, minlength=n_samples)
    weight = counts.astype(np.float64) if given is None else counts * given
    refuse_weightless(bool(weight.any()), who)
    return weight


def refuse_weightless(has_weight: bool, who: str) -> None:
    if not has_weight:
        message = (
            f"{who}: no training row has a weight. Give each fold rows with a positive "
            "sample_weight, or drop the rows without."
        )
        raise ValueError(message)


def take_rows(X: Any, rows: Rows, *, backend: Backend) -> Iterator[Any]:
    """Some rows of X, in blocks: in place where they are a run on the host, else as copies.

    A run of rows in Fortran order is copied, too: kernels read no array with gaps, and spambase
    took 2.6 times as long by the generic pass.
    """
    on_host = backend.array_type is np.ndarray
    in_columns = on_host and not is_sparse(X) and X.flags.f_contiguous and not X.flags.c_contiguous
    if on_host and not in_columns and (np.diff(rows) == 1).all():
        yield X[rows[0] : rows[-1] + 1]
        return
    step = max(1, MOST_GATHERED // X.shape[1])
    for first in range(0, len(rows), step):
        block = rows[first : first + step]
        if is_sparse(X):
            yield X[block]
        elif in_columns:
            # np.take along the rows would copy all of X to the other order first.
            yield np.take(X.T, block, axis=1).T
        else:
            yield backend.xp.take(X, backend.from_numpy(block), axis=0)
