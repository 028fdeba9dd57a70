"""Regularization paths on parts of the rows, and what they predict for the rows held out.

A fold is fitted on the same X as every other: held-out rows have weight zero. So X is neither
copied nor moved, and its shape, for which programs are compiled, stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backends import Array, Backend
from .device_work import on_device_of, working_on
from .fit import start_of
from .losses import Loss
from .passes import is_sparse, predict_raw
from .path import PathFit, fit_path, null_model
from .solvers import Callback
from .sparse_setup import ready_objective

# Raw predictions that are made at a time (rows times strengths times outputs).
MOST_PREDICTIONS = 1 << 25
# Numbers of X that are gathered at a time, where the rows held out are scattered.
MOST_GATHERED = 1 << 22
# Predictions that a cache holds beside their rows: 40,000 rows at 100 strengths went 2.5 times
# faster.
MOST_IN_CACHE = 1 << 16


class Fold(NamedTuple):
    """Rows to learn from (a row may come more than once), and rows that are held out."""

    train: np.ndarray[Any, Any]
    test: np.ndarray[Any, Any]


def fold_paths(
    X: Any,
    y: Array,
    folds: Sequence[Fold],
    *,
    strengths: np.ndarray[Any, Any],
    summed: bool = False,
    loss: Loss,
    backend: Backend,
    l1_ratio: float = 1.0,
    n_outputs: int = 1,
    sample_weight: Array | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    max_iter: int = 100,
    tol: float = 1e-5,
    relative_tol: bool = False,
    callbacks: Sequence[Callback] = (),
    who: str = "fold_paths",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> list[PathFit]:
    """The regularization path of each fold's training rows.

    Parameters
    ----------
    X, y, loss, backend, l1_ratio, n_outputs, sample_weight, fit_intercept, standardize, max_iter, \
    tol, relative_tol, feature_names, fused
        As in `fit_path`. Moments for `standardize` are those of the training rows.
    folds : sequence of Fold
    strengths : ndarray of shape (n_strengths,)
        Of every fold.
    summed : bool
        They are strengths beside the *sum* of the losses: each fold divides them by the sum of its
        weights.
    callbacks : sequence of callables
        Told of each fold (as "who, fold 1 of 5") and each of its strengths.

    Returns
    -------
    list of PathFit
        One a fold; one that a callback ended has fewer strengths.

    Raises
    ------
    ValueError
        For a fold whose training rows weigh nothing, and as `fit_path`.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X = np.asarray([[-1.0], [0.0], [1.0], [5.0]])
    >>> folds = [Fold(np.asarray([0, 1, 2]), np.asarray([3]))]
    >>> (path,) = fold_paths(X, 2.0 * X[:, 0], folds, strengths=np.asarray([1e-9]),
    ...     loss=HALF_SQUARED_ERROR, backend=get_backend("numpy"))
    >>> float(path.W[0, 0, 0].round(6))
    2.0
    """
    given = None if sample_weight is None else np.asarray(backend.to_numpy(sample_weight))
    paths = []
    for number, fold in enumerate(folds, 1):
        own = f"{who}, fold {number} of {len(folds)}"
        weight = _training_weight(fold, given, X.shape[0], own)
        total = float(weight.sum()) if summed else 1.0
        with on_device_of(backend, X):
            # The dtype of the targets is that of the computation, or of class codes.
            dtype = np.dtype(backend.compute_dtype(X.dtype))
            placed = backend.from_numpy(weight.astype(dtype))
        path = fit_path(
            X, y, loss=loss, backend=backend, l1_ratio=l1_ratio, strengths=strengths / total,
            n_outputs=n_outputs, sample_weight=placed, fit_intercept=fit_intercept,
            standardize=standardize, max_iter=max_iter, tol=tol, relative_tol=relative_tol,
            callbacks=callbacks, who=own, feature_names=feature_names, fused=fused,
        )  # fmt: skip
        paths.append(path)
    return paths


def _training_weight(
    fold: Fold, given: np.ndarray[Any, Any] | None, n_samples: int, who: str
) -> np.ndarray[Any, Any]:
    counts = np.bincount(fold.train, minlength=n_samples)
    weight = counts.astype(np.float64) if given is None else counts * given
    if not weight.any():
        message = (
            f"{who}: no training row has a weight. Give each fold rows with a positive "
            "sample_weight, or drop the rows without."
        )
        raise ValueError(message)
    return weight


def largest_strength(
    X: Any, y: Array, *, loss: Loss, backend: Backend, tol: float = 1e-5, **options: Any
) -> float:
    """The least strength of an L1 penalty that leaves no coefficient.

    strength = max_j abs(sum_i w_i loss'(y_i, b) x_ij) / sum_i w_i, of standardized columns where
    `standardize` is among the options, which are those of `fit_path`.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X = np.asarray([[-1.0], [0.0], [1.0]])
    >>> round(largest_strength(X, X[:, 0], loss=HALF_SQUARED_ERROR,
    ...     backend=get_backend("numpy")), 6)
    0.666667
    """
    ready = ready_objective(X, y, loss=loss, backend=backend, tol=tol, **options)
    with ready as (objective, reachable):
        return null_model(objective, start_of(objective, None, None), reachable)[1]


def held_out_raw(
    X: Any, path: PathFit, rows: np.ndarray[Any, Any], *, backend: Backend
) -> Iterator[tuple[slice, Array]]:
    """Raw predictions of some rows by every model of a path, some strengths at a time.

    Parameters
    ----------
    rows : ndarray of int
        Runs of rows are read in place on the host; scattered ones are gathered block by block.

    Yields
    ------
    strengths, raw
        Which strengths, and an array of the backend of shape (n_rows, n_strengths * n_outputs),
        outputs fastest.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X, numpy = np.asarray([[-1.0], [0.0], [1.0]]), get_backend("numpy")
    >>> path = fit_path(X, X[:, 0], strengths=[1e-9, 1e9], loss=HALF_SQUARED_ERROR, backend=numpy)
    >>> [raw.round(6).tolist() for _, raw in held_out_raw(X, path, np.asarray([2]), backend=numpy)]
    [[[0.0, 1.0]]]
    """
    n_strengths, d, n_outputs = path.W.shape
    dtype = np.dtype(backend.compute_dtype(X.dtype))
    step = max(1, MOST_PREDICTIONS // max(1, len(rows) * n_outputs))
    what = f"predicting {len(rows):,} held-out rows"
    for first in range(0, n_strengths, step):
        part = slice(first, min(first + step, n_strengths))
        W = np.ascontiguousarray(np.moveaxis(path.W[part], 0, 1).reshape(d, -1), dtype=dtype)
        with working_on(backend, X, what), on_device_of(backend, X):
            # Infinity times a coefficient of zero is NaN; the fits have looked for it.
            W = backend.from_numpy(W)
            b = backend.from_numpy(np.ascontiguousarray(path.b[part].reshape(-1), dtype=dtype))
            blocks = [
                predict_raw(block, W, b, backend=backend)
                for block in take_rows(X, rows, backend=backend)
            ]
            yield part, blocks[0] if len(blocks) == 1 else backend.xp.concat(blocks, axis=0)


def take_rows(X: Any, rows: np.ndarray[Any, Any], *, backend: Backend) -> Iterator[Any]:
    """Some rows of X, in blocks: in place where they are a run on the host, else as copies."""
    on_host = backend.array_type is np.ndarray
    if on_host and (np.diff(rows) == 1).all():
        yield X[rows[0] : rows[-1] + 1]
        return
    step = max(1, MOST_GATHERED // X.shape[1])
    for first in range(0, len(rows), step):
        block = rows[first : first + step]
        if is_sparse(X):
            yield X[block]
        else:
            yield backend.xp.take(X, backend.from_numpy(block), axis=0)


def mean_squared_errors(
    X: Any,
    y: Array,
    path: PathFit,
    rows: np.ndarray[Any, Any],
    *,
    backend: Backend,
    sample_weight: Array | None = None,
) -> np.ndarray[Any, Any]:
    """Weighted mean of (y_i - prediction_i)² over some rows, for every model of a path.

    Returns
    -------
    ndarray of shape (n_strengths,), float64
        NaN where none of the rows has a weight.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X, numpy = np.asarray([[-1.0], [0.0], [1.0]]), get_backend("numpy")
    >>> path = fit_path(X, X[:, 0], strengths=[1e-9, 1e9], loss=HALF_SQUARED_ERROR, backend=numpy)
    >>> mean_squared_errors(X, X[:, 0], path, np.asarray([0, 1]), backend=numpy).round(6).tolist()
    [0.5, 0.0]
    """
    xp = backend.xp
    sums, total = np.zeros(len(path.strengths)), 0.0
    for block in _in_cache(rows, len(path.strengths), backend):
        with on_device_of(backend, X):
            index = backend.from_numpy(block)
        targets = xp.take(y, index)[:, None]
        weight = None if sample_weight is None else xp.take(sample_weight, index)
        total += float(len(block)) if weight is None else float(xp.sum(weight))
        for part, raw in held_out_raw(X, path, block, backend=backend):
            squared = (raw - targets) ** 2
            summed = xp.sum(squared, axis=0) if weight is None else weight @ squared
            sums[part] += np.asarray(backend.to_numpy(summed), dtype=np.float64)
    return sums / (total or np.nan)


def _in_cache(
    rows: np.ndarray[Any, Any], width: int, backend: Backend
) -> Iterator[np.ndarray[Any, Any]]:
    """Parts of the rows whose predictions a cache holds; all of them on a device, where another
    number of rows compiles another program.
    """
    on_host = backend.array_type is np.ndarray
    step = max(64, MOST_IN_CACHE // width) if on_host else len(rows)
    for first in range(0, len(rows), step):
        yield rows[first : first + step]
