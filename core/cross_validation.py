"""Regularization paths on parts of the rows, and what they predict for the rows held out.

A fold is fitted on the same X as every other: held-out rows have weight zero. So X is neither
copied nor moved, and its shape, for which programs are compiled, stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..backends import Array, Backend
from .device_work import on_device_of, working_on
from .dtypes import host_dtype
from .fit import start_of
from .fold_gram import FoldGrams
from .folds import Fold, take_rows, training_weight
from .losses import Loss
from .nonfinite import NonfiniteError, require_finite
from .passes import predict_raw
from .path import fit_path, null_model
from .path_point import PathFit
from .solvers import Callback
from .sparse_setup import ready_objective

# Raw predictions that are made at a time (rows times strengths times outputs).
MOST_PREDICTIONS = 1 << 25
# Coefficients that are copied at a time, to where they are multiplied.
MOST_PLACED = 1 << 22
# Predictions that a cache holds beside their rows: 40,000 rows at 100 strengths went 2.5 times
# faster.
MOST_IN_CACHE = 1 << 16


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
    grams: FoldGrams | None = None,
) -> Iterator[PathFit]:
    """The regularization path of each fold's training rows, one at a time.

    A path is fitted when it is asked for: whoever keeps none has the coefficients of one fold.

    Parameters
    ----------
    X, y, loss, backend, l1_ratio, n_outputs, sample_weight, fit_intercept, standardize, max_iter, \
    tol, relative_tol, feature_names, fused
        As in `fit_path`. Moments for `standardize` are those of the training rows.
    folds : sequence of Fold
    strengths : ndarray of shape (n_strengths,), of every fold
    summed : bool
        They are strengths beside the *sum* of the losses: each fold divides them by the sum of its
        weights.
    callbacks : sequence of callables
        Told of each fold (as "who, fold 1 of 5") and each of its strengths.
    grams : FoldGrams or None
        What `read_fold_grams` found of the same data, weights and options: X is not read then.

    Yields
    ------
    PathFit
        One a fold; one that a callback ended has fewer strengths.

    Raises
    ------
    ValueError
        For NaN or infinity in X, before the first fold; for one whose training rows weigh nothing.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X, fold = np.asarray([[-1.0], [1.0], [5.0]]), Fold(np.asarray([0, 1]), np.asarray([2]))
    >>> (path,) = fold_paths(X, 2.0 * X[:, 0], [fold], strengths=np.asarray([1e-9]),
    ...     loss=HALF_SQUARED_ERROR, backend=get_backend("numpy"))
    >>> float(path.W[0, 0, 0].round(6))
    2.0
    """
    given = None if sample_weight is None else np.asarray(backend.to_numpy(sample_weight))
    if grams is None:
        with working_on(backend, X, f"{who} on X of {X.dtype}"):
            require_finite(X, backend, who, feature_names)
    for number, fold in enumerate(folds):
        own = f"{who}, fold {number + 1} of {len(folds)}"
        if grams is not None:
            yield grams.path(
                number, strengths, l1_ratio=l1_ratio, summed=summed, tol=tol,
                relative=relative_tol, callbacks=callbacks, who=own,
            )  # fmt: skip
            continue
        weight = training_weight(fold, given, X.shape[0], own)
        total = float(weight.sum()) if summed else 1.0
        with on_device_of(backend, X):
            # The dtype of the targets is that of the computation, or of class codes.
            placed = backend.from_numpy(weight.astype(host_dtype(backend.compute_dtype(X.dtype))))
        try:
            path = fit_path(
                X, y, loss=loss, backend=backend, l1_ratio=l1_ratio, strengths=strengths / total,
                n_outputs=n_outputs, sample_weight=placed, fit_intercept=fit_intercept,
                standardize=standardize, max_iter=max_iter, tol=tol, relative_tol=relative_tol,
                callbacks=callbacks, who=own, feature_names=feature_names, fused=fused,
            )  # fmt: skip
        except NonfiniteError as error:
            # X is looked at as a whole, whatever the weights: no fold is at fault.
            raise NonfiniteError(str(error).replace(own, who)) from error
        yield path
        del path  # one fold's coefficients are alive


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
    what = f"predicting {len(rows):,} held-out rows"
    for part in _parts(path, len(rows)):
        # No context stays open between two parts: whoever asks may stop, or work elsewhere.
        with working_on(backend, X, what), on_device_of(backend, X):
            W, b = _placed(path, part, X, backend)
            blocks = [
                predict_raw(block, W, b, backend=backend)
                for block in take_rows(X, rows, backend=backend)
            ]
            raw = blocks[0] if len(blocks) == 1 else backend.xp.concat(blocks, axis=0)
            del blocks
        yield part, raw


def _parts(path: PathFit, n_rows: int) -> Iterator[slice]:
    """Strengths whose predictions, and coefficients once more, are made at a time."""
    n_strengths, d, n_outputs = path.W.shape
    most = min(MOST_PREDICTIONS // max(1, n_rows), MOST_PLACED // max(1, d)) // n_outputs
    for first in range(0, n_strengths, max(1, most)):
        yield slice(first, min(first + max(1, most), n_strengths))


def _placed(path: PathFit, part: slice, X: Any, backend: Backend) -> tuple[Array, Array]:
    """W (n_features, n_strengths * n_outputs) and b of some strengths, where X is."""
    dtype = host_dtype(backend.compute_dtype(X.dtype))
    W = np.moveaxis(path.W[part], 0, 1).reshape(path.W.shape[1], -1)
    # Infinity times a coefficient of zero is NaN; the fits have looked for it.
    return (
        backend.from_numpy(np.ascontiguousarray(W, dtype=dtype)),
        backend.from_numpy(np.ascontiguousarray(path.b[part].reshape(-1), dtype=dtype)),
    )


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
    xp, sums, total = backend.xp, np.zeros(len(path.strengths)), 0.0
    blocks = list(_in_cache(rows, len(path.strengths), backend))
    what = f"predicting {len(rows):,} held-out rows"
    with working_on(backend, X, what), on_device_of(backend, X):
        for part in _parts(path, max(map(len, blocks))):
            W, b = _placed(path, part, X, backend)
            total = 0.0
            for block in blocks:
                index = backend.from_numpy(block)
                targets = xp.take(y, index)[:, None]
                weight = None if sample_weight is None else xp.take(sample_weight, index)
                total += float(len(block)) if weight is None else float(xp.sum(weight))
                first = 0
                for gathered in take_rows(X, block, backend=backend):
                    of = slice(first, first + gathered.shape[0])
                    squared = (predict_raw(gathered, W, b, backend=backend) - targets[of, :]) ** 2
                    summed = xp.sum(squared, axis=0) if weight is None else weight[of] @ squared
                    sums[part] += np.asarray(backend.to_numpy(summed), dtype=np.float64)
                    first = of.stop
    return sums / (total or np.nan)


def fold_errors(
    X: Any,
    y: Array,
    path: PathFit,
    folds: Sequence[Fold],
    number: int,
    *,
    backend: Backend,
    sample_weight: Array | None = None,
    grams: FoldGrams | None = None,
) -> np.ndarray[Any, Any]:
    """As `mean_squared_errors`, of the rows that one fold holds out: from its Gram matrix where
    there is one, and rounding leaves enough.
    """
    predicted = partial(
        mean_squared_errors, X, y, rows=folds[number].test, backend=backend,
        sample_weight=sample_weight,
    )  # fmt: skip
    if grams is None:
        return predicted(path)
    errors, sure = grams.squared_errors(path, number)
    rest = ~sure
    if rest.any():
        part = replace(path, strengths=path.strengths[rest], W=path.W[rest], b=path.b[rest])
        errors[rest] = predicted(part)
    return errors


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
