"""From data to coefficients by epochs of mini-batch descent.

The step itself stands in `minibatch.py`, the loop over epochs in `epochs.py`. Random numbers are
drawn on the host, so that the same seed takes the same batches on every backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..backends import Array, Backend
from .buckets import Rows, in_bucket
from .columns import describe_nonfinite
from .device_work import working_on
from .dtypes import host_dtype
from .epoch_options import EpochOptions
from .epochs import EpochRun, run_epochs
from .losses import Loss
from .minibatch import begin
from .optimizers import Optimizer
from .passes import is_sparse
from .solvers.result import Callback, SolverResult
from .standing import Best, Descent, Keep, Snapshot, Standing, restored
from .watching import FitStart, watching


class MinibatchFit(NamedTuple):
    """The outcome; W and b on the host, float64."""

    W: np.ndarray[Any, Any]
    b: np.ndarray[Any, Any]
    result: SolverResult
    descent: Descent
    validation_losses: list[float]


def fit_by_epochs(
    X: Any,
    y: Array,
    *,
    loss: Loss,
    backend: Backend,
    optimizer: Optimizer,
    options: EpochOptions,
    rng: np.random.Generator,
    n_outputs: int = 1,
    sample_weight: Array | None = None,
    l2_reg_strength: float = 0.0,
    l1_reg_strength: float = 0.0,
    fit_intercept: bool = True,
    held_out: np.ndarray[Any, Any] | None = None,
    start: Descent | None = None,
    saved: Snapshot | None = None,
    keep: Keep | None = None,
    callbacks: Sequence[Callback] = (),
    who: str = "fit_by_epochs",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> MinibatchFit:
    """Fit W and b of a linear model by mini-batch descent.

    minimize  sum_i w_i loss(y_i, x_i W + b) / sum_i w_i
              + l1_reg_strength * ||W||_1 + 0.5 * l2_reg_strength * ||W||^2

    Parameters
    ----------
    X, y, sample_weight, loss, n_outputs, l2_reg_strength, fit_intercept
        As in `fit_linear_model`.
    l1_reg_strength : float
        Each step ends by a soft threshold of W, of this times `optimizer.reach`.
    optimizer : Optimizer
    options : EpochOptions
    rng : Generator
        Shuffles, on the host.
    held_out : ndarray of int, or None
        Rows that no step reads. Their loss is watched in place of the cost of the epochs, and the
        parameters of the best epoch are kept. Only these rows are copied.
    start : Descent or None
        A descent to go on with; changed in place.
    saved : Snapshot or None
        A fit of the same data and options to go on with.
    keep : callable or None
        Is handed snapshots, the last one at the end.
    callbacks
        Called after each epoch.

    Returns
    -------
    MinibatchFit
        `result.stop_reason` is "diverged" where the cost became infinite or NaN, and
        "interrupted" after Ctrl-C; the parameters are then those of the best epoch.

    Raises
    ------
    ValueError
        For NaN or infinity in X, named by column; for a gradient_tol with held-out rows.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> from xpfit.core.optimizers import SGD
    >>> X = np.asarray([[0.0], [1.0], [2.0], [3.0]])
    >>> fit = fit_by_epochs(
    ...     X, 2.0 * X[:, 0] + 1.0, loss=HALF_SQUARED_ERROR, backend=get_backend("numpy"),
    ...     optimizer=SGD(0.1), options=EpochOptions(batch_size=2, max_iter=500, tol=None),
    ...     rng=np.random.default_rng(0))
    >>> round(float(fit.W[0, 0]), 6), round(float(fit.b[0]), 6)
    (2.0, 1.0)
    """
    n_samples, n_features = X.shape
    if held_out is not None and options.gradient_tol is not None:
        message = (
            f"{who}: gradient_tol={options.gradient_tol} was asked for with {len(held_out)} "
            "held-out rows, and the gradient is that of all rows. Leave one of them out."
        )
        raise ValueError(message)
    with (
        working_on(backend, X, f"{who} on X of {X.dtype}, {n_samples:,} x {n_features:,}"),
        np.errstate(invalid="ignore", over="ignore", divide="ignore"),
    ):
        xp, dtype = backend.xp, backend.compute_dtype(X.dtype)
        if sample_weight is not None:
            sample_weight = xp.astype(sample_weight, dtype, copy=False)
        y = y if loss.is_multiclass else xp.astype(y, dtype, copy=False)
        rows, validation, trained = Rows(X, y, sample_weight), None, np.arange(n_samples)
        if held_out is not None:
            validation = taken(backend, rows, held_out)
            trained = np.delete(trained, held_out)
        rows = in_bucket(backend, of_mean_one(backend, rows, validation), fused)
        run = EpochRun(
            rows, trained, loss, backend, optimizer, float(l2_reg_strength), options, rng, fused,
            validation, float(l1_reg_strength),
        )  # fmt: skip
        if start is None:
            zeros = np.zeros((n_features + int(fit_intercept), n_outputs), host_dtype(dtype))
            theta = backend.from_numpy(zeros)
            start = Descent(begin(optimizer, theta, average=options.average_from is not None))
        check = partial(
            describe_nonfinite, X, backend=backend, who=who, feature_names=feature_names
        )
        if saved is None:
            standing = Standing(start, Best(run.theta(start)))
        else:
            standing = restored(saved, backend, rng)
        here = run.theta(standing.descent)
        about = FitStart(who, options.max_iter, "epoch", partial(run.read, here))
        with watching(callbacks, about):
            theta, result = run_epochs(run, standing, callbacks, check, keep)
    W = np.asarray(backend.to_numpy(theta[:n_features, :]), dtype=np.float64)
    b = np.zeros(n_outputs)
    if fit_intercept:
        b = np.asarray(backend.to_numpy(theta[n_features, :]), dtype=np.float64)
    return MinibatchFit(W, b, result, standing.descent, standing.validation_losses)


def taken(backend: Backend, rows: Rows, held_out: np.ndarray[Any, Any]) -> Rows:
    """A copy of the held-out rows."""
    xp, there = backend.xp, backend.from_numpy(held_out)
    X = rows.X[held_out, :] if is_sparse(rows.X) else xp.take(rows.X, there, axis=0)
    weight = rows.sample_weight
    if weight is not None and not bool(xp.any(xp.take(weight, there) > 0)):
        weight = None  # of rows without weight one is as good as the other
    return Rows(
        X, xp.take(rows.y, there, axis=0), None if weight is None else xp.take(weight, there)
    )


def of_mean_one(backend: Backend, rows: Rows, held: Rows | None) -> Rows:
    """Weights whose mean over the rows of the steps is 1."""
    weight, xp = rows.sample_weight, backend.xp
    if weight is None:
        return rows
    total, n = xp.sum(weight), weight.shape[0]
    if held is not None:
        n = n - held.y.shape[0]
        if held.sample_weight is not None:
            total = total - xp.sum(held.sample_weight)
    return rows._replace(sample_weight=weight * (n / total))
